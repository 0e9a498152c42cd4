// tests/service/restart_events_test.cc - a process is killed and another one begins: subscriptions go on in their dialogs
// (R6665-1, R6665-2, R6665-4), as far as their subscribers can be reached; those to sessions end with `deactivated`.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>

#include "tests/service/publisher.h"
#include "tests/service/waiting.h"
#include "tests/service/watcher.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

unsigned long number_of(const std::string& notify) { return std::stoul("0" + header(notify, "CSeq")); }
unsigned long version_of(const std::string& notify) { return std::stoul("0" + version(notify)); }

struct RestartEvents : testing::Test {
  void SetUp() override { make(); }
  void make(const std::function<void(policy::SipConfig&)>& change = {}, std::uint32_t shards = 1) {
    config = sip_config();
    config->stores_bindings = true;
    config->im.participating = true;
    if (change) change(*config);
    world = std::make_unique<SipWorld>(config, shards);
    alice = std::make_unique<Watcher>(*world, "alice", "127.0.0.1:40001");
  }
  void pass(core::Duration time) {
    world->now.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    world->advance(time);
  }
  void crash() {
    pass(1s);
    world->crash(config);
    (void)world->take();
  }
  // To whom NOTIFYs went.
  std::string told() {
    std::string all;
    for (const SipWorld::Sent& sent : world->take()) {
      if (sent.text.starts_with("NOTIFY")) all += core::to_string(sent.to).substr(10) + " ";
    }
    return all;
  }
  // What the next process says first.
  std::string first(Watcher& who) {
    EXPECT_TRUE(who.notifies().empty()) << "nothing in the first moment";
    pass(600ms);
    return who.notify();
  }
  std::shared_ptr<policy::SipConfig> config;
  std::unique_ptr<SipWorld> world;
  std::unique_ptr<Watcher> alice;
};

TEST_F(RestartEvents, R6665_1_ItGoesOnInItsDialogWithEverythingAndHigherNumbers) {
  ASSERT_EQ(code(alice->enrol()), "200");
  const std::string answer = alice->subscribe();
  const std::string before = alice->notify();
  pass(10s);
  (void)alice->enrol("3000");
  const std::string last = alice->notify();
  EXPECT_EQ(number_of(last), 2U);
  crash();
  const std::string again = first(*alice);
  EXPECT_TRUE(again.starts_with("NOTIFY sip:alice@127.0.0.1:40001 SIP/2.0\r\n")) << again;
  for (const char* name : {"Call-ID", "From", "To", "Contact", "Event"}) {
    EXPECT_EQ(header(again, name), header(before, name)) << name;
  }
  EXPECT_GT(number_of(again), number_of(last));
  EXPECT_EQ(header(again, "Subscription-State"), "active;expires=588");
  EXPECT_EQ(completeness(again), "full");
  EXPECT_GT(version_of(again), version_of(last));
  EXPECT_EQ(said(again), "active refreshed");
  pass(10s);
  (void)alice->enrol("600", "<sip:alice@127.0.0.1:40009>");
  const std::string change = alice->notify();
  EXPECT_EQ(said(change), "active registered") << "only what has changed";
  EXPECT_EQ(number_of(change), number_of(again) + 1);
  EXPECT_EQ(version_of(change), version_of(again) + 1);
  EXPECT_EQ(world->metric(Metric::sip_subscriptions_restored), 1U);
  EXPECT_EQ(world->metric(Metric::sip_subscriptions_created), 0U);
  EXPECT_EQ(world->metric(Metric::sip_subscriptions), 1U);
  // Nobody writes for a NOTIFY: one row with the SUBSCRIBE.
  EXPECT_EQ(world->store.subscriptions_written, 1U);
}

TEST_F(RestartEvents, R6665_1_ItIsRefreshedInItsDialogAndOldNumbersAreNot) {
  (void)alice->subscribe();
  (void)alice->notify();
  (void)alice->refresh({.auth = false});
  (void)alice->notify();
  crash();
  (void)first(*alice);
  const std::uint32_t next = alice->cseq();
  alice->cseq() = next - 1;
  EXPECT_EQ(code(alice->refresh({.auth = false})), "500") << "RFC 3261 section 12.2.2";
  alice->cseq() = next;
  const std::string answer = alice->refresh({.expires = "500", .auth = false});
  ASSERT_EQ(code(answer), "200");
  EXPECT_EQ(header(answer, "Expires"), "500");
  EXPECT_EQ(header(alice->notify(), "Subscription-State"), "active;expires=500");
  // As often as it happens.
  crash();
  const std::string second = first(*alice);
  EXPECT_EQ(header(second, "Subscription-State"), "active;expires=498");
  crash();
  EXPECT_GT(number_of(first(*alice)), number_of(second));
  EXPECT_EQ(code(alice->refresh({.expires = "0", .auth = false})), "200");
  EXPECT_EQ(header(alice->notify(), "Subscription-State"), "terminated;reason=timeout");
  EXPECT_TRUE(world->store.subscriptions.empty());
}

