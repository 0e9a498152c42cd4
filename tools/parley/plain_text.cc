// tools/parley/plain_text.cc - see plain_text.h.
#include "tools/parley/plain_text.h"

namespace parley::client {

namespace {

std::string words(const Event::Field& field) {
  std::string out;
  for (const std::string& item : field.items) out += (out.empty() ? "" : " ") + item;
  return out;
}

}  // namespace

std::string harmless(std::string_view text, bool keep_lines) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '\r') continue;
    const bool kept = byte >= 0x20 ? byte != 0x7f : (c == '\t' || (keep_lines && c == '\n'));
    out += kept ? c : '?';
  }
  return out;
}

std::string plain_text(const Event& event) {
  if (event.name == "message") {
    const std::string who(event.get("name").empty() ? event.get("from") : event.get("name"));
    const std::string_view text = event.get("text");
    if (!event.get("path").empty()) return harmless(who, false) + ": [" + harmless(event.get("path"), false) + "]";
    if (event.get("base64").empty()) return harmless(who, false) + ": " + harmless(text, true);
    return harmless(who, false) + ": [" + harmless(event.get("type"), false) + "]";
  }
  if (event.name == "entry") {
    std::string out(event.get("id"));
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
