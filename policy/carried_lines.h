// policy/carried_lines.h - the header lines of a message that go with what is made of it later, as text that can be
// stored: "Name: value\r\n" each, without folds.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sip/flow.h"
#include "sip/head.h"
#include "sip/header_id.h"
#include "sip/writer.h"

namespace parley::policy {

// Appends those lines of `request` that `goes` takes. How many there were.
template <class Goes>
std::size_t put_carried_lines(const sip::Received& request, Goes&& goes, std::string& out) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < request.head.header_count; ++i) {
    const sip::Header& header = request.head.headers[i];
    const std::string_view name = header.name.of(request.bytes);
    if (!goes(header.id, name)) continue;
    out.append(name).append(": ");
    for (const char c : header.value.of(request.bytes)) out.push_back(c == '\r' || c == '\n' ? ' ' : c);
    out.append("\r\n");
    ++count;
  }
  return count;
}

// Whether a request with these lines can be read again, here and by the next hop: with those that it gets besides them.
[[nodiscard]] inline bool fits_again(const sip::HeadLimits& limits, std::size_t lines, std::size_t bytes) {
  constexpr std::size_t own_lines = 16;
  constexpr std::size_t own_bytes = 4096;
  return lines + own_lines <= limits.headers_max && bytes + own_bytes <= limits.head_bytes_max;
}

// Views into `lines`, appended.
inline void add_carried_lines(std::string_view lines, std::vector<sip::HeaderText>& out) {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 2);
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    out.push_back({.id = sip::header_id(name), .value = line.substr(colon + 2), .name = name});
  }
}

}  // namespace parley::policy
