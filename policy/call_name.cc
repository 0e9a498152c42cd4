// policy/call_name.cc - see call_name.h.
#include "policy/call_name.h"

#include <array>
#include <cstring>

#include "core/id_text.h"

namespace parley::policy {
namespace {

constexpr std::size_t shard_letters = 4;
constexpr std::string_view kinds = "cps";  // by NameKind

std::uint32_t seal_of(const CallName& name, std::uint32_t noise, const core::HashKey& key) {
  return static_cast<std::uint32_t>(core::KeyedHash(key)
                                        .add(kinds.substr(static_cast<std::size_t>(name.kind), 1))
                                        .add(std::uint64_t{name.shard})
                                        .add(name.call.packed())
                                        .add(std::uint64_t{noise})
                                        .finish()
                                        .low);
}

}  // namespace

std::string make_call_name(const CallName& name, const core::HashKey& key, core::Random& random) {
  std::array<char, call_name_chars> text;
  std::array<char, core::letters32_chars> shard;
  core::letters_encode32(name.shard, shard.data());
  char* at = text.data();
  *at++ = kinds[static_cast<std::size_t>(name.kind)];
  std::memcpy(at, shard.data(), shard_letters);
  at += shard_letters;
  const auto noise = static_cast<std::uint32_t>(random.next());
  for (const std::uint32_t word : {name.call.index, name.call.generation, noise, seal_of(name, noise, key)}) {
    core::letters_encode32(word, at);
    at += core::letters32_chars;
  }
  return {text.data(), text.size()};
}

std::optional<CallName> read_call_name(std::string_view text, const core::HashKey& key) {
  if (text.size() != call_name_chars) return std::nullopt;
  const std::size_t kind = kinds.find(text.front());
  if (kind == std::string_view::npos) return std::nullopt;
  text.remove_prefix(1);
  std::array<char, core::letters32_chars> shard_text;
  shard_text.fill('a');
  std::memcpy(shard_text.data(), text.data(), shard_letters);
  const auto shard = core::letters_decode32(shard_text.data());
  const char* at = text.data() + shard_letters;
  const auto index = core::letters_decode32(at);
  const auto generation = core::letters_decode32(at + core::letters32_chars);
  const auto noise = core::letters_decode32(at + 2 * core::letters32_chars);
  const auto seal = core::letters_decode32(at + 3 * core::letters32_chars);
  if (!shard || !index || !generation || !noise || !seal) return std::nullopt;
  const CallName name{static_cast<std::uint16_t>(*shard), {*index, *generation}, static_cast<NameKind>(kind)};
  return seal_of(name, *noise, key) == *seal ? std::optional(name) : std::nullopt;
}

}  // namespace parley::policy
