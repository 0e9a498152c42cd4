// core/host_text.cc - comparing hosts.
#include "core/host_text.h"

#include <arpa/inet.h>

#include <cstddef>
#include <cstring>

#include "core/text.h"

namespace parley::core {
namespace {

using Ip6 = std::array<unsigned char, 16>;
constexpr std::size_t ip6_text_bytes_max = 46;  // eight groups of four, or six, a dotted quad and a colon too many

// False when `host` is not an IPv6 literal in brackets.
bool ip6_value(std::string_view host, Ip6& value) {
  if (host.size() < 4 || host.front() != '[' || host.back() != ']') return false;
  host = host.substr(1, host.size() - 2);
  if (host.size() > ip6_text_bytes_max) return false;
  std::array<char, ip6_text_bytes_max + 1> text{};
  std::memcpy(text.data(), host.data(), host.size());
  // RFC 5118 section 4.10: a third colon before the IPv4 part says nothing.
  if (const std::size_t colons = host.find(":::"); colons != std::string_view::npos) {
    std::memmove(text.data() + colons, text.data() + colons + 1, host.size() - colons);
  }
  return inet_pton(AF_INET6, text.data(), value.data()) == 1;
}

std::string_view without_final_dot(std::string_view host) {
  if (host.size() > 1 && host.back() == '.') host.remove_suffix(1);
  return host;
}

}  // namespace

bool same_host(std::string_view a, std::string_view b) {
  if (equal_ignore_case(without_final_dot(a), without_final_dot(b))) return true;
  Ip6 value_a{};
  Ip6 value_b{};
  return ip6_value(a, value_a) && ip6_value(b, value_b) && value_a == value_b;
}

std::string_view canonical_host(std::string_view host, HostText& text) {
  Ip6 value{};
  if (ip6_value(host, value)) {
    text[0] = '[';
    if (inet_ntop(AF_INET6, value.data(), text.data() + 1, ip6_text_bytes_max + 1) == nullptr) return {};
    const std::size_t length = std::strlen(text.data());
    text[length] = ']';
    return {text.data(), length + 1};
  }
  host = without_final_dot(host);
  if (host.size() > text.size()) return {};
  for (std::size_t i = 0; i < host.size(); ++i) text[i] = lower(host[i]);
  return {text.data(), host.size()};
}

}  // namespace parley::core
