// core/gather.h - whether a loop that goes to sleep waits for several completions instead of one: a thread that is woken for
// each of many small things pays more for waking than for them.
//
// It gathers while it is woken often and finds little each time, and only for as long as waiting does bring more: where one
// peer waits for each answer before it says the next thing, nothing gathers, and waiting would only delay it. Looks at
// the clock once in `looks` sleeps.
#pragma once

#include <chrono>
#include <cstdint>

#include "core/time.h"

namespace parley::core {

class Gather {
 public:
  static constexpr unsigned many = 32;                                    // completions that are worth waking for
  static constexpr Duration often = std::chrono::microseconds(60);        // sleeps begin closer to each other than that
  static constexpr Duration seldom = std::chrono::microseconds(250);      // and further apart than that when it is over
  static constexpr std::uint32_t looks = 64;
  static constexpr std::uint32_t pause = 64;  // looks until it is tried again where it brought nothing

  // The longest that one completion waits for others; zero: none ever does.
  explicit Gather(Duration time) : time_(time) {}

  [[nodiscard]] bool on() const { return on_; }
  [[nodiscard]] Duration time() const { return time_; }

  // After each sleep: how many completions it ended with. `clock` gives an Instant.
  template <class Clock>
  void woke(std::uint32_t completions, Clock&& clock) {
    if (time_ <= Duration::zero()) return;
    found_ += completions;
    if (++sleeps_ < looks) return;
    const Instant now = clock();
    const Duration each = (now - since_) / looks;
    const bool little = found_ < looks * many / 2;
    if (on_) {
      const bool brings = found_ > looks * 2;
      if (!brings) paused_ = pause;
      on_ = brings && each < seldom;
    } else if (paused_ != 0) {
      --paused_;
    } else {
      on_ = each < often && little;
    }
    since_ = now;
    found_ = sleeps_ = 0;
  }

 private:
  Duration time_;
  Instant since_{};
  std::uint32_t sleeps_ = 0;
  std::uint32_t found_ = 0;
  std::uint32_t paused_ = 0;
  bool on_ = false;
};

}  // namespace parley::core
