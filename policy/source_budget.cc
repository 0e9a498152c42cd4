// policy/source_budget.cc - see source_budget.h.
#include "policy/source_budget.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace parley::policy {

using core::Metric;

SourceBudget::SourceBudget(std::uint32_t sources_max, core::Random& random, core::Metrics& metrics)
    : sets_(std::bit_ceil(std::max<std::size_t>(sources_max / ways, 1))),
      metrics_(metrics),
      key_(core::HashKey::make(random)) {}

core::Hash128 SourceBudget::hash(const core::Address& source) const {
  const core::Address plain = core::unmapped(source);
  std::uint64_t network = 0;
  const bool v4 = plain.family == core::Address::Family::v4;
  std::memcpy(&network, plain.ip.data(), v4 ? 4 : 8);
  return core::KeyedHash(key_).add(network).add(std::uint64_t{v4}).finish();
}

const SourceBudget::Source* SourceBudget::find(const core::Address& source) const {
  if (sources_.empty()) return nullptr;
  const core::Hash128 name = hash(source);
  const Source* const set = &sources_[(name.low & (sets_ - 1)) * ways];
  const Source* const found = std::find_if(set, set + ways, [&](const Source& s) { return s.name == (name.high | 1); });
  return found == set + ways ? nullptr : found;
}

SourceBudget::Source& SourceBudget::find_or_make(const core::Address& source, core::Instant now) {
  if (sources_.empty()) sources_.resize(sets_ * ways);
  const core::Hash128 hashed = hash(source);
  const std::uint64_t name = hashed.high | 1;
  Source* const set = &sources_[(hashed.low & (sets_ - 1)) * ways];
  Source* victim = set;
  // Proven ones last; among equals the one whose window ended first.
  const auto worth = [now](const Source& s) { return std::pair(s.proven_until > now, s.window_ends); };
  for (Source* s = set; s != set + ways; ++s) {
    if (s->name == name) return *s;
    if (worth(*s) < worth(*victim)) victim = s;
  }
  const bool in_use = victim->name != 0 && (victim->window_ends > now || victim->proven_until > now);
  if (in_use) metrics_.add(Metric::sip_sources_evicted);
  *victim = {.name = name};
  return *victim;
}

bool SourceBudget::take(const SourceBudgetConfig& config, const core::Address& source, core::Instant now) {
  if (config.requests == 0) return true;
  if (std::any_of(config.exempt.begin(), config.exempt.end(),
                  [&](const core::Cidr& block) { return core::contains(block, source); })) {
    return true;
  }
  Source& s = find_or_make(source, now);
  const bool proven = s.proven_until > now;
  if (now >= s.window_ends || (s.silent && proven)) {
    s.window_ends = now + config.window;
    s.requests = 0;
    s.silent = false;
  }
  if (s.silent) {
    metrics_.add(Metric::sip_source_dropped);
    return false;
  }
  const std::uint32_t most = proven ? config.requests_proven : config.requests;
  if (most == 0 || s.requests < most) {
    ++s.requests;
    return true;
  }
  if (proven) {
    metrics_.add(Metric::sip_source_proven_dropped);
    return false;
  }
  s.silent = true;
  s.window_ends = now + config.silence;
  metrics_.add(Metric::sip_sources_silenced);
  metrics_.add(Metric::sip_source_dropped);
  return false;
}

void SourceBudget::prove(const SourceBudgetConfig& config, const core::Address& source, core::Instant now) {
  if (config.requests == 0) return;
  find_or_make(source, now).proven_until = now + config.proof;
}

bool SourceBudget::proven(const core::Address& source, core::Instant now) const {
  const Source* const s = find(source);
  return s != nullptr && s->proven_until > now;
}

}  // namespace parley::policy
