// sip/reason_headers.h - why something was refused or ended: Reason (RFC 3326), Warning (RFC 3261 section 20.43),
// Error-Info (section 20.18), all of R3261-18, and Date (section 20.17).
#pragma once

#include <cstdint>
#include <string_view>

namespace parley::sip {

// One item of a Reason header; Items walks several.
struct Reason {
  std::string_view protocol;  // "SIP", "Q.850", ...
  bool has_cause = false;
  std::uint32_t cause = 0;
  std::string_view text;  // between the quotes
};
[[nodiscard]] bool parse_reason(std::string_view item, Reason& out);

// One item of a Warning header.
struct Warning {
  std::uint16_t code = 0;  // three digits
  std::string_view agent;
  std::string_view text;  // between the quotes
};
[[nodiscard]] bool parse_warning(std::string_view item, Warning& out);

// The URI of one item of Error-Info, Call-Info or Alert-Info: "<uri> ;parameters".
[[nodiscard]] bool parse_info_uri(std::string_view item, std::string_view& uri);

// "Sat, 13 Nov 2010 23:29:00 GMT" as seconds since 1970. The day's name is not compared. False for any other zone or
// form and for days that are none: such a Date is ignored by who reads it (RFC 4475 section 3.1.2.12).
[[nodiscard]] bool parse_date(std::string_view value, std::int64_t& seconds);

}  // namespace parley::sip
