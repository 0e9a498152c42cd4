// tools/parley-load/clock.h - the one clock of a run: monotonic nanoseconds.
#pragma once

#include <time.h>

#include <cstdint>

namespace parley::load {

inline constexpr uint64_t kNsPerSecond = 1'000'000'000;

inline constexpr uint64_t kTurnNsMax = kNsPerSecond / 10;     // how late a signal or another thread's failure may be noticed
inline constexpr uint64_t kStartDelayNs = kNsPerSecond / 50;  // from the last one being ready to the common start

inline uint64_t seconds(double s) { return static_cast<uint64_t>(s * 1e9); }

inline uint64_t clock_ns(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return static_cast<uint64_t>(ts.tv_sec) * kNsPerSecond + static_cast<uint64_t>(ts.tv_nsec);
}

inline uint64_t now_ns() { return clock_ns(CLOCK_MONOTONIC); }

}  // namespace parley::load
