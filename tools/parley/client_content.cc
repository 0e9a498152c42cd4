// tools/parley/client_content.cc - what a message has brought: text is told as it is, what is none goes into a file
// where there is a place for files. Nobody is told that his message has arrived which the user does not have. See
// client.h.
#include <algorithm>
#include <utility>

#include "core/utf8.h"
#include "tools/parley/client.h"

namespace parley::client {

namespace {

bool is_utf8(std::string_view text) {
  core::Utf8Check check;
  return check.take(text) && check.whole();
}

// "image/png": "STEM.png".
std::string file_name(std::string_view stem, std::string_view type) {
  const std::string ending = in_file_name(type.substr(std::min(type.find('/') + 1, type.size())));
  return std::string(stem) + "." + (ending.empty() ? "bin" : ending);
}

}  // namespace

Client::Arrived Client::tell_message(Event event, const Content& content, const Place& place) {
  Arrived arrived;
  const std::string from(event.get("from"));
  tell_part(std::move(event), content, place, arrived);
  for (const ContentPart& part : content.more) {
    Event another("part");
    another.text("from", from);
    if (place.session != 0) another.number("session", place.session);
    tell_part(std::move(another), part, place, arrived);
  }
  return arrived;
}

void Client::tell_part(Event event, const ContentPart& part, const Place& place, Arrived& arrived) {
  event.text("type", part.type);
  if (part.type.starts_with("text/")) {
    event.text("text", part.body);
    if (config_.tells_bytes && !is_utf8(part.body)) event.text("base64", base64(part.body));
  } else {
    event.number("size", part.body.size());
    const Kept kept = keep(part, place, event);
    if (kept != Kept::yes) arrived.kept = kept;
    arrived.seen = arrived.seen && event.get("path").empty();
  }
  tell(std::move(event));
}

Client::Kept Client::keep(const ContentPart& part, const Place& place, Event& event) {
  const auto lost = [&](Kept kept, std::string_view why) {
    event.flag("good", false).text("why", why);
    return kept;
  };
  if (part.body.empty()) {
    event.text("base64", {});
    return Kept::yes;
  }
  const FileOffer file{.name = file_name(place.stem, part.type), .type = part.type, .size = part.body.size()};
  const std::uint16_t refused = place.store.begin(FileStore::of_message, file);
  if (refused == FileStore::no_place) {
    if (!config_.tells_bytes) return lost(Kept::no_place, "--files names no place for it");
    event.text("base64", base64(part.body));
    return Kept::yes;
  }
  if (refused != 0) return lost(Kept::failed, "its file can not be opened");
  // Begun and ended in one call, also in a session that has a file under way.
  const bool written = place.store.write(FileStore::of_message, 1, part.body);
  const FileStore::Result result = place.store.end(FileStore::of_message, written);
  event.if_any("path", result.path);
  if (!result.good) return lost(Kept::failed, written ? result.why : "its file can not be written");
  event.flag("good", true);
  return Kept::yes;
}

}  // namespace parley::client
