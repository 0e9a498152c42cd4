// policy/sip_service.h - SIP of one shard: what becomes of each message. Registrar, location, and a stateful proxy
// between registered users and trusted peers.
//
// What can be asked without it stands in types of its own: who is ours (home.h), what is let in (admission.h), whose a
// request is (request_parties.h), whether it may go on (participating.h), what goes on (forwarder.h), what is answered
// (responder.h), what the focus is asked for (focus_targets.h). Here they come together, in the order of RFC 3261
// sections 8.2 and 16.3:
//   sip_service.cc        a step: messages and facts to who handles them
//   sip_requests.cc       a request that no transaction knows: the checks, then where it goes
//   sip_ack.cc            ACKs for 2xx
//   sip_questions.cc      what other shards were asked
//   sip_register.cc       REGISTER, and look-ups of bindings, on this shard or another
//   sip_subscribe.cc      SUBSCRIBE to what this server knows itself
//   sip_publish.cc        PUBLISH of IM service settings
//   sip_participating.cc  the checks on IM requests from and to our users, sip_files.cc those on files in dialogs
//   sip_deferred.cc       what is kept for users who can not be reached (deferred.h), and answers of the store
//   sip_large.cc          large messages among it
//   sip_deferred_list.cc  what they are told of that, fetch of it and delete (deferred_watch.h, deferred_retrieval.h)
//   sip_history.cc        which messages of users are recorded (history_recorder.h)
//   sip_history_lists.cc  what users ask of their histories (history_lists.h)
//   sip_system.cc         orders of operators for system messages, answers of users (system_messages.h)
//   sip_targets.cc        bindings, Route sets and URIs to next hops (RFC 3263)
//   sip_proxy.cc          requests on their way (proxied.h): branches, responses, CANCEL, Timer C
//   sip_stateless.cc      requests that are forwarded and forgotten
//   sip_calls.cc          calls that are carried leg to leg (calls.h), and what user agents here want sent
//   sip_focus.cc          sessions of which we are the focus (focus.h)
//
// An address of record belongs to the shard that its hash names; others ask by mail. A response that arrives on another
// shard than its request left goes to that one by mail.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/keyed_hash.h"
#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/seam.h"
#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "policy/admission.h"
#include "policy/calls.h"
#include "policy/conference_events.h"
#include "policy/deferred.h"
#include "policy/deferred_retrieval.h"
#include "policy/deferred_watch.h"
#include "policy/errand_clients.h"
#include "policy/exploder.h"
#include "policy/focus.h"
#include "policy/focus_targets.h"
#include "policy/forwarder.h"
#include "policy/history_lists.h"
#include "policy/history_recorder.h"
#include "policy/home.h"
#include "policy/message_ids.h"
#include "policy/message_reader.h"
#include "policy/message_search.h"
#include "policy/name_look_ups.h"
#include "policy/owner.h"
#include "policy/pager_trace.h"
#include "policy/participating.h"
#include "policy/proxied.h"
#include "policy/reg_events.h"
#include "policy/request_parties.h"
#include "policy/request_trace.h"
#include "policy/responder.h"
#include "policy/routing.h"
#include "policy/service_mail.h"
#include "policy/settings.h"
#include "policy/sip_config.h"
#include "policy/system_messages.h"
#include "policy/user_news.h"
#include "sip/digest_auth.h"
#include "sip/failed_targets.h"
#include "sip/fork.h"
#include "sip/header_lines.h"
#include "sip/location.h"
#include "sip/preferences.h"
#include "sip/registrar.h"
#include "sip/transactions.h"
#include "sip/transport.h"

namespace parley::policy {

class SipService {
 public:
  struct Parts {
    std::uint32_t shard = 0;
    std::uint32_t shard_count = 1;
    core::Pool& pool;
    core::Metrics& metrics;
    core::Random& random;
    core::Seed process_seed;  // the same for all shards of the process: seals route tokens, names owners
    MediaPairs* pairs = nullptr;  // null: no messages go through this server
    core::SessionTable* invites = nullptr;  // of the process: which shard has an INVITE; null where there is one shard
    SessionMedia* media = nullptr;  // of the controlling function; null: there are no sessions
    Rooms* rooms = nullptr;
    StoredLegs* stored = nullptr;  // null: no large message is stored
    std::shared_ptr<const SipConfig> config;
  };
  explicit SipService(const Parts& parts);
  ~SipService();
  SipService(const SipService&) = delete;
  SipService& operator=(const SipService&) = delete;

  // What an earlier process has stored, as far as it is this shard's, before the first step. How many bindings came back.
  std::size_t restore(const core::StoreContents& stored, const core::Now& now);

