// sip/stun.cc - see stun.h.
#include "sip/stun.h"

#include <cstdint>
#include <cstring>

namespace parley::sip {
namespace {

constexpr std::size_t header_bytes = 20;
constexpr unsigned char magic[4] = {0x21, 0x12, 0xa4, 0x42};
constexpr unsigned binding_request = 0x0001;
constexpr unsigned char binding_success[2] = {0x01, 0x01};
constexpr unsigned char xor_mapped_address[2] = {0x00, 0x20};

unsigned word_at(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned>(static_cast<unsigned char>(bytes[at])) << 8 | static_cast<unsigned char>(bytes[at + 1]);
}

}  // namespace

std::string_view stun_response(std::string_view datagram, const core::Address& source,
                               std::array<char, stun_response_bytes_max>& out) {
  if (datagram.size() < header_bytes || word_at(datagram, 0) != binding_request) return {};
  if (std::memcmp(datagram.data() + 4, magic, sizeof magic) != 0) return {};
  if (word_at(datagram, 2) != datagram.size() - header_bytes) return {};

  const bool v6 = source.family == core::Address::Family::v6;
  const std::size_t ip_bytes = v6 ? 16 : 4;
  const std::size_t value_bytes = 4 + ip_bytes;
  const std::size_t attributes_bytes = 4 + value_bytes;
  char* at = out.data();
  const auto put = [&at](unsigned value) { *at++ = static_cast<char>(value & 0xff); };
  put(binding_success[0]);
  put(binding_success[1]);
  put(0);
  put(static_cast<unsigned>(attributes_bytes));
  std::memcpy(at, datagram.data() + 4, 16);  // cookie and transaction id
  at += 16;
  put(xor_mapped_address[0]);
  put(xor_mapped_address[1]);
  put(0);
  put(static_cast<unsigned>(value_bytes));
  put(0);
  put(v6 ? 2U : 1U);
  put((source.port >> 8U) ^ magic[0]);
  put((source.port & 0xffU) ^ magic[1]);
  for (std::size_t i = 0; i < ip_bytes; ++i) {
    put(static_cast<unsigned>(source.ip[i]) ^ static_cast<unsigned char>(datagram[4 + i]));
  }
  return {out.data(), static_cast<std::size_t>(at - out.data())};
}

}  // namespace parley::sip
