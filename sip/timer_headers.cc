// sip/timer_headers.cc - see timer_headers.h.
#include "sip/timer_headers.h"

#include <algorithm>

#include "sip/value.h"

namespace parley::sip {
namespace {

constexpr std::uint32_t hops_max = 255;

// Comments may hold comments (RFC 3261 section 25.1). Returns what is behind the comment that `text` begins with, and
// the comment's inside; false when it never ends.
bool take_comment(std::string_view& text, std::string_view& comment) {
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '(') {
      ++depth;
    } else if (text[i] == ')' && --depth == 0) {
      comment = text.substr(1, i - 1);
      text.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

}  // namespace

bool parse_session_expires(std::string_view value, SessionExpires& out) {
  out = {};
  const Item item = split_item(trim(value));
  if (!clamped_number(item.head, out.seconds) || !are_params(item.parameters)) return false;
  const std::string_view refresher = find_param(item.parameters, "refresher");
  if (core::equal_ignore_case(refresher, "uac")) out.refresher = Refresher::uac;
  if (core::equal_ignore_case(refresher, "uas")) out.refresher = Refresher::uas;
  return true;
}

bool parse_seconds(std::string_view value, std::uint32_t& seconds) {
  const Item item = split_item(trim(value));
  return clamped_number(item.head, seconds) && are_params(item.parameters);
}

bool parse_retry_after(std::string_view value, RetryAfter& out) {
  out = {};
  std::string_view rest = trim(value);
  const std::string_view digits = rest.substr(0, std::min(rest.find_first_not_of("0123456789"), rest.size()));
  if (!clamped_number(digits, out.seconds)) return false;
  rest = trim(rest.substr(digits.size()));
  if (rest.starts_with('(') && !take_comment(rest, out.comment)) return false;
  if (!are_params(rest)) return false;
  out.has_duration = clamped_number(find_param(rest, "duration"), out.duration_seconds);
  return true;
}

bool parse_max_forwards(std::string_view value, std::uint8_t& out) {
  std::uint32_t number = 0;
  if (!clamped_number(value, number)) return false;
  out = static_cast<std::uint8_t>(std::min(number, hops_max));
  return true;
}

}  // namespace parley::sip
