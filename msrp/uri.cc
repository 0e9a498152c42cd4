// msrp/uri.cc - comparing MSRP URIs (RFC 4975 section 6.1) and walking along paths.
#include "msrp/uri.h"

#include <arpa/inet.h>

#include <array>
#include <cstddef>
#include <cstring>

namespace parley::msrp {
namespace {

using Ip6 = std::array<unsigned char, 16>;
constexpr std::size_t ip6_text_bytes_max = 45;  // eight groups of four, or six and a dotted quad

// False when `host` is not an IPv6 literal in brackets.
bool ip6_value(std::string_view host, Ip6& value) {
  if (host.size() < 4 || host.front() != '[' || host.back() != ']') return false;
  host = host.substr(1, host.size() - 2);
  if (host.size() > ip6_text_bytes_max) return false;
  std::array<char, ip6_text_bytes_max + 1> text{};
  std::memcpy(text.data(), host.data(), host.size());
  return inet_pton(AF_INET6, text.data(), value.data()) == 1;
}

std::string_view without_final_dot(std::string_view host) {
  if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  return host;
}

bool same_host(std::string_view a, std::string_view b) {
  if (equal_ignore_case(without_final_dot(a), without_final_dot(b))) return true;
  // IPv4 literals have one spelling (RFC 3986 knows no leading zeros), IPv6 literals many.
  Ip6 value_a{};
  Ip6 value_b{};
  return ip6_value(a, value_a) && ip6_value(b, value_b) && value_a == value_b;
}

}  // namespace

bool same_uri(const Uri& a, const Uri& b) {
  return a.secure == b.secure && a.has_port == b.has_port && a.port == b.port && a.session_id == b.session_id &&
         equal_ignore_case(a.transport, b.transport) && same_host(a.host, b.host);
}

PathSplit split_path(std::string_view path) {
  const std::size_t space = path.find(' ');
  if (space == std::string_view::npos) return {path, {}};
  return {path.substr(0, space), path.substr(space + 1)};
}

std::string_view last_of_path(std::string_view path) {
  const std::size_t space = path.rfind(' ');
  return space == std::string_view::npos ? path : path.substr(space + 1);
}

std::size_t path_length(std::string_view path) {
  if (path.empty()) return 0;
  std::size_t count = 1;
  for (const char c : path) count += c == ' ' ? 1 : 0;
  return count;
}

}  // namespace parley::msrp
