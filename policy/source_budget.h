// policy/source_budget.h - how many datagrams are taken from a source that has not shown who it is.
//
// Whoever can send a datagram can put any source into it: a request from a stranger may be there to make us work, or to
// make us answer somebody else. So a source (an IPv4 address, or an IPv6 /64) has `requests` in each `window`, then is
// not heard at all for `silence`: no answer, not parsed. Trusted peers are not asked about, nor are responses, which
// nobody answers.
//
// When credentials were accepted from a source it is proven for `proof`, since it was shown last. Behind one address
// there may be a whole company (NAT, a session border controller), so a proven source has a budget that is larger, not
// none; what is above it is dropped, and nobody is silenced for it: the flood may come from a neighbour.
//
// Why 10 s of silence and not the 120 s of Kamailio's pike: a hundred telephones behind one address that come back
// after a power cut are above the budget before the first of them has shown its password. They repeat their requests
// for 32 s (RFC 3261 section 17.1.2.2), so one of them gets through in the second or third window, and proves the
// address for all. Nor should thirty datagrams with a false source take a stranger's service away for two minutes. And
// what a flood gets for its pains, 30 answers in 10 s, is too little to matter.
//
// One per shard; fixed memory, taken when the first source is seen, 32 bytes each. Sources are known by a keyed 128-bit
// hash, in sets of four: a new one takes the place of the one that was heard of longest ago, a proven one's only when
// all four are. Nobody can aim at a place, and forgetting a source only gives it a fresh budget.
#pragma once

#include <cstdint>
#include <vector>

#include "core/address.h"
#include "core/keyed_hash.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/time.h"

namespace parley::policy {

struct SourceBudgetConfig {
  std::uint32_t requests = 30;             // in a window; 0: strangers are not counted
  std::uint32_t requests_proven = 10'000;  // the same for a source that has proven itself; 0: not counted
  core::Duration window = std::chrono::seconds(2);
  core::Duration silence = std::chrono::seconds(10);
  core::Duration proof = std::chrono::hours(1);  // then credentials have to be shown again
  std::uint32_t sources_max = 65'536;            // per shard; a reload does not change it
  std::vector<core::Cidr> exempt{};  // nobody else can speak with these addresses: they are not counted
};

class SourceBudget {
 public:
  SourceBudget(std::uint32_t sources_max, core::Random& random, core::Metrics& metrics);

  // A datagram that wants an answer. False: it is to be dropped, and has been counted.
  [[nodiscard]] bool take(const SourceBudgetConfig& config, const core::Address& source, core::Instant now);
  // Credentials were accepted from there.
  void prove(const SourceBudgetConfig& config, const core::Address& source, core::Instant now);
  [[nodiscard]] bool proven(const core::Address& source, core::Instant now) const;

 private:
  struct Source {
    std::uint64_t name = 0;       // 0: nobody's
    core::Instant window_ends{};  // of a silent one: until when
    core::Instant proven_until{};
    std::uint32_t requests = 0;  // in this window
    bool silent = false;
  };
  static constexpr std::size_t ways = 4;

  [[nodiscard]] core::Hash128 hash(const core::Address& source) const;
  [[nodiscard]] const Source* find(const core::Address& source) const;
  Source& find_or_make(const core::Address& source, core::Instant now);

  std::size_t sets_;  // a power of two
  core::Metrics& metrics_;
  core::HashKey key_;
  std::vector<Source> sources_;
};

}  // namespace parley::policy