  // A step: begin, then take for each Input of SIP, then end.
  void begin(const core::Now& now, core::Outbox& out);
  void take(const core::Input& input);
  void end();

  // Between begin and end.
  void on_media_failed(const PairFact& fact) { calls_.on_media_failed(core::SlotId::unpack(fact.owner)); }
  // What rooms have to tell, between begin and end.
  void on_room_fact(const RoomFact& fact);

  // Where histories of users begin and end: fetched in each step, behind end().
  [[nodiscard]] bool next_history(HistoryFact& fact) { return calls_.next_history(fact); }

  // What operators ask about sessions and system messages, between begin and end: an answer in JSON, or nothing, and it is
  // given later.
  [[nodiscard]] std::string answer_admin(const core::AdminRequest& request);

  void reload(std::shared_ptr<const SipConfig> config);
  // What users have written, never null; each follows the one before.
  void take(std::shared_ptr<const UserDocuments> documents);
  void drain();
  // Nothing waits any more that would be lost by ending now.
  [[nodiscard]] bool drained() const {
    return draining_ && unanswered_ == 0 && reg_events_.drained() && calls_.drained() && focus_.drained() && conferences_.drained() &&
           exploder_.drained() && deferred_.drained() && watch_.drained() && history_lists_.drained() && retrieval_.drained() && system_.drained();
  }
  [[nodiscard]] core::Instant next_deadline() const;
  // For tests: nothing has a time to wait for but looks into the store, which never end.
  [[nodiscard]] bool rests() const;
  // PeerInfo::listener from which on connections are SIP's.
  [[nodiscard]] std::uint16_t listener_base() const { return config_->transport.listener_base; }

  // For tests.
  [[nodiscard]] OverdueAnswers& overdue_answers() { return participating_.overdue_answers(); }
  [[nodiscard]] const SystemMessages& system_messages() const { return system_; }
  [[nodiscard]] const sip::Transactions& transactions() const { return transactions_; }
  [[nodiscard]] std::uint32_t live_connections() const { return transport_.connections(); }
  [[nodiscard]] std::uint32_t live_transactions() const { return transactions_.live(); }
  [[nodiscard]] std::uint32_t live_proxied() const { return proxied_.size(); }
  [[nodiscard]] const Calls& calls() const { return calls_; }
  [[nodiscard]] const HistoryRecorder& history() const { return history_; }
  [[nodiscard]] const Focus& focus() const { return focus_; }
  [[nodiscard]] const Exploder& exploder() const { return exploder_; }
  [[nodiscard]] const Deferred& deferred() const { return deferred_; }
  [[nodiscard]] const DeferredWatch& deferred_watch() const { return watch_; }
  [[nodiscard]] const DeferredRetrieval& deferred_retrieval() const { return retrieval_; }
  [[nodiscard]] const HistoryLists& history_lists() const { return history_lists_; }
  [[nodiscard]] std::uint32_t live_subscribers() const { return reg_events_.subscribers(); }
  [[nodiscard]] std::uint32_t live_publications() const { return settings_.publications(); }
  [[nodiscard]] std::uint64_t live_bindings() const { return location_.binding_count(); }
  [[nodiscard]] unsigned overload_level() const { return admission_.level(); }

 private:
  using Received = sip::Received;
  using Flow = sip::Flow;
  using Branch = Proxied::Branch;

  // --- sip_service.cc
  [[nodiscard]] UserAgent::Parts agent(const Parts& parts, UserSessions* users = nullptr);
  [[nodiscard]] core::Instant other_deadline() const;
  void gather_lists();
  void keep_traces();
  void handle(const Received& message);
  void on_response(const Received& message);
  void on_gone(const Flow& flow);
  void lose(const Flow& flow);
  void store_binding(const sip::LocationFact& change);
  void tell_flow_closed(std::uint32_t shard, const Flow& flow);
  void on_transaction_fact(const sip::TransactionFact& fact);
  void run_timers();
  void count(core::Metric metric) { metrics_.add(metric); }

  // --- sip_requests.cc
  void on_request(const Received& request, const sip::RequestMatch& match);
  void on_cancel(const Received& request, const sip::RequestMatch& match);
  [[nodiscard]] bool may_cancel(const Received& request, const sip::RequestMatch& match) const;
  [[nodiscard]] bool proxy_checks(const Received& request, Routing& routing);
  // False: refused.
  [[nodiscard]] bool identify(const Received& request, const Routing& routing, Sender& sender);
  void challenge(const Received& request, bool stale, bool by_proxy);
  void answer_here(const Received& request, const sip::RequestMatch& match);
  void on_options(const Received& request);
  [[nodiscard]] std::string allowed_events() const;
  [[nodiscard]] bool uas_checks(const Received& request, sip::OptionSet more = {});
  // The server transaction of a request that may come once only (R3261-4). Not valid(): it was answered.
  [[nodiscard]] sip::TransactionId claimed(const Received& request, const sip::RequestMatch& match);

