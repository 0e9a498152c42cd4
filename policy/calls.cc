// policy/calls.cc - which call a message is for; what passes between the tables of sip/. See calls.h.
#include "policy/calls.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/hop.h"
#include "policy/owner.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::InviteEvent;
using sip::Method;
using sip::PairEvent;
using sip::PairState;
using sip::RelayEvent;

Calls::Calls(const Parts& parts)
    : UserAgent(parts), calls_(parts.config->calls.calls_max) {
  invite_config_.rows = &rows_;
}

Calls::~Calls() {
  calls_.for_each([this](core::SlotId, Call& call) {
    wheel_.cancel(call.timer);
    if (call.media != nullptr) call.media->abandon();
  });
}

void Calls::reload(std::shared_ptr<const SipConfig> config) { config_ = std::move(config); }

// --- which call

Strand* Calls::find(Call& call, const Received& request, Leg& leg) {
  const sip::Essentials& e = request.essentials;
  leg = e.to_tag == call.tag_b ? Leg::b : Leg::a;
  for (const auto& strand : call.strands) {
    if (call.won != nullptr && call.won != strand.get()) continue;  // the 2xx was another's
    const sip::Dialog* const own = dialog(call, *strand, leg);
    if (own != nullptr && own->is(e.call_id, e.to_tag, e.from_tag)) return strand.get();
  }
  return nullptr;
}

sip::Dialog* Calls::dialog(Call& call, Strand& strand, Leg leg) {
  if (leg == Leg::a) return strand.a.made() ? &strand.a : nullptr;
  if (strand.b.made()) return &strand.b;
  sip::EarlyDialog* const early = call.early == nullptr ? nullptr : call.early->find(strand.number);
  return early == nullptr ? nullptr : &early->dialog;
}

std::uint16_t Calls::on_request(const CallName& name, const Received& request, const sip::RequestMatch& match,
                                bool from_trusted) {
  lines_.clear();
  Call* const call = calls_.get(name.call);
  Leg leg = Leg::a;
  Strand* const strand = call == nullptr ? nullptr : find(*call, request, leg);
  if (call == nullptr) return 481;
  if (strand == nullptr) {  // 12.2.2: a copy must not find the dialog that a 2xx has made meanwhile
    const sip::TransactionId server = transactions_.open_server(request, match, 0, now_);
    if (!server.valid()) return 503;
    respond_plain(server, 481);
    return 0;
  }
  from_trusted_ = from_trusted;
  const Method method = request.head.method;
  if (method != Method::bye && call->requests.size() >= config_->calls.requests_max) {
    metrics_.add(Metric::sip_call_requests_limit);
    return busy();
  }
  switch (dialog(*call, *strand, leg)->receive(request.essentials)) {
    case sip::DialogCheck::ok: break;
    case sip::DialogCheck::out_of_order: return 500;
    case sip::DialogCheck::gone: return 481;
  }
  const sip::TransactionId server =
      transactions_.open_server(request, match, owner_number(Owner::call, call->self), now_);
  if (!server.valid()) return 503;
  switch (method) {
    case Method::bye:
      if (const std::string_view reason = request.head.value(HeaderId::reason, request.bytes); !reason.empty())
        call->reason = reason;  // T-16
      use(*call, leg, call->leg(leg).usage.on(InviteEvent::bye, now_), {.message = &request, .bye = server});
      break;
    case Method::invite: on_reinvite(*call, *strand, leg, passed_media(*call, leg, true, request), server); break;
    case Method::update: on_update(*call, *strand, leg, passed_media(*call, leg, true, request), server); break;
    case Method::prack: on_prack(*call, *strand, leg, passed_media(*call, leg, true, request), server); break;
    default: pass(*call, *strand, leg, request, server); break;
  }
  settle(*call);
  return 0;
}

// T-25: whatever its branch, Route and URI.
void Calls::on_ack(const CallName& name, const Received& received) {
  Call* const call = calls_.get(name.call);
  Leg leg = Leg::a;
  Strand* const strand = call == nullptr ? nullptr : find(*call, received, leg);
  const std::uint32_t cseq = received.essentials.cseq.number;
  const bool opening = strand != nullptr && leg == Leg::a && cseq == call->opening_cseq;
  if (strand == nullptr || (!opening && cseq != call->leg(leg).invite_cseq)) {
    metrics_.add(Metric::sip_dropped);
    return;
  }
  CallLeg& own = call->leg(leg);
  // A repetition says nothing new, nor does one for what has not been answered.
  const bool awaited = opening ? sip::resends(own.usage.state()) : strand->of(leg).repeats();
  const Received ack = awaited ? passed_media(*call, leg, false, received) : received;
  if (awaited && call->media != nullptr && has_sdp(ack)) call->media->agree();
  if (opening) {
    if (own.usage.answered() && awaited) (void)strand->of(leg).offers().received(sip::SdpCarrier::ack, has_sdp(ack));
    use(*call, leg, own.usage.on(InviteEvent::ack, now_), {.message = &ack});
  } else {
    change(*call, *strand, leg, strand->of(leg).on_ack(has_sdp(ack), now_), {.message = &ack});
  }
  settle(*call);
}

