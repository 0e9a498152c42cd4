// core/failure_rates.cc - see failure_rates.h.
#include "core/failure_rates.h"

#include <chrono>

#include "core/seeded_hash.h"

namespace parley::core {

namespace {

bool rated(const Address& source) { return source.family != Address::Family::none && !is_loopback(source); }

std::int64_t minute_of(Instant now) {
  return std::chrono::duration_cast<std::chrono::minutes>(now.time_since_epoch()).count();
}

}  // namespace

bool FailureRates::over(std::string_view user, const Address& source, const FailureLimits& limits, Instant now) const {
  if (users_.empty() || !rated(source)) return false;
  const std::int64_t minute = minute_of(now);
  const auto passed = [minute](const Rate& rate, std::uint32_t limit) {
    return limit != 0 && rate.minute == minute && rate.failures >= limit;
  };
  return passed(users_[user_slot(user)], limits.user_per_minute) ||
         passed(sources_[source_slot(source)], limits.source_per_minute);
}

void FailureRates::count(std::string_view user, const Address& source, Instant now) {
  if (!rated(source)) return;
  if (users_.empty()) {
    users_.resize(slots);
    sources_.resize(slots);
    seed_ = random_.next();
  }
  const std::int64_t minute = minute_of(now);
  for (Rate* const rate : {&users_[user_slot(user)], &sources_[source_slot(source)]}) {
    if (rate->minute != minute) *rate = {minute, 0};
    ++rate->failures;
  }
}

std::size_t FailureRates::user_slot(std::string_view user) const { return seeded_hash(seed_, user) % slots; }

std::size_t FailureRates::source_slot(const Address& source) const {
  const std::size_t bytes = source.family == Address::Family::v4 ? 4 : 8;
  return seeded_hash(seed_, {reinterpret_cast<const char*>(source.ip.data()), bytes}) % slots;
}

}  // namespace parley::core
