// sip/failed_targets.cc - see failed_targets.h.
#include "sip/failed_targets.h"

#include <algorithm>

namespace parley::sip {

using core::Metric;

void FailedTargets::failed(const Target& target, core::Instant now, std::optional<core::Duration> retry_after) {
  metrics_.add(Metric::sip_targets_avoided);
  const Key key = key_of(target);
  const core::Duration keep = std::clamp(retry_after.value_or(config_.keep), core::Duration::zero(), config_.keep_max);
  if (until_.size() >= config_.targets_max && !until_.contains(key)) make_room(now);
  until_.insert_or_assign(key, now + keep);
}

// Those whose time is over; when there are none, the one whose time is over first.
void FailedTargets::make_room(core::Instant now) {
  std::erase_if(until_, [now](const auto& each) { return each.second <= now; });
  if (until_.size() < config_.targets_max) return;
  metrics_.add(Metric::sip_failed_targets_limit);
  until_.erase(
      std::min_element(until_.begin(), until_.end(), [](const auto& a, const auto& b) { return a.second < b.second; }));
}

bool FailedTargets::avoid(const Target& target, core::Instant now) const {
  const auto found = until_.find(key_of(target));
  return found != until_.end() && now < found->second;
}

void FailedTargets::order(std::span<core::ResolvedAddress> addresses, core::Instant now) const {
  if (until_.empty()) return;
  // By hand: std::stable_partition takes memory.
  auto end_of_good = addresses.begin();
  for (auto at = addresses.begin(); at != addresses.end(); ++at) {
    if (avoid({at->address, at->transport}, now)) continue;
    std::rotate(end_of_good, at, at + 1);
    ++end_of_good;
  }
}

}  // namespace parley::sip
