// tests/policy/room_slow_test.cc - members that are slow, lost, or come back.
#include <algorithm>
#include <string>

#include "tests/policy/room_world.h"

namespace parley::tests {
namespace {

using Kind = RoomFact::Kind;

std::string numbered(const RoomWorld::Seat& from, int n, std::size_t bytes = 1000) {
  std::string content = std::to_string(n) + ":";
  content.resize(bytes, '.');
  return cpim(from.uri, room_uri, content);
}

struct Slow : testing::Test {
  RoomWorld w;
  RoomWorld::Seat alice, bob, carol;
  explicit Slow(RoomConfig config = {}) : w(config) {}
  void SetUp() override {
    w.open();
    alice = w.join("alice");
    bob = w.join("bob");
    carol = w.join("carol");
  }
  void TearDown() override { w.end_all(); }
  void say(int from, int to, std::size_t bytes = 1000) {
    for (int n = from; n < to; ++n) {
      EXPECT_EQ(w.sends(alice, {.id = "m" + std::to_string(n), .body = numbered(alice, n, bytes)}), 200);
    }
  }
  [[nodiscard]] std::vector<std::string> expected(int from, int to, std::size_t bytes = 1000) const {
    std::vector<std::string> all;
    for (int n = from; n < to; ++n) all.push_back(numbered(alice, n, bytes));
    return all;
  }
};

TEST_F(Slow, OMA_MSRP_6_AMemberThatIsFullFallsBehindAndCatchesUpInOrder) {
  bob.phone->keeps_up = false;
  bob.phone->queue_max = 5000;
  say(0, 20);
  EXPECT_EQ(carol.phone->messages, expected(0, 20));
  EXPECT_EQ(w.of_kind(Kind::lagging).size(), 1U);
  EXPECT_LE(bob.phone->queue.size(), 5U);
  bob.phone->keeps_up = true;
  w.deliver();
  EXPECT_EQ(bob.phone->messages, expected(0, 20));
  EXPECT_EQ(bob.phone->ids, carol.phone->ids);
  EXPECT_EQ(w.of_kind(Kind::recovered).size(), 1U);
  EXPECT_TRUE(w.of_kind(Kind::missed).empty());
  say(20, 22);
  EXPECT_EQ(bob.phone->messages, expected(0, 22));
}

TEST_F(Slow, OMA_MSRP_6_FullInTheMiddleOfAMessage) {
  const std::string text = cpim(alice.uri, room_uri, std::string(9000, 'x'));
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(0, 3000), .flag = Flag::more}), 200);
  bob.phone->keeps_up = false;
  bob.phone->queue_max = 4000;
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(3000, 3000), .start = 3001, .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(6000, 2500), .start = 6001, .flag = Flag::more}), 200);
  bob.phone->queue_max = 100'000;
  bob.phone->keeps_up = true;
  w.deliver();
  say(0, 1);
  EXPECT_EQ(bob.phone->messages, expected(0, 1));  // live again, but for the message it has lost the thread of
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(8500), .start = 8501}), 200);
  EXPECT_EQ(bob.phone->messages.size(), 2U);
  EXPECT_EQ(bob.phone->messages.back(), text);
  EXPECT_EQ(bob.phone->ids, carol.phone->ids);
}

TEST_F(Slow, OMA_MSRP_6_BehindForTooLongIsClosed) {
  bob.phone->keeps_up = false;
  bob.phone->queue_max = 3000;
  say(0, 5);
  w.advance(std::chrono::seconds(59));
  EXPECT_FALSE(bob.phone->closed);
  w.advance(std::chrono::seconds(2));
  EXPECT_TRUE(bob.phone->closed);
  ASSERT_EQ(w.of_kind(Kind::too_slow).size(), 1U);
  EXPECT_EQ(w.of_kind(Kind::too_slow)[0].member, bob.handle);
  EXPECT_EQ(w.count(core::Metric::room_too_slow), 1U);
  say(5, 6);
  EXPECT_EQ(carol.phone->messages, expected(0, 6));
  w.rooms.leave(bob.handle, LeaveReason::departed);
}

