// policy/focus.h - the controlling function of the IM service on one shard: sessions of two, ad-hoc and pre-defined
// groups as conferences (RFC 4353, RFC 4579, RFC 5366, RFC 5368; OMA SIMPLE IM 7.2.1). SEED2-7.2.1.1-1 to -13,
// OMA-SES-1 to -13, OMA-GRP-4 to -9, OMA-ALIAS-1 and -2.
//
// One per shard, used by its thread alone; at most FocusConfig::sessions_max sessions. A session and all its participants
// belong to one shard: that where it began, of a group that which the group's URI names. What is received comes in as
// calls to it; what has to be sent comes out as Errands (errand.h), fetched when the message has been handled. Responses
// leave directly, by the server transactions. Messages are Rooms' business (room.h).
//
//   begin(now)
//   invite()                                  an INVITE without To tag to factory, group, session or user
//   on_request(), on_ack(), on_cancel()       what belongs to a participant's dialog
//   refer(), message(), options()             to a session identity, outside any dialog
//   on_response(), on_failed(), on_over()     what has become of an errand
//   on_room_fact(), on_flow_gone(), run_timers()
//   next_errand()                             after each of these, until there is none
//
// The parts:
//   focus.cc           which session a message is for; what passes between the tables of sip/; the end of sessions
//   focus_join.cc      INVITEs: facts and checks, sessions that begin, who comes in
//   focus_invited.cc   our responses to an INVITE, ACK, CANCEL, PRACK
//   focus_inviting.cc  our INVITEs, their responses
//   focus_change.cc    re-INVITE and UPDATE, session timers
//   focus_roster.cc    what the roster says of them
//   focus_sdp.cc       descriptions: what is taken of theirs, and ours
//   focus_refer.cc     REFER: who is brought in and who is made to go
//   focus_refer_events.cc  what its sender is told of that
//   focus_text.cc      what messages look like
//   focus_time.cc      how peers are reached; time, lost connections, draining
//   focus_large.cc     large messages that go into the store, and stored ones that go out
//   focus_history.cc   histories of those who take part
//   focus_admin.cc     what operators ask and tell
//   focus_store.cc     what outlives the process
#pragma once

#include <cstdint>
#include <functional>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/seam.h"
#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "policy/conference_events.h"
#include "policy/focus_checks.h"
#include "policy/focus_session.h"
#include "policy/invite_body.h"
#include "policy/left_sessions.h"
#include "policy/room.h"
#include "policy/session_media.h"
#include "policy/stored_legs.h"
#include "policy/user_agent.h"

namespace parley::policy {

class Focus : public UserAgent {
 public:
  struct FocusParts {
    UserAgent::Parts agent;
    SessionMedia* media = nullptr;  // null: no session can be carried
    Rooms* rooms = nullptr;
    ConferenceEvents* conferences = nullptr;  // who watches; lets go of the rosters before they go
    StoredLegs* stored = nullptr;  // null: nothing large is stored
    std::uint32_t shards = 1;
  };
  static constexpr std::string_view focus_methods =
      "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY";
  explicit Focus(const FocusParts& parts);
  void begin(const core::Now& now, core::Outbox& out) {
    UserAgent::begin(now.mono);
    wall_ms_ = now.wall_ms;
    out_ = &out;
  }
  // Null: nobody records.
  void use_history(HistoryRecorder* history) { history_ = history; }
  // What groups name by anchor.
  void use_lists(const ExternalLists* lists) { lists_ = lists; }
  // What a user of ours whom we invite has settled, asked when the INVITE goes to him (OMA-HIS-3).
  void on_settings(core::SlotId participant, std::string_view aor, const ImSettings& settings);
  // A session of an earlier process, before the first step.
  void restore(const core::SessionRow& row) { left_.restore(row); }
  // By the user part of its identity; null: there is none that one could come back to.
  [[nodiscard]] const LeftSession* left(std::string_view name) const;
  // The same whatever its age, which only the shard that it belongs to can judge.
  [[nodiscard]] const LeftSession* known(std::string_view name) const { return left_.find(name); }
  ~Focus();

