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

#include "core/slot_map.h"
#include "policy/event_dialogs.h"
#include "sip/notifier.h"

namespace parley::policy {

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
