// core/host_text.h - hosts as they stand in URIs: compared, and in the spelling that all equal ones share.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace parley::core {

// Names without regard to case or a final dot, IPv6 literals (in brackets) by value. IPv4 literals have one spelling:
// RFC 3986 knows no leading zeros.
[[nodiscard]] bool same_host(std::string_view a, std::string_view b);

// The result lies in `text`, or is empty when `host` is longer than a name can be.
inline constexpr std::size_t host_bytes_max = 256;
using HostText = std::array<char, host_bytes_max>;
[[nodiscard]] std::string_view canonical_host(std::string_view host, HostText& text);

}  // namespace parley::core
