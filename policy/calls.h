// policy/calls.h - the calls of one shard that are carried as a back-to-back user agent: each leg is a dialog of ours
// with its own Call-ID, tags, CSeq, session timer and reliable responses (R3261-2 to -9, R3262, R3311, R4028). IM
// sessions whose messages go through this server are such calls (IMSpec-SMM-S-025 to -028); what holds for the leg of the
// controlling function holds for the client's (DEC-13).
//
// One per shard, used by its thread alone; at most CallsConfig::calls_max calls. What is received comes in as calls to
// it; what has to be sent comes out as Errands, which are fetched when the message has been handled, so nothing is
// entered twice. Responses to what was received leave directly, by the server transactions.
//
//   begin(now)
//   invite()                                an INVITE without To tag that a call is to be made of
//   on_request(), on_ack(), on_cancel()     what belongs to a call
//   on_response(), on_failed(), on_over()   what has become of an errand
//   on_flow_gone(), run_timers()
//   next_errand()                           after each of these, until there is none
//
// The parts:
//   calls.cc            which call a message is for; what passes between the tables of sip/
//   calls_time.cc       how peers are reached; time, lost connections, draining
//   calls_invited.cc    leg A: its INVITE, our responses, ACK, PRACK, CANCEL
//   calls_inviting.cc   leg B: our INVITE, its responses, forks
//   calls_change.cc     re-INVITE and UPDATE from one leg to the other, and those of our own
//   calls_restore.cc    a change that was cancelled too late is taken back
//   calls_pass.cc       all other requests from one leg to the other
//   calls_media.cc      descriptions of calls whose messages go through us; what is of the IM service
//   calls_history.cc    when the history of a user begins and ends
//   calls_text.cc       what messages look like
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "policy/call.h"
#include "policy/errand.h"
#include "policy/sip_config.h"
#include "policy/user_agent.h"

namespace parley::policy {

class Calls : public UserAgent {
 public:
  explicit Calls(const Parts& parts);
  ~Calls();

  // Where an INVITE goes, as its request URI and Route say.
  struct Invitation {
    std::string_view uri;
    std::string_view routes{};  // Route value that remains, empty: none
    std::string_view next{};    // URI of the next hop when that is not `uri`
    std::string_view aor{};     // of a user of ours, whose bindings are the targets; with `next`: whom it is checked for
    bool outside = false;
    bool by_core = false;  // see Errand
    std::string_view user{};  // who proved to be its sender
    bool from_trusted = false;
    bool im = false;     // of the IM service
    bool media = false;  // its messages are to go through this server,
    bool media_optional = false;  // where they can: it is for a history, which no session fails for (OMA-HIS-6),
    std::uint64_t bytes_max = 0;  // and none is to be longer; 0: any
    bool session = false;         // it begins an IM session, neither a file nor a large message
    std::string_view served{};    // address of record of a user served here who sends it
    HistoryMode history_mode = HistoryMode::session;
  };
  // What Require may ask of the other end, and of it alone: it goes on as it came, with the bodies it speaks of.
  static constexpr std::array required_of_ends = {sip::OptionTag::replaces, sip::OptionTag::tdialog, sip::OptionTag::join,
                                                  sip::OptionTag::recipient_list_invite, sip::OptionTag::multiple_refer};
  // Statuses: 0, it has been taken. Else what it is to be answered without a transaction, with headers().
  [[nodiscard]] std::uint16_t invite(const sip::Received& request, const sip::RequestMatch& match,
                                     const Invitation& invitation);
  // The call that invite() has made last.
  [[nodiscard]] core::SlotId begun() const { return begun_; }
  // The INVITE that made a call, while it waits for its answer; and that somebody else answers it: the call ends in silence.
  [[nodiscard]] sip::TransactionId invite_of(core::SlotId call) const {
    const Call* const found = calls_.get(call);
    return found == nullptr ? sip::TransactionId{} : found->a.server;
  }
  void let_go(core::SlotId call) {
    if (Call* const found = calls_.get(call)) found->a.server = {};
  }
  // What the user on that side of a call has settled, asked when it begins (OMA-HIS-3).
  void on_settings(core::SlotId call, Leg leg, const ImSettings& settings);
  // Fetched with errands.
  [[nodiscard]] bool next_history(HistoryFact& fact);
  // A Contact of ours stands for that of the other side, for requests outside the dialog, too (SEED4-6.1.1.2.2-7a):
  // where one goes that has it as request URI. Views until the next event.
  struct Beyond {
    std::string_view uri;
    std::string_view next;
    const Way* way = nullptr;
  };
  // Who sends it; nothing: it is in no dialog of a call. Views until the next event.
  [[nodiscard]] std::optional<DialogParty> party(const CallName& name, const sip::Received& request);
  [[nodiscard]] std::optional<Beyond> beyond(const CallName& name, std::string_view contact_user);
  // To whom it describes a file that it has not described before (OMA-FT-3): a transfer that nobody has let in. Nothing:
  // to nobody. Views until the next event.
  [[nodiscard]] std::optional<DialogParty> offers_file(const CallName& name, const sip::Received& request);
  // Of a call of this shard. The method is none of ACK, CANCEL and REGISTER.
  [[nodiscard]] std::uint16_t on_request(const CallName& name, const sip::Received& request,
                                         const sip::RequestMatch& match, bool from_trusted);
  void on_ack(const CallName& name, const sip::Received& ack);
  // Of the INVITE transaction `match.id`, whose Owner is `call`.
  void on_cancel(core::SlotId call, const sip::Received& cancel, const sip::RequestMatch& match);

