// policy/list_events.h - what the lists of users have in common as event packages, of what waits for them and of their
// records: each subscriber has a list as a whole, or is only told that it has changed (RFC 5874; OMA-DEF-11,
// OMA-HIS-1).
//
// Functions over the dialogs and watched users of whoever has the lists. A `Usage` has a `diff`, what a Work has is
// `aor` and `notifies`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "policy/deferred_config.h"
#include "policy/event_dialogs.h"
#include "policy/watched_users.h"
#include "sip/event_packages.h"

namespace parley::policy {

inline void limit_packages(std::span<sip::EventPackage> packages, const DeferredConfig& config) {
  for (sip::EventPackage& package : packages) {
    package.expires_max_seconds = config.event_expires_max_seconds;
    package.expires_default_seconds = std::min(package.expires_default_seconds, package.expires_max_seconds);
    package.expires_min_seconds = std::min(package.expires_min_seconds, package.expires_max_seconds);
    package.interval_min = config.event_interval;
  }
}

// Not the list itself (OMA-DEF-11).
inline bool wants_change(const sip::EventPackage& package, const sip::Received& request) {
  return !sip::accepts_documents(package, package.subtype, request.head, request.bytes);
}

template <typename Usage>
[[nodiscard]] std::uint16_t refresh_list(const sip::Received& request, const sip::RequestMatch& match,
                                         const sip::EventPackage& package, EventDialogs& dialogs,
                                         WatchedUsers<Usage>& watched) {
  const EventOutcome outcome = dialogs.refresh(request, match);
  if (outcome.created) {
    Usage usage{};
    usage.subscription = outcome.subscription;
    usage.diff = wants_change(package, request);
    watched.of(outcome.resource)->usages.push_back(std::move(usage));
  } else if (outcome.status == 200 && request.head.first(sip::HeaderId::accept) != nullptr) {
    watched.usage(*watched.of(outcome.resource), outcome.subscription)->diff = wants_change(package, request);
  }
  return outcome.status;
}

// What has happened to the subscriptions: what is due, by what is watched. Who has gone is told nothing any more, also
// where the work for him is `under_way`.
template <typename Usage, typename Work>
[[nodiscard]] std::map<std::uint64_t, Work> due_lists(EventDialogs& dialogs, WatchedUsers<Usage>& watched,
                                                      std::map<std::uint64_t, Work>& under_way) {
  std::map<std::uint64_t, Work> due;
  for (EventFact fact; dialogs.next(fact);) {
    switch (fact.kind) {
      case EventFact::Kind::keep: {
        auto* const user = watched.of(fact.keep.resource);
        const Usage* const usage = user == nullptr ? nullptr : watched.usage(*user, fact.keep.subscription);
        if (usage != nullptr) dialogs.keep(fact.keep, {.resource = user->aor, .changes_only = usage->diff});
        break;
      }
      case EventFact::Kind::ended: {
        const auto drop = [&fact](Work& work) {
          std::erase_if(work.notifies,
                        [&](const auto& notify) { return notify.subscription == fact.ended.subscription; });
        };
        for (auto& [number, work] : under_way) drop(work);
        for (auto& [resource, work] : due) drop(work);
        watched.on_ended(fact.ended);
        break;
      }
      case EventFact::Kind::notify: {
        Work& work = due[fact.notify.resource];
        if (const auto* const user = watched.of(fact.notify.resource)) work.aor = user->aor;
        work.notifies.push_back(std::move(fact.notify));
        break;
      }
    }
  }
  return due;
}

}  // namespace parley::policy
