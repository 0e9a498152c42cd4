// tools/parley/client_dialog.cc - in a session: its own requests and theirs, time, the end (RFC 3261 sections 12.2, 14,
// 15; RFC 4028). See client.h.
#include <algorithm>
#include <utility>

#include "tools/parley/client.h"

namespace parley::client {

using sip::HeaderId;
using sip::InviteEvent;
using sip::Method;
using sip::SdpCarrier;

void Client::tell_session(const ImSession& session, std::string_view state) {
  Event event("session");
  event.number("session", session.number).text("state", state).text("peer", session.peer);
  event.if_any("identity", state == "open" ? std::string_view(session.identity) : std::string_view());
  event.if_any("why", state == "ended" ? std::string_view(session.failure) : std::string_view());
  tell(std::move(event));
}

// What the tables of sip/ say is to be done, in the order of their bits.
void Client::carry_out(ImSession& session, std::uint32_t actions, const UaFact* fact) {
  namespace todo = sip::invite_do;
  const auto final = [&](std::uint16_t status) {
    (void)agent_.respond(session.server, status, invite_answer(self(), status, session.kind, {}, {}),
                         session.local_tag);
  };
  if ((actions & todo::send_2xx) != 0) {
    session.answer =
        agent_.respond(session.server, 200, invite_answer(self(), 200, session.kind, session.grant, session.own_sdp),
                       session.local_tag, true);
    session.dialog.confirm();
    session.timer.granted(session.grant, now_.mono);
    connect_media(session);  // T-70: its media may be here before the ACK
  }
  if ((actions & todo::send_2xx_again) != 0) agent_.respond_again(session.server, 200, session.answer);
  if ((actions & todo::send_487) != 0) final(487);
  if ((actions & todo::send_480) != 0) final(480);
  if ((actions & todo::send_504) != 0) final(504);
  if (fact != nullptr && (actions & todo::answer_bye_200) != 0) answer(fact->server, 200);
  if (fact != nullptr && (actions & todo::answer_bye_481) != 0) answer(fact->server, 481);
  if ((actions & todo::send_cancel) != 0) agent_.cancel(session.exchange);
  if ((actions & todo::send_ack) != 0) send_ack(session);
  if ((actions & todo::send_ack_again) != 0) agent_.ack(session.ack, session.dialog.next_hop());
  if (fact != nullptr && fact->message != nullptr && (actions & todo::ack_bye_other) != 0) {
    end_other(session, *fact->message);
  }
  if ((actions & todo::send_bye) != 0) {
    if (send_in_dialog(session, Method::bye, "BYE", bye_lines(self()), {.kind = Errand::Kind::bye}) == 0) {
      (void)session.usage.on(InviteEvent::bye_done, now_.mono);
    }
  }
  if ((actions & todo::tell_answered) != 0) {
    const bool usable = session.dialog.made() && session.remote.has_value();
    if (!usable) session.failure = "488 the answer is of no use";
    carry_out(session, session.usage.on(usable ? InviteEvent::acknowledge : InviteEvent::hang_up, now_.mono), fact);
  }
  if ((actions & todo::tell_up) != 0) {
    sip::OfferTrack offers;
    if (session.outgoing || session.offered_nothing) {
      (void)offers.sent(SdpCarrier::invite, true);
      (void)offers.received(SdpCarrier::invite_ok, true);
    } else {
      (void)offers.received(SdpCarrier::invite, true);
      (void)offers.sent(SdpCarrier::invite_ok, true);
    }
    session.changes.emplace(config_.invite, random_, offers, session.dialog.owns_call_id());
    connect_media(session);
    // SEED1-7.1.1.1-11, SEED3-7.1.1.1-13; DEC-3: without isfocus there is nothing to subscribe to.
    if (session.is_focus && session.group) subscribe(session);
  }
  if ((actions & todo::tell_ended) != 0) {
    if (session.failure.empty() && (actions & todo::answer_bye_200) != 0) session.failure = "left by the other side";
    end_session(session);
  }
}

std::uint32_t Client::send_in_dialog(ImSession& session, Method method, std::string_view name, const Lines& lines,
                                     Errand errand) {
  if (!session.dialog.made()) return 0;
  const std::vector<sip::HeaderText> all = lines.headers();
  // Content-Type is the dialog's to write.
  const std::size_t own = lines.list.size();
  std::string text;
  session.dialog.write({.method = name,
                        .cseq = session.dialog.next_cseq(),
                        .headers = {all.data(), own},
                        .content_type = lines.content_type,
                        .body = lines.body},
                       text);
  const std::uint32_t exchange = agent_.send_in(std::move(text), method, std::string(session.dialog.next_hop()));
  if (exchange == 0) return 0;
  errand.owner = session.number;
  errands_[exchange] = errand;
  return exchange;
}

void Client::leave(std::uint32_t number) {
  const auto found = sessions_.find(number);
  if (found == sessions_.end()) return;
  ImSession& session = found->second;
  if (!session.outgoing && session.usage.state() == sip::InviteState::proceeding) {
    refuse_invite(session, session.user_decides ? 603 : 480);
    return;
  }
  if (session.outgoing && session.exchange == 0 && session.usage.state() == sip::InviteState::calling) {
    carry_out(session, session.usage.on(InviteEvent::got_refusal, now_.mono), nullptr);  // nothing was sent yet
    return;
  }
  carry_out(session, session.usage.on(InviteEvent::hang_up, now_.mono), nullptr);
}

void Client::end_session(ImSession& session) {
  if (session.told_ended) return;
  session.told_ended = true;
  session.timer.stop();
  if (session.changes) session.changes->stop();
  if (session.media_open) msrp_.close(session.number);
  session.media_open = false;
  std::uint64_t status = 0;
  for (const char c : session.failure) {
    if (c < '0' || c > '9') break;
    status = status * 10 + static_cast<std::uint64_t>(c - '0');
  }
  for (SessionMessage& message : session.messages) {
    if (message.told) continue;
    message.told = true;
    tell(Event("sent")
             .number("ticket", message.ticket)
             .number("session", session.number)
             .text("mode", mode_of(session.kind))
             .number("status", status == 0 ? 503 : status));
  }
  if (session.file_begun && !session.done) {
    const FileStore::Result result = files_.end(session.number, false);
    tell(Event("file")
             .number("session", session.number)
             .text("from", session.peer)
             .flag("good", false)
             .if_any("path", result.path)
             .text("why", result.why.empty() ? "cut off" : result.why));
  }
  if (session.subscription != 0) {
    if (const auto found = subscriptions_.find(session.subscription); found != subscriptions_.end()) {
      carry_subscription(found->second, found->second.rules.stop(now_.mono));
    }
  }
  tell_session(session, "ended");
}

void Client::drop_dead_sessions() {
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    const ImSession& session = at->second;
    const bool waits = std::any_of(errands_.begin(), errands_.end(), [&](const auto& errand) {
      return errand.second.kind == Errand::Kind::bye && errand.second.owner == session.number;
    });
    if (!session.usage.over() || !session.told_ended || waits) {
      ++at;
      continue;
    }
    std::erase_if(errands_, [&](const auto& errand) {
      const auto kind = errand.second.kind;
      return errand.second.owner == session.number &&
             (kind == Errand::Kind::invite || kind == Errand::Kind::refresh || kind == Errand::Kind::refer);
    });
    at = sessions_.erase(at);
  }
  for (auto at = subscriptions_.begin(); at != subscriptions_.end();) {
    if (at->second.rules.over()) {
      at = subscriptions_.erase(at);
    } else {
      ++at;
    }
  }
}

