// policy/nickname.h - nicknames of a room: which strings are some, and which two are the same (RFC 8266, which replaces
// RFC 7700; RFC 8264 for the FreeformClass).
//
// Pure functions; ICU's tables are read, its default locale is not. A text of 1023 octets takes some 100 KiB for the
// moment of the call.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace parley::policy {

inline constexpr std::size_t nickname_bytes_max = 1023;  // RFC 7701 section 7.1

// RFC 8266 section 2.3: what is kept and shown. False when `text` is no nickname: not UTF-8, code points that the
// FreeformClass does not have (also in what the rules make of it), too long, or nothing left.
[[nodiscard]] bool enforce_nickname(std::string_view text, std::string& out);

// RFC 8266 section 2.4: two nicknames are the same if and only if these are, octet for octet. False as above.
[[nodiscard]] bool nickname_key(std::string_view text, std::string& out);

}  // namespace parley::policy