// OMA-CONF-5: a hold is no reason to lose what came before it.
TEST_F(Slow, OMA_CONF_5_WhatWasMissedBeforeAHoldComesWhenItIsOver) {
  Member about = RoomWorld::member("bob");
  const auto hold = [&](bool on) {
    about.may_receive = !on;
    EXPECT_EQ(w.rooms.change(bob.handle, about), JoinResult::joined);
    w.deliver();
  };
  say(0, 1);
  bob.phone->keeps_up = false;
  say(1, 2);
  w.lose(*bob.phone);
  say(2, 3);
  hold(true);
  bob.phone->keeps_up = true;
  w.connected(*bob.phone);
  say(3, 4);
  w.advance(std::chrono::seconds(90));
  EXPECT_FALSE(bob.phone->closed) << "it is not slow, it takes nothing";
  EXPECT_EQ(bob.phone->messages, expected(0, 1));
  hold(false);
  EXPECT_EQ(bob.phone->messages, expected(0, 3)) << "what came during the hold is not its own";
  say(4, 5);
  hold(true);
  say(5, 6);
  hold(false);
  say(6, 7);
  auto wanted = expected(0, 3);
  wanted.push_back(numbered(alice, 4));
  wanted.push_back(numbered(alice, 6));
  EXPECT_EQ(bob.phone->messages, wanted);
  EXPECT_EQ(w.count(core::Metric::room_missed), 0U);
}

TEST_F(Slow, OMA_CONF_5_HoldsDoNotAddUp) {
  Member about = RoomWorld::member("bob");
  w.lose(*bob.phone);
  for (int n = 0; n < 20; ++n) {
    say(2 * n, 2 * n + 1);
    about.may_receive = false;
    EXPECT_EQ(w.rooms.change(bob.handle, about), JoinResult::joined);
    say(2 * n + 1, 2 * n + 2);
    about.may_receive = true;
    EXPECT_EQ(w.rooms.change(bob.handle, about), JoinResult::joined);
  }
  w.connected(*bob.phone);
  w.deliver();
  for (int n = 0; n < 20; ++n) {
    EXPECT_EQ(std::count(bob.phone->messages.begin(), bob.phone->messages.end(), numbered(alice, 2 * n)), 1) << n;
  }
  EXPECT_EQ(bob.phone->messages.size(), 20U + 12U) << "of the oldest holds it gets what came";
}

// a=max-size: who takes nothing that long gets nothing of it.
TEST_F(Slow, OMA_LRG_5_WhatIsTooLongForAMemberIsReportedToItsSender) {
  Member about = RoomWorld::member("bob");
  about.message_bytes_max = 2000;
  EXPECT_EQ(w.rooms.change(bob.handle, about), JoinResult::joined);
  say(0, 1, 3000);  // as a whole
  const std::string longer = numbered(alice, 1, 6000);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = longer.substr(0, 3000), .total = longer.size(), .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = longer.substr(3000), .start = 3001, .total = longer.size()}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "quiet", .body = numbered(alice, 2, 3000), .headers = "Failure-Report: no\r\n"}), 200);
  say(3, 4);
  EXPECT_EQ(bob.phone->messages, expected(3, 4));
  EXPECT_EQ(carol.phone->messages.size(), 4U);
  ASSERT_EQ(alice.phone->reports.size(), 2U);
  for (const Report& report : alice.phone->reports) EXPECT_EQ(report.status, 413);
  EXPECT_EQ(alice.phone->reports[0].message_id, "m0");
  EXPECT_EQ(alice.phone->reports[1].message_id, "m1");
  EXPECT_EQ(alice.phone->reports[1].range.total, longer.size());
  EXPECT_EQ(w.count(core::Metric::room_missed), 3U);
  EXPECT_EQ(w.sends(bob, {.id = "own", .body = numbered(bob, 4, 3000)}), 200);
  EXPECT_TRUE(bob.phone->reports.empty()) << "it takes as much as it sends; others do";
  // To him alone: there is nobody else.
  EXPECT_EQ(w.sends(alice, {.id = "p", .body = cpim(alice.uri, bob.uri, std::string(3000, 'p'))}), 413);
}

struct SmallRing : Slow {
  SmallRing() : Slow({.ring_bytes = 16 * 1024}) {}
};

