// tests/policy/room_ring_test.cc - what a room keeps: bounded, in order, and without allocations when it has grown.
#include "policy/room_ring.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "policy/room_coverage.h"
#include "tests/msrp/allocations.h"

namespace parley::tests {
namespace {

using namespace parley::policy;

std::string text_of(core::Pool& pool, const RoomRing::Entry& entry) { return std::string(pool.view(entry.bytes)); }
std::string message(std::uint64_t n, std::size_t bytes) {
  std::string text = std::to_string(n) + "|";
  text.resize(bytes, static_cast<char>('a' + n % 26));
  return text;
}

TEST(RoomRing, KeepsTheLastOnesWithinItsBytes) {
  core::Pool pool({.small_count = 1, .large_count = 1, .arena_count = 1});
  std::mt19937_64 random(3);
  {
    RoomRing ring(pool, 20'000);
    std::vector<std::string> all;
    std::vector<RoomGathered> gathered(3);
    std::vector<std::string> gathering(3);
    for (std::uint64_t n = 0; n < 3000; ++n) {
      const std::string text = message(n, random() % 8 == 0 ? random() % 12'000 + 10 : random() % 400 + 10);
      bool kept;
      if (random() % 4 == 0) {  // in pieces, mixed with others
        RoomGathered whole;
        bool ok = true;
        for (std::size_t at = 0; ok && at < text.size(); at += 100) {
          ok = ring.gather(whole, random() % 2 == 0 ? text.size() : 0, text.substr(at, 30),
                           text.substr(std::min(at + 30, text.size()), 70));
          RoomGathered& other = gathered[random() % 3];
          if (random() % 5 == 0) (void)ring.gather(other, 0, "x", "y");
          if (random() % 5 == 0) ring.drop(other);
        }
        EXPECT_EQ(ok, whole.present());
        kept = ring.add(n, {.sender = 1}, 5, whole);
        EXPECT_EQ(kept, ok);
      } else {
        kept = ring.add(n, {.sender = 1}, text.substr(0, 5), text.substr(5, 3),
                        std::string_view(text).substr(std::min<std::size_t>(8, text.size())));
      }
      all.push_back(kept ? text : "");
      ASSERT_LE(ring.bytes(), 20'000U);
      const std::uint64_t oldest = ring.oldest(n + 1);
      for (std::uint64_t i = oldest; i <= n; ++i) {
        const RoomRing::Entry* entry = ring.find(i);
        ASSERT_NE(entry, nullptr);
        ASSERT_EQ(entry->bytes.buffer == core::no_buffer ? "" : text_of(pool, *entry), all[i]);
      }
      if (oldest > 0) {
        ASSERT_EQ(ring.find(oldest - 1), nullptr);
      }
      ASSERT_EQ(ring.find(n + 1), nullptr);
    }
    for (RoomGathered& each : gathered) ring.drop(each);
  }
  EXPECT_EQ(pool.live_blocks(), 0U);
}

TEST(RoomRing, WhatTheKernelStillHasIsNotWrittenOver) {
  core::Pool pool({.small_count = 1, .large_count = 1, .arena_count = 1});
  RoomRing ring(pool, 8'000);
  ASSERT_TRUE(ring.add(0, {}, "h", "", message(0, 300)));
  const core::Slice held = ring.find(0)->bytes;
  const std::string before(pool.view(held));
  pool.retain(held.buffer);
  for (std::uint64_t n = 1; n < 500; ++n) (void)ring.add(n, {}, "h", "", message(n, 300));
  EXPECT_EQ(pool.view(held), before);
  pool.release(held.buffer);
  ring.clear();
  EXPECT_EQ(pool.live_blocks(), 0U);
}

TEST(RoomRing, InSteadyStateNothingIsAllocated) {
  core::Pool pool({.small_count = 1, .large_count = 1, .arena_count = 1});
  RoomRing ring(pool, 100'000);
  const std::string text(500, 'x');
  for (std::uint64_t n = 0; n < 2000; ++n) ASSERT_TRUE(ring.add(n, {}, "h", "", text));
  const std::size_t before = allocations;
  const std::uint64_t blocks = pool.live_blocks();
  for (std::uint64_t n = 2000; n < 10'000; ++n) ASSERT_TRUE(ring.add(n, {}, "h", "", text));
  EXPECT_EQ(allocations, before);
  EXPECT_LE(pool.live_blocks(), blocks + 1);
  ring.clear();
}

TEST(RoomRing, OffKeepsNothing) {
  core::Pool pool({.small_count = 1, .large_count = 1, .arena_count = 1});
  RoomRing ring(pool, 0);
  EXPECT_TRUE(ring.off());
  EXPECT_FALSE(ring.add(0, {}, "h", "", "text"));
  RoomGathered gathered;
  EXPECT_FALSE(ring.gather(gathered, 0, "x", ""));
  EXPECT_EQ(ring.find(0), nullptr);
  EXPECT_EQ(ring.oldest(7), 7U);
}

TEST(RoomCoverage, R4975_7_InAnyOrderAndTwice) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 2000; ++round) {
    RoomCoverage coverage;
    std::vector<bool> have(101, false);
    bool followed = true;
    for (int i = 0; i < 40 && followed; ++i) {
      const std::uint64_t start = random() % 100 + 1;
      const std::uint64_t length = std::min<std::uint64_t>(random() % 12, 101 - start);
      followed = coverage.add(start, length);
      if (!followed) break;
      for (std::uint64_t at = start; at < start + length; ++at) have[at] = true;
      std::uint64_t next = 1;
      while (next <= 100 && have[next]) ++next;
      ASSERT_EQ(coverage.next(), next);
      ASSERT_EQ(coverage.whole(100), next > 100);
    }
  }
}

}  // namespace
}  // namespace parley::tests