  // `text` is the whole response, `flow` where it came from; `by_flow`: it is the way of the binding that was tried.
  void on_response(core::SlotId call, std::uint32_t number, std::string_view text, const sip::Flow& flow, bool by_flow);
  void on_failed(core::SlotId call, std::uint32_t number, std::uint16_t status);
  void on_over(core::SlotId call, std::uint32_t number);

  // A pair of MSRP sessions of that call can not go on (T-41).
  void on_media_failed(core::SlotId call);
  // Null: no call's messages go through this server.
  void use_media(MediaPairs* pairs) { pairs_ = pairs; }
  // Null: where histories begin and end are facts, and nobody records them.
  void use_history(HistoryRecorder* history) { history_ = history; }

  void on_flow_gone(const sip::Flow& flow);
  void run_timers();
  [[nodiscard]] core::Instant next_deadline() const { return std::min(wheel_.next_deadline(), drain_ends_); }

  void reload(std::shared_ptr<const SipConfig> config);
  // Calls go on until the time for it is nearly over; then both legs of each are told.
  void drain();
  [[nodiscard]] bool drained() const { return running_ == 0; }

  // For tests at rest.
  [[nodiscard]] const sip::CallRows& rows() const { return rows_; }
  [[nodiscard]] std::uint32_t live() const { return calls_.size(); }
  [[nodiscard]] std::uint32_t running() const { return running_; }

 private:
  // What is at hand while an event is carried out.
  struct Hand {
    const Received* message = nullptr;  // what caused it on one leg and may go on to the other
    sip::TransactionId bye{};           // a BYE that waits for its answer
    std::uint16_t status = 0;           // of a refusal when there is no message
    std::uint32_t cseq = 0;             // of a 2xx that came again
  };

  // calls.cc
  [[nodiscard]] Strand* find(Call& call, const Received& request, Leg& leg);
  [[nodiscard]] static sip::Dialog* dialog(Call& call, Strand& strand, Leg leg);
  void use(Call& call, Leg leg, std::uint32_t actions, const Hand& hand);
  void pair(Call& call, sip::PairEvent event, const Hand& hand);
  void end_call(Call& call, std::string_view reason);
  void settle(Call& call);
  [[nodiscard]] static CallRequest* request_numbered(Call& call, std::uint32_t number);
  void finish(Call& call, std::uint32_t number, const Received* response, std::uint16_t status, bool by_flow);

  // calls_time.cc
  void run(Call& call);
  [[nodiscard]] static core::Instant deadline_of(const Call& call);
  void take_way(Call& call, Way& way, const Received& message, bool record_routed);
  void forget_way(Call& call, Way& way);
  void keep_way(const Call& call, const Way& way);

  // calls_invited.cc
  [[nodiscard]] Strand* add_strand(Call& call, std::uint64_t number, std::string tag);
  [[nodiscard]] Strand* strand_for(Call& call, std::uint64_t number);
  void give_1xx(Call& call, Strand& strand, const Received& response, bool fresh);
  void answer_a(Call& call, const Hand& hand);
  void refuse_a(Call& call, std::uint16_t status, const Received* like);
  void send_answer(Call& call, Leg leg);
  void on_prack(Call& call, Strand& strand, Leg leg, const Received& request, sip::TransactionId server);
  void pracked(Call& call, const CallRequest& prack, const Received* response, std::uint16_t status);

  // calls_inviting.cc
  void send_invite(Call& call, const Received& invite);
  void on_1xx(Call& call, const Received& response, bool by_flow);
  void on_2xx(Call& call, const Received& response, bool by_flow);
  void on_refused(Call& call, std::uint16_t status, const Received* response);
  // Names of dialogs, as they are on the other leg when they are ours (R4538-1).
  void add_named(const Received& invite);
  [[nodiscard]] bool beyond(std::string_view call_id, std::string_view own_tag, std::string_view peer_tag,
                            const sip::Dialog*& other);
  void win(Call& call, Strand& strand, sip::EarlyDialog& early);
  void send_ack(Call& call, Leg leg, const Received* like);
  void resend_ack(Call& call, Leg leg, std::uint32_t cseq);
  [[nodiscard]] static sip::OpeningRequest opening(const Call& call) {
    return {.call_id = call.call_id,
            .from = call.from,
            .to = call.to,
            .uri = call.uri,
            .cseq = call.cseq_b,
            .secure = call.secure_b};
  }
  void part(Call& call, sip::EarlyDialog& other, const Way& way);
  void send_prack(Call& call, Strand& strand, const Received* prack, sip::TransactionId server);

