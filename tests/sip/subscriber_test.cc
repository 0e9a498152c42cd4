// tests/sip/subscriber_test.cc - a subscription of ours: first NOTIFY, refreshes, ends, and asking again.
#include "sip/subscriber.h"

#include <gtest/gtest.h>

#include <string>

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;
using core::Instant;
using subscription_rules::SubscriberState;

std::string told(const SubscriberStep& step) {
  std::string text;
  const auto word = [&text](const std::string& what) { text += (text.empty() ? "" : " ") + what; };
  if (step.answer != 0) word(std::to_string(step.answer));
  if (step.send == SubscribeKind::first) word("first " + std::to_string(step.expires_seconds));
  if (step.send == SubscribeKind::refresh) word("refresh " + std::to_string(step.expires_seconds));
  if (step.send == SubscribeKind::last) word("last " + std::to_string(step.expires_seconds));
  if (step.usage_ended) word("ended");
  return text;
}

class SubscriberTest : public ::testing::Test {
 protected:
  void make(std::uint32_t expires) {
    subscriber = Subscriber({.expires_seconds = expires});
    EXPECT_EQ(told(subscriber.start(now)), "first " + std::to_string(expires));
  }
  std::string notify(const char* value) {
    SubscriptionState state;
    EXPECT_TRUE(parse_subscription_state(value, state));
    return told(subscriber.notify(state, now));
  }
  std::string response(std::uint16_t status, std::uint32_t expires = 0) {
    return told(subscriber.response({.status = status, .has_expires = expires != 0, .expires_seconds = expires}, now));
  }
  // To the next deadline: "+12 refresh 600".
  std::string next() {
    if (subscriber.deadline() == core::never) return "never";
    const core::Duration wait = subscriber.deadline() - now;
    now = subscriber.deadline();
    return "+" + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(wait).count()) + " " +
           told(subscriber.due(now));
  }
  void subscribed(std::uint32_t expires) {
    make(expires);
    EXPECT_EQ(response(200, expires), "");
    EXPECT_EQ(notify(("active;expires=" + std::to_string(expires)).c_str()), "200");
    EXPECT_EQ(subscriber.state(), SubscriberState::active);
  }

  Instant now = Instant{} + 1000s;
  Subscriber subscriber{SubscriberConfig{}};
};

TEST_F(SubscriberTest, R6665_1_RefreshedBeforeItEnds) {
  subscribed(600);
  EXPECT_EQ(next(), "+560 refresh 600");
  EXPECT_EQ(response(200, 600), "");
  EXPECT_EQ(notify("active;expires=600"), "200");
  EXPECT_EQ(next(), "+560 refresh 600");
}

TEST_F(SubscriberTest, R6665_1_T_32_ANotifyMayOvertakeThe200) {
  make(600);
  EXPECT_EQ(notify("active;expires=300"), "200");
  EXPECT_EQ(subscriber.state(), SubscriberState::active);
  EXPECT_EQ(response(202, 600), "") << "202 is no different; the NOTIFY's time counts";
  EXPECT_EQ(next(), "+260 refresh 600");
}

TEST_F(SubscriberTest, R6665_5_WithoutExpiresAnywhere) {
  make(600);
  EXPECT_EQ(response(202), "");
  EXPECT_EQ(notify("active"), "200");
  EXPECT_EQ(next(), "+560 refresh 600");
}

TEST_F(SubscriberTest, R6665_1_The200MayShortenAndNotLengthen) {
  make(600);
  (void)response(200, 100);
  (void)notify("active");
  EXPECT_EQ(next(), "+60 refresh 600");
  make(600);
  (void)response(200, 10000);
  (void)notify("active");
  EXPECT_EQ(next(), "+560 refresh 600");
  make(600);
  (void)notify("active;expires=4294967295");
  EXPECT_EQ(next(), "+560 refresh 600");
  subscribed(60);
  EXPECT_EQ(next(), "+30 refresh 60") << "half of a short time";
}

TEST_F(SubscriberTest, R6665_5_ANotifyBehindTheTimeOfThe200) {
  make(600);
  EXPECT_EQ(response(200, 2), "");
  EXPECT_EQ(next(), "+1 ");
  EXPECT_EQ(next(), "+1 ");
  EXPECT_EQ(notify("active"), "200");
  EXPECT_EQ(next(), "+560 refresh 600");
}

TEST_F(SubscriberTest, R6665_1_TimerN) {
  make(600);
  EXPECT_TRUE(subscriber.takes_dialogs(now));
  (void)response(200, 600);
  EXPECT_EQ(next(), "+32 ");
  EXPECT_FALSE(subscriber.takes_dialogs(now));
  EXPECT_EQ(notify("active"), "481");
  EXPECT_EQ(next(), "+1 first 600");
  EXPECT_EQ(next(), "+32 ");
  EXPECT_EQ(next(), "+2 first 600");
  // Also of a refresh.
  (void)notify("active;expires=600");
  EXPECT_EQ(next(), "+560 refresh 600");
  (void)response(200, 600);
  EXPECT_EQ(next(), "+32 ended");
  EXPECT_EQ(next(), "+1 first 600");
}

