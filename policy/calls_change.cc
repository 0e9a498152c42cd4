// policy/calls_change.cc - re-INVITE and UPDATE: from one leg to the other, and those that keep a session alive. See
// calls.h.
#include <algorithm>

#include "policy/calls.h"
#include "policy/own_names.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::InviteEvent;
using sip::PairEvent;
using sip::PairState;
using sip::RelayEvent;

// --- theirs

void Calls::on_reinvite(Call& call, Strand& strand, Leg leg, const Received& request, sip::TransactionId server) {
  CallLeg& own = call.leg(leg);
  if (call.pair.state() != PairState::open) {
    // R3261-6: its own INVITE, or ours, is under way.
    const bool its_own = leg == Leg::a && !own.usage.answered();
    refuse_change(server, {.actions = its_own ? sip::change_do::answer_500 : sip::change_do::answer_491});
    return;
  }
  sip::TimerGrant grant;  // what it is given in the end is said with its answer
  if (!grant_change(own.timer, grant, request, server)) return;
  const sip::ChangeStep step = strand.of(leg).on_invite(has_sdp(request), now_);
  if ((step.actions & sip::change_do::take_invite) == 0) {
    refuse_change(server, step);
    return;
  }
  own.server = server;
  own.invite_cseq = request.essentials.cseq.number;
  ask(call, strand, leg, request, server);
}

void Calls::on_update(Call& call, Strand& strand, Leg leg, const Received& request, sip::TransactionId server) {
  if (!call.stands()) {  // our BYE and it have crossed; the other leg's answers are to what was asked before
    respond_plain(server, 481);
    return;
  }
  CallLeg& own = call.leg(leg);
  const bool sdp = has_sdp(request);
  sip::TimerGrant grant;
  if (!grant_change(own.timer, grant, request, server)) return;
  const sip::ChangeStep step = strand.of(leg).on_update(sdp);
  if ((step.actions & sip::change_do::take_update) == 0) {
    refuse_change(server, step);
    return;
  }
  // Without a description it is about this leg alone (R3311-1).
  if (request.body.empty()) {
    answer_update(call, strand, leg, server, nullptr);
    return;
  }
  ask(call, strand, leg, request, server);
}

void Calls::ask(Call& call, Strand& strand, Leg leg, const Received& request, sip::TransactionId server) {
  const std::uint32_t actions = call.pair.ask(leg);
  if ((actions & sip::relay_do::refuse_491) != 0) {  // the other leg's is on its way
    refuse(call, strand, leg, request.head.method == Method::update, server, 491, nullptr);
    return;
  }
  call.change = server;
  call.change_is_update = request.head.method == Method::update;
  call.change_strand = &strand;
  relay(call, actions, {.message = &request});
}

// Of a re-INVITE (R3261-7): it has its answer at once (9.2), and ours on the other leg is cancelled.
void Calls::cancel_change(Call& call, const Received& cancel, sip::TransactionId invite) {
  if (call.pair.relay() != sip::RelayState::asking || call.change_is_update || invite != call.change) return;
  const Leg leg = call.pair.asker();
  const std::uint32_t actions = call.pair.on(RelayEvent::asker_cancel);
  change(call, *call.change_strand, leg, call.change_strand->of(leg).on_cancel(now_), {});
  relay(call, actions, {.message = &cancel});
}

void Calls::refuse(Call& call, Strand& strand, Leg leg, bool update, sip::TransactionId server, std::uint16_t status,
                   const Received* like) {
  texts_.clear();
  respond(server, status, like, {});
  if (update) {
    strand.of(leg).update_answer_sent(status, false);
  } else {
    change(call, strand, leg, strand.of(leg).refuse(now_), {});
  }
}

// --- the other leg's (SEED4-6.1.2.2.3-1, -2, -3, -5, -6, -7, -10)

