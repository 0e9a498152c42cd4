// core/text.h - what every text protocol here needs: a piece of a text by offset, and comparison without case.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace parley::core {

// A piece of some text, counted from that text's first byte, so the bytes may move between reads.
struct Span {
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  [[nodiscard]] bool present() const { return length != 0; }
  [[nodiscard]] std::string_view of(std::string_view text) const { return text.substr(offset, length); }
};

// US-ASCII only, as the protocols have it.
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

constexpr bool equal_ignore_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

// What a grammar machine has marked: from one byte up to another, nothing (null data) when it never saw the first.
inline std::string_view between(const unsigned char* from, const unsigned char* to) {
  if (from == nullptr) return {};
  return {reinterpret_cast<const char*>(from), static_cast<std::size_t>(to - from)};
}

}  // namespace parley::core