TEST_F(SubscriberTest, R6665_2_WhatTheReasonsMean) {
  struct Case {
    const char* value;
    const char* then;
  };
  for (const Case& each : {
           Case{"terminated;reason=deactivated;retry-after=99", "+0 first 600"},
           Case{"terminated;reason=timeout", "+0 first 600"},
           Case{"terminated;reason=probation;retry-after=99", "+99 first 600"},
           Case{"terminated;reason=probation", "+1 first 600"},
           Case{"terminated;reason=giveup;retry-after=99", "+99 first 600"},
           Case{"terminated;reason=what;retry-after=99", "+99 first 600"},
           Case{"terminated", "+1 first 600"},
           Case{"terminated;expires=600", "+1 first 600"},
           Case{"terminated;reason=rejected;retry-after=99", "never"},
           Case{"terminated;reason=noresource", "never"},
           Case{"terminated;reason=invariant;retry-after=31536000", "never"},
       }) {
    subscribed(600);
    now += 10s;
    EXPECT_EQ(notify(each.value), "200 ended") << each.value;
    EXPECT_EQ(notify("active"), "481") << each.value;
    EXPECT_EQ(next(), each.then) << each.value;
  }
}

TEST_F(SubscriberTest, ANotifierThatAlwaysSaysDeactivatedDoesNotMakeUsRun) {
  subscribed(600);
  EXPECT_EQ(notify("terminated;reason=deactivated"), "200 ended");
  EXPECT_EQ(next(), "+1 first 600");
  EXPECT_EQ(notify("terminated;reason=deactivated"), "200") << "no usage, so none has ended";
  EXPECT_EQ(next(), "+2 first 600");
}

TEST_F(SubscriberTest, R6665_2_Pending) {
  make(600);
  (void)response(200, 600);
  EXPECT_EQ(notify("pending;expires=500"), "200");
  EXPECT_EQ(subscriber.state(), SubscriberState::pending);
  EXPECT_EQ(notify("active;expires=400"), "200");
  EXPECT_EQ(next(), "+360 refresh 600");
}

TEST_F(SubscriberTest, R6665_3_AnswersToTheFirst) {
  for (const int status : {403, 404, 405, 410, 416, 489, 501, 603, 604}) {
    make(600);
    EXPECT_EQ(response(static_cast<std::uint16_t>(status)), "");
    EXPECT_TRUE(subscriber.over()) << status;
  }
  for (const int status : {408, 480, 481, 500, 503}) {
    make(600);
    EXPECT_EQ(response(static_cast<std::uint16_t>(status)), "");
    EXPECT_EQ(next(), "+1 first 600") << status;
  }
  make(600);
  (void)subscriber.response({.status = 503, .retry_after_seconds = 70}, now);
  EXPECT_EQ(next(), "+70 first 600");
  make(60);
  EXPECT_EQ(told(subscriber.response({.status = 423, .min_expires_seconds = 300}, now)), "first 300");
  EXPECT_EQ(told(subscriber.response({.status = 423, .min_expires_seconds = 300}, now)), "") << "no more than it said";
  EXPECT_EQ(next(), "+1 first 300");
  EXPECT_EQ(told(subscriber.response({.status = 423, .min_expires_seconds = 3601}, now)), "") << "only below an hour";
}

TEST_F(SubscriberTest, R6665_4_AnswersToARefresh) {
  for (int status = 300; status < 700; ++status) {
    const bool ends = status == 404 || status == 405 || status == 410 || status == 416 ||
                      (status >= 480 && status <= 485) || status == 489 || status == 501 || status == 604;
    subscribed(600);
    EXPECT_EQ(next(), "+560 refresh 600");
    EXPECT_EQ(response(static_cast<std::uint16_t>(status)), ends ? "ended" : "") << status;
  }
  // It lives to its end, and there is time to try again; no NOTIFY is waited for.
  subscribed(600);
  (void)next();
  (void)response(500);
  EXPECT_EQ(next(), "+20 refresh 600");
  (void)response(500);
  EXPECT_EQ(next(), "+10 refresh 600");
  EXPECT_EQ(notify("active;expires=600"), "200");
  EXPECT_EQ(next(), "+560 refresh 600");
  (void)subscriber.response({.status = 503, .retry_after_seconds = 50}, now);
  EXPECT_EQ(next(), "+40 ended");
  EXPECT_EQ(next(), "+0 first 600");
}

TEST_F(SubscriberTest, R6665_1_Unsubscribing) {
  subscribed(600);
  EXPECT_EQ(told(subscriber.stop(now)), "last 0");
  EXPECT_EQ(response(200), "");
  EXPECT_EQ(notify("active;expires=500"), "200");
  EXPECT_EQ(notify("terminated;reason=timeout"), "200 ended");
  EXPECT_TRUE(subscriber.over());
  EXPECT_EQ(next(), "never");
  // And when no last NOTIFY comes.
  subscribed(600);
  (void)subscriber.stop(now);
  EXPECT_EQ(next(), "+32 ended");
  EXPECT_TRUE(subscriber.over());
  // Before anything came.
  make(600);
  EXPECT_EQ(told(subscriber.stop(now)), "");
  EXPECT_EQ(notify("active"), "481");
  EXPECT_EQ(next(), "never");
}

TEST_F(SubscriberTest, R6665_1_AFetch) {
  make(0);
  EXPECT_EQ(response(200), "");
  EXPECT_EQ(notify("terminated;reason=timeout"), "200");
  EXPECT_TRUE(subscriber.over());
}

TEST_F(SubscriberTest, R3680_1_AVersionGapIsRefreshedAtOnce) {
  subscribed(600);
  EXPECT_EQ(told(subscriber.refresh_now(now)), "refresh 600");
}

}  // namespace
}  // namespace parley::tests
