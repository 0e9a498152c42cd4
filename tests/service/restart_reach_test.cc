// tests/service/restart_reach_test.cc - a process is killed and another one begins: which subscribers can be reached, and
// how many subscriptions come back.
#include <set>
#include <vector>

#include "tests/service/restarted.h"

namespace parley::tests {
namespace {

using core::Metric;

// --- who was reached by his connection

TEST_F(RestartEvents, T_35_WhoWasReachedByHisConnectionIsToldWhenHeComesAgain) {
  Watcher bob(*world, "bob", "127.0.0.1:40002", 0, true);
  (void)bob.enrol();
  (void)bob.subscribe();
  const std::string before = bob.notify();
  crash();
  world->connects.clear();
  pass(20s);
  (void)bob.enrol();  // from elsewhere; nobody can be told of it
  pass(20s);
  EXPECT_TRUE(world->connects.empty()) << "nobody calls the port that he called from";
  EXPECT_EQ(world->service().live_subscribers(), 1U);
  bob.call_again();
  const std::string answer = bob.refresh({.auth = false});
  ASSERT_EQ(code(answer), "200");
  const std::string notify = bob.notify();
  EXPECT_EQ(header(notify, "Call-ID"), header(before, "Call-ID"));
  EXPECT_GT(number_of(notify), number_of(before));
  EXPECT_EQ(completeness(notify), "full");
  pass(10s);
  (void)bob.enrol("300");
  EXPECT_EQ(bob.notifies().size(), 1U) << "and from now on of all that changes";
  // And by that one he is known to the next process.
  crash();
  pass(700s);
  EXPECT_EQ(world->service().live_subscribers(), 0U) << "his time is over";
  EXPECT_TRUE(world->store.subscriptions.empty());
}

TEST_F(RestartEvents, T_35_WhoCanBeCalledIsCalled) {
  Watcher bob(*world, "bob", "127.0.0.1:40002", 0, true);
  (void)bob.subscribe({.contact = "<sip:bob@127.0.0.5:5070;transport=tcp>"});
  (void)bob.notify();
  crash();
  world->connects.clear();
  pass(1s);
  ASSERT_EQ(world->connects.size(), 1U);
  EXPECT_EQ(core::to_string(world->connects[0].address), "127.0.0.5:5070");
  (void)world->connected(world->connects[0].token, "127.0.0.5:5070");
  EXPECT_EQ(bob.notifies().size(), 1U);
}

// Whom nobody could call may still come: that says less than a subscriber who is silent.
TEST_F(RestartEvents, T_35_WhoCouldNotBeCalledIsKeptUntilHisTimeIsOver) {
  Watcher bob(*world, "bob", "127.0.0.1:40002", 0, true);
  (void)bob.subscribe({.contact = "<sip:bob@127.0.0.5:5070;transport=tcp>"});
  (void)bob.notify();
  crash();
  world->connects.clear();
  pass(1s);
  ASSERT_EQ(world->connects.size(), 1U);
  world->connect_failed(world->connects[0].token);
  world->connects.clear();
  (void)bob.enrol();
  pass(20s);
  EXPECT_TRUE(world->connects.empty()) << "he is not called again and again";
  bob.call_again();
  ASSERT_EQ(code(bob.refresh({.auth = false})), "200");
  EXPECT_EQ(completeness(bob.notify()), "full");
}

TEST_F(RestartEvents, R6665_4_WhoseDatagramsAreNotAnsweredIsGone) {
  (void)alice->subscribe();
  (void)alice->notify();
  crash();
  pass(40s);  // nobody answers
  EXPECT_EQ(world->service().live_subscribers(), 0U);
  EXPECT_TRUE(world->store.subscriptions.empty());
}

// --- limits

TEST_F(RestartEvents, P_01_NoMoreComeBackThanThereMayBe) {
  std::vector<std::unique_ptr<Watcher>> many;
  for (int i = 0; i < 6; ++i) {
    many.push_back(std::make_unique<Watcher>(*world, i < 3 ? "bob" : "carol", "127.0.0.1:4100" + std::to_string(i)));
    (void)many.back()->subscribe();
    (void)many.back()->notify();
    pass(1s);
  }
  config->reg_events.subscriptions_per_user_max = 2;
  crash();
  EXPECT_EQ(world->metric(Metric::sip_subscriptions_restored), 4U);
  EXPECT_EQ(world->metric(Metric::sip_subscriptions_not_restored), 2U);
  pass(510ms);
  EXPECT_EQ(told(), "41005 41004 41002 41001 ") << "those that last longest stay";
  EXPECT_EQ(world->store.subscriptions.size(), 4U) << "what is not taken is forgotten";
  config->reg_events.notifier.subscriptions_max = 3;
  crash();
  EXPECT_EQ(world->service().live_subscribers(), 3U);
  EXPECT_EQ(world->metric(Metric::sip_subscriptions_not_restored), 1U);
}

TEST_F(RestartEvents, P_01_TheirNotifiesAreSpread) {
  make([](policy::SipConfig& c) { c.reg_events.notifier.restored_per_second = 2; });
  std::vector<std::unique_ptr<Watcher>> many;
  for (int i = 0; i < 6; ++i) {
    many.push_back(std::make_unique<Watcher>(*world, "bob", "127.0.0.1:4100" + std::to_string(i)));
    (void)many.back()->subscribe();
    (void)many.back()->notify();
  }
  crash();
  pass(510ms);
  EXPECT_EQ(world->metric(Metric::sip_notify_sent), 1U);
  pass(400ms);
  EXPECT_EQ(world->metric(Metric::sip_notify_sent), 1U);
  pass(100ms);
  EXPECT_EQ(world->metric(Metric::sip_notify_sent), 2U);
  pass(2s);
  EXPECT_EQ(world->metric(Metric::sip_notify_sent), 6U);
}

TEST_F(RestartEvents, P_01_WhoDoesNotComeBackKeepsNobodyOut) {
  make([](policy::SipConfig& c) { c.reg_events.subscriptions_per_user_max = 1; });
  Watcher bob(*world, "bob", "127.0.0.1:40002", 0, true);
  (void)bob.subscribe();
  (void)bob.notify();
  EXPECT_EQ(code(bob.subscribe()), "403");
  crash();
  bob.call_again();
  EXPECT_EQ(code(bob.subscribe()), "200");
  (void)bob.notify();
  EXPECT_EQ(code(bob.subscribe()), "403");
}

TEST_F(RestartEvents, R6665_1_WhatCanNotGoOnIsForgotten) {
  (void)alice->subscribe();
  (void)alice->notify();
  pass(1s);
  ASSERT_EQ(world->store.subscriptions.size(), 1U);
  const core::SubscriptionRow good = world->store.subscriptions.begin()->second;
  auto& rows = world->store.subscriptions;
  std::uint64_t id = 100;
  const auto bad = [&](auto&& change) {
    core::SubscriptionRow row = good;
    row.id = ++id;
    change(row);
    rows[row.id] = row;
  };
  bad([](auto& row) { row.event = "presence"; });
  bad([](auto& row) { row.event = ""; });
  bad([](auto& row) { row.event = "reg;id=" + std::string(200, 'x'); });
  bad([](auto& row) { row.listener = "udp 192.0.2.1:5060"; });
  bad([](auto& row) { row.listener = ""; });
  bad([](auto& row) { row.source = "nowhere"; });
  bad([](auto& row) { row.target = "mailto:x@example.org"; });
  bad([](auto& row) { row.local = "<sip:alice@example.org>"; });
  bad([](auto& row) { row.local = "<sip:alice@example.org>;tag=x"; });
  bad([](auto& row) { row.routes = "<sip:a;lr"; });
  bad([](auto& row) { row.contact = ""; });
  bad([](auto& row) { row.call_id = ""; });
  bad([](auto& row) { row.remote += "x"; });  // another dialog with the same tag of ours
  bad([](auto&) {});                          // the same one twice
  crash();
  EXPECT_EQ(world->metric(Metric::sip_subscriptions_restored), 1U);
  EXPECT_EQ(world->metric(Metric::sip_subscriptions_not_restored), 14U);
  pass(600ms);
  EXPECT_EQ(alice->notifies().size(), 1U);
  EXPECT_EQ(rows.size(), 1U);
}

TEST_F(RestartEvents, R6665_1_WithoutAStoreNothingIsKept) {
  make([](policy::SipConfig& c) { c.stores_bindings = false; });
  (void)alice->subscribe();
  (void)alice->notify();
  crash();
  EXPECT_EQ(world->store.subscriptions_written, 0U);
  EXPECT_EQ(code(alice->refresh({.auth = false})), "481");
}

TEST_F(RestartEvents, R6665_1_OnAnotherShardToo) {
  make({}, 2);
  std::vector<std::unique_ptr<Watcher>> all;
  int number = 0;
  for (const char* name : {"alice", "bob", "carol"}) {
    for (std::uint32_t shard = 0; shard < 2; ++shard) {
      all.push_back(std::make_unique<Watcher>(*world, name, "127.0.0.1:4200" + std::to_string(++number), shard));
      ASSERT_EQ(code(all.back()->subscribe()), "200");
      (void)all.back()->notify();
    }
  }
  crash();
  pass(1s);
  EXPECT_EQ(world->metric(Metric::sip_subscriptions_restored), 6U);
  const std::vector<SipWorld::Sent> sent = world->take();
  std::set<std::string> calls;
  for (const SipWorld::Sent& one : sent) calls.insert(header(one.text, "Call-ID"));
  EXPECT_EQ(calls.size(), 6U);
  for (const auto& one : all) {
    ASSERT_EQ(code(one->refresh({.auth = false})), "200");
    EXPECT_EQ(one->notifies().size(), 1U);
  }
  pass(1s);
  EXPECT_EQ(world->store.subscriptions.size(), 6U);
}

}  // namespace
}  // namespace parley::tests
