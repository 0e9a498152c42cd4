// tests/core/gather_test.cc - when a loop lets completions gather before it wakes up.
#include "core/gather.h"

#include <gtest/gtest.h>

#include <chrono>

namespace parley::core {
namespace {

using namespace std::chrono_literals;

struct Sleeper {
  explicit Sleeper(Duration time) : gather(time) {}
  // So many sleeps, each that long, each ended by so many completions.
  void sleep(std::uint32_t times, Duration each, std::uint32_t completions) {
    for (std::uint32_t i = 0; i < times; ++i) {
      now += each;
      gather.slept(completions, now);
    }
  }
  Instant now = Instant{} + 1h;
  Gather gather;
};

TEST(Gather, WhoIsWokenOftenForLittleLetsItGather) {
  Sleeper one(100us);
  one.sleep(Gather::looks, 20us, 1);
  EXPECT_TRUE(one.gather.on());
}

TEST(Gather, WhoIsWokenSeldomDoesNot) {
  Sleeper one(100us);
  one.sleep(10 * Gather::looks, 200us, 1);
  EXPECT_FALSE(one.gather.on());
}

TEST(Gather, WhoFindsMuchEachTimeDoesNot) {
  Sleeper one(100us);
  one.sleep(10 * Gather::looks, 20us, Gather::many);
  EXPECT_FALSE(one.gather.on());
}

TEST(Gather, ItEndsWhenLittleComes) {
  Sleeper one(100us);
  one.sleep(Gather::looks, 20us, 1);
  ASSERT_TRUE(one.gather.on());
  one.sleep(4 * Gather::trial, 100us, 5);
  EXPECT_TRUE(one.gather.on()) << "as much comes in the same time, at fewer sleeps";
  one.sleep(Gather::trial, 390us, 5);
  EXPECT_FALSE(one.gather.on());
}

// A long turn between two sleeps, in which a room is given a message, is not time in which nothing came.
TEST(Gather, LongTurnsCountLittle) {
  Sleeper one(100us);
  one.sleep(Gather::looks, 20us, 1);
  for (int i = 0; i < 10; ++i) {
    one.sleep(1, 8ms, 8);
    one.sleep(Gather::trial - 1, 140us, 8);
    EXPECT_TRUE(one.gather.on());
  }
}

// Peers that wait for each answer: the others do not come while they are waited for.
TEST(Gather, WhereItDelaysItIsLeftForAWhile) {
  Sleeper one(100us);
  one.sleep(Gather::looks, 20us, 1);
  ASSERT_TRUE(one.gather.on());
  one.sleep(Gather::trial, 120us, 3);
  EXPECT_FALSE(one.gather.on()) << "half as much comes";
  one.sleep(Gather::pause_first * Gather::looks, 20us, 1);
  EXPECT_FALSE(one.gather.on());
  one.sleep(Gather::looks, 20us, 1);
  EXPECT_TRUE(one.gather.on()) << "and then tried again";
  one.sleep(Gather::trial, 120us, 3);
  EXPECT_FALSE(one.gather.on());
  one.sleep(2 * Gather::pause_first * Gather::looks, 20us, 1);
  EXPECT_FALSE(one.gather.on()) << "each time later";
  one.sleep(Gather::looks, 20us, 1);
  EXPECT_TRUE(one.gather.on());
}

TEST(Gather, LargeReceivesWaitForNothing) {
  Sleeper one(100us);
  one.gather.received(2 * Gather::looks * 65'536);
  one.sleep(Gather::looks, 20us, 1);
  EXPECT_FALSE(one.gather.on());
  one.sleep(Gather::looks, 20us, 1);
  ASSERT_TRUE(one.gather.on());
  one.gather.received(Gather::trial * 10 * 65'536);
  one.sleep(Gather::trial, 100us, 10);
  EXPECT_FALSE(one.gather.on());
}

TEST(Gather, ZeroIsOff) {
  Sleeper one(Duration::zero());
  one.sleep(10 * Gather::looks, 20us, 1);
  EXPECT_FALSE(one.gather.on());
}

}  // namespace
}  // namespace parley::core