  // --- sip_ack.cc
  void on_ack(const Received& request);
  [[nodiscard]] bool send_ack(const Received& request, const Routing& routing, const Flow& out);
  [[nodiscard]] bool send_ack(const Received& request, const Routing& routing, const Hop& hop);
  void hold_ack(const Received& request, std::string_view next);
  void on_ack_resolved(const NameLookUps::Wanted& wanted, std::span<const core::ResolvedAddress> addresses);
  [[nodiscard]] std::string_view forward_ack(const Received& request, const Routing& routing, const Flow& out);

  // --- sip_questions.cc
  [[nodiscard]] bool may_ask();
  void asked(bool registers, core::SlotId id);
  [[nodiscard]] bool answered(const ShardQuestion& question);
  void give_up_questions();
  [[nodiscard]] bool later(const Proxied& p);

  // --- sip_register.cc
  void on_register(const Received& request, const sip::RequestMatch& match, const Sender& sender);
  void register_here(const Received& request, std::string_view aor, bool third_party);
  void finish_register(sip::TransactionId server, const Received& request, const Registered& done,
                       std::span<const sip::HeaderText> headers);
  void keep(const Flow& flow, core::Instant until, core::Duration silence_max = {});
  void on_service_mail(std::uint32_t from, std::string_view mail);
  void look_up(Proxied& p, const Received& request);
  void ask_settings(core::SlotId call, std::string_view aor);
  [[nodiscard]] const Received* read_again(std::string_view bytes, const Flow& flow);
  [[nodiscard]] const Received* replay(sip::TransactionId server, const Flow& source);

  // --- sip_subscribe.cc
  [[nodiscard]] bool about_user(const Received& request, const Routing& routing) const;
  void on_subscribe(const Received& request, const sip::RequestMatch& match, Routing& routing);
  [[nodiscard]] std::uint16_t may_watch(const Received& request, const Routing& routing, const Sender& sender);

  // --- sip_publish.cc
  [[nodiscard]] bool about_settings(const Received& request, const Routing& routing) const;
  [[nodiscard]] bool about_settings_event(const Received& request) const;
  void on_publish(const Received& request, const sip::RequestMatch& match, Routing& routing);
  [[nodiscard]] std::uint16_t may_publish(const Received& request, const Routing& routing, const Sender& sender) const;

  // --- sip_participating.cc
  [[nodiscard]] bool takes_media(const Received& request, const Routing& routing, const Sender& sender) const;
  [[nodiscard]] std::uint64_t media_bytes_max(const Received& request, const Routing& routing, const Sender& sender);
  [[nodiscard]] bool asks_within_rate(const Received& request, const Sender& sender);
  [[nodiscard]] bool may_originate(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                                   const Sender& sender);
  [[nodiscard]] bool may_originate_within(const CallName& name, const Received& request,
                                          const sip::RequestMatch& match);
  [[nodiscard]] bool judge_originating(const Received& request, const sip::RequestMatch& match, std::string_view user,
                                       OriginatingFacts facts);
  [[nodiscard]] bool may_terminate(Proxied& p, const Received& request, const ImSettings& settings);

  // --- sip_deferred.cc
  void on_stored(const core::StoreResult& result);
  [[nodiscard]] bool may_defer(const Proxied& p) const;
  [[nodiscard]] bool is_unreached(const Proxied& p, std::uint16_t status) const;
  [[nodiscard]] bool defer(Proxied& p, bool tried);
  [[nodiscard]] bool begin_keeping(Proxied& p, bool others_wait);
  [[nodiscard]] std::string_view message_sender(const Proxied& p, const Received& request);
  [[nodiscard]] bool keep_for(Proxied& p, bool tried);
  [[nodiscard]] bool answers_kept(Proxied& p, std::uint16_t status);
  void tell_kept();
  void answer_kept(const Received& request, sip::TransactionId server, Deferred::Kept::Outcome outcome);
  void on_no_answer(Proxied& p);

  // --- sip_large.cc
  [[nodiscard]] bool may_store_large(const Proxied& p) const;
  [[nodiscard]] bool store_large(Proxied& p, bool tried);
  void give_up_devices(Proxied& p);
  [[nodiscard]] static StoredCopy copy_for(const Proxied& p, bool tried);
  void pass_large();
  [[nodiscard]] bool fetch_stored(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                                  const Sender& sender);

