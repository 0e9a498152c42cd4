// sip/max_breadth.h - Max-Breadth: how many branches a request may have at a time, all proxies together (RFC 5393
// section 5.3). R3261-11.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace parley::sip {

inline constexpr std::uint16_t breadth_default = 60;  // RFC 5393 section 5.3.3 recommends both
inline constexpr std::uint16_t breadth_limit = 60;

// What a request has to share out: `header` is the value of its Max-Breadth, if it has one. 0 is not allowed on the
// wire; it leaves nothing to share and ends in a 440.
constexpr std::uint16_t incoming_breadth(std::optional<std::uint32_t> header,
                                         std::uint16_t breadth_max = breadth_limit) {
  const std::uint32_t breadth = header.value_or(breadth_default);
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(breadth, breadth_max));
}

// The share of branch `index` (from 0) of `branches` that start together; `free` is at least `branches`. Shares differ
// by at most one and add up to `free`: nothing is taken off per hop.
constexpr std::uint16_t breadth_share(unsigned free, unsigned branches, unsigned index) {
  return static_cast<std::uint16_t>(free / branches + (index < free % branches ? 1U : 0U));
}

static_assert(incoming_breadth(std::nullopt) == 60);
static_assert(incoming_breadth(61) == 60);
static_assert(incoming_breadth(1) == 1);
static_assert(breadth_share(60, 1, 0) == 60);
static_assert(breadth_share(5, 3, 0) == 2);
static_assert(breadth_share(5, 3, 2) == 1);

}  // namespace parley::sip
