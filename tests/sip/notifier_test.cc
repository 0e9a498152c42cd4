// tests/sip/notifier_test.cc - what a SUBSCRIBE is answered, and which NOTIFYs follow it when.
#include "sip/notifier.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;
using core::Instant;

constexpr std::array packages = {reg_package, EventPackage{.name = "conference",
                                                           .type = "application",
                                                           .subtype = "conference-info+xml",
                                                           .interval_min = core::Duration(0s)}};
constexpr std::uint8_t reg = 0;
constexpr std::uint8_t conference = 1;

// ---- the answer ----

std::string answer(const std::string& headers) {
  const std::string bytes = "SUBSCRIBE sip:a@example.com SIP/2.0\r\n" + headers + "\r\n";
  HeadParser parser;
  EXPECT_EQ(parser.parse(bytes, {}), Progress::done);
  const SubscribeAnswer out = judge_subscribe(packages, parser.head(), bytes);
  std::string text = std::to_string(out.status);
  if (out.status == 200)
    text += " " + std::string(packages[out.package].name) + " " + std::to_string(out.expires_seconds);
  if (out.status == 423) text += " " + std::to_string(out.min_expires_seconds);
  return text;
}

TEST(Subscribe, R6665_1_TheTimeIsAtMostWhatWasAskedFor) {
  EXPECT_EQ(answer("Event: reg\r\nExpires: 600\r\n"), "200 reg 600");
  EXPECT_EQ(answer("Event: reg\r\nExpires: 1000000\r\n"), "200 reg 3761");
  EXPECT_EQ(answer("Event: reg\r\n"), "200 reg 3761") << "R3680-1";
  EXPECT_EQ(answer("o: conference\r\n"), "200 conference 3600");
  EXPECT_EQ(answer("Event: reg\r\nExpires: 0\r\n"), "200 reg 0");
}

TEST(Subscribe, R6665_3_Refusals) {
  EXPECT_EQ(answer(""), "489");
  EXPECT_EQ(answer("Event: presence\r\n"), "489") << "R3856-1: not provided";
  EXPECT_EQ(answer("Event: Reg\r\n"), "489") << "with case";
  EXPECT_EQ(answer("Event: reg.winfo\r\n"), "489");
  EXPECT_EQ(answer("Event: a b\r\n"), "400");
  EXPECT_EQ(answer("Event: reg\r\nExpires: soon\r\n"), "400");
  EXPECT_EQ(answer("Event: reg\r\nExpires: 59\r\n"), "423 60");
  EXPECT_EQ(answer("Event: reg\r\nAccept: application/pidf+xml\r\n"), "406");
  EXPECT_EQ(answer("Event: reg\r\nAccept: a/b\r\nAccept: application/*\r\n"), "200 reg 3761");
  EXPECT_EQ(allow_events(packages), "reg, conference");
}

// ---- the notifier ----

class NotifierTest : public ::testing::Test {
 protected:
  void SetUp() override { make({}); }
  void make(const NotifierConfig& config) { notifier = std::make_unique<Notifier>(config, packages, metrics, now); }

  SubscriptionId subscribe(std::uint64_t dialog, std::uint8_t package, std::uint32_t expires, const char* id = nullptr,
                           bool pending = false) {
    const Event event{
        .package = packages[package].name, .id = id == nullptr ? "" : id, .has_id = id != nullptr, .parameters = {}};
    return notifier->subscribe({.dialog = dialog,
                                .resource = 7,
                                .package = package,
                                .event = event,
                                .expires_seconds = expires,
                                .pending = pending},
                               now);
  }
  SubscriptionId find(std::uint64_t dialog, std::string_view value) {
    Event event;
    EXPECT_TRUE(parse_event(value, event));
    return notifier->find(dialog, event);
  }
  // The facts as lines: "1 reg active;expires=60 full", "ended 1".
  std::vector<std::string> facts() {
    std::vector<std::string> lines;
    for (NotifierFact fact; notifier->next_fact(now, fact);) {
      if (fact.kind == NotifierFact::Kind::ended) {
        lines.push_back("ended " + std::to_string(fact.ended.dialog));
        continue;
      }
      last = fact.notify;
      lines.push_back(std::to_string(last.dialog) + " " + last.event + " " + subscription_state(last) +
                      (last.full ? " full" : ""));
    }
    return lines;
  }
  void answer_last(std::uint16_t status) { notifier->notify_answered(last.subscription, last.number, status, now); }
  // Sends what is due and has it answered 200.
  std::vector<std::string> answered() {
    std::vector<std::string> lines = facts();
    answer_last(200);
    return lines;
  }
  using Lines = std::vector<std::string>;

