// tools/parley/client_stored.cc - what the server keeps for the user: messages that wait for him (OMA-DEF-10, -11, -13)
// and records of his conversations (OMA-HIS-1, -5). See client.h.
//
// A list is asked for by SUBSCRIBE, a fetch of one NOTIFY; what an entry names is fetched by INVITE to its reference
// and comes by MSRP; an entry is deleted by XCAP.
#include <algorithm>
#include <utility>

#include "core/text.h"
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

// A list is a document of somebody's. No telephone number keeps anything.
bool can_keep(std::string_view reference) {
  return can_be_called(reference) && !core::equal_ignore_case(reference.substr(0, 4), "tel:");
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
  tell_list(what, std::move(*list));
}

void Client::tell_list(Stored what, StoredList list) {
  const std::size_t count = list.entries.size();
  for (StoredEntry& entry : list.entries) {
    Event event("entry");
    event.text("of", to_string(what)).text("id", entry.id).if_any("mode", entry.mode).if_any("from", entry.from);
    event.list("users", std::move(entry.users)).if_any("group", entry.group).if_any("subject", entry.subject);
    event.text("date", entry.date).text("expiry", entry.expiry).number("size", entry.size);
    event.text("reference", entry.reference);
    tell(std::move(event));
  }
  tell(Event("list").text("of", to_string(what)).number("entries", count).number("left_out", list.left_out));
}

// OMA-DEF-13, OMA-HIS-5.
void Client::open_stored(Stored what, const StoredEntry& entry) {
  if (!can_keep(entry.reference)) return tell_list_failed(what, entry.id, 502);
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
  session.media_open =
      msrp_.open(session.number, config_.msrp.relay.starts_with("msrps:"), {.types = {"*"}, .judged = true});
  if (session.media_open) return;
  session.failure = "503";
  end_session(session);
}

// Receipts of a record were given when it was recorded.
Client::Arrived Client::show_stored(ImSession& session, const MsrpFact& fact) {
  const Content content = read_content(fact.content_type, fact.body);
  const std::string sender = content.from_uri.empty() ? session.peer : content.from_uri;
  Event event("message");
  event.text("from", sender).if_any("name", content.from_name).text("mode", to_string(session.stored));
  event.number("session", session.number).if_any("way", line_of(fact.headers, "History-Direction"));
  const std::string_view date =
      content.date.empty() ? line_of(fact.headers, "History-Date") : std::string_view(content.date);
  event.if_any("date", date).if_any("id", content.imdn_id);
  std::string stem(to_string(session.stored));
  stem.append("-").append(session.stored_id);
  if (const std::size_t dot = fact.message_id.rfind('.'); dot != std::string::npos) {
    stem.append("-").append(in_file_name(std::string_view(fact.message_id).substr(dot + 1)));
  }
  const Arrived arrived =
      tell_message(std::move(event), content, {.store = fetched_, .session = session.number, .stem = stem});
  if (arrived.kept == Kept::yes && session.stored == Stored::deferred)
    answer_receipts(content, sender, &session, arrived);
  return arrived;
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
  tell(
      Event("deleted").text("of", to_string(found->second.what)).text("id", found->second.id).number("status", status));
  erasing_.erase(found);
}

}  // namespace parley::client
