// sip/subscriber.cc - see subscriber.h; the rules stand in subscription_rules.h.
#include "sip/subscriber.h"

#include <algorithm>

#include "core/check.h"

namespace parley::sip {

namespace rules = subscription_rules;
using rules::SubscriberEvent;
using rules::SubscriberState;

namespace {

constexpr std::uint32_t min_expires_limit_seconds = 3600;  // 6665 4.2.1.1: a larger Min-Expires is not allowed

core::Duration of_seconds(std::uint32_t count) { return std::chrono::seconds(count); }

bool live(SubscriberState state) {
  return state == SubscriberState::notify_wait || state == SubscriberState::pending ||
         state == SubscriberState::active || state == SubscriberState::leaving;
}

bool subscribed(SubscriberState state) { return state == SubscriberState::pending || state == SubscriberState::active; }

}  // namespace

SubscriberStep Subscriber::start(core::Instant now) {
  CHECK(state_ == SubscriberState::idle);
  return apply(SubscriberEvent::subscribe, now);
}

SubscriberStep Subscriber::stop(core::Instant now) { return apply(SubscriberEvent::stop, now); }

SubscriberStep Subscriber::refresh_now(core::Instant now) {
  return subscribed(state_) ? apply(SubscriberEvent::refresh_due, now) : SubscriberStep{};
}

SubscriberStep Subscriber::response(const SubscribeResponse& response, core::Instant now) {
  const unsigned status = response.status;
  said_ = false;
  if (status < 300) {
    // A NOTIFY that was faster than its 2xx has said it already, and with authority (6665 4.1.3). Nobody may lengthen.
    said_ = response.has_expires && !notify_said_;
    said_seconds_ = std::min(response.expires_seconds, expires_seconds_);
    return apply(SubscriberEvent::accepted, now);
  }
  wait_min_ = of_seconds(response.retry_after_seconds);
  at_once_ = false;
  if (status == 423 && response.min_expires_seconds > expires_seconds_ &&
      response.min_expires_seconds <= min_expires_limit_seconds) {
    expires_seconds_ = response.min_expires_seconds;  // larger each time, so this ends
    return apply(SubscriberEvent::brief, now);
  }
  if (subscribed(state_)) {
    at_once_ = status == 481;  // it has forgotten us: an unrelated SUBSCRIBE may do (6665 4.1.2.2)
    if (rules::ends_subscription(status)) return apply(SubscriberEvent::refused, now);
    refresh_failed(now);
    return apply(SubscriberEvent::failed, now);
  }
  // Nothing there that could ever be subscribed to, or not by us. 480 to 485 are about today.
  const bool today = status >= 480 && status <= 485;
  const bool refused = (rules::ends_subscription(status) && !today) || status == 403 || status == 603;
  return apply(refused ? SubscriberEvent::refused : SubscriberEvent::failed, now);
}

// It lives on to its end (6665 4.1.2.2), no NOTIFY is to be waited for, and there may be time for another try.
void Subscriber::refresh_failed(core::Instant now) {
  timer_n_ = core::never;
  if (expires_ <= now) return;
  const core::Instant next = now + std::max({(expires_ - now) / 2, wait_min_, config_.retry_min});
  refresh_ = next < expires_ ? next : core::never;
}

SubscriberStep Subscriber::notify(const SubscriptionState& state, core::Instant now) {
  if (!live(state_)) {
    SubscriberStep step;
    step.answer = 481;  // 6665 4.1.3
    return step;
  }
  timer_n_ = core::never;
  said_ = notify_said_ = state.has_expires;
  said_seconds_ = std::min(state.expires_seconds, expires_seconds_);  // 6665 4.2.2: not to lengthen
  SubscriberEvent event = SubscriberEvent::notify_active;
  if (state.status == SubscriptionStatus::terminated) {
    const rules::Advice advice = rules::advice(state.reason);
    const bool never_again = advice.again == rules::Again::not_any || config_.expires_seconds == 0;  // a fetch is done
    event = never_again ? SubscriberEvent::notify_never : SubscriberEvent::notify_again;
    at_once_ = advice.again == rules::Again::at_once;
    wait_min_ =
        advice.retry_after_counts && state.has_retry_after ? of_seconds(state.retry_after_seconds) : core::Duration{};
  } else if (state.status != SubscriptionStatus::active) {
    event = SubscriberEvent::notify_pending;  // and what an extension calls otherwise: it lives
  }
  SubscriberStep step = apply(event, now);
  // What was sent away for good must still be asked for its last NOTIFY.
  if (state_ == SubscriberState::leaving && timer_n_ == core::never) timer_n_ = now + config_.timer_n;
  step.answer = 200;
  return step;
}

SubscriberStep Subscriber::due(core::Instant now) {
  if (now >= timer_n_) {
    timer_n_ = core::never;
    at_once_ = false;
    wait_min_ = {};
    return apply(SubscriberEvent::timer_n, now);
  }
  if (now >= expires_) {
    expires_ = core::never;
    at_once_ = true;
    wait_min_ = {};
    return apply(SubscriberEvent::expired, now);
  }
  if (now >= refresh_) {
    refresh_ = core::never;
    return apply(SubscriberEvent::refresh_due, now);
  }
  if (now >= again_) {
    again_ = core::never;
    return apply(SubscriberEvent::subscribe, now);
  }
  return {};
}

core::Instant Subscriber::deadline() const { return std::min({timer_n_, expires_, refresh_, again_}); }

SubscriberStep Subscriber::apply(SubscriberEvent event, core::Instant now) {
  const auto& row = rules::subscriber_row(state_, event);
  CHECK(row.kind != rules::RowKind::never);
  SubscriberStep step;
  state_ = row.next;
  if (event == SubscriberEvent::notify_active) failures_ = 0;
  if ((row.actions & rules::take_expiry) != 0 && said_) expires_in(said_seconds_, now);
  // The time of the 2xx has passed, the NOTIFY came late and names none.
  if (subscribed(state_) && expires_ == core::never) expires_in(expires_seconds_, now);
  if ((row.actions & rules::send_first) != 0) send(SubscribeKind::first, step, now);
  if ((row.actions & rules::send_refresh) != 0) send(SubscribeKind::refresh, step, now);
  if ((row.actions & rules::send_last) != 0) send(SubscribeKind::last, step, now);
  step.usage_ended = (row.actions & rules::end_usage) != 0;
  if (!subscribed(state_) && state_ != SubscriberState::notify_wait) refresh_ = expires_ = core::never;
  if (!live(state_)) timer_n_ = core::never;
  if (state_ == SubscriberState::over) again_ = core::never;
  if ((row.actions & rules::back_off) != 0) back_off(now);
  return step;
}

void Subscriber::send(SubscribeKind kind, SubscriberStep& step, core::Instant now) {
  step.send = kind;
  step.expires_seconds = kind == SubscribeKind::last ? 0 : expires_seconds_;
  timer_n_ = now + config_.timer_n;
  notify_said_ = false;
  if (kind != SubscribeKind::first) return;
  first_sent_ = now;
  first_ends_ = timer_n_;
  // Should nobody name the time (R6665-5), it is what we asked for.
  expires_in(expires_seconds_, now);
}

void Subscriber::expires_in(std::uint32_t time, core::Instant now) {
  const core::Duration whole = of_seconds(time);
  expires_ = now + whole;
  // A short one is refreshed when half of it has passed.
  refresh_ = now + std::max(whole - config_.refresh_lead, whole / 2);
}

void Subscriber::back_off(core::Instant now) {
  core::Duration wait = config_.retry_min;
  for (unsigned n = 0; n < failures_ && wait < config_.retry_max; ++n) wait *= 2;
  wait = std::min(wait, config_.retry_max);
  if (at_once_ && failures_ == 0) wait = {};
  ++failures_;
  again_ = now + std::max(wait, std::min(wait_min_, config_.retry_after_max));
  // A peer that says `deactivated` to each new one does not get us to run in circles.
  again_ = std::max(again_, first_sent_ + config_.retry_min);
}

}  // namespace parley::sip
