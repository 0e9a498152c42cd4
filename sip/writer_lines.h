// sip/writer_lines.h - the lines that writer.cc and forward.cc are made of, for TextOut and TextSize alike.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "sip/params.h"
#include "sip/value.h"
#include "sip/writer.h"

namespace parley::sip {

[[nodiscard]] inline bool has_line_end(std::string_view value) {
  return !value.empty() && (std::memchr(value.data(), '\n', value.size()) != nullptr ||
                            std::memchr(value.data(), '\r', value.size()) != nullptr);
}

// A fold becomes a space; so does any other line end.
template <class Out>
void put_unfolded(Out& out, std::string_view value) {
  if (!has_line_end(value)) {  // nearly all
    out.put(value);
    return;
  }
  constexpr std::string_view line_ends = "\r\n";
  for (std::size_t end = value.find_first_of(line_ends); end != std::string_view::npos;
       end = value.find_first_of(line_ends)) {
    out.put(value.substr(0, end));
    value.remove_prefix(end);
    while (!value.empty() &&
           (line_ends.find(value.front()) != std::string_view::npos || value.front() == ' ' || value.front() == '\t')) {
      value.remove_prefix(1);
    }
    if (!value.empty()) out.put(' ');
  }
  out.put(value);
}

template <class Out>
void put_line(Out& out, std::string_view name, std::string_view value) {
  out.put(name).put(": ");
  put_unfolded(out, value);
  out.put("\r\n");
}

inline std::string_view name_of(const HeaderText& header) {
  return header.id == HeaderId::other ? header.name : header_name(header.id);
}

template <class Out>
void put_header(Out& out, const HeaderText& header) {
  put_line(out, name_of(header), header.value);
}

template <class Out>
void put_end(Out& out, std::uint32_t body_bytes) {
  out.put("Content-Length: ").number(body_bytes).put("\r\n\r\n");
}

// What lines may grow by: a name in full for a compact one, ": " for ":", CRLF for LF.
inline constexpr std::size_t line_growth_max = 32;
// Start line, Content-Length, what stamping adds to a Via, a To tag.
inline constexpr std::size_t rest_bytes_max = 512;
[[nodiscard]] inline std::size_t header_bytes_max(const HeaderText& header) {
  return name_of(header).size() + header.value.size() + line_growth_max;
}

// The topmost Via of a value that may list several.
template <class Out>
void put_stamped_via(Out& out, std::string_view name, std::string_view value, const ViaStamp& stamp) {
  std::string_view first;
  if ((stamp.received.empty() && stamp.rport == 0) || !Items(value).next(first)) return put_line(out, name, value);
  const Item via = split_item(first);
  out.put(name).put(": ");
  put_unfolded(out, via.head);
  std::string_view rest = via.parameters;
  for (Param param; take_param(rest, param);) {
    if (!stamp.received.empty() && core::equal_ignore_case(param.name, "received")) continue;
    out.put(';').put(param.name);
    if (stamp.rport != 0 && core::equal_ignore_case(param.name, "rport")) {
      out.put('=').number(stamp.rport);
    } else if (param.has_value) {
      out.put('=');
      put_unfolded(out, param.value);
    }
  }
  put_unfolded(out, rest);  // what is no parameter stays
  if (!stamp.received.empty()) out.put(";received=").put(stamp.received);
  put_unfolded(out, value.substr(static_cast<std::size_t>(first.data() + first.size() - value.data())));
  out.put("\r\n");
}

}  // namespace parley::sip
