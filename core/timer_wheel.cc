// core/timer_wheel.cc - see timer_wheel.h.
#include "core/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "core/check.h"

namespace parley::core {

namespace {

constexpr std::int64_t tick_ns = 1'000'000;

std::uint64_t tick_at_or_after(Instant instant) {
  const std::int64_t ns = std::max<std::int64_t>(instant.time_since_epoch().count(), 0);
  return static_cast<std::uint64_t>(ns / tick_ns) + (ns % tick_ns != 0 ? 1 : 0);
}

std::uint64_t tick_at_or_before(Instant instant) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(instant.time_since_epoch().count(), 0) / tick_ns);
}

Instant instant_of(std::uint64_t tick) {
  constexpr auto last = static_cast<std::uint64_t>(Instant::max().time_since_epoch().count() / tick_ns);
  if (tick > last) return never;
  return Instant(Duration(static_cast<std::int64_t>(tick) * tick_ns));
}

}  // namespace

Timer::~Timer() { CHECK(!armed()); }

Instant Timer::due() const { return instant_of(tick_); }

TimerWheel::TimerWheel(Instant start) : now_tick_(tick_at_or_before(start)), target_tick_(now_tick_) {}

TimerWheel::~TimerWheel() {
  for (unsigned level = 0; level < levels; ++level) {
    for (Timer*& first : first_[level]) {
      while (first != nullptr) unlink(*first);
    }
  }
}

void TimerWheel::arm(Timer& timer, Instant deadline) {
  if (timer.armed()) unlink(timer);
  timer.tick_ = std::max(tick_at_or_after(deadline), target_tick_ + 1);
  link(timer);
}

void TimerWheel::cancel(Timer& timer) {
  if (timer.armed()) unlink(timer);
}

void TimerWheel::link(Timer& timer) {
  // Equal ticks differ in no digit: they go to level 0, into the slot that is being emptied.
  const std::uint64_t difference = (timer.tick_ ^ now_tick_) | 1;
  const unsigned level = (static_cast<unsigned>(std::bit_width(difference)) - 1) / digit_bits;
  const auto slot = static_cast<unsigned>(timer.tick_ >> (level * digit_bits)) % slots;
  timer.level_ = static_cast<std::uint8_t>(level);
  timer.slot_ = static_cast<std::uint8_t>(slot);
  Timer*& first = first_[level][slot];
  if (first == nullptr) {
    timer.next_ = timer.prev_ = &timer;
    first = &timer;
    used_[level] |= std::uint64_t{1} << slot;
    levels_used_ = static_cast<std::uint8_t>(levels_used_ | (1U << level));
  } else {
    timer.next_ = first;
    timer.prev_ = first->prev_;
    first->prev_->next_ = &timer;
    first->prev_ = &timer;
  }
  ++size_;
}

void TimerWheel::unlink(Timer& timer) {
  Timer*& first = first_[timer.level_][timer.slot_];
  if (timer.next_ == &timer) {
    first = nullptr;
    used_[timer.level_] &= ~(std::uint64_t{1} << timer.slot_);
    if (used_[timer.level_] == 0) levels_used_ = static_cast<std::uint8_t>(levels_used_ & ~(1U << timer.level_));
  } else {
    timer.next_->prev_ = timer.prev_;
    timer.prev_->next_ = timer.next_;
    if (first == &timer) first = timer.next_;
  }
  timer.next_ = timer.prev_ = nullptr;
  --size_;
}

unsigned TimerWheel::earliest_level() const { return static_cast<unsigned>(std::countr_zero(levels_used_)); }

std::uint64_t TimerWheel::slot_start(unsigned level) const {
  const unsigned shift = level * digit_bits;
  const auto digit = static_cast<std::uint64_t>(std::countr_zero(used_[level]));
  // Digits above the level are the wheel's own, those below begin at zero.
  const std::uint64_t above = now_tick_ >> (shift + digit_bits) << (shift + digit_bits);
  return above | digit << shift;
}

Timer* TimerWheel::expire_one(Instant now) {
  target_tick_ = std::max(target_tick_, tick_at_or_before(now));
  while (levels_used_ != 0) {
    const unsigned level = earliest_level();
    const std::uint64_t start = slot_start(level);
    if (start > target_tick_) break;
    now_tick_ = start;
    Timer* first = first_[level][static_cast<unsigned>(start >> (level * digit_bits)) % slots];
    if (level == 0) {
      unlink(*first);
      return first;
    }
    // The slot's entries agree with the wheel's new time in this digit, so each finds a lower level.
    for (;;) {
      const bool last = first->next_ == first;
      Timer* following = first->next_;
      unlink(*first);
      link(*first);
      if (last) break;
      first = following;
    }
  }
  // Only now may the wheel's time pass what is still waiting: every entry is later than the target.
  now_tick_ = target_tick_;
  return nullptr;
}

Instant TimerWheel::next_deadline() const {
  if (levels_used_ == 0) return never;
  return instant_of(slot_start(earliest_level()));
}

}  // namespace parley::core