  // Where an INVITE goes, and who sends it.
  struct Invitation {
    enum class Target : std::uint8_t { factory, group, session, user };
    Target target = Target::factory;
    std::string_view uri;             // request URI
    core::SlotId session{};           // target session; of a group whose session is on, too
    const LeftSession* left = nullptr;  // target session of an earlier process, to which nobody has come back yet
    const Group* group = nullptr;     // target group
    std::shared_ptr<const void> group_owner{};  // keeps it
    std::string_view identity;        // AO-IMA of the sender
    std::string_view user{};          // of our realm, who proved to be its sender
    bool from_trusted = false;
    std::string_view recorder{};  // address of record of the sender, where he wants such a session recorded
  };
  // Statuses: 0, it has been taken. Else what it is to be answered without a transaction, with headers() and body().
  [[nodiscard]] std::uint16_t invite(const sip::Received& request, const sip::RequestMatch& match,
                                     const Invitation& invitation);
  [[nodiscard]] std::string_view body() const { return refusal_body_; }

  // A request with the tag of one of our dialogs; the method is none of ACK and CANCEL.
  [[nodiscard]] std::uint16_t on_request(const CallName& name, const sip::Received& request,
                                         const sip::RequestMatch& match, bool from_trusted);
  // Who sends it; nothing: it is in no dialog of a participant. Views until the next event.
  [[nodiscard]] std::optional<DialogParty> party(const CallName& name, const sip::Received& request);
  void on_ack(const CallName& name, const sip::Received& ack);
  // Of the INVITE transaction `match.id`, whose Owner is `participant`.
  void on_cancel(core::SlotId participant, const sip::Received& cancel, const sip::RequestMatch& match);

  // Outside any dialog, to a session identity. `identity`: of the sender.
  struct Outside {
    core::SlotId session;
    std::string_view identity;
    bool from_trusted = false;
  };
  [[nodiscard]] std::uint16_t refer(const sip::Received& request, const sip::RequestMatch& match,
                                    const Outside& outside);
  [[nodiscard]] std::uint16_t message(const sip::Received& request, const sip::RequestMatch& match,
                                      const Outside& outside);
  // A SUBSCRIBE to what has become of a REFER, in its dialog.
  [[nodiscard]] std::uint16_t subscribe_refer(const CallName& name, const sip::Received& request,
                                              const sip::RequestMatch& match, const sip::Event& event);
  // Whether somebody may watch a session, and what of it; `named` is the dialog of ours that the SUBSCRIBE came in, if it
  // did (OMA-CONF-1, T-33).
  struct Watch {
    std::uint16_t decision = 404;
    Roster* roster = nullptr;
    std::string watcher{};
    std::string contact{};
    std::shared_ptr<sip::Dialog> dialog{};
  };
  [[nodiscard]] Watch watch(const sip::Received& request, const CallName& named, std::string_view identity);
  // Lines for the answer to an OPTIONS (R4579-3).
  void describe(const sip::Flow& flow, core::SlotId session, sip::HeaderLines& lines) const;

  // --- large messages and the store (focus_large.cc)

  // An INVITE for a large message to `copy.aor`, who can not be reached: we take it for him (OMA-LRG-4). `server` is its
  // transaction, from now on ours. False: it is none to store, and nothing has changed.
  struct Deposit {
    std::string_view identity;  // AO-IMA of the sender
    bool from_trusted = false;
    std::string_view recorder{};  // as in Invitation
    StoredCopy copy;
  };
  [[nodiscard]] bool deposit(const sip::Received& request, sip::TransactionId server, const Deposit& what);
  // Of an INVITE of ours: whom it is for can not be reached; its outcome will say so.
  void on_unreached(core::SlotId participant, StoredCopy copy);
  // His devices ring and have been called off since he counts as one who can not be reached. What comes of that may
  // take long.
  void on_given_up(core::SlotId participant, StoredCopy copy);
  // A message for `aor` goes out as INVITE (OMA-DEF-8). What has become of it next_pushed() tells, always.
  struct Push {
    core::DeferredRow row;
    core::SlotId box;
    std::uint32_t number = 0;
  };
  void push(const Push& what);
  struct Pushed {
    core::SlotId box;
    std::uint32_t number = 0;
    std::uint16_t status = 0;  // 0: there was no room to begin
  };
  [[nodiscard]] bool next_pushed(Pushed& pushed);
  // What is stored now, or was already; or is not, though others got it.
  struct Stored {
    core::DeferredRow row;
    bool lost = false;
    bool duplicate = false;
    bool tried = false;
  };
  [[nodiscard]] bool next_stored(Stored& stored);
  // An INVITE to the reference of a stored message (OMA-DEF-13), or of a record of a history (OMA-HIS-5). As invite().
  struct ToFetch {
    std::uint64_t id = 0;
    bool record = false;
  };
  [[nodiscard]] std::uint16_t fetch(const sip::Received& request, const sip::RequestMatch& match,
                                    const Invitation& invitation, const ToFetch& wanted);
  // A message that its user has fetched whole: it is taken out of the store.
  struct Fetched {
    std::string aor;
    std::uint64_t id = 0;
  };
  [[nodiscard]] bool next_fetched(Fetched& fetched);
  void on_stored(const core::StoreResult& result);

