// tests/service/restart_watching_test.cc - a process is killed and another one begins: who watches what waits for him goes on,
// who watches a session is told to come again.
#include "tests/service/recorded.h"
#include "tests/service/restarted.h"
#include "tests/service/waiting.h"

namespace parley::tests {
namespace {

// --- the list of what waits

struct RestartList : Waiting {
  void pass(core::Duration time) {
    world->now.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    line->pass(time);
  }
  void crash() {
    pass(1s);
    world->crash(config);
    for (auto& [address, box] : line->boxes) box.clear();
    pass(1s);
  }
};

TEST_F(RestartList, OMA_DEF_11_TheListGoesOn) {
  leave(*bob);
  says("one");
  const std::string before = subscribes(*bob, dmf);
  EXPECT_EQ(states(body_of(before)), "new");
  crash();
  const std::string again = told(*bob);
  EXPECT_EQ(states(body_of(again)), "notified") << again;
  EXPECT_EQ(header(again, "Call-ID"), header(before, "Call-ID"));
  EXPECT_GT(number_of(again), number_of(before));
  pass(10s);
  const std::string call_id = bob->call_id;
  says("two");
  EXPECT_EQ(states(body_of(told(*bob))), "notified new");
  bob->call_id = call_id;
  bob->request("SUBSCRIBE", {}, "Event: ua-profile\r\nExpires: 0\r\n");
  bob->want("200 SUBSCRIBE");
  EXPECT_TRUE(header(told(*bob), "Subscription-State").starts_with("terminated"));
  pass(1s);
  EXPECT_TRUE(world->store.subscriptions.empty());
}

TEST_F(RestartList, OMA_DEF_11_WhoWantsChangesGetsChanges) {
  leave(*bob);
  says("one");
  (void)subscribes(*bob, dmf, "ua-profile", diff_type);
  crash();
  EXPECT_EQ(header(told(*bob), "Content-Type"), diff_type);
}

// OMA-DEF-7: one who is subscribed, but can not be told, is sent the list when he registers.
TEST_F(RestartList, OMA_DEF_7_WhoCanNotBeToldByNotifyIsToldByMessage) {
  leave(*bob);
  wants_offline(*bob, false);
  bob->connect();
  (void)subscribes(*bob, dmf);
  says("one");
  pass(10s);
  crash();
  says("two");
  pass(1s);
  EXPECT_EQ(world->service().deferred_watch().subscribers(), 1U);
  Phone desk(*line, "bob", "127.0.0.1:40012");
  desk.enrol();
  pass(1s);
  EXPECT_EQ(states(body_of(desk.want("MESSAGE"))).substr(0, 3), "new");
}

// --- the list of what was said

TEST_F(Recorded, OMA_HIS_1_TheListGoesOnAfterARestart) {
  record(7);
  const std::string before = subscribes(*bob, history_function, "ua-profile", std::string(policy::history_list_type));
  const std::string call_id = bob->call_id;
  world->now.wall_ms += 1000;
  line->pass(1s);
  world->crash(config);
  for (auto& [address, box] : line->boxes) box.clear();
  line->pass(510ms);
  const std::string again = told(*bob);
  EXPECT_EQ(header(again, "Call-ID"), call_id);
  EXPECT_GT(number_of(again), number_of(before));
  EXPECT_EQ(body_of(again), body_of(before));
  asks(Kind::history_delete, "bob 7");
  line->pass(5s);
  EXPECT_EQ(told(*bob).find("<history id=\"7\">"), std::string::npos);
  bob->call_id = call_id;
  bob->request("SUBSCRIBE", {}, "Event: ua-profile\r\nExpires: 500\r\n");
  bob->want("200 SUBSCRIBE");
  EXPECT_EQ(header(told(*bob), "Subscription-State"), "active;expires=500");
}

// --- sessions

struct RestartWatching : Party {
  void SetUp() override {
    config = focus_config();
    config->stores_bindings = true;
    make(config);
  }
  void pass(core::Duration time) {
    line->world.now.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    line->pass(time);
  }
  void crash() {
    pass(1s);
    line->world.crash(config);
    for (auto& [address, box] : line->boxes) box.clear();
    pass(510ms);
  }
  std::unique_ptr<Phone> watch(const std::string& identity, bool stream = false) {
    auto desk = std::make_unique<Phone>(*line, "alice", "127.0.0.1:40008");
    if (stream) desk->connect();
    desk->call_id = "watch";
    desk->local = "<sip:alice@example.org>;tag=w";
    desk->remote = "<" + identity + ">";
    desk->target = identity;
    desk->request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\n");
    desk->take(desk->want("200 SUBSCRIBE"));
    desk->respond(desk->want("NOTIFY"), 200);
    return desk;
  }
  std::shared_ptr<policy::SipConfig> config;
};

TEST_F(RestartWatching, R6665_2_WhoWatchesASessionIsToldToComeAgain) {
  gather({bob.get(), carol.get()});
  const std::string identity = alice->target;
  auto desk = watch(identity);
  const auto number = line->world.store.subscriptions.begin()->second.local_cseq;
  crash();
  const std::string notify = desk->want("NOTIFY");
  EXPECT_EQ(header(notify, "Subscription-State"), "terminated;reason=deactivated");
  EXPECT_EQ(header(notify, "Call-ID"), "watch");
  EXPECT_GT(number_of(notify), number);
  EXPECT_EQ(body_of(notify), "") << "not that the session is over: it may be come back to";
  desk->respond(notify, 200);
  pass(1s);
  desk->quiet();
  EXPECT_TRUE(line->world.store.subscriptions.empty());
  EXPECT_EQ(line->world.metric(Metric::sip_subscriptions), 0U);
  // When a participant has come back to it, it is watched again.
  desk->call_id = "early";
  desk->remote = "<" + identity + ">";
  desk->request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\n");
  desk->want("404 SUBSCRIBE");
  alice->invite_uri(identity, msrp_sdp("alice2"), im_lines);
  std::string ok = alice->next();
  while (code(ok) == "100") ok = alice->next();
  ASSERT_EQ(code(ok), "200");
  alice->take(ok);
  alice->ack();
  auto again = watch(identity);
  leaves(*alice);
}

TEST_F(RestartWatching, T_33_InTheDialogOfTheSessionToo) {
  gather({bob.get(), carol.get()});
  bob->request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\n");
  bob->want("200 SUBSCRIBE");
  bob->respond(bob->want("NOTIFY"), 200);
  crash();
  const std::string notify = bob->want("NOTIFY");
  EXPECT_EQ(header(notify, "Subscription-State"), "terminated;reason=deactivated");
  EXPECT_EQ(header(notify, "Call-ID"), bob->call_id);
  EXPECT_EQ(header(notify, "To"), bob->local);
  bob->respond(notify, 200);
  at_rest();
}

TEST_F(RestartWatching, T_35_WhoCanNotBeReachedIsNotToldAnything) {
  gather({bob.get(), carol.get()});
  auto desk = watch(alice->target, true);
  pass(1s);
  ASSERT_EQ(line->world.store.subscriptions.size(), 1U);
  crash();
  EXPECT_TRUE(line->world.connects.empty());
  EXPECT_TRUE(line->world.store.subscriptions.empty());
  EXPECT_EQ(line->world.metric(Metric::sip_subscriptions), 0U);
}

}  // namespace
}  // namespace parley::tests
