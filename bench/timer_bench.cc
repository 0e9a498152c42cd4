// bench/timer_bench.cc - the timer wheel with 100,000 timers armed: arm and cancel, re-arm, a turn of the loop, a whole
// life.
#include <benchmark/benchmark.h>

#include <deque>

#include "core/random.h"
#include "core/timer_wheel.h"

namespace {

using namespace parley::core;

constexpr std::size_t armed_timers = 100'000;

struct Armed {
  std::deque<Timer> timers;
  TimerWheel wheel;  // dies before its timers
  Random random{Seed{1}};
  Instant now{};
  Armed() {
    for (std::size_t i = 0; i < armed_timers; ++i) {
      wheel.arm(timers.emplace_back(i, 0), now + std::chrono::milliseconds(random.uniform(30'000) + 1'000));
    }
  }
};

void arm_and_cancel(benchmark::State& state) {
  Armed armed;
  Timer timer;
  for (auto _ : state) {
    armed.wheel.arm(timer, armed.now + 30s);
    armed.wheel.cancel(timer);
  }
  state.SetItemsProcessed(state.iterations());
}

void rearm_one_of_many(benchmark::State& state) {
  Armed armed;
  std::size_t at = 0;
  for (auto _ : state) {
    armed.wheel.arm(armed.timers[at], armed.now + 30s);
    at = (at + 7919) % armed_timers;
  }
  state.SetItemsProcessed(state.iterations());
}

// What a turn pays when nothing is due.
void turn_without_expiry(benchmark::State& state) {
  Armed armed;
  for (auto _ : state) {
    benchmark::DoNotOptimize(armed.wheel.expire_one(armed.now));
    benchmark::DoNotOptimize(armed.wheel.next_deadline());
  }
  state.SetItemsProcessed(state.iterations());
}

// Arm for 30 s, move down level by level, expire: 100,000 timers in steady state, time passing in steps of 1 ms.
void whole_life(benchmark::State& state) {
  Armed armed;
  std::int64_t expired = 0;
  for (auto _ : state) {
    armed.now += 1ms;
    while (Timer* timer = armed.wheel.expire_one(armed.now)) {
      armed.wheel.arm(*timer, armed.now + 30s);
      ++expired;
    }
  }
  state.SetItemsProcessed(expired);
}

BENCHMARK(arm_and_cancel);
BENCHMARK(rearm_one_of_many);
BENCHMARK(turn_without_expiry);
BENCHMARK(whole_life);

}  // namespace
