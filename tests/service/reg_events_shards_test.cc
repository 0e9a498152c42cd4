// tests/service/reg_events_shards_test.cc - subscriptions to registrations whose address of record another shard owns.
#include <gtest/gtest.h>

#include "tests/service/watcher.h"

namespace parley::tests {
namespace {

struct RegEventsOfTwoShards : testing::Test {
  SipWorld world{sip_config(), 2};
  // Which shard owns a user, by where his bindings are.
  std::uint32_t owner(const std::string& user) {
    Watcher probe(world, user, "127.0.0.1:49999");
    const std::uint64_t before = world.service(0).live_bindings();
    EXPECT_EQ(code(probe.enrol()), "200");
    const std::uint32_t shard = world.service(0).live_bindings() > before ? 0 : 1;
    EXPECT_EQ(code(probe.enrol("0", "*")), "200");
    return shard;
  }
};

TEST_F(RegEventsOfTwoShards, TheOwnerAnswersWhereverTheSubscribeArrives) {
  for (const char* user : {"alice", "bob", "carol"}) {
    const std::uint32_t there = owner(user);
    for (const std::uint32_t at : {0U, 1U}) {
      for (const bool stream : {false, true}) {
        const std::string where = "127.0.0.1:4" + std::to_string(at) + (stream ? "111" : "222");
        Watcher watcher(world, user, where, at, stream);
        ASSERT_EQ(code(watcher.enrol()), "200");
        world.advance(20s);
        ASSERT_EQ(code(watcher.subscribe()), "200");
        EXPECT_EQ(world.service(there).live_subscribers(), 1U);
        EXPECT_EQ(said(watcher.notify()), "active registered");
        world.advance(10s);
        ASSERT_EQ(code(watcher.enrol()), "200");
        EXPECT_EQ(said(watcher.notify()), "active refreshed");
        ASSERT_EQ(code(watcher.refresh({.auth = false})), "200");
        EXPECT_EQ(said(watcher.notify()), "active refreshed");
        const std::string answer = watcher.refresh({.expires = "0", .auth = false});
        ASSERT_EQ(code(answer), "200");
        if (!stream) {
          EXPECT_EQ(watcher.send(watcher.last()), answer) << "a repetition finds its transaction";
        }
        EXPECT_EQ(header(watcher.notify(), "Subscription-State"), "terminated;reason=timeout");
        EXPECT_EQ(world.service(there).live_subscribers(), 0U);
        ASSERT_EQ(code(watcher.enrol("0", "*")), "200");
        world.advance(10s);
      }
    }
  }
}

TEST_F(RegEventsOfTwoShards, AResponseFindsTheShardThatSentTheNotify) {
  const std::uint32_t there = owner("alice");
  Watcher alice(world, "alice", "127.0.0.1:41000", 1 - there);
  ASSERT_EQ(code(alice.subscribe()), "200");
  (void)alice.notify(481);  // arrives at the other shard
  EXPECT_EQ(world.service(there).live_subscribers(), 0U);
}

TEST_F(RegEventsOfTwoShards, AConnectionOfAnotherShardEndsItsSubscriptions) {
  const std::uint32_t there = owner("alice");
  Watcher alice(world, "alice", "127.0.0.1:41000", 1 - there, true);
  ASSERT_EQ(code(alice.subscribe()), "200");
  (void)alice.notify();
  world.advance(300s);
  EXPECT_EQ(world.service(there).live_subscribers(), 1U) << "the connection is kept as long as it is relied on";
  alice.hang_up();
  EXPECT_EQ(world.service(there).live_subscribers(), 0U);
}

}  // namespace
}  // namespace parley::tests
