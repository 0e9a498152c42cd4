// core/json_text.h - JSON written piece by piece: our own numbers, and texts of peers that are escaped here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace parley::core {

inline void put_json_string(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {  // names may hold any byte; none may break the document
      out.append("\\u00").append(1, hex[byte >> 4]).append(1, hex[byte & 15]);
    } else {
      out += c;
    }
  }
  out += '"';
}

// The same of text that is UTF-8 for sure, as documents of ours are: it stays what it is.
inline void put_json_utf8(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += ' ';  // documents have no other control characters that mean something
    }
  }
  out += '"';
}

// Further members of an object: they begin with a comma.
inline void put_json_field(std::string& out, std::string_view name, std::uint64_t value) {
  out.append(",\"").append(name).append("\":").append(std::to_string(value));
}
inline void put_json_field(std::string& out, std::string_view name, std::string_view text) {
  out.append(",\"").append(name).append("\":");
  put_json_string(out, text);
}
inline void put_json_flag(std::string& out, std::string_view name, bool value) {
  out.append(",\"").append(name).append(value ? "\":true" : "\":false");
}

}  // namespace parley::core
