// tests/core/side_thread_test.cc - the priority of threads beside the shards.
#include "core/side_thread.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <array>
#include <string>
#include <thread>

namespace parley::core {
namespace {

struct Found {
  int policy = -1;
  int priority = -1;
  std::string name;
  int of_its_own = -1;  // of a side thread that this one made
};

int priority_of_this(int& policy) {
  sched_param priority{};
  return pthread_getschedparam(pthread_self(), &policy, &priority) == 0 ? priority.sched_priority : -1;
}

Found of_a_side_thread() {
  Found found;
  std::thread([&found] {
    begin_side_thread("beside");
    found.priority = priority_of_this(found.policy);
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    found.name = name.data();
    std::thread([&found] {
      begin_side_thread("beside too");
      int policy = 0;
      found.of_its_own = priority_of_this(policy);
    }).join();
  }).join();
  return found;
}

TEST(SideThread, HasItsNameAndAnOrdinaryPriorityStaysAsItIs) {
  const Found found = of_a_side_thread();
  EXPECT_EQ(found.name, "beside");
  EXPECT_EQ(found.policy, SCHED_OTHER);
  EXPECT_EQ(found.priority, 0);
}

TEST(SideThread, OfARealTimeProcessHasThePriorityBelow) {
  const sched_param ten{.sched_priority = 10};
  if (sched_setscheduler(0, SCHED_FIFO, &ten) != 0) GTEST_SKIP() << "not allowed here";
  const Found found = of_a_side_thread();
  const sched_param lowest{.sched_priority = sched_get_priority_min(SCHED_FIFO)};
  EXPECT_EQ(sched_setscheduler(0, SCHED_FIFO, &lowest), 0);
  const Found of_lowest = of_a_side_thread();
  const sched_param none{};
  EXPECT_EQ(sched_setscheduler(0, SCHED_OTHER, &none), 0);
  EXPECT_EQ(found.policy, SCHED_FIFO);
  EXPECT_EQ(found.priority, 9);
  EXPECT_EQ(found.of_its_own, 9) << "below the shards, not below who made it";
  EXPECT_EQ(of_lowest.priority, lowest.sched_priority);
}

}  // namespace
}  // namespace parley::core
