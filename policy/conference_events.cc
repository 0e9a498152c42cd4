// policy/conference_events.cc - see conference_events.h.
#include "policy/conference_events.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/store_owner.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

namespace {

constexpr std::string_view conference_events = "conference";  // value of Allow-Events (R4579-3)

// NOTIFYs of one step; the next ones leave in the next step, so that a change in a large session holds nobody up for
// more than a few ms: so many, and what is in them, which each time is copied to its connection and by the kernel.
constexpr int notifies_at_once = 500;
constexpr std::size_t notify_bytes_at_once = std::size_t{256} << 10;

// T-54
bool wants_full(const ConferenceEventsConfig& config, const sip::Received& request) {
  const std::string_view agent = request.head.value(HeaderId::user_agent, request.bytes);
  return std::any_of(config.always_full.begin(), config.always_full.end(),
                     [&](const std::string& prefix) { return agent.starts_with(prefix); });
}

}  // namespace

ConferenceEvents::ConferenceEvents(const Parts& parts)
    : metrics_(parts.metrics),
      config_(parts.config),
      packages_{parts.config->conference_events.package},
      dialogs_({.shard = parts.shard,
                .pool = parts.pool,
                .metrics = parts.metrics,
                .random = parts.random,
                .transactions = parts.transactions,
                .transport = parts.transport,
                .config = parts.config,
                .owner = Owner::conference_subscriber,
                .packages = packages_,
                .allowed_events = conference_events,
                .notifier = parts.config->conference_events.notifier,
                .notifies_unanswered_max = parts.config->conference_events.notifies_unanswered_max,
                .kept_as = kept_of_sessions}),
      watched_(parts.config->conference_events.notifier.subscriptions_max) {}

ConferenceEvents::~ConferenceEvents() {
  watched_.for_each([](core::SlotId, Watched& watched) {
    if (watched.roster != nullptr) watched.roster->watch = 0;
  });
}

void ConferenceEvents::begin(const core::Now& now, core::Outbox& out) { dialogs_.begin(now, out); }

// --- what outlives the process

void ConferenceEvents::restore(const core::SubscriptionRow& row, const core::Now& now) {
  const core::SlotId id = watched_.emplace();
  if (!id.valid()) {
    dialogs_.drop(row);
    return;
  }
  Watched& watched = *watched_.get(id);
  watched.entity = row.resource;
  watched.left = true;
  if (const RestoredEvent there = dialogs_.restore(row, id.packed(), true, now); there.subscription.valid()) {
    watched.usages[there.subscription.packed()].watcher = row.watcher;
    ++watched.watchers[row.watcher];
  }
  release(id);
}

void ConferenceEvents::keep(const KeepFact& fact) {
  const Watched* const watched = watched_.get(core::SlotId::unpack(fact.resource));
  if (watched == nullptr) return;
  const auto usage = watched->usages.find(fact.subscription.packed());
  if (usage == watched->usages.end()) return;
  dialogs_.keep(fact, {.resource = watched->entity, .watcher = usage->second.watcher, .version = usage->second.version});
}

void ConferenceEvents::reload(std::shared_ptr<const SipConfig> config) {
  config_ = std::move(config);
  packages_[0] = config_->conference_events.package;
  dialogs_.reload(config_, config_->conference_events.notifies_unanswered_max);
}

// --- SUBSCRIBE

std::uint16_t ConferenceEvents::on_subscribe(const ConferenceSubscribe& what, Roster& roster) {
  dialogs_.clear();
  const sip::Received& request = what.request;
  const bool in_dialog = !request.essentials.to_tag.empty();
  const sip::SubscriptionId known = in_dialog ? dialogs_.find(request) : sip::SubscriptionId{};
  if (what.decision != 200) {
    if (known.valid()) dialogs_.end_one(known, sip::TerminationReason::rejected);
    return what.decision;  // OMA-CONF-1
  }
  const core::SlotId id = watched_of(roster);
  if (!id.valid()) return 503;
  Watched& watched = *watched_.get(id);
  const EventAsk ask{.request = request, .match = what.match, .resource = id.packed(), .contact = what.contact};
  EventOutcome outcome;
  if (known.valid()) {
    outcome = dialogs_.refresh(request, what.match);
  } else if (in_dialog && what.dialog == nullptr && !dialogs_.knows(request)) {
    outcome.status = 481;
  } else {
    const sip::SubscribeAnswer asked = dialogs_.judge(request);
    outcome.status = asked.status;
    if (outcome.status == 200) outcome.status = room_for(watched, what.watcher);
    if (outcome.status == 200 && !in_dialog) {
      outcome = dialogs_.subscribe(ask, asked);
    } else if (outcome.status == 200) {
      outcome = what.dialog == nullptr ? dialogs_.refresh(request, what.match) : dialogs_.join(ask, what.dialog);
    }
  }
  if (outcome.created) add(watched, outcome.subscription, what);
  if (outcome.subscription.valid()) {
    const auto usage = watched.usages.find(outcome.subscription.packed());
    if (usage != watched.usages.end() && granted_s() == 0) usage->second.fetch = true;
  }
  release(id);
  return outcome.status;
}

