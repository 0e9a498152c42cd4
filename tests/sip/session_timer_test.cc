// tests/sip/session_timer_test.cc - R4028-1 to R4028-4: the negotiation matrix, 422, refreshes and expiry in virtual
// time, a proxy's edits.
#include "sip/session_timer.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/sip/sip_message.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using std::chrono::milliseconds;
using std::chrono::seconds;

const core::Instant start{seconds(1000)};
const SessionTimerConfig config;

TimerText text(bool supported, std::uint32_t expires = 0, Refresher refresher = Refresher::absent,
               std::uint32_t min_se = 0) {
  return {.supported = supported,
          .has_expires = expires != 0,
          .expires = {.seconds = expires, .refresher = refresher},
          .min_se = min_se};
}

// What the UAS answers to a first INVITE.
TimerGrant grant(const TimerText& request, const SessionTimerConfig& with = config) {
  SessionTimer timer;
  return timer.grant(with, request);
}

std::string value(const SessionExpires& expires) {
  char out[session_expires_chars];
  return std::string(session_expires_text(expires, out));
}

TEST(SessionTimer, T_10_T_14_HeadersAreReadInAnyForm) {
  const SipMessage message(
      "INVITE sip:a@b SIP/2.0\nVia: SIP/2.0/UDP b;branch=z9hG4bK1\nMax-Forwards: 70\nTo: <sip:a@b>\n"
      "From: <sip:c@d>;tag=1\nCall-ID: x\nCSeq: 1 INVITE\nk: 100rel\nRequire: timer\nx: 600 ; Refresher=UAC\n"
      "Min-SE: 120;x=1\nContent-Length: 0\n\n");
  const TimerText read = read_timer(message.head(), message.bytes);
  EXPECT_TRUE(read.supported);
  EXPECT_TRUE(read.has_expires);
  EXPECT_EQ(read.expires.seconds, 600U);
  EXPECT_EQ(read.expires.refresher, Refresher::uac);
  EXPECT_EQ(read.min_se, 120U);
}

TEST(SessionTimer, R4028_1_TheMatrixOfWhoRefreshes) {
  using R = Refresher;
  const struct {
    bool supported;
    R asked, prefer, answer;
    bool require;
  } rows[] = {
      {false, R::absent, R::uac, R::uas, false}, {false, R::uac, R::uac, R::uas, false},
      {false, R::uas, R::uac, R::uas, false},    {true, R::absent, R::uac, R::uac, true},
      {true, R::absent, R::uas, R::uas, true},   {true, R::absent, R::absent, R::uas, true},
      {true, R::uac, R::uas, R::uac, true},      {true, R::uas, R::uac, R::uas, true},
  };
  for (const auto& row : rows) {
    SessionTimerConfig with = config;
    with.prefer = row.prefer;
    const TimerGrant got = grant(text(row.supported, 1200, row.asked), with);
    EXPECT_FALSE(got.refuse);
    EXPECT_TRUE(got.on);
    EXPECT_EQ(got.expires.seconds, 1200U);
    EXPECT_EQ(got.expires.refresher, row.answer);
    EXPECT_EQ(got.require, row.require);  // R4028-2
  }
}

TEST(SessionTimer, R4028_1_TheUasLowersAndNeverRaises) {
  EXPECT_EQ(grant(text(true, 3600)).expires.seconds, 1800U);
  EXPECT_EQ(grant(text(true, 3600, Refresher::uac, 2400)).expires.seconds, 2400U);
  EXPECT_EQ(grant(text(true, 100)).expires.seconds, 100U);
  SessionTimerConfig low = config;
  low.interval_seconds = 10;
  EXPECT_EQ(grant(text(true, 3600), low).expires.seconds, 90U);
}