// Too long to be kept, and its connection broke before it was answered.
TEST_F(SmallRing, R7701_2_WhatWasUnderWayAndIsNotKeptIsCountedAndReported) {
  bob.phone->keeps_up = false;
  say(0, 1, 12'000);
  EXPECT_EQ(w.sends(alice, {.id = "quiet", .body = numbered(alice, 1, 12'000), .headers = "Failure-Report: no\r\n"}), 200);
  const std::string cut = numbered(alice, 2, 12'000);
  EXPECT_EQ(w.sends(alice, {.id = "cut", .body = cut.substr(0, 5000), .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "cut", .body = cut.substr(5000), .start = 5001}), 200);
  say(3, 4);
  EXPECT_TRUE(alice.phone->reports.empty()) << "it may read them yet";
  w.lose(*bob.phone);
  ASSERT_EQ(alice.phone->reports.size(), 2U);
  EXPECT_EQ(alice.phone->reports[0].message_id, "m0");
  EXPECT_EQ(alice.phone->reports[0].status, 408);
  EXPECT_EQ(alice.phone->reports[1].message_id, "cut");
  EXPECT_EQ(alice.phone->reports[1].range.end, cut.size());
  EXPECT_EQ(w.count(core::Metric::room_missed), 3U);
  bob.phone->keeps_up = true;
  w.connected(*bob.phone);
  w.deliver();
  EXPECT_EQ(bob.phone->messages, expected(3, 4));
  w.lose(*bob.phone);
  w.rooms.leave(carol.handle, LeaveReason::departed);
  EXPECT_EQ(alice.phone->reports.size(), 2U) << "once";
  EXPECT_EQ(w.count(core::Metric::room_missed), 3U);
}

TEST_F(SmallRing, R7701_2_WhoLeavesHasNotMissedWhatHeDidNotAnswer) {
  bob.phone->keeps_up = false;
  say(0, 1, 12'000);
  w.rooms.leave(bob.handle, LeaveReason::departed);
  EXPECT_TRUE(alice.phone->reports.empty());
  EXPECT_EQ(w.count(core::Metric::room_missed), 0U);
}

// He was away when it was over.
TEST_F(SmallRing, R7701_2_WhoComesBackMissesWhatWasNotKept) {
  const std::string text = numbered(alice, 0, 12'000);
  EXPECT_EQ(w.sends(alice, {.id = "m0", .body = text.substr(0, 5000), .flag = Flag::more}), 200);
  w.lose(*bob.phone);
  w.rooms.leave(bob.handle, LeaveReason::lost);
  const auto early = w.join("bob");
  EXPECT_EQ(w.sends(alice, {.id = "m0", .body = text.substr(5000), .start = 5001}), 200);
  EXPECT_EQ(w.count(core::Metric::room_missed), 1U) << "it had begun when he was here";
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].status, 408);
  w.lose(*early.phone);
  w.rooms.leave(early.handle, LeaveReason::lost);
  say(1, 2, 12'000);
  const auto late = w.join("bob");
  EXPECT_EQ(late.result, JoinResult::rejoined);
  EXPECT_EQ(w.count(core::Metric::room_missed), 2U);
  EXPECT_TRUE(late.phone->messages.empty());
}

TEST_F(SmallRing, WhatTheRoomDoesNotRememberIsMissedAndTold) {
  bob.phone->keeps_up = false;
  bob.phone->queue_max = 3000;
  say(0, 60);
  bob.phone->keeps_up = true;
  bob.phone->queue_max = 100'000;
  w.deliver();
  const std::vector<std::string>& got = bob.phone->messages;
  ASSERT_GE(got.size(), 5U);
  EXPECT_EQ(got.front(), numbered(alice, 0));
  EXPECT_EQ(got.back(), numbered(alice, 59));
  const auto missed = w.of_kind(Kind::missed);
  ASSERT_EQ(missed.size(), 1U);
  EXPECT_EQ(missed[0].count + got.size(), 60U);
  EXPECT_EQ(w.count(core::Metric::room_missed), missed[0].count);
  EXPECT_EQ(carol.phone->messages, expected(0, 60));
}

// One REPORT for each message that somebody will not get, however many they are, when the ring lets it go.
TEST_F(SmallRing, R7701_2_TheSenderHearsOfWhatSomebodyMissed) {
  const auto dave = w.join("dave");
  for (Phone* const phone : {bob.phone, dave.phone}) {
    phone->keeps_up = false;
    phone->queue_max = 3000;
  }
  say(0, 10);
  EXPECT_TRUE(alice.phone->reports.empty()) << "it may catch up";
  EXPECT_EQ(w.sends(alice, {.id = "quiet", .body = numbered(alice, 99), .headers = "Failure-Report: no\r\n"}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "pb", .body = cpim(alice.uri, bob.uri, "for bob")}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "pc", .body = cpim(alice.uri, carol.uri, "for carol")}), 200);
  const std::string long_one = numbered(alice, 98, 4000);
  EXPECT_EQ(w.sends(alice, {.id = "long", .body = long_one.substr(0, 2500), .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "long", .body = long_one.substr(2500), .start = 2501}), 200);
  say(10, 50);
  EXPECT_EQ(w.sends(carol, {.id = "of-carol", .body = numbered(carol, 50)}), 200);
  say(51, 80);
  std::vector<std::string> told;
  for (const Report& report : alice.phone->reports) {
    EXPECT_EQ(report.status, 408);
    EXPECT_EQ(report.range.start, 1U);
    EXPECT_EQ(report.range.end, report.range.total);
    if (report.message_id == "pb") {
      EXPECT_NE(report.headers.find("From: <" + alice.uri + ">\r\nTo: <" + bob.uri + ">"), std::string::npos);
    } else {
      EXPECT_EQ(report.headers, "");
      EXPECT_EQ(report.range.total, report.message_id == "long" ? long_one.size() : numbered(alice, 1).size());
    }
    told.push_back(report.message_id);
  }
  ASSERT_EQ(carol.phone->reports.size(), 1U);
  EXPECT_EQ(carol.phone->reports[0].message_id, "of-carol");
  bob.phone->keeps_up = true;
  bob.phone->queue_max = 100'000;
  w.deliver();
  // What he was not told of, bob has got.
  std::vector<std::string> missed;
  const auto& got = bob.phone->messages;
  const auto is_missed = [&got](const std::string& text) { return std::find(got.begin(), got.end(), text) == got.end(); };
  for (int n = 0; n < 10; ++n) {
    if (is_missed(numbered(alice, n))) missed.push_back("m" + std::to_string(n));
  }
  missed.insert(missed.end(), {"pb", "long"});
  for (int n = 10; n < 80; ++n) {
    if (n != 50 && is_missed(numbered(alice, n))) missed.push_back("m" + std::to_string(n));
  }
  EXPECT_GT(missed.size(), 40U);
  EXPECT_LT(missed.size(), 80U);
  EXPECT_EQ(told, missed);
  // And while all keep up nobody hears of anything.
  w.rooms.leave(dave.handle, LeaveReason::departed);
  say(100, 200);
  EXPECT_EQ(alice.phone->reports.size(), told.size());
}

TEST_F(SmallRing, AMessageTooLargeToKeepIsMissedByWhoIsBehindAndItsSenderIsTold) {
  bob.phone->keeps_up = false;
  bob.phone->queue_max = 3000;
  say(0, 3);
  EXPECT_TRUE(alice.phone->reports.empty());
  EXPECT_EQ(w.sends(alice, {.id = "big", .body = numbered(alice, 3, 12'000), .headers = "Success-Report: yes\r\n"}),
            200);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].message_id, "big");
  EXPECT_EQ(alice.phone->reports[0].status, 408);
  EXPECT_EQ(w.sends(alice, {.id = "big2",
                            .body = numbered(alice, 4, 12'000),
                            .headers = "Failure-Report: no\r\nSuccess-Report: yes\r\n"}),
            200);
  ASSERT_EQ(alice.phone->reports.size(), 2U);
  EXPECT_EQ(alice.phone->reports[1].status, 200) << "the room has it, and of failures he does not want to hear";
  say(5, 6);
  bob.phone->keeps_up = true;
  bob.phone->queue_max = 100'000;
  w.deliver();
  EXPECT_EQ(bob.phone->messages.back(), numbered(alice, 5));
  EXPECT_EQ(bob.phone->messages.size(), 4U);
  EXPECT_EQ(w.of_kind(Kind::missed).at(0).count, 2U);
}

TEST_F(Slow, OMA_SES_1_ALostMemberComesBackToWhereItWas) {
  say(0, 3);
  bob.phone->answer = 0;  // these may not have come
  say(3, 5);
  w.lose(*bob.phone);
  say(5, 7);
  w.rooms.leave(bob.handle, LeaveReason::lost);
  EXPECT_EQ(w.rooms.counts(w.room).away, 1U);
  say(7, 9);
  EXPECT_EQ(w.says(carol, "c1", "of carol"), 200);
  const auto again = w.join("bob");
  EXPECT_EQ(again.result, JoinResult::rejoined);
  w.deliver();
  std::vector<std::string> expected_now = expected(3, 9);
  expected_now.push_back(cpim(carol.uri, room_uri, "of carol"));
  EXPECT_EQ(again.phone->messages, expected_now);
  EXPECT_EQ(again.phone->ids[0], bob.phone->ids[3]) << "the same Message-ID, so that it can tell what it has";
  say(9, 10);
  EXPECT_EQ(again.phone->messages.size(), 8U);
  EXPECT_EQ(w.rooms.counts(w.room).away, 0U);
}

TEST_F(Slow, OMA_SES_1_TheSamePathAgainWithoutANewDialog) {
  say(0, 2);
  w.lose(*bob.phone);
  say(2, 4);
  w.connected(*bob.phone);
  w.deliver();
  EXPECT_EQ(bob.phone->messages, expected(0, 4));
}

TEST_F(Slow, OMA_SES_1_OneThatNeedsNoAnswerDoesNotAnswerForThoseBeforeIt) {
  bob.phone->answer = 0;  // these may not have come
  say(0, 1);
  EXPECT_EQ(w.sends(alice, {.id = "quiet", .body = numbered(alice, 1), .headers = "Failure-Report: no\r\n"}), 200);
  w.lose(*bob.phone);
  const std::size_t before = bob.phone->messages.size();
  bob.phone->answer = 200;
  w.connected(*bob.phone);
  w.deliver();
  ASSERT_EQ(bob.phone->messages.size(), before + 2);
  EXPECT_EQ(bob.phone->messages[before], numbered(alice, 0));
}

TEST_F(Slow, OMA_SES_1_ItsOwnMessagesAndOthersPrivateOnesAreNotReplayed) {
  EXPECT_EQ(w.says(bob, "b1", "mine"), 200);
  w.rooms.leave(bob.handle, LeaveReason::lost);
  EXPECT_EQ(w.sends(alice, {.id = "p1", .body = cpim(alice.uri, carol.uri, "for carol")}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "p2", .body = cpim(alice.uri, bob.uri, "for bob")}), 404);  // he is not here
  say(0, 1);
  const auto again = w.join("bob");
  w.deliver();
  EXPECT_EQ(again.phone->messages, expected(0, 1));
}

TEST_F(Slow, OMA_SES_1_TheWindowEnds) {
  w.rooms.leave(bob.handle, LeaveReason::lost);
  say(0, 2);
  w.advance(std::chrono::minutes(4));
  say(2, 3);
  w.advance(std::chrono::minutes(2));
  EXPECT_EQ(w.rooms.counts(w.room).away, 0U);
  const auto again = w.join("bob");
  EXPECT_EQ(again.result, JoinResult::joined);
  say(3, 4);
  EXPECT_EQ(again.phone->messages, expected(3, 4));
  // What is older than the window is not kept, and an idle room keeps nothing.
  w.advance(std::chrono::minutes(6));
  EXPECT_EQ(w.pool().live_blocks(), 0U);
  // Who departs comes back as anybody.
  w.rooms.leave(carol.handle, LeaveReason::departed);
  say(4, 5);
  EXPECT_EQ(w.join("carol").result, JoinResult::joined);
}

TEST_F(Slow, OMA_SES_9_OneOfTwoDevicesComesBack) {
  Member second = RoomWorld::member("bob");
  second.device = "tablet";
  const auto tablet = w.join(second);
  say(0, 1);
  w.rooms.leave(tablet.handle, LeaveReason::lost);
  say(1, 2);
  second.device = "watch";
  const auto watch = w.join(second);
  EXPECT_EQ(watch.result, JoinResult::joined);  // another one
  second.device = "tablet";
  const auto again = w.join(second);
  EXPECT_EQ(again.result, JoinResult::rejoined);
  w.deliver();
  EXPECT_EQ(again.phone->messages, expected(1, 2));
  EXPECT_TRUE(watch.phone->messages.empty());
}

TEST_F(Slow, WhoIsNotConnectedYetGetsItAll) {
  const auto dave = w.join("dave", false);
  say(0, 3);
  EXPECT_TRUE(dave.phone->frames.empty());
  w.connected(*dave.phone);
  w.deliver();
  EXPECT_EQ(dave.phone->messages, expected(0, 3));
  const auto erin = w.join("erin", false);
  EndFact failed;
  failed.kind = EndFact::Kind::failed;
  failed.end = erin.phone->end;
  failed.status = 408;
  EXPECT_TRUE(w.rooms.on_fact(failed));
  ASSERT_EQ(w.of_kind(Kind::failed).size(), 1U);
  EXPECT_EQ(w.of_kind(Kind::failed)[0].status, 408);
}

TEST_F(Slow, R4975_8_WhoWantsNoFailuresGetsHisCopiesUnanswered) {
  say(0, 1);
  EXPECT_EQ(w.sends(alice, {.id = "quiet", .body = numbered(alice, 0, 100), .headers = "Failure-Report: no\r\n"}), 200);
  EXPECT_EQ(bob.phone->frames.back().failure, msrp::FailureReport::no);
  EXPECT_NE(bob.phone->frames.back().headers.find("Failure-Report: no\r\n"), std::string::npos);
  say(1, 2);
  EXPECT_EQ(bob.phone->frames.back().failure, msrp::FailureReport::yes);
}

struct NoAnswers : Slow {
  NoAnswers() : Slow({.answers_members_max = 2}) {}
};

TEST_F(NoAnswers, R7701_2_InALargeRoomHardlyAnythingIsAnswered) {
  say(0, 2);
  EXPECT_EQ(bob.phone->frames[0].failure, msrp::FailureReport::yes);
  EXPECT_EQ(bob.phone->frames[1].failure, msrp::FailureReport::no);
  EXPECT_NE(bob.phone->frames[1].headers.find("Failure-Report: no\r\n"), std::string::npos);
  EXPECT_FALSE(bob.phone->frames[1].tell_200);
  w.rooms.leave(bob.handle, LeaveReason::lost);
  say(2, 4);
  const auto again = w.join("bob");
  w.deliver();
  EXPECT_EQ(again.phone->messages, expected(1, 4)) << "what was not answered may not have come";
}

struct Holding : Slow {
  Holding() : Slow({.hold_high_bytes = 5000}) {}
};

TEST_F(Holding, OMA_MSRP_6_TheSenderOfALongMessageWaitsForHalfOfTheRoom) {
  bob.phone->keeps_up = carol.phone->keeps_up = false;
  const std::string text = cpim(alice.uri, room_uri, std::string(30'000, 'x'));
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(0, 10'000), .flag = Flag::more}), 200);
  EXPECT_EQ(alice.phone->holds, 1);
  carol.phone->keeps_up = true;
  w.advance(std::chrono::milliseconds(30));
  EXPECT_EQ(alice.phone->holds, 1);  // carol was read, but bob is half of the room
  bob.phone->keeps_up = true;
  w.advance(std::chrono::milliseconds(30));
  w.advance(std::chrono::milliseconds(30));
  EXPECT_EQ(alice.phone->holds, 0);
  // Not for ever: then the slow ones fall behind.
  bob.phone->keeps_up = carol.phone->keeps_up = false;
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(10'000, 10'000), .start = 10'001, .flag = Flag::more}),
            200);
  EXPECT_EQ(alice.phone->holds, 1);
  for (int i = 0; i < 600; ++i) w.advance(std::chrono::milliseconds(20));
  EXPECT_EQ(alice.phone->holds, 0);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(20'000), .start = 20'001}), 200);
  EXPECT_EQ(alice.phone->holds, 0);
  bob.phone->keeps_up = carol.phone->keeps_up = true;
  w.deliver();
  EXPECT_EQ(bob.phone->messages, std::vector<std::string>{text});
}

}  // namespace
}  // namespace parley::tests