ConferenceEvents::Known ConferenceEvents::known(const sip::Received& request) const {
  const EventDialogs::Known there = dialogs_.known(request);
  const Watched* const watched = there.subscription.valid() ? watched_.get(core::SlotId::unpack(there.resource)) : nullptr;
  if (watched == nullptr) return {};
  const auto usage = watched->usages.find(there.subscription.packed());
  return usage == watched->usages.end() ? Known{} : Known{watched->roster, usage->second.watcher};
}

std::uint16_t ConferenceEvents::room_for(const Watched& watched, std::string_view watcher) {
  const auto& config = config_->conference_events;
  if (watched.usages.size() >= config.subscriptions_per_session_max) {
    return dialogs_.busy(Metric::sip_conference_subscriptions_limit);
  }
  const auto his = watched.watchers.find(watcher);
  if (his != watched.watchers.end() && his->second >= config.subscriptions_per_watcher_max) {
    metrics_.add(Metric::sip_conference_watcher_limit);
    return 403;
  }
  return 200;
}

// --- sessions and who watches them

core::SlotId ConferenceEvents::watched_of(Roster& roster) {
  if (roster.watch != 0) return core::SlotId::unpack(roster.watch);
  const core::SlotId id = watched_.emplace();
  if (!id.valid()) {
    metrics_.add(Metric::sip_subscriptions_limit);
    return id;
  }
  Watched& watched = *watched_.get(id);
  watched.roster = &roster;
  watched.entity = roster.entity();
  watched.version = roster.version();
  roster.watch = id.packed();
  return id;
}

void ConferenceEvents::add(Watched& watched, sip::SubscriptionId id, const ConferenceSubscribe& what) {
  Usage& usage = watched.usages[id.packed()];
  usage.always_full = wants_full(config_->conference_events, what.request);
  usage.watcher = what.watcher;
  ++watched.watchers[usage.watcher];
}

void ConferenceEvents::forget(Watched& watched, std::map<std::uint64_t, Usage>::iterator usage) {
  move(watched, usage->second, {});
  const auto his = watched.watchers.find(usage->second.watcher);
  if (--his->second == 0) watched.watchers.erase(his);
  watched.up_to_date.erase(usage->first);
  watched.usages.erase(usage);
}

void ConferenceEvents::release(core::SlotId id) {
  const Watched& watched = *watched_.get(id);
  if (!watched.usages.empty()) return;
  if (watched.roster != nullptr) watched.roster->watch = 0;
  watched_.erase(id);
}

// One that is told everything each time needs no history.
void ConferenceEvents::move(Watched& watched, Usage& usage, const RosterPosition& to) {
  const RosterPosition from = std::exchange(usage.at, to);
  if (usage.always_full) return;
  if (to.told != 0) ++watched.before[to.before];
  if (from.told == 0) return;
  const auto left = watched.before.find(from.before);
  if (--left->second == 0) watched.before.erase(left);
}

void ConferenceEvents::tell_history(Watched& watched) {
  if (watched.roster == nullptr) return;
  watched.roster->forget(watched.before.empty() ? watched.roster->version() : watched.before.begin()->first);
}

void ConferenceEvents::changed(Roster& roster) {
  if (roster.watch == 0) {
    roster.forget(roster.version());  // nobody has to be told
    return;
  }
  const core::SlotId id = core::SlotId::unpack(roster.watch);
  Watched& watched = *watched_.get(id);
  if (std::exchange(watched.version, roster.version()) == roster.version()) return;
  if (!std::exchange(watched.dirty, true)) dirty_.push_back(id);
}

