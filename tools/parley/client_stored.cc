// tools/parley/client_stored.cc - what the server keeps for the user: messages that wait for him (OMA-DEF-10, -11, -13) and records
// of his conversations (OMA-HIS-1, -5). See client.h.
//
// A list is asked for by SUBSCRIBE, a fetch of one NOTIFY; what an entry names is fetched by INVITE to its reference and comes by
// MSRP; an entry is deleted by XCAP.
#include <algorithm>
#include <utility>

#include "sip/uri.h"
#include "tools/parley/client.h"

namespace parley::client {

namespace {

// Of lines with their ends.
std::string_view line_of(std::string_view lines, std::string_view name) {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find("\r\n"), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 2, lines.size()));
    if (line.starts_with(name) && line.substr(name.size()).starts_with(": ")) return line.substr(name.size() + 2);
  }
  return {};
}

// What of a peer's words may stand in a file's name.
std::string in_name(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || (c >= '0' && c <= '9') || c == '.' || c == '+' || c == '-') out += c;
  }
  return out;
}

// A list is a document of somebody's: what becomes a Request-URI is one, and nothing besides.
bool can_be_called(std::string_view text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  sip::Uri uri;
  return std::none_of(text.begin(), text.end(), control) && sip::parse_uri(text, uri) &&
         (uri.scheme == sip::Scheme::sip || uri.scheme == sip::Scheme::sips);
}

// "image/png": what its file is called.
std::string file_name(const ImSession& session, std::string_view message_id, std::string_view type) {
  std::string name(to_string(session.stored));
  name.append("-").append(session.stored_id);
  if (const std::size_t dot = message_id.rfind('.'); dot != std::string_view::npos) {
    name.append("-").append(in_name(message_id.substr(dot + 1)));
  }
  const std::string_view kind = type.substr(std::min(type.find('/') + 1, type.size()));
  const std::string ending = in_name(kind);
  return name.append(".").append(ending.empty() ? "bin" : ending);
}

}  // namespace

void Client::list_stored(Stored what) { start_list(what, {}); }

void Client::fetch_stored(Stored what, std::string id) { start_list(what, std::move(id)); }

void Client::start_list(Stored what, std::string id) {
  start_fetch(Subscription::Kind::stored, fetch_list(self(), what), what, std::move(id));
}

void Client::tell_list_failed(Stored what, std::string_view id, std::uint16_t status) {
  Event event(id.empty() ? "list_failed" : "fetch_failed");
  event.text("of", to_string(what)).if_any("id", id).number("status", status);
  tell(std::move(event));
}

void Client::take_list(Subscription& subscription, std::string_view document) {
  if (std::exchange(subscription.told, true)) return;
  const Stored what = subscription.stored;
  std::optional<StoredList> list = read_stored_list(what, document);
  if (!list) return tell_list_failed(what, subscription.id, 502);
  if (!subscription.id.empty()) {
    for (const StoredEntry& entry : list->entries) {
      if (entry.id == subscription.id) return open_stored(what, entry);
    }
    return tell_list_failed(what, subscription.id, 404);
  }
  const std::size_t count = list->entries.size();
  for (StoredEntry& entry : list->entries) {
    Event event("entry");
    event.text("of", to_string(what)).text("id", entry.id).if_any("mode", entry.mode).if_any("from", entry.from);
    event.list("users", std::move(entry.users)).if_any("group", entry.group).if_any("subject", entry.subject);
    event.text("date", entry.date).text("expiry", entry.expiry).number("size", entry.size);
    event.text("reference", entry.reference);
    tell(std::move(event));
  }
  tell(Event("list").text("of", to_string(what)).number("entries", count).number("left_out", list->left_out));
}

// OMA-DEF-13, OMA-HIS-5.
void Client::open_stored(Stored what, const StoredEntry& entry) {
  if (!can_be_called(entry.reference)) return tell_list_failed(what, entry.id, 502);
  if (stopping_ || sessions_.size() >= config_.sessions_max) return tell_list_failed(what, entry.id, 503);
  ImSession& session = make_session(SessionKind::stored, true);
  session.stored = what;
  session.stored_id = entry.id;
  session.peer = what == Stored::deferred && can_be_called(entry.from) ? entry.from : entry.reference;
  session.wish = {.kind = SessionKind::stored,
                  .to = entry.reference,
                  .recipients = {},
                  .subject = {},
                  .sdp = {},
                  .timer = {}};
  session.envelope = new_envelope();
  tell(Event("fetch").text("of", to_string(what)).text("id", entry.id).number("session", session.number));
  session.media_open = msrp_.open(session.number, config_.msrp.relay.starts_with("msrps:"), {.types = {"*"}, .judged = true});
  if (session.media_open) return;
  session.failure = "503";
  end_session(session);
}

// False: it is lost to the user, who had better be able to fetch it again. What is no text goes into a file, or is told as it
// is where there is no place for files. Receipts of a record were given when it was recorded.
bool Client::show_stored(ImSession& session, const MsrpFact& fact) {
  const Content content = read_content(fact.content_type, fact.body);
  const std::string sender = content.from_uri.empty() ? session.peer : content.from_uri;
  Event event("message");
  event.text("from", sender).if_any("name", content.from_name).text("mode", to_string(session.stored));
  event.number("session", session.number).if_any("way", line_of(fact.headers, "History-Direction"));
  event.text("type", content.type);
  const FileOffer file{.name = file_name(session, fact.message_id, content.type),
                       .type = content.type,
                       .size = content.body.size()};
  bool has_it = true;
  if (content.type.starts_with("text/")) {
    event.text("text", content.body);
  } else if (content.body.empty()) {
    event.text("base64", {});
  } else {
    has_it = save(session, file, content.body, event);
  }
  const std::string_view date = content.date.empty() ? line_of(fact.headers, "History-Date") : std::string_view(content.date);
  event.if_any("date", date).if_any("id", content.imdn_id);
  tell(std::move(event));
  if (has_it && session.stored == Stored::deferred) answer_receipts(content, sender, &session);
  return has_it;
}

bool Client::save(const ImSession& session, const FileOffer& file, std::string_view bytes, Event& event) {
  const std::uint16_t refused = fetched_.begin(session.number, file);
  if (refused == FileStore::no_place) {
    event.text("base64", base64(bytes));
    return true;
  }
  if (refused != 0) {
    event.flag("good", false).text("why", "its file can not be opened");
    return false;
  }
  const bool written = fetched_.write(session.number, 1, bytes);
  const FileStore::Result result = fetched_.end(session.number, written);
  event.text("path", result.path).flag("good", result.good);
  if (!result.good) event.text("why", written ? result.why : "its file can not be written");
  return result.good;
}

bool Client::delete_stored(Stored what, std::string id) {
  if (xcap_ == nullptr || erasing_.size() >= config_.waiting_max) return false;
  const std::uint32_t ticket = next_number_++;
  xcap_->erase(ticket, stored_path(what, self().aor, id));
  erasing_.emplace(ticket, Erasing{.what = what, .id = std::move(id)});
  return true;
}

void Client::on_erased(std::uint32_t ticket, std::uint16_t status) {
  const auto found = erasing_.find(ticket);
  if (found == erasing_.end()) return;
  tell(Event("deleted").text("of", to_string(found->second.what)).text("id", found->second.id).number("status", status));
  erasing_.erase(found);
}

}  // namespace parley::client
