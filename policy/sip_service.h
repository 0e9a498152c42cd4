// policy/sip_service.h - SIP of one shard: what becomes of each message. Registrar, location, and a stateful proxy between
// registered users and trusted peers.
//
// The order of checks follows RFC 3261 sections 8.2 and 16.3. The parts:
//   sip_service.cc    a step: messages and facts to who handles them; responses of our own
//   sip_requests.cc   a request that no transaction knows: the checks, then where it goes
//   sip_register.cc   REGISTER, and look-ups of bindings, on this shard or another
//   sip_subscribe.cc  SUBSCRIBE to what this server knows itself
//   sip_targets.cc    bindings, Route sets and URIs to next hops (RFC 3263)
//   sip_proxy.cc      requests on their way: branches, responses, CANCEL, Timer C
//   sip_stateless.cc  requests that are forwarded and forgotten
//   sip_forward.cc    what a message looks like when it goes on
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
#include <vector>

#include "core/keyed_hash.h"
#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/seam.h"
#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "policy/hop.h"
#include "policy/owner.h"
#include "policy/reg_events.h"
#include "policy/sip_config.h"
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
    std::shared_ptr<const SipConfig> config;
  };
  explicit SipService(const Parts& parts);
  ~SipService();
  SipService(const SipService&) = delete;
  SipService& operator=(const SipService&) = delete;

  // A step: begin, then take for each Input of SIP, then end.
  void begin(const core::Now& now, core::Outbox& out);
  void take(const core::Input& input);
  void end();

  void reload(std::shared_ptr<const SipConfig> config);
  void drain();
  // Nothing waits any more that would be lost by ending now.
  [[nodiscard]] bool drained() const { return draining_ && unanswered_ == 0 && reg_events_.drained(); }
  [[nodiscard]] core::Instant next_deadline() const;
  // PeerInfo::listener from which on connections are SIP's.
  [[nodiscard]] std::uint16_t listener_base() const { return config_->transport.listener_base; }

  // For tests at rest.
  [[nodiscard]] std::uint32_t live_transactions() const { return transactions_.live(); }
  [[nodiscard]] std::uint32_t live_proxied() const { return proxied_.size(); }
  [[nodiscard]] std::uint32_t live_subscribers() const { return reg_events_.subscribers(); }
  [[nodiscard]] std::uint64_t live_bindings() const { return location_.binding_count(); }

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
    bool originating = false;             // `orig` in our Route (TS 24.229)
    std::string_view next_route;          // the first Route value that remains: its URI; empty: none
    std::string_view uri;                 // where to, after strict routing was mended
    bool drop_last_route = false;         // strict routing: the last Route value has become the URI
    bool local = false;                   // `uri` is of a domain of ours
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
    bool cancelled = false;
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
    sip::TransactionId server;
    sip::Method method = sip::Method::other;
    Flow source;
    bool from_trusted = false;
    bool has_to_tag = false;
    bool answered = false;  // a final response has gone upstream, or none ever will
    bool answered_2xx = false;
    bool waits_for_bindings = false;
    std::string user;      // who proved to be its sender
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
  void name_ourselves();
  void handle(const Received& message);
  void on_response(const Received& message);
  void on_gone(const Flow& flow);
  void tell_flow_closed(std::uint32_t shard, const Flow& flow);
  void on_transaction_fact(const sip::TransactionFact& fact);
  void run_timers();
  void refuse(const Received& request, std::uint16_t status, std::span<const sip::HeaderText> headers = {},
              std::string_view reason = {});
  void answer(const Received& request, sip::TransactionId server, std::uint16_t status,
              std::span<const sip::HeaderText> headers = {}, std::string_view reason = {});
  [[nodiscard]] std::string_view compose(const Received& request, std::uint16_t status,
                                         std::span<const sip::HeaderText> headers, std::string_view reason);
  void to_tag_for(const Received& request, std::string& tag) const;
  void count(core::Metric metric) { metrics_.add(metric); }
  void count_refusal(std::uint16_t status);

  // --- sip_requests.cc
  void on_request(const Received& request, const sip::RequestMatch& match);
  void on_cancel(const Received& request, const sip::RequestMatch& match);
  void on_ack(const Received& request);
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
  [[nodiscard]] bool uas_checks(const Received& request);

  // --- sip_register.cc
  void on_register(const Received& request, const sip::RequestMatch& match, const Sender& sender);
  void finish_register(sip::TransactionId server, const Received& request, std::uint16_t status, std::uint32_t granted_s,
                       std::span<const sip::HeaderText> headers);
  void keep(const Flow& flow, core::Instant until);
  [[nodiscard]] std::uint32_t shard_of(std::string_view aor) const;
  [[nodiscard]] std::string_view own_aor(const sip::Uri& uri, std::string& room) const;
  void on_service_mail(std::uint32_t from, std::string_view mail);
  void look_up(Proxied& p, const Received& request);
  [[nodiscard]] const Received* read_again(std::string_view bytes, const Flow& flow);
  [[nodiscard]] const Received* replay(sip::TransactionId server, const Flow& source);

  // --- sip_subscribe.cc
  [[nodiscard]] static bool about_registrations(const Received& request, const Routing& routing);
  void on_subscribe(const Received& request, const sip::RequestMatch& match, Routing& routing);
  [[nodiscard]] std::uint16_t may_watch(const Received& request, const Routing& routing, const Sender& sender);

  // --- sip_targets.cc
  void on_bindings(Proxied& p, const Received& request, std::span<const sip::Binding> bindings);
  static void take_way(Branch& branch, Alternative way);
  static void find_first_route(Branch& branch);
  void route_on(Proxied& p, const Received& request, const Routing& routing);
  void find_hops(Proxied& p, Branch& branch, unsigned index);
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
  void cancel_branches(Proxied& p, sip::BranchSet set);
  void branch_cancelled_unsent(Proxied& p, unsigned index);
  void on_timer_c(Proxied& p, unsigned index);
  void settled(Proxied& p);
  void finish_if_over(core::SlotId id);
  void drop(Proxied& p);

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
  };
  [[nodiscard]] std::string_view forward_request(const Onward& on, const Received& request, const Flow& out,
                                                 std::string_view branch_name, std::uint16_t breadth);
  [[nodiscard]] std::string_view forward_ack(const Received& request, const Routing& routing, const Flow& out);
  [[nodiscard]] std::string_view forward_response(bool to_trusted, const Received& response);
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
  std::shared_ptr<const SipConfig> config_;
  core::HashKey route_key_;
  core::HashKey owner_key_;
  core::HashKey tag_key_;
  std::uint64_t loop_seed_;

  core::Now now_;
  core::Outbox* out_ = nullptr;
  bool draining_ = false;
  std::vector<sip::SentBy> own_names_;  // into config_

  sip::Transport transport_;
  sip::Transactions transactions_;
  sip::DigestAuth digest_;
  sip::Location location_;
  RegEvents reg_events_;
  sip::FailedTargets failed_;
  core::SlotMap<Proxied> proxied_;
  std::uint32_t unanswered_ = 0;  // of them
  core::TimerWheel wheel_;
  std::vector<std::unique_ptr<Branch>> free_branches_;
  std::map<std::uint64_t, std::pair<core::SlotId, unsigned>> names_;  // look-ups under way: token to branch
  std::uint64_t next_token_ = 1;

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
  std::string value_;
  sip::HeaderLines lines_;
  std::vector<core::ResolvedAddress> resolved_;
  sip::Edits edits_;
  std::vector<sip::HeaderEdit> edit_list_;
  sip::TargetPlan plan_;
  sip::RegisterAnswer register_answer_;
  std::vector<sip::Binding> decoded_;
  std::vector<std::string> associated_;
  std::unique_ptr<Replay> replay_;
};

}  // namespace parley::policy
