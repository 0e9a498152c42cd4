// tests/policy/room_return_test.cc - a device that joins again before anybody has noticed that it was gone, and what is
// certain where copies are not answered.
#include <string>

#include "tests/policy/room_world.h"

namespace parley::tests {
namespace {

using Kind = RoomFact::Kind;
using Texts = std::vector<std::string>;

struct Return : testing::Test {
  RoomWorld w;
  RoomWorld::Seat alice, bob;
  explicit Return(RoomConfig config = {}) : w(config) {}
  void SetUp() override {
    w.open();
    alice = w.join("alice");
    bob = w.join("bob");
  }
  void TearDown() override { w.end_all(); }
  static std::string text(int n) { return cpim("sip:alice@example.org", "sip:room@example.org", std::to_string(n)); }
  static Texts texts(int from, int to) {
    Texts all;
    for (int n = from; n < to; ++n) all.push_back(text(n));
    return all;
  }
  void say(int from, int to, const std::string& headers = "") {
    for (int n = from; n < to; ++n) {
      EXPECT_EQ(w.sends(alice, {.id = "m" + std::to_string(n), .body = text(n), .headers = headers}), 200);
    }
  }
};

TEST_F(Return, OMA_SES_1_WhoJoinsAgainAtOnceMissesNothingThatWasUnderWay) {
  say(0, 2);
  bob.phone->keeps_up = false;  // its connection is dead; nobody knows
  say(2, 4);
  const auto again = w.join("bob", false);
  EXPECT_EQ(again.result, JoinResult::rejoined);
  say(4, 5);
  EXPECT_TRUE(w.of_kind(Kind::replaced).empty()) << "the old one goes on until the new one is there";
  w.connected(*again.phone);
  w.deliver();
  EXPECT_EQ(again.phone->messages, texts(2, 5));
  EXPECT_TRUE(bob.phone->closed);
  const auto replaced = w.of_kind(Kind::replaced);
  ASSERT_EQ(replaced.size(), 1U);
  EXPECT_EQ(replaced[0].member, bob.handle);
  EXPECT_EQ(w.rooms.members(), 2U);
  w.rooms.leave(bob.handle, LeaveReason::departed);  // of the old dialog; it is nobody's any more
  say(5, 6);
  EXPECT_EQ(again.phone->messages, texts(2, 6));
  EXPECT_EQ(w.count(core::Metric::room_rejoined), 1U);
  EXPECT_EQ(w.of_kind(Kind::missed).size(), 0U);
}

TEST_F(Return, OMA_SES_1_WhatTheOldConnectionStillAnswersIsNotSentAgain) {
  bob.phone->keeps_up = false;
  say(0, 3);
  const auto again = w.join("bob", false);
  bob.phone->keeps_up = true;  // it was slow, not dead
  w.deliver();
  say(3, 4);
  w.connected(*again.phone);
  say(4, 5);
  EXPECT_EQ(bob.phone->messages, texts(0, 4));
  EXPECT_EQ(again.phone->messages, texts(4, 5));
}

TEST_F(Return, OMA_SES_1_TheOldDialogMayEndFirst) {
  bob.phone->keeps_up = false;
  say(0, 3);
  const auto again = w.join("bob", false);
  w.rooms.leave(bob.handle, LeaveReason::departed);
  say(3, 4);
  w.connected(*again.phone);
  w.deliver();
  EXPECT_EQ(again.phone->messages, texts(0, 4));
  EXPECT_TRUE(w.of_kind(Kind::replaced).empty());
}

TEST_F(Return, OMA_SES_1_TheOneBetweenNeverComes) {
  bob.phone->keeps_up = false;
  say(0, 2);
  const auto second = w.join("bob", false);
  const auto third = w.join("bob", false);
  say(2, 3);
  w.rooms.leave(second.handle, LeaveReason::departed);
  w.connected(*third.phone);
  w.deliver();
  EXPECT_EQ(third.phone->messages, texts(0, 3));
  const auto fourth = w.join("bob", false);
  const auto fifth = w.join("bob");  // both go
  EXPECT_EQ(w.of_kind(Kind::replaced).size(), 3U);
  say(3, 4);
  EXPECT_EQ(fifth.phone->messages, texts(3, 4));
  EXPECT_TRUE(fourth.phone->closed);
  EXPECT_EQ(w.rooms.members(), 2U);
}

TEST_F(Return, OMA_SES_9_AnotherDeviceIsAnotherMember) {
  Member tablet = RoomWorld::member("bob");
  tablet.device = "tablet";
  const auto second = w.join(tablet);
  EXPECT_EQ(second.result, JoinResult::joined);
  say(0, 1);
  EXPECT_EQ(bob.phone->messages, second.phone->messages);
}

TEST_F(Return, OMA_SES_9_WithoutADeviceItIsTheOneWhoseConnectionIsGone) {
  Member carol = RoomWorld::member("carol");
  carol.device.clear();
  const auto one = w.join(carol);
  EXPECT_EQ(w.join(carol).result, JoinResult::joined) << "she may have two";
  w.lose(*one.phone);
  say(0, 2);
  const auto again = w.join(carol);
  EXPECT_EQ(again.result, JoinResult::rejoined);
  w.deliver();
  EXPECT_EQ(again.phone->messages, texts(0, 2));
  EXPECT_EQ(w.rooms.members(), 4U);
}

TEST_F(Return, R7701_3_HisNicknameGoesWithHim) {
  EXPECT_EQ(w.asks_nickname(bob, "Bobby"), 200);
  const auto again = w.join("bob");
  EXPECT_EQ(again.nickname, "Bobby");
  EXPECT_EQ(w.asks_nickname(alice, "Bobby"), 425);
}

struct Full : Return {
  Full() : Return({.members_per_room_max = 2}) {}
};

TEST_F(Full, OMA_SES_1_HisPlaceIsHisWhenTheRoomIsFull) {
  EXPECT_EQ(w.join("carol").result, JoinResult::room_full);
  EXPECT_EQ(w.join("bob").result, JoinResult::rejoined);
  EXPECT_EQ(w.join("carol").result, JoinResult::room_full);
}

const std::string quiet = "Failure-Report: no\r\n";

// The first copy is answered, then nothing is for a second: what came after that may not have been read.
TEST_F(Return, R4975_8_WhatWasNotAnsweredIsSentAgain) {
  say(0, 1, quiet);
  EXPECT_EQ(bob.phone->frames[0].failure, msrp::FailureReport::yes);
  say(1, 4, quiet);
  EXPECT_EQ(bob.phone->frames[3].failure, msrp::FailureReport::no);
  bob.phone->keeps_up = false;
  say(4, 6, quiet);
  const auto again = w.join("bob");
  w.deliver();
  EXPECT_EQ(again.phone->messages, texts(1, 6));
  EXPECT_EQ(again.phone->ids[0], bob.phone->ids[1]) << "so that he can tell what he has";
}

// An answer speaks of what was written before it, not of what is behind.
TEST_F(Return, R4975_8_AnAnswerSaysNothingOfWhatIsBehindIt) {
  bob.phone->keeps_up = false;
  say(0, 1);
  say(1, 3, quiet);
  EXPECT_EQ(bob.phone->queue.back().failure, msrp::FailureReport::no);
  w.read_one(*bob.phone);
  EXPECT_EQ(bob.phone->messages, texts(0, 1));
  w.lose(*bob.phone);
  bob.phone->keeps_up = true;
  w.connected(*bob.phone);
  w.deliver();
  EXPECT_EQ(bob.phone->messages, texts(0, 3));
}

TEST_F(Return, R4975_8_NowAndThenACopyIsAnsweredThatNeedNot) {
  say(0, 128, quiet);
  w.advance(std::chrono::milliseconds(100));
  say(128, 129, quiet);
  w.advance(std::chrono::milliseconds(900));
  say(129, 130, quiet);
  w.advance(std::chrono::milliseconds(100));
  say(130, 131, quiet);
  const auto& frames = bob.phone->frames;
  for (std::size_t n = 0; n < frames.size(); ++n) {
    const bool is_answered = n == 0 || n == 128 || n == 130;
    EXPECT_EQ(frames[n].failure, is_answered ? msrp::FailureReport::yes : msrp::FailureReport::no) << n;
  }
  w.advance(std::chrono::seconds(1));
  say(131, 132, quiet);
  EXPECT_EQ(frames.back().failure, msrp::FailureReport::yes);
  EXPECT_TRUE(alice.phone->reports.empty());
}

}  // namespace
}  // namespace parley::tests