  [[nodiscard]] bool has(core::SlotId session) const;
  // What users have written of their groups is another document now: rules hold for sessions that are on, too, and without its
  // group a session ends.
  using GroupNamed = std::function<std::shared_ptr<const Group>(std::string_view key)>;
  void renew_groups(const GroupNamed& named);
  // The session of a group that is on.
  [[nodiscard]] std::optional<core::SlotId> session_of(std::string_view group_key) const;

  // For the errands of participants.
  void on_response(core::SlotId participant, std::uint32_t number, std::string_view text, const sip::Flow& flow,
                   bool by_flow);
  void on_failed(core::SlotId participant, std::uint32_t number, std::uint16_t status);
  void on_over(core::SlotId participant, std::uint32_t number);
  // For those of sessions.
  void on_session_over(core::SlotId session);

  void on_room_fact(const RoomFact& fact);
  void on_flow_gone(const sip::Flow& flow);
  void run_timers();
  [[nodiscard]] core::Instant next_deadline() const { return std::min(wheel_.next_deadline(), drain_ends_); }

  // What operators ask (focus_admin.cc): an answer in JSON. It may end sessions and dialogs.
  [[nodiscard]] std::string answer_admin(const core::AdminRequest& request, std::int64_t wall_ms);

  void reload(std::shared_ptr<const SipConfig> config);
  // Sessions go on until the time for it is nearly over; then their participants are told.
  void drain();
  [[nodiscard]] bool drained() const { return sessions_.empty(); }

  // For tests at rest.
  [[nodiscard]] std::uint32_t sessions() const { return sessions_.size(); }
  [[nodiscard]] std::uint32_t participants() const { return participants_.size(); }

 private:
  // What is at hand while an event is carried out.
  struct Hand {
    const Received* message = nullptr;
    sip::TransactionId bye{};  // a BYE that waits for its answer
    std::uint16_t status = 0;  // of a refusal
    std::uint32_t cseq = 0;    // of the re-INVITE of ours that is acknowledged
  };
  enum TimerKind : std::uint32_t { participant_timer, session_timer };
  // Of a REFER's subscription: long enough for an INVITE to come to its end.
  static constexpr std::chrono::seconds refer_duration_max{240};
  static constexpr std::string_view focus_options = "timer, norefersub, tdialog, recipient-list-invite, multiple-refer";

  // focus.cc
  [[nodiscard]] Participant* find(const CallName& name, const Received& request);
  [[nodiscard]] sip::Dialog* dialog_of(Participant& p, const Received& request);
  void use(Participant& p, std::uint32_t actions, const Hand& hand);
  void leave(Participant& p);
  void end_session(FocusSession& s, std::string_view reason);
  void hang_up(Participant& p, std::string_view reason);
  void lose(Participant& p);
  void look_at_end(FocusSession& s);
  void settle(Participant& p);
  void settle(FocusSession& s);
  void settle(core::SlotId session);
  void forget(Participant& p);
  [[nodiscard]] FocusSession& session_of(const Participant& p);
  [[nodiscard]] static FocusRequest* request_numbered(Participant& p, std::uint32_t number);
  void finish(Participant& p, std::uint32_t number, const Received* response, std::uint16_t status, bool by_flow);