// --- theirs

void Client::on_dialog_request(ImSession& session, const UaFact& fact) {
  const Received& request = *fact.message;
  switch (session.dialog.receive(request.essentials)) {
    case sip::DialogCheck::ok: break;
    case sip::DialogCheck::out_of_order: return answer(fact.server, 500);
    case sip::DialogCheck::gone: return answer(fact.server, 481);
  }
  switch (request.head.method) {
    case Method::bye:
      if (const auto reason = request.head.value(HeaderId::reason, request.bytes); !reason.empty()) {
        session.failure = "left by the other side: " + std::string(reason);
      }
      carry_out(session, session.usage.on(InviteEvent::bye, now_.mono), &fact);
      return;
    case Method::invite: return on_reinvite(session, fact);
    case Method::update: return on_update(session, fact);
    case Method::message: return on_pager(fact, &session);
    case Method::notify: return on_notify(fact, &session);
    case Method::options: {
      Lines lines = answer_lines(self());
      lines.add(HeaderId::allow, own_methods);
      lines.add(HeaderId::supported, own_options);
      return answer(fact.server, 200, lines);
    }
    default: {
      Lines lines = answer_lines(self());
      lines.add(HeaderId::allow, own_methods);
      return answer(fact.server, request.head.method == Method::other ? 501 : 405, lines);
    }
  }
}