  // --- sip_deferred_list.cc
  [[nodiscard]] bool about_deferred(const Received& request, const Routing& routing) const;
  [[nodiscard]] bool about_deferred_event(const Received& request) const;
  void on_deferred_request(const Received& request, const sip::RequestMatch& match, Routing& routing);
  void finish_list_subscribe(const Received& request, const sip::RequestMatch& match, std::uint16_t status);
  void tell_lists();
  [[nodiscard]] std::string read_question(std::string_view argument, std::string& aor, std::string_view& rest);
  [[nodiscard]] std::string answer_deferred(const core::AdminRequest& request);

  // --- sip_history.cc
  void look_at_history(Proxied& p, const ImSettings& settings);
  void keep_record(Proxied& p);
  void record_pager(Proxied& p, bool delivered);

  // --- sip_history_lists.cc
  void finish_history_subscribe(const Received& request, const sip::RequestMatch& match, std::uint16_t status);
  [[nodiscard]] std::string answer_history(const core::AdminRequest& request);
  [[nodiscard]] std::optional<Focus::ToFetch> named_in_store(std::string_view user) const;

  // --- sip_files.cc
  [[nodiscard]] bool may_begin_file(const CallName& name, const Received& request, const sip::RequestMatch& match);
  [[nodiscard]] bool may_get_file(const Received& request, const sip::RequestMatch& match, const DialogParty& to);

  // --- sip_system.cc
  [[nodiscard]] std::string answer_system(const core::AdminRequest& request);
  [[nodiscard]] bool about_system(const Received& request, const Routing& routing);
  void on_system_answer(const Received& request, const sip::RequestMatch& match, const Sender& sender);
  void finish_answer(sip::TransactionId server, const Received& request, std::uint16_t status);
  void finish_answer(std::uint64_t packed, std::uint16_t status);
  void on_system_mail(std::uint32_t from, std::string_view mail);
  void tell_answered(const SystemMessages::Answered& answered);
  void tell_system();
  void hold_back(std::string_view aor, bool back);

  // --- sip_targets.cc
  void on_bindings(Proxied& p, const Received& request, std::span<const sip::Binding> bindings,
                   const ImSettings& settings, bool others_wait);
  [[nodiscard]] bool goes_by_core(const Received& request, const Routing& routing, const Sender& sender) const;
  void to_core(Branch& branch) const;
  void route_on(Proxied& p, const Routing& routing);
  void errand_on(Proxied& p, const Received& request);
  void on_route(Proxied& p, const Received& request);
  void find_hops(Proxied& p, Branch& branch, unsigned index);
  // False: `uri` names nothing that can be looked up, or too much is.
  [[nodiscard]] bool ask_for_name(std::string_view uri, const NameLookUps::Wanted& wanted);
  void on_resolved(const core::Resolution& resolution);

  // --- sip_proxy.cc
  void proxy(const Received& request, const sip::RequestMatch& match, const Routing& routing, const Sender& sender);
  Branch* add_branch(Proxied& p, std::uint16_t q);
  void recycle(std::unique_ptr<Branch> branch);
  void begin_fork(Proxied& p);
  [[nodiscard]] const Received* request_of(const Proxied& p);
  void carry_out(Proxied& p, const sip::ForkDecision& decision, const Received* response, unsigned branch);
  void give_final(Proxied& p, const sip::ForkDecision& decision, const Received* response, unsigned branch);
  void final_of_ours(Proxied& p, std::uint16_t status);
  void start_branch(Proxied& p, unsigned index);
  void try_next_hop(Proxied& p, unsigned index);
  [[nodiscard]] bool send_on(Proxied& p, unsigned index, const Flow& flow);
  [[nodiscard]] std::string_view forward(const Proxied& p, unsigned index, const Received& request, const Flow& flow,
                                         std::string_view branch_name);
  void branch_failed(Proxied& p, unsigned index);
  void hop_failed(const Branch& branch, std::optional<core::Duration> retry_after = {});
  void keep_own(Proxied& p, Branch& branch, std::uint16_t status);
  void on_branch_response(Proxied& p, const Received& response, sip::TransactionId client);
  void on_branch_fact(Proxied& p, unsigned index, sip::TransactionFact::Kind what);
  void cancel_branches(Proxied& p, sip::BranchSet set);
  void branch_cancelled_unsent(Proxied& p, unsigned index);
  void on_timer_c(Proxied& p, unsigned index);
  void settled(Proxied& p);
  void finish_if_over(core::SlotId id);
  void drop(Proxied& p);
  [[nodiscard]] bool set_timer(Proxied& p, const Received& request);
  void give_upstream(Proxied& p, const Received& response, unsigned branch);

