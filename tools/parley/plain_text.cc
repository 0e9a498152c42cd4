// tools/parley/plain_text.cc - see plain_text.h.
#include "tools/parley/plain_text.h"

#include <algorithm>

#include "core/utf8.h"

namespace parley::client {

namespace {

std::string words(const Event::Field& field) {
  std::string out;
  for (const std::string& item : field.items) out += (out.empty() ? "" : " ") + item;
  return out;
}

// Bytes of the UTF-8 character at the beginning; 0: there is none.
std::size_t character_at(std::string_view text) {
  constexpr std::size_t bytes_max = 4;
  core::Utf8Check check;
  for (std::size_t size = 1; size <= std::min(bytes_max, text.size()); ++size) {
    if (!check.take(text.substr(size - 1, 1))) return 0;
    if (check.whole()) return size;
  }
  return 0;
}

}  // namespace

std::string harmless(std::string_view text, bool keep_lines) {
  std::string out;
  while (!text.empty()) {
    const char c = text.front();
    const auto byte = static_cast<unsigned char>(c);
    const std::size_t size = character_at(text);
    const std::string_view character = text.substr(0, std::max(size, std::size_t{1}));
    text.remove_prefix(character.size());
    if (c == '\r') continue;
    bool kept = size != 0 && byte >= 0x20 && byte != 0x7f;
    if (byte < 0x20) kept = c == '\t' || (keep_lines && c == '\n');
    if (c == '\xc2' && size == 2) kept = static_cast<unsigned char>(character[1]) >= 0xa0;  // U+0080 to U+009F are controls
    out += kept ? character : "?";
  }
  return out;
}

std::string plain_text(const Event& event) {
  if (event.name == "message") {
    const std::string who(event.get("name").empty() ? event.get("from") : event.get("name"));
    const std::string_view text = event.get("text");
    if (event.get("good") == "false") {
      return harmless(who, false) + ": [" + harmless(event.get("type"), false) + ", not saved: " +
             harmless(event.get("why"), false) + "]";
    }
    if (!event.get("path").empty()) return harmless(who, false) + ": [" + harmless(event.get("path"), false) + "]";
    if (event.get("base64").empty()) return harmless(who, false) + ": " + harmless(text, true);
    return harmless(who, false) + ": [" + harmless(event.get("type"), false) + "]";
  }
  if (event.name == "entry") {
    std::string out = harmless(event.get("id"), false);
    for (const std::string_view key : {"date", "size", "from"}) out += "  " + harmless(event.get(key), false);
    out += " ->";
    for (const Event::Field& field : event.fields) {
      if (field.key == "users") out += " " + harmless(words(field), false);
    }
    if (!event.get("group").empty()) out += " (" + harmless(event.get("group"), false) + ")";
    return event.get("subject").empty() ? out : out + "  " + harmless(event.get("subject"), false);
  }
  std::string out = "* " + std::string(event.name);
  for (const Event::Field& field : event.fields) {
    const std::string value = field.kind == Event::Field::Kind::list ? words(field) : field.text;
    out += " " + std::string(field.key) + "=" + harmless(value, false);
  }
  return out;
}

}  // namespace parley::client
