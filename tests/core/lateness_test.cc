// tests/core/lateness_test.cc - how long Inputs may have waited, from instants the loop has.
#include "core/lateness.h"

#include <gtest/gtest.h>

namespace parley::core {
namespace {

using namespace std::chrono_literals;

struct LatenessTest : testing::Test {
  // A turn that finds `found` completions and takes as many as it may.
  Duration turn(Duration worked, Duration waited, bool slept, std::size_t found, std::size_t budget = 256) {
    now += worked + waited;
    if (next == end) next = end = 0;
    const std::size_t first = end;
    end += found;
    lateness.looked(now, worked, waited, slept, first, end);
    next = std::min(end, next + budget);
    lateness.taking(next);
    return lateness.lag();
  }
  Lateness lateness;
  Instant now{Instant{} + 1h};
  std::size_t next = 0;
  std::size_t end = 0;
};

TEST_F(LatenessTest, what_wakes_a_sleeper_is_not_late) {
  EXPECT_EQ(turn(2ms, 500ms, true, 1), 0ms);
  EXPECT_EQ(turn(15ms, 20ms, true, 1), 0ms);
}

TEST_F(LatenessTest, what_is_there_at_once_may_have_come_while_the_last_turn_worked) {
  EXPECT_EQ(turn(15ms, 10us, true, 1), 15ms);
  EXPECT_EQ(turn(15ms, 3ms, false, 1), 18ms) << "no sleep: the wait was work, too";
}

TEST_F(LatenessTest, what_a_turn_leaves_waits_from_the_look_that_found_it) {
  EXPECT_EQ(turn(1ms, 10us, true, 600), 1ms);   // 256 taken
  EXPECT_EQ(turn(5ms, 0ms, false, 0), 6ms);     // 512
  EXPECT_EQ(turn(5ms, 0ms, false, 100), 11ms);  // 88 of the first find and 100 of the next
  EXPECT_EQ(turn(5ms, 0ms, false, 10), 5ms) << "nothing older is left";
}

TEST_F(LatenessTest, a_find_that_is_partly_taken_keeps_its_time) {
  (void)turn(1ms, 10us, true, 300);
  (void)turn(1ms, 0ms, false, 300);  // 44 and 212
  EXPECT_EQ(turn(1ms, 0ms, false, 0), 2ms);
  EXPECT_EQ(turn(1ms, 10us, true, 1), 1ms);
}

TEST_F(LatenessTest, whoever_knows_better_says_so) {
  (void)turn(1ms, 10us, true, 1);
  lateness.at_least(70ms);
  EXPECT_EQ(lateness.lag(), 70ms);
  lateness.at_least(3ms);
  EXPECT_EQ(lateness.lag(), 70ms);
  EXPECT_EQ(turn(1ms, 10us, true, 1), 1ms) << "of that turn only";
}

}  // namespace
}  // namespace parley::core
