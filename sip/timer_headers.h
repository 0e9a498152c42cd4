// sip/timer_headers.h - Session-Expires and Min-SE (RFC 4028 section 9), Expires, Min-Expires and Retry-After (RFC 3261
// sections 20.19, 20.23, 20.33), Max-Forwards.
#pragma once

#include <cstdint>
#include <string_view>

namespace parley::sip {

enum class Refresher : std::uint8_t { absent, uac, uas };

struct SessionExpires {
  std::uint32_t seconds = 0;
  Refresher refresher = Refresher::absent;
};
// T-10: blanks around ';' and any case.
[[nodiscard]] bool parse_session_expires(std::string_view value, SessionExpires& out);

// Seconds with parameters behind them that mean nothing to us: Min-SE, Expires, Min-Expires, Flow-Timer.
[[nodiscard]] bool parse_seconds(std::string_view value, std::uint32_t& seconds);

struct RetryAfter {
  std::uint32_t seconds = 0;
  bool has_duration = false;
  std::uint32_t duration_seconds = 0;  // for how long it can be reached then
  std::string_view comment;            // between the outer brackets
};
[[nodiscard]] bool parse_retry_after(std::string_view value, RetryAfter& out);

// 0 to 255; more counts as 255 (RFC 3261 section 20.22). Leading zeros are taken (T-12).
[[nodiscard]] bool parse_max_forwards(std::string_view value, std::uint8_t& out);

}  // namespace parley::sip
