// policy/sip_service.h - SIP of one shard: what becomes of each message. Registrar, location, and a stateful proxy
// between registered users and trusted peers.
//
// The order of checks follows RFC 3261 sections 8.2 and 16.3. The parts:
//   sip_service.cc    a step: messages and facts to who handles them; responses of our own
//   sip_overload.cc   what is not taken at all: from strangers by number, and by the overload ladder
//   sip_requests.cc   a request that no transaction knows: the checks, then where it goes
//   sip_ack.cc        ACKs for 2xx
//   sip_questions.cc  what other shards were asked
//   sip_register.cc   REGISTER, and look-ups of bindings, on this shard or another
//   sip_subscribe.cc  SUBSCRIBE to what this server knows itself
//   sip_publish.cc    PUBLISH of IM service settings
//   sip_participating.cc  the checks on IM requests from and to our users
//   sip_deferred.cc   what is kept for users who can not be reached (deferred.h), and answers of the store
//   sip_large.cc      large messages among it
//   sip_deferred_list.cc  what they are told of that, fetch of it and delete (deferred_watch.h, deferred_retrieval.h)
//   sip_history.cc    which messages of users are recorded (history_recorder.h)
//   sip_where.cc      what is remembered of pager messages, and where one of them is (pager_trace.h)
//   sip_history_lists.cc  what users ask of their histories (history_lists.h)
//   sip_system.cc     orders of operators for system messages, answers of users (system_messages.h)
//   sip_targets.cc    bindings, Route sets and URIs to next hops (RFC 3263)
//   sip_proxy.cc      requests on their way: branches, responses, CANCEL, Timer C
//   sip_stateless.cc  requests that are forwarded and forgotten
//   sip_forward.cc    what a message looks like when it goes on
//   sip_calls.cc      calls that are carried leg to leg (calls.h)
//   sip_focus.cc      sessions of which we are the focus (focus.h)
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
#include "policy/calls.h"
#include "policy/content_policy.h"
#include "policy/deferred.h"
#include "policy/deferred_retrieval.h"
#include "policy/deferred_watch.h"
#include "policy/history_lists.h"
#include "policy/conference_events.h"
#include "policy/errand.h"
#include "policy/exploder.h"
#include "policy/focus.h"
#include "policy/history_recorder.h"
#include "policy/history_text.h"
#include "policy/hop.h"
#include "policy/message_ids.h"
#include "policy/originating.h"
#include "policy/overdue_answers.h"
#include "policy/overload.h"
#include "policy/owner.h"
#include "policy/pager_trace.h"
#include "policy/refresh_times.h"
#include "policy/reg_events.h"
#include "policy/settings.h"
#include "policy/sip_config.h"
#include "policy/source_budget.h"
#include "policy/system_messages.h"
#include "policy/terminating.h"
#include "policy/user_rates.h"
#include "sip/digest_auth.h"
#include "sip/failed_targets.h"
#include "sip/fork.h"
#include "sip/header_lines.h"
#include "sip/identity.h"
#include "sip/location.h"
#include "sip/loop.h"
#include "sip/preferences.h"
#include "sip/registrar.h"
#include "sip/route_token.h"
#include "sip/session_timer.h"
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
    core::SessionTable* invites =
        nullptr;  // one for the process: which shard has an INVITE; null where there is one shard
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
  [[nodiscard]] OverdueAnswers& overdue_answers() { return overdue_answers_; }
  [[nodiscard]] const SystemMessages& system_messages() const { return system_; }
  [[nodiscard]] const sip::Transactions& transactions() const { return transactions_; }
  [[nodiscard]] std::uint32_t live_connections() const { return transport_.connections(); }
  [[nodiscard]] std::uint32_t live_transactions() const { return transactions_.live(); }
  [[nodiscard]] std::uint32_t live_proxied() const { return proxied_.size(); }
  [[nodiscard]] const Calls& calls() const { return calls_; }
  [[nodiscard]] const HistoryRecorder& history() const { return history_; }
  [[nodiscard]] std::uint32_t live_calls() const { return calls_.live(); }
  [[nodiscard]] const Focus& focus() const { return focus_; }
  [[nodiscard]] const Exploder& exploder() const { return exploder_; }
  [[nodiscard]] const Deferred& deferred() const { return deferred_; }
  [[nodiscard]] const DeferredWatch& deferred_watch() const { return watch_; }
  [[nodiscard]] const DeferredRetrieval& deferred_retrieval() const { return retrieval_; }
  [[nodiscard]] const HistoryLists& history_lists() const { return history_lists_; }
  [[nodiscard]] std::uint32_t live_subscribers() const { return reg_events_.subscribers(); }
  [[nodiscard]] std::uint32_t live_publications() const { return settings_.publications(); }
  [[nodiscard]] std::uint64_t live_bindings() const { return location_.binding_count(); }
  [[nodiscard]] unsigned overload_level() const { return overload_.level(); }

 private:
  using Received = sip::Received;
  using Flow = sip::Flow;

  // Who sent a request, as far as it is proven.
  struct Sender {
    enum class Kind : std::uint8_t { unknown, trusted, user };
    Kind kind = Kind::unknown;
    std::string_view user;  // of our realm
  };

  // What the Route headers and the request URI say.
  struct Routing {
    unsigned own_routes = 0;              // topmost Route values that name us, to be taken off
    std::optional<sip::RouteToken> token;  // of the last of them: the dialog is one we let through
    std::string_view next_route;          // the first Route value that remains: its URI; empty: none
    std::string_view uri;                 // where to, after strict routing was mended
    bool drop_last_route = false;         // strict routing: the last Route value has become the URI
    bool local = false;                   // `uri` is of a domain of ours
    bool originating = false;             // it comes from a user served here: our Route has `orig` (TS 24.229), or
    std::string_view served;              // P-Served-User says so and names him; empty: it does not, or is not believed
    sip::Uri parsed;                      // `uri`
    std::uint64_t loop = 0;               // what its way depends on (RFC 5393), once proxy_checks has asked
  };

  // Memory that is written to and kept; it grows to the largest message and is not cleared in between.
  class Scratch {
   public:
    [[nodiscard]] char* room(std::size_t bytes) {
      if (bytes_.size() < bytes) bytes_.resize(bytes * 2);
      return bytes_.data();
    }
    [[nodiscard]] std::string_view view(std::size_t bytes) const { return {bytes_.data(), bytes}; }

   private:
    std::vector<char> bytes_;
  };

  // A way to a user's device: his binding, or another flow of it.
  struct Alternative {
    std::string uri;           // request URI
    std::string route;         // Route value in front: the binding's Path
    std::optional<Flow> flow;  // over which it goes, whatever its URI says
  };

  // One target of a proxied request.
  struct Branch {
    std::string uri;
    std::string route;
    std::optional<Flow> flow;  // not tried yet
    std::string next;          // URI of the next hop where it is not `uri`
    std::vector<Alternative> alternatives;  // when nobody is reached the first way (R5626-2)
    std::vector<Hop> hops;                  // in the order to try (R3263-2)
    std::size_t next_hop = 0;
    bool to_binding = false;      // of a user of ours
    bool outside = false;         // needs leave to go there
    bool forbidden = false;       // and did not have it
    bool waits_for_name = false;
    bool tried_stream = false;    // too large for a datagram
    bool heard = false;           // a response has come from this hop
    bool by_flow = false;         // it went over the flow of its binding or dialog
    sip::TransactionId client;
    std::string kept;              // final response, as it would go upstream
    std::uint16_t kept_status = 0;
    core::Timer timer;             // Timer C
    void clear();
  };

  // Keeps the memory of its texts from one use to the next.
  void recycle(std::unique_ptr<Branch> branch);

  // A request on its way, from its arrival to its last response.
  struct Proxied {
    explicit Proxied(const sip::ForkConfig& config) : fork(config) {}
    core::SlotId self;
    sip::TransactionId server;       // whom its response goes to; or
    std::unique_ptr<Errand> errand;  // of a call of ours
    sip::Method method = sip::Method::other;
    Flow source;
    bool from_trusted = false;
    bool has_to_tag = false;
    bool answered = false;  // a final response has gone upstream, or none ever will
    bool answered_2xx = false;
    bool answered_503 = false;  // by whoever it came to
    bool waits_for_bindings = false;
    bool by_core = false;  // the core reaches whom nothing else leads to
    bool tries_again = false;  // a BYE of ours that came to nobody: its timer runs
    bool routed = false;   // the core has the bindings of `aor`: checked, it goes where its Route says
    std::optional<ImKind> im;  // the checks on its way to a user of ours are due
    bool to_user = false;      // and it has passed them
    // Of a message that may be kept for him (deferred.h): its id, and when it came; 0: it is none.
    std::uint64_t message_id = 0;
    std::int64_t message_ms = 0;
    std::uint64_t trace = 0;  // its record in trace_
    enum class Keeping : std::uint8_t {
      no,
      asked,    // the store is to have it
      done,     // its sender has his 202
      refused,  // and his 480
    };
    Keeping keeping = Keeping::no;
    // Whose history it goes into when it has been accepted: who sends it, an address of record, and `aor` (OMA-HIS-3).
    std::string recorded_sender;
    bool records_receiver = false;
    std::unique_ptr<LateMessage> late;  // of one that is kept, while his devices may still accept it
    bool given_up = false;         // his devices have not answered in time, and are called off
    core::Timer answer_timer;      // when he counts as one who can not be reached
    sip::ProxyTimer timer;  // R4028-4
    sip::ProxyTimerEdit timer_edit;
    std::string user;      // who proved to be its sender
    std::string reason;    // of a CANCEL, for those that follow from it (RFC 3326)
    std::string aor;       // being looked up
    std::uint64_t loop = 0;
    sip::Fork fork;
    std::vector<std::unique_ptr<Branch>> branches;
  };

  static constexpr std::size_t sip_aor_bytes_max = 512;

  // A stored request, read again.
  struct Replay {
    sip::HeadParser parser;
    sip::Verdict verdict;
    sip::Essentials essentials;
    std::optional<Received> message;
  };

  // --- sip_service.cc
  [[nodiscard]] core::Instant other_deadline() const;
  void name_ourselves();
  void gather_lists();
  void handle(const Received& message);
  void on_response(const Received& message);
  void on_gone(const Flow& flow);
  void store_binding(const sip::LocationFact& change);
  void tell_flow_closed(std::uint32_t shard, const Flow& flow);
  void on_transaction_fact(const sip::TransactionFact& fact);
  void run_timers();
  void refuse(const Received& request, std::uint16_t status, std::span<const sip::HeaderText> headers = {},
              std::string_view reason = {});
  void refuse_once(const Received& request, const sip::RequestMatch& match, std::uint16_t status,
                   std::span<const sip::HeaderText> headers = {});
  void answer(const Received& request, sip::TransactionId server, std::uint16_t status,
              std::span<const sip::HeaderText> headers = {}, std::string_view reason = {}, std::string_view body = {});
  [[nodiscard]] std::string_view compose(const Received& request, std::uint16_t status,
                                         std::span<const sip::HeaderText> headers, std::string_view reason,
                                         std::string_view body = {});
  void to_tag_for(const Received& request, std::string& tag) const;
  void count(core::Metric metric) { metrics_.add(metric); }
  void count_refusal(std::uint16_t status);

  // --- sip_overload.cc
  void look_at_overload();
  [[nodiscard]] bool wanted(const core::Input& datagram);
  // False: refused.
  [[nodiscard]] bool let_in(const Received& request);
  [[nodiscard]] bool is_let_in(const Received& request) const;
  [[nodiscard]] bool has_priority(const Received& request) const;
  void close_idle_strangers();
  // The reply as a stranger may have it over UDP; empty: none.
  [[nodiscard]] std::string_view bounded_reply(const Received& request, std::uint16_t status,
                                               std::span<const sip::HeaderText> headers, std::string_view reason);

  // --- sip_requests.cc
  void on_request(const Received& request, const sip::RequestMatch& match);
  void on_cancel(const Received& request, const sip::RequestMatch& match);
  [[nodiscard]] bool may_cancel(const Received& request, const sip::RequestMatch& match) const;
  [[nodiscard]] bool read_routing(const Received& request, Routing& routing) const;
  [[nodiscard]] bool names_us(const sip::Uri& uri) const;
  [[nodiscard]] bool our_domain(std::string_view host) const;
  [[nodiscard]] bool proxy_checks(const Received& request, Routing& routing);
  // False: refused.
  [[nodiscard]] bool identify(const Received& request, const Routing& routing, Sender& sender);
  void challenge(const Received& request, bool stale, bool by_proxy);
  [[nodiscard]] bool trusted(const core::Address& address) const;
  [[nodiscard]] bool was_here(const Received& request) const;
  void answer_here(const Received& request, const sip::RequestMatch& match);
  void on_options(const Received& request);
  [[nodiscard]] std::string allowed_events() const;
  [[nodiscard]] bool uas_checks(const Received& request, sip::OptionSet more = {});

  // --- sip_ack.cc
  struct Wanted;
  void on_ack(const Received& request);
  [[nodiscard]] bool send_ack(const Received& request, const Routing& routing, const Flow& out);
  [[nodiscard]] bool send_ack(const Received& request, const Routing& routing, const Hop& hop);
  void hold_ack(const Received& request, std::string_view next);
  void on_ack_resolved(const Wanted& wanted);
  [[nodiscard]] std::string_view forward_ack(const Received& request, const Routing& routing, const Flow& out);

  // --- sip_questions.cc
  // What was asked of another shard, whose answer may be lost.
  struct Question {
    core::Instant until;
    bool registers = false;  // or looks up
    core::SlotId id;         // its server transaction, or its Proxied
  };
  [[nodiscard]] bool may_ask();
  void asked(bool registers, core::SlotId id);
  [[nodiscard]] bool answered(const Question& question);
  void give_up_questions();
  [[nodiscard]] bool later(const Proxied& p);

  // --- sip_register.cc
  void on_register(const Received& request, const sip::RequestMatch& match, const Sender& sender);
  void register_here(const Received& request, std::string_view aor, bool third_party);
  struct Registered {
    std::uint16_t status = 0;
    std::uint32_t granted_s = 0;
    std::uint32_t flow_timer_s = 0;
  };
  void finish_register(sip::TransactionId server, const Received& request, const Registered& done,
                       std::span<const sip::HeaderText> headers);
  void keep(const Flow& flow, core::Instant until, core::Duration silence_max = {});
  [[nodiscard]] std::uint32_t shard_of(std::string_view aor) const;
  [[nodiscard]] std::string_view own_aor(const sip::Uri& uri, std::string& room) const;
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
  [[nodiscard]] bool is_user(std::string_view text, const Routing& routing) const;
  [[nodiscard]] std::uint16_t may_publish(const Received& request, const Routing& routing, const Sender& sender) const;

  // --- sip_participating.cc
  struct Arrival {  // whose request it is
    std::string_view user;  // of our realm, who has proved to be that; or
    bool asserted = false;  // somebody whom its P-Asserted-Identity may name
    bool deferred = false;  // somebody who may be a deferred messaging function
  };
  struct Told {
    std::uint16_t status = 0;
    Tells tells = Tells::nothing;
    std::string_view text;
    std::string_view page;
  };
  [[nodiscard]] bool judges_requests() const {
    return (config_->documents != nullptr && config_->documents->judge_requests) || !user_documents_->access_rules.empty();
  }
  // Of a user; null: there are none.
  [[nodiscard]] std::shared_ptr<const AccessRules> rules_of(std::string_view user) const;
  [[nodiscard]] UserPolicy policy_of(std::string_view user) const;
  [[nodiscard]] std::optional<ImKind> im_request(const Received& request, bool let_in = false) const;
  [[nodiscard]] bool takes_media(const Received& request, const Routing& routing, const Sender& sender) const;
  [[nodiscard]] std::string_view served_aor(const Received& request, const Routing& routing, const Sender& sender,
                                            std::string& room) const;
  [[nodiscard]] std::uint64_t media_bytes_max(const Received& request, const Routing& routing, const Sender& sender);
  [[nodiscard]] bool asks_within_rate(const Received& request, const Sender& sender);
  [[nodiscard]] bool within_rate(std::string_view user, sip::Method method);
  void senders_of(const Received& request, std::string_view user, bool asserted, std::vector<std::string>& keys) const;
  void read_served(const Received& request, Routing& routing) const;
  [[nodiscard]] bool comes_by_core(const Received& request, const Routing& routing, const Sender& sender) const;
  [[nodiscard]] std::string_view served_aor(const Routing& routing, std::string& room) const;
  [[nodiscard]] bool may_originate(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                                   const Sender& sender);
  [[nodiscard]] bool is_served(std::string_view user) const;
  [[nodiscard]] bool may_originate_within(const CallName& name, const Received& request,
                                          const sip::RequestMatch& match);
  [[nodiscard]] bool judge_originating(const Received& request, const sip::RequestMatch& match, std::string_view user,
                                       OriginatingFacts facts);
  void put_refusal(const Told& told, const UserPolicy& policy, const ContentVerdict& content, ImKind kind,
                   const Received& request);
  [[nodiscard]] TerminatingFacts terminating_facts(const Received& request, ImKind kind, std::string_view user,
                                                   const ImSettings& settings, ContentVerdict& content);
  [[nodiscard]] bool is_deferred_delivery(const Received& request, bool from_trusted) const;
  [[nodiscard]] static bool may_be_deferred(const Proxied& p);
  [[nodiscard]] const TerminatingCheck* terminating_refusal(const Received& request, const Arrival& arrival, ImKind kind,
                                                            std::string_view aor, const ImSettings& settings);
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
  void tell_added(std::string_view aor, std::string_view sender, bool tried);
  void on_no_answer(Proxied& p);

  // --- sip_large.cc
  [[nodiscard]] bool may_store_large(const Proxied& p) const;
  [[nodiscard]] bool store_large(Proxied& p, bool tried);
  void give_up_devices(Proxied& p);
  void pass_large();
  [[nodiscard]] bool fetch_stored(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                                  const Sender& sender);
  // --- sip_deferred_list.cc
  [[nodiscard]] static bool comes_from_store(const Proxied& p);
  [[nodiscard]] static bool is_announcement(const Proxied& p);
  [[nodiscard]] bool names_deferred(const sip::Uri& uri) const;
  [[nodiscard]] bool names_function(const sip::Uri& uri) const;
  [[nodiscard]] bool about_deferred(const Received& request, const Routing& routing) const;
  [[nodiscard]] bool about_deferred_event(const Received& request) const;
  [[nodiscard]] std::string_view own_user_aor(std::string_view identity, std::string& room) const;
  void on_deferred_request(const Received& request, const sip::RequestMatch& match, Routing& routing);
  void finish_list_subscribe(const Received& request, const sip::RequestMatch& match, std::uint16_t status);
  void tell_list_changed(std::string_view aor, bool reminds);
  void tell_fetched(std::string_view aor, std::uint64_t id);
  void tell_lists();
  [[nodiscard]] std::string read_question(std::string_view argument, std::string& aor, std::string_view& rest);
  [[nodiscard]] std::string answer_deferred(const core::AdminRequest& request);

  // --- sip_history.cc
  [[nodiscard]] std::string_view addressed_aor(const Received& request, const Routing& routing, const Sender& sender,
                                               std::string& room) const;
  [[nodiscard]] bool is_recorded(const Received& request, const Routing& routing, const Sender& sender,
                                 HistoryMode mode) const;
  [[nodiscard]] std::string_view recorded_sender(const Received& request, const Routing& routing, const Sender& sender,
                                                 std::string& room) const;
  [[nodiscard]] std::string_view session_recorder(const Received& request, const Routing& routing, const Sender& sender,
                                                  std::string& room, bool fetches = false) const;
  void look_at_history(Proxied& p, const ImSettings& settings);
  void keep_record(Proxied& p);
  void record_pager(Proxied& p, bool delivered);

  // --- sip_history_lists.cc
  [[nodiscard]] bool names_history(const sip::Uri& uri) const;
  void finish_history_subscribe(const Received& request, const sip::RequestMatch& match, std::uint16_t status);
  // A record of his has begun or ended.
  void tell_history_changed(std::string_view aor);
  [[nodiscard]] std::string answer_history(const core::AdminRequest& request);
  [[nodiscard]] std::optional<Focus::ToFetch> named_in_store(std::string_view user) const;

  // --- sip_files.cc
  [[nodiscard]] bool may_begin_file(const CallName& name, const Received& request, const sip::RequestMatch& match);
  [[nodiscard]] bool may_get_file(const Received& request, const sip::RequestMatch& match, const DialogParty& to);

  // --- sip_where.cc
  void keep_traces();
  [[nodiscard]] std::uint64_t trace_add(const Received& request, const Errand* errand);
  void trace_forwarded(const Received& request, const Flow& flow);
  void trace_sent(const Proxied& p, unsigned branch, const Flow& flow);
  void trace_heard(const Proxied& p, unsigned branch, TracedHop::Result result, std::uint16_t status = 0);
  void trace_answered(const Proxied& p, std::uint16_t status);
  [[nodiscard]] std::string answer_where(const core::AdminRequest& request);
  void on_found(const core::StoreResult& result);
  void put_where(std::string_view id, std::span<const core::DeferredRow> rows, std::string_view note, std::string& json);

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
  [[nodiscard]] bool owes_answer(const Received& request) const;
  [[nodiscard]] static bool is_system_message(const Proxied& p);

  // --- sip_targets.cc
  void on_bindings(Proxied& p, const Received& request, std::span<const sip::Binding> bindings,
                   const ImSettings& settings, bool others_wait);
  static void take_way(Branch& branch, Alternative way);
  static void find_first_route(Branch& branch);
  [[nodiscard]] bool goes_by_core(const Received& request, const Routing& routing, const Sender& sender) const;
  void to_core(Branch& branch) const;
  void route_on(Proxied& p, const Routing& routing);
  void errand_on(Proxied& p, const Received& request);
  void on_route(Proxied& p, const Received& request);
  void find_hops(Proxied& p, Branch& branch, unsigned index);
  // False: `uri` names nothing that can be looked up, or too much is.
  [[nodiscard]] bool ask_for_name(std::string_view uri, const Wanted& wanted);
  void on_resolved(const core::Resolution& resolution);
  [[nodiscard]] bool may_reach(const core::Address& address) const;
  [[nodiscard]] bool may_reach_outside(const core::Address& address) const;

  // --- sip_proxy.cc
  void proxy(const Received& request, const sip::RequestMatch& match, const Routing& routing, const Sender& sender);
  Branch* add_branch(Proxied& p, std::uint16_t q);
  void begin_fork(Proxied& p);
  [[nodiscard]] const Received* request_of(const Proxied& p);
  void carry_out(Proxied& p, const sip::ForkDecision& decision, const Received* response, unsigned branch);
  void give_final(Proxied& p, const sip::ForkDecision& decision, const Received* response, unsigned branch);
  static void add_challenges(std::string_view from, std::string& to);
  void final_of_ours(Proxied& p, std::uint16_t status);
  void start_branch(Proxied& p, unsigned index);
  void try_next_hop(Proxied& p, unsigned index);
  [[nodiscard]] bool send_on(Proxied& p, unsigned index, const Flow& flow);
  void branch_failed(Proxied& p, unsigned index);
  void hop_failed(const Branch& branch, std::optional<core::Duration> retry_after = {});
  void keep_own(Proxied& p, Branch& branch, std::uint16_t status);
  void on_branch_response(Proxied& p, const Received& response, sip::TransactionId client);
  void on_branch_fact(Proxied& p, unsigned index, sip::TransactionFact::Kind what);
  [[nodiscard]] static std::string_view reason_of(const Proxied& p);
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
  [[nodiscard]] std::string_view put_errand(const Errand& errand, const Received& request, const Flow& out,
                                            std::string_view branch_name, std::string_view uri, std::string_view route);
  void give_call(Proxied& p, const Received& response, unsigned branch);
  [[nodiscard]] bool may_try_again(Proxied& p);
  void wait_to_try_again(Proxied& p);
  void try_again(Proxied& p);
  void end_errand(const Proxied& p);
  void tell_response(const Errand& errand, std::string_view text, const Flow& flow, bool by_flow);
  // An outcome of ours: no response came, or none is told.
  void tell_outcome(const Errand& errand, std::uint16_t status);
  void tell_over(const Errand& errand);

  // --- sip_focus.cc
  void on_dialog_request(const CallName& name, const Received& request, const sip::RequestMatch& match);
  [[nodiscard]] bool is_of_session_elsewhere(const Received& request, const Routing& routing);
  [[nodiscard]] static std::string_view place_of(const LeftSession& left);
  [[nodiscard]] bool target_left(const LeftSession& left, Focus::Invitation& target);
  [[nodiscard]] std::shared_ptr<const Group> group_of(const Routing& routing);
  [[nodiscard]] std::shared_ptr<const Group> group_named(std::string_view aor);
  [[nodiscard]] bool target_of(const Received& request, const Routing& routing, const Sender& sender,
                               Focus::Invitation& target);
  [[nodiscard]] bool on_focus_request(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                                      const Sender& sender);
  [[nodiscard]] std::string_view identity_of(const Received& request, const Sender& sender);
  void begin_session(const Received& request, const sip::RequestMatch& match, const Focus::Invitation& invitation);
  void on_watch(const Received& request, const sip::RequestMatch& match, const CallName& named,
                std::string_view identity);

  // --- sip_stateless.cc
  [[nodiscard]] bool forward_stateless(const Received& request, const Routing& routing, const Sender& sender);
  [[nodiscard]] bool respond_stateless(const Received& response);

  // --- sip_forward.cc
  struct Onward {  // of a request that goes on
    const Flow& source;
    sip::Method method = sip::Method::other;
    bool from_trusted = false;
    bool in_dialog = false;
    std::string_view user;   // who proved to be its sender
    std::string_view uri;    // where to
    std::string_view route;  // Route value in front
    sip::ProxyTimerEdit timer{};
  };
  [[nodiscard]] std::string_view forward_request(const Onward& on, const Received& request, const Flow& out,
                                                 std::string_view branch_name, std::uint16_t breadth);
  // The edits that every request gets; the last of them writes it.
  void begin_edits(const Received& request, const Flow& out, std::string_view branch_name);
  void edit_for(const Flow& out, const Received& request);
  void edit_credentials(const Received& request);
  [[nodiscard]] std::string_view edit_route(const Received& request, const Routing& routing, std::string_view in_front,
                                            std::string_view uri);
  [[nodiscard]] std::string_view put_request(const Received& request, std::string_view uri);
  void edit_identity(bool from_trusted, std::string_view user, const Received& request, const Flow& out);
  void edit_timer(const sip::ProxyTimerEdit& timer);
  [[nodiscard]] std::string_view forward_response(bool to_trusted, const Received& response,
                                                  const sip::ProxyTimer* timer = nullptr);
  [[nodiscard]] std::string_view put_response_on(bool to_trusted, const Received& response);
  // With its Via.
  [[nodiscard]] std::string_view filter_response(bool to_trusted, const Received& response);
  void put_via(std::string& out, const Flow& flow, std::string_view branch) const;
  void put_record_routes(const Received& request, const Flow& source, const Flow& out, std::string (&values)[2],
                         std::size_t& count);
  void put_routes(const Received& request, const Routing& routing, std::string_view in_front, std::string& out) const;
  [[nodiscard]] std::string_view put_whole(const Received& message, const sip::ForwardText& text);
  void put_own_uri(std::string& out, const Flow& flow, std::string_view user) const;

  const std::uint32_t shard_;
  const std::uint32_t shard_count_;
  core::Pool& pool_;
  core::Metrics& metrics_;
  core::Random& random_;
  MediaPairs* const pairs_;
  StoredLegs* const stored_;
  std::shared_ptr<const SipConfig> config_;
  std::shared_ptr<const UserDocuments> user_documents_ = std::make_shared<UserDocuments>();
  ExternalLists lists_;  // of both
  core::HashKey route_key_;
  core::HashKey owner_key_;
  core::HashKey tag_key_;
  std::uint64_t loop_seed_;

  core::Now now_;
  core::Outbox* out_ = nullptr;
  bool draining_ = false;
  std::vector<sip::SentBy> own_names_;  // into config_
  std::string core_route_;              // Route value; empty: there is no core

  sip::Transport transport_;
  sip::Transactions transactions_;
  sip::DigestAuth digest_;
  sip::Location location_;
  HistoryWishes wishes_;
  Settings settings_;
  RegEvents reg_events_;
  UserSessions user_sessions_;
  PagerTrace carried_;  // what media pairs have passed; goes behind the calls that end them
  Calls calls_;
  Focus focus_;
  ConferenceEvents conferences_;  // goes before the rosters of focus_
  MessageIds ids_;
  HistoryRecorder history_;
  PagerTrace trace_;
  // Who has asked where a message is, until the store has said what it has of it: by number of its token.
  std::map<std::uint64_t, core::AdminRequest> wheres_;
  std::uint64_t where_numbers_ = 0;
  Exploder exploder_;
  Deferred deferred_;
  DeferredWatch watch_;  // goes before what it asks
  DeferredRetrieval retrieval_;
  HistoryLists history_lists_;
  SystemMessages system_;
  sip::FailedTargets failed_;
  Overload overload_;
  SourceBudget sources_;
  RefreshTimes refresh_times_;
  UserRates rates_;
  OverdueAnswers overdue_answers_;
  core::SlotMap<Proxied> proxied_;
  std::uint32_t unanswered_ = 0;  // of them
  core::TimerWheel wheel_;
  std::deque<Question> questions_;  // the oldest first
  std::vector<std::unique_ptr<Branch>> free_branches_;
  // A name being resolved: for a branch, or for an ACK that is held.
  struct Wanted {
    core::SlotId proxied{};
    unsigned branch = 0;
    core::BufferId ack = core::no_buffer;
    Flow source{};  // of the ACK
  };
  std::map<std::uint64_t, Wanted> names_;  // by token
  std::uint64_t next_token_ = 1;
  // INVITEs of errands: whose, call and number to request.
  std::map<std::tuple<Errand::Client, std::uint64_t, std::uint32_t>, core::SlotId> invites_;

  const Received* current_ = nullptr;  // the request being proxied for the first time
  const Routing* current_routing_ = nullptr;

  // Scratch, kept and reused.
  Scratch text_;  // the message being made
  std::string aor_;
  std::string via_;
  std::string branch_text_;
  std::string record_routes_[2];
  std::string identity_text_;
  std::vector<std::string> own_identities_;
  std::vector<std::string_view> identities_;
  std::string kept_text_;
  std::string tag_;
  std::string mail_;
  std::string sender_text_;
  std::string value_;
  std::string route_;
  std::string strict_uri_;
  std::string hops_left_;
  std::string breadth_;
  std::string contact_;
  std::string expires_;
  std::string min_se_;
  sip::HeaderLines lines_;
  std::vector<core::ResolvedAddress> resolved_;
  sip::Edits edits_;
  std::vector<sip::HeaderEdit> edit_list_;
  sip::TargetPlan plan_;
  sip::RegisterAnswer register_answer_;
  std::vector<sip::Binding> decoded_;
  std::vector<std::string> associated_;
  std::vector<Flow> strangers_;
  std::vector<std::string> senders_;  // user_key of each of a sender's identities
  std::string refusal_body_;
  std::unique_ptr<Replay> replay_;
};

}  // namespace parley::policy
