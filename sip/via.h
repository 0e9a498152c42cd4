// sip/via.h - Via headers (RFC 3261 section 20.42, RFC 3581).
#pragma once

#include <cstdint>
#include <string_view>

namespace parley::sip {

struct Via {
  std::string_view protocol;   // "SIP"
  std::string_view version;    // "2.0"
  std::string_view transport;  // "UDP", "TLS-SCTP", or any other token (T-19)
  std::string_view host;       // sent-by; an IPv6 literal with its brackets
  bool has_port = false;
  std::uint16_t port = 0;
  std::string_view params;  // from the first ';' on; for take_param and param_value
};

// As take_address.
[[nodiscard]] bool take_via(std::string_view& rest, Via& via);

// The value of `received` without the brackets that some put around an IPv6 address (RFC 5118 section 4.5); null data
// when absent.
[[nodiscard]] std::string_view via_received(const Via& via);

}  // namespace parley::sip
