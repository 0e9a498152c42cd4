// tests/core/session_table_stress_test.cc - threads on few keys in a tiny table; every history has to be a register's.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "core/random.h"
#include "core/session_table.h"
#include "tests/core/linearizability.h"

namespace parley::core {
namespace {

using test::Operation;
using Kind = Operation::Kind;

Operation op(Kind kind, std::uint32_t thread, std::uint64_t value, std::int64_t start, std::int64_t end) {
  return {kind, thread, value, start, end};
}

// The judge has to be able to say no.
TEST(Linearizability, the_checker_tells_good_histories_from_bad_ones) {
  EXPECT_TRUE(test::is_linearizable({}));
  EXPECT_TRUE(test::is_linearizable({op(Kind::insert, 0, 7, 0, 10), op(Kind::lookup, 1, 7, 5, 6)}));
  EXPECT_TRUE(test::is_linearizable({op(Kind::insert, 0, 7, 0, 10), op(Kind::lookup, 1, 0, 5, 6)}));
  EXPECT_TRUE(test::is_linearizable({op(Kind::insert, 0, 7, 0, 1), op(Kind::erase, 0, 0, 2, 9),
                                     op(Kind::insert, 0, 8, 10, 19), op(Kind::lookup, 1, 0, 3, 12),
                                     op(Kind::lookup, 2, 7, 3, 12), op(Kind::lookup, 1, 8, 13, 14)}));
  // A value nobody wrote.
  EXPECT_FALSE(test::is_linearizable({op(Kind::insert, 0, 7, 0, 10), op(Kind::lookup, 1, 8, 5, 6)}));
  // Seen before it was inserted; still seen after it was erased; not seen though it was there all the time.
  EXPECT_FALSE(test::is_linearizable({op(Kind::lookup, 1, 7, 0, 1), op(Kind::insert, 0, 7, 2, 3)}));
  EXPECT_FALSE(
      test::is_linearizable({op(Kind::insert, 0, 7, 0, 1), op(Kind::erase, 0, 0, 2, 3), op(Kind::lookup, 1, 7, 4, 5)}));
  EXPECT_FALSE(test::is_linearizable({op(Kind::insert, 0, 7, 0, 1), op(Kind::lookup, 1, 0, 2, 3)}));
  // New, then old: both reads overlap the insert, but they do not overlap each other.
  EXPECT_FALSE(test::is_linearizable(
      {op(Kind::insert, 0, 7, 0, 10), op(Kind::lookup, 1, 7, 1, 2), op(Kind::lookup, 2, 0, 3, 4)}));
  // Two inserts succeed without an erase between them.
  EXPECT_FALSE(test::is_linearizable({op(Kind::insert, 0, 7, 0, 1), op(Kind::insert, 1, 8, 2, 3)}));
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::uint64_t number_of(const Place& place) { return std::uint64_t{place.slot} << 32 | place.generation; }
// The three parts depend on each other, so a place mixed from two shows.
Place place_of(std::uint64_t number) {
  return {static_cast<std::uint16_t>(number * 0x9e37), static_cast<std::uint32_t>(number >> 32),
          static_cast<std::uint32_t>(number)};
}

constexpr std::uint32_t threads = 4;
constexpr std::uint64_t keys = 5;

struct History {
  std::vector<Operation> of_key[keys];
};

struct KeyOwner {
  std::mutex mutex;  // who holds it owns the key: ownership moves between threads, and writes to a key never overlap
  bool live = false;
};

// Table churn besides the recorded keys: every entry changes hands all the time, which is what a stale read needs.
void churn(SessionTable& table, Random& random, std::uint64_t first_key) {
  const std::uint64_t key = first_key + random.uniform(3);
  if (!table.erase(key)) (void)table.insert(key, place_of(random.next()));
}

void act(SessionTable& table, std::uint32_t thread, std::uint64_t operations, std::vector<KeyOwner>& owners,
         History& history, std::atomic<std::uint64_t>& torn) {
  Random random(Seed{static_cast<std::uint8_t>(thread + 1)});
  std::uint64_t counter = 0;
  for (std::uint64_t i = 0; i < operations; ++i) {
    const std::uint64_t k = random.uniform(keys);
    const std::uint64_t key = k + 1;
    Operation done{.kind = Kind::lookup, .thread = thread};
    const std::uint64_t choice = random.uniform(8);
    if (choice < 4) {
      done.start_ns = now_ns();
      const std::optional<Place> place = table.lookup(key);
      done.end_ns = now_ns();
      done.value = place ? number_of(*place) : test::absent;
      if (place && *place != place_of(done.value)) torn.fetch_add(1);
    } else if (choice < 7) {
      KeyOwner& owner = owners[k];
      const std::unique_lock lock(owner.mutex, std::try_to_lock);
      if (!lock.owns_lock()) continue;
      if (owner.live == (random.uniform(16) == 0)) {
        done.value = std::uint64_t{thread + 1} << 32 | ++counter;
        done.start_ns = now_ns();
        const SessionTable::Insert answer = table.insert(key, place_of(done.value));
        done.end_ns = now_ns();
        done.kind = answer == SessionTable::Insert::done     ? Kind::insert
                    : answer == SessionTable::Insert::exists ? Kind::insert_exists
                                                             : Kind::insert_full;
        owner.live = owner.live || answer == SessionTable::Insert::done;
      } else {
        done.start_ns = now_ns();
        const bool erased = table.erase(key);
        done.end_ns = now_ns();
        done.kind = erased ? Kind::erase : Kind::erase_nothing;
        owner.live = false;
      }
    } else {
      churn(table, random, 100 + thread * 10);
      continue;
    }
    history.of_key[k].push_back(done);
  }
}

void stress(std::uint64_t seed, std::uint64_t operations) {
  SessionTable table(2, seed);  // 20 entries for 5 recorded and 12 churned keys
  std::vector<KeyOwner> owners(keys);
  std::vector<History> histories(threads);
  std::atomic<std::uint64_t> torn{0};
  std::vector<std::thread> running;
  for (std::uint32_t t = 0; t < threads; ++t) {
    running.emplace_back([&, t] { act(table, t, operations, owners, histories[t], torn); });
  }
  for (std::thread& thread : running) thread.join();
  EXPECT_EQ(torn.load(), 0U);
  for (std::uint64_t k = 0; k < keys; ++k) {
    std::vector<Operation> all;
    for (const History& history : histories) {
      all.insert(all.end(), history.of_key[k].begin(), history.of_key[k].end());
    }
    EXPECT_TRUE(test::is_linearizable(all)) << "key " << k + 1 << ", " << all.size() << " operations, seed " << seed;
  }
}

TEST(SessionTable, every_key_is_an_atomic_register_to_all_threads) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) stress(seed, 20'000);
}

// Readers never miss a key that stays, while its neighbours come and go.
TEST(SessionTable, a_key_that_stays_is_always_found) {
  SessionTable table(2, 77);
  for (std::uint64_t key = 1; key <= 4; ++key) {
    ASSERT_EQ(table.insert(key, place_of(key)), SessionTable::Insert::done);
  }
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    Random random(Seed{9});
    while (!stop.load()) churn(table, random, 100 + random.uniform(4) * 10);
  });
  std::uint64_t missed = 0;
  for (int i = 0; i < 300'000; ++i) {
    const std::uint64_t key = 1 + static_cast<std::uint64_t>(i) % 4;
    if (table.lookup(key) != place_of(key)) ++missed;
  }
  stop.store(true);
  writer.join();
  EXPECT_EQ(missed, 0U);
}

}  // namespace
}  // namespace parley::core
