// sip/notifier.cc - see notifier.h; the rules stand in subscription_rules.h.
#include "sip/notifier.h"

#include <algorithm>

#include "core/check.h"

namespace parley::sip {

namespace rules = subscription_rules;
using core::Metric;
using rules::NotifierEvent;
using rules::NotifierState;

namespace {

core::Duration seconds(std::uint32_t count) { return std::chrono::seconds(count); }

std::string event_value(const Event& event) {
  std::string value(event.package);
  if (event.has_id) {
    value += ";id=";
    value += event.id;
  }
  return value;
}

}  // namespace

std::string subscription_state(const NotifyFact& notify) {
  std::string value(to_string(notify.status));
  if (notify.status != SubscriptionStatus::terminated) {
    return value + ";expires=" + std::to_string(notify.expires_seconds);  // 6665 4.2.2
  }
  if (notify.reason != TerminationReason::none) value.append(";reason=").append(to_string(notify.reason));
  if (notify.retry_after_seconds != 0) value += ";retry-after=" + std::to_string(notify.retry_after_seconds);
  return value;
}

Notifier::Notifier(const NotifierConfig& config, std::span<const EventPackage> packages, core::Metrics& metrics,
                   core::Instant now)
    : config_(config), packages_(packages), metrics_(metrics), wheel_(now), subscriptions_(config.subscriptions_max) {}

Notifier::~Notifier() {
  subscriptions_.for_each([this](core::SlotId, Subscription& at) {
    wheel_.cancel(at.expiry);
    wheel_.cancel(at.interval);
  });
}

SubscriptionId Notifier::find(std::uint64_t dialog, const Event& event) const {
  for (auto key = by_dialog_.lower_bound({dialog, 0}); key != by_dialog_.end() && key->first == dialog; ++key) {
    const Subscription* const at = subscriptions_.get(SubscriptionId::unpack(key->second));
    if (at->state == NotifierState::ending) continue;
    const bool same_id = at->has_event_id == event.has_id && at->event_id == event.id;
    if (same_id && packages_[at->package].name == event.package) return at->self;
  }
  return {};
}

bool Notifier::lives(SubscriptionId id) const {
  const Subscription* const at = subscriptions_.get(id);
  return at != nullptr && at->state != NotifierState::ending;
}

std::uint32_t Notifier::in_dialog(std::uint64_t dialog) const {
  std::uint32_t count = 0;
  for (auto key = by_dialog_.lower_bound({dialog, 0}); key != by_dialog_.end() && key->first == dialog; ++key) ++count;
  return count;
}

std::optional<SubscriptionView> Notifier::view(SubscriptionId id) const {
  const Subscription* const at = subscriptions_.get(id);
  if (at == nullptr || at->state == NotifierState::ending) return std::nullopt;
  return SubscriptionView{.event = at->event, .package = at->package, .expires = at->expires, .held = at->held};
}

// Null: a limit.
Notifier::Subscription* Notifier::place(const Place& where, const Event& event) {
  CHECK(where.package < packages_.size());
  if (event.id.size() > config_.event_id_bytes_max || in_dialog(where.dialog) >= config_.subscriptions_per_dialog_max) {
    metrics_.add(Metric::sip_subscriptions_dialog_limit);
    return nullptr;
  }
  const SubscriptionId id = subscriptions_.emplace();
  Subscription* const at = subscriptions_.get(id);
  if (at == nullptr) {
    metrics_.add(Metric::sip_subscriptions_limit);
    return nullptr;
  }
  at->self = id;
  at->dialog = where.dialog;
  at->resource = where.resource;
  at->package = where.package;
  at->event = event_value(event);
  at->event_id = event.id;
  at->has_event_id = event.has_id;
  at->expiry.owner = at->interval.owner = id.packed();
  at->expiry.kind = expiry_timer;
  at->interval.kind = interval_timer;
  by_dialog_.emplace(at->dialog, id.packed());
  by_resource_.emplace(at->resource, id.packed());
  metrics_.add(Metric::sip_subscriptions);
  return at;
}

SubscriptionId Notifier::subscribe(const NewSubscription& what, core::Instant now) {
  Subscription* const at = place({what.dialog, what.resource, what.package}, what.event);
  if (at == nullptr) return {};
  const SubscriptionId id = at->self;
  at->state = what.pending ? NotifierState::pending : NotifierState::active;
  metrics_.add(Metric::sip_subscriptions_created);
  CHECK(refresh(id, what.expires_seconds, now));
  return id;
}

SubscriptionId Notifier::restore(const LeftSubscription& what, core::Instant now) {
  Subscription* const at = place({what.dialog, what.resource, what.package}, what.event);
  if (at == nullptr) return {};
  at->state = NotifierState::active;
  at->expires = what.expires;
  at->may_notify = what.notify_at;
  at->held = what.held;
  at->changed = true;
  wheel_.arm(at->expiry, at->expires);
  notify_when_allowed(*at, now);
  return at->self;
}

bool Notifier::refresh(SubscriptionId id, std::uint32_t expires_seconds, core::Instant now) {
  Subscription* const at = subscriptions_.get(id);
  if (at == nullptr || at->state == NotifierState::ending) return false;
  if (expires_seconds == 0) {
    end(*at, NotifierEvent::unsubscribe, TerminationReason::timeout, now);
    return true;
  }
  at->expires = now + seconds(expires_seconds);
  at->held = false;
  apply(*at, NotifierEvent::refresh, now);
  return true;
}

void Notifier::grant(SubscriptionId id, core::Instant now) {
  if (Subscription* const at = subscriptions_.get(id); at != nullptr) apply(*at, NotifierEvent::grant, now);
}

void Notifier::changed(std::uint64_t resource, core::Instant now) {
  for (auto key = by_resource_.lower_bound({resource, 0}); key != by_resource_.end() && key->first == resource; ++key) {
    apply(*subscriptions_.get(SubscriptionId::unpack(key->second)), NotifierEvent::change, now);
  }
}

void Notifier::remind(SubscriptionId id, core::Instant now) {
  if (Subscription* const at = subscriptions_.get(id); at != nullptr) apply(*at, NotifierEvent::change, now);
}

void Notifier::end(SubscriptionId id, TerminationReason reason, std::uint32_t retry_after_seconds, core::Instant now) {
  Subscription* const at = subscriptions_.get(id);
  if (at == nullptr || at->state == NotifierState::ending) return;
  at->retry_after_seconds = retry_after_seconds;
  end(*at, NotifierEvent::end, reason, now);
}

void Notifier::end_all(std::uint64_t resource, TerminationReason reason, core::Instant now) {
  for (auto key = by_resource_.lower_bound({resource, 0}); key != by_resource_.end() && key->first == resource; ++key) {
    end(SubscriptionId::unpack(key->second), reason, 0, now);
  }
}

void Notifier::end(Subscription& at, NotifierEvent event, TerminationReason reason, core::Instant now) {
  at.reason = reason;
  apply(at, event, now);
}

void Notifier::dialog_gone(std::uint64_t dialog, core::Instant now) {
  for (auto key = by_dialog_.lower_bound({dialog, 0}); key != by_dialog_.end() && key->first == dialog;) {
    const SubscriptionId id = SubscriptionId::unpack(key->second);
    ++key;  // the entry goes with its subscription
    apply(*subscriptions_.get(id), NotifierEvent::dialog_gone, now);
  }
}

void Notifier::notify_answered(SubscriptionId id, std::uint32_t number, std::uint16_t status, core::Instant now) {
  Subscription* const at = subscriptions_.get(id);
  if (at == nullptr) return;
  if (at->unanswered > 0) --at->unanswered;
  if (status >= 300) metrics_.add(Metric::sip_notify_failed);
  if (at->last_number != 0 && number == at->last_number) {
    apply(*at, NotifierEvent::final_answered, now);
    return;
  }
  const bool fatal = status == 408 || rules::ends_subscription(status);
  NotifierEvent event = NotifierEvent::notify_ok;
  if (status >= 300) event = fatal ? NotifierEvent::notify_fatal : NotifierEvent::notify_failed;
  apply(*at, event, now);
  // A change may have waited for this answer.
  if (Subscription* const left = subscriptions_.get(id); left != nullptr && left->changed) {
    notify_when_allowed(*left, now);
  }
}

void Notifier::notify_unheard(SubscriptionId id, std::uint32_t number, core::Instant now) {
  Subscription* const at = subscriptions_.get(id);
  if (at == nullptr) return;
  if (at->state == NotifierState::ending) {
    notify_answered(id, number, 408, now);
    return;
  }
  if (at->unanswered > 0) --at->unanswered;
  metrics_.add(Metric::sip_notify_failed);
  at->held = at->say_all = true;
}

void Notifier::apply(Subscription& at, NotifierEvent event, core::Instant now) {
  const auto& row = rules::notifier_row(at.state, event);
  CHECK(row.kind != rules::RowKind::never);
  at.state = row.next;
  if ((row.actions & rules::arm_expiry) != 0) wheel_.arm(at.expiry, at.expires);
  if ((row.actions & (rules::say_all | rules::notify_now | rules::notify_last)) != 0) at.say_all = true;
  if ((row.actions & rules::notify_soon) != 0) {
    at.changed = true;
    notify_when_allowed(at, now);
  }
  if ((row.actions & rules::notify_last) != 0) {
    wheel_.cancel(at.expiry);
    wheel_.cancel(at.interval);
  }
  // Those that a SUBSCRIBE is owed, and the last, wait for nothing (6665 4.2.1.2).
  if ((row.actions & (rules::notify_now | rules::notify_last)) != 0) queue(at);
  if ((row.actions & rules::destroy) != 0) destroy(at);
}

// Two at a time could overtake each other, and a slow peer would be sent ever more.
void Notifier::notify_when_allowed(Subscription& at, core::Instant now) {
  if (at.state == NotifierState::ending || at.queued || at.held || at.unanswered > 0) return;
  if (now >= at.may_notify) {
    queue(at);
  } else if (!at.interval.armed()) {
    wheel_.arm(at.interval, at.may_notify);
  }
}

void Notifier::queue(Subscription& at) {
  if (at.queued) return;
  at.queued = true;
  due_.push_back(at.self);
}

void Notifier::destroy(Subscription& at) {
  wheel_.cancel(at.expiry);
  wheel_.cancel(at.interval);
  by_dialog_.erase({at.dialog, at.self.packed()});
  by_resource_.erase({at.resource, at.self.packed()});
  ended_.push_back({at.self, at.dialog, at.resource});
  metrics_.sub(Metric::sip_subscriptions);
  subscriptions_.erase(at.self);
}

void Notifier::fire(const core::Timer& timer, core::Instant now) {
  Subscription* const at = subscriptions_.get(SubscriptionId::unpack(timer.owner));
  CHECK(at != nullptr);
  if (timer.kind == interval_timer) {
    notify_when_allowed(*at, now);
    return;
  }
  metrics_.add(Metric::sip_subscriptions_expired);
  end(*at, NotifierEvent::expire, TerminationReason::timeout, now);
}

bool Notifier::next_fact(core::Instant now, NotifierFact& fact) {
  while (const core::Timer* const timer = wheel_.expire_one(now)) fire(*timer, now);
  while (!due_.empty()) {
    Subscription* const at = subscriptions_.get(due_.front());
    due_.pop_front();
    if (at == nullptr) continue;
    fact = {.kind = NotifierFact::Kind::notify, .notify = make_notify(*at, now)};
    return true;
  }
  if (ended_.empty()) return false;
  fact = {.kind = NotifierFact::Kind::ended, .ended = ended_.front()};
  ended_.pop_front();
  return true;
}

NotifyFact Notifier::make_notify(Subscription& at, core::Instant now) {
  NotifyFact notify{.subscription = at.self,
                    .dialog = at.dialog,
                    .resource = at.resource,
                    .package = at.package,
                    .event = at.event,
                    .number = ++at.sent,
                    .full = at.say_all};
  at.queued = at.changed = at.say_all = false;
  ++at.unanswered;
  at.may_notify = now + packages_[at.package].interval_min;
  wheel_.cancel(at.interval);
  metrics_.add(Metric::sip_notify_sent);
  if (at.state == NotifierState::ending) {
    at.last_number = notify.number;
    notify.status = SubscriptionStatus::terminated;
    notify.reason = at.reason;
    notify.retry_after_seconds = at.retry_after_seconds;
    return notify;
  }
  notify.status = at.state == NotifierState::pending ? SubscriptionStatus::pending : SubscriptionStatus::active;
  const core::Duration left = at.expires - now;
  // Down, not up: the peer must not count on more than there is.
  notify.expires_seconds = static_cast<std::uint32_t>(
      std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::seconds>(left).count(), 0));
  return notify;
}

core::Instant Notifier::next_deadline() const {
  if (!due_.empty() || !ended_.empty()) return core::Instant{};
  return wheel_.next_deadline();
}

}  // namespace parley::sip
