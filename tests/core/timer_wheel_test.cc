// tests/core/timer_wheel_test.cc - the wheel against a sorted model: same timers, same ticks, same next deadline.
#include "core/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

#include "core/random.h"

namespace parley::core {
namespace {

Instant at_ms(std::int64_t ms) { return Instant(std::chrono::milliseconds(ms)); }
std::int64_t ms_of(Instant instant) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(instant.time_since_epoch()).count();
}

std::vector<std::uint64_t> owners_due(TimerWheel& wheel, Instant now) {
  std::vector<std::uint64_t> owners;
  while (Timer* timer = wheel.expire_one(now)) owners.push_back(timer->owner);
  return owners;
}

using Owners = std::vector<std::uint64_t>;

TEST(TimerWheel, fires_at_its_tick_not_before_and_once) {
  TimerWheel wheel;
  Timer timer(7, 1);
  wheel.arm(timer, at_ms(500));
  EXPECT_TRUE(timer.armed());
  EXPECT_EQ(timer.due(), at_ms(500));
  EXPECT_EQ(owners_due(wheel, at_ms(499)), Owners{});
  EXPECT_EQ(wheel.next_deadline(), at_ms(500));
  EXPECT_EQ(owners_due(wheel, at_ms(500)), Owners{7});
  EXPECT_FALSE(timer.armed());
  EXPECT_EQ(owners_due(wheel, at_ms(5000)), Owners{});
  EXPECT_EQ(wheel.next_deadline(), never);
  EXPECT_EQ(wheel.size(), 0U);
}

TEST(TimerWheel, a_deadline_between_ticks_is_due_at_the_later_one) {
  TimerWheel wheel;
  Timer timer;
  wheel.arm(timer, at_ms(10) + 1ns);
  EXPECT_EQ(wheel.expire_one(at_ms(10) + 999999ns), nullptr);
  EXPECT_EQ(wheel.next_deadline(), at_ms(11));
  EXPECT_EQ(wheel.expire_one(at_ms(11)), &timer);
}

TEST(TimerWheel, a_past_deadline_is_due_one_tick_later_so_that_a_loop_that_rearms_ends) {
  TimerWheel wheel(at_ms(1000));
  Timer timer;
  wheel.arm(timer, at_ms(3));
  EXPECT_EQ(wheel.next_deadline(), at_ms(1001));
  int fired = 0;
  while (Timer* due = wheel.expire_one(at_ms(5000))) {
    ASSERT_LT(++fired, 10);
    wheel.arm(*due, at_ms(3));
  }
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(timer.due(), at_ms(5001));
  wheel.cancel(timer);
}

// The tick after `now` may lie behind a slot that the same call still has to split.
TEST(TimerWheel, a_timer_armed_during_a_long_jump_does_not_fire_in_it) {
  TimerWheel wheel;
  Timer first(1, 0);
  Timer second(2, 0);
  wheel.arm(first, at_ms(5));
  EXPECT_EQ(wheel.expire_one(at_ms(1000)), &first);
  wheel.arm(second, at_ms(1));
  EXPECT_EQ(wheel.expire_one(at_ms(1000)), nullptr);
  EXPECT_EQ(wheel.expire_one(at_ms(1001)), &second);
}

TEST(TimerWheel, rearming_moves_and_cancel_takes_away) {
  TimerWheel wheel;
  Timer a(1, 0);
  Timer b(2, 0);
  wheel.arm(a, at_ms(10));
  wheel.arm(b, at_ms(10));
  wheel.arm(a, at_ms(70));
  wheel.cancel(b);
  wheel.cancel(b);
  EXPECT_EQ(wheel.size(), 1U);
  EXPECT_EQ(owners_due(wheel, at_ms(69)), Owners{});
  EXPECT_EQ(owners_due(wheel, at_ms(70)), Owners{1});
}

TEST(TimerWheel, between_two_due_timers_one_may_cancel_the_other) {
  TimerWheel wheel;
  Timer a(1, 0);
  Timer b(2, 0);
  Timer c(3, 0);
  for (Timer* timer : {&a, &b, &c}) wheel.arm(*timer, at_ms(10));
  EXPECT_EQ(wheel.expire_one(at_ms(20)), &a);
  wheel.cancel(b);
  EXPECT_EQ(owners_due(wheel, at_ms(20)), Owners{3});
}

TEST(TimerWheel, survives_jumps_of_days_and_of_more_than_2_to_the_32_ms) {
  constexpr std::int64_t day = 86'400'000;
  TimerWheel wheel(at_ms(12345));
  Timer a(1, 0);
  Timer b(2, 0);
  Timer c(3, 0);
  Timer forever(4, 0);
  wheel.arm(a, at_ms(12345 + 30'000));
  wheel.arm(b, at_ms(3 * day));
  wheel.arm(c, at_ms((std::int64_t{1} << 32) + 100 * day));
  wheel.arm(forever, never);
  EXPECT_EQ(owners_due(wheel, at_ms(7 * day)), (Owners{1, 2}));
  EXPECT_EQ(owners_due(wheel, at_ms((std::int64_t{1} << 32) + 100 * day - 1)), Owners{});
  EXPECT_EQ(owners_due(wheel, at_ms((std::int64_t{1} << 32) + 100 * day)), Owners{3});
  EXPECT_LE(wheel.next_deadline(), never);
  EXPECT_EQ(wheel.size(), 1U);
  wheel.cancel(forever);
}

TEST(TimerWheel, time_that_goes_back_expires_nothing_and_harms_nothing) {
  TimerWheel wheel;
  Timer timer(1, 0);
  EXPECT_EQ(wheel.expire_one(at_ms(1000)), nullptr);
  wheel.arm(timer, at_ms(1500));
  EXPECT_EQ(wheel.expire_one(at_ms(10)), nullptr);
  EXPECT_EQ(wheel.expire_one(Instant::min()), nullptr);
  EXPECT_EQ(wheel.next_deadline() <= at_ms(1500), true);
  EXPECT_EQ(wheel.expire_one(at_ms(1500)), &timer);
}

TEST(TimerWheel, a_30_s_timer_costs_few_wakes) {
  TimerWheel wheel(at_ms(987'654'321));
  Timer timer;
  wheel.arm(timer, at_ms(987'654'321 + 30'000));
  int wakes = 0;
  while (timer.armed()) {
    const Instant wake = wheel.next_deadline();
    ASSERT_LE(wake, timer.due());
    (void)wheel.expire_one(wake);
    ASSERT_LE(++wakes, 4);
  }
}

// The wheel's own time follows even when nothing expires, else near timers would look far away after a quiet hour.
TEST(TimerWheel, after_a_quiet_hour_a_near_timer_is_still_waited_for_exactly) {
  TimerWheel wheel;
  Timer timer;
  const Instant later = at_ms(64 * 56'250);  // an hour, at the start of 64 ms
  EXPECT_EQ(wheel.expire_one(later), nullptr);
  wheel.arm(timer, later + 40ms);
  EXPECT_EQ(wheel.next_deadline(), later + 40ms);
  EXPECT_EQ(wheel.expire_one(later + 40ms), &timer);
}

TEST(TimerWheel, the_wheel_may_die_before_its_timers) {
  Timer timer;
  {
    TimerWheel wheel;
    wheel.arm(timer, at_ms(100'000));
  }
  EXPECT_FALSE(timer.armed());
}

// A multimap from due tick to owner that does the same, slowly.
class Model {
 public:
  explicit Model(std::int64_t start_ms) : latest_ms_(start_ms) {}
  void arm(std::uint64_t owner, Instant deadline) {
    cancel(owner);
    std::int64_t due = ms_of(deadline);
    if (at_ms(due) < deadline) ++due;
    due_[owner] = std::max(due, latest_ms_ + 1);
    queue_.emplace(due_[owner], owner);
  }
  void cancel(std::uint64_t owner) {
    const auto known = due_.find(owner);
    if (known == due_.end()) return;
    auto [from, to] = queue_.equal_range(known->second);
    queue_.erase(std::find_if(from, to, [&](const auto& entry) { return entry.second == owner; }));
    due_.erase(known);
  }
  void now(Instant now) { latest_ms_ = std::max(latest_ms_, ms_of(now)); }
  [[nodiscard]] bool due(std::int64_t* ms) const {
    if (queue_.empty() || queue_.begin()->first > latest_ms_) return false;
    *ms = queue_.begin()->first;
    return true;
  }
  [[nodiscard]] std::int64_t earliest_ms() const { return queue_.begin()->first; }
  [[nodiscard]] bool empty() const { return queue_.empty(); }
  [[nodiscard]] std::size_t size() const { return queue_.size(); }
  [[nodiscard]] const std::map<std::uint64_t, std::int64_t>& all() const { return due_; }

 private:
  std::int64_t latest_ms_;
  std::multimap<std::int64_t, std::uint64_t> queue_;
  std::map<std::uint64_t, std::int64_t> due_;
};

// Delays from nothing to centuries, each magnitude as likely as the others; some are negative, most not whole ms.
Duration random_delay(Random& random) {
  const std::uint64_t magnitude = std::uint64_t{1} << random.uniform(62);
  const auto ns = static_cast<std::int64_t>(random.uniform(magnitude));
  return Duration(random.uniform(16) == 0 ? -ns : ns);
}

// Most steps are short; a few jump by days, years or exactly to the wheel's own deadline.
Instant later(Random& random, Instant now, const TimerWheel& wheel) {
  const std::uint64_t choice = random.uniform(20);
  if (choice < 8) return now + Duration(static_cast<std::int64_t>(random.uniform(3'000'000)));
  if (choice < 14) return now + Duration(static_cast<std::int64_t>(random.uniform(5'000'000'000)));
  if (choice < 15) return now + std::chrono::hours(random.uniform(24 * 60));
  if (choice < 16) return now - Duration(static_cast<std::int64_t>(random.uniform(1'000'000'000)));
  const Instant next = wheel.next_deadline();
  return next == never || next > now + std::chrono::hours(24 * 365) ? now + 64ms : next;
}

void run_against_model(std::uint8_t seed_number) {
  Seed seed{};
  seed[0] = seed_number;
  Random random(seed);
  Instant now = Instant(Duration(static_cast<std::int64_t>(random.uniform(1ULL << 55))));
  std::deque<Timer> timers;
  TimerWheel wheel(now);  // dies before the timers it holds
  Model model(ms_of(now));
  for (std::uint64_t i = 0; i < 300; ++i) timers.emplace_back(i, 0);
  const Instant end = now + std::chrono::hours(24 * 365 * 40);

  const auto arm_some = [&](Timer& timer) {
    const Duration delay = random_delay(random);
    const Instant deadline = delay > never - now ? never : now + delay;
    if (random.uniform(1000) == 0) {
      wheel.arm(timer, never);
      model.arm(timer.owner, never);
    } else {
      wheel.arm(timer, deadline);
      model.arm(timer.owner, deadline);
    }
  };
  const auto any = [&]() -> Timer& { return timers[random.uniform(timers.size())]; };

  for (int step = 0; step < 4000 && now < end; ++step) {
    for (std::uint64_t i = random.uniform(6); i > 0; --i) {
      Timer& timer = any();
      if (random.uniform(3) == 0) {
        wheel.cancel(timer);
        model.cancel(timer.owner);
      } else {
        arm_some(timer);
      }
      ASSERT_EQ(timer.armed(), model.all().contains(timer.owner));
    }
    const Instant next = wheel.next_deadline();
    if (model.empty()) {
      ASSERT_EQ(next, never);
    } else {
      ASSERT_LE(ms_of(next), model.earliest_ms());
    }
    now = later(random, now, wheel);
    model.now(now);
    std::int64_t due_ms = 0;
    while (Timer* timer = wheel.expire_one(now)) {
      ASSERT_TRUE(model.due(&due_ms));
      ASSERT_EQ(model.all().at(timer->owner), due_ms) << "fired out of order";
      ASSERT_EQ(ms_of(timer->due()), due_ms);
      ASSERT_FALSE(timer->armed());
      model.cancel(timer->owner);
      if (random.uniform(4) == 0) arm_some(*timer);
      if (random.uniform(4) == 0) arm_some(any());
      if (random.uniform(4) == 0) {
        Timer& other = any();
        wheel.cancel(other);
        model.cancel(other.owner);
      }
    }
    ASSERT_FALSE(model.due(&due_ms)) << "left behind";
    ASSERT_EQ(wheel.size(), model.size());
    ASSERT_GT(wheel.next_deadline(), now) << "a loop would spin";
  }
}

TEST(TimerWheel, agrees_with_a_sorted_model_over_random_operations) {
  for (std::uint8_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(static_cast<int>(seed));
    run_against_model(seed);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace parley::core
