// policy/event_store.cc - what of a subscription outlives the process, and how it goes on. See event_dialogs.h. R6665-1, T-35.
#include <algorithm>
#include <utility>

#include "policy/event_dialogs.h"
#include "policy/hop.h"
#include "sip/listener_name.h"
#include "sip/own_tag.h"

namespace parley::policy {

using core::Metric;

namespace {

// Nobody is told before devices and connections have had a moment to come back.
constexpr core::Duration restored_wait = std::chrono::milliseconds(500);

sip::DialogRecord record_of(const core::SubscriptionRow& row) {
  return {.call_id = row.call_id,
          .local = row.local,
          .remote = row.remote,
          .target = row.target,
          .routes = row.routes,
          .local_cseq = row.local_cseq,
          .remote_cseq = row.remote_cseq,
          .secure = row.secure};
}

}  // namespace

// --- writing

// All that are in that dialog: each row has the whole of it.
void EventDialogs::keep_soon(Subscriber& s) {
  if (!keeps()) return;
  for (Usage& usage : s.usages) {
    if (usage.to_keep || !notifier_.lives(usage.id)) continue;
    if (usage.row == 0) usage.row = random_.next() >> 1 | 1;
    usage.to_keep = true;
    to_keep_.push_back({usage.id, s.self.packed(), s.resource});
  }
}

bool EventDialogs::next_kept(EventFact& fact) {
  while (!to_keep_.empty()) {
    const KeepFact next = to_keep_.front();
    to_keep_.pop_front();
    if (!notifier_.lives(next.subscription)) continue;
    fact = {.kind = EventFact::Kind::keep, .keep = next};
    return true;
  }
  return false;
}

void EventDialogs::keep(const KeepFact& fact, const KeptDetails& details) {
  Subscriber* const s = subscribers_.get(core::SlotId::unpack(fact.dialog));
  const auto view = notifier_.view(fact.subscription);
  if (s == nullptr || !view) return;
  const auto usage =
      std::find_if(s->usages.begin(), s->usages.end(), [&](const Usage& u) { return u.id == fact.subscription; });
  if (usage == s->usages.end()) return;
  usage->to_keep = false;
  usage->kept = true;
  s->kept_cseq = s->dialog->local_cseq();
  const sip::Listener& listener = transport_.listener(s->flow);
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(view->expires - now_);
  out_->store({0, core::PutSubscription{{.id = usage->row,
                                         .owner = std::string(kept_as_),
                                         .event = std::string(view->event),
                                         .resource = std::string(details.resource),
                                         .watcher = std::string(details.watcher),
                                         .version = details.version,
                                         .changes_only = details.changes_only,
                                         .call_id = std::string(s->dialog->call_id()),
                                         .local = std::string(s->dialog->local()),
                                         .remote = std::string(s->dialog->remote()),
                                         .target = std::string(s->dialog->remote_target()),
                                         .routes = std::string(s->dialog->route_set()),
                                         .local_cseq = s->dialog->local_cseq(),
                                         .remote_cseq = s->dialog->remote_cseq(),
                                         .secure = s->dialog->secure(),
                                         .joined = s->joined,
                                         .contact = s->contact,
                                         // A connection that we made may have no listener of its kind: it does not come back.
                                         .listener = listener.transport == s->flow.transport ? sip::listener_name(listener)
                                                                                             : std::string(),
                                         .source = core::to_string(s->flow.remote),
                                         .back = s->back && !s->flow.reliable(),
                                         .expires_ms = wall_ms_ + left.count()}}});
}

void EventDialogs::unkeep(Subscriber& s, sip::SubscriptionId id) {
  for (Usage& usage : s.usages) {
    if (usage.id != id || !std::exchange(usage.kept, false)) continue;
    out_->store({0, core::RemoveSubscription{usage.row}});
  }
}

// --- reading

void EventDialogs::drop(const core::SubscriptionRow& row) {
  metrics_.add(Metric::sip_subscriptions_not_restored);
  rows_over_.push_back(row.id);
}

RestoredEvent EventDialogs::restore(const core::SubscriptionRow& row, std::uint64_t resource, bool ends,
                                    const core::Now& now) {
  now_ = now.mono;
  sip::Event event;
  const auto package = std::find_if(packages_.begin(), packages_.end(), [&](const sip::EventPackage& served) {
    return sip::parse_event(row.event, event) && served.name == event.package;
  });
  Subscriber* const s = package == packages_.end() || row.expires_ms <= now.wall_ms ? nullptr : restored_dialog(row, resource);
  if (s == nullptr || notifier_.find(s->self.packed(), event).valid()) {
    drop(row);
    return {};
  }
  // A clock that was set back must not make it live longer than it may.
  const core::Duration left = std::min<core::Duration>(std::chrono::milliseconds(row.expires_ms - now.wall_ms),
                                                       std::chrono::seconds(package->expires_max_seconds));
  const auto index = static_cast<std::uint8_t>(package - packages_.begin());
  const core::Duration each = core::Duration(std::chrono::seconds(1)) / std::max(notifier_.config().restored_per_second, 1U);
  const sip::SubscriptionId id = notifier_.restore({.dialog = s->self.packed(),
                                                    .resource = resource,
                                                    .package = index,
                                                    .event = event,
                                                    .expires = now.mono + left,
                                                    .notify_at = now.mono + restored_wait + restored_ * each,
                                                    .held = ends || (s->lost && !called(*s))},
                                                   now.mono);
  if (!id.valid()) {
    if (s->usages.empty()) forget(*s);
    drop(row);
    return {};
  }
  if (!ends) ++restored_;
  if (ends) {
    to_end_.push_back(id);
    end_next_ = now.mono + restored_wait;
  }
  s->dialog->begin_usage();
  s->usages.push_back({.id = id, .row = row.id, .kept = true});
  metrics_.add(Metric::sip_subscriptions_restored);
  return {.subscription = id, .package = index};
}

// The dialog that it was in, which others may have come back to before. Null: it can not be gone on with.
EventDialogs::Subscriber* EventDialogs::restored_dialog(const core::SubscriptionRow& row, std::uint64_t resource) {
  const std::span<const sip::Listener> listeners = config_->transport.listeners;
  const auto remote = core::parse_address(row.source);
  if (!remote || row.contact.empty()) return nullptr;
  const auto listener = sip::find_listener(row.listener, remote->family, listeners, true);
  if (listener == listeners.end()) return nullptr;
  auto dialog = std::make_shared<sip::Dialog>(pool_);
  const sip::DialogRecord record = record_of(row);
  if (dialog->restore(record) != sip::DialogFault::none) return nullptr;
  const std::uint64_t tag = sip::tag_key(dialog->local_tag());
  if (!row.joined && tag == 0) return nullptr;
  const std::string joined = joined_key(dialog->call_id(), dialog->local_tag());
  core::SlotId there{};
  if (const auto found = by_joined_.find(joined); row.joined && found != by_joined_.end()) there = found->second;
  if (const auto found = by_tag_.find(tag); !row.joined && found != by_tag_.end()) there = found->second;
  if (Subscriber* const s = subscribers_.get(there)) {
    if (!s->dialog->is(dialog->call_id(), dialog->local_tag(), dialog->remote_tag()) || s->resource != resource) return nullptr;
    s->dialog->go_on_behind(record);
    s->kept_cseq = std::min(s->kept_cseq, record.local_cseq);
    return s;
  }
  const core::SlotId id = subscribers_.emplace();
  Subscriber* const s = subscribers_.get(id);
  if (s == nullptr) {
    metrics_.add(Metric::sip_subscriptions_limit);
    return nullptr;
  }
  s->self = id;
  s->dialog = std::move(dialog);
  s->kept_cseq = row.local_cseq;
  s->resource = resource;
  s->contact = row.contact;
  s->joined = row.joined;
  s->flow.transport = listener->transport;
  s->flow.shard = static_cast<std::uint16_t>(shard_);
  s->flow.listener = static_cast<std::uint16_t>(listener - listeners.begin());
  s->flow.remote = *remote;
  s->lost = s->flow.reliable();
  s->back = row.back && !s->lost;
  if (row.joined) {
    by_joined_.emplace(joined, id);
  } else {
    s->tag = tag;
    by_tag_.emplace(tag, id);
  }
  return s;
}

bool EventDialogs::held(sip::SubscriptionId id) const {
  const auto view = notifier_.view(id);
  return view && view->held;
}

// A connection is gone: whether he names another way than the one that he came by.
bool EventDialogs::called(const Subscriber& s) {
  Hop hop;
  return s.flow.transport != core::Transport::ws && s.flow.transport != core::Transport::wss &&
         literal_hop(s.dialog->next_hop(), hop) && hop.address != core::unmapped(s.flow.remote);
}

}  // namespace parley::policy