TEST(SessionTimer, R4028_1_TooShortIsA422OnlyForOneThatUnderstandsIt) {
  SessionTimerConfig strict = config;
  strict.min_se_seconds = 300;
  EXPECT_TRUE(grant(text(true, 299), strict).refuse);
  EXPECT_EQ(grant(text(true, 299), strict).min_se, 300U);
  EXPECT_FALSE(grant(text(true, 300), strict).refuse);
  EXPECT_TRUE(grant(text(true, 89)).refuse);
  strict.min_se_seconds = 1;
  EXPECT_EQ(grant(text(true, 89), strict).min_se, 90U);
  const TimerGrant deaf = grant(text(false, 2));
  EXPECT_FALSE(deaf.refuse);
  EXPECT_FALSE(deaf.on);
}

TEST(SessionTimer, R4028_1_APeerThatDoesNotAskGetsOneWhenWeWant) {
  EXPECT_EQ(value(grant(text(true)).expires), "1800;refresher=uac");
  EXPECT_TRUE(grant(text(true)).require);
  EXPECT_EQ(grant(text(true, 0, Refresher::absent, 5000)).expires.seconds, 5000U);
  EXPECT_EQ(value(grant(text(false)).expires), "1800;refresher=uas");
  EXPECT_FALSE(grant(text(false)).require);
  SessionTimerConfig idle = config;
  idle.want = false;
  EXPECT_FALSE(grant(text(true), idle).on);
}

TEST(SessionTimer, R4028_3_OneThatRunsGoesOnWhenAPeerWithoutTimersChangesTheSession) {
  SessionTimerConfig idle;
  idle.want = false;
  idle.alone = true;
  SessionTimer timer;
  timer.answered(idle, timer.ask(idle), text(false), start);
  ASSERT_TRUE(timer.we_refresh());
  const TimerGrant again = timer.grant(idle, text(false));
  EXPECT_TRUE(again.on);
  EXPECT_EQ(again.expires.refresher, Refresher::uas);
  EXPECT_FALSE(again.require);
  timer.granted(again, start + seconds(100));
  EXPECT_EQ(timer.expires(), start + seconds(100 + 1800));
}

TEST(SessionTimer, R4028_3_TheRefresherRefreshesAtHalfAndTheOtherEndsItJustBeforeExpiry) {
  SessionTimer we;
  we.granted(grant(text(true, 600, Refresher::uas)), start);
  EXPECT_TRUE(we.we_refresh());
  EXPECT_EQ(we.next_deadline(), start + seconds(300));
  EXPECT_EQ(we.due(start + milliseconds(299999)), TimerFact::nothing);
  EXPECT_EQ(we.due(start + seconds(300)), TimerFact::refresh);
  EXPECT_EQ(we.due(start + seconds(301)), TimerFact::nothing);
  EXPECT_EQ(we.next_deadline(), start + seconds(600));
  EXPECT_EQ(we.due(start + seconds(600)), TimerFact::expired);
  EXPECT_EQ(we.next_deadline(), core::never);

  SessionTimer they;
  they.granted(grant(text(true, 600, Refresher::uac)), start);
  EXPECT_EQ(they.next_deadline(), start + seconds(568));
  SessionTimer brief;
  brief.granted(grant(text(true, 90, Refresher::uac)), start);
  EXPECT_EQ(brief.next_deadline(), start + seconds(60));
  EXPECT_EQ(brief.due(start + seconds(60)), TimerFact::expired);
}

TEST(SessionTimer, R4028_3_OnlyA2xxExtends) {
  SessionTimer timer;
  const TimerAsk first = timer.ask(config);
  EXPECT_TRUE(first.on);
  EXPECT_EQ(value(first.expires), "1800");
  EXPECT_EQ(first.min_se, 0U);
  timer.answered(config, first, text(true, 1000, Refresher::uac), start);
  EXPECT_EQ(timer.due(start + seconds(500)), TimerFact::refresh);
  const TimerAsk refresh = timer.ask(config);
  EXPECT_EQ(value(refresh.expires), "1000;refresher=uac");

  // Refused for some other reason: tried again at half of what is left, over and over, and the expiry stands.
  core::Instant now = start + seconds(500);
  EXPECT_EQ(timer.refused(config, refresh, 500, 0, now), TimerRetry::later);
  EXPECT_EQ(timer.next_deadline(), start + seconds(750));
  int tries = 0;
  for (; timer.next_deadline() < start + seconds(1000); ++tries) {
    now = timer.next_deadline();
    ASSERT_EQ(timer.due(now), TimerFact::refresh);
    ASSERT_EQ(timer.refused(config, refresh, 491, 0, now), TimerRetry::later);
  }
  EXPECT_LT(tries, 10);
  EXPECT_EQ(timer.due(start + seconds(1000)), TimerFact::expired);
}