void Calls::relay(Call& call, std::uint32_t actions, const Hand& hand) {
  namespace todo = sip::relay_do;
  if (call.change_strand == nullptr) return;
  Strand& strand = *call.change_strand;
  const Leg asker = call.pair.asker();
  const Leg other = sip::other(asker);
  if ((actions & todo::ask_other) != 0) ask_other(call, *hand.message);
  if ((actions & todo::answer_asker) != 0) answer_asker(call, *hand.message);
  if ((actions & todo::refuse_asker) != 0) {
    refuse(call, strand, asker, call.change_is_update, call.change, hand.status, hand.message);
  }
  if ((actions & todo::refuse_491) != 0) refuse(call, strand, asker, call.change_is_update, call.change, 491, nullptr);
  if ((actions & todo::ack_other) != 0 && !call.change_is_update) {
    change(call, strand, other, strand.of(other).acknowledge(false, now_), {});
  }
  if ((actions & todo::ack_other_answer) != 0) {
    change(call, strand, other, strand.of(other).acknowledge(true, now_), hand);
  }
  if ((actions & todo::cancel_other) != 0) {
    const auto ours = std::find_if(call.requests.begin(), call.requests.end(), [other](const CallRequest& request) {
      return request.kind == CallRequest::Kind::change && request.leg == other && request.method == Method::invite &&
             !request.final;
    });
    if (ours != call.requests.end()) {
      send_cancel(call, ours->number, hand.message->head.value(HeaderId::reason, hand.message->bytes));
    }
  }
  if ((actions & todo::restore_other) != 0) take_back(call, other);
  if ((actions & todo::stop_both) != 0) end_call(call, "SIP;cause=488;text=\"No Agreement\"");
}

void Calls::ask_other(Call& call, const Received& request) {
  Strand& strand = *call.change_strand;
  const Leg leg = sip::other(call.pair.asker());
  CallLeg& own = call.leg(leg);
  sip::SessionChanges& changes = strand.of(leg);
  const sip::Dialog* const to = dialog(call, strand, leg);
  const bool sdp = has_sdp(request);
  bool ready = to != nullptr;
  if (ready && call.change_is_update) {
    ready = changes.may_update(sdp);
  } else if (ready) {
    ready = (changes.want(sdp, to->local_cseq() + 1, now_).actions & sip::change_do::send_invite) != 0;
  }
  if (!ready) {
    relay(call, call.pair.on(RelayEvent::other_busy), {});  // R3261-6
    return;
  }
  const Method method = request.head.method;
  const sip::TimerAsk timer = call.won == nullptr ? sip::TimerAsk{} : own.timer.ask(config_->calls.timer);
  texts_.clear();
  add_allow(call.leg(call.pair.asker()));
  add(HeaderId::supported, "timer");
  add_timer(timer);
  CallRequest& sent =
      send(call, strand, leg, CallRequest::Kind::change, method, request.head.method_name.of(request.bytes), &request);
  sent.asked = timer;
  sent.sdp = sdp;
  call.offered.drop();
  keep_sdp(request, call.offered);
  if (call.change_is_update) changes.update_sent(sdp);
}

// A response, or none, to a re-INVITE or UPDATE of ours.
void Calls::change_answered(Call& call, const CallRequest& request, const Received* response, std::uint16_t status) {
  Strand& strand = *request.strand;
  const Leg leg = request.leg;
  CallLeg& own = call.leg(leg);
  sip::SessionChanges& changes = strand.of(leg);
  if (status < 300) {
    other_answered(call, request, *response);
    return;
  }
  const bool invite = request.method == Method::invite;
  const sip::ChangeStep step = invite ? changes.on_refusal(status, now_) : changes.update_answered(status, false, now_);
  const std::uint32_t min_se = response == nullptr ? 0 : sip::read_timer(response->head, response->bytes).min_se;
  const sip::TimerRetry retry = own.timer.refused(config_->calls.timer, request.asked, status, min_se, now_);
  if (request.kind == CallRequest::Kind::change) {
    relay(call, call.pair.on(RelayEvent::other_refused), {.message = response, .status = passed_status(status)});
    change(call, strand, leg, step, {});
    return;
  }
  if (request.kind == CallRequest::Kind::restore) {
    restore_refused(call, request, step, retry);
    return;
  }
  if (retry == sip::TimerRetry::now) refresh(call, leg);
  if (retry == sip::TimerRetry::end || (step.actions & sip::change_do::end_session) != 0) {  // R4028-3
    call.reason = "SIP;cause=408;text=\"Session Refresh Failed\"";
    use(call, leg, own.usage.on(InviteEvent::dialog_lost, now_), {});
  }
}

