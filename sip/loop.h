// sip/loop.h - loops and spirals: whether a request that comes back would be treated the same way again (RFC 5393
// section 4.2). R3261-10.
//
// A proxy that forks writes the loop hash of the request it received behind a hyphen into the branch of each Via:
// "z9hG4bK" ... "-" 16 hex digits. When one of these Vias comes back under a request with the same hash, the request
// has looped; under another one it spirals, which is no mistake. Branches without that part were not forked and say
// nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "sip/head.h"

namespace parley::sip {

// Of a request as it was received, before anything in it is changed. Covers what the way of a request depends on:
// request URI, Route, Proxy-Require, Proxy-Authorization and the caller's preferences (RFC 3841); and Call-ID and CSeq
// number, so that two requests whose hashes collide do not do so again when they are retried. Not the method: ACK and
// CANCEL go where the INVITE went. `seed` is the same for all shards and as long as requests live; it need not be
// secret, a caller who finds a collision only gets a 482. Never 0, which in a branch means that nobody looked.
[[nodiscard]] std::uint64_t loop_hash(std::uint64_t seed, const Head& request, std::string_view bytes);

// What this element writes into its Vias as sent-by. Port 0: none.
struct SentBy {
  std::string_view host;  // an IPv6 literal with its brackets
  std::uint16_t port = 0;
};

enum class Passage : std::uint8_t {
  first,   // no Via of ours
  spiral,  // been here, and it was another way then
  loop,    // 482
};

// `hash`: loop_hash() of this request. Vias of others are passed over whatever is in them, headers that cannot be read
// from there on.
[[nodiscard]] Passage check_loop(const Head& request, std::string_view bytes, std::uint64_t hash,
                                 std::span<const SentBy> own);

}  // namespace parley::sip