TEST(SessionTimer, R4028_3_NoAnswerOr481EndsTheSession) {
  for (const std::uint16_t status : {std::uint16_t{408}, std::uint16_t{481}}) {
    SessionTimer timer;
    timer.answered(config, timer.ask(config), text(true, 1000, Refresher::uac), start);
    EXPECT_EQ(timer.refused(config, timer.ask(config), status, 0, start + seconds(500)), TimerRetry::end);
  }
}

TEST(SessionTimer, R4028_3_ARequestThatIsNoRefreshOfOursMovesNothingWhenItFails) {
  SessionTimer timer;
  timer.answered(config, timer.ask(config), text(true, 1000, Refresher::uac), start);
  EXPECT_EQ(timer.refused(config, timer.ask(config), 488, 0, start + seconds(10)), TimerRetry::later);
  EXPECT_EQ(timer.next_deadline(), start + seconds(500));
}

TEST(SessionTimer, R4028_2_A422IsFollowedByTheLargestMinSeAndNotForEver) {
  SessionTimer timer;
  SessionTimerConfig small = config;
  small.interval_seconds = 100;
  EXPECT_EQ(timer.refused(small, timer.ask(small), 422, 3600, start), TimerRetry::now);
  EXPECT_EQ(timer.ask(small).expires.seconds, 3600U);
  EXPECT_EQ(timer.ask(small).min_se, 3600U);
  EXPECT_EQ(timer.refused(small, timer.ask(small), 422, 4000, start), TimerRetry::now);
  EXPECT_EQ(timer.ask(small).min_se, 4000U);
  EXPECT_EQ(timer.refused(small, timer.ask(small), 422, 4000, start), TimerRetry::end);
  EXPECT_EQ(timer.refused(small, timer.ask(small), 422, 0, start), TimerRetry::end);
  EXPECT_EQ(timer.refused(small, timer.ask(small), 422, 4294967295U, start), TimerRetry::end);
  // Once there is a dialog, only what its own path says counts.
  timer.answered(small, timer.ask(small), text(true, 4000, Refresher::uac), start);
  EXPECT_EQ(timer.ask(small).min_se, 0U);
  EXPECT_EQ(timer.due(start + seconds(2000)), TimerFact::refresh);
  EXPECT_EQ(timer.refused(small, timer.ask(small), 422, 9000, start + seconds(2001)), TimerRetry::now);
  EXPECT_EQ(timer.ask(small).expires.seconds, 9000U);
  EXPECT_EQ(timer.next_deadline(), start + seconds(4000));
}

TEST(SessionTimer, R4028_2_MinSeOfARequestIsRepeatedInOurs) {
  SessionTimer timer;
  timer.granted(timer.grant(config, text(true, 600, Refresher::uas, 500)), start);
  EXPECT_EQ(timer.ask(config).min_se, 500U);
  EXPECT_EQ(value(timer.ask(config).expires), "600;refresher=uac");
}

TEST(SessionTimer, T_28_OddAnswersOfAUas) {
  SessionTimer timer;
  const TimerAsk asked = timer.ask(config);
  timer.answered(config, asked, text(true, 1800, Refresher::uac), start);
  EXPECT_TRUE(timer.on());
  timer.answered(config, asked, text(true), start);  // none: off, also in the middle
  EXPECT_FALSE(timer.on());
  EXPECT_EQ(timer.next_deadline(), core::never);
  EXPECT_FALSE(timer.ask(config).on);
  timer.answered(config, asked, text(true, 99999, Refresher::uas), start);  // larger: ours
  EXPECT_EQ(timer.interval_seconds(), 1800U);
  EXPECT_FALSE(timer.we_refresh());
  timer.answered(config, asked, text(true, 600), start);  // refresher missing, we had asked
  EXPECT_TRUE(timer.we_refresh());
  timer.answered(config, TimerAsk{}, text(true, 600), start);  // missing, we had not
  EXPECT_FALSE(timer.we_refresh());
  timer.answered(config, asked, text(true, 1, Refresher::uac), start);  // too short to be meant
  EXPECT_EQ(timer.interval_seconds(), 90U);

  SessionTimerConfig alone = config;
  alone.alone = true;
  timer.answered(alone, asked, text(false), start);
  EXPECT_TRUE(timer.we_refresh());
  EXPECT_EQ(timer.interval_seconds(), 1800U);
}

