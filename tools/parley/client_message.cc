// tools/parley/client_message.cc - pager mode, the choice of mode, notifications of disposition (OMA IM TS 8.1, 8.1.1;
// RFC 3428, RFC 5438). See client.h.
#include <algorithm>
#include <array>
#include <utility>

#include "core/id_text.h"
#include "core/text.h"
#include "sip/identity.h"
#include "tools/parley/client.h"

namespace parley::client {

using sip::HeaderId;

namespace {

constexpr std::string_view taken_types =
    "text/plain, message/cpim, multipart/mixed, multipart/alternative, "
    "message/imdn+xml, application/im-iscomposing+xml";

bool taken(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find_first_of("; \t"));
  constexpr std::array<std::string_view, 4> families = {"text/", "message/", "multipart/",
                                                        "application/im-iscomposing"};
  return type.empty() || std::any_of(families.begin(), families.end(), [&](std::string_view family) {
           return type.size() >= family.size() && core::equal_ignore_case(type.substr(0, family.size()), family);
         });
}

}  // namespace

std::string Client::new_message_id() {
  std::array<char, core::id128_chars> id{};
  core::id_encode128({random_.next(), random_.next()}, id.data());
  return {id.data(), id.size()};
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
    PagerWish pager{.to = wish.to,
                    .factory = config_.factory,
                    .target_dialog = {},
                    .content_type = wish.content_type,
                    .body = std::string(size, '\0'),
                    .expires = {}};
    if (!wish.body->read(0, pager.body)) return failed("pager", 500);
    if (!imdn_id.empty()) {  // SEED3-8.1.1-10
      pager.body = wrap_cpim({.from_name = self().anonymous ? self().alias : self().display_name,
                              .from_uri = self().anonymous ? std::string(anonymous_uri) : self().aor,
                              .to_uri = wish.to.front(),
                              .wall_ms = now_.wall_ms,
                              .imdn_id = imdn_id,
                              .want_delivery = wish.want_delivery,
                              .want_display = wish.want_display,
                              .imdn_route = {},
                              .content_type = pager.content_type,
                              .body = std::move(pager.body)});
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
      message.body = std::make_shared<TextSource>(wrap_cpim({.from_name = self().display_name,
                                                             .from_uri = self().aor,
                                                             .to_uri = wish.to.front(),
                                                             .wall_ms = now_.wall_ms,
                                                             .imdn_id = imdn_id,
                                                             .want_delivery = wish.want_delivery,
                                                             .want_display = wish.want_display,
                                                             .imdn_route = {},
                                                             .content_type = wish.content_type,
                                                             .body = std::move(body)}));
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
  const std::string_view type = request.head.value(HeaderId::content_type, request.bytes);
  if (!taken(type)) {
    Lines lines = answer_lines(self());
    lines.add(HeaderId::accept, taken_types);
    answer(fact.server, 415, lines);
    return;
  }
  const Content content = read_content(type, request.body);
  const sip::AssertedIdentity asserted = sip::asserted_identity(request.head, request.bytes);
  // OMA-DEF-8: what the deferred messaging function brings is from whom From names.
  std::string from(request.essentials.from.uri);
  if (asserted.any() && config_.trust_asserted && !is_deferred_function(request)) from = asserted.best().uri;
  answer(fact.server, 200);  // R3428-1: no body, no Contact
  show(content, from, session, "pager");
}

void Client::show(const Content& content, std::string_view from, ImSession* session, std::string_view mode) {
  if (content.imdn) {
    on_notification(*content.imdn, session);
    return;
  }
  const std::string sender = content.from_uri.empty() ? std::string(from) : content.from_uri;
  if (content.type == "application/im-iscomposing+xml") {  // R3994-1
    const bool active = content.body.find(">active<") != std::string::npos;
    Event event("composing");
    event.text("from", sender).flag("active", active);
    if (session != nullptr) event.number("session", session->number);
    tell(std::move(event));
    return;
  }
  Event event("message");
  event.text("from", sender).if_any("name", content.from_name).text("mode", mode);
  if (session != nullptr) event.number("session", session->number);
  event.text("type", content.type);
  if (content.type.starts_with("text/")) {
    event.text("text", content.body);
  } else {
    event.text("base64", base64(content.body));
  }
  event.if_any("date", content.date).if_any("id", content.imdn_id);
  tell(std::move(event));
  answer_receipts(content, sender, session);
}

void Client::answer_receipts(const Content& content, std::string_view sender, ImSession* session) {
  if (content.wants_delivery && config_.answer_delivered) {
    send_notification(content, sender, session, Disposition::delivered);
  }
  if (content.wants_display && config_.answer_displayed) {
    send_notification(content, sender, session, Disposition::displayed);
  }
}

// R5438-3, OMA-DR-1: back by the way it came: in a session as a message of it, else by MESSAGE.
void Client::send_notification(const Content& content, std::string_view to, ImSession* session,
                               Disposition disposition) {
  const std::string body = wrap_cpim({.from_name = {},
                                      .from_uri = self().aor,
                                      .to_uri = std::string(to),
                                      .wall_ms = now_.wall_ms,
                                      .imdn_id = new_message_id(),
                                      .is_notification = true,
                                      .imdn_route = content.imdn_route,
                                      .content_type = "message/imdn+xml",
                                      .body = imdn_document(content.imdn_id, disposition, self().aor, now_.wall_ms)});
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
