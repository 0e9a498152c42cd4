// policy/proxied.h - a request on its way, from its arrival to its last response: what it is known by, and each of its
// targets (RFC 3261 section 16).
//
// A slot of its shard's SipService, which opens and drops it; at most SipConfig::proxied_max. Its timers are in the
// wheel there. A branch's texts keep their memory from one request to the next (SpareBranches).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "policy/errand.h"
#include "policy/history_text.h"
#include "policy/hop.h"
#include "policy/im_request.h"
#include "sip/flow.h"
#include "sip/fork.h"
#include "sip/session_timer.h"
#include "sip/transactions.h"

namespace parley::policy {

// A request on its way, from its arrival to its last response.
struct Proxied {
  // A way to a user's device: his binding, or another flow of it.
  struct Alternative {
    std::string uri;                // request URI
    std::string route;              // Route value in front: the binding's Path
    std::optional<sip::Flow> flow;  // over which it goes, whatever its URI says
  };
  // One target of a proxied request.
  struct Branch {
    std::string uri;
    std::string route;
    std::optional<sip::Flow> flow;          // not tried yet
    std::string next;                       // URI of the next hop where it is not `uri`
    std::vector<Alternative> alternatives;  // when nobody is reached the first way (R5626-2)
    std::vector<Hop> hops;                  // in the order to try (R3263-2)
    std::size_t next_hop = 0;
    bool to_binding = false;  // of a user of ours
    bool outside = false;     // needs leave to go there
    bool forbidden = false;   // and did not have it
    bool waits_for_name = false;
    bool tried_stream = false;  // too large for a datagram
    bool heard = false;         // a response has come from this hop
    bool by_flow = false;       // it went over the flow of its binding or dialog
    sip::TransactionId client;
    std::string kept;  // final response, as it would go upstream
    std::uint16_t kept_status = 0;
    core::Timer timer;  // Timer C
    // Another way to the same target.
    void take(Alternative way);
    // Its next hop is the first value of its route.
    void find_first_route();
    void clear() {
      uri.clear();
      route.clear();
      flow.reset();
      next.clear();
      alternatives.clear();
      hops.clear();
      next_hop = 0;
      to_binding = outside = forbidden = waits_for_name = tried_stream = heard = by_flow = false;
      client = {};
      kept.clear();
      kept_status = 0;
    }
  };

  explicit Proxied(const sip::ForkConfig& config) : fork(config) {}

  // OMA-SYS-2: what we send ourselves, and nobody else who says so.
  [[nodiscard]] bool is_system_message() const;
  [[nodiscard]] bool is_announcement() const;
  // A message that was kept, or what tells of some: it is not kept once more.
  [[nodiscard]] bool comes_from_store() const;
  // Who may say that he delivers what was deferred: a trusted peer, or our own function; not who sends copies of
  // others' messages.
  [[nodiscard]] bool may_be_deferred() const;
  // Why its branches are cancelled (R3261-18; RFC 3326): another one answered, or the reason that came from upstream.
  [[nodiscard]] std::string_view cancel_reason() const;

  core::SlotId self;
  sip::TransactionId server;       // whom its response goes to; or
  std::unique_ptr<Errand> errand;  // of a call of ours
  sip::Method method = sip::Method::other;
  sip::Flow source;
  bool from_trusted = false;
  bool has_to_tag = false;
  bool answered = false;  // a final response has gone upstream, or none ever will
  bool answered_2xx = false;
  bool answered_503 = false;  // by whoever it came to
  bool waits_for_bindings = false;
  bool by_core = false;      // the core reaches whom nothing else leads to
  bool tries_again = false;  // a BYE of ours that came to nobody: its timer runs
  bool routed = false;       // the core has the bindings of `aor`: checked, it goes where its Route says
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
  bool given_up = false;              // his devices have not answered in time, and are called off
  core::Timer answer_timer;           // when he counts as one who can not be reached
  sip::ProxyTimer timer;              // R4028-4
  sip::ProxyTimerEdit timer_edit;
  std::string user;    // who proved to be its sender
  std::string reason;  // of a CANCEL, for those that follow from it (RFC 3326)
  std::string aor;     // being looked up
  std::uint64_t loop = 0;
  sip::Fork fork;
  std::vector<std::unique_ptr<Branch>> branches;
};

// Those that are not used now.
class SpareBranches {
 public:
  [[nodiscard]] std::unique_ptr<Proxied::Branch> take() {
    if (spare_.empty()) return std::make_unique<Proxied::Branch>();
    std::unique_ptr<Proxied::Branch> branch = std::move(spare_.back());
    spare_.pop_back();
    return branch;
  }
  void give(std::unique_ptr<Proxied::Branch> branch) {
    if (spare_.size() == count_max || branch->kept.capacity() > kept_bytes_max) return;
    branch->clear();
    spare_.push_back(std::move(branch));
  }

 private:
  static constexpr std::size_t count_max = 1024;
  static constexpr std::size_t kept_bytes_max = 4096;  // more is given back at once
  std::vector<std::unique_ptr<Proxied::Branch>> spare_;
};

}  // namespace parley::policy