  // focus_join.cc
  [[nodiscard]] std::uint16_t refuse_join(const JoinRefusal& why, bool of_two, std::string_view offer);
  [[nodiscard]] std::uint16_t no_room(core::Metric metric);
  // Of one list (OMA-GRP-5).
  [[nodiscard]] std::uint32_t recipients_max() const {
    return std::min(config_->focus.adhoc_max, static_cast<std::uint32_t>(list_entries_max));
  }
  struct Newcomer;
  struct Admission {
    sip::SessionTimer timers;
    sip::TimerGrant grant;
    bool trusted = false;
  };
  [[nodiscard]] Participant* admit(FocusSession& s, const Received& request, const Newcomer& who, const Admission& how,
                                   std::uint16_t& status);
  [[nodiscard]] bool furnish(FocusSession& s, RoomKind kind);
  void read_newcomer(const Received& request, const Invitation& invitation, Newcomer& who) const;
  void read_recipients(const Received& request, const Invitation& invitation, Newcomer& who) const;
  void judge_group(const Invitation& invitation, Newcomer& who, JoinFacts& facts) const;
  void find_named(const Received& request, Newcomer& who);
  [[nodiscard]] JoinFacts facts_of(const Received& request, const Invitation& invitation, Newcomer& who);
  [[nodiscard]] FocusSession* open_session(const Received& request, const Invitation& invitation, Newcomer& who);
  [[nodiscard]] Participant* add_participant(FocusSession& s, sip::InviteUsage::Side side, std::uint32_t invite_cseq,
                                             const sip::OfferTrack& offers);
  void take_passed(FocusSession& s, const Received& request, const InviteBody& body) const;
  void begin_session(FocusSession& s, Participant& originator);
  [[nodiscard]] static bool is_one_way(const Received& request, const Newcomer& who);
  void read_distribution(const Received& request, const Invitation& invitation, Newcomer& who) const;
  [[nodiscard]] bool is_in(const FocusSession& s, std::span<const std::string> keys) const;
  void all_have_answered(FocusSession& s);
  void gather_no_longer(FocusSession& s);
  void drop_session(FocusSession& s);

  // focus_invited.cc
  void ring(Participant& p, std::uint16_t status);
  [[nodiscard]] std::uint16_t answer(Participant& p);
  // False: refused.
  bool answer_or_refuse(Participant& p);
  void send_answer(Participant& p);
  void come_in(FocusSession& s, Participant& p);
  void refuse(Participant& p, std::uint16_t status);
  void on_prack(Participant& p, const Received& request, sip::TransactionId server);

  // focus_inviting.cc
  void invite_more(FocusSession& s);
  [[nodiscard]] bool invite_one(FocusSession& s, const Invitee& invitee);
  void send_invite(FocusSession& s, Participant& p);
  void on_1xx(Participant& p, const Received& response, bool by_flow);
  void on_2xx(Participant& p, const Received& response, bool by_flow);
  void on_refused(Participant& p, std::uint16_t status, const Received* response);
  void accepted(Participant& p, const Received& response);
  void outcome(FocusSession& s, Participant& p, std::uint16_t status);
  static void refused_invitee(FocusSession& s, std::uint16_t status);
  void put_invite_body(const FocusSession& s, const Participant& p, std::string_view sdp, std::string& type,
                       std::string& body);
  // Whether all who were invited have said no, and he who waits has to be told.
  void nobody_came(FocusSession& s, Participant& originator);
  void replace_older(FocusSession& s, const Participant& by);
  void part(Participant& p, sip::EarlyDialog& other, const Way& way);
  // The answer to an offer of ours that an ACK brings. False: it brings none.
  [[nodiscard]] bool take_late_answer(Participant& p, const Received& ack);
  void send_ack(Participant& p, std::uint32_t cseq);
  [[nodiscard]] static sip::OpeningRequest opening(const Participant& p);

