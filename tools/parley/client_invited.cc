// tools/parley/client_invited.cc - sessions that others invite us to (RFC 3261 section 13.3; OMA IM TS 7.1.2.1 as the
// seed SEED0 has it). See client.h.
#include <algorithm>
#include <utility>

#include "core/text.h"
#include "sip/address.h"
#include "sip/feature_tags.h"
#include "sip/identity.h"
#include "sip/multipart.h"
#include "sip/uri.h"
#include "sip/value.h"
#include "tools/parley/client.h"

namespace parley::client {

using sip::HeaderId;
using sip::InviteEvent;

namespace {

std::string_view sdp_of(const sip::Received& message) {
  return sip::sdp_in(message.head.value(HeaderId::content_type, message.bytes), message.body);
}

sip::OptionSet known_options() {
  sip::OptionSet set;
  sip::add_options(own_options, set);
  for (const std::string_view more : {"pref", "path", "outbound", "gruu", "replaces"})
    sip::add_options(more, set);  // T-15
  return set;
}

}  // namespace

// DEC-1: believed from the server alone; user parts without regard to case, for this list only.
bool Client::is_deferred_function(const Received& invite) const {
  if (!config_.trust_asserted) return false;
  const sip::AssertedIdentity identity = sip::asserted_identity(invite.head, invite.bytes);
  sip::Uri asserted;
  if (!identity.any() || !sip::parse_uri(identity.best().uri, asserted)) return false;
  return std::any_of(config_.deferred_uris.begin(), config_.deferred_uris.end(), [&](const std::string& text) {
    sip::Uri known;
    return sip::parse_uri(text, known) && core::equal_ignore_case(known.user, asserted.user) &&
           core::equal_ignore_case(known.host, asserted.host);
  });
}

// SEED0-8.2.2.1-5: what has to come back is the user agent's, tags are here.
void Client::on_invite(const UaFact& fact) {
  const Received& request = *fact.message;
  const auto refuse = [&](std::uint16_t status, Lines lines) { answer(fact.server, status, lines); };
  const sip::OptionSet known = known_options();
  for (const sip::Header* h = request.head.first(HeaderId::require); h != nullptr; h = request.head.next(*h)) {
    std::string_view rest = h->value.of(request.bytes);
    const std::string_view unknown = sip::next_unsupported(rest, known);
    if (unknown.empty()) continue;
    Lines lines = invite_answer(self(), 420, SessionKind::chat, {}, {});
    lines.add(HeaderId::unsupported, unknown);
    return refuse(420, lines);
  }
  const std::string_view text = sdp_of(request);
  sip::Sdp offer;
  std::optional<OfferView> view;
  if (!text.empty()) {
    if (!sip::parse_sdp(text, {}, offer).ok())
      return refuse(400, invite_answer(self(), 400, SessionKind::chat, {}, {}));
    view = read_offer(text, offer);
    if (!view || (view->file && !view->path.empty() && view->direction == sip::SdpDirection::recvonly)) {
      return refuse(488, invite_answer(self(), 488, SessionKind::chat, {}, {}));
    }
  } else if (!request.body.empty()) {
    Lines lines = invite_answer(self(), 415, SessionKind::chat, {}, {});
    lines.add(HeaderId::accept, "application/sdp, multipart/mixed");
    return refuse(415, lines);
  }
  const bool deferred = is_deferred_function(request);
  // SEED0-8.2.2.1-1: busy; not before -2 (DEC-2): what our own deferred messaging function brings is never refused so.
  if ((stopping_ || sessions_.size() >= config_.sessions_max) && !deferred) {
    return refuse(486, invite_answer(self(), 486, SessionKind::chat, {}, {}));
  }
  if (sessions_.size() >= 2 * std::size_t{config_.sessions_max}) {  // DEC-2: exhausted all the same
    Lines lines = invite_answer(self(), 480, SessionKind::chat, {}, {});
    lines.add(HeaderId::retry_after, "60");
    return refuse(480, lines);
  }

  bool large = false;  // OMA-ID-2, DEC-5: in either header
  for (const sip::Header* h = request.head.first(HeaderId::accept_contact); h != nullptr; h = request.head.next(*h)) {
    large = large || sip::has_feature_tag(sip::split_item(h->value.of(request.bytes)).parameters, large_message_tag);
  }
  std::string_view contacts = request.head.value(HeaderId::contact, request.bytes);
  sip::Address contact;
  if (!contacts.empty() && sip::take_address(contacts, contact)) {
    large = large || sip::has_feature_tag(contact.params, large_message_tag);
  }
  SessionKind kind = SessionKind::chat;
  if (large) kind = SessionKind::large;
  if (view && view->file) kind = SessionKind::file;

  ImSession& session = make_session(kind, false);
  session.server = fact.server;
  session.from_deferred = deferred;
  session.local_tag = new_tag();
  session.invite_cseq = request.essentials.cseq.number;
  session.grant = session.timer.grant(config_.timer, sip::read_timer(request.head, request.bytes));
  if (session.grant.refuse) {
    Lines lines = invite_answer(self(), 422, kind, {}, {});
    lines.add(HeaderId::min_se, std::to_string(session.grant.min_se));
    sessions_.erase(session.number);
    return refuse(422, lines);
  }
  const sip::DialogFault fault =
      session.dialog.accept(request.head, request.bytes, request.essentials, session.local_tag, request.secure());
  if (fault != sip::DialogFault::none) {
    const std::uint16_t status = sip::refusal(fault);
    sessions_.erase(session.number);
    return refuse(status, invite_answer(self(), status, kind, {}, {}));
  }
  remember_peer(session, request);  // SEED0-8.2.2.1-3, -4
  const sip::AssertedIdentity asserted = sip::asserted_identity(request.head, request.bytes);
  session.peer = asserted.any() && config_.trust_asserted ? asserted.best().uri : request.essentials.from.uri;
  session.group = session.is_focus;
  session.remote = view;
  session.their_sdp = text;
  session.offered_nothing = text.empty();

  if (view && view->file) {
    session.file = view->file;
    if (view->file->size > config_.file_bytes_max)
      return refuse_invite(session, 488, "a file that is too long");  // OMA-FT-5
    if (const std::uint16_t status = files_.begin(session.number, *view->file); status != 0) {
      const bool no_place = status == FileStore::no_place;
      return refuse_invite(session, status,
                           no_place ? "a file for which --files names no place" : "its file can not be opened");
    }
    session.file_begun = true;
  }
  MsrpIntake intake{.types = own_types(kind, false), .judged = true};
  if (view && view->file) {
    intake.pieces = true;
    intake.bytes_max = std::max<std::uint64_t>(view->file->size, 1);
  }
  const bool secure = config_.msrp.relay.empty() ? view && view->tls : config_.msrp.relay.starts_with("msrps:");
  session.media_open = msrp_.open(session.number, secure, std::move(intake));
  if (!session.media_open) return refuse_invite(session, 480);

  // SEED0-8.2.2.1-2: that one is accepted, whatever the user thinks.
  session.user_decides = !config_.auto_accept && !deferred;
  if (session.user_decides) {
    const Lines ringing = invite_answer(self(), 180, kind, {}, {});
    carry_out(session, session.usage.on(InviteEvent::provisional, now_.mono), &fact);
    (void)agent_.respond(session.server, 180, ringing, session.local_tag, true);
  }
  Event event("invited");
  event.number("session", session.number)
      .text("from", session.peer)
      .text("kind", session.kind == SessionKind::chat   ? session.group ? "group" : "chat"
                    : session.kind == SessionKind::file ? "file"
                                                        : "large");
  event.if_any("subject", request.head.value(HeaderId::subject, request.bytes));
  event.flag("accepted", !session.user_decides);
  if (session.file) event.text("file", session.file->name).number("size", session.file->size);
  tell(std::move(event));
}

void Client::accept(std::uint32_t number) {
  const auto found = sessions_.find(number);
  if (found == sessions_.end() || !found->second.user_decides) return;
  found->second.user_decides = false;
  if (msrp_.ready(number)) answer_invite(found->second);
}

void Client::decline(std::uint32_t number, std::uint16_t status) {
  const auto found = sessions_.find(number);
  if (found == sessions_.end() || !found->second.user_decides) return;
  refuse_invite(found->second, status);
}

// The media's path is known, and nobody is asked any more.
void Client::answer_invite(ImSession& session) {
  if (session.usage.state() != sip::InviteState::proceeding) return;
  SdpWish wish = own_media(session);
  wish.max_size = session.kind == SessionKind::file ? 0 : config_.msrp.message_bytes_max;
  if (session.offered_nothing) {
    session.own_sdp = session_offer(wish);
  } else {
    sip::Sdp offer;
    (void)sip::parse_sdp(session.their_sdp, {}, offer);
    session.own_sdp = session_answer(session.their_sdp, offer, *session.remote, wish);
  }
  carry_out(session, session.usage.on(InviteEvent::answer, now_.mono), nullptr);
}

void Client::refuse_invite(ImSession& session, std::uint16_t status, std::string_view why) {
  session.failure = std::to_string(status);
  if (!why.empty()) session.failure.append(" ").append(why);
  (void)agent_.respond(session.server, status, invite_answer(self(), status, session.kind, {}, {}), session.local_tag);
  carry_out(session, session.usage.on(InviteEvent::refuse, now_.mono) & ~sip::invite_do::send_final, nullptr);
}

}  // namespace parley::client
