// core/address.h - an IP address and port as a value, printable and comparable, without sockets.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace parley::core {

struct Address {
  enum class Family : std::uint8_t { none, v4, v6 };
  Family family = Family::none;
  std::array<std::uint8_t, 16> ip{};  // v4 in the first four bytes
  std::uint16_t port = 0;

  bool operator==(const Address&) const = default;
};

// "127.0.0.1:2855", "[::1]:2855"; `text` must be a literal, never a name.
std::optional<Address> parse_address(std::string_view text);
// The IP literal alone ("127.0.0.1", "::1", "[::1]").
std::optional<Address> parse_ip(std::string_view text, std::uint16_t port);
std::string to_string(const Address& address);
std::string ip_to_string(const Address& address);
// The same into `room`; nothing is allocated.
using IpText = std::array<char, 48>;
std::string_view ip_text(const Address& address, IpText& room);

bool is_loopback(const Address& address);
bool is_unspecified(const Address& address);
bool is_multicast(const Address& address);  // and the broadcast address of v4

// One CIDR block, e.g. 10.0.0.0/8 or fd00::/8. v4-mapped v6 addresses are compared as v4.
struct Cidr {
  Address base;
  unsigned prefix_bits = 0;
};
std::optional<Cidr> parse_cidr(std::string_view text);
bool contains(const Cidr& block, const Address& address);
// v4-mapped v6 (::ffff:a.b.c.d) becomes v4; everything else is returned as it is.
Address unmapped(const Address& address);

}  // namespace parley::core
