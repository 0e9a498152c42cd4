// core/timer_wheel.h - all timers of one shard: arm and cancel in constant time, and the instant to sleep until.
//
// Hierarchical wheel of 8 levels with 64 slots each over ticks of 1 ms: it reaches further than Instant does. Entries
// are intrusive; nothing is allocated. A timer is due at its deadline rounded up to a tick, so it never fires early and
// at most 1 ms late. How it works: an entry stands on the level of the highest 6-bit digit in which its tick differs
// from the wheel's, in the slot of that digit. Everything on a lower level is therefore earlier than everything on a
// higher one, slots never wrap around, and the earliest slot is two bit searches away. When the wheel's time reaches a
// slot of a higher level, its entries move down (at most 7 times in a timer's life).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/time.h"

namespace parley::core {

class TimerWheel;

// Embedded in (or owned by) what it wakes. `owner` and `kind` belong to the user: a packed SlotId and which of the
// owner's timers this is. Must be cancelled before it is destroyed.
class Timer {
 public:
  Timer() = default;
  Timer(std::uint64_t owner_value, std::uint32_t kind_value) : owner(owner_value), kind(kind_value) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  [[nodiscard]] bool armed() const { return next_ != nullptr; }
  // When it fires: its deadline rounded up to a tick. Meaningful while armed.
  [[nodiscard]] Instant due() const;

  std::uint64_t owner = 0;
  std::uint32_t kind = 0;

 private:
  friend class TimerWheel;
  Timer* next_ = nullptr;  // ring of the slot's entries
  Timer* prev_ = nullptr;
  std::uint64_t tick_ = 0;
  std::uint8_t level_ = 0;
  std::uint8_t slot_ = 0;
};

class TimerWheel {
 public:
  explicit TimerWheel(Instant start = Instant{});
  ~TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Arms or re-arms. A deadline that has passed is due one tick after the wheel's time: a timer never fires in the call
  // that armed it, so a loop over expire_one() ends even if its body re-arms.
  void arm(Timer& timer, Instant deadline);
  // Nothing happens when it is not armed.
  void cancel(Timer& timer);

  // The next timer that is due at `now`, disarmed, in order of ticks; nullptr when there is none left. Between two
  // calls any timer may be armed or cancelled. A `now` in the wheel's past expires nothing.
  //   while (Timer* timer = wheel.expire_one(now.mono)) ...
  [[nodiscard]] Timer* expire_one(Instant now);

  // When to call expire_one() again: never later than the earliest timer is due, and exactly then for timers of the
  // current 64 ms. Earlier for those further away, whose slot has to be split first (at most 7 wakes per timer, and one
  // for all timers of a slot). `never` without timers.
  [[nodiscard]] Instant next_deadline() const;

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  static constexpr unsigned digit_bits = 6;
  static constexpr unsigned levels = 8;
  static constexpr unsigned slots = 1U << digit_bits;
  // Instant's 2^63 ns are less than 2^44 ticks.
  static_assert(levels * digit_bits >= 44);

  void link(Timer& timer);
  void unlink(Timer& timer);
  [[nodiscard]] unsigned earliest_level() const;
  [[nodiscard]] std::uint64_t slot_start(unsigned level) const;

  std::uint64_t now_tick_ = 0;  // everything before or at this tick has left the wheel or is in the slot being emptied
  std::uint64_t target_tick_ = 0;  // latest `now` ever given
  std::size_t size_ = 0;
  std::uint8_t levels_used_ = 0;              // bit per level
  std::array<std::uint64_t, levels> used_{};  // bit per slot
  std::array<std::array<Timer*, slots>, levels> first_{};
  static_assert(levels <= 8);
};

}  // namespace parley::core
