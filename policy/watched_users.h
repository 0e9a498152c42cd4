// policy/watched_users.h - which users the subscriptions of one EventDialogs are about, each there for as long as he has one.
//
// Owned by whoever has the dialogs. `Usage` is what he remembers of a subscription, with its id in `subscription`. What the
// dialogs call the resource is the user's slot.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/slot_map.h"
#include "policy/event_dialogs.h"
#include "policy/own_names.h"
#include "sip/notifier.h"

namespace parley::policy {

// A SUBSCRIBE to what a user has, of somebody who may.
struct UserSubscribe {
  const sip::Received& request;
  const sip::RequestMatch& match;
  std::string_view aor;
  std::string_view user;         // of our Contact
  std::uint32_t usages_max = 0;  // of one user
};

template <typename Usage>
class WatchedUsers {
 public:
  struct Watched {
    std::string aor;
    std::vector<Usage> usages;
  };

  explicit WatchedUsers(std::uint32_t users_max) : users_(users_max) {}

  // Makes him watched; release() is to follow when that has come to nothing. Not valid(): there are as many as may be.
  [[nodiscard]] core::SlotId add(std::string_view aor) {
    if (const auto there = by_aor_.find(aor); there != by_aor_.end()) return there->second;
    const core::SlotId id = users_.emplace();
    if (!id.valid()) return id;
    users_.get(id)->aor = aor;
    by_aor_.emplace(aor, id);
    return id;
  }
  void release(core::SlotId id) {
    const Watched& watched = *users_.get(id);
    if (!watched.usages.empty()) return;
    by_aor_.erase(watched.aor);
    users_.erase(id);
  }

  // `usage_of(outcome, asked)`: what is remembered of it. 200: it has been answered; else what to answer, with
  // headers() of the dialogs.
  template <typename UsageOf>
  [[nodiscard]] std::uint16_t subscribe(const UserSubscribe& ask, EventDialogs& dialogs,
                                        const sip::Transport& transport, core::Metrics& metrics, UsageOf usage_of) {
    const sip::Received& request = ask.request;
    const sip::SubscribeAnswer asked = dialogs.judge(request);
    if (asked.status != 200) return asked.status;
    if (told(ask.aor, dialogs) >= ask.usages_max) {
      metrics.add(core::Metric::sip_subscriptions_user_limit);
      return 403;
    }
    std::string contact = "<";
    put_listener_uri(contact, request.flow.transport, transport.listener(request.flow), ask.user, request.secure());
    contact += '>';
    const core::SlotId id = add(ask.aor);
    if (!id.valid()) {
      metrics.add(core::Metric::sip_subscriptions_limit);
      return 503;
    }
    const EventOutcome outcome =
        dialogs.subscribe({.request = request, .match = ask.match, .resource = id.packed(), .contact = contact}, asked);
    if (outcome.created) at(id).usages.push_back(usage_of(outcome, asked));
    release(id);
    return outcome.status;
  }
  // One of an earlier process. `usage_of(restored)`. `wanted` false: nobody serves it any more.
  template <typename UsageOf>
  void restore(const core::SubscriptionRow& row, bool wanted, std::uint32_t usages_max, EventDialogs& dialogs,
               const core::Now& now, UsageOf usage_of) {
    const core::SlotId id = wanted ? add(row.resource) : core::SlotId{};
    if (!id.valid() || at(id).usages.size() >= usages_max) {
      dialogs.drop(row);
    } else if (const RestoredEvent there = dialogs.restore(row, id.packed(), false, now); there.subscription.valid()) {
      at(id).usages.push_back(usage_of(there));
    }
    if (id.valid()) release(id);
  }

  // Null: nobody watches him.
  [[nodiscard]] Watched* find(std::string_view aor) {
    const auto there = by_aor_.find(aor);
    return there == by_aor_.end() ? nullptr : users_.get(there->second);
  }
  [[nodiscard]] Watched* of(std::uint64_t resource) { return users_.get(core::SlotId::unpack(resource)); }
  [[nodiscard]] Watched& at(core::SlotId id) { return *users_.get(id); }

  // Null: it has ended.
  [[nodiscard]] static Usage* usage(Watched& watched, sip::SubscriptionId subscription) {
    const auto found = std::find_if(watched.usages.begin(), watched.usages.end(),
                                    [&](const Usage& usage) { return usage.subscription == subscription; });
    return found == watched.usages.end() ? nullptr : &*found;
  }

  // Subscriptions to him, but those that wait, since a restart, for their subscriber to come again: these keep nobody out.
  [[nodiscard]] std::size_t told(std::string_view aor, const EventDialogs& dialogs) {
    const Watched* const watched = find(aor);
    if (watched == nullptr) return 0;
    return static_cast<std::size_t>(std::ranges::count_if(
        watched->usages, [&](const Usage& usage) { return !dialogs.held(usage.subscription); }));
  }
  // All of them have something to tell.
  void remind(std::string_view aor, EventDialogs& dialogs) {
    const Watched* const watched = find(aor);
    if (watched == nullptr) return;
    for (const Usage& usage : watched->usages) dialogs.remind(usage.subscription);
  }
  void on_ended(const sip::EndedFact& fact) {
    Watched* const watched = of(fact.resource);
    if (watched == nullptr) return;  // of a SUBSCRIBE that could not be answered
    std::erase_if(watched->usages, [&](const Usage& usage) { return usage.subscription == fact.subscription; });
    release(core::SlotId::unpack(fact.resource));
  }

 private:
  core::SlotMap<Watched> users_;
  std::map<std::string, core::SlotId, std::less<>> by_aor_;
};

}  // namespace parley::policy
