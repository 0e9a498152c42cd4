// tests/policy/room_distribution_test.cc - a file or a large message for several: one streams, all others get it as it is,
// and the room answers for them. OMA-FT-7, OMA-LRG-3.
#include <string>

#include "tests/policy/room_world.h"

namespace parley::tests {
namespace {

using core::Metric;

class Distribution : public testing::Test {
 protected:
  explicit Distribution() {
    RoomTraits traits = RoomWorld::group();
    traits.kind = RoomKind::distribution;
    w.open(traits);
  }
  RoomWorld::Seat sender() {
    Member about = RoomWorld::member("alice");
    about.may_receive = false;
    about.may_ask_count = true;
    return w.join(about);
  }
  RoomWorld::Seat receiver(const std::string& name, bool connect = true) {
    Member about = RoomWorld::member(name);
    about.may_send = false;
    return w.join(about, connect);
  }
  std::uint16_t piece(const RoomWorld::Seat& from, std::uint64_t start, const std::string& body, bool last,
                      const std::string& headers = "") {
    return w.sends(from, {.id = "f1",
                          .body = body,
                          .type = "image/jpeg",
                          .headers = headers,
                          .start = start,
                          .total = total,
                          .flag = last ? Flag::end : Flag::more});
  }
  const std::string a = std::string(40'000, 'a'), b = std::string(30'000, 'b'), c = std::string(10'000, 'c');
  const std::uint64_t total = 80'000;
  RoomWorld w{};
};

TEST_F(Distribution, OMA_FT_7_AllGetItAsItIsAndTheSenderHearsOnce) {
  const auto alice = sender(), bob = receiver("bob"), carol = receiver("carol");
  const std::string wishes = "Success-Report: yes\r\nX-Own: 1\r\n";
  EXPECT_EQ(piece(alice, 1, a, false, wishes), 200);
  EXPECT_EQ(piece(alice, 40'001, b, false, wishes), 200);
  EXPECT_EQ(bob.phone->frames.size(), 2U) << "as it comes";
  EXPECT_TRUE(alice.phone->reports.empty());
  EXPECT_EQ(piece(alice, 70'001, c, true, wishes), 200);
  for (const auto& each : {bob, carol}) {
    ASSERT_EQ(each.phone->messages.size(), 1U);
    EXPECT_EQ(each.phone->messages[0], a + b + c);
    EXPECT_EQ(each.phone->ids[0], "f1");
    EXPECT_EQ(each.phone->frames[0].headers, "Message-ID: f1\r\nX-Own: 1\r\nContent-Type: image/jpeg\r\n");
  }
  // OMA-DR-4: what receivers report ends here.
  w.reports(*bob.phone, "f1", 200);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].status, 200);
  EXPECT_EQ(alice.phone->reports[0].message_id, "f1");
  EXPECT_EQ(alice.phone->reports[0].range.total, total);
  EXPECT_EQ(alice.phone->reports[0].headers, "");
  ASSERT_EQ(w.of_kind(RoomFact::Kind::delivered).size(), 1U);
  EXPECT_EQ(w.of_kind(RoomFact::Kind::delivered)[0].count, 2U);
  w.end_all();
}

TEST_F(Distribution, OMA_FT_7_NothingIsReadBeforeAllAreThere) {
  const auto alice = sender();
  EXPECT_EQ(alice.phone->holds, 1) << "nobody to read it";
  const auto bob = receiver("bob"), carol = receiver("carol", false);
  EXPECT_EQ(alice.phone->holds, 1) << "carol has yet to connect";
  w.connected(*carol.phone);
  EXPECT_EQ(alice.phone->holds, 0);
  EXPECT_EQ(bob.phone->holds + carol.phone->holds, 0);
  // One who never connects leaves when the focus has heard of it, and is waited for no longer.
  const auto dave = receiver("dave", false);
  EXPECT_EQ(alice.phone->holds, 1);
  w.fact(EndFact::Kind::failed, *dave.phone);
  w.rooms.leave(dave.handle, LeaveReason::departed);
  EXPECT_EQ(alice.phone->holds, 0);
  // Whose connection breaks later has lost his copy; the others go on.
  EXPECT_EQ(piece(alice, 1, a, false, "Success-Report: yes\r\n"), 200);
  w.lose(*carol.phone);
  EXPECT_EQ(alice.phone->holds, 0);
  EXPECT_EQ(piece(alice, 40'001, b + c, true), 200);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].status, 200);
  w.end_all();
}

TEST_F(Distribution, OMA_DR_3_TheCountIsOfThoseWhoHaveAllOfIt) {
  const auto alice = sender(), bob = receiver("bob"), carol = receiver("carol"), dave = receiver("dave");
  const std::string wishes = "Success-Report: yes\r\nInclude-Sent-Count: yes\r\n";
  EXPECT_EQ(piece(alice, 1, a, false, wishes), 200);
  carol.phone->answer = 413;
  EXPECT_EQ(piece(alice, 40'001, b, false, wishes), 200);
  EXPECT_TRUE(alice.phone->reports.empty()) << "one of three";
  EXPECT_EQ(piece(alice, 70'001, c, true, wishes), 200);
  EXPECT_EQ(carol.phone->frames.size(), 2U) << "R4975-11: no more of it";
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].status, 200);
  EXPECT_EQ(alice.phone->reports[0].headers, "Distribution-Count: 2\r\n");
  EXPECT_EQ(bob.phone->messages.size() + dave.phone->messages.size(), 2U);
  w.end_all();
}

TEST_F(Distribution, OMA_FT_7_WhatNobodyTakesEnds) {
  const auto alice = sender(), bob = receiver("bob"), carol = receiver("carol");
  bob.phone->answer = carol.phone->answer = 413;
  EXPECT_EQ(piece(alice, 1, a, false), 200);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].status, 413);
  EXPECT_EQ(piece(alice, 40'001, b, false), 400) << "it is known no longer";
  EXPECT_EQ(bob.phone->frames.size(), 1U);
  // Refused with the last piece: the same. Who wants to hear of no failure hears of none.
  EXPECT_EQ(w.sends(alice, {.id = "f2", .body = a, .type = "image/jpeg"}), 200);
  ASSERT_EQ(alice.phone->reports.size(), 2U);
  EXPECT_EQ(alice.phone->reports[1].message_id, "f2");
  EXPECT_EQ(alice.phone->reports[1].status, 413);
  EXPECT_EQ(w.sends(alice, {.id = "f3", .body = a, .type = "image/jpeg", .headers = "Failure-Report: no\r\n"}), 200);
  EXPECT_EQ(alice.phone->reports.size(), 2U);
  // Nobody is left at all.
  bob.phone->answer = carol.phone->answer = 0;
  EXPECT_EQ(w.sends(alice, {.id = "f4", .body = a, .type = "image/jpeg"}), 200);
  w.lose(*bob.phone);
  EXPECT_EQ(alice.phone->reports.size(), 2U);
  w.lose(*carol.phone);
  ASSERT_EQ(alice.phone->reports.size(), 3U);
  EXPECT_EQ(alice.phone->reports[2].status, 408);
  w.end_all();
}

TEST_F(Distribution, OMA_MSRP_6_TheSlowestIsWaitedForAndTheDeadIsNot) {
  const auto alice = sender(), bob = receiver("bob"), carol = receiver("carol");
  carol.phone->keeps_up = false;
  std::uint64_t start = 1;
  const std::uint64_t whole = 9 * a.size();
  const auto more = [&] {
    const auto status = w.sends(alice, {.id = "f1",
                                        .body = a,
                                        .type = "image/jpeg",
                                        .headers = "Success-Report: yes\r\n",
                                        .start = start,
                                        .total = whole,
                                        .flag = start + a.size() > whole ? Flag::end : Flag::more});
    start += a.size();
    return status;
  };
  for (int n = 0; n < 5; ++n) EXPECT_EQ(more(), 200);
  ASSERT_FALSE(w.legs.held_for.empty()) << "alice is not read";
  EXPECT_EQ(w.legs.held_for.back().first, alice.phone->named);
  EXPECT_EQ(w.legs.held_for.back().second, carol.phone->named);
  // As long as she takes something she is waited for.
  for (int n = 0; n < 4; ++n) {
    w.advance(std::chrono::seconds(40));
    w.read_one(*carol.phone);
    w.advance(std::chrono::seconds(1));
    EXPECT_FALSE(carol.phone->closed);
  }
  EXPECT_EQ(more(), 200);
  for (int n = 0; n < 70; ++n) w.advance(std::chrono::seconds(1));
  EXPECT_TRUE(carol.phone->closed);
  EXPECT_EQ(w.of_kind(RoomFact::Kind::too_slow).size(), 1U);
  EXPECT_FALSE(bob.phone->closed) << "nothing waits for him";
  while (start <= whole) EXPECT_EQ(more(), 200);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].status, 200);
  w.end_all();
}

// What had waited before it began, nobody was slow with.
TEST_F(Distribution, OMA_MSRP_6_NobodyIsSlowBeforeItBegins) {
  const auto alice = sender(), bob = receiver("bob");
  w.advance(std::chrono::seconds(300));
  bob.phone->keeps_up = false;
  EXPECT_EQ(piece(alice, 1, a, false), 200);
  w.advance(std::chrono::seconds(30));
  EXPECT_FALSE(bob.phone->closed);
  w.end_all();
}

// Who reads and never answers is not waited for again and again.
TEST_F(Distribution, R4975_8_WhoNeverAnswersGetsNoMore) {
  const auto alice = sender(), bob = receiver("bob"), carol = receiver("carol");
  carol.phone->answer = 0;
  EXPECT_EQ(piece(alice, 1, a, false, "Success-Report: yes\r\n"), 200);
  w.answers(*carol.phone, carol.phone->frames.back().mark, 408);
  EXPECT_EQ(piece(alice, 40'001, b + c, true, "Success-Report: yes\r\n"), 200);
  EXPECT_EQ(carol.phone->frames.size(), 1U);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].status, 200);
  w.end_all();
}

// A relay on the way of one of them says that it could not deliver.
TEST_F(Distribution, R4975_10_AReportThatItDidNotComeCounts) {
  const auto alice = sender(), bob = receiver("bob"), carol = receiver("carol");
  carol.phone->answer = bob.phone->answer = 0;
  const std::string wishes = "Success-Report: yes\r\nInclude-Sent-Count: yes\r\n";
  EXPECT_EQ(w.sends(alice, {.id = "f1", .body = a, .type = "image/jpeg", .headers = wishes}), 200);
  w.answers(*carol.phone, carol.phone->frames.back().mark, 200);
  w.reports(*carol.phone, "f1", 408);
  EXPECT_TRUE(alice.phone->reports.empty());
  w.reports(*bob.phone, "f1", 481);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].status, 200) << "OMA-DR-3: the count may be 0";
  EXPECT_EQ(alice.phone->reports[0].headers, "Distribution-Count: 0\r\n");
  w.end_all();
}

TEST_F(Distribution, OMA_CONF_5_WhoHoldsEndsWhatIsUnderWay) {
  const auto alice = sender(), bob = receiver("bob");
  EXPECT_EQ(piece(alice, 1, a, false), 200);
  Member held = RoomWorld::member("bob");
  held.may_send = held.may_receive = false;
  held.end = bob.phone->named;
  EXPECT_EQ(w.rooms.change(bob.handle, held), JoinResult::joined);
  EXPECT_EQ(alice.phone->holds, 1);
  held.may_receive = true;
  EXPECT_EQ(w.rooms.change(bob.handle, held), JoinResult::joined);
  EXPECT_EQ(alice.phone->holds, 0);
  w.end_all();
}

TEST_F(Distribution, OMA_FT_7_ItIsNotOverBeforeTheLastHasIt) {
  const auto alice = sender(), bob = receiver("bob"), carol = receiver("carol");
  carol.phone->keeps_up = false;
  EXPECT_EQ(w.sends(alice, {.id = "f1", .body = a, .type = "image/jpeg"}), 200);
  EXPECT_TRUE(w.rooms.delivering(w.room));
  w.rooms.leave(alice.handle, LeaveReason::departed);
  EXPECT_TRUE(w.rooms.delivering(w.room)) << "carol has yet to read it";
  EXPECT_TRUE(w.of_kind(RoomFact::Kind::delivered).empty());
  carol.phone->keeps_up = true;
  w.deliver();
  EXPECT_FALSE(w.rooms.delivering(w.room));
  ASSERT_EQ(w.of_kind(RoomFact::Kind::delivered).size(), 1U);
  EXPECT_EQ(w.of_kind(RoomFact::Kind::delivered)[0].count, 2U);
  EXPECT_EQ(carol.phone->messages.size(), 1U);
  w.end_all();
}

// After the sender has left, who reads nothing of the rest keeps the session for --room-lag-time, not for ever.
TEST_F(Distribution, OMA_FT_7_AReceiverThatStopsBehindTheEndIsClosed) {
  const auto alice = sender(), bob = receiver("bob");
  bob.phone->keeps_up = false;
  EXPECT_EQ(w.sends(alice, {.id = "f1", .body = a, .type = "image/jpeg"}), 200);
  w.rooms.leave(alice.handle, LeaveReason::departed);
  for (int n = 0; n < 58; ++n) w.advance(std::chrono::seconds(1));
  EXPECT_TRUE(w.rooms.delivering(w.room));
  for (int n = 0; n < 5; ++n) w.advance(std::chrono::seconds(1));
  EXPECT_FALSE(w.rooms.delivering(w.room));
  EXPECT_TRUE(bob.phone->closed);
  w.end_all();
}

// --- message/cpim: who is said to send it

struct LargeMessages : Distribution {
  RoomWorld::Seat sender(std::uint32_t anonymous = 0) {
    Member about = RoomWorld::member("alice");
    about.may_receive = false;
    about.anonymous_number = anonymous;
    if (anonymous != 0) about.display_name = "Shadow";
    return w.join(about);
  }
  std::uint16_t sends(const RoomWorld::Seat& from, const std::string& named, std::vector<std::size_t> cuts = {}) {
    return w.sends(from, {.body = wrapped(named), .headers = "Success-Report: yes\r\n", .cuts = std::move(cuts)});
  }
  std::string wrapped(const std::string& named) const { return cpim(named, "sip:list@example.org", text); }
  const std::string text = std::string(5'000, 't');
  const std::string himself = "sip:alice@example.org";
};

TEST_F(LargeMessages, OMA_ALIAS_4_AnAnonymousSendersFromIsWrittenAnew) {
  const std::string shown =
      "From: \"Shadow\" <sip:anonymous1@anonymous.invalid>\r\n" + wrapped(himself).substr(wrapped(himself).find("To: "));
  const auto alice = sender(1);
  const auto bob = receiver("bob"), carol = receiver("carol");
  const std::size_t head = wrapped(himself).find(text);
  for (const auto& cuts : {std::vector<std::size_t>{}, {3}, {3, 10, 60}, {head - 1}, {head}, {head + 2, head + 3000}}) {
    EXPECT_EQ(sends(alice, himself, cuts), 200);
    for (const auto& each : {bob, carol}) {
      ASSERT_FALSE(each.phone->messages.empty());
      EXPECT_EQ(each.phone->messages.back(), shown);
      for (const Frame& frame : each.phone->frames) {
        EXPECT_EQ((frame.headers + frame.body).find("alice"), std::string::npos);
        EXPECT_TRUE(frame.total == shown.size() || frame.flag == Flag::more) << frame.total;
      }
    }
    ASSERT_FALSE(alice.phone->reports.empty());
    EXPECT_EQ(alice.phone->reports.back().status, 200);
    EXPECT_EQ(alice.phone->reports.back().range.total, wrapped(himself).size()) << "as she counts";
  }
  EXPECT_EQ(bob.phone->messages.size(), 6U);
  EXPECT_EQ(alice.phone->reports.size(), 6U);
  w.end_all();
}

TEST_F(LargeMessages, OMA_ALIAS_4_WhoSaysWhatOthersMaySeeGoesOnAsHeIs) {
  const auto alice = sender(1);
  const auto bob = receiver("bob");
  const std::string own = "From: \"Shadow\" <sip:anonymous1@anonymous.invalid>\r\nTo: <sip:list@example.org>\r\n\r\n\r\n" + text;
  EXPECT_EQ(w.sends(alice, {.body = own}), 200);
  ASSERT_EQ(bob.phone->messages.size(), 1U);
  EXPECT_EQ(bob.phone->messages[0], own);
  w.end_all();
}

TEST_F(LargeMessages, R7701_1_NobodySendsInAnothersName) {
  for (const std::uint32_t anonymous : {0U, 1U}) {
    const auto alice = sender(anonymous);
    const auto bob = receiver("bob");
    EXPECT_EQ(sends(alice, "sip:bob@example.org"), 403);
    EXPECT_EQ(sends(alice, "sip:bob@example.org", {3, 20}), 403);
    EXPECT_EQ(w.sends(alice, {.id = "m3", .body = "no head at all" + text}), 400);
    EXPECT_TRUE(bob.phone->frames.empty());
    EXPECT_EQ(sends(alice, himself), 200) << "the next one may go";
    EXPECT_EQ(bob.phone->messages.size(), 1U);
    w.rooms.leave(alice.handle, LeaveReason::departed);
    w.rooms.leave(bob.handle, LeaveReason::departed);
  }
  w.end_all();
}

TEST_F(LargeMessages, OMA_FT_7_AHeadThatComesInPiecesWaitsForNobody) {
  const auto alice = sender();
  const auto bob = receiver("bob");
  const std::size_t head = wrapped(himself).find(text);
  EXPECT_EQ(sends(alice, himself, {3, 60, head - 1, head + 1}), 200);
  ASSERT_EQ(bob.phone->messages.size(), 1U);
  EXPECT_EQ(bob.phone->messages[0], wrapped(himself));
  EXPECT_EQ(bob.phone->frames[0].headers, "Message-ID: m1\r\nContent-Type: message/cpim\r\n");
  w.end_all();
}

TEST_F(Distribution, OMA_FT_7_ReceiversOnlyReceive) {
  const auto alice = sender(), bob = receiver("bob");
  EXPECT_EQ(w.sends(bob, {.id = "x", .body = "hello", .type = "text/plain"}), 403);
  EXPECT_EQ(w.rooms.post(bob.handle, "text/plain", "hello"), 403);
  EXPECT_EQ(w.rooms.post(alice.handle, "text/plain", "hello"), 403);
  EXPECT_EQ(w.rooms.chatroom_tokens(w.room), "");
  w.end_all();
}

// A session ends when nothing is said; a long transfer says something all the time.
TEST(RoomIdle, OMA_SES_8_AMessageUnderWayIsNoSilence) {
  RoomWorld w;
  RoomTraits traits = RoomWorld::group();
  traits.kind = RoomKind::exchange;
  traits.idle = std::chrono::seconds(600);
  w.open(traits);
  const auto alice = w.join("alice"), bob = w.join("bob");
  std::uint64_t start = 1;
  const std::string body(5000, 'x');
  for (int n = 0; n < 20; ++n) {
    EXPECT_EQ(w.sends(alice, {.id = "f1", .body = body, .type = "image/jpeg", .start = start, .flag = Flag::more}), 200);
    start += body.size();
    w.advance(std::chrono::seconds(100));
  }
  EXPECT_TRUE(w.of_kind(RoomFact::Kind::idle).empty());
  EXPECT_EQ(w.sends(alice, {.id = "f1", .body = body, .type = "image/jpeg", .start = start}), 200);
  for (int n = 0; n < 13; ++n) w.advance(std::chrono::seconds(100));
  EXPECT_FALSE(w.of_kind(RoomFact::Kind::idle).empty());
  w.end_all();
}

}  // namespace
}  // namespace parley::tests
