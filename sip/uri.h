// sip/uri.h - SIP, SIPS and TEL URIs (RFC 3261 section 19.1, RFC 3966) as views into the text they were read from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace parley::sip {

enum class Scheme : std::uint8_t { sip, sips, tel, other };

struct Uri {
  Scheme scheme = Scheme::other;
  bool has_port = false;
  std::uint16_t port = 0;       // explicit port; 0 when absent
  std::string_view text;        // the whole URI
  std::string_view user;        // with its escapes; of a tel URI the number; of another scheme what follows its colon
  std::string_view password;    // without ':'
  std::string_view host;        // name, IPv4 literal, or IPv6 literal with its brackets
  std::string_view parameters;  // from behind the first ';'
  std::string_view headers;     // from behind '?'
};

// False when `text` is not exactly one URI. Any other scheme than sip, sips and tel is only checked for its characters.
[[nodiscard]] bool parse_uri(std::string_view text, Uri& uri);

// R3261-15: RFC 3261 section 19.1.4, RFC 3966 section 4. URIs with more than `uri_compare_parts_max` parameters or
// headers are equal only byte for byte.
[[nodiscard]] bool same_uri(const Uri& a, const Uri& b);
inline constexpr std::size_t uri_compare_parts_max = 32;

// The value of a URI parameter; null data when it is absent, not null and empty when it has no value.
[[nodiscard]] std::string_view uri_parameter(const Uri& uri, std::string_view name);
[[nodiscard]] bool has_uri_parameter(const Uri& uri, std::string_view name);

// Texts with escapes: an escape equals the character it stands for, except for characters that RFC 3261 reserves.
[[nodiscard]] bool same_escaped(std::string_view a, std::string_view b);

// Writes the key under which an address of record is kept (RFC 3261 section 10.3 step 5): the scheme (sip for sips,
// T-8: telephone numbers without visual separators), the user with as few escapes as can be, the host in lower case;
// port, password, parameters and headers are dropped. Empty when it does not fit or `uri` is of another scheme.
[[nodiscard]] std::string_view aor_key(const Uri& uri, char* out, std::size_t size);

}  // namespace parley::sip
