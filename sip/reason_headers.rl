// sip/reason_headers.rl - Warning and Date, whose pieces stand in a row (RFC 3261 section 25.1: warning-value, SIP-date).
#include "sip/reason_headers.h"

#include <cstddef>

#include "core/text.h"
#include "sip/value.h"

namespace parley::sip {
namespace {

using Byte = unsigned char;

%%{
  machine sip_warning;
  include sip_grammar "sip/grammar.rli";
  alphtype unsigned char;

  action code { out.code = static_cast<std::uint16_t>(out.code * 10 + (*p - '0')); }
  action mark { mark = p; }
  action agent { out.agent = between(mark, p); }
  action text { out.text = between(mark + 1, p - 1); }

  # The agent is a host with port or a pseudonym; anything without blanks is taken.
  main := digit{3} $code LWS (0x21..0x7e - ["])+ >mark %agent LWS quoted_string >mark %text;
  write data noerror noentry;
}%%

%%{
  machine sip_date;
  alphtype unsigned char;

  action day { day = day * 10 + (*p - '0'); }
  action year { year = year * 10 + (*p - '0'); }
  action hour { hour = hour * 10 + (*p - '0'); }
  action minute { minute = minute * 10 + (*p - '0'); }
  action second { second = second * 10 + (*p - '0'); }

  wkday = "Mon"i | "Tue"i | "Wed"i | "Thu"i | "Fri"i | "Sat"i | "Sun"i;
  month = "Jan"i %{ month = 1; } | "Feb"i %{ month = 2; } | "Mar"i %{ month = 3; } | "Apr"i %{ month = 4; }
        | "May"i %{ month = 5; } | "Jun"i %{ month = 6; } | "Jul"i %{ month = 7; } | "Aug"i %{ month = 8; }
        | "Sep"i %{ month = 9; } | "Oct"i %{ month = 10; } | "Nov"i %{ month = 11; } | "Dec"i %{ month = 12; };
  main := wkday "," " "+ digit{1,2} $day " "+ month " "+ digit{4} $year " "+
          digit{2} $hour ":" digit{2} $minute ":" digit{2} $second " "+ "GMT"i;
  write data noerror noentry;
}%%

std::string_view between(const Byte* from, const Byte* to) {
  return {reinterpret_cast<const char*>(from), static_cast<std::size_t>(to - from)};
}

bool is_leap(std::int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

std::int64_t days_in(std::int64_t year, std::int64_t month) {
  constexpr std::int64_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

// Days from 1970-01-01, in the Gregorian calendar, counted in years that begin with March.
std::int64_t day_number(std::int64_t year, std::int64_t month, std::int64_t day) {
  const std::int64_t years = month <= 2 ? year - 1 : year;
  const std::int64_t months = month <= 2 ? month + 9 : month - 3;
  const std::int64_t days_in_months = (153 * months + 2) / 5;
  return 365 * years + years / 4 - years / 100 + years / 400 + days_in_months + day - 1 - 719468;
}

}  // namespace

bool parse_warning(std::string_view item, Warning& out) {
  out = {};
  item = trim(item);
  const Byte* p = reinterpret_cast<const Byte*>(item.data());
  const Byte* const pe = p + item.size();
  const Byte* const eof = pe;
  const Byte* mark = nullptr;
  int cs = 0;
  %% machine sip_warning;
  %% write init;
  %% write exec;
  return cs >= sip_warning_first_final;
}

bool parse_date(std::string_view value, std::int64_t& seconds) {
  value = trim(value);
  const Byte* p = reinterpret_cast<const Byte*>(value.data());
  const Byte* const pe = p + value.size();
  const Byte* const eof = pe;
  std::int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  int cs = 0;
  %% machine sip_date;
  %% write init;
  %% write exec;
  if (cs < sip_date_first_final) return false;
  if (day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60) return false;
  seconds = ((day_number(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
  return true;
}

bool parse_reason(std::string_view item, Reason& out) {
  out = {};
  const Item split = split_item(trim(item));
  if (!is_token(split.head) || !are_params(split.parameters)) return false;
  out.protocol = split.head;
  out.has_cause = clamped_number(find_param(split.parameters, "cause"), out.cause);
  out.text = find_param(split.parameters, "text");
  return true;
}

bool parse_info_uri(std::string_view item, std::string_view& uri) {
  const Item split = split_item(trim(item));
  if (split.head.size() < 3 || split.head.front() != '<' || split.head.back() != '>') return false;
  uri = trim(split.head.substr(1, split.head.size() - 2));
  return !uri.empty() && are_params(split.parameters);
}

}  // namespace parley::sip
