// tools/parley/client_content.cc - what a message has brought: text is told as it is, what is none goes into a file
// where there is a place for files. A message of several parts is taken whole or not at all: nobody is told that his
// message has arrived of which the user lacks a part, and what is refused, and may come again, shows nothing twice. See
// client.h.
#include <algorithm>
#include <utility>
#include <vector>

#include "core/utf8.h"
#include "tools/parley/client.h"

namespace parley::client {

namespace {

constexpr std::uint64_t file_cost = 4096;  // what the smallest file takes of a disk

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
  std::vector<Event> parts;
  const std::uint64_t saved_before = saved_bytes_;
  for (std::size_t i = 0; i <= content.more.size(); ++i) {
    const ContentPart& part = i == 0 ? content : content.more[i - 1];
    Event& told = parts.emplace_back("part");
    arrived.kept = keep(part, place, told);
    if (arrived.kept != Kept::yes) break;
    arrived.seen = arrived.seen && told.get("path").empty();
  }
  if (arrived.kept != Kept::yes) {  // the user hears of that part alone, and the sender that nothing has arrived
    for (const Event& part : parts) {
      if (part.get("good") == "true") place.store.remove(std::string(part.get("path")));
    }
    saved_bytes_ = saved_before;
    parts.erase(parts.begin(), parts.end() - 1);
  }
  const std::string from(event.get("from"));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Event told = i == 0 ? event : Event("part");
    if (i != 0) {
      told.text("from", from);
      if (place.session != 0) told.number("session", place.session);
    }
    told.fields.insert(told.fields.end(), parts[i].fields.begin(), parts[i].fields.end());
    tell(std::move(told));
  }
  return arrived;
}

Client::Kept Client::keep(const ContentPart& part, const Place& place, Event& event) {
  const auto lost = [&](Kept kept, std::string_view why) {
    event.flag("good", false).text("why", why);
    return kept;
  };
  event.text("type", part.type);
  if (part.type.starts_with("text/")) {
    event.text("text", part.body);
    if (config_.tells_bytes && !is_utf8(part.body)) event.text("base64", base64(part.body));
    return Kept::yes;
  }
  event.number("size", part.body.size());
  if (part.body.empty()) {
    event.text("base64", {});
    return Kept::yes;
  }
  const FileOffer file{.name = file_name(place.stem, part.type), .type = part.type, .size = part.body.size()};
  // Others may send as often as they like; what the user fetches he has asked for.
  const std::uint64_t cost = &place.store == &files_ ? std::max<std::uint64_t>(part.body.size(), file_cost) : 0;
  const std::uint16_t refused = place.store.begin(FileStore::of_message, file);
  if (refused == FileStore::no_place) {
    if (!config_.tells_bytes) return lost(Kept::no_place, "--files names no place for it");
    event.text("base64", base64(part.body));
    return Kept::yes;
  }
  if (refused != 0) return lost(Kept::failed, "its file can not be opened");
  // Begun and ended in one call, also in a session that has a file under way.
  const bool room = cost <= config_.saved_bytes_max - saved_bytes_;
  const bool written = room && place.store.write(FileStore::of_message, 1, part.body);
  const FileStore::Result result = place.store.end(FileStore::of_message, written);
  event.if_any("path", result.path);
  if (!room) return lost(Kept::failed, "--saved-bytes-max is reached");
  if (!result.good) return lost(Kept::failed, written ? result.why : "its file can not be written");
  saved_bytes_ += cost;
  event.flag("good", true);
  return Kept::yes;
}

}  // namespace parley::client