void ConferenceEvents::revoke(Roster& roster, std::string_view watcher) {
  if (roster.watch == 0) return;
  const Watched& watched = *watched_.get(core::SlotId::unpack(roster.watch));
  if (!watched.watchers.contains(watcher)) return;
  for (const auto& [id, usage] : watched.usages) {
    if (usage.watcher == watcher) dialogs_.end_one(sip::SubscriptionId::unpack(id), sip::TerminationReason::rejected);
  }
}

void ConferenceEvents::ended(Roster& roster) {
  if (roster.watch == 0) return;
  const core::SlotId id = core::SlotId::unpack(std::exchange(roster.watch, 0));
  watched_.get(id)->roster = nullptr;
  dialogs_.end_all(id.packed(), sip::TerminationReason::noresource);
}

// --- NOTIFY

// What goes with it, in body_.
EventDocument ConferenceEvents::put_document(Watched& watched, Usage& usage, const sip::NotifyFact& fact, bool& more) {
  body_.clear();
  if (watched.left) return {};
  if (watched.roster == nullptr) {  // OMA-CONF-8
    put_conference_head(watched.entity, ConferenceInfoState::deleted, ++usage.version, body_);
    body_ += conference_deleted_tail;
    return {.type = conference_info_type, .body = body_};
  }
  // Who is refused learns nothing; who has gone without a word is not sent what may be long.
  if (fact.status == sip::SubscriptionStatus::terminated && !usage.fetch) return {};
  Roster& roster = *watched.roster;
  RosterPosition at = usage.at;
  const std::uint64_t written = roster.documents_written();
  const RosterDocument document = roster.document(at, fact.full || usage.always_full);
  metrics_.add(Metric::sip_conference_documents, roster.documents_written() - written);
  if (document.truncated) metrics_.add(Metric::sip_conference_document_limit);
  roster.put_head(document.full ? ConferenceInfoState::full : ConferenceInfoState::partial, ++usage.version, body_);
  body_ += document.tail;
  move(watched, usage, at);
  more = document.more;
  return {.type = conference_info_type, .body = body_};
}

std::size_t ConferenceEvents::notify(const sip::NotifyFact& fact) {
  Watched* const watched = watched_.get(core::SlotId::unpack(fact.resource));
  CHECK(watched != nullptr);
  const auto usage = watched->usages.find(fact.subscription.packed());
  CHECK(usage != watched->usages.end());
  watched->up_to_date.insert(usage->first);
  bool more = false;
  const EventDocument document = put_document(*watched, usage->second, fact, more);
  const std::size_t bytes = dialogs_.send(fact, document);
  metrics_.add(Metric::sip_conference_notify_bytes, bytes);
  // OMA-CONF-4: who is `disconnected` now will be `deleted`.
  if (more) dialogs_.remind(fact.subscription);
  tell_history(*watched);
  return bytes;
}

void ConferenceEvents::on_ended(const sip::EndedFact& fact) {
  const core::SlotId id = core::SlotId::unpack(fact.resource);
  Watched* const watched = watched_.get(id);
  if (watched == nullptr) return;  // of a SUBSCRIBE that could not be answered
  const auto usage = watched->usages.find(fact.subscription.packed());
  if (usage == watched->usages.end()) return;
  forget(*watched, usage);
  tell_history(*watched);
  release(id);
}

void ConferenceEvents::end() {
  for (const core::SlotId id : dirty_) {
    Watched* const watched = watched_.get(id);
    if (watched == nullptr) continue;
    watched->dirty = false;
    // Who has a NOTIFY to come will be told with it.
    for (const std::uint64_t quiet : std::exchange(watched->up_to_date, {})) {
      dialogs_.remind(sip::SubscriptionId::unpack(quiet));
    }
  }
  dirty_.clear();
  int notifies = 0;
  std::size_t bytes = 0;
  for (EventFact fact; notifies < notifies_at_once && bytes < notify_bytes_at_once && dialogs_.next(fact);) {
    if (fact.kind == EventFact::Kind::notify) {
      ++notifies;
      bytes += notify(fact.notify);
    } else if (fact.kind == EventFact::Kind::ended) {
      on_ended(fact.ended);
    } else {
      keep(fact.keep);
    }
  }
}

}  // namespace parley::policy
