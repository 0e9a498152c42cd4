// tools/parleyd/host_port.cc - HOST, HOST:PORT and tcp:HOST:PORT as they stand in flags.
#include "tools/parleyd/host_port.h"

#include <algorithm>
#include <charconv>

#include "core/address.h"
#include "core/text.h"

namespace parley::parleyd {
namespace {

bool valid_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace

bool is_ip_literal(std::string_view host) { return core::parse_ip(host, 0).has_value(); }

std::string without_brackets(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return std::string(host);
}

bool valid_host(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  if (host.front() == '[') return is_ip_literal(host);
  if (is_ip_literal(host)) return host.find(':') == std::string_view::npos;  // a bare IPv6 literal is ambiguous
  // Something like 127.1 or 0x7f.1 would be an address to some resolvers: the last label must not look like a number.
  const std::string_view last = host.substr(host.rfind('.') + 1);
  if (!last.empty() && last.front() >= '0' && last.front() <= '9') return false;
  for (;;) {
    const auto dot = host.find('.');
    if (!valid_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

std::optional<HostPort> parse_host_port(std::string_view text) {
  HostPort at;
  std::size_t host_end = text.size();
  if (text.starts_with('[')) {
    host_end = text.find(']');
    if (host_end == std::string_view::npos) return std::nullopt;
    ++host_end;
  } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    host_end = colon;
  }
  if (!valid_host(text.substr(0, host_end))) return std::nullopt;
  at.host = text.substr(0, host_end);
  std::transform(at.host.begin(), at.host.end(), at.host.begin(), core::lower);
  std::string_view rest = text.substr(host_end);
  if (rest.empty()) return at;
  if (!rest.starts_with(':') || rest.size() < 2) return std::nullopt;
  rest.remove_prefix(1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  if (error != std::errc{} || end != rest.data() + rest.size()) return std::nullopt;
  at.port = port;
  return at;
}

std::string to_string(const HostPort& at) { return at.port ? at.host + ":" + std::to_string(*at.port) : at.host; }

}  // namespace parley::parleyd
