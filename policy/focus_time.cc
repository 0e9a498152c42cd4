// policy/focus_time.cc - how participants are reached, and what time and lost connections bring. See focus.h.
#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/focus.h"

namespace parley::policy {

using core::Metric;
using sip::InviteEvent;

namespace {

// Of the time for draining, what the BYEs of the sessions that are left may take.
constexpr core::Duration last_words = std::chrono::seconds(4);

}  // namespace

void Focus::take_way(Participant& p, Way& way, const Received& message, bool record_routed) {
  ways_.forget(way, p.self, false);
  ways_.take(way, p.self, message, record_routed);
  keep_way(p);
}

void Focus::keep_way(const Participant& p) {
  UserAgent::keep_way(p.way, std::max(config_->calls.timer.interval_seconds, p.timers.interval_seconds()));
}

// Who can be called stays; who can not is gone with his connection.
void Focus::on_flow_gone(const sip::Flow& flow) {
  if (!flow.reliable()) return;
  while (const auto id = ways_.next_of(flow)) {
    Participant* const p = participants_.get(*id);
    CHECK(p != nullptr);
    p->way.back = false;
    if (p->dialog->made() && p->stand != Participant::Stand::gone) {
      const bool waits = !p->invited_by_us() && p->stand == Participant::Stand::inviting;
      const bool lost = waits ? !may_be_callable(flow) : !callable_without(flow, p->dialog->next_hop());
      if (lost) {
        metrics_.add(Metric::sip_calls_lost);
        p->reason = "SIP;cause=480;text=\"Connection Lost\"";
        lose(*p);
      }
    }
    const core::SlotId session = p->session;
    settle(*p);
    settle(session);
  }
}

core::Instant Focus::deadline_of(const Participant& p) {
  core::Instant next = std::min({p.usage.next_deadline(), p.reliable.next_deadline(), p.changes.next_deadline(),
                                 p.timers.next_deadline(), p.lost_until});
  if (p.early != nullptr) next = std::min(next, p.early->next_deadline());
  return next;
}

core::Instant Focus::deadline_of(const FocusSession& s) const {
  core::Instant next = s.ending ? core::never : std::min(s.ends, s.gather_until);
  for (const FocusRefer& refer : s.refers) next = std::min(next, refer.until);
  return next;
}

void Focus::run_timers() {
  if (now_ >= drain_ends_) {
    drain_ends_ = core::never;
    std::vector<core::SlotId> left;
    sessions_.for_each([&left](core::SlotId id, FocusSession&) { left.push_back(id); });
    for (const core::SlotId id : left) {
      FocusSession& s = *sessions_.get(id);
      if (!s.ending) metrics_.add(Metric::sip_sessions_drained);
      s.stays = true;
      end_session(s, "SIP;cause=503;text=\"Server Is Going Down\"");
      settle(s);
    }
  }
  while (core::Timer* const timer = wheel_.expire_one(now_)) {
    const core::SlotId id = core::SlotId::unpack(timer->owner);
    if (timer->kind == session_timer) {
      run(*sessions_.get(id));
      settle(id);
      continue;
    }
    Participant* const p = participants_.get(id);
    CHECK(p != nullptr);
    const core::SlotId session = p->session;
    run(*p);
    if (Participant* const left = participants_.get(id)) settle(*left);
    settle(session);
  }
}

void Focus::run(Participant& p) {
  for (;;) {
    const bool waits_for_ack = p.usage.state() == sip::InviteState::answered;
    const std::uint32_t actions = p.usage.due(now_);
    if (actions == 0) break;
    if (waits_for_ack && (actions & sip::invite_do::send_bye) != 0) metrics_.add(Metric::sip_calls_no_ack);
    use(p, actions, {});
  }
  switch (p.reliable.due(now_)) {
    case sip::Resend::Due::nothing: break;
    case sip::Resend::Due::again:
      (void)transactions_.respond(p.server, 183, p.reliable.bytes(), now_);
      break;
    case sip::Resend::Due::over: use(p, p.usage.on(InviteEvent::prack_overdue, now_), {}); break;
  }
  while (p.changes.next_deadline() <= now_) change(p, p.changes.due(now_), {});
  if (p.early != nullptr && p.early->due(now_) != 0) lose(p);  // T-27
  timer_due(p);
  if (p.lost_until <= now_) {
    p.lost_until = core::never;
    metrics_.add(Metric::sip_sessions_media_failed);
    p.lost = true;
    hang_up(p, "SIP;cause=480;text=\"MSRP Connection Lost\"");
  }
}

void Focus::run(FocusSession& s) {
  for (std::size_t i = 0; i < s.refers.size();) {
    if (s.refers[i].until > now_) {
      ++i;
      continue;
    }
    FocusRefer refer = std::move(s.refers[i]);
    s.refers.erase(s.refers.begin() + static_cast<std::ptrdiff_t>(i));
    send_refer_notify(s, refer, 100, "timeout");
  }
  if (!s.ending && s.gather_until <= now_) gather_no_longer(s);
  if (!s.ending && s.ends <= now_) {
    metrics_.add(Metric::sip_sessions_duration);
    end_session(s, "SIP;cause=480;text=\"Session Duration\"");
  }
}

void Focus::drain() {
  if (std::exchange(draining_, true)) return;
  drain_ends_ = now_ + std::max(core::Duration::zero(), config_->calls.drain - last_words);
}

}  // namespace parley::policy