  // calls_change.cc
  void on_reinvite(Call& call, Strand& strand, Leg leg, const Received& request, sip::TransactionId server);
  void on_update(Call& call, Strand& strand, Leg leg, const Received& request, sip::TransactionId server);
  void ask(Call& call, Strand& strand, Leg leg, const Received& request, sip::TransactionId server);
  void cancel_change(Call& call, const Received& cancel, sip::TransactionId invite);
  void refuse(Call& call, Strand& strand, Leg leg, bool update, sip::TransactionId server, std::uint16_t status,
              const Received* like);
  void relay(Call& call, std::uint32_t actions, const Hand& hand);
  void ask_other(Call& call, const Received& request);
  void change_answered(Call& call, const CallRequest& request, const Received* response, std::uint16_t status);
  void other_answered(Call& call, const CallRequest& request, const Received& response);
  void answer_asker(Call& call, const Received& response);
  void answer_update(Call& call, Strand& strand, Leg leg, sip::TransactionId server, const Received* response);
  void put_answer(Call& call, Strand& strand, Leg leg, CallLeg& own, const Received& request, const Received* response);
  void change(Call& call, Strand& strand, Leg leg, const sip::ChangeStep& step, const Hand& hand);
  void stop_changes(Call& call);
  void refresh(Call& call, Leg leg);
  void timer_due(Call& call, Leg leg);

  // calls_restore.cc
  void take_back(Call& call, Leg leg);
  void restore_due(Call& call);
  void restore_refused(Call& call, const CallRequest& request, const sip::ChangeStep& step, sip::TimerRetry retry);
  void restored(Call& call, const CallRequest& request, const Received& response);

  // calls_pass.cc
  void pass(Call& call, Strand& strand, Leg leg, const Received& request, sip::TransactionId server);
  [[nodiscard]] static std::uint16_t passed_status(std::uint16_t status);
  void passed(Call& call, const CallRequest& request, const Received* response, std::uint16_t status);
  void add_event(const Call& call, Leg from, const Received& request);
  void send_bye(Call& call, Leg leg, const Hand& hand);

  // calls_media.cc
  // `message`, whose description comes from that leg and goes on to the other one, as it goes on.
  [[nodiscard]] Received passed_media(Call& call, Leg from, bool is_offer, const Received& message);
  void media_answered(Call& call, const Received& response);
  [[nodiscard]] sip::SessionTimerConfig timer_config(const Call& call) const;
  void add_product(const Call& call, sip::HeaderId id);

  // calls_history.cc
  void tell_history(Call& call, Leg leg, HistoryEvent event);
  void tell_history(Call& call, HistoryEvent event);
  void tell_up(Call& call);
  void tell_over(Call& call);
  void record(Call& call, Leg leg, bool starts);
  void record_message(const Call& call, const CallRequest& passed);

  // calls_text.cc
  // The headers of `message` that go on to the other leg, behind those that are there.
  void add_passed(const Received& message, bool with_type);
  void add_contact(std::string_view user, const sip::Flow& flow, const CallLeg& other, bool secure);
  void add_allow(const CallLeg& other);
  // To the stored request of a server transaction, with texts_ and what `like` has.
  void respond(sip::TransactionId server, std::uint16_t status, const Received* like, std::string_view tag);
  void respond_plain(sip::TransactionId server, std::uint16_t status);
  // In the dialog of that leg, with texts_ and what `like` has, or `sdp`. It is noted; the answer is for the moment.
  CallRequest& send(Call& call, Strand& strand, Leg leg, CallRequest::Kind kind, Method method, std::string_view name,
                    const Received* like, std::string_view sdp = {});
  Errand errand_in(const Call& call, const sip::Dialog& to, const Way& way) const;
  void send_cancel(const Call& call, std::uint32_t number, std::string_view reason);
  // What a peer says of itself: Allow, and the features of its Contact.
  static void take_abilities(CallLeg& leg, const Received& message, bool im);
  // What it was told last.
  void keep_sdp(CallLeg& leg, const Received& message);
  void keep_sdp(const Received& message, sip::KeptBytes& place);

  sip::CallRows rows_;
  bool draining_ = false;
  core::SlotId begun_;
  std::deque<HistoryFact> history_facts_;  // two for each call at most
  MediaPairs* pairs_ = nullptr;
  HistoryRecorder* history_ = nullptr;
  core::Instant drain_ends_ = core::never;

  core::SlotMap<Call> calls_;
  std::uint32_t running_ = 0;  // those that are not over
  core::TimerWheel wheel_;
  bool from_trusted_ = false;  // the request at hand

  // Scratch, kept and reused.
  std::string event_;
  std::string named_[3];
  std::string description_;  // as it goes on
  std::string raised_;
  std::string media_body_;
};

}  // namespace parley::policy