void Client::on_reinvite(ImSession& session, const UaFact& fact) {
  const Received& request = *fact.message;
  Lines lines = invite_answer(self(), 500, session.kind, {}, {});
  if (!session.changes) {  // the first INVITE is not over (RFC 3261 section 14.2)
    lines.add(HeaderId::retry_after, std::to_string(random_.uniform(11)));
    return answer(fact.server, 500, lines);
  }
  const sip::TimerGrant grant = session.timer.grant(config_.timer, sip::read_timer(request.head, request.bytes));
  if (grant.refuse) {
    lines.add(HeaderId::min_se, std::to_string(grant.min_se));
    return answer(fact.server, 422, lines);
  }
  session.grant = grant;
  carry_change(session, session.changes->on_invite(!request.body.empty(), now_.mono), &fact);
}

void Client::on_update(ImSession& session, const UaFact& fact) {
  const Received& request = *fact.message;
  if (!session.changes) return answer(fact.server, 500);
  const sip::TimerGrant grant = session.timer.grant(config_.timer, sip::read_timer(request.head, request.bytes));
  if (grant.refuse) {
    Lines lines = answer_lines(self());
    lines.add(HeaderId::min_se, std::to_string(grant.min_se));
    return answer(fact.server, 422, lines);
  }
  const bool sdp = !request.body.empty();
  const sip::ChangeStep step = session.changes->on_update(sdp);
  if ((step.actions & sip::change_do::take_update) == 0) return carry_change(session, step, &fact);
  if (sdp) take_new_offer(session, request);
  (void)session.dialog.refresh(request.head, request.bytes);
  session.timer.granted(grant, now_.mono);
  Lines lines =
      invite_answer(self(), 200, session.kind, grant, sdp ? std::string_view(session.own_sdp) : std::string_view());
  answer(fact.server, 200, lines);
  session.changes->update_answer_sent(200, sdp);
}

// A description in the middle of a session: nothing changes when it is the old one (T-28), else the peer's path may be
// another (R4975-12).
void Client::take_new_offer(ImSession& session, const Received& message) {
  if (message.body == session.their_sdp) return;
  sip::Sdp offer;
  if (!sip::parse_sdp(message.body, {}, offer).ok()) return;
  const auto view = read_offer(message.body, offer);
  if (!view) return;
  session.their_sdp = message.body;
  session.remote = view;
  session.own_sdp = session_answer(session.their_sdp, offer, *view,
                                   {.host = config_.host,
                                    .port = config_.msrp.port,
                                    .path = msrp_.path(session.number),
                                    .session_id = session.sdp_id,
                                    .version = ++session.sdp_version,
                                    .kind = session.kind,
                                    .group = session.group,
                                    .can_accept = config_.msrp.port != 0,
                                    .max_size = config_.msrp.message_bytes_max,
                                    .file = {}});
  connect_media(session);
}

void Client::carry_change(ImSession& session, const sip::ChangeStep& step, const UaFact* fact) {
  namespace todo = sip::change_do;
  if (fact != nullptr && (step.actions & todo::answer_491) != 0) answer(fact->server, 491);
  if (fact != nullptr && (step.actions & todo::answer_500) != 0) {
    Lines lines = answer_lines(self());
    lines.add(HeaderId::retry_after, std::to_string(step.retry_after_seconds));
    answer(fact->server, 500, lines);
  }
  if (fact != nullptr && (step.actions & todo::take_invite) != 0) {
    session.server = fact->server;
    session.invite_cseq = fact->message->essentials.cseq.number;
    if (!fact->message->body.empty()) take_new_offer(session, *fact->message);  // T-29: without one ours is offered
    (void)session.dialog.refresh(fact->message->head, fact->message->bytes);
    carry_change(session, session.changes->answer(true, now_.mono), fact);
    return;
  }
  if ((step.actions & todo::send_2xx) != 0) {
    session.answer = agent_.respond(
        session.server, 200, invite_answer(self(), 200, session.kind, session.grant, session.own_sdp), {}, false);
    session.timer.granted(session.grant, now_.mono);
  }
  if ((step.actions & todo::send_2xx_again) != 0) agent_.respond_again(session.server, 200, session.answer);
  if ((step.actions & todo::send_487) != 0) answer(session.server, 487);
  if ((step.actions & todo::tell_answered) != 0) {
    carry_change(session, session.changes->acknowledge(false, now_.mono), fact);
    return;
  }
  if ((step.actions & todo::send_ack) != 0) {
    session.dialog.write({.method = "ACK", .cseq = session.refresh_cseq}, session.ack);
    agent_.ack(session.ack, session.dialog.next_hop());
  }
  if ((step.actions & todo::send_ack_again) != 0) agent_.ack(session.ack, session.dialog.next_hop());
  if ((step.actions & todo::try_again) != 0) send_refresh(session);
  if ((step.actions & todo::end_session) != 0) {
    session.failure = "the other side does not answer";
    carry_out(session, session.usage.on(InviteEvent::dialog_lost, now_.mono), nullptr);
  }
}

