// tests/service/reg_events_test.cc - subscriptions to registrations (RFC 3680) as a client meets them. R3680-1,
// R6665-1 to R6665-5.
#include <gtest/gtest.h>

#include "tests/service/watcher.h"

namespace parley::tests {
namespace {

constexpr const char* here = "127.0.0.1:40001";

struct RegEvents : testing::Test {
  void make(const std::function<void(policy::SipConfig&)>& change = {}) {
    auto config = sip_config();
    if (change) change(*config);
    world = std::make_unique<SipWorld>(config);
    alice = std::make_unique<Watcher>(*world, "alice", here);
  }
  void SetUp() override { make(); }
  std::unique_ptr<SipWorld> world;
  std::unique_ptr<Watcher> alice;
};

TEST_F(RegEvents, R6665_1_SubscribeIsAnsweredWithExpiresAndContactAndANotifyFollows) {
  ASSERT_EQ(code(alice->enrol()), "200");
  const std::string answer = alice->subscribe();
  ASSERT_EQ(code(answer), "200");
  EXPECT_EQ(header(answer, "Expires"), "600");
  EXPECT_EQ(header(answer, "Contact"), "<sip:alice@127.0.0.1:5060>");
  const std::string notify = alice->notify();
  EXPECT_TRUE(notify.starts_with("NOTIFY sip:alice@127.0.0.1:40001 SIP/2.0\r\n")) << notify;
  EXPECT_EQ(header(notify, "Event"), "reg");
  EXPECT_EQ(header(notify, "Subscription-State"), "active;expires=600");
  EXPECT_EQ(header(notify, "Contact"), "<sip:alice@127.0.0.1:5060>");
  EXPECT_EQ(header(notify, "Content-Type"), "application/reginfo+xml");
  EXPECT_EQ(header(notify, "Call-ID"), header(answer, "Call-ID"));
  EXPECT_EQ(header(notify, "From"), header(answer, "To"));
  EXPECT_EQ(header(notify, "To"), header(answer, "From"));
  EXPECT_EQ(said(notify), "active registered");
  EXPECT_EQ(version(notify) + completeness(notify), "0full");
  EXPECT_NE(body_of(notify).find("aor=\"sip:alice@example.org\""), std::string::npos) << notify;
  EXPECT_NE(body_of(notify).find("<uri>sip:alice@127.0.0.1:40001</uri>"), std::string::npos) << notify;
}

TEST_F(RegEvents, R3680_1_NobodyRegisteredIsInitAndTheDefaultTimeIsTheirs) {
  const std::string answer = alice->subscribe({.expires = ""});
  EXPECT_EQ(header(answer, "Expires"), "3761");
  EXPECT_EQ(said(alice->notify()), "init");
}

TEST_F(RegEvents, R3680_1_EveryChangeIsNotifiedAtMostOnceInFiveSeconds) {
  (void)alice->subscribe();
  EXPECT_EQ(version(alice->notify()), "0");
  (void)alice->enrol();
  EXPECT_TRUE(alice->notifies().empty()) << "not within 5 s of the last one";
  world->advance(4900ms);
  EXPECT_TRUE(alice->notifies().empty());
  world->advance(200ms);
  std::string notify = alice->notify();
  EXPECT_EQ(said(notify), "active registered");
  EXPECT_EQ(version(notify) + completeness(notify), "1partial");
  EXPECT_EQ(header(notify, "CSeq"), "2 NOTIFY");
  world->advance(10s);
  (void)alice->enrol();
  EXPECT_EQ(said(alice->notify()), "active refreshed") << "at once, behind a long silence";
  world->advance(10s);
  (void)alice->enrol("60");
  EXPECT_EQ(said(alice->notify()), "active shortened");
  world->advance(10s);
  (void)alice->enrol("600", "<sip:alice@127.0.0.1:40009>");
  notify = alice->notify();
  EXPECT_EQ(said(notify), "active registered") << "only what has changed";
  world->advance(50s);
  EXPECT_EQ(said(alice->notify()), "active expired");
  world->advance(10s);
  (void)alice->enrol("0", "*");
  notify = alice->notify();
  EXPECT_EQ(said(notify), "terminated unregistered");
  EXPECT_EQ(version(notify), "6");
  world->advance(10s);
  (void)alice->refresh();
  EXPECT_EQ(said(alice->notify()), "init") << "terminated is said once";
}

TEST_F(RegEvents, R3680_1_TheIntervalIsAFlag) {
  make([](policy::SipConfig& config) { config.reg_events.package.interval_min = 100ms; });
  (void)alice->subscribe();
  (void)alice->notify();
  (void)alice->enrol();
  world->advance(100ms);
  EXPECT_EQ(said(alice->notify()), "active registered");
}

TEST_F(RegEvents, R6665_1_RefreshIsOfTheDialogAndNeedsNoCredentials) {
  (void)alice->enrol();
  (void)alice->subscribe();
  (void)alice->notify();
  world->advance(1s);
  const std::string answer = alice->refresh({.expires = "500", .auth = false});
  ASSERT_EQ(code(answer), "200");
  EXPECT_EQ(header(answer, "Expires"), "500");
  const std::string notify = alice->notify();
  EXPECT_EQ(header(notify, "Subscription-State"), "active;expires=500");
  EXPECT_EQ(version(notify) + completeness(notify), "1full");
  world->advance(500s);
  const std::string last = alice->notify();
  EXPECT_EQ(header(last, "Subscription-State"), "terminated;reason=timeout");
  EXPECT_EQ(world->service().live_subscribers(), 0U);
  EXPECT_EQ(code(alice->refresh({.auth = false})), "481") << "R6665-3: it is over";
}

TEST_F(RegEvents, R6665_1_UnsubscribeAndFetch) {
  (void)alice->enrol();
  (void)alice->subscribe();
  (void)alice->notify();
  EXPECT_EQ(header(alice->refresh({.expires = "0"}), "Expires"), "0");
  EXPECT_EQ(header(alice->notify(), "Subscription-State"), "terminated;reason=timeout");
  EXPECT_EQ(world->service().live_subscribers(), 0U);
  ASSERT_EQ(code(alice->subscribe({.expires = "0"})), "200");
  const std::string fetched = alice->notify();
  EXPECT_EQ(header(fetched, "Subscription-State"), "terminated;reason=timeout");
  EXPECT_EQ(said(fetched), "active registered");
  EXPECT_EQ(world->service().live_subscribers(), 0U);
}

TEST_F(RegEvents, R6665_3_Refusals) {
  EXPECT_EQ(code(alice->subscribe({.accept = "application/pidf+xml"})), "406");
  const std::string brief = alice->subscribe({.expires = "59"});
  EXPECT_EQ(code(brief), "423");
  EXPECT_EQ(header(brief, "Min-Expires"), "60");
  EXPECT_EQ(code(alice->subscribe({.to_user = "bob"})), "403") << "other people's registrations";
  EXPECT_EQ(code(alice->subscribe({.contact = "*"})), "400");
  EXPECT_EQ(code(alice->subscribe({.lines = "Require: teleportation\r\n"})), "420");
  const std::string other = alice->subscribe({.event = "conference", .to_user = "-"});
  EXPECT_EQ(code(other), "489");
  EXPECT_EQ(header(other, "Allow-Events"), "reg");
  EXPECT_EQ(code(alice->subscribe({.event = "", .to_user = "-"})), "489");
  EXPECT_EQ(code(alice->subscribe({.to_user = "-"})), "404") << "nobody's";
  EXPECT_EQ(code(alice->subscribe({.auth = false})), "407");
  EXPECT_EQ(world->service().live_subscribers(), 0U);
}

TEST_F(RegEvents, R6665_3_OtherPackagesOfAUserAreForHisDevices) {
  (void)alice->enrol();
  Watcher bob(*world, "bob", "127.0.0.1:40005");
  EXPECT_EQ(code(bob.subscribe({.event = "presence", .to_user = "carol"})), "480") << "she is not registered";
  (void)bob.subscribe({.event = "presence", .to_user = "alice"});
  const auto out = bob.notifies(0);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_TRUE(out[0].starts_with("SUBSCRIBE sip:alice@127.0.0.1:40001 SIP/2.0\r\n")) << out[0];
}

TEST_F(RegEvents, R6665_3_InADialogOnlyOursCounts) {
  (void)alice->subscribe();
  (void)alice->notify();
  EXPECT_EQ(code(alice->refresh({.event = "presence"})), "489");
  EXPECT_EQ(code(alice->refresh({.expires = "5"})), "423");
  alice->forget_dialog_tag();
  EXPECT_EQ(code(alice->refresh()), "481");
}

TEST_F(RegEvents, R3261_8_RefreshesCountAndARepetitionIsAbsorbed) {
  (void)alice->subscribe();
  (void)alice->notify();
  const std::string answer = alice->refresh();
  (void)alice->notify();
  EXPECT_EQ(alice->send(alice->last()), answer) << "the same response once more";
  EXPECT_TRUE(alice->notifies().empty());
  alice->cseq() = 1;
  EXPECT_EQ(code(alice->refresh()), "500") << "an old CSeq";
  const std::string late = alice->last();
  alice->cseq() = 10;
  EXPECT_EQ(code(alice->refresh({.expires = "0"})), "200");
  (void)alice->notify();
  EXPECT_EQ(code(alice->send(late)), "500") << "the same response once more (RFC 3261 section 8.2.7)";
}

TEST_F(RegEvents, R6665_4_WithoutATagItIsAnotherSubscriptionUpToALimit) {
  make([](policy::SipConfig& config) { config.reg_events.subscriptions_per_user_max = 2; });
  EXPECT_EQ(code(alice->subscribe()), "200");
  EXPECT_EQ(code(alice->subscribe()), "200");
  (void)alice->notifies();
  EXPECT_EQ(world->service().live_subscribers(), 2U);
  EXPECT_EQ(code(alice->subscribe()), "403");
  EXPECT_EQ(world->metric(core::Metric::sip_subscriptions_user_limit), 1U);
  Watcher bob(*world, "bob", "127.0.0.1:40005");
  EXPECT_EQ(code(bob.subscribe()), "200") << "another user's limit is his own";
}

TEST_F(RegEvents, R6665_4_TheShardHasALimitToo) {
  make([](policy::SipConfig& config) { config.reg_events.notifier.subscriptions_max = 1; });
  EXPECT_EQ(code(alice->subscribe()), "200");
  (void)alice->notifies();
  EXPECT_EQ(code(alice->subscribe()), "503");
  EXPECT_EQ(world->metric(core::Metric::sip_subscriptions_limit), 1U);
}

TEST_F(RegEvents, R6665_4_AFailedNotifyEndsIt) {
  for (const int status : {404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604}) {
    (void)alice->subscribe();
    (void)alice->notify(static_cast<std::uint16_t>(status));
    EXPECT_EQ(world->service().live_subscribers(), 0U) << status;
  }
  for (const int status : {401, 500, 503, 603}) {
    (void)alice->subscribe();
    (void)alice->notify(static_cast<std::uint16_t>(status));
    EXPECT_EQ(world->service().live_subscribers(), 1U) << status;
    (void)alice->refresh({.expires = "0"});
    (void)alice->notify();
  }
  EXPECT_EQ(world->service().live_subscribers(), 0U);
}

TEST_F(RegEvents, R6665_4_ANotifyWithoutAnswerEndsItAfterTimerF) {
  (void)alice->subscribe();
  (void)alice->notifies(0);
  world->advance(31s);
  EXPECT_EQ(world->service().live_subscribers(), 1U);
  world->advance(2s);
  EXPECT_EQ(world->service().live_subscribers(), 0U);
  const auto copies = alice->notifies(0);
  EXPECT_GE(copies.size(), 9U) << "repeated as Timer E says";
  EXPECT_EQ(world->metric(core::Metric::sip_subscriptions), 0U);
}

TEST_F(RegEvents, R3680_1_WhatHappensWhileANotifyIsUnansweredIsSaidInOne) {
  (void)alice->enrol();
  (void)alice->subscribe();
  (void)alice->notify();
  world->advance(10s);
  (void)alice->enrol();
  const auto first = alice->notifies(0);
  ASSERT_EQ(first.size(), 1U);
  (void)alice->enrol("600", "<sip:alice@127.0.0.1:40009>");
  (void)alice->enrol("0", "<sip:alice@127.0.0.1:40009>");
  (void)alice->notifies(0);
  world->answer({0, true, address(here), {}, first[0]}, 200, here);
  world->advance(6s);
  const auto later = alice->notifies();
  ASSERT_FALSE(later.empty());
  EXPECT_EQ(said(later.back()), "active unregistered");
}

TEST_F(RegEvents, R6665_1_ASubscriberThatAnswersNothingCanNotAskForMore) {
  make([](policy::SipConfig& config) { config.reg_events.notifies_unanswered_max = 2; });
  (void)alice->subscribe();
  EXPECT_EQ(code(alice->refresh()), "200");
  const std::string refused = alice->refresh();
  EXPECT_EQ(code(refused), "500") << "T-86";
  EXPECT_EQ(header(refused, "Retry-After"), "10");
  EXPECT_EQ(world->metric(core::Metric::sip_notifies_unanswered_limit), 1U);
  EXPECT_EQ(code(alice->refresh({.expires = "0"})), "200") << "but may go";
}

TEST_F(RegEvents, R6665_5_TwoSubscriptionsInOneDialog) {
  (void)alice->subscribe();
  (void)alice->notify();
  EXPECT_EQ(code(alice->refresh({.event = "reg;id=7"})), "200");
  const std::string notify = alice->notify();
  EXPECT_EQ(header(notify, "Event"), "reg;id=7");
  EXPECT_EQ(version(notify), "0") << "versions are the subscription's";
  EXPECT_EQ(header(notify, "CSeq"), "2 NOTIFY") << "the count is the dialog's";
  (void)alice->refresh({.expires = "0"});
  (void)alice->notify();
  EXPECT_EQ(world->service().live_subscribers(), 1U);
  EXPECT_EQ(code(alice->refresh({.event = "reg;id=7", .expires = "0"})), "200");
  (void)alice->notify();
  EXPECT_EQ(world->service().live_subscribers(), 0U);
}

TEST_F(RegEvents, T_86_TooMuchOfOneDialogIsNot503) {
  (void)alice->subscribe();
  (void)alice->notify();
  for (int id = 2; id <= 8; ++id) {
    EXPECT_EQ(code(alice->refresh({.event = "reg;id=" + std::to_string(id)})), "200");
    (void)alice->notify();
  }
  for (const std::string& one : {std::string("9"), std::string(200, 'x')}) {
    const std::string refused = alice->refresh({.event = "reg;id=" + one});
    EXPECT_EQ(code(refused), "500");
    EXPECT_EQ(header(refused, "Retry-After"), "10");
  }
  EXPECT_EQ(world->metric(core::Metric::sip_subscriptions_dialog_limit), 2U);
}

TEST_F(RegEvents, ATrustedPeerMayWatchUnlessItSaysThatAnotherUserAsks) {
  Watcher server(*world, "as", "127.0.0.9:5060");
  EXPECT_EQ(code(server.subscribe({.to_user = "alice", .auth = false})), "200");
  (void)server.notify();
  EXPECT_EQ(code(server.subscribe({.to_user = "nobody", .auth = false})), "404");
  const auto as = [](const std::string& user) { return "P-Asserted-Identity: <sip:" + user + "@example.org>\r\n"; };
  EXPECT_EQ(code(server.subscribe({.to_user = "alice", .lines = as("bob"), .auth = false})), "403");
  EXPECT_EQ(code(server.subscribe({.to_user = "alice", .lines = as("alice"), .auth = false})), "200");
  (void)server.notify();
  EXPECT_EQ(code(server.subscribe({.to_user = "alice", .lines = as("as"), .auth = false})), "200");
  (void)server.notify();
}

TEST_F(RegEvents, R3261_10_TheRouteSetIsKept) {
  Watcher server(*world, "as", "127.0.0.9:5060");
  const std::string answer =
      server.subscribe({.to_user = "alice",
                        .lines = "Record-Route: <sip:127.0.0.9:5070;lr>\r\nRecord-Route: <sip:192.0.2.1;lr>\r\n",
                        .contact = "<sip:as@as.example.net>",
                        .auth = false});
  EXPECT_EQ(header(answer, "Record-Route"), "<sip:127.0.0.9:5070;lr>");
  world->wake();
  const auto notifies = server.notifies(0);
  ASSERT_EQ(notifies.size(), 1U);
  EXPECT_TRUE(notifies[0].starts_with("NOTIFY sip:as@as.example.net SIP/2.0\r\n")) << notifies[0];
  EXPECT_EQ(header(notifies[0], "Route"), "<sip:127.0.0.9:5070;lr>, <sip:192.0.2.1;lr>");
}

TEST_F(RegEvents, OverAConnectionAndGoneWithIt) {
  Watcher bob(*world, "bob", "127.0.0.1:40100", 0, true);
  (void)bob.enrol();
  ASSERT_EQ(code(bob.subscribe()), "200");
  EXPECT_EQ(bob.target(), "sip:bob@127.0.0.1:5060;transport=tcp");
  const std::string notify = bob.notify();
  EXPECT_NE(notify.find("Via: SIP/2.0/TCP 127.0.0.1:5060;"), std::string::npos) << notify;
  EXPECT_EQ(world->service().live_subscribers(), 1U);
  bob.hang_up();
  EXPECT_EQ(world->service().live_subscribers(), 0U) << "nobody can be called at the port of a connection";
  EXPECT_EQ(world->pool().heap_bytes(), 0U);
}

TEST_F(RegEvents, ASubscriberWithAListenerIsCalledWhenHisConnectionIsGone) {
  Watcher bob(*world, "bob", "127.0.0.1:40100", 0, true);
  ASSERT_EQ(code(bob.subscribe({.contact = "<sip:bob@127.0.0.1:5099;transport=tcp>"})), "200");
  (void)bob.notify();
  bob.hang_up();
  EXPECT_EQ(world->service().live_subscribers(), 1U);
  world->advance(10s);
  Watcher second(*world, "bob", "127.0.0.1:40101");
  (void)second.enrol();
  ASSERT_EQ(world->connects.size(), 1U);
  EXPECT_EQ(core::to_string(world->connects[0].address), "127.0.0.1:5099");
  world->connect_failed(world->connects[0].token);
  EXPECT_EQ(world->service().live_subscribers(), 0U);
}

TEST_F(RegEvents, R3680_1_WhatIsSentAgainIsAnotherVersion) {
  Watcher bob(*world, "bob", "127.0.0.1:40100", 0, true);
  ASSERT_EQ(code(bob.subscribe({.contact = "<sip:bob@127.0.0.1:5099;transport=tcp>"})), "200");
  EXPECT_EQ(version(bob.notifies(0).front()), "0");  // it arrives, but its answer does not
  (void)Watcher(*world, "bob", "127.0.0.1:40101").enrol();
  bob.hang_up();
  ASSERT_EQ(world->connects.size(), 1U);
  (void)world->take();
  (void)world->connected(world->connects[0].token, "127.0.0.1:5099");
  const std::string again = world->only().text;
  EXPECT_EQ(version(again) + completeness(again), "1full") << "or it would be dropped as known, with what has changed since";
  EXPECT_NE(again.find("sip:bob@127.0.0.1:40101"), std::string::npos);
}

TEST_F(RegEvents, R6665_1_BehindTheLastNotifyNothingIsSaidAgain) {
  Watcher bob(*world, "bob", "127.0.0.1:40100", 0, true);
  ASSERT_EQ(code(bob.subscribe({.contact = "<sip:bob@127.0.0.1:5099;transport=tcp>"})), "200");
  EXPECT_EQ(bob.notifies(0).size(), 1U);
  ASSERT_EQ(code(bob.refresh({.expires = "0"})), "200");
  EXPECT_EQ(bob.notifies(0).size(), 1U);
  bob.hang_up();
  ASSERT_EQ(world->connects.size(), 1U);
  (void)world->take();
  (void)world->connected(world->connects[0].token, "127.0.0.1:5099");
  EXPECT_TRUE(header(world->only().text, "Subscription-State").starts_with("terminated"));
}

TEST_F(RegEvents, ThroughANatTheNotifyGoesBackWhereTheSubscribeCameFrom) {
  const std::string via = "Via: SIP/2.0/UDP 127.0.0.1:40001";
  ASSERT_EQ(code(alice->subscribe()), "200");
  (void)alice->notify();
  // The same dialog, from where its client does not know that it is seen.
  ASSERT_EQ(code(alice->refresh({.contact = "<sip:alice@10.1.1.1:5060>"})), "200");
  const auto direct = world->take();
  std::string text = alice->last();
  text.replace(text.find(via), via.size(), "Via: SIP/2.0/UDP 10.1.1.1:5060");
  text.replace(text.find("CSeq: "), 7, "CSeq: 9");
  text.replace(text.find(";branch=z9hG4bK"), 15, ";branch=z9hG4bKnat");
  ASSERT_EQ(code(alice->send(text)), "200");
  const auto notifies = alice->notifies();
  ASSERT_FALSE(notifies.empty());
  EXPECT_TRUE(notifies.back().starts_with("NOTIFY sip:alice@10.1.1.1:5060 SIP/2.0")) << notifies.back();
}

TEST_F(RegEvents, R3261_12_ADocumentTooLargeForADatagramGoesByTcpOrElseByUdpAfterAll) {
  for (int n = 0; n < 6; ++n) {
    (void)alice->enrol("3600", "<sip:alice@127.0.0.1:4100" + std::to_string(n) + ">;+g.oma.sip-im;long=\"" +
                                   std::string(150, 'x') + "\"");
  }
  ASSERT_EQ(code(alice->subscribe()), "200");
  EXPECT_TRUE(alice->notifies(0).empty());
  ASSERT_EQ(world->connects.size(), 1U);
  EXPECT_EQ(core::to_string(world->connects[0].address), here);
  world->connect_failed(world->connects[0].token);
  const std::string notify = alice->notify();
  EXPECT_GT(notify.size(), 1300U);
  EXPECT_EQ(version(notify), "1") << "nobody knows whether the first one arrived";
  EXPECT_EQ(world->service().live_subscribers(), 1U);
}

TEST_F(RegEvents, DrainingEndsThemWithDeactivated) {
  (void)alice->subscribe();
  (void)alice->notify();
  world->drain();
  EXPECT_FALSE(world->service().drained());
  EXPECT_EQ(header(alice->notify(), "Subscription-State"), "terminated;reason=deactivated");
  EXPECT_TRUE(world->service().drained());
  EXPECT_EQ(code(alice->subscribe()), "503");
}

TEST_F(RegEvents, ManyAreEndedAFewAtATime) {
  make([](policy::SipConfig& config) { config.reg_events.subscriptions_per_user_max = 1000; });
  for (int n = 0; n < 250; ++n) {
    (void)alice->subscribe();
    (void)alice->notify();
  }
  world->drain();
  EXPECT_EQ(alice->notifies().size(), 100U);
  world->advance(100ms);
  EXPECT_EQ(alice->notifies().size(), 150U);
  EXPECT_TRUE(world->service().drained());
}

TEST_F(RegEvents, NothingIsLeftBehind) {
  for (int n = 0; n < 30; ++n) {
    (void)alice->subscribe({.expires = n % 3 == 0 ? "0" : "60"});
    (void)alice->notifies(n % 2 == 0 ? 200 : 0);
  }
  world->advance(200s);
  (void)alice->notifies(0);
  EXPECT_EQ(world->service().live_subscribers(), 0U);
  EXPECT_EQ(world->service().live_transactions(), 0U);
  EXPECT_EQ(world->metric(core::Metric::sip_subscriptions), 0U);
  EXPECT_EQ(world->pool().heap_bytes(), 0U);
}

}  // namespace
}  // namespace parley::tests