TEST_F(RestartEvents, R6665_1_ItsTimeGoesOn) {
  (void)alice->subscribe();
  (void)alice->notify();
  crash();
  (void)first(*alice);
  pass(590s);
  EXPECT_TRUE(alice->notifies().empty());
  pass(8500ms);
  EXPECT_EQ(header(alice->notify(), "Subscription-State"), "terminated;reason=timeout");
  EXPECT_TRUE(world->store.subscriptions.empty());
  EXPECT_EQ(code(alice->refresh({.auth = false})), "481");
}

TEST_F(RestartEvents, R6665_1_WhatWasOverWhileNobodyRanIsNotThere) {
  (void)alice->subscribe();
  (void)alice->notify();
  pass(1s);
  world->now.wall_ms += 600'000;
  world->crash(config);
  pass(10s);
  EXPECT_TRUE(alice->notifies().empty());
  EXPECT_EQ(world->service().live_subscribers(), 0U);
  EXPECT_EQ(code(alice->refresh({.auth = false})), "481");
}

TEST_F(RestartEvents, R6665_1_AClockThatWasSetBackGivesNobodyMoreThanHeMayHave) {
  (void)alice->subscribe();
  (void)alice->notify();
  pass(1s);
  world->now.wall_ms -= 1'000'000'000;
  world->crash(config);
  EXPECT_EQ(header(first(*alice), "Subscription-State"), "active;expires=3760");
}

TEST_F(RestartEvents, R6665_4_WhatHasEndedDoesNotComeBack) {
  (void)alice->subscribe();
  (void)alice->notify();
  (void)alice->refresh({.expires = "0"});
  EXPECT_EQ(alice->notifies(0).size(), 1U) << "and it is not answered";
  Watcher bob(*world, "bob", "127.0.0.1:40002");
  (void)bob.subscribe();
  (void)bob.notify(481);  // R6665-4
  Watcher carol(*world, "carol", "127.0.0.1:40003");
  (void)carol.subscribe({.expires = "0"});
  (void)carol.notify();
  crash();
  EXPECT_EQ(world->store.subscriptions.size(), 0U);
  pass(5s);
  EXPECT_TRUE(alice->notifies().empty());
  EXPECT_TRUE(bob.notifies().empty());
  EXPECT_EQ(world->metric(Metric::sip_subscriptions_restored), 0U);
}

TEST_F(RestartEvents, R6665_4_WhatADrainHasEndedDoesNotComeBack) {
  (void)alice->subscribe();
  (void)alice->notify();
  world->drain();
  pass(100ms);
  EXPECT_EQ(header(alice->notify(), "Subscription-State"), "terminated;reason=deactivated");
  crash();
  pass(5s);
  EXPECT_TRUE(alice->notifies().empty());
}

TEST_F(RestartEvents, R6665_1_ATargetThatMovedIsTheTarget) {
  (void)alice->subscribe();
  (void)alice->notify();
  ASSERT_EQ(code(alice->refresh({.contact = "<sip:alice@127.0.0.1:40001;line=2>"})), "200");
  (void)alice->notify();
  crash();
  EXPECT_TRUE(first(*alice).starts_with("NOTIFY sip:alice@127.0.0.1:40001;line=2 SIP/2.0\r\n"));
}

TEST_F(RestartEvents, R6665_1_ATargetThatAnAnswerMovedIsTheTarget) {
  (void)alice->subscribe();
  const std::string notify = alice->notify(0);
  std::string ok = response_text(notify, 200);
  ok.insert(ok.find("\r\nCSeq:"), "\r\nContact: <sip:alice@127.0.0.1:40001;line=3>");
  world->datagram(ok, "127.0.0.1:40001");
  crash();
  EXPECT_TRUE(first(*alice).starts_with("NOTIFY sip:alice@127.0.0.1:40001;line=3 SIP/2.0\r\n"));
}

