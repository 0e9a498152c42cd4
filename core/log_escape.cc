// core/log_escape.cc - makes text from peers harmless in a log line (log.h, X-29).
#include <array>
#include <cstddef>
#include <cstdint>

#include "core/log.h"

namespace parley::core {

namespace {

constexpr std::uint32_t not_utf8 = 0xffffffffU;

struct CodePoint {
  std::uint32_t value;
  std::size_t bytes;
};

// RFC 3629: shortest form only, no surrogates, at most U+10FFFF. One byte is consumed of what is no UTF-8.
CodePoint next_code_point(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  std::size_t size = 0;
  std::uint32_t value = 0;
  std::uint32_t least = 0;
  if (lead >= 0xc2 && lead <= 0xdf) {
    size = 2, value = lead & 0x1f, least = 0x80;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    size = 3, value = lead & 0x0f, least = 0x800;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    size = 4, value = lead & 0x07, least = 0x10000;
  } else {
    return {not_utf8, 1};
  }
  if (text.size() < size) return {not_utf8, 1};
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {not_utf8, 1};
    value = value << 6 | (byte(i) & 0x3f);
  }
  if (value < least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return {not_utf8, 1};
  return {value, size};
}

bool is_harmful(std::uint32_t c) {
  if (c < 0x20 || (c >= 0x7f && c <= 0x9f)) return true;       // C0, DEL, C1: ends a line or talks to the terminal
  if (c == 0x061c || c == 0x200e || c == 0x200f) return true;  // bidirectional marks
  if (c >= 0x2028 && c <= 0x202e) return true;                 // line and paragraph separators, embeddings, overrides
  return c >= 0x2066 && c <= 0x2069;                           // isolates
}

void append_hex(std::string& out, std::uint32_t value, unsigned digits) {
  constexpr std::string_view hex = "0123456789abcdef";
  while (digits-- > 0) out.push_back(hex[value >> (digits * 4) & 15]);
}

}  // namespace

void append_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = next_code_point(text);
    if (c.value == not_utf8 || (c.value < 0x80 && is_harmful(c.value))) {
      out += "\\x";
      append_hex(out, static_cast<unsigned char>(text[0]), 2);
    } else if (is_harmful(c.value)) {
      out += "\\u{";
      append_hex(out, c.value, 4);
      out += '}';
    } else if (c.value == '\\') {
      out += "\\\\";
    } else {
      out += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes);
  }
}

void append_json_escaped(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = next_code_point(text);
    if (c.value == not_utf8) {
      out += "\\ufffd";
    } else if (is_harmful(c.value)) {  // all of them are below U+10000
      out += "\\u";
      append_hex(out, c.value, 4);
    } else {
      if (c.value == '\\' || c.value == '"') out += '\\';
      out += text.substr(0, c.bytes);
    }
    text.remove_prefix(c.bytes);
  }
}

}  // namespace parley::core
