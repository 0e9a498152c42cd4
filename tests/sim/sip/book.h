// tests/sim/sip/book.h - what all user agents of a run know together: what was sent, who took it, who lied. The
// checkers compare with it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/agenda.h"
#include "tests/sim/sip/message.h"

namespace parley::sim::sip {

// How the server carries calls.
enum class Role : std::uint8_t { proxy, b2bua };

struct Book {
  // A request as its sender wrote it, whole.
  struct Sent {
    Message request;
    Instant at{};
    unsigned life = 0;  // of the server, then
    bool by_stream = false;
    unsigned arrived = 0;  // branches that reached a user agent
    unsigned taken = 0;    // user agents that answered 2xx
  };

  // The sender's own branch, wherever the message is; and his method.
  [[nodiscard]] static std::string key(const Message& m) {
    const auto vias = m.values("Via");
    return vias.empty() ? std::string() : parameter(vias.back(), "branch") + " " + cseq_method(m);
  }
  [[nodiscard]] Sent* find(const Message& m) {
    const auto found = sent.find(key(m));
    return found == sent.end() ? nullptr : &found->second;
  }

  // Something of a call as its sender wrote it: a request, which its Subject names, or a response, which its
  // Organization names. Both headers come through a back-to-back user agent whatever its configuration.
  struct Passed {
    Message message;
    std::uint32_t agent = 0;
    Instant at{};
    unsigned life = 0;
    std::string call;     // of a request: the Subject of the INVITE that began its call
    std::string request;  // of a response: the Subject of its request
  };
  // What one user agent knows of a call.
  struct Side {
    std::uint32_t agent = 0;
    unsigned life = 0;
    bool over = false;
    Instant over_at{};
    bool confirmed = false;  // it has a dialog
    Instant began{};
    std::string call_id;  // of its leg
  };
  // A call is named by the Subject of the INVITE that began it.
  struct Call {
    std::vector<Side> sides;
    Instant together{};  // both sides want to change it at this time
  };

  Role role = Role::proxy;
  bool timers = false;          // user agents know session timers, and whatever else makes calls interesting
  bool passes_unknown = true;   // headers that the server does not know
  bool unknown_either = false;  // that was changed in mid-traffic
  std::map<std::string, Passed> passed;
  std::map<std::string, Call> sessions;
  std::set<std::string> own_tags;  // that user agents made

  std::string domain = "sim.example";
  unsigned life = 0;                 // how often the server has begun anew
  bool draining = false;             // the server is: it refuses copies of what it has taken
  bool pressure = false;             // limits so low that requests are given up: then answers to copies may differ
  Instant calm_at = Instant::max();  // no trouble from then on
  std::map<std::string, Sent> sent;  // by key()
  std::set<std::string> tags;        // "Call-ID tag": To tags that user agents made
  std::set<std::string> answered;    // Call-IDs of INVITEs that some user agent has sent a 2xx for
  std::set<std::string> accepted;    // branches of INVITEs that the server has sent a 2xx for, by datagram
  // What a run was good for.
  std::uint64_t requests = 0, finals = 0, delivered = 0, calls = 0, cancelled = 0, notified = 0, registered = 0;
};

}  // namespace parley::sim::sip