  // focus_large.cc
  [[nodiscard]] bool stores() const { return stored_ != nullptr && out_ != nullptr && config_->im.deferred.on; }
  [[nodiscard]] FocusSession* new_session(std::string_view asserted, const sip::Flow* flow, bool secure);
  void ask_room(FocusSession& s, StoredCopy copy);
  void keep_copy(FocusSession& s, StoredCopy& copy, const core::StoreResult& result);
  [[nodiscard]] core::DeferredRow row_of(const FocusSession& s, const StoredCopy& copy) const;
  void refuse_copy(const FocusSession& s, const StoredCopy& copy);
  static void take_head(FocusSession& s, const core::DeferredRow& row);
  [[nodiscard]] bool join_stored(const FocusSession& s, msrp::EndHandle end, std::string_view uri, bool sends);
  [[nodiscard]] StoredLegs::Limits stored_limits() const;
  void give_up_asking(FocusSession& s);
  // For whom nothing answers.
  [[nodiscard]] bool may_store_for(const FocusSession& s) const {
    return stores() && s.large_message && s.distribution && s.stored == nullptr;
  }
  void take_overs();
  void tell_pushed(FocusSession& s, std::uint16_t status);

  // focus_fetch.cc
  [[nodiscard]] bool gives_records() const {
    return stored_ != nullptr && out_ != nullptr && config_->im.history_access.on;
  }
  [[nodiscard]] std::uint16_t judge_fetch(const FocusSession& s, const Participant& p,
                                          const core::StoreResult& result) const;
  [[nodiscard]] bool begin_giving(FocusSession& s, const core::StoreResult& result);
  void on_fetched(FocusSession& s, const core::StoreResult& result);

  // focus_history.cc
  [[nodiscard]] std::uint64_t party_of(const Participant& p) const;
  void begin_record(FocusSession& s, Participant& p);
  void end_record(const FocusSession& s, Participant& p);
  void end_talk(FocusSession& s);
  void record(const RoomFact& fact);

  // focus_change.cc
  void on_reinvite(Participant& p, const Received& request, sip::TransactionId server);
  void on_update(Participant& p, const Received& request, sip::TransactionId server);
  [[nodiscard]] std::uint16_t take_change(Participant& p, const InviteBody& body);
  [[nodiscard]] bool ends_transfer(const Participant& p, const InviteBody& body);
  [[nodiscard]] bool put_change_answer(Participant& p, const Received& request, std::string_view offer);
  void change(Participant& p, const sip::ChangeStep& step, const Hand& hand);
  void refuse_offer(sip::TransactionId server, std::uint16_t status, const FocusSession& s, std::string_view offer);
  [[nodiscard]] sip::SessionTimerConfig timer_config() const;
  void refresh(Participant& p);
  void refresh_answered(Participant& p, const FocusRequest& request, const Received* response, std::uint16_t status);
  void timer_due(Participant& p);

  // focus_sdp.cc
  [[nodiscard]] std::uint16_t read_terms(std::string_view sdp, bool theirs_is_offer, MediaTerms& terms) const;
  [[nodiscard]] bool open_end(FocusSession& s, Participant& p, bool secure);
  // Ours as an offer, or as the answer to `offer`; empty: none can be made.
  [[nodiscard]] std::string_view describe_media(const FocusSession& s, Participant& p, std::string_view offer);
  void put_capabilities(bool of_two, std::string_view offer, std::string& out) const;
  // Of a session of two: the other one.
  [[nodiscard]] const Participant* counterpart(const FocusSession& s, const Participant& p) const;
  // His description counts from now on: he comes in, or what he said before changes. 0, or a status.
  [[nodiscard]] std::uint16_t take_terms(FocusSession& s, Participant& p);
  [[nodiscard]] Member member_of(const Participant& p) const;

  // focus_refer_events.cc
  void refer_outcome(FocusSession& s, std::uint32_t number, std::uint16_t status);
  void send_refer_notify(FocusSession& s, FocusRefer& refer, std::uint16_t status, std::string_view over = {});
  void end_refers(FocusSession& s);

  // focus_refer.cc
  struct Referral;
  [[nodiscard]] std::uint16_t judge_refer(const FocusSession& s, const Received& request, std::string_view identity,
                                          bool anonymous, Referral& referral);
  void carry_out_refer(FocusSession& s, const Referral& referral, FocusRefer* told);
  void forget_recipients(FocusSession& s);
  bool forget_waiting(FocusSession& s, std::span<const std::string> keys, std::uint16_t status);
  void expel(FocusSession& s, std::span<const std::string> keys, std::uint32_t number);
  // Whether he is in a session, or on the way into it.
  [[nodiscard]] bool is_here(const FocusSession& s, std::span<const std::string> keys) const;
  void on_refer(Participant& p, const Received& request, sip::TransactionId server);
  [[nodiscard]] Participant* participant_of(FocusSession& s, const Received& request, std::string_view identity);
  void on_message(Participant& p, const Received& request, sip::TransactionId server);
  void post(const Participant& p, const Received& request, sip::TransactionId server, std::string_view tag);

