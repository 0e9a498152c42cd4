// core/time.h - time as a value: everything above the seam gets `now` as an argument and never reads a clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace parley::core {

// A monotonic clock that cannot be read: only the loops and the simulator make Instants.
struct ShardClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::duration<rep, period>;
  using time_point = std::chrono::time_point<ShardClock, duration>;
  static constexpr bool is_steady = true;
};

using Duration = ShardClock::duration;
using Instant = ShardClock::time_point;
using namespace std::chrono_literals;

inline constexpr Instant never = Instant::max();

// Both clocks as one value. `mono` never goes back and drives every timer; `wall_ms` (Unix time) may jump and is used
// only in records, nonces and dates.
struct Now {
  Instant mono{};
  std::int64_t wall_ms = 0;
  // How long the Inputs of this step may have waited for it (core/lateness.h): an upper bound, zero when the shard slept.
  Duration lag{};
};

}  // namespace parley::core
