// tools/parley/client_media.cc - MSRP beside a session: messages in both directions, files. See client.h.
#include <utility>

#include "tools/parley/client.h"

namespace parley::client {

using sip::InviteEvent;

namespace {

constexpr core::Duration bye_wait = std::chrono::seconds(2);

}  // namespace

void Client::on_media(const MsrpFact& fact) {
  const auto found = sessions_.find(fact.session);
  if (found == sessions_.end()) return;
  ImSession& session = found->second;
  if (session.told_ended) {
    if (fact.last) msrp_.judge(fact.session, fact.number, 481);
    return;
  }
  switch (fact.kind) {
    case MsrpFact::Kind::ready: media_ready(session); return;
    case MsrpFact::Kind::up:
      session.media_up = true;
      tell_session(session, "open");
      flush(session);
      return;
    case MsrpFact::Kind::failed:
      session.media_open = false;
      msrp_.close(session.number);
      if (session.media_up) {  // who ends a session closes it, and its BYE comes by another way
        session.lost_at = now_.mono + bye_wait;
        return;
      }
      session.failure = std::to_string(fact.status) + " the media connection has failed";
      if (!session.outgoing && session.usage.state() == sip::InviteState::proceeding) {
        refuse_invite(session, 480);
      } else if (session.outgoing && session.exchange == 0 && session.usage.state() == sip::InviteState::calling) {
        carry_out(session, session.usage.on(InviteEvent::got_refusal, now_.mono), nullptr);
      } else {
        carry_out(session, session.usage.on(InviteEvent::hang_up, now_.mono), nullptr);
      }
      return;
    case MsrpFact::Kind::message: on_message(session, fact); return;
    case MsrpFact::Kind::piece: on_file_piece(session, fact); return;
    case MsrpFact::Kind::broken:
      tell(Event("broken").number("session", session.number).text("from", session.peer).number("status", fact.status));
      return;
    case MsrpFact::Kind::sent: {
      for (SessionMessage& message : session.messages) {
        if (message.number != fact.number || message.told) continue;
        message.told = true;
        tell(Event("sent")
                 .number("ticket", message.ticket)
                 .number("session", session.number)
                 .text("mode", mode_of(session.kind))
                 .number("status", fact.status));
        // OMA-LRG-1: one message, then BYE; after the REPORT when one was asked for.
        if (session.kind != SessionKind::chat && (!message.want_report || fact.status != 200)) {
          leave(session.number);
        } else if (session.kind != SessionKind::chat) {
          session.leave_at = now_.mono + config_.report_wait;
        }
        break;
      }
      std::erase_if(session.messages, [](const SessionMessage& m) { return m.told && !m.want_report; });
      return;
    }
    case MsrpFact::Kind::report: {
      for (const SessionMessage& message : session.messages) {
        if (message.number != fact.number) continue;
        tell(Event("delivery")
                 .number("ticket", message.ticket)
                 .number("session", session.number)
                 .text("status", fact.status == 200 ? "delivered" : "failed")
                 .number("code", fact.status)
                 .text("by", "report"));
        if (session.kind != SessionKind::chat) leave(session.number);
        break;
      }
      std::erase_if(session.messages, [&](const SessionMessage& m) { return m.number == fact.number; });
      return;
    }
  }
}

SdpWish Client::own_media(const ImSession& session) const {
  return {.host = config_.host,
          .port = config_.msrp.port,
          .path = msrp_.path(session.number),
          .session_id = session.sdp_id,
          .version = session.sdp_version,
          .kind = session.kind,
          .group = session.group,
          .can_accept = config_.msrp.port != 0,
          .max_size = 0,
          .file = {}};
}

// The path is known: the INVITE or its answer can be written.
void Client::media_ready(ImSession& session) {
  if (!session.outgoing) {
    if (!session.user_decides) answer_invite(session);
    return;
  }
  SdpWish wish = own_media(session);
  wish.max_size = takes_messages(session.kind) ? config_.msrp.message_bytes_max : 0;
  wish.file = session.file;
  session.own_sdp = session_offer(wish);
  send_invite(session);
}

void Client::connect_media(ImSession& session) {
  if (!session.remote || !session.media_open) return;
  msrp_.connect(session.number, {.path = session.remote->path,
                                 .we_connect = session.remote->we_connect,
                                 .address = session.remote->address,
                                 .port = session.remote->port});
}

void Client::flush(ImSession& session) {
  if (!session.media_up) return;
  for (SessionMessage& message : session.messages) {
    if (message.number != 0) continue;
    OutMessage out;
    out.content_type = message.content_type;
    out.body = message.body;
    out.success_report = message.want_report;
    message.number = msrp_.send(session.number, std::move(out));
    if (message.number == 0) return;  // full: with the next that is sent
  }
}

std::uint32_t Client::say(std::uint32_t number, std::string text, bool want_receipts) {
  const auto found = sessions_.find(number);
  if (found == sessions_.end() || found->second.told_ended || found->second.kind != SessionKind::chat) return 0;
  ImSession& session = found->second;
  if (session.messages.size() >= config_.waiting_max) return 0;
  SessionMessage message;
  message.ticket = next_number_++;
  message.content_type = "text/plain;charset=utf-8";
  const bool wrap = session.group || (want_receipts && session.remote && session.remote->takes_cpim) ||
                    (session.remote && !session.remote->takes_plain);
  if (wrap) {
    CpimWish wish = own_cpim(session.group && !session.identity.empty() ? session.identity : session.peer,
                             message.content_type, std::move(text));
    if (want_receipts) {
      wish.imdn_id = new_message_id();
      wish.want_delivery = wish.want_display = true;
      await_receipt(message.ticket, wish.imdn_id);
    }
    text = wrap_cpim(wish);
    message.content_type = "message/cpim";
  }
  message.want_report = want_receipts;
  message.body = std::make_shared<TextSource>(std::move(text));
  session.messages.push_back(std::move(message));
  const std::uint32_t ticket = session.messages.back().ticket;
  flush(session);
  return ticket;
}

std::uint32_t Client::send_file(std::string to, FileOffer file, std::shared_ptr<const ByteSource> body) {
  if (stopping_ || sessions_.size() >= config_.sessions_max) return 0;
  ImSession& session = make_session(SessionKind::file, true);
  session.peer = to;
  session.wish = {
      .kind = SessionKind::file, .to = std::move(to), .recipients = {}, .subject = {}, .sdp = {}, .timer = {}};
  session.envelope = new_envelope();
  session.ticket = next_number_++;
  if (file.transfer_id.empty()) file.transfer_id = new_tag();
  session.file = file;
  session.messages.push_back({.ticket = session.ticket,
                              .content_type = file.type,
                              .imdn_id = {},
                              .body = std::move(body),
                              .want_report = true});
  session.media_open = msrp_.open(session.number, config_.msrp.relay.starts_with("msrps:"), {.types = {"*"}});
  const std::uint32_t ticket = session.ticket;
  if (!session.media_open) end_session(session);
  return ticket;
}

void Client::on_message(ImSession& session, const MsrpFact& fact) {
  if (session.kind == SessionKind::stored) {
    // A message that waits is the server's as long as it is not taken; a record stays there, and goes on.
    const bool refused = show_stored(session, fact).kept != Kept::yes && session.stored == Stored::deferred;
    return msrp_.judge(session.number, fact.number, refused ? 413 : 200);
  }
  const Content content = read_content(fact.content_type, fact.body);
  const std::string sender = content.from_uri.empty() ? session.peer : content.from_uri;
  const Arrived arrived = show(content, sender, &session, mode_of(session.kind));
  const std::uint16_t refusal = arrived.kept == Kept::no_place ? 415 : 413;
  msrp_.judge(session.number, fact.number, arrived.kept == Kept::yes ? 200 : refusal);
  if (arrived.kept == Kept::yes) answer_receipts(content, sender, &session, arrived);
  if (session.kind == SessionKind::large) session.done = true;
}

void Client::on_file_piece(ImSession& session, const MsrpFact& fact) {
  const auto judge = [&](std::uint16_t status) {
    if (fact.last) msrp_.judge(session.number, fact.number, status);
  };
  if (session.done || !session.file_begun) return judge(413);
  const bool kept = fact.body.empty() || files_.write(session.number, fact.start, fact.body);
  if (!fact.last && kept) return;
  session.done = true;
  const FileStore::Result result = files_.end(session.number, fact.last);
  Event event("file");
  event.number("session", session.number).text("from", session.peer).text("name", session.file->name);
  event.number("size", session.file->size).flag("good", result.good && kept).if_any("path", result.path);
  event.if_any("why", result.why);
  tell(std::move(event));
  judge(result.good && kept ? 200 : 413);  // R5547-1: what is not what was announced has not arrived
  if (!kept) leave(session.number);
}

}  // namespace parley::client
