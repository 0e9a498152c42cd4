// policy/user_rates.h - how often each user has sent what the operator's policy counts (OMA-POL-5).
//
// One per shard, used by its thread alone: a user counts by himself on each shard that his devices are connected to. At
// most users_max of them, about 200 bytes each; with more, the one heard of longest ago is forgotten.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <string_view>

#include "core/metrics.h"
#include "core/time.h"
#include "policy/operator_policy.h"

namespace parley::policy {

class UserRates {
 public:
  UserRates(std::uint32_t users_max, core::Metrics& metrics) : users_max_(users_max), metrics_(metrics) {}

  // One more. False: that is too many.
  [[nodiscard]] bool take(std::string_view user, RatedMethod method, const Rate& rate, core::Instant now);
  [[nodiscard]] std::size_t users() const { return users_.size(); }

 private:
  struct User {
    std::string name;
    std::array<RateMeter, static_cast<std::size_t>(RatedMethod::count)> meters{};
  };
  const std::uint32_t users_max_;
  core::Metrics& metrics_;
  std::list<User> users_;                                          // the one heard of last at the end
  std::map<std::string_view, std::list<User>::iterator> by_name_;  // views into users_
};

}  // namespace parley::policy