void Calls::other_answered(Call& call, const CallRequest& request, const Received& response) {
  Strand& strand = *request.strand;
  const Leg leg = request.leg;
  CallLeg& own = call.leg(leg);
  sip::SessionChanges& changes = strand.of(leg);
  const bool sdp = has_sdp(response);
  const bool invite = request.method == Method::invite;
  if (invite && call.pair.state() != PairState::open) {  // the call has ended meanwhile
    own.our_cseq = request.cseq;
    send_ack(call, leg, nullptr);
    return;
  }
  const sip::ChangeStep step =
      invite ? changes.on_2xx(request.cseq, sdp, now_) : changes.update_answered(response.head.status, sdp, now_);
  if ((step.actions & (sip::change_do::tell_answered | sip::change_do::tell_done)) == 0) {
    if ((step.actions & sip::change_do::send_ack) != 0) own.our_cseq = request.cseq;
    change(call, strand, leg, step, {.cseq = request.cseq});  // a repetition, or one that lacks what it has to have
    if ((step.actions & sip::change_do::end_session) != 0 && request.kind == CallRequest::Kind::change) {
      relay(call, call.pair.on(RelayEvent::other_refused), {.status = 500});
    }
    return;
  }
  if (invite) own.our_cseq = request.cseq;
  if (call.pair.state() == PairState::open) {
    own.timer.answered(config_->calls.timer, request.asked, sip::read_timer(response.head, response.bytes), now_);
    keep_way(call, leg == Leg::a ? call.way_a : strand.way_b);
  }
  (void)dialog(call, strand, leg)->refresh(response.head, response.bytes);
  if (request.kind == CallRequest::Kind::refresh) {
    if (invite) change(call, strand, leg, changes.acknowledge(false, now_), {});
    return;
  }
  if (request.kind == CallRequest::Kind::restore) {
    restored(call, request, response);
    return;
  }
  // What was refused is not part of the session, and no refresh repeats it.
  if (call.pair.relay() != sip::RelayState::calling_off && !call.offered.empty()) {
    own.sdp = std::move(call.offered);
    own.restoring = false;
  }
  const bool offered = invite && changes.offers().state() == sip::OfferState::asked;
  relay(call, call.pair.on(offered ? RelayEvent::other_offered : RelayEvent::other_answered), {.message = &response});
}

void Calls::answer_asker(Call& call, const Received& response) {
  Strand& strand = *call.change_strand;
  const Leg leg = call.pair.asker();
  if (call.change_is_update) {
    answer_update(call, strand, leg, call.change, &response);
    return;
  }
  CallLeg& own = call.leg(leg);
  const sip::ChangeStep step = strand.of(leg).answer(has_sdp(response), now_);
  const Received* const request = stored(call.change);
  if ((step.actions & sip::change_do::send_2xx) == 0 || request == nullptr) {
    if ((step.actions & sip::change_do::send_final) != 0) respond_plain(call.change, 500);
    return;
  }
  put_answer(call, strand, leg, own, *request, &response);
  if (!own.answer.keep(pool_, text_)) {
    end_call(call, "SIP;cause=503");
    return;
  }
  (void)transactions_.respond(own.server, 200, text_, now_);
}

// `response`: of the other leg; null when this leg alone is meant.
void Calls::answer_update(Call& call, Strand& strand, Leg leg, sip::TransactionId server, const Received* response) {
  const Received* const request = stored(server);
  if (request == nullptr) return;
  put_answer(call, strand, leg, call.leg(leg), *request, response);
  (void)transactions_.respond(server, 200, text_, now_);
  strand.of(leg).update_answer_sent(200, response != nullptr && has_sdp(*response));
}

// A 2xx to a re-INVITE or UPDATE, in text_; what it agrees to holds from now on.
void Calls::put_answer(Call& call, Strand& strand, Leg leg, CallLeg& own, const Received& request,
                       const Received* response) {
  sip::Dialog& with = *dialog(call, strand, leg);
  (void)with.refresh(request.head, request.bytes);
  Way& way = leg == Leg::a ? call.way_a : strand.way_b;
  if (request.flow.reliable()) take_way(call, way, request, true);  // it may have come by a new one
  texts_.clear();
  add_contact(with.local_tag(), way.flow, call.leg(sip::other(leg)), with.secure());
  add_allow(call.leg(sip::other(leg)));
  add(HeaderId::supported, "timer");
  // R4028-1. Before the session stands there is no timer.
  if (call.pair.state() == PairState::open) {
    const sip::TimerText asked = sip::read_timer(request.head, request.bytes);
    sip::SessionTimerConfig config = config_->calls.timer;
    sip::TimerGrant grant = own.timer.grant(config, asked);
    if (grant.refuse) {  // it was long enough when it came, by another configuration
      config.min_se_seconds = 0;
      grant = own.timer.grant(config, asked);
    }
    add_grant(grant);
    own.timer.granted(grant, now_);
  }
  if (response == nullptr) {
    compose(request, 200, {}, {}, false, {});
    return;
  }
  add_passed(*response, true);
  compose(request, response->head.status, response->head.reason.of(response->bytes), {}, false, response->body);
  keep_sdp(own, *response);
}

