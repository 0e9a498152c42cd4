// sip/branch.cc - see branch.h.
#include "sip/branch.h"

#include <cstring>

#include "core/id_text.h"
#include "core/text.h"
#include "sip/params.h"

namespace parley::sip {
namespace {

constexpr std::size_t shard_at = magic_cookie.size();
constexpr std::size_t shard_letters = 4;
constexpr std::size_t slot_at = shard_at + shard_letters;
constexpr std::size_t random_at = slot_at + core::letters64_chars;
constexpr std::size_t dash_at = random_at + core::letters64_chars;
constexpr std::size_t loop_at = dash_at + 1;
static_assert(loop_at + core::letters64_chars == branch_bytes);

std::optional<std::uint64_t> decode64(const char* text) {
  // letters_encode64 writes the high halves of all bytes first, letters_decode32 reads the lowest of a word first.
  std::array<std::uint64_t, 2> words;
  std::memcpy(words.data(), text, sizeof words);
  for (std::uint64_t& word : words) {
    word -= core::detail::letters_a;
    if ((word & ~core::detail::nibbles) != 0) return std::nullopt;
  }
  return words[0] << 4 | words[1];
}

}  // namespace

void write_branch(const BranchName& name, Branch& text) {
  std::memcpy(text.data(), magic_cookie.data(), magic_cookie.size());
  std::array<char, core::letters32_chars> shard;
  core::letters_encode32(name.shard, shard.data());
  std::memcpy(text.data() + shard_at, shard.data(), shard_letters);
  core::letters_encode64(name.transaction.packed(), text.data() + slot_at);
  core::letters_encode64(name.random, text.data() + random_at);
  text[dash_at] = '-';
  core::letters_encode64(name.loop_hash, text.data() + loop_at);
}

std::optional<BranchName> read_branch(std::string_view text) {
  if (text.size() != branch_bytes || text.substr(0, shard_at) != magic_cookie || text[dash_at] != '-') {
    return std::nullopt;
  }
  std::array<char, core::letters32_chars> shard_text;
  shard_text.fill('a');
  std::memcpy(shard_text.data(), text.data() + shard_at, shard_letters);
  const auto shard = core::letters_decode32(shard_text.data());
  const auto slot = decode64(text.data() + slot_at);
  const auto random = decode64(text.data() + random_at);
  const auto loop_hash = decode64(text.data() + loop_at);
  if (!shard || !slot || !random || !loop_hash) return std::nullopt;
  return BranchName{static_cast<std::uint16_t>(*shard), core::SlotId::unpack(*slot), *random, *loop_hash};
}

std::string_view branch_of(const Via& via) {
  constexpr std::string_view name = ";branch=";
  // Quotes, white space and folds are the grammar's, and so is what is not found here.
  std::string_view rest = via.params;
  if (rest.find('"') != std::string_view::npos) return param_value(via.params, "branch");
  while (rest.size() > name.size()) {
    const std::string_view one = rest.substr(0, rest.find(';', 1));
    if (core::equal_ignore_case(one.substr(0, name.size()), name) && one.size() > name.size()) {
      const std::string_view value = one.substr(name.size());
      if (value.front() <= ' ' || value.back() <= ' ') break;
      return value;
    }
    rest.remove_prefix(one.size());
  }
  return param_value(via.params, "branch");
}

bool has_magic_cookie(std::string_view branch) {
  return branch.size() > magic_cookie.size() &&
         core::equal_ignore_case(branch.substr(0, magic_cookie.size()), magic_cookie);
}

}  // namespace parley::sip
