// core/utf8.h - whether bytes that come in pieces are UTF-8 (RFC 3629).
#pragma once

#include <cstdint>
#include <string_view>

namespace parley::core {

// Says no at the first byte that cannot be right: overlong forms, surrogates, above U+10FFFF, stray bytes.
class Utf8Check {
 public:
  void reset() { *this = Utf8Check{}; }
  // False once and for all when the bytes so far begin no UTF-8 text.
  [[nodiscard]] bool take(std::string_view bytes);
  // Nothing is missing from the last character.
  [[nodiscard]] bool whole() const { return missing_ == 0; }

 private:
  std::uint8_t missing_ = 0;  // continuation bytes still to come
  std::uint8_t low_ = 0x80;   // between which the next one has to be
  std::uint8_t high_ = 0xbf;
};

}  // namespace parley::core
