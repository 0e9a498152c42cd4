// core/id_text.h - numbers as short text that is legal both in an MSRP ident and in a session-id (RFC 4975 9).
//
// 64 characters: A-Z a-z 0-9 + and '.'. Six bits each, most significant first, fixed width. An ident must begin with a
// letter or digit: the 22- and 11-character forms always do (their first character carries two and four bits); the
// 4-character form does for values below 62 << 18 and otherwise belongs behind another character.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace parley::core {

inline constexpr std::string_view id_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.";
static_assert(id_alphabet.size() == 64);

inline constexpr std::size_t id128_chars = 22;
inline constexpr std::size_t id64_chars = 11;
inline constexpr std::size_t id24_chars = 4;

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

}  // namespace detail

// out has room for the width named in the function.
constexpr void id_encode24(std::uint32_t value, char* out) {
  for (std::size_t i = id24_chars; i-- > 0; value >>= 6) out[i] = id_alphabet[value & 63];
}

constexpr void id_encode64(std::uint64_t value, char* out) {
  for (std::size_t i = id64_chars; i-- > 0; value >>= 6) out[i] = id_alphabet[value & 63];
}

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

constexpr std::optional<std::uint64_t> id_decode64(std::string_view text) {
  if (text.size() != id64_chars) return std::nullopt;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < id64_chars; ++i) {
    const int value = detail::id_values[static_cast<unsigned char>(text[i])];
    if (value < 0 || (i == 0 && value > 15)) return std::nullopt;
    number = (number << 6) | static_cast<std::uint64_t>(value);
  }
  return number;
}

constexpr std::optional<std::uint32_t> id_decode24(std::string_view text) {
  if (text.size() != id24_chars) return std::nullopt;
  std::uint32_t number = 0;
  for (const char c : text) {
    const int value = detail::id_values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    number = (number << 6) | static_cast<std::uint32_t>(value);
  }
  return number;
}

}  // namespace parley::core