std::optional<DialogParty> Calls::party(const CallName& name, const Received& request) {
  Call* const call = calls_.get(name.call);
  Leg leg = Leg::a;
  if (call == nullptr || find(*call, request, leg) == nullptr) return std::nullopt;
  if (leg == Leg::a) return DialogParty{.user = call->user, .im = call->im};
  return DialogParty{.uri = call->aor, .im = call->im};
}

std::optional<Calls::Beyond> Calls::beyond(const CallName& name, std::string_view contact_user) {
  Call* const call = calls_.get(name.call);
  if (call == nullptr || call->won == nullptr || !call->stands()) return std::nullopt;
  const bool shown_to_b = contact_user == call->tag_b;
  if (!shown_to_b && contact_user != call->won->tag) return std::nullopt;
  const sip::Dialog* const to = dialog(*call, *call->won, shown_to_b ? Leg::a : Leg::b);
  if (to == nullptr) return std::nullopt;
  return Beyond{to->remote_target(), to->next_hop(), shown_to_b ? &call->way_a : &call->won->way_b};
}

// --- between the tables

void Calls::use(Call& call, Leg leg, std::uint32_t actions, const Hand& hand) {
  namespace todo = sip::invite_do;
  CallLeg& own = call.leg(leg);
  if ((actions & todo::send_2xx) != 0) send_answer(call, leg);
  if ((actions & todo::send_final) != 0) refuse_a(call, hand.status, hand.message);
  if ((actions & todo::send_487) != 0) refuse_a(call, 487, nullptr);
  if ((actions & todo::send_480) != 0) refuse_a(call, 480, nullptr);
  if ((actions & todo::send_504) != 0) refuse_a(call, 504, nullptr);
  if ((actions & todo::answer_bye_200) != 0) {
    respond_plain(hand.bye, 200);
    if (call.media != nullptr) call.media->release(leg == Leg::a ? Side::a : Side::b);  // SEED4-6.1.2.2.5-1, -2
  }
  if ((actions & todo::answer_bye_481) != 0) respond_plain(hand.bye, 481);
  if ((actions & todo::send_cancel) != 0) send_cancel(call, call.invite_number, call.reason);
  if ((actions & todo::send_ack) != 0) send_ack(call, leg, hand.message);
  if ((actions & todo::send_ack_again) != 0) resend_ack(call, leg, hand.cseq);
  if ((actions & todo::send_bye) != 0) send_bye(call, leg, hand);
  if ((actions & todo::tell_up) != 0 && leg == Leg::a) {
    own.answer.drop();
    const bool answered = hand.message != nullptr && has_sdp(*hand.message);
    pair(call, answered ? PairEvent::a_up_answer : PairEvent::a_up, hand);
  }
  if ((actions & todo::tell_ended) != 0) pair(call, leg == Leg::a ? PairEvent::a_ended : PairEvent::b_ended, hand);
  if ((actions & todo::send_2xx_again) != 0 && !own.answer.empty()) {
    (void)transactions_.respond(own.server, 200, own.answer.view(), now_);
  }
}

void Calls::pair(Call& call, PairEvent event, const Hand& hand) {
  namespace todo = sip::pair_do;
  const std::uint32_t actions = call.pair.on(event);
  if ((actions & todo::ack_b_answer) != 0) (void)call.won->of(Leg::b).offers().sent(sip::SdpCarrier::ack, true);
  if ((actions & (todo::ack_b | todo::ack_b_answer)) != 0) {
    use(call, Leg::b, call.b.usage.on(InviteEvent::acknowledge, now_), hand);
  }
  if ((actions & todo::answer_a) != 0) answer_a(call, hand);
  if ((actions & todo::refuse_a) != 0) use(call, Leg::a, call.a.usage.on(InviteEvent::refuse, now_), hand);
  if ((actions & todo::tell_closing) != 0) stop_changes(call);
  if ((actions & todo::hang_up_a) != 0) use(call, Leg::a, call.a.usage.on(InviteEvent::hang_up, now_), hand);
  if ((actions & todo::hang_up_b) != 0) use(call, Leg::b, call.b.usage.on(InviteEvent::hang_up, now_), hand);
  if ((actions & todo::tell_open) != 0) metrics_.add(Metric::sip_calls_answered);
  if ((actions & todo::tell_over) != 0) {
    tell_over(call);
    --running_;
    metrics_.sub(Metric::sip_calls);
  }
}

void Calls::end_call(Call& call, std::string_view reason) {
  if (!call.stands()) return;
  call.reason = reason;
  pair(call, PairEvent::stop, {});
}