void Calls::change(Call& call, Strand& strand, Leg leg, const sip::ChangeStep& step, const Hand& hand) {
  namespace todo = sip::change_do;
  CallLeg& own = call.leg(leg);
  if ((step.actions & todo::send_ack) != 0) send_ack(call, leg, hand.message);
  if ((step.actions & todo::send_ack_again) != 0) resend_ack(call, leg, hand.cseq);
  if ((step.actions & todo::send_2xx_again) != 0) (void)transactions_.respond(own.server, 200, own.answer.view(), now_);
  if ((step.actions & todo::send_487) != 0) respond_plain(own.server, 487);
  const bool asker = call.pair.asker() == leg;
  if ((step.actions & todo::tell_done) != 0) own.answer.drop();
  if ((step.actions & todo::tell_done) != 0 && asker && hand.message != nullptr &&
      hand.message->head.method == Method::ack) {
    relay(call, call.pair.on(has_sdp(*hand.message) ? RelayEvent::asker_answer : RelayEvent::asker_ack), hand);
  }
  if ((step.actions & todo::end_session) == 0) return;
  if (asker && call.won == &strand) relay(call, call.pair.on(RelayEvent::asker_failed), {});
  use(call, leg, own.usage.on(InviteEvent::dialog_lost, now_), {});
}

// The call ends: who waits for the other leg's answer gets one.
void Calls::stop_changes(Call& call) {
  if (call.pair.relay() == sip::RelayState::asking) respond_plain(call.change, 487);
  (void)call.pair.on(RelayEvent::over);
  for (const auto& strand : call.strands) {
    for (sip::SessionChanges& changes : strand->changes) changes.stop();
  }
  call.a.timer.stop();
  call.b.timer.stop();
}

// --- ours

// R4028-3: half of the interval has passed.
void Calls::refresh(Call& call, Leg leg) {
  CallLeg& own = call.leg(leg);
  Strand& strand = *call.won;
  sip::SessionChanges& changes = strand.of(leg);
  const Method method = sip::refresh_method(own.allows);
  const sip::TimerAsk timer = own.timer.ask(config_->calls.timer);
  bool ready = false;
  if (method == Method::update) {
    ready = changes.may_update(false);
  } else if (!own.sdp.empty()) {
    const std::uint32_t cseq = dialog(call, strand, leg)->local_cseq() + 1;
    ready = (changes.want(true, cseq, now_).actions & sip::change_do::send_invite) != 0;
  }
  if (!ready) {  // a change is under way, which refreshes as well
    (void)own.timer.refused(config_->calls.timer, timer, 491, 0, now_);
    return;
  }
  metrics_.add(Metric::sip_calls_refreshed);
  texts_.clear();
  add_allow(call.leg(sip::other(leg)));
  add(HeaderId::supported, "timer");
  add_timer(timer);
  const bool update = method == Method::update;
  CallRequest& sent = send(call, strand, leg, CallRequest::Kind::refresh, method, update ? "UPDATE" : "INVITE", nullptr,
                           update ? std::string_view{} : own.sdp.view());
  sent.asked = timer;
  sent.sdp = !update;
  if (update) changes.update_sent(false);
}

void Calls::timer_due(Call& call, Leg leg) {
  if (call.pair.state() != PairState::open && call.pair.state() != PairState::answering) return;
  switch (call.leg(leg).timer.due(now_)) {
    case sip::TimerFact::nothing: return;
    case sip::TimerFact::refresh: refresh(call, leg); return;
    case sip::TimerFact::expired:
      metrics_.add(Metric::sip_calls_expired);
      call.reason = "SIP;cause=408;text=\"Session Expired\"";
      use(call, leg, call.leg(leg).usage.on(InviteEvent::expired, now_), {});
      return;
  }
}

}  // namespace parley::policy
