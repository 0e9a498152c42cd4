// tools/parley/client_message.cc - pager mode, the choice of mode, notifications of disposition (OMA IM TS 8.1, 8.1.1;
// RFC 3428, RFC 5438). See client.h.
#include <algorithm>
#include <array>
#include <utility>

#include "core/id_text.h"
#include "policy/cpim.h"
#include "sip/identity.h"
#include "sip/uri.h"
#include "tools/parley/client.h"

namespace parley::client {

using sip::HeaderId;

namespace {

// Where there is no place for anything else.
constexpr std::string_view taken_types =
    "text/plain, message/cpim, multipart/mixed, multipart/alternative, "
    "message/imdn+xml, application/im-iscomposing+xml";

// "sip:bob@example.org", 2023-11-14: "bob-20231114T221320Z".
std::string file_stem(std::string_view sender, std::int64_t wall_ms) {
  sip::Uri uri;
  std::string when;
  policy::append_date_time(when, wall_ms);
  std::erase_if(when, [](char c) { return c == '-' || c == ':'; });
  std::string name = in_file_name(sip::parse_uri(sender, uri) ? uri.user : std::string_view());
  name.erase(0, name.find_first_not_of("-."));  // no option of a command, no hidden file
  return (name.empty() ? "message" : name) + "-" + when;
}

}  // namespace

std::string Client::new_message_id() {
  std::array<char, core::id128_chars> id{};
  core::id_encode128({random_.next(), random_.next()}, id.data());
  return {id.data(), id.size()};
}

// OMA-ALIAS-1: of an anonymous user nothing but the alias.
CpimWish Client::own_cpim(std::string to, std::string content_type, std::string body) const {
  CpimWish wish;
  wish.from_name = self().anonymous ? self().alias : self().display_name;
  wish.from_uri = self().anonymous ? std::string(anonymous_uri) : self().aor;
  wish.to_uri = std::move(to);
  wish.wall_ms = now_.wall_ms;
  wish.content_type = std::move(content_type);
  wish.body = std::move(body);
  return wish;
}

std::string Client::asking(const SendWish& wish, const std::string& imdn_id, std::string body) const {
  CpimWish cpim = own_cpim(wish.to.front(), wish.content_type, std::move(body));
  cpim.imdn_id = imdn_id;
  cpim.want_delivery = wish.want_delivery;
  cpim.want_display = wish.want_display;
  return wrap_cpim(cpim);
}

// SEED3-8.1-1, -2: the size of the whole request decides (DEC-12).
std::uint32_t Client::send(SendWish wish) {
  const std::uint32_t ticket = next_number_++;
  const auto failed = [&](std::string_view mode, std::uint16_t status) {
    tell(Event("sent").number("ticket", ticket).text("mode", mode).number("status", status));
    return ticket;
  };
  if (stopping_ || wish.to.empty() || wish.body == nullptr) return failed("pager", 503);
  if (wish.to.size() > 1 && config_.factory.empty()) return failed("pager", 404);
  std::string imdn_id;
  if (wish.want_delivery || wish.want_display) imdn_id = new_message_id();
  const std::uint64_t size = wish.body->size();
  if (size < config_.pager_bytes) {
    std::string body(size, '\0');
    if (!wish.body->read(0, body)) return failed("pager", 500);
    PagerWish pager{.to = wish.to,
                    .factory = config_.factory,
                    .target_dialog = {},
                    .content_type = wish.content_type,
                    .body = std::move(body),
                    .expires = {}};
    if (!imdn_id.empty()) {  // SEED3-8.1.1-10
      pager.body = asking(wish, imdn_id, std::move(pager.body));
      pager.content_type = "message/cpim";
    }
    const Request request = pager_message(self(), pager);
    if (agent_.size_of(request) < config_.pager_bytes) {
      const std::uint32_t exchange = agent_.send(request, new_envelope());  // SEED3-8.1.1-11
      if (exchange == 0) return failed("pager", 503);
      errands_[exchange] = {.kind = Errand::Kind::message, .owner = ticket};
      if (!imdn_id.empty()) await_receipt(ticket, imdn_id);  // SEED3-8.1.1-N3
      return ticket;
    }
  }
  if (sessions_.size() >= config_.sessions_max) return failed("large", 486);
  ImSession& session = make_session(SessionKind::large, true);
  session.peer = wish.to.front();
  session.ticket = ticket;
  session.wish.kind = SessionKind::large;
  session.wish.to = wish.to.front();
  if (wish.to.size() > 1) {  // OMA-LRG-3: the same URIs as in pager mode
    session.wish.to = config_.factory + ";sessiontype=adhoc";
    session.wish.recipients = wish.to;
  }
  session.envelope = new_envelope();
  SessionMessage message{
      .ticket = ticket, .content_type = wish.content_type, .imdn_id = {}, .body = wish.body, .want_report = true};
  if (!imdn_id.empty()) {
    std::string body(size, '\0');
    if (size <= config_.msrp.message_bytes_max && wish.body->read(0, body)) {
      message.body = std::make_shared<TextSource>(asking(wish, imdn_id, std::move(body)));
      message.content_type = "message/cpim";
      await_receipt(ticket, imdn_id);
    }
  }
  session.messages.push_back(std::move(message));
  session.media_open = msrp_.open(session.number, config_.msrp.relay.starts_with("msrps:"), {.types = {"*"}});
  if (!session.media_open) {
    session.failure = "503";
    end_session(session);
  }
  return ticket;
}

void Client::on_pager(const UaFact& fact, ImSession* session) {
  const Received& request = *fact.message;
  const Content content = read_content(request.head.value(HeaderId::content_type, request.bytes), request.body);
  const sip::AssertedIdentity asserted = sip::asserted_identity(request.head, request.bytes);
  const bool from_function = is_deferred_function(request);
  if (from_function && content.type == list_type(Stored::deferred)) {  // OMA-DEF-12
    if (std::optional<StoredList> list = read_stored_list(Stored::deferred, content.body)) {
      answer(fact.server, 200);
      return tell_list(Stored::deferred, std::move(*list));
    }
  }
  // OMA-DEF-8: what the deferred messaging function brings is from whom From names.
  std::string sender = content.from_uri;
  if (sender.empty()) {
    sender =
        asserted.any() && config_.trust_asserted && !from_function ? asserted.best().uri : request.essentials.from.uri;
  }
  const Arrived arrived = show(content, sender, session, "pager");
  if (arrived.kept == Kept::no_place) {
    Lines lines = answer_lines(self());
    lines.add(HeaderId::accept, taken_types);
    return answer(fact.server, 415, lines);
  }
  // Not 480: the user is here, and what others send him may be kept.
  if (arrived.kept == Kept::failed) return answer(fact.server, 500);
  answer(fact.server, 200);  // R3428-1: no body, no Contact
  answer_receipts(content, sender, session, arrived);
}

Client::Arrived Client::show(const Content& content, std::string_view sender, ImSession* session,
                             std::string_view mode) {
  if (content.imdn) {
    on_notification(*content.imdn, session);
    return {};
  }
  if (content.type == "application/im-iscomposing+xml") {  // R3994-1
    const bool active = content.body.find(">active<") != std::string::npos;
    Event event("composing");
    event.text("from", sender).flag("active", active);
    if (session != nullptr) event.number("session", session->number);
    tell(std::move(event));
    return {};
  }
  Event event("message");
  event.text("from", sender).if_any("name", content.from_name).text("mode", mode);
  if (session != nullptr) event.number("session", session->number);
  event.if_any("date", content.date).if_any("id", content.imdn_id);
  return tell_message(
      std::move(event), content,
      {.store = files_, .session = session != nullptr ? session->number : 0, .stem = file_stem(sender, now_.wall_ms)});
}

// A CPIM head is its sender's own words: a receipt goes to what can be called, and to nobody else.
void Client::answer_receipts(const Content& content, std::string_view sender, ImSession* session,
                             const Arrived& arrived) {
  const bool delivered = content.wants_delivery && config_.answer_delivered;
  const bool displayed = content.wants_display && config_.answer_displayed && arrived.seen;
  if (!delivered && !displayed) return;
  if (!can_be_called(sender)) {
    tell(Event("no_receipt").text("to", sender));
    return;
  }
  if (delivered) {
    send_notification(content, sender, session, Disposition::delivered);
  }
  if (displayed) {
    send_notification(content, sender, session, Disposition::displayed);
  }
}

// R5438-3, OMA-DR-1: back by the way it came: in a session as a message of it, else by MESSAGE.
void Client::send_notification(const Content& content, std::string_view to, ImSession* session,
                               Disposition disposition) {
  const std::string_view who = self().anonymous ? std::string_view() : std::string_view(self().aor);
  CpimWish wish =
      own_cpim(std::string(to), "message/imdn+xml", imdn_document(content.imdn_id, disposition, who, now_.wall_ms));
  wish.imdn_id = new_message_id();
  wish.is_notification = true;
  wish.imdn_route = content.imdn_route;
  const std::string body = wrap_cpim(wish);
  if (session != nullptr && session->kind == SessionKind::chat && session->media_up) {
    if (session->messages.size() >= config_.waiting_max) return;
    session->messages.push_back(
        {.content_type = "message/cpim", .imdn_id = {}, .body = std::make_shared<TextSource>(body), .told = true});
    flush(*session);
    return;
  }
  const Request request = pager_message(self(), {.to = {std::string(to)},
                                                 .factory = {},
                                                 .target_dialog = {},
                                                 .content_type = "message/cpim",
                                                 .body = body,
                                                 .expires = {}});
  const std::uint32_t exchange = agent_.send(request, new_envelope());
  if (exchange != 0) errands_[exchange] = {.kind = Errand::Kind::notification};
}

void Client::await_receipt(std::uint32_t ticket, std::string message_id) {
  if (receipts_.size() >= config_.waiting_max) receipts_.pop_front();
  receipts_.push_back(
      {.ticket = ticket, .message_id = std::move(message_id), .until = now_.mono + config_.receipt_wait});
}

void Client::on_notification(const Imdn& imdn, ImSession* session) {
  const auto found = std::find_if(receipts_.begin(), receipts_.end(),
                                  [&](const Waiting& waiting) { return waiting.message_id == imdn.message_id; });
  if (found == receipts_.end()) return;  // of a message that is forgotten, or never was ours
  found->answered = true;
  Event event("delivery");
  event.number("ticket", found->ticket);
  if (session != nullptr) event.number("session", session->number);
  event.text("status", to_string(imdn.disposition)).text("by", "imdn").if_any("recipient", imdn.recipient);
  tell(std::move(event));
}

}  // namespace parley::client
