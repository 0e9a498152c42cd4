// tests/service/restart_events_test.cc - a process is killed and another one begins: subscriptions go on in their dialogs
// (R6665-1), and those that have ended do not (R6665-4).
#include <set>

#include "tests/service/publisher.h"
#include "tests/service/restarted.h"

namespace parley::tests {
namespace {

using core::Metric;

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

}  // namespace
}  // namespace parley::tests