// --- ours

// R4028-3, SEED0-8.2.2.1-3: by UPDATE where the peer allows it, else by a re-INVITE with the same description.
void Client::send_refresh(ImSession& session) {
  if (!session.changes || session.told_ended) return;
  const sip::TimerAsk ask = session.timer.ask(config_.timer);
  Lines lines = refresh_lines(self(), session.kind, ask);
  const bool update = sip::refresh_method(session.allows) == Method::update;
  if (update) {
    if (!session.changes->may_update(false)) return;  // a change is under way, which refreshes as well
    session.changes->update_sent(false);
  } else {
    const sip::ChangeStep step = session.changes->want(true, session.dialog.local_cseq() + 1, now_.mono);
    if ((step.actions & sip::change_do::send_invite) == 0) return;
    lines.content_type = "application/sdp";
    lines.body = session.own_sdp;
  }
  std::erase_if(errands_, [&](const auto& errand) {  // of an earlier one, whose 2xx might have come again
    return errand.second.kind == Errand::Kind::refresh && errand.second.owner == session.number;
  });
  session.refresh_by_update = update;
  const std::uint32_t exchange =
      send_in_dialog(session, update ? Method::update : Method::invite, update ? "UPDATE" : "INVITE", lines,
                     {.kind = Errand::Kind::refresh, .asked = ask});
  session.refresh_cseq = session.dialog.local_cseq();
  if (exchange == 0) on_refresh_response(session, {.kind = Errand::Kind::refresh, .asked = ask}, 503, nullptr);
}

void Client::on_refresh_response(ImSession& session, const Errand& errand, std::uint16_t status,
                                 const Received* message) {
  if (!session.changes) return;
  // With credentials it went out under another number.
  if (status < 300 && message != nullptr) session.refresh_cseq = message->essentials.cseq.number;
  sip::ChangeStep step;
  if (session.refresh_by_update) {
    step = session.changes->update_answered(status, false, now_.mono);
  } else if (status < 300) {
    step = session.changes->on_2xx(session.refresh_cseq, message != nullptr && !message->body.empty(), now_.mono);
  } else {
    step = session.changes->on_refusal(status, now_.mono);
  }
  if (status < 300 && message != nullptr) {
    (void)session.dialog.refresh(message->head, message->bytes);
    session.timer.answered(config_.timer, errand.asked, sip::read_timer(message->head, message->bytes), now_.mono);
  }
  carry_change(session, step, nullptr);
  if (status < 300) return;
  std::uint32_t min_se = 0;
  if (message != nullptr) (void)sip::parse_seconds(message->head.value(HeaderId::min_se, message->bytes), min_se);
  switch (session.timer.refused(config_.timer, errand.asked, status, min_se, now_.mono)) {
    case sip::TimerRetry::now: send_refresh(session); return;
    case sip::TimerRetry::later: return;
    case sip::TimerRetry::end:
      session.failure = "the other side does not answer";
      carry_out(session, session.usage.on(InviteEvent::dialog_lost, now_.mono), nullptr);
      return;
  }
}

void Client::run_timers_of(ImSession& session) {
  if (now_.mono >= session.leave_at) {
    session.leave_at = core::never;
    for (const SessionMessage& message : session.messages) {
      tell(Event("delivery")
               .number("ticket", message.ticket)
               .number("session", session.number)
               .text("status", "timeout")
               .text("by", "report"));
    }
    leave(session.number);
  }
  if (now_.mono >= session.lost_at) {
    session.lost_at = core::never;
    if (!session.told_ended) {
      session.failure = "408 the media connection has failed";
      carry_out(session, session.usage.on(sip::InviteEvent::hang_up, now_.mono), nullptr);
    }
  }
  for (std::uint32_t actions = session.usage.due(now_.mono); actions != 0; actions = session.usage.due(now_.mono)) {
    if ((actions & sip::invite_do::tell_ended) != 0 && session.failure.empty()) session.failure = "408 no answer";
    carry_out(session, actions, nullptr);
  }
  if (session.changes && !session.told_ended) {
    for (sip::ChangeStep step = session.changes->due(now_.mono); step.actions != 0;
         step = session.changes->due(now_.mono)) {
      carry_change(session, step, nullptr);
    }
  }
  switch (session.timer.due(now_.mono)) {
    case sip::TimerFact::nothing: return;
    case sip::TimerFact::refresh: send_refresh(session); return;
    case sip::TimerFact::expired:
      session.failure = "nobody has refreshed it";
      carry_out(session, session.usage.on(InviteEvent::expired, now_.mono), nullptr);
      return;
  }
}

}  // namespace parley::client
