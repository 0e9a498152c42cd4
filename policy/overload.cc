// policy/overload.cc - see overload.h.
#include "policy/overload.h"

#include <algorithm>

namespace parley::policy {

using sip::Method;

void Overload::Rung::look(bool at_value, bool near_value, core::Duration lasts, core::Instant now) {
  if (at_value && !above) since = now;
  above = at_value;
  near = near_value;
  if (at_value && now - since >= lasts) entered = true;
  if (!entered) return;
  if (near_value) {
    until = now + calm;
  } else if (now >= until) {
    entered = false;
  }
}

unsigned Overload::look(const OverloadConfig& config, const core::Now& now, std::uint64_t bytes,
                        std::uint64_t bytes_max) {
  // Between two steps of a shard that is behind there is no time in which nothing was late. Where there was, lateness
  // begins anew.
  const core::Duration since_last_look = now.mono - last_look_;
  const bool broken = since_last_look > 2 * now.lag;
  last_look_ = now.mono;
  const unsigned before = level_;
  level_ = 0;
  for (unsigned n = 0; n < overload_levels; ++n) {
    const core::Duration lag = config.lag[n];
    if (broken) late_[n].above = false;
    const bool measured = lag != core::Duration{};
    late_[n].look(measured && now.lag >= lag, measured && now.lag >= lag * 4 / 5, lasting, now.mono);
    const std::uint64_t percent = config.memory_percent[n];
    const std::uint64_t share = bytes * 100;
    full_[n].look(percent != 0 && share >= bytes_max * percent, percent != 0 && share * 5 >= bytes_max * percent * 4,
                  core::Duration{}, now.mono);
    if (late_[n].entered || full_[n].entered) level_ = n + 1;
  }
  ease(before, since_last_look, now.mono);
  return level_;
}

// Additive increase, multiplicative decrease: what is let in finds its measure below the value of the level.
void Overload::ease(unsigned before, core::Duration since_last_look, core::Instant now) {
  if (level_ == 0 || level_ != before) {
    eased_ = {};
    return;
  }
  if (!late_[level_ - 1].near && !full_[level_ - 1].near) {
    eased_ = std::min(calm, eased_ + since_last_look);
  } else if (now - cut_ >= feedback) {
    eased_ /= 2;
    cut_ = now;
  }
}

core::Instant Overload::next_deadline() const {
  core::Instant next = core::never;
  for (unsigned n = 0; n < overload_levels; ++n) {
    if (late_[n].entered) next = std::min(next, late_[n].until);
    if (full_[n].entered) next = std::min(next, full_[n].until);
  }
  return next;
}

unsigned overload_refused_from(const OverloadQuestion& question) {
  switch (question.method) {
    case Method::ack:
    case Method::bye:
    case Method::cancel: return 5;
    case Method::invite: return question.in_dialog ? 4 : 2;
    case Method::options: return 2;
    // Who ends a subscription makes work less.
    case Method::subscribe: return question.in_dialog && question.ends_something ? 4 : 2;
    case Method::message: return question.in_dialog ? 4 : 3;
    case Method::register_: return question.early_refresh ? 3 : 4;
    default: return 4;
  }
}

}  // namespace parley::policy