  core::Metrics metrics;
  Instant now = Instant{} + 1000s;
  std::unique_ptr<Notifier> notifier;
  NotifyFact last;
};

TEST_F(NotifierTest, R6665_1_ANotifyFollowsEachSubscribe) {
  const SubscriptionId id = subscribe(1, reg, 600);
  EXPECT_EQ(answered(), Lines{"1 reg active;expires=600 full"});
  now += 100s;
  EXPECT_EQ(find(1, "reg"), id);
  EXPECT_TRUE(notifier->refresh(id, 300, now));
  EXPECT_EQ(answered(), Lines{"1 reg active;expires=300 full"});
  now += 299s;
  EXPECT_EQ(facts(), Lines{});
  // Also when it comes within the interval, and with another NOTIFY unanswered.
  EXPECT_TRUE(notifier->refresh(id, 600, now));
  EXPECT_EQ(facts(), Lines{"1 reg active;expires=600 full"});
  EXPECT_TRUE(notifier->refresh(id, 500, now));
  EXPECT_EQ(facts(), Lines{"1 reg active;expires=500 full"});
}

TEST_F(NotifierTest, R6665_1_UnsubscribingAndFetching) {
  const SubscriptionId id = subscribe(1, reg, 600);
  (void)answered();
  EXPECT_TRUE(notifier->refresh(id, 0, now));
  EXPECT_FALSE(find(1, "reg").valid());
  EXPECT_FALSE(notifier->refresh(id, 600, now)) << "481";
  EXPECT_EQ(facts(), Lines{"1 reg terminated;reason=timeout full"});
  EXPECT_EQ(notifier->size(), 1U) << "RFC 6665 section 4.4.1: until the NOTIFY is answered";
  answer_last(481);
  EXPECT_EQ(facts(), Lines{"ended 1"});

  (void)subscribe(2, reg, 0);
  EXPECT_EQ(answered(), Lines{"2 reg terminated;reason=timeout full"});
  EXPECT_EQ(facts(), Lines{"ended 2"});
  EXPECT_EQ(notifier->size(), 0U);
}

TEST_F(NotifierTest, R6665_2_PendingGrantedRejected) {
  const SubscriptionId id = subscribe(1, conference, 600, nullptr, true);
  EXPECT_EQ(answered(), Lines{"1 conference pending;expires=600 full"});
  notifier->changed(7, now);
  EXPECT_EQ(facts(), Lines{});
  now += 10s;
  notifier->grant(id, now);
  EXPECT_EQ(answered(), Lines{"1 conference active;expires=590 full"});
  notifier->changed(7, now);
  EXPECT_EQ(answered(), Lines{"1 conference active;expires=590"});
  notifier->end(id, TerminationReason::rejected, 0, now);
  EXPECT_EQ(answered(), Lines{"1 conference terminated;reason=rejected full"});
  EXPECT_EQ(facts(), Lines{"ended 1"});

  notifier->end(subscribe(2, reg, 600), TerminationReason::probation, 60, now);
  EXPECT_EQ(answered(), Lines{"2 reg terminated;reason=probation;retry-after=60 full"}) << "one NOTIFY, not two";
}

TEST_F(NotifierTest, R3680_1_ChangesComeAtMostOnceInFiveSeconds) {
  (void)subscribe(1, reg, 600);
  (void)answered();
  notifier->changed(7, now);
  notifier->changed(7, now);
  EXPECT_EQ(facts(), Lines{});
  now += 4999ms;
  EXPECT_EQ(facts(), Lines{});
  EXPECT_LE(notifier->next_deadline(), now + 1ms);
  now += 2ms;
  EXPECT_EQ(answered(), Lines{"1 reg active;expires=594"});
  now += 6s;
  notifier->changed(7, now);
  EXPECT_EQ(answered(), Lines{"1 reg active;expires=588"}) << "at once when the interval has passed";
  notifier->changed(8, now + 10s);
  now += 20s;
  EXPECT_EQ(facts(), Lines{}) << "of something else";
}

