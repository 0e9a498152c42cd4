// policy/user_rates.cc - see user_rates.h.
#include "policy/user_rates.h"

namespace parley::policy {

bool UserRates::take(std::string_view user, RatedMethod method, const Rate& rate, core::Instant now) {
  auto known = by_name_.find(user);
  if (known == by_name_.end()) {
    if (users_.size() >= users_max_) {
      metrics_.add(core::Metric::im_rate_users_limit);
      by_name_.erase(users_.front().name);
      users_.pop_front();
    }
    users_.push_back({.name = std::string(user)});
    known = by_name_.emplace(users_.back().name, std::prev(users_.end())).first;
  } else {
    users_.splice(users_.end(), users_, known->second);
  }
  return known->second->meters[static_cast<std::size_t>(method)].take(rate, now);
}

}  // namespace parley::policy
