// core/lateness.h - how long the Inputs of a turn may have waited before their step: the `lag` of core::Now.
//
// The loop can not see when something could first have been taken, only between which two looks at the kernel that was.
// So this is an upper bound of the wait, made of instants the loop has read anyway:
//   what a look finds came after the look before: if the loop did not sleep in between, it may have waited that long;
//   what a turn leaves for later ones, because it has a budget, waits from the look that found it.
// Datagrams that stay in the kernel's buffer over a turn have no such instant; the loop asks the kernel for the age of
// the last one it read (datagram_io.h) and says so here.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/time.h"

namespace parley::core {

class Lateness {
 public:
  // A look at the kernel has returned at `now`. The last one did `worked + waited` ago: `worked` until this one was
  // begun, `waited` in it. `slept`: it was allowed to sleep. Completions found stand at places `first` to `end` of a
  // list that is taken from its front.
  void looked(Instant now, Duration worked, Duration waited, bool slept, std::size_t first, std::size_t end) {
    // A wait that took longer than the work before it was sleep; a shorter one carried out what had been queued.
    if (!slept) {
      lag_ = worked + waited;
    } else {
      lag_ = waited > worked ? Duration{} : worked;
    }
    now_ = now;
    if (end > first) left_.push_back({end, now - lag_});
  }
  // Places from `next` on are what is left; everything is when `next` reaches the end, and places start anew.
  void taking(std::size_t next) {
    if (oldest_ < left_.size()) lag_ = std::max(lag_, now_ - left_[oldest_].since);
    while (oldest_ < left_.size() && left_[oldest_].end <= next) ++oldest_;
    if (oldest_ < left_.size()) return;
    left_.clear();  // keeps its memory
    oldest_ = 0;
  }
  void at_least(Duration lag) { lag_ = std::max(lag_, lag); }

  [[nodiscard]] Duration lag() const { return lag_; }

 private:
  struct Found {
    std::size_t end = 0;
    Instant since{};
  };
  Instant now_{};
  Duration lag_{};
  std::vector<Found> left_;
  std::size_t oldest_ = 0;
};

}  // namespace parley::core
