// sip/route_token.cc - see route_token.h.
#include "sip/route_token.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "core/digest.h"

namespace parley::sip {
namespace {

constexpr std::size_t seal_bytes = 16;
// transport, shard, listener, connection, family, port, address
constexpr std::size_t flow_bytes_max = 1 + 2 + 2 + 8 + 1 + 2 + 16;
static_assert((seal_bytes + flow_bytes_max) * 2 + 1 <= route_token_chars_max);

using Bytes = std::array<std::uint8_t, flow_bytes_max>;

std::size_t ip_bytes(core::Address::Family family) { return family == core::Address::Family::v6 ? 16 : 4; }

std::size_t pack(const Flow& flow, Bytes& bytes) {
  std::size_t at = 0;
  const auto put = [&](std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes[at++] = static_cast<std::uint8_t>(value >> (8 * i));
  };
  put(static_cast<std::uint64_t>(flow.transport), 1);
  put(flow.shard, 2);
  put(flow.listener, 2);
  put(flow.connection.packed(), 8);
  put(static_cast<std::uint64_t>(flow.remote.family), 1);
  put(flow.remote.port, 2);
  const std::size_t size = ip_bytes(flow.remote.family);
  std::copy_n(flow.remote.ip.begin(), size, bytes.begin() + static_cast<std::ptrdiff_t>(at));
  return at + size;
}

bool unpack(std::span<const std::uint8_t> bytes, Flow& flow) {
  constexpr std::size_t fixed = flow_bytes_max - 16;
  if (bytes.size() < fixed) return false;
  std::size_t at = 0;
  const auto take = [&](std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{bytes[at++]} << (8 * i);
    return value;
  };
  flow.transport = static_cast<core::Transport>(take(1));
  flow.shard = static_cast<std::uint16_t>(take(2));
  flow.listener = static_cast<std::uint16_t>(take(2));
  flow.connection = core::SlotId::unpack(take(8));
  flow.remote.family = static_cast<core::Address::Family>(take(1));
  flow.remote.port = static_cast<std::uint16_t>(take(2));
  if (bytes.size() != fixed + ip_bytes(flow.remote.family)) return false;
  std::copy(bytes.begin() + fixed, bytes.end(), flow.remote.ip.begin());
  return true;
}

std::array<std::uint8_t, seal_bytes> seal(std::span<const std::uint8_t> flow, std::string_view call_id,
                                          const core::HashKey& key) {
  const std::string_view text(reinterpret_cast<const char*>(flow.data()), flow.size());
  const core::Hash128 hash = core::KeyedHash(key).add(text).add(call_id).finish();
  std::array<std::uint8_t, seal_bytes> bytes;
  std::memcpy(bytes.data(), &hash.low, 8);
  std::memcpy(bytes.data() + 8, &hash.high, 8);
  return bytes;
}

}  // namespace

std::string_view write_route_token(const RouteToken& token, std::string_view call_id, const core::HashKey& key,
                                   RouteTokenText& room) {
  Bytes flow{};
  const std::size_t size = token.has_flow ? pack(token.flow, flow) : 0;
  const auto sealed = seal({flow.data(), size}, call_id, key);
  room[0] = 'r';  // a user part of one form, whatever the digits
  core::hex_encode(sealed, {room.data() + 1, seal_bytes * 2});
  core::hex_encode({flow.data(), size}, {room.data() + 1 + seal_bytes * 2, size * 2});
  return {room.data(), 1 + (seal_bytes + size) * 2};
}

std::optional<RouteToken> read_route_token(std::string_view text, std::string_view call_id, const core::HashKey& key) {
  if (text.size() < 1 + seal_bytes * 2 || text.size() > route_token_chars_max || text[0] != 'r') return std::nullopt;
  text.remove_prefix(1);
  if (text.size() % 2 != 0) return std::nullopt;
  std::array<std::uint8_t, seal_bytes + flow_bytes_max> bytes{};
  const std::size_t size = text.size() / 2;
  if (size > bytes.size() || !core::hex_decode(text, {bytes.data(), size})) return std::nullopt;
  const std::span<const std::uint8_t> flow(bytes.data() + seal_bytes, size - seal_bytes);
  const auto wanted = seal(flow, call_id, key);
  std::uint8_t differs = 0;  // in constant time
  for (std::size_t i = 0; i < seal_bytes; ++i) differs = static_cast<std::uint8_t>(differs | (wanted[i] ^ bytes[i]));
  if (differs != 0) return std::nullopt;
  RouteToken token;
  token.has_flow = !flow.empty();
  if (token.has_flow && !unpack(flow, token.flow)) return std::nullopt;
  return token;
}

}  // namespace parley::sip
