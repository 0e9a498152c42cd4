// tests/core/spsc_ring_test.cc - order, bounds, and a two-thread stress that TSan watches.
#include "core/spsc_ring.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/random.h"

namespace parley::core {
namespace {

TEST(SpscRing, keeps_order_and_refuses_when_full) {
  SpscRing<int> ring(3);
  EXPECT_EQ(ring.capacity(), 4U);
  int item = -1;
  EXPECT_FALSE(ring.try_pop(item));
  EXPECT_TRUE(ring.empty());
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(ring.try_push(round * 4 + i));
    EXPECT_FALSE(ring.try_push(99));
    for (int i = 0; i < 4; ++i) {
      EXPECT_TRUE(ring.try_pop(item));
      EXPECT_EQ(item, round * 4 + i);
    }
    EXPECT_FALSE(ring.try_pop(item));
  }
}

TEST(SpscRing, a_refused_item_stays_with_the_pusher) {
  SpscRing<std::unique_ptr<int>> ring(1);
  auto first = std::make_unique<int>(1);
  auto second = std::make_unique<int>(2);
  EXPECT_TRUE(ring.try_push(std::move(first)));
  EXPECT_FALSE(ring.try_push(std::move(second)));
  ASSERT_NE(second, nullptr);
  std::unique_ptr<int> out;
  EXPECT_TRUE(ring.try_pop(out));
  EXPECT_EQ(*out, 1);
}

TEST(SpscRing, batches_take_what_fits_and_give_what_is_there) {
  SpscRing<int> ring(8);
  std::vector<int> in = {1, 2, 3, 4, 5};
  EXPECT_EQ(ring.push_batch(in), 5U);
  EXPECT_EQ(ring.push_batch(in), 3U);
  EXPECT_EQ(ring.push_batch(in), 0U);
  std::vector<int> out(6);
  EXPECT_EQ(ring.pop_batch(out), 6U);
  EXPECT_EQ(out, (std::vector<int>{1, 2, 3, 4, 5, 1}));
  int sum = 0;
  EXPECT_EQ(ring.consume(10, [&](int& value) { sum += value; }), 2U);
  EXPECT_EQ(sum, 2 + 3);
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.pop_batch({}), 0U);
}

TEST(SpscRing, filling_in_place_stops_at_the_bound) {
  SpscRing<std::string> ring(2);
  EXPECT_TRUE(ring.try_emplace([](std::string& text) { text = "a"; }));
  EXPECT_TRUE(ring.try_emplace([](std::string& text) { text = "b"; }));
  EXPECT_FALSE(ring.try_emplace([](std::string&) { FAIL(); }));
}

// Items own memory and carry a number and a check of it, so loss, doubling, tearing and reordering all show.
struct Parcel {
  std::uint64_t number = 0;
  std::unique_ptr<std::uint64_t> copy;
};

void stress(std::size_t capacity, std::uint64_t total) {
  SpscRing<Parcel> ring(capacity);
  std::thread pusher([&] {
    Random random(Seed{1});
    std::uint64_t next = 0;
    std::vector<Parcel> batch;
    while (next < total || !batch.empty()) {
      while (batch.size() < 1 + random.uniform(7) && next < total) {
        batch.push_back({next, std::make_unique<std::uint64_t>(next)});
        ++next;
      }
      if (batch.empty()) break;
      const std::size_t pushed = random.uniform(2) == 0 ? ring.push_batch(batch)
                                                        : static_cast<std::size_t>(ring.try_push(std::move(batch[0])));
      batch.erase(batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(pushed));
      if (pushed == 0) std::this_thread::yield();
    }
  });
  Random random(Seed{2});
  std::uint64_t expected = 0;
  std::uint64_t wrong = 0;
  const auto check = [&](const Parcel& parcel) {
    if (parcel.number != expected || parcel.copy == nullptr || *parcel.copy != expected) ++wrong;
    ++expected;
  };
  std::vector<Parcel> out(5);
  while (expected < total) {
    std::size_t popped = 0;
    switch (random.uniform(3)) {
      case 0:
        popped = ring.pop_batch(out);
        for (std::size_t i = 0; i < popped; ++i) check(out[i]);
        break;
      case 1:
        popped = ring.try_pop(out[0]) ? 1 : 0;
        if (popped != 0) check(out[0]);
        break;
      default: popped = ring.consume(3, check);
    }
    if (popped == 0) std::this_thread::yield();
  }
  pusher.join();
  EXPECT_EQ(wrong, 0U);
  EXPECT_TRUE(ring.empty());
}

TEST(SpscRing, nothing_is_lost_doubled_torn_or_reordered_between_two_threads) {
  stress(1, 5'000);
  stress(4, 40'000);
  stress(1024, 200'000);
}

}  // namespace
}  // namespace parley::core
