// tools/parley/client_invite.cc - sessions of ours: the INVITE and what comes of it (RFC 3261 section 13.2; OMA IM TS
// 7.1.1.1). See client.h.
#include <utility>

#include "sip/address.h"
#include "sip/content_type.h"
#include "sip/feature_tags.h"
#include "sip/multipart.h"
#include "sip/own_tag.h"
#include "sip/params.h"
#include "sip/value.h"
#include "tools/parley/client.h"

namespace parley::client {

using sip::HeaderId;
using sip::InviteEvent;
using sip::Method;

ImSession& Client::make_session(SessionKind kind, bool outgoing) {
  const std::uint32_t number = next_number_++;
  ImSession& session = sessions_.try_emplace(number, pool_, config_.invite, outgoing, now_.mono).first->second;
  session.number = number;
  session.kind = kind;
  session.sdp_id = random_.next() >> 16;
  return session;
}

std::uint32_t Client::open_session(std::string to, std::vector<std::string> recipients, std::string subject,
                                   bool group) {
  if (stopping_ || sessions_.size() >= config_.sessions_max) return 0;
  ImSession& session = make_session(SessionKind::chat, true);
  session.group = group || !recipients.empty();
  session.peer = recipients.empty() ? to : config_.factory;
  session.wish = {.kind = SessionKind::chat,
                  .to = recipients.empty() ? std::move(to) : config_.factory,
                  .recipients = std::move(recipients),
                  .subject = std::move(subject),
                  .sdp = {},
                  .timer = {}};
  session.envelope = new_envelope();
  const bool secure = config_.msrp.relay.starts_with("msrps:");
  session.media_open =
      msrp_.open(session.number, secure, {.types = own_types(SessionKind::chat, session.group), .judged = true});
  if (!session.media_open) {
    session.failure = "no room";
    end_session(session);
  }
  return session.number;  // media_ready() sends the INVITE
}

void Client::send_invite(ImSession& session) {
  session.wish.sdp = session.own_sdp;
  session.wish.timer = session.timer.ask(config_.timer);
  const std::uint32_t exchange = agent_.send(session_invite(self(), session.wish), session.envelope);
  if (exchange == 0) {
    session.failure = "no way to the server";
    carry_out(session, session.usage.on(InviteEvent::got_refusal, now_.mono), nullptr);
    return;
  }
  session.exchange = exchange;
  errands_[exchange] = {.kind = Errand::Kind::invite, .owner = session.number, .asked = session.wish.timer};
  tell_session(session, "inviting");
}

// SEED1-7.1.1.1-8, -9, SEED3-7.1.1.1-10, -11, SEED0-8.2.2.1-3, -4: what the peer allows, and the session's identity.
void Client::remember_peer(ImSession& session, const Received& message) {
  if (message.head.first(HeaderId::allow) != nullptr) {
    session.allows = {};
    session.allow_known = true;
    for (const sip::Header* h = message.head.first(HeaderId::allow); h != nullptr; h = message.head.next(*h)) {
      sip::add_methods(h->value.of(message.bytes), session.allows);
    }
  }
  for (const sip::Header* h = message.head.first(HeaderId::supported); h != nullptr; h = message.head.next(*h)) {
    sip::add_options(h->value.of(message.bytes), session.supports);
  }
  std::string_view contacts = message.head.value(HeaderId::contact, message.bytes);
  sip::Address contact;
  if (contacts.empty() || !sip::take_address(contacts, contact) || contact.star) return;
  if (can_be_called(contact.uri)) session.identity = contact.uri;
  session.is_focus = sip::has_feature_tag(contact.params, "isfocus");  // DEC-3
}

void Client::on_invite_response(ImSession& session, const UaFact& fact, std::uint16_t status, const Received* message,
                                const sip::TimerAsk& asked) {
  if (status < 200) {
    if (status > 100 && message != nullptr) {
      remember_peer(session, *message);
      if (session.usage.state() == sip::InviteState::calling) {
        tell_session(session, status == 180 ? "ringing" : "progress");
      }
    }
    return;
  }
  if (status < 300 && message != nullptr) {
    const std::uint64_t dialog = sip::tag_key(message->essentials.to_tag) != 0
                                     ? sip::tag_key(message->essentials.to_tag)
                                     : std::hash<std::string_view>{}(message->essentials.to_tag) | 1;
    const bool first = session.usage.winner() == 0;
    if (first) {
      const std::string from = session_invite(self(), session.wish).from + ";tag=" + session.envelope.from_tag;
      const std::string to = "<" + session.wish.to + ">";
      const sip::OpeningRequest ours{.call_id = session.envelope.call_id,
                                     .from = from,
                                     .to = to,
                                     .uri = session.wish.to,
                                     .cseq = agent_.cseq_of(fact.number),
                                     .secure = false};
      (void)session.dialog.open(ours, message->head, message->bytes, message->essentials);
      (void)session.dialog.confirm(message->head, message->bytes);
      session.invite_cseq = ours.cseq;
      remember_peer(session, *message);
      session.timer.answered(config_.timer, asked, sip::read_timer(message->head, message->bytes),
                             now_.mono);  // SEED1-7.1.1.1-10, SEED3-7.1.1.1-12
      take_answer(session, *message);
    }
    carry_out(session, session.usage.on_2xx(dialog, now_.mono), &fact);
    return;
  }
  if (session.exchange != fact.number) return;  // of an INVITE that was sent again
  session.exchange = 0;
  // R4028-2: the same again with what the server needs.
  std::uint32_t min_se = 0;
  if (status == 422 && message != nullptr) {
    (void)sip::parse_seconds(message->head.value(HeaderId::min_se, message->bytes), min_se);
    if (session.timer.refused(config_.timer, asked, status, min_se, now_.mono) == sip::TimerRetry::now &&
        !session.invite_again) {
      session.invite_again = true;
      session.envelope.cseq += 8;
      send_invite(session);
      return;
    }
  }
  // R4579-1: the factory may send us to the conference.
  if (status == 302 && message != nullptr && !session.invite_again) {
    std::string_view contacts = message->head.value(HeaderId::contact, message->bytes);
    sip::Address contact;
    if (!contacts.empty() && sip::take_address(contacts, contact) && !contact.star && can_be_called(contact.uri)) {
      session.invite_again = true;
      session.wish.to = contact.uri;
      session.wish.recipients.clear();
      session.envelope.cseq += 8;
      send_invite(session);
      return;
    }
  }
  session.failure = std::to_string(status);
  if (message != nullptr) {
    const std::string_view warning = message->head.value(HeaderId::warning, message->bytes);
    if (!warning.empty()) session.failure.append(" ").append(warning);
  }
  carry_out(session, session.usage.on(InviteEvent::got_refusal, now_.mono), &fact);
}

void Client::take_answer(ImSession& session, const Received& response) {
  sip::Sdp answer;
  if (!sip::parse_sdp(response.body, {}, answer).ok()) return;
  session.their_sdp = response.body;
  session.remote = read_answer(session.their_sdp, answer, session.file ? session.file->type : std::string());
}

void Client::send_ack(ImSession& session) {
  if (!session.dialog.made()) return;  // a 2xx that says of no way back
  std::vector<sip::HeaderText> headers;
  const std::vector<Line> credentials = agent_.credentials_of(session.exchange);  // R3261-8
  for (const Line& line : credentials) headers.push_back({.id = line.id, .value = line.value});
  session.dialog.write({.method = "ACK", .cseq = session.invite_cseq, .headers = headers}, session.ack);
  agent_.ack(session.ack, session.dialog.next_hop());
}

// R3261-9: a surplus 2xx is acknowledged and ended in its own dialog.
void Client::end_other(ImSession& session, const Received& response) {
  sip::Dialog other(pool_);
  const std::string to = "<" + session.wish.to + ">";
  const std::string from = session_invite(self(), session.wish).from + ";tag=" + session.envelope.from_tag;
  const sip::OpeningRequest ours{
      .call_id = session.envelope.call_id, .from = from, .to = to, .uri = session.wish.to, .cseq = session.invite_cseq};
  if (other.open(ours, response.head, response.bytes, response.essentials) != sip::DialogFault::none) return;
  std::string text;
  other.write({.method = "ACK", .cseq = session.invite_cseq}, text);
  agent_.ack(text, other.next_hop());
  other.write({.method = "BYE", .cseq = other.next_cseq()}, text);
  const std::uint32_t exchange = agent_.send_in(text, Method::bye, std::string(other.next_hop()));
  if (exchange != 0) errands_[exchange] = {.kind = Errand::Kind::other_bye};
}

}  // namespace parley::client
