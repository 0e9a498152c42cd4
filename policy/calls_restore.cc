// policy/calls_restore.cc - a re-INVITE that was cancelled, and whose 2xx crossed the CANCEL on the other leg: who asked
// for the change has its 487 and the session it had before, so the other side gets that back by a re-INVITE of ours
// (RFC 3261 sections 9.1 and 14.1, RFC 6141 section 3.3, RFC 3264 section 8). See calls.h.
//
// It goes out as soon as nothing else is under way on that leg. A change that both sides agree to meanwhile is as good.
#include <algorithm>
#include <optional>

#include "policy/calls.h"
#include "sip/offer_answer.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

// The peer of `leg` has accepted call.offered. What held before follows it as a later version, and so does whatever the
// other side says from now on (R3264-2).
void Calls::take_back(Call& call, Leg leg) {
  CallLeg& own = call.leg(leg);
  metrics_.add(Metric::sip_calls_restored);
  own.restoring = true;
  const std::optional<std::uint64_t> before = sip::version_of(own.sdp.view());
  const std::optional<std::uint64_t> crossed = sip::version_of(call.offered.view());
  call.offered.drop();
  if (!before || !crossed) return;
  const std::uint64_t raise = std::max(*before, *crossed) + 1 - *before;
  raised_.clear();
  if (!sip::put_raised(own.sdp.view(), raise, raised_)) return;
  own.raised += raise;
  if (!own.sdp.keep(pool_, raised_)) own.sdp.drop();
}

void Calls::restore_due(Call& call) {
  for (const Leg leg : {Leg::a, Leg::b}) {
    CallLeg& own = call.leg(leg);
    if (!own.restoring || call.pair.state() != sip::PairState::open) continue;
    if (own.sdp.empty()) {
      end_call(call, "SIP;cause=488;text=\"No Agreement\"");
      return;
    }
    sip::SessionChanges& changes = call.won->of(leg);
    // A deadline in quiet is the wait behind a 491.
    if (call.pair.relay() != sip::RelayState::quiet || changes.state() != sip::ChangeState::quiet ||
        changes.next_deadline() != core::never) {
      continue;
    }
    const std::uint32_t cseq = dialog(call, *call.won, leg)->local_cseq() + 1;
    if ((changes.want(true, cseq, now_).actions & sip::change_do::send_invite) == 0) continue;
    const sip::TimerAsk timer = own.timer.ask(config_->calls.timer);
    texts_.clear();
    add_allow(call.leg(sip::other(leg)));
    add(HeaderId::supported, "timer");
    add_timer(timer);
    CallRequest& sent =
        send(call, *call.won, leg, CallRequest::Kind::restore, Method::invite, "INVITE", nullptr, own.sdp.view());
    sent.asked = timer;
    sent.sdp = true;
  }
}

void Calls::restore_refused(Call& call, const CallRequest& request, const sip::ChangeStep& step, sip::TimerRetry retry) {
  if ((step.actions & sip::change_do::end_session) != 0) {
    change(call, *request.strand, request.leg, step, {});
    return;
  }
  // It is wanted still: when the wait is over, or at once with the interval that was asked for.
  if ((step.actions & sip::change_do::wait_491) != 0 || retry == sip::TimerRetry::now) return;
  call.leg(request.leg).restoring = false;
  end_call(call, "SIP;cause=488;text=\"No Agreement\"");
}

void Calls::restored(Call& call, const CallRequest& request, const Received& response) {
  Strand& strand = *request.strand;
  call.leg(request.leg).restoring = false;
  change(call, strand, request.leg, strand.of(request.leg).acknowledge(false, now_), {});
  // Where messages go through us the other side hears nothing of it. Else what it has heard last has to hold.
  if (call.media != nullptr) return;
  const std::string_view heard = call.leg(sip::other(request.leg)).sdp.view();
  if (!sip::same_but_origin(heard, description_of(response))) end_call(call, "SIP;cause=488;text=\"No Agreement\"");
}

}  // namespace parley::policy
