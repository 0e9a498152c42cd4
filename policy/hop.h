// policy/hop.h - one address to send a request to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/address.h"
#include "core/seam.h"
#include "sip/uri.h"

namespace parley::policy {

// RFC 3261 section 18.1.1 (R3261-12, R3428-1): the path's MTU is not known, so a longer request goes by a stream.
inline constexpr std::size_t datagram_request_bytes_max = 1300;

struct Hop {
  core::Transport transport = core::Transport::udp;
  core::Address address;
  std::string tls_name;
};

// By what a URI is reached: unless it said something else by UDP, a secure one by TLS (RFC 3263 section 4.1).
[[nodiscard]] core::Transport transport_of(const sip::Uri& uri, bool& said);
// Its maddr, or its host.
[[nodiscard]] std::string_view host_of(const sip::Uri& uri);
// The hop that a URI names by its address. False: it names a host that has to be looked up, or none.
[[nodiscard]] bool literal_hop(std::string_view uri, Hop& hop);

}  // namespace parley::policy
