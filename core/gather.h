// core/gather.h - whether a loop that goes to sleep waits for several completions instead of one: a thread that is woken for
// each of many small things pays more for waking than for them.
//
// It gathers while it is woken often and finds little each time, and only as long as waiting brings more and things do not
// come more slowly for it: where a few peers wait for each answer before they say the next thing, waiting for others only
// delays them. Large receives wait for nothing, they are worth waking for. Looks at a clock once in a sleep.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "core/time.h"

namespace parley::core {

class Gather {
 public:
  static constexpr unsigned many = 32;                                 // completions that are worth waking for
  static constexpr std::uint64_t large_bytes = 4096;                   // of a receive, on average
  static constexpr Duration often = std::chrono::microseconds(60);     // sleeps follow each other faster than that
  static constexpr Duration turn_max = std::chrono::microseconds(400); // a longer turn says nothing of how things come
  static constexpr std::uint32_t looks = 64;                           // sleeps it is judged by while nothing gathers
  static constexpr std::uint32_t trial = 16;                           // and while something does
  static constexpr std::uint32_t pause_first = 64;                     // looks until it is tried again where it was bad
  static constexpr std::uint32_t pause_last = 2048;                    // twice as long each time, up to that

  // The longest that one completion waits for others; zero: none ever does.
  explicit Gather(Duration time) : time_(time) {}

  [[nodiscard]] bool off() const { return time_ <= Duration::zero(); }
  [[nodiscard]] bool on() const { return on_; }
  [[nodiscard]] Duration time() const { return time_; }

  void received(std::uint64_t bytes) { seen_.bytes += bytes; }

  // After each sleep: how many completions it ended with.
  void slept(unsigned completions, Instant now) {
    seen_.time += std::min(now - last_, turn_max);
    last_ = now;
    seen_.found += completions;
    if (++sleeps_ < (on_ ? trial : looks)) return;
    judge();
    seen_ = {};
    sleeps_ = 0;
  }

 private:
  struct Seen {
    Duration time{};
    std::uint64_t found = 0;
    std::uint64_t bytes = 0;
    [[nodiscard]] bool is_large() const { return bytes > found * large_bytes; }
    // Less than three quarters of what came in the same time.
    [[nodiscard]] bool slower_than(const Seen& other) const {
      return 4 * found * static_cast<std::uint64_t>(other.time.count()) < 3 * other.found * static_cast<std::uint64_t>(time.count());
    }
  };

  void judge() {
    if (on_) {
      on_ = seen_.found > std::uint64_t{2} * trial && !seen_.is_large() && !seen_.slower_than(before_);
      paused_ = on_ ? 0 : pause_;
      pause_ = on_ ? pause_first : std::min(pause_ * 2, pause_last);
    } else if (paused_ != 0) {
      --paused_;
    } else {
      on_ = seen_.time < looks * often && seen_.found < std::uint64_t{looks} * many / 2 && !seen_.is_large();
      before_ = seen_;
    }
  }

  Duration time_;
  Instant last_{};
  Seen seen_;
  Seen before_;  // it was on
  std::uint32_t sleeps_ = 0;
  std::uint32_t paused_ = 0;
  std::uint32_t pause_ = pause_first;
  bool on_ = false;
};

}  // namespace parley::core