  // --- sip_calls.cc
  void begin_call(const Received& request, const sip::RequestMatch& match, const Routing& routing, const Sender& sender);
  [[nodiscard]] bool on_call_request(const Received& request, const sip::RequestMatch& match);
  [[nodiscard]] bool is_elsewhere(const Received& request, const Routing& routing);
  void look_beyond(Routing& routing);
  void run_errands();
  void start_errand(Errand errand);
  void cancel_errand(const Errand& errand);
  void send_call_ack(const Errand& errand);
  void give_call(Proxied& p, const Received& response, unsigned branch);
  [[nodiscard]] bool may_try_again(Proxied& p);
  void wait_to_try_again(Proxied& p);
  void try_again(Proxied& p);
  void end_errand(const Proxied& p);

  // --- sip_focus.cc
  void on_dialog_request(const CallName& name, const Received& request, const sip::RequestMatch& match);
  [[nodiscard]] bool is_of_session_elsewhere(const Received& request, const Routing& routing);
  [[nodiscard]] bool on_focus_request(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                                      const Sender& sender);
  void begin_session(const Received& request, const sip::RequestMatch& match, const Focus::Invitation& invitation);
  void on_watch(const Received& request, const sip::RequestMatch& match, const CallName& named,
                std::string_view identity);

  // --- sip_stateless.cc
  [[nodiscard]] bool forward_stateless(const Received& request, const Routing& routing, const Sender& sender);
  [[nodiscard]] bool respond_stateless(const Received& response);

  const std::uint32_t shard_;
  const std::uint32_t shard_count_;
  core::Pool& pool_;
  core::Metrics& metrics_;
  core::Random& random_;
  MediaPairs* const pairs_;
  StoredLegs* const stored_;
  std::shared_ptr<const SipConfig> config_;
  const core::HashKey owner_key_;
  const core::HashKey tag_key_;
  const std::uint64_t loop_seed_;
  Home home_;
  std::shared_ptr<const UserDocuments> written_ = std::make_shared<UserDocuments>();
  ExternalLists lists_;  // the operator's and theirs

  core::Now now_;
  core::Outbox* out_ = nullptr;
  bool draining_ = false;

  sip::Transport transport_;
  Forwarder forwarder_;
  sip::Transactions transactions_;
  Responder responder_;
  sip::DigestAuth digest_;
  sip::Location location_;
  HistoryWishes wishes_;
  Settings settings_;
  RegEvents reg_events_;
  UserSessions user_sessions_;
  Participating participating_;
  RequestParties parties_;
  PagerTrace carried_;  // what media pairs have passed; goes behind the calls that end them
  Calls calls_;
  Focus focus_;
  FocusTargets focus_targets_;
  ConferenceEvents conferences_;  // goes before the rosters of focus_
  MessageIds ids_;
  HistoryRecorder history_;
  PagerTrace trace_;
  RequestTrace traces_;
  Exploder exploder_;
  Deferred deferred_;
  DeferredWatch watch_;  // goes before what it asks
  DeferredRetrieval retrieval_;
  HistoryLists history_lists_;
  SystemMessages system_;
  ErrandClients errand_clients_;
  UserNews news_;
  MessageSearch search_;
  sip::FailedTargets failed_;
  Admission admission_;
  core::SlotMap<Proxied> proxied_;
  std::uint32_t unanswered_ = 0;  // of them
  core::TimerWheel wheel_;
  std::deque<ShardQuestion> questions_;  // the oldest first
  SpareBranches spare_branches_;
  NameLookUps names_;
  // INVITEs of errands: whose, call and number to request.
  std::map<std::tuple<Errand::Client, std::uint64_t, std::uint32_t>, core::SlotId> invites_;

  const Received* current_ = nullptr;  // the request being proxied for the first time
  const Routing* current_routing_ = nullptr;

  // Scratch, kept and reused.
  std::string aor_;
  std::string kept_text_;
  std::string mail_;
  std::string value_;
  sip::HeaderLines lines_;
  sip::TargetPlan plan_;
  sip::RegisterAnswer register_answer_;
  std::vector<sip::Binding> decoded_;
  std::vector<std::string> associated_;
  std::vector<std::string> senders_;       // user_key of each of a sender's identities
  std::unique_ptr<MessageReader> reader_;  // of what is stored
};

}  // namespace parley::policy