TEST_F(NotifierTest, AChangeWaitsForTheAnswerToTheNotifyBefore) {
  (void)subscribe(1, conference, 600);
  EXPECT_EQ(facts().size(), 1U);
  notifier->changed(7, now);
  now += 10s;
  notifier->changed(7, now);
  EXPECT_EQ(facts(), Lines{});
  answer_last(200);
  EXPECT_EQ(facts(), Lines{"1 conference active;expires=590"});
}

TEST_F(NotifierTest, R6665_1_ItExpires) {
  (void)subscribe(1, reg, 60);
  (void)answered();
  now += 59s;
  EXPECT_EQ(facts(), Lines{});
  now += 1s + 1ms;
  EXPECT_EQ(facts(), Lines{"1 reg terminated;reason=timeout full"});
  answer_last(408);
  EXPECT_EQ(facts(), Lines{"ended 1"});
  EXPECT_EQ(notifier->next_deadline(), core::never);
}

TEST_F(NotifierTest, R6665_4_WhichAnswersEndIt) {
  for (int status = 200; status < 700; ++status) {
    (void)subscribe(1, conference, 600);
    (void)facts();
    answer_last(static_cast<std::uint16_t>(status));
    const bool listed = status == 404 || status == 405 || status == 410 || status == 416 ||
                        (status >= 480 && status <= 485) || status == 489 || status == 501 || status == 604;
    const bool timeout = status == 408;
    EXPECT_EQ(facts(), listed || timeout ? Lines{"ended 1"} : Lines{}) << status;
    notifier->dialog_gone(1, now);
    (void)facts();
    ASSERT_EQ(notifier->size(), 0U);
  }
}

TEST_F(NotifierTest, R6665_4_BehindAnotherErrorItLivesAndSaysAll) {
  (void)subscribe(1, conference, 600);
  (void)answered();
  notifier->changed(7, now);
  EXPECT_EQ(facts(), Lines{"1 conference active;expires=600"});
  answer_last(500);
  notifier->changed(7, now);
  EXPECT_EQ(facts(), Lines{"1 conference active;expires=600 full"}) << "the one before may not have arrived";
}

TEST_F(NotifierTest, R6665_4_ASubscribeWithoutTagIsANewSubscription) {
  (void)subscribe(1, reg, 600);
  (void)subscribe(2, reg, 600);
  EXPECT_EQ(notifier->size(), 2U);
  EXPECT_NE(find(1, "reg"), find(2, "reg"));
  EXPECT_FALSE(find(3, "reg").valid());
}

TEST_F(NotifierTest, R6665_5_T_33_SeveralInOneDialog) {
  (void)subscribe(1, reg, 600);
  (void)subscribe(1, conference, 60, "a");
  (void)subscribe(1, conference, 600, "b");
  EXPECT_EQ(facts(), (Lines{"1 reg active;expires=600 full", "1 conference;id=a active;expires=60 full",
                            "1 conference;id=b active;expires=600 full"}));
  EXPECT_EQ(notifier->in_dialog(1), 3U);
  EXPECT_FALSE(find(1, "conference").valid());
  EXPECT_FALSE(find(1, "conference;id=A").valid());
  EXPECT_TRUE(find(1, "conference;x=y;id=a").valid());
  now += 61s;
  EXPECT_EQ(facts(), Lines{"1 conference;id=a terminated;reason=timeout full"});
  answer_last(200);
  EXPECT_EQ(facts(), Lines{"ended 1"});
  EXPECT_EQ(notifier->in_dialog(1), 2U);
  // The INVITE's BYE does not end them; a broken dialog does.
  notifier->dialog_gone(1, now);
  EXPECT_EQ(facts(), (Lines{"ended 1", "ended 1"}));
}

TEST_F(NotifierTest, TheyHaveLimits) {
  make({.subscriptions_max = 3, .subscriptions_per_dialog_max = 2, .event_id_bytes_max = 4});
  EXPECT_FALSE(subscribe(1, reg, 60, "12345").valid());
  EXPECT_TRUE(subscribe(1, reg, 60, "1").valid());
  EXPECT_TRUE(subscribe(1, reg, 60, "2").valid());
  EXPECT_FALSE(subscribe(1, reg, 60, "3").valid());
  EXPECT_TRUE(subscribe(2, reg, 60).valid());
  EXPECT_FALSE(subscribe(3, reg, 60).valid());
  EXPECT_EQ(metrics.get(core::Metric::sip_subscriptions_limit), 1U);
  EXPECT_EQ(metrics.get(core::Metric::sip_subscriptions_dialog_limit), 2U);
}

