// core/utf8.cc - see utf8.h.
#include "core/utf8.h"

#include <cstring>

namespace parley::core {
namespace {

constexpr std::uint64_t high_bits = 0x8080808080808080U;

const char* skip_ascii(const char* p, const char* end) {
  while (end - p >= 8) {
    std::uint64_t eight;
    std::memcpy(&eight, p, sizeof eight);
    if ((eight & high_bits) != 0) break;
    p += 8;
  }
  while (p != end && static_cast<unsigned char>(*p) < 0x80) ++p;
  return p;
}

}  // namespace

bool Utf8Check::take(std::string_view bytes) {
  if (high_ == 0) return false;  // it was wrong before
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  while (p != end) {
    if (missing_ == 0) {
      p = skip_ascii(p, end);
      if (p == end) return true;
    }
    const auto byte = static_cast<std::uint8_t>(*p++);
    if (missing_ != 0) {
      if (byte < low_ || byte > high_) {
        high_ = 0;
        return false;
      }
      --missing_;
      low_ = 0x80;
      high_ = 0xbf;
      continue;
    }
    // RFC 3629 section 4: what may follow these first bytes is narrower than 80 to bf.
    if (byte >= 0xc2 && byte <= 0xdf) {
      missing_ = 1;
    } else if (byte >= 0xe0 && byte <= 0xef) {
      missing_ = 2;
      if (byte == 0xe0) low_ = 0xa0;   // no overlong forms
      if (byte == 0xed) high_ = 0x9f;  // no surrogates
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      missing_ = 3;
      if (byte == 0xf0) low_ = 0x90;   // no overlong forms
      if (byte == 0xf4) high_ = 0x8f;  // nothing above U+10FFFF
    } else {
      high_ = 0;
      return false;
    }
  }
  return true;
}

}  // namespace parley::core
