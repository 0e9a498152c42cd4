// policy/xml_values.cc - booleans, numbers, times: see xml_reader.h.
#include <algorithm>
#include <charconv>
#include <chrono>

#include "policy/xml_reader.h"

namespace parley::policy {

namespace {

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view around = " \t\r\n";
  const std::size_t first = text.find_first_not_of(around);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(around) - first + 1);
}

// Exactly `digits` of them.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> take_zone_ms(std::string_view text) {
  if (text.empty() || text == "Z") return 0;
  const bool west = text.front() == '-';
  if (!west && text.front() != '+') return std::nullopt;
  text.remove_prefix(1);
  const auto hours = take_digits(text, 2);
  if (!hours || !take_char(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || !text.empty() || *hours > 14 || *minutes > 59) return std::nullopt;
  const std::int64_t ms = (std::int64_t{*hours} * 60 + *minutes) * 60'000;
  return west ? -ms : ms;
}

// What four digits can say.
constexpr std::int64_t year_1_ms = std::int64_t{-719'162} * 86'400'000;
constexpr std::int64_t year_10000_ms = std::int64_t{2'932'897} * 86'400'000;

}  // namespace

std::optional<bool> xml_boolean(std::string_view text) {
  text = without_blanks(text);
  if (core::equal_ignore_case(text, "true") || text == "1") return true;
  if (core::equal_ignore_case(text, "false") || text == "0") return false;
  return std::nullopt;
}

std::optional<std::uint32_t> xml_number(std::string_view text) {
  text = without_blanks(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> xml_date_time_ms(std::string_view text) {
  text = without_blanks(text);
  const auto year = take_digits(text, 4);
  if (!year || !take_char(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take_char(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !take_char(text, 'T')) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take_char(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take_char(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *minute > 59 || *second > 60) return std::nullopt;
  if (*hour > 24 || (*hour == 24 && (*minute > 0 || *second > 0))) return std::nullopt;
  std::int64_t ms = 0;
  if (take_char(text, '.')) {
    std::int64_t weight = 100;
    bool any = false;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1), weight /= 10) {
      ms += weight * (text.front() - '0');
      any = true;
    }
    if (!any) return std::nullopt;
  }
  const auto zone = take_zone_ms(text);
  const std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!zone || !date.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t time = (((days * 24 + *hour) * 60 + *minute) * 60 + *second) * 1000 + ms - *zone;
  return time >= year_1_ms && time < year_10000_ms ? std::optional(time) : std::nullopt;
}

std::string xml_date_time(std::int64_t ms) {
  const std::int64_t day_ms = 86'400'000;
  const std::int64_t in_day = ((ms % day_ms) + day_ms) % day_ms;
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days((ms - in_day) / day_ms))};
  const auto padded = [](std::int64_t value, std::size_t digits) {
    std::string text = std::to_string(value);
    return std::string(digits - std::min(digits, text.size()), '0') + text;
  };
  return padded(int{date.year()}, 4) + "-" + padded(unsigned{date.month()}, 2) + "-" + padded(unsigned{date.day()}, 2) +
         "T" + padded(in_day / 3'600'000, 2) + ":" + padded(in_day / 60'000 % 60, 2) + ":" +
         padded(in_day / 1000 % 60, 2) + "." + padded(in_day % 1000, 3) + "Z";
}

std::optional<std::uint32_t> xml_duration_seconds(std::string_view text) {
  text = without_blanks(text);
  if (!text.starts_with('P')) return xml_number(text);
  text.remove_prefix(1);
  std::uint64_t sum = 0;
  bool time = false;
  bool any = false;
  constexpr std::string_view order = "DHMS";  // months have no length, so M is a minute and stands behind T
  std::size_t least = 0;
  while (!text.empty()) {
    if (!time && take_char(text, 'T')) {
      time = true;
      least = std::max<std::size_t>(least, 1);
      any = false;
      continue;
    }
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end == text.data() + text.size()) return std::nullopt;
    const std::size_t unit = order.find(*end);
    if (unit == std::string_view::npos || unit < least || (unit > 0) != time) return std::nullopt;
    constexpr std::uint64_t seconds[] = {86'400, 3600, 60, 1};
    sum += seconds[unit] * value;
    if (sum > UINT32_MAX) return std::nullopt;
    least = unit + 1;
    any = true;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  }
  return any ? std::optional(static_cast<std::uint32_t>(sum)) : std::nullopt;
}

}  // namespace parley::policy