TEST(SessionTimer, R4028_3_RolesStayOverRefreshesInBothDirections) {
  SessionTimer timer;
  timer.granted(timer.grant(config, text(true, 600, Refresher::uac)), start);
  EXPECT_FALSE(timer.we_refresh());
  // Our own UPDATE for another reason: the peer goes on refreshing.
  EXPECT_EQ(value(timer.ask(config).expires), "600;refresher=uas");
  timer.answered(config, timer.ask(config), text(true, 600, Refresher::uas), start + seconds(9));
  EXPECT_FALSE(timer.we_refresh());
  // Its refresh leaves the choice to us.
  timer.granted(timer.grant(config, text(true, 600)), start + seconds(10));
  EXPECT_FALSE(timer.we_refresh());
  EXPECT_EQ(timer.expires(), start + seconds(610));
  timer.granted(timer.grant(config, text(true, 600, Refresher::uas)), start + seconds(20));
  EXPECT_TRUE(timer.we_refresh());
  timer.granted(timer.grant(config, text(true, 600)), start + seconds(30));
  EXPECT_TRUE(timer.we_refresh());
}

TEST(SessionTimer, R4028_3_UpdateWhereThePeerAllowsItElseInvite) {
  MethodSet allow;
  add_methods("INVITE, ACK, BYE", allow);
  EXPECT_EQ(refresh_method(allow), Method::invite);
  add_methods("UPDATE", allow);
  EXPECT_EQ(refresh_method(allow), Method::update);
}

TEST(SessionTimer, R4028_4_AProxyInsertsLowersAndRaisesOnlyWhereItMay) {
  ProxyTimer kept;
  ProxyTimerEdit edit = proxy_timer_request(config, text(true), kept);
  EXPECT_EQ(edit.expires, 1800U);
  EXPECT_EQ(edit.refresher, Refresher::absent);
  EXPECT_EQ(edit.min_se, 0U);
  EXPECT_EQ(proxy_timer_response(kept, text(false)), 1800U);
  EXPECT_EQ(proxy_timer_response(kept, text(true, 900, Refresher::uas)), 0U);

  edit = proxy_timer_request(config, text(true, 3600, Refresher::uas), kept);
  EXPECT_EQ(edit.expires, 1800U);
  EXPECT_EQ(edit.refresher, Refresher::uas);
  edit = proxy_timer_request(config, text(true, 3600, Refresher::uac, 2400), kept);
  EXPECT_EQ(edit.expires, 2400U);
  edit = proxy_timer_request(config, text(true, 600, Refresher::uac), kept);
  EXPECT_EQ(edit.expires, 0U);
  EXPECT_EQ(proxy_timer_response(kept, text(false)), 600U);
  edit = proxy_timer_request(config, text(true, 600, Refresher::uac, 700), kept);
  EXPECT_EQ(edit.expires, 700U);

  SessionTimerConfig strict = config;
  strict.min_se_seconds = 300;
  EXPECT_TRUE(proxy_timer_request(strict, text(true, 200), kept).refuse);
  edit = proxy_timer_request(strict, text(false, 200, Refresher::absent, 100), kept);
  EXPECT_FALSE(edit.refuse);
  EXPECT_EQ(edit.min_se, 300U);
  EXPECT_EQ(edit.expires, 300U);
  EXPECT_EQ(proxy_timer_response(kept, text(false)), 0U);  // nobody would refresh
}

}  // namespace
}  // namespace parley::tests
