// policy/calls_time.cc - how the peers of a call are reached, and what time and lost connections bring. See calls.h.
#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/calls.h"

namespace parley::policy {

using core::Metric;
using sip::InviteEvent;

namespace {

// Of the time for draining, what the BYEs of the calls that are left may take.
constexpr core::Duration last_byes = std::chrono::seconds(4);

}  // namespace

void Calls::take_way(Call& call, Way& way, const Received& message, bool record_routed) {
  forget_way(call, way);
  ways_.take(way, call.self, message, record_routed);
  keep_way(call, way);
}

void Calls::forget_way(Call& call, Way& way) {
  const auto same = [&way](const Way& other) { return &other != &way && other.back && other.flow == way.flow; };
  const bool shared = same(call.way_a) || std::any_of(call.strands.begin(), call.strands.end(),
                                                      [&](const auto& strand) { return same(strand->way_b); });
  ways_.forget(way, call.self, shared);
}

void Calls::keep_way(const Call& call, const Way& way) {
  UserAgent::keep_way(way, std::max({config_->calls.timer.interval_seconds, call.a.timer.interval_seconds(),
                                     call.b.timer.interval_seconds()}));
}

// A peer that can be called stays; the leg of one that can not is lost.
void Calls::on_flow_gone(const sip::Flow& flow) {
  if (!flow.reliable()) return;
  while (const auto id = ways_.next_of(flow)) {
    Call* const call = calls_.get(*id);
    CHECK(call != nullptr);
    const auto lost = [&](Strand& strand, Leg leg, Way& way) {
      if (!way.back || !(way.flow == flow)) return;
      way.back = false;
      sip::Dialog* const own = dialog(*call, strand, leg);
      if (own != nullptr && callable_without(flow, own->next_hop())) return;
      if (call->won != &strand || !call->stands()) return;
      metrics_.add(Metric::sip_calls_lost);
      call->reason = "SIP;cause=480;text=\"Connection Lost\"";
      use(*call, leg, call->leg(leg).usage.on(InviteEvent::dialog_lost, now_), {});
    };
    for (const auto& strand : call->strands) lost(*strand, Leg::b, strand->way_b);
    if (call->won != nullptr) {
      lost(*call->won, Leg::a, call->way_a);
    } else if (call->way_a.flow == flow) {
      call->way_a.back = false;
      // A caller that can be called can still be answered; one that can not has hung up.
      if (!may_be_callable(flow) && call->stands()) use(*call, Leg::a, call->a.usage.on(InviteEvent::dialog_lost, now_), {});
    }
    settle(*call);
  }
}

core::Instant Calls::deadline_of(const Call& call) {
  core::Instant next = std::min(call.a.usage.next_deadline(), call.b.usage.next_deadline());
  if (call.early != nullptr) next = std::min(next, call.early->next_deadline());
  for (const auto& strand : call.strands) {
    next = std::min({next, strand->reliable.next_deadline(), strand->changes[0].next_deadline(),
                     strand->changes[1].next_deadline()});
  }
  return std::min({next, call.a.timer.next_deadline(), call.b.timer.next_deadline()});
}

void Calls::run_timers() {
  if (now_ >= drain_ends_) {
    drain_ends_ = core::never;
    std::vector<core::SlotId> left;
    calls_.for_each([&left](core::SlotId id, Call&) { left.push_back(id); });
    for (const core::SlotId id : left) {
      Call* const call = calls_.get(id);
      if (call->stands()) metrics_.add(Metric::sip_calls_drained);
      end_call(*call, "SIP;cause=503;text=\"Server Is Going Down\"");
      settle(*call);
    }
  }
  while (core::Timer* const timer = wheel_.expire_one(now_)) {
    Call* const call = calls_.get(core::SlotId::unpack(timer->owner));
    CHECK(call != nullptr);
    run(*call);
    settle(*call);
  }
}

void Calls::run(Call& call) {
  for (const Leg leg : {Leg::a, Leg::b}) {
    sip::InviteUsage& usage = call.leg(leg).usage;
    for (;;) {
      const bool waits_for_ack = usage.state() == sip::InviteState::answered;
      const std::uint32_t actions = usage.due(now_);
      if (actions == 0) break;
      if (waits_for_ack && (actions & sip::invite_do::send_bye) != 0) metrics_.add(Metric::sip_calls_no_ack);
      use(call, leg, actions, {});
    }
  }
  for (std::size_t i = 0; i < call.strands.size(); ++i) {
    Strand& strand = *call.strands[i];
    switch (strand.reliable.due(now_)) {
      case sip::Resend::Due::nothing: break;
      case sip::Resend::Due::again:
        (void)transactions_.respond(call.a.server, 183, strand.reliable.bytes(), now_);
        break;
      case sip::Resend::Due::over: use(call, Leg::a, call.a.usage.on(InviteEvent::prack_overdue, now_), {}); break;
    }
    for (const Leg leg : {Leg::a, Leg::b}) {
      while (strand.of(leg).next_deadline() <= now_) change(call, strand, leg, strand.of(leg).due(now_), {});
    }
  }
  if (call.early != nullptr && call.early->due(now_) != 0) {
    use(call, Leg::b, call.b.usage.on(InviteEvent::dialog_lost, now_), {});  // T-27
  }
  for (const Leg leg : {Leg::a, Leg::b}) timer_due(call, leg);
}

void Calls::drain() {
  if (std::exchange(draining_, true)) return;
  drain_ends_ = now_ + std::max(core::Duration::zero(), config_->calls.drain - last_byes);
}

}  // namespace parley::policy
