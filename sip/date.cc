// sip/date.cc - see date.h.
#include "sip/date.h"

#include <array>
#include <chrono>
#include <string_view>

namespace parley::sip {

void put_date(std::string& out, std::int64_t wall_ms) {
  using namespace std::chrono;
  constexpr std::array<std::string_view, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_seconds at = floor<seconds>(sys_time<milliseconds>(milliseconds(wall_ms)));
  const sys_days day = floor<std::chrono::days>(at);
  const year_month_day date(day);
  const hh_mm_ss<seconds> time(at - day);
  const auto two_digits = [&out](std::int64_t number) {
    if (number < 10) out.push_back('0');
    out.append(std::to_string(number));
  };
  out.append(days[weekday(day).c_encoding()]).append(", ");
  two_digits(static_cast<unsigned>(date.day()));
  out.append(" ").append(months[static_cast<unsigned>(date.month()) - 1]).append(" ");
  out.append(std::to_string(static_cast<int>(date.year()))).append(" ");
  two_digits(time.hours().count());
  out.append(":");
  two_digits(time.minutes().count());
  out.append(":");
  two_digits(time.seconds().count());
  out.append(" GMT");
}

}  // namespace parley::sip
