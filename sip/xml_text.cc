// sip/xml_text.cc - see xml_text.h.
#include "sip/xml_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace parley::sip {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

// The bytes of the UTF-8 character that `text` begins with; 0: it begins with none. Surrogates, overlong forms and
// U+FFFE, U+FFFF are none (XML 1.0 production 2).
std::size_t character_bytes(std::string_view text) {
  const auto byte = [text](std::size_t n) { return static_cast<unsigned char>(text[n]); };
  const unsigned first = byte(0);
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return 0;
  std::uint32_t code = first & (0xFFU >> (size + 1));
  for (std::size_t n = 1; n < size; ++n) {
    if ((byte(n) & 0xC0U) != 0x80) return 0;
    code = code << 6 | (byte(n) & 0x3FU);
  }
  constexpr std::array<std::uint32_t, 5> lowest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (code < lowest[size] || surrogate || code > 0x10FFFF || code == 0xFFFE || code == 0xFFFF) return 0;
  return size;
}

}  // namespace

void put_xml_text(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = character_bytes(text);
    switch (size == 0 ? '\0' : text[0]) {
      case '\0': out += replacement; break;
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      // A reader would make spaces of them, or drop them.
      case '\t': out += "&#9;"; break;
      case '\n': out += "&#10;"; break;
      case '\r': out += "&#13;"; break;
      default: out += text.substr(0, size);
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
}

}  // namespace parley::sip
