// tools/parleyd/host_port.h - HOST, HOST:PORT and tcp:HOST:PORT as they stand in flags.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace parley::parleyd {

// An IPv6 literal keeps its brackets, as in a URI; names are lower case.
struct HostPort {
  std::string host;
  std::optional<std::uint16_t> port;  // absent when not written
};

// "relay.example.org", "relay.example.org:2855", "192.0.2.1:0", "[2001:db8::1]:2855". Nothing else.
std::optional<HostPort> parse_host_port(std::string_view text);

// A host name or literal as it may stand in a flag (RFC 1123 labels, underscore not allowed).
bool valid_host(std::string_view host);
bool is_ip_literal(std::string_view host);
std::string without_brackets(std::string_view host);
std::string to_string(const HostPort& at);

}  // namespace parley::parleyd