  // focus_roster.cc
  bool show(FocusSession& s, Participant& p, EndpointStatus status);
  void show_left(FocusSession& s, Participant& p, bool was_in);
  void stop_watching(const FocusSession& s, const Participant& p);
  void show_alias(FocusSession& s, Participant& p, std::string_view alias);
  void show_ended(FocusSession& s);
  [[nodiscard]] bool may_watch(const FocusSession& s, std::string_view key) const;
  // What the rules of its group say, with the lists that they name.
  [[nodiscard]] bool group_lets(const FocusSession& s, std::span<const std::string> keys, bool anonymous,
                                GroupAction action) const;

  // focus_text.cc
  [[nodiscard]] std::string features_toward(const FocusSession& s, bool oma_client) const;
  void add_own(const FocusSession& s, const Participant& p);
  void add_charging(const Participant& p, const Received& invite);
  void respond(sip::TransactionId server, std::uint16_t status, std::string_view tag = {}, std::string_view body = {});
  void respond_plain(sip::TransactionId server, std::uint16_t status);
  [[nodiscard]] static std::string instance_of(const Received& message);
  // The value of a Warning 399, in warning_.
  void put_warning(std::string_view text);
  FocusRequest& send(Participant& p, FocusRequest::Kind kind, Method method, std::string_view name,
                     std::string_view content_type = {}, std::string_view body = {});
  void send_bye(Participant& p);
  [[nodiscard]] Errand errand_in(const Participant& p, const sip::Dialog& to, const Way& way) const;

  // focus_time.cc
  void run(Participant& p);
  [[nodiscard]] static core::Instant deadline_of(const Participant& p);
  void run(FocusSession& s);
  [[nodiscard]] core::Instant deadline_of(const FocusSession& s) const;
  void take_way(Participant& p, Way& way, const Received& message, bool record_routed);
  void keep_way(const Participant& p);

  // focus_admin.cc
  void put_room(const FocusSession& s, std::string& json) const;
  void put_member(const Participant& p, std::string& json) const;
  void list_rooms(std::uint64_t limit, std::string& json);
  void put_trace(std::string_view message_id, std::int64_t wall_ms, std::string& json) const;
  [[nodiscard]] bool kick(core::SlotId session, core::SlotId participant);
  [[nodiscard]] bool close(core::SlotId session);

  // focus_store.cc
  void store(const FocusSession& s);
  void unstore(const FocusSession& s);
  [[nodiscard]] static bool was_named(const core::SessionRow& row, std::span<const std::string> keys);
  void take_up(FocusSession& s, const core::SessionRow& row);

  SessionMedia* const media_;
  Rooms* const rooms_;
  HistoryRecorder* history_ = nullptr;
  const ExternalLists* lists_ = nullptr;
  ConferenceEvents* const conferences_;
  StoredLegs* const stored_;
  core::Outbox* out_ = nullptr;
  const std::uint32_t shards_;
  bool draining_ = false;
  core::Instant drain_ends_ = core::never;
  std::int64_t wall_ms_ = 0;  // what rules that hold for a time are judged at

  core::SlotMap<FocusSession> sessions_;
  core::SlotMap<Participant> participants_;
  std::map<std::string, core::SlotId, std::less<>> by_group_;  // user_key of a group to its session
  core::TimerWheel wheel_;
  LeftSessions left_;
  std::uint64_t asks_made_ = 0;
  std::map<std::uint64_t, core::SlotId> asks_;  // of the store, by number: for which session
  std::deque<Pushed> pushed_;
  std::deque<Stored> stored_rows_;
  std::deque<Fetched> fetched_;

  // Scratch, kept and reused.
  std::string refusal_body_;
  std::string sdp_;
  std::string server_;
  std::string warning_;
  std::string body_;
};

}  // namespace parley::policy
