// sip/stun.h - STUN Binding requests on a SIP socket (RFC 5626 section 3.5.2, R5626-3; RFC 5389).
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "core/address.h"

namespace parley::sip {

// No SIP message begins with a byte below 4.
[[nodiscard]] inline bool looks_like_stun(std::string_view datagram) {
  return !datagram.empty() && static_cast<unsigned char>(datagram[0]) < 4;
}

inline constexpr std::size_t stun_response_bytes_max = 44;  // header, XOR-MAPPED-ADDRESS of IPv6

// The Binding success response, in `out`; empty when `datagram` is no Binding request. Not longer than three times
// the shortest request. Attributes of the request are not looked at: this use has none that must be understood.
[[nodiscard]] std::string_view stun_response(std::string_view datagram, const core::Address& source,
                                             std::array<char, stun_response_bytes_max>& out);

}  // namespace parley::sip
