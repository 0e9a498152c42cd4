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
      gather.woke(completions, [this] { return now; });
    }
  }
  Gather gather;
  Instant now = Instant{} + 1h;
};

TEST(Gather, WhoIsWokenOftenForLittleLetsItGather) {
  Sleeper one(100us);
  one.sleep(2 * Gather::looks, 20us, 1);
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

TEST(Gather, ItEndsWhenItIsQuietAgain) {
  Sleeper one(100us);
  one.sleep(2 * Gather::looks, 20us, 1);
  one.sleep(4 * Gather::looks, 100us, 5);
  EXPECT_TRUE(one.gather.on()) << "it brings more, and often";
  one.sleep(Gather::looks, 1ms, 5);
  EXPECT_FALSE(one.gather.on());
}

// A peer that waits for each answer: nothing comes while it is waited for.
TEST(Gather, WhereNothingGathersItIsLeftForAWhile) {
  Sleeper one(100us);
  one.sleep(2 * Gather::looks, 20us, 1);
  ASSERT_TRUE(one.gather.on());
  one.sleep(Gather::looks, 100us, 1);
  EXPECT_FALSE(one.gather.on());
  one.sleep(Gather::pause * Gather::looks, 20us, 1);
  EXPECT_FALSE(one.gather.on());
  one.sleep(Gather::looks, 20us, 1);
  EXPECT_TRUE(one.gather.on()) << "and then tried again";
}

TEST(Gather, ZeroIsOff) {
  Sleeper one(Duration::zero());
  one.sleep(10 * Gather::looks, 20us, 1);
  EXPECT_FALSE(one.gather.on());
}

}  // namespace
}  // namespace parley::core
