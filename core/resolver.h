// core/resolver.h - names to addresses on a thread of its own (c-ares), answered by mail to the shard that asked.
//
// MSRP, RFC 4976 section 5.1: without a port, SRV first, else A and AAAA with the default port. SIP, RFC 3263: NAPTR,
// SRV and addresses, as resolve_plan.h says (R3263-1, R3263-3). Literals are answered at once. Targets of one priority
// are drawn by lot for each answer (RFC 2782), kept answers included. Questions that wait are bounded; one too many is
// answered "no address".
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/loop.h"
#include "core/mailbox.h"
#include "core/random.h"

namespace parley::core {

struct ResolverConfig {
  std::string servers;                // "127.0.0.1:5353,[::1]:53"; empty: /etc/resolv.conf
  std::uint16_t default_port = 2855;  // RFC 4975 section 6
  std::uint32_t waiting_max = 1024;   // questions being worked on
  std::uint32_t cached_max = 1024;
  Duration timeout = 5s;          // of one question, NAPTR, SRV and addresses together
  Duration cache_max = 60s;       // longer TTLs are cut
  Duration cache_absent = 30s;    // names that do not exist or have no address
  Duration cache_failure = 5s;    // no answer in time, or servers that failed: it may be over soon
  std::optional<Seed> seed = {};  // of the lots; tests set it
};

class Resolver final : public ResolveSink {
 public:
  Resolver(Mailboxes& mailboxes, ResolverConfig config);
  ~Resolver() override;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  void ask(std::uint32_t shard, ResolveRequest request) override;

 private:
  struct Question {
    std::uint32_t shard;
    ResolveRequest request;
  };
  struct Work;  // the thread's side: the channel, the cache, what is being asked
  void serve();

  Mailboxes& mailboxes_;
  ResolverConfig config_;
  std::mutex mutex_;
  std::vector<Question> asked_;
  std::uint32_t waiting_ = 0;
  bool stop_ = false;
  int wake_fd_;
  std::thread thread_;
};

}  // namespace parley::core
