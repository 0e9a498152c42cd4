// tools/parley/plain_text.cc - see plain_text.h.
#include "tools/parley/plain_text.h"

#include <algorithm>

#include "core/utf8.h"
#include "sip/status.h"

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

// It is not seen itself, but makes what stands around it seen in another order or on another line. Only U+061C has two
// bytes, the others have three.
bool is_hidden(std::string_view character) {
  if (character == "\xd8\x9c") return true;
  if (character.size() != 3) return false;
  const auto bits = [&](std::size_t i, unsigned mask) { return static_cast<unsigned char>(character[i]) & mask; };
  const unsigned value = bits(0, 0x0f) << 12 | bits(1, 0x3f) << 6 | bits(2, 0x3f);
  return (value >= 0x200b && value <= 0x200f) || (value >= 0x2028 && value <= 0x202e) ||
         (value >= 0x2060 && value <= 0x206f) || value == 0xfeff;
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
    if (c == '\xc2' && size == 2) kept = static_cast<unsigned char>(character[1]) >= 0xa0;  // below: controls
    // A text ends with its own line; a name stands in a sentence of ours.
    if (!keep_lines && is_hidden(character)) kept = false;
    out += kept ? character : "?";
  }
  return out;
}

std::string status_text(std::uint64_t status) {
  if (status == 401 || status == 407) return std::to_string(status) + ", the password is refused";
  const bool known = status >= 100 && status < 700;
  return std::to_string(status) +
         (known ? " " + std::string(sip::reason_phrase(static_cast<std::uint16_t>(status))) : "");
}

namespace {

// The field as it may be shown.
std::string shown(const Event& event, std::string_view key) { return harmless(event.get(key), false); }

std::string status_of(const Event& event) { return status_text(event.number_of("status")); }

// "[image/png, 7 bytes: DIR/bob.png]"
std::string thing(const Event& event, std::string_view what) {
  std::string out = "[" + harmless(what, false);
  if (!event.get("size").empty()) out += ", " + std::string(event.get("size")) + " bytes";
  if (event.get("good") == "false") {
    out += ", not saved: " + shown(event, "why");
  } else if (!event.get("path").empty()) {
    out += ": " + shown(event, "path");
  }
  return out + "]";
}

std::string message_text(const Event& event) {
  std::string out = shown(event, event.get("name").empty() ? "from" : "name") + ": ";
  if (!event.get("size").empty()) return out + thing(event, event.get("type"));
  for (const char c : harmless(event.get("text"), true)) {
    out += c;
    if (c == '\n') out += "  ";  // what begins a line is ours
  }
  return out;
}

std::string file_text(const Event& event) { return shown(event, "from") + ": " + thing(event, event.get("name")); }

std::string entry_text(const Event& event) {
  std::string out = shown(event, "id");
  for (const std::string_view key : {"date", "size", "from"}) out += "  " + shown(event, key);
  out += " ->";
  for (const Event::Field& field : event.fields) {
    if (field.key == "users") out += " " + harmless(words(field), false);
  }
  if (!event.get("group").empty()) out += " (" + shown(event, "group") + ")";
  return event.get("subject").empty() ? out : out + "  " + shown(event, "subject");
}

std::string invited_text(const Event& event) {
  const std::string number = shown(event, "session");
  const std::string_view kind = event.get("kind");
  std::string out = "* " + shown(event, "from");
  if (kind == "file") {
    out += " sends the file " + shown(event, "file") + ", " + shown(event, "size") + " bytes";
  } else {
    out += kind == "large" ? " sends a long message" : kind == "group" ? " invites to a group" : " invites";
  }
  if (!event.get("subject").empty()) out += ": " + shown(event, "subject");
  if (event.get("accepted") == "false") out += "; /accept " + number + " or /decline " + number;
  return out;
}

std::string session_text(const Event& event) {
  const std::string_view state = event.get("state");
  std::string out =
      "* session " + shown(event, "session") + " with " + shown(event, "peer") + ": " + std::string(state);
  if (!event.get("why").empty()) out += ", " + shown(event, "why");
  return out;
}

// "invisible=on": as `settings set` takes them.
std::string settings_text(const Event& event) {
  std::string out;
  for (const Event::Field& field : event.fields) {
    out += (out.empty() ? "" : " ") + std::string(field.key) + (field.text == "true" ? "=on" : "=off");
  }
  return out;
}

std::string other_text(const Event& event) {
  std::string out = "* " + std::string(event.name);
  for (const Event::Field& field : event.fields) {
    const std::string value = field.kind == Event::Field::Kind::list ? words(field) : field.text;
    out += " " + std::string(field.key) + "=" + harmless(value, false);
  }
  return out;
}

}  // namespace

std::string plain_text(const Event& event) {
  const std::string_view name = event.name;
  if (name == "message" || name == "part") return message_text(event);
  if (name == "file") return file_text(event);
  if (name == "entry") return entry_text(event);
  if (name == "invited") return invited_text(event);
  if (name == "session") return session_text(event);
  if (name == "settings") return settings_text(event);
  if (name == "registered") return "* registered as " + shown(event, "user");
  if (name == "register_failed") {
    const std::uint64_t status = event.number_of("status");
    return "* not registered: " + status_of(event) + (status == 408 || status >= 500 ? "; it is tried again" : "");
  }
  if (name == "broken") return "* a message of " + shown(event, "from") + " was cut off, or is too long";
  if (name == "roster") {
    std::string out = "* in session " + shown(event, "session") + ":";
    for (const Event::Field& field : event.fields) {
      if (field.key == "users") out += " " + harmless(words(field), false);
    }
    return out;
  }
  if (name == "published")
    return event.number_of("status") < 300 ? "* published" : "* not published: " + status_of(event);
  if (name == "deferred") return "* " + shown(event, "messages") + " messages wait for you";
  if (name == "list") return "* " + shown(event, "entries") + " entries";
  if (name == "deleted" && event.number_of("status") < 300 && event.number_of("status") != 0)
    return "* deleted: " + shown(event, "id");
  if (name == "list_failed") return "* no list of " + shown(event, "of") + ": " + status_of(event);
  if (name == "fetch_failed") return "* not fetched: " + shown(event, "id") + ": " + status_of(event);
  if (name == "referred" || name == "refer_result") {
    return "* inviting or removing others: " + status_of(event);
  }
  if (name == "no_receipt") return "* no receipt for " + shown(event, "to") + ", who is nobody to send one to";
  return other_text(event);
}

}  // namespace parley::client
