// core/failure_rates.h - failed attempts to authenticate, per minute, by user and by source.
//
// One per shard. Fixed memory, taken at the first failure: a slot is shared by what hashes to it, so the tables cannot
// be made to grow, and whoever shares a slot shares its limit. The hash is seeded: nobody can aim at a slot.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/address.h"
#include "core/random.h"
#include "core/time.h"

namespace parley::core {

struct FailureLimits {
  std::uint32_t user_per_minute = 10;    // 0: no limit
  std::uint32_t source_per_minute = 60;  // an IPv4 address or an IPv6 /64; 0: no limit
};

class FailureRates {
 public:
  explicit FailureRates(Random& random) : random_(random) {}

  // Whether either has failed too often in this minute. Never of loopback, which is the operator's own machine (an edge
  // proxy, a test): locking it out would lock out everybody behind it. Nor of an address that is none.
  [[nodiscard]] bool over(std::string_view user, const Address& source, const FailureLimits& limits, Instant now) const;
  void count(std::string_view user, const Address& source, Instant now);

 private:
  struct Rate {
    std::int64_t minute = -1;
    std::uint32_t failures = 0;
  };
  static constexpr std::size_t slots = 4096;
  [[nodiscard]] std::size_t user_slot(std::string_view user) const;
  [[nodiscard]] std::size_t source_slot(const Address& source) const;

  Random& random_;
  std::vector<Rate> users_;
  std::vector<Rate> sources_;
  std::uint64_t seed_ = 0;
};

}  // namespace parley::core
