// sip/route_token.h - what we write into our own Record-Route and Path URIs: proof that it was us, and the flow towards
// that side (RFC 5626 section 5.2, R5626-2).
//
//   Record-Route: <sip:TOKEN@proxy.example.com;transport=ws;lr>
//
// A request with a token that is good belongs to a dialog that we let through when it was made: it needs no new proof of
// who sends it. Where a token carries a flow, the request goes over it and nowhere else. The token is sealed with the
// dialog's Call-ID, so that one dialog's token is of no use in another.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/keyed_hash.h"
#include "sip/flow.h"

namespace parley::sip {

struct RouteToken {
  bool has_flow = false;
  Flow flow;  // of whichever shard
};

inline constexpr std::size_t route_token_chars_max = 120;
using RouteTokenText = std::array<char, route_token_chars_max>;

// The text lies in `room`.
[[nodiscard]] std::string_view write_route_token(const RouteToken& token, std::string_view call_id,
                                                 const core::HashKey& key, RouteTokenText& room);
// Nothing when it is not one of ours, or of another Call-ID.
[[nodiscard]] std::optional<RouteToken> read_route_token(std::string_view text, std::string_view call_id,
                                                         const core::HashKey& key);

}  // namespace parley::sip