TEST_F(NotifierTest, StaleNamesDoNothing) {
  const SubscriptionId id = subscribe(1, reg, 600);
  (void)answered();
  notifier->dialog_gone(1, now);
  (void)facts();
  notifier->grant(id, now);
  notifier->end(id, TerminationReason::rejected, 0, now);
  notifier->notify_answered(id, 1, 200, now);
  EXPECT_FALSE(notifier->refresh(id, 60, now));
  EXPECT_EQ(facts(), Lines{});
}

TEST_F(NotifierTest, R6665_2_WhatIsWatchedGoes) {
  (void)subscribe(1, conference, 600);
  (void)subscribe(2, conference, 600);
  (void)facts();
  notifier->end_all(7, TerminationReason::noresource, now);
  EXPECT_EQ(facts(), (Lines{"1 conference terminated;reason=noresource full",
                            "2 conference terminated;reason=noresource full"}));
}

// ---- of an earlier process ----

TEST_F(NotifierTest, R6665_1_OneOfAnEarlierProcessIsToldEverythingInItsTurn) {
  const Event event{.package = "conference", .id = "x", .has_id = true, .parameters = {}};
  const LeftSubscription left{
      .dialog = 1, .resource = 7, .package = conference, .event = event, .expires = now + 60s, .notify_at = now + 2s};
  ASSERT_TRUE(notifier->restore(left, now).valid());
  EXPECT_TRUE(find(1, "conference;id=x").valid());
  EXPECT_EQ(facts(), Lines{});
  notifier->changed(7, now);
  EXPECT_EQ(facts(), Lines{}) << "that, too, waits";
  now += 2s;
  EXPECT_EQ(answered(), Lines{"1 conference;id=x active;expires=58 full"});
  notifier->changed(7, now);
  EXPECT_EQ(answered(), Lines{"1 conference;id=x active;expires=58"});
  now += 58s;
  EXPECT_EQ(answered(), Lines{"1 conference;id=x terminated;reason=timeout full"});
  EXPECT_EQ(facts(), Lines{"ended 1"});
}

TEST_F(NotifierTest, R6665_1_ARefreshIsAnsweredBeforeThat) {
  const Event event{.package = "conference", .id = {}, .has_id = false, .parameters = {}};
  const SubscriptionId id = notifier->restore(
      {.dialog = 1, .resource = 7, .package = conference, .event = event, .expires = now + 60s, .notify_at = now + 9s}, now);
  ASSERT_TRUE(notifier->refresh(id, 100, now));
  EXPECT_EQ(answered(), Lines{"1 conference active;expires=100 full"});
  now += 10s;
  EXPECT_EQ(facts(), Lines{}) << "once is enough";
}

TEST_F(NotifierTest, T_35_WhoIsHeldIsToldWhenHeComesOrAtTheEnd) {
  const Event event{.package = "reg", .id = {}, .has_id = false, .parameters = {}};
  const LeftSubscription left{
      .dialog = 1, .resource = 7, .package = reg, .event = event, .expires = now + 60s, .notify_at = now, .held = true};
  const SubscriptionId id = notifier->restore(left, now);
  EXPECT_TRUE(notifier->view(id)->held);
  notifier->changed(7, now);
  now += 10s;
  notifier->remind(id, now);
  EXPECT_EQ(facts(), Lines{});
  ASSERT_TRUE(notifier->refresh(id, 60, now));
  EXPECT_FALSE(notifier->view(id)->held);
  EXPECT_EQ(facts(), Lines{"1 reg active;expires=60 full"});
  notifier->notify_unheard(last.subscription, last.number, now);
  EXPECT_TRUE(notifier->view(id)->held);
  notifier->changed(7, now);
  now += 60s;
  EXPECT_EQ(facts(), Lines{"1 reg terminated;reason=timeout full"});
  EXPECT_FALSE(notifier->view(id).has_value());
  notifier->notify_unheard(last.subscription, last.number, now);
  EXPECT_EQ(facts(), Lines{"ended 1"});
}

}  // namespace
}  // namespace parley::tests
