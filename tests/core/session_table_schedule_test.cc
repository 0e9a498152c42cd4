// tests/core/session_table_schedule_test.cc - the table under a scheduler that decides by seed who goes on at every
// shared load and store: interleavings replay, and those that need a thread to stop in the middle come up all the time.
#include <gtest/gtest.h>
#include <sched.h>

#include <cstdint>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include "core/random.h"
#include "tests/core/linearizability.h"

namespace {
void race_point();
}
#define PARLEY_RACE_POINT() race_point()
// The library's own object file is not linked because everything it defines stands here. To see that the test can fail,
// name a copy with a fault in it: without the second tag load, the key's second load, or the counting.
#ifdef PARLEY_SESSION_TABLE_SOURCE
#include PARLEY_SESSION_TABLE_SOURCE
#else
#include "core/session_table.cc"  // NOLINT(bugprone-suspicious-include)
#endif

namespace {

using parley::core::Place;
using parley::core::Random;
using parley::core::Seed;
using parley::core::SessionTable;
using parley::core::test::absent;
using parley::core::test::is_linearizable;
using parley::core::test::Operation;

// One thread runs at a time and hands the turn on; `clock` counts the turns and is the histories' time.
class Scheduler {
 public:
  Scheduler(std::uint32_t threads, std::uint64_t seed) : random_(seed_of(seed)) {
    for (std::uint32_t i = 0; i < threads; ++i) turns_.push_back(std::make_unique<std::binary_semaphore>(0));
    finished_.resize(threads);
  }
  void enter(std::uint32_t thread) { turns_[thread]->acquire(); }
  void start() { turns_[0]->release(); }
  // One time in three somebody else's turn: long enough runs for a whole insert inside another's lookup.
  void point(std::uint32_t thread) {
    ++clock_;
    if (random_.uniform(3) == 0) hand_on(thread);
  }
  void leave(std::uint32_t thread) {
    finished_[thread] = true;
    hand_on(thread);
  }
  [[nodiscard]] std::int64_t tick() { return ++clock_; }
  [[nodiscard]] Random& random() { return random_; }

 private:
  static Seed seed_of(std::uint64_t number) {
    Seed seed{};
    for (std::size_t i = 0; i < 8; ++i) seed[i] = static_cast<std::uint8_t>(number >> (8 * i));
    return seed;
  }
  void hand_on(std::uint32_t from) {
    std::vector<std::uint32_t> others;
    for (std::uint32_t i = 0; i < turns_.size(); ++i) {
      if (i != from && !finished_[i]) others.push_back(i);
    }
    if (others.empty()) return;
    const std::uint32_t next = others[random_.uniform(others.size())];
    const bool back = !finished_[from];
    turns_[next]->release();
    if (back) turns_[from]->acquire();
  }

  Random random_;
  std::int64_t clock_ = 0;
  std::vector<std::unique_ptr<std::binary_semaphore>> turns_;
  std::vector<bool> finished_;
};

thread_local Scheduler* scheduler = nullptr;
thread_local std::uint32_t self = 0;

void race_point() {
  if (scheduler != nullptr) scheduler->point(self);
}

// All places share one shard: then only the count tells one insert's tag from another's.
Place place_of(std::uint64_t number) {
  return {1, static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number)};
}

constexpr std::uint32_t writers = 2;  // each owns two keys and toggles them
constexpr std::uint32_t readers = 2;
constexpr std::uint64_t keys = writers * 2;
constexpr int operations = 24;  // per thread

bool schedule_is_linearizable(std::uint64_t seed) {
  Scheduler turns(writers + readers, seed);
  SessionTable table(2, seed);
  std::vector<std::vector<Operation>> of_key(keys + 1);  // one thread runs at a time, so nothing here is raced for
  std::uint64_t last_number = 0;
  bool torn = false;

  const auto act = [&](std::uint32_t thread) {
    turns.enter(thread);
    scheduler = &turns;
    self = thread;
    bool live[keys + 1] = {};
    for (int i = 0; i < operations; ++i) {
      Operation done{.kind = Operation::Kind::lookup, .thread = thread, .start_ns = turns.tick()};
      std::uint64_t key = 1 + turns.random().uniform(keys);
      if (thread >= writers) {
        const auto place = table.lookup(key);
        done.value = place ? place->slot : absent;
        torn = torn || (place && *place != place_of(place->slot));
      } else {
        key = 1 + thread * 2 + turns.random().uniform(2);
        if (live[key]) {
          done.kind = table.erase(key) ? Operation::Kind::erase : Operation::Kind::erase_nothing;
          live[key] = false;
        } else {
          done.value = ++last_number;
          const auto answer = table.insert(key, place_of(done.value));
          live[key] = answer == SessionTable::Insert::done;
          done.kind = live[key]                                ? Operation::Kind::insert
                      : answer == SessionTable::Insert::exists ? Operation::Kind::insert_exists
                                                               : Operation::Kind::insert_full;
        }
      }
      done.end_ns = turns.tick();
      of_key[key].push_back(done);
    }
    scheduler = nullptr;
    turns.leave(thread);
  };

  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < writers + readers; ++t) threads.emplace_back(act, t);
  turns.start();
  for (std::thread& thread : threads) thread.join();
  for (const auto& history : of_key) {
    if (!is_linearizable(history)) return false;
  }
  return !torn;
}

// One thread runs at a time anyway; a turn that is handed on to another core takes a hundred times as long.
void stay_on_one_core() {
  cpu_set_t one;
  CPU_ZERO(&one);
  const int here = sched_getcpu();
  if (here >= 0) CPU_SET(static_cast<std::size_t>(here), &one);
  if (here >= 0) (void)sched_setaffinity(0, sizeof one, &one);  // the threads made below inherit it
}

TEST(SessionTable, every_schedule_is_linearizable) {
  stay_on_one_core();
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    ASSERT_TRUE(schedule_is_linearizable(seed)) << "seed " << seed;
  }
}

}  // namespace
