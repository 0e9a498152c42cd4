// core/id_text.h - numbers as text that is legal both in an MSRP ident and in a session-id (RFC 4975 9).
//
// Short: 22 characters for 128 bits, of A-Z a-z 0-9 + and '.', six bits each, most significant first. An ident must
// begin with a letter or digit: this form does (its first character carries two bits). Cheap: letters a to p, four bits
// each, the lowest of a word first; written and read eight at a time without a table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace parley::core {

inline constexpr std::string_view id_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.";
static_assert(id_alphabet.size() == 64);

inline constexpr std::size_t id128_chars = 22;
inline constexpr std::size_t letters64_chars = 16;
inline constexpr std::size_t letters32_chars = 8;

struct Id128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  bool operator==(const Id128&) const = default;
};

namespace detail {

constexpr std::array<std::int8_t, 256> make_id_values() {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < id_alphabet.size(); ++i) {
    values[static_cast<unsigned char>(id_alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
inline constexpr std::array<std::int8_t, 256> id_values = make_id_values();

inline constexpr std::uint64_t nibbles = 0x0f0f0f0f0f0f0f0fULL;
inline constexpr std::uint64_t letters_a = 0x6161616161616161ULL;

}  // namespace detail

// out has room for the width named in the function.
constexpr void id_encode128(const Id128& id, char* out) {
  // Two bits, then 21 characters of six: the halves meet inside a character.
  std::uint64_t high = id.high;
  std::uint64_t low = id.low;
  for (std::size_t i = id128_chars; i-- > 0;) {
    out[i] = id_alphabet[low & 63];
    low = (low >> 6) | (high << 58);
    high >>= 6;
  }
}

// Nothing unless `text` has exactly the width, only characters of the alphabet, and no bits beyond the number's width:
// every number has one text and every text at most one number.
constexpr std::optional<Id128> id_decode128(std::string_view text) {
  if (text.size() != id128_chars) return std::nullopt;
  Id128 id;
  for (std::size_t i = 0; i < id128_chars; ++i) {
    const int value = detail::id_values[static_cast<unsigned char>(text[i])];
    if (value < 0 || (i == 0 && value > 3)) return std::nullopt;
    id.high = (id.high << 6) | (id.low >> 58);
    id.low = (id.low << 6) | static_cast<std::uint64_t>(value);
  }
  return id;
}

// The high halves of all bytes come first, then the low halves.
inline void letters_encode64(std::uint64_t value, char* out) {
  const std::uint64_t words[2] = {((value >> 4) & detail::nibbles) + detail::letters_a,
                                  (value & detail::nibbles) + detail::letters_a};
  std::memcpy(out, words, sizeof words);
}

inline void letters_encode32(std::uint32_t value, char* out) {
  std::uint64_t word = value;
  word = (word | (word << 16)) & 0x0000ffff0000ffffULL;
  word = (word | (word << 8)) & 0x00ff00ff00ff00ffULL;
  word = (word | (word << 4)) & detail::nibbles;
  word += detail::letters_a;
  std::memcpy(out, &word, sizeof word);
}

// Nothing unless all eight characters at `text` are letters of the alphabet.
inline std::optional<std::uint32_t> letters_decode32(const char* text) {
  std::uint64_t word;
  std::memcpy(&word, text, sizeof word);
  // A borrow from one byte reaches the next only where the lower one is no letter: the test below sees that one.
  word -= detail::letters_a;
  if ((word & ~detail::nibbles) != 0) return std::nullopt;
  word = (word | (word >> 4)) & 0x00ff00ff00ff00ffULL;
  word = (word | (word >> 8)) & 0x0000ffff0000ffffULL;
  return static_cast<std::uint32_t>(word | (word >> 16));
}

}  // namespace parley::core
