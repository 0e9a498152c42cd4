// tools/parley-load/words.h - reading words: of any case, of hex digits.
#pragma once

#include <strings.h>

#include <cstdint>
#include <string_view>

namespace parley::load {

inline bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// Lower-case digits and nothing else.
inline bool take_hex(std::string_view text, uint64_t& value) {
  value = 0;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(c >= 'a' && c <= 'f')) return false;
    value = value << 4 | static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  return true;
}

}  // namespace parley::load