// As if half a million NOTIFYs had been sent since.
TEST_F(RestartEvents, R6665_1_WhatIsStoredIsNeverTooFarBehind) {
  (void)alice->subscribe({.event = "reg;id=one"});
  (void)alice->notify();
  ASSERT_EQ(code(alice->refresh({.event = "reg;id=two"})), "200");
  (void)alice->notify();
  pass(1s);
  auto& rows = world->store.subscriptions;
  ASSERT_EQ(rows.size(), 2U);
  rows.begin()->second.local_cseq += core::subscription_numbers_step / 2;
  crash();
  pass(510ms);
  for (const auto& [id, row] : rows) EXPECT_GT(row.local_cseq, core::subscription_numbers_step * 3 / 2) << id;
}

TEST_F(RestartEvents, R6665_1_RoutesStay) {
  (void)alice->subscribe({.lines = "Record-Route: <sip:127.0.0.1:40001;lr;a=1>, <sip:127.0.0.7;lr>\r\n"});
  (void)alice->notify();
  crash();
  EXPECT_EQ(header(first(*alice), "Route"), "<sip:127.0.0.1:40001;lr;a=1>, <sip:127.0.0.7;lr>");
}

// T-36: his datagrams have made the way that NOTIFYs take.
TEST_F(RestartEvents, R6665_1_BehindANatTheWayStays) {
  Watcher proxy(*world, "bob", "127.0.0.9:40009");  // trusted
  const std::string subscribe =
      "SUBSCRIBE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKn1;rport\r\nMax-Forwards: 70\r\n"
      "From: <sip:bob@example.org>;tag=n\r\nTo: <sip:bob@example.org>\r\nCall-ID: nat\r\nCSeq: 1 SUBSCRIBE\r\n"
      "P-Asserted-Identity: <sip:bob@example.org>\r\nContact: <sip:bob@10.0.0.1:5060>\r\nEvent: reg\r\nExpires: 600\r\n"
      "Content-Length: 0\r\n\r\n";
  ASSERT_EQ(code(proxy.send(subscribe)), "200");
  (void)proxy.notify();
  crash();
  pass(600ms);
  EXPECT_EQ(told(), "40009 ") << "not to 10.0.0.1";
}

TEST_F(RestartEvents, R6665_1_SettingsGoOn) {
  (void)alice->subscribe({.event = "poc-settings"});
  (void)alice->notify();
  Publisher alices(*world, "alice", "127.0.0.1:40001");
  crash();
  EXPECT_EQ(header(first(*alice), "Event"), "poc-settings");
  pass(1s);
  ASSERT_EQ(code(alices.publish({.body = settings_xml(isb(true))})), "200");
  pass(4s);
  const std::string notify = alice->notify();
  EXPECT_EQ(header(notify, "Content-Type"), "application/poc-settings+xml");
  EXPECT_NE(body_of(notify).find("true"), std::string::npos) << notify;
}

TEST_F(RestartEvents, R6665_5_SeveralInADialogStayTogether) {
  (void)alice->subscribe({.event = "reg;id=one"});
  (void)alice->notify();
  ASSERT_EQ(code(alice->refresh({.event = "reg;id=two"})), "200");
  (void)alice->notify();
  ASSERT_EQ(code(alice->refresh({.event = "poc-settings"})), "200");
  (void)alice->notify();
  crash();
  pass(600ms);
  const auto notifies = alice->notifies();
  ASSERT_EQ(notifies.size(), 3U);
  std::set<std::string> events;
  std::set<std::string> numbers;
  for (const std::string& notify : notifies) {
    events.insert(header(notify, "Event"));
    numbers.insert(header(notify, "CSeq"));
  }
  EXPECT_EQ(events, (std::set<std::string>{"reg;id=one", "reg;id=two", "poc-settings"}));
  EXPECT_EQ(numbers.size(), 3U);
  EXPECT_EQ(world->service().live_subscribers(), 1U) << "one dialog";
  ASSERT_EQ(code(alice->refresh({.event = "reg;id=two", .expires = "0", .auth = false})), "200");
  EXPECT_EQ(header(alice->notify(), "Event"), "reg;id=two");
  pass(1s);
  EXPECT_EQ(world->store.subscriptions.size(), 2U);
}

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
