// core/address.cc - see address.h. inet_pton is the judge of literals: it knows no octal, hexadecimal or short forms.
#include "core/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace parley::core {

namespace {

constexpr std::size_t literal_chars_max = INET6_ADDRSTRLEN - 1;
constexpr unsigned v4_bits = 32;
constexpr unsigned v6_bits = 128;
constexpr unsigned mapped_prefix_bits = 96;
constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// Plain decimal: digits only, no leading zero, at most `max`.
std::optional<unsigned> parse_decimal(std::string_view text, unsigned max) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  if (value > max) return std::nullopt;
  return value;
}

bool is_literal_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

unsigned bits_of(Address::Family family) { return family == Address::Family::v4 ? v4_bits : v6_bits; }

bool same_prefix(const Address& a, const Address& b, unsigned prefix_bits) {
  const std::size_t whole_bytes = prefix_bits / 8;
  const unsigned rest_bits = prefix_bits % 8;
  if (!std::equal(a.ip.begin(), a.ip.begin() + static_cast<std::ptrdiff_t>(whole_bytes), b.ip.begin())) return false;
  if (rest_bits == 0) return true;
  const unsigned mask = 0xffU << (8 - rest_bits) & 0xffU;
  return ((static_cast<unsigned>(a.ip[whole_bytes]) ^ b.ip[whole_bytes]) & mask) == 0;
}

}  // namespace

std::optional<Address> parse_ip(std::string_view text, std::uint16_t port) {
  const bool bracketed = text.size() >= 2 && text.front() == '[' && text.back() == ']';
  if (bracketed) text = text.substr(1, text.size() - 2);
  if (text.size() > literal_chars_max || !std::all_of(text.begin(), text.end(), is_literal_char)) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  std::copy(text.begin(), text.end(), terminated.begin());
  Address address;
  address.port = port;
  if (text.find(':') != std::string_view::npos) {
    address.family = Address::Family::v6;
    if (::inet_pton(AF_INET6, terminated.data(), address.ip.data()) != 1) return std::nullopt;
  } else {
    address.family = Address::Family::v4;
    if (bracketed || ::inet_pton(AF_INET, terminated.data(), address.ip.data()) != 1) return std::nullopt;
  }
  return address;
}

std::optional<Address> parse_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view host = text.substr(0, colon);
  // "::1:2855" is an address without a port: IPv6 needs its brackets here.
  if (host.find(':') != std::string_view::npos && (host.front() != '[' || host.back() != ']')) return std::nullopt;
  const std::optional<unsigned> port = parse_decimal(text.substr(colon + 1), 65535);
  if (!port) return std::nullopt;
  return parse_ip(host, static_cast<std::uint16_t>(*port));
}

std::string_view ip_text(const Address& address, IpText& room) {
  if (address.family == Address::Family::none) return {};
  if (address.family == Address::Family::v6) {
    static_assert(std::tuple_size_v<IpText> >= INET6_ADDRSTRLEN);
    const char* const text = ::inet_ntop(AF_INET6, address.ip.data(), room.data(), static_cast<::socklen_t>(room.size()));
    return text == nullptr ? std::string_view{} : std::string_view(text);
  }
  char* at = room.data();  // inet_ntop prints it with sprintf, which costs more than reading a SIP header
  for (std::size_t i = 0; i < 4; ++i) {
    if (i != 0) *at++ = '.';
    at = std::to_chars(at, at + 3, static_cast<unsigned>(address.ip[i])).ptr;
  }
  return {room.data(), static_cast<std::size_t>(at - room.data())};
}

std::string ip_to_string(const Address& address) {
  IpText room;
  return std::string(ip_text(address, room));
}

std::string to_string(const Address& address) {
  const std::string port = std::to_string(address.port);
  if (address.family == Address::Family::v6) return "[" + ip_to_string(address) + "]:" + port;
  return ip_to_string(address) + ":" + port;
}

Address unmapped(const Address& address) {
  if (address.family != Address::Family::v6) return address;
  if (!std::equal(mapped_prefix.begin(), mapped_prefix.end(), address.ip.begin())) return address;
  Address v4;
  v4.family = Address::Family::v4;
  v4.port = address.port;
  std::copy(address.ip.begin() + 12, address.ip.end(), v4.ip.begin());
  return v4;
}

bool is_loopback(const Address& address) {
  const Address plain = unmapped(address);
  if (plain.family == Address::Family::v4) return plain.ip[0] == 127;
  if (plain.family != Address::Family::v6) return false;
  return plain.ip[15] == 1 && std::all_of(plain.ip.begin(), plain.ip.begin() + 15, [](auto b) { return b == 0; });
}

bool is_unspecified(const Address& address) {
  const Address plain = unmapped(address);
  if (plain.family == Address::Family::none) return false;
  return std::all_of(plain.ip.begin(), plain.ip.end(), [](auto b) { return b == 0; });
}

bool is_multicast(const Address& address) {
  const Address plain = unmapped(address);
  if (plain.family == Address::Family::v6) return plain.ip[0] == 0xff;
  if (plain.family != Address::Family::v4) return false;
  return (plain.ip[0] & 0xf0) == 0xe0 ||
         std::all_of(plain.ip.begin(), plain.ip.begin() + 4, [](auto b) { return b == 0xff; });
}

std::optional<Cidr> parse_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::optional<Address> ip = parse_ip(text.substr(0, slash), 0);
  if (!ip || text.starts_with('[')) return std::nullopt;
  Cidr block{*ip, bits_of(ip->family)};
  if (slash != std::string_view::npos) {
    const std::optional<unsigned> bits = parse_decimal(text.substr(slash + 1), block.prefix_bits);
    if (!bits) return std::nullopt;
    block.prefix_bits = *bits;
  }
  const Address plain = unmapped(block.base);
  if (plain.family != block.base.family && block.prefix_bits >= mapped_prefix_bits) {
    block.base = plain;
    block.prefix_bits -= mapped_prefix_bits;
  }
  // 10.1.2.3/8 is more likely a slip than 10.0.0.0/8 in disguise, and these blocks guard who may be dialled.
  Address masked = block.base;
  for (std::size_t i = 0; i < masked.ip.size(); ++i) {
    const unsigned bits_before = static_cast<unsigned>(i) * 8;
    const unsigned keep = std::clamp(block.prefix_bits, bits_before, bits_before + 8) - bits_before;
    masked.ip[i] = static_cast<std::uint8_t>(masked.ip[i] & (0xff00U >> keep));
  }
  if (masked != block.base) return std::nullopt;
  return block;
}

bool contains(const Cidr& block, const Address& address) {
  const Address plain = unmapped(address);
  if (plain.family != block.base.family || plain.family == Address::Family::none) return false;
  return same_prefix(block.base, plain, block.prefix_bits);
}

}  // namespace parley::core