// After everything that happens to a call, once. It may be gone afterwards.
void Calls::settle(Call& call) {
  restore_due(call);
  if (!call.stands()) {
    for (const Leg leg : {Leg::a, Leg::b}) {
      CallLeg& own = call.leg(leg);
      if (own.gone || !own.usage.over()) continue;
      own.gone = true;
      pair(call, leg == Leg::a ? PairEvent::a_gone : PairEvent::b_gone, {});
    }
  }
  const bool repeats = std::any_of(call.strands.begin(), call.strands.end(), [](const auto& strand) {
    return strand->of(Leg::a).repeats() || strand->of(Leg::b).repeats();
  });
  if (call.over() && call.requests.empty() && !repeats) {
    wheel_.cancel(call.timer);
    forget_way(call, call.way_a);
    for (const auto& strand : call.strands) forget_way(call, strand->way_b);
    calls_.erase(call.self);
    return;
  }
  const core::Instant next = deadline_of(call);
  if (next == core::never) {
    wheel_.cancel(call.timer);
  } else {
    wheel_.arm(call.timer, next);
  }
}

// --- what has become of errands

CallRequest* Calls::request_numbered(Call& call, std::uint32_t number) {
  const auto found = std::find_if(call.requests.begin(), call.requests.end(),
                                  [number](const CallRequest& request) { return request.number == number; });
  return found == call.requests.end() ? nullptr : &*found;
}

void Calls::on_response(core::SlotId id, std::uint32_t number, std::string_view text, const sip::Flow& flow,
                        bool by_flow) {
  Call* const call = calls_.get(id);
  if (call == nullptr) return;
  const Received* const response = response_.read(text, flow);
  if (response == nullptr) return;
  finish(*call, number, response, response->head.status, by_flow);
  settle(*call);
}

void Calls::on_failed(core::SlotId id, std::uint32_t number, std::uint16_t status) {
  Call* const call = calls_.get(id);
  if (call == nullptr) return;
  finish(*call, number, nullptr, status, false);
  settle(*call);
}

void Calls::on_over(core::SlotId id, std::uint32_t number) {
  Call* const call = calls_.get(id);
  if (call == nullptr) return;
  const CallRequest* const found = request_numbered(*call, number);
  if (found == nullptr) return;
  const CallRequest request = *found;  // what follows may move the list
  if (!request.final) finish(*call, number, nullptr, 408, false);
  if (number == call->invite_number) call->early.reset();
  if (request.method == Method::invite && request.cseq == call->leg(request.leg).our_cseq) {
    call->leg(request.leg).ack.drop();  // its 2xx is not repeated any more
  }
  std::erase_if(call->requests, [number](const CallRequest& r) { return r.number == number; });
  settle(*call);
}

// `response` is null when none came.
void Calls::finish(Call& call, std::uint32_t number, const Received* response, std::uint16_t status, bool by_flow) {
  CallRequest* const found = request_numbered(call, number);
  if (found == nullptr) return;
  const bool again = found->final;
  if (status >= 200) found->final = true;
  const CallRequest request = *found;  // the list may move
  if (request.kind == CallRequest::Kind::invite) {
    if (response != nullptr && status < 300) {
      // T-26: of forks that answer when another one has won nothing passes.
      const Received passed =
          call.won == nullptr ? passed_media(call, Leg::b, !call.a_sdp, *response) : *response;
      if (status >= 200) {
        const bool first = call.won == nullptr;
        on_2xx(call, passed, by_flow);
        if (first && call.won != nullptr && call.stands()) media_answered(call, *response);
      } else {
        on_1xx(call, passed, by_flow);
      }
    } else if (!again) {
      on_refused(call, status, response);
    }
    return;
  }
  if (status < 200) return;
  if (again && request.method != Method::invite) return;
  switch (request.kind) {
    case CallRequest::Kind::invite: return;
    case CallRequest::Kind::change:
    case CallRequest::Kind::restore: {
      if (response == nullptr) {
        change_answered(call, request, nullptr, status);
        return;
      }
      if (again) {  // its ACK was lost; what it says has been heard
        change_answered(call, request, response, status);
        return;
      }
      // What was called off holds for nobody.
      const bool holds = request.kind == CallRequest::Kind::restore || call.pair.relay() != sip::RelayState::calling_off;
      const Received passed = status < 300 ? passed_media(call, request.leg, !request.sdp, *response) : *response;
      change_answered(call, request, &passed, status);
      if (status < 300 && request.sdp && call.media != nullptr) {
        holds ? call.media->agree() : call.media->forget();  // SEED4-6.1.2.2.3-8
      }
      return;
    }
    case CallRequest::Kind::refresh: change_answered(call, request, response, status); return;
    case CallRequest::Kind::prack: {
      if (response == nullptr) {
        pracked(call, request, nullptr, status);
        return;
      }
      const Received passed = status < 300 ? passed_media(call, request.leg, !request.sdp, *response) : *response;
      pracked(call, request, &passed, status);
      return;
    }
    case CallRequest::Kind::pass: passed(call, request, response, status); return;
    case CallRequest::Kind::bye:
      use(call, request.leg, call.leg(request.leg).usage.on(InviteEvent::bye_done, now_), {});
      if (call.media != nullptr) call.media->release(request.leg == Leg::a ? Side::a : Side::b);  // SEED4-6.1.2.2.5-4
      return;
    case CallRequest::Kind::farewell: return;
  }
}

}  // namespace parley::policy
