// tests/policy/room_pair_test.cc - rooms of two: what one sends the other gets as it is, REPORTs included.
#include <string>

#include "tests/policy/room_world.h"

namespace parley::tests {
namespace {

RoomTraits pair_of(RoomKind kind) {
  RoomTraits traits = RoomWorld::group();
  traits.kind = kind;
  return traits;
}

TEST(RoomPair, OMA_MSRP_5_HeadersAndBodyAreCopied) {
  RoomWorld w;
  w.open(pair_of(RoomKind::one_to_one));
  const auto alice = w.join("alice"), bob = w.join("bob");
  EXPECT_EQ(w.sends(alice, {.id = "m1",
                            .body = "Hello",
                            .type = "text/plain;charset=UTF-8",
                            .headers = "Success-Report: yes\r\nX-Own: 1\r\nFailure-Report: partial\r\n"}),
            200);
  ASSERT_EQ(bob.phone->frames.size(), 1U);
  const Frame& frame = bob.phone->frames[0];
  EXPECT_EQ(frame.headers,
            "Message-ID: m1\r\nSuccess-Report: yes\r\nX-Own: 1\r\nContent-Type: text/plain;charset=UTF-8\r\n");
  EXPECT_EQ(frame.message_id, "m1");
  EXPECT_EQ(frame.body, "Hello");
  EXPECT_TRUE(alice.phone->reports.empty()) << "the other side reports";
  w.reports(*bob.phone, "m1", 200);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].message_id, "m1");
  EXPECT_EQ(alice.phone->reports[0].range.total, 10U);
  // CPIM is a type as any other here (T-80): nobody looks at its To.
  EXPECT_EQ(w.sends(bob, {.id = "m2",
                          .body = cpim("sip:anonymous@anonymous.invalid", "sip:anonymous@anonymous.invalid", "x")}),
            200);
  EXPECT_EQ(alice.phone->messages.size(), 1U);
  // R4975-8: who wants no answers causes none.
  EXPECT_EQ(w.sends(bob, {.id = "m3", .body = "x", .type = "text/plain", .headers = "Failure-Report: no\r\n"}), 200);
  EXPECT_EQ(alice.phone->frames.back().failure, msrp::FailureReport::no);
  EXPECT_NE(alice.phone->frames.back().headers.find("Failure-Report: no\r\n"), std::string::npos);
  w.end_all();
}

TEST(RoomPair, R4975_10_AReportIsForTheDeviceThatHasSentTheMessage) {
  RoomWorld w;
  w.open(pair_of(RoomKind::one_to_one));
  Member tablet_of_alice = RoomWorld::member("alice");
  tablet_of_alice.device = "tablet";
  const auto alice = w.join("alice"), tablet = w.join(tablet_of_alice), bob = w.join("bob");
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = "x", .type = "text/plain", .headers = "Success-Report: yes\r\n"}), 200);
  EXPECT_EQ(w.sends(tablet, {.id = "m2", .body = "x", .type = "text/plain", .headers = "Success-Report: yes\r\n"}), 200);
  w.reports(*bob.phone, "m1", 200);
  w.reports(*bob.phone, "m2", 200);
  w.reports(*bob.phone, "nobody's", 200);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].message_id, "m1");
  ASSERT_EQ(tablet.phone->reports.size(), 1U);
  EXPECT_EQ(tablet.phone->reports[0].message_id, "m2");
  EXPECT_TRUE(bob.phone->reports.empty());
  // He is the same when he has come back.
  w.lose(*alice.phone);
  w.rooms.leave(alice.handle, LeaveReason::lost);
  const auto again = w.join("alice");
  w.reports(*bob.phone, "m1", 200);
  EXPECT_EQ(again.phone->reports.size(), 1U);
  EXPECT_EQ(tablet.phone->reports.size(), 1U);
  w.end_all();
}

TEST(RoomPair, OMA_LRG_5_WhatTheOtherTakesNothingThatLongOfIsRefused) {
  RoomWorld w;
  w.open(pair_of(RoomKind::one_to_one));
  Member small = RoomWorld::member("bob");
  small.message_bytes_max = 100;
  const auto alice = w.join("alice"), bob = w.join(small);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = std::string(101, 'x'), .type = "text/plain"}), 413);
  EXPECT_EQ(w.sends(alice, {.id = "m2", .body = std::string(60, 'x'), .type = "text/plain", .total = 120, .flag = Flag::more}),
            413);
  EXPECT_TRUE(bob.phone->frames.empty());
  EXPECT_EQ(w.sends(alice, {.id = "m3", .body = std::string(100, 'x'), .type = "text/plain"}), 200);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
  EXPECT_EQ(w.sends(bob, {.id = "m4", .body = std::string(101, 'x'), .type = "text/plain"}), 200) << "alice does";
  EXPECT_EQ(w.count(core::Metric::room_too_large), 2U);
  // Another device of his takes it.
  const auto tablet = w.join([&] {
    Member about = RoomWorld::member("bob");
    about.device = "tablet";
    return about;
  }());
  EXPECT_EQ(w.sends(alice, {.id = "m5", .body = std::string(101, 'x'), .type = "text/plain"}), 200);
  EXPECT_EQ(tablet.phone->messages.size(), 1U);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
  EXPECT_TRUE(alice.phone->reports.empty());
  w.end_all();
}

TEST(RoomPair, OMA_MSRP_5_ErrorsOfTheFarLegBecomeReports) {
  RoomWorld w;
  w.open(pair_of(RoomKind::one_to_one));
  const auto alice = w.join("alice"), bob = w.join("bob");
  bob.phone->answer = 415;
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = std::string(3000, 'x'), .type = "text/plain", .flag = Flag::more}),
            200);
  ASSERT_EQ(alice.phone->reports.size(), 1U);
  EXPECT_EQ(alice.phone->reports[0].status, 415);
  EXPECT_EQ(alice.phone->reports[0].message_id, "m1");
  EXPECT_EQ(alice.phone->reports[0].range.start, 1U);
  EXPECT_EQ(alice.phone->reports[0].range.end, 3000U);
  // The rest of it is not sent any more.
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = std::string(3000, 'x'), .type = "text/plain", .start = 3001}), 200);
  EXPECT_EQ(bob.phone->frames.size(), 1U);
  bob.phone->answer = 0;
  EXPECT_EQ(w.sends(alice, {.id = "m2", .body = "x", .type = "text/plain"}), 200);
  w.answers(*bob.phone, bob.phone->frames.back().mark, 408);
  EXPECT_EQ(alice.phone->reports.back().status, 408);
  w.answers(*bob.phone, bob.phone->frames.back().mark, 408);  // the mark is used up
  EXPECT_EQ(alice.phone->reports.size(), 2U);
  w.end_all();
}

TEST(RoomPair, R4975_15_WhatTheOtherDoesNotTakeIsRefused) {
  RoomWorld w;
  w.open(pair_of(RoomKind::one_to_one));
  Member picky = RoomWorld::member("bob");
  picky.accept_types = "text/plain message/cpim";
  const auto alice = w.join("alice"), bob = w.join(picky);
  EXPECT_EQ(w.sends(alice, {.body = "x", .type = "image/png"}), 415);
  EXPECT_EQ(w.sends(alice, {.body = "x", .type = "text/plain;charset=x"}), 200);
  EXPECT_EQ(w.sends(bob, {.body = "x", .type = "image/png"}), 200);
  w.end_all();
}

TEST(RoomPair, OMA_MSRP_6_NobodyIsReadWhileThereIsNobodyToReadIt) {
  RoomWorld w({.one_to_one_ring_bytes = 16 * 1024});
  w.open(pair_of(RoomKind::one_to_one));
  const auto alice = w.join("alice");
  EXPECT_EQ(alice.phone->holds, 1);
  // What had been read by then waits for the other side.
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = "early", .type = "text/plain"}), 200);
  const auto bob = w.join("bob", false);
  EXPECT_EQ(alice.phone->holds, 1);
  w.connected(*bob.phone);
  w.deliver();
  EXPECT_EQ(alice.phone->holds, 0);
  EXPECT_EQ(bob.phone->messages, std::vector<std::string>{"early"});
  EXPECT_EQ(bob.phone->ids, std::vector<std::string>{"m1"});
  w.lose(*bob.phone);
  EXPECT_EQ(alice.phone->holds, 1);
  w.rooms.leave(bob.handle, LeaveReason::departed);
  w.end_all();
}

TEST(RoomPair, OMA_FT_7_AnExchangeOfALargeFileHasNoMoreMemoryThanItsQueue) {
  RoomWorld w;
  w.open(pair_of(RoomKind::exchange));
  const auto alice = w.join("alice"), bob = w.join("bob");
  bob.phone->keeps_up = false;
  std::uint64_t at = 0;
  while (w.legs.held_for.empty()) {
    const std::string piece(16'000, 'f');
    EXPECT_EQ(
        w.sends(
            alice,
            {.id = "f", .body = piece, .type = "image/png", .start = at + 1, .total = 1'000'000, .flag = Flag::more}),
        200);
    at += piece.size();
    ASSERT_LT(at, 300'000U);
  }
  EXPECT_EQ(w.legs.held_for.front(), std::make_pair(alice.phone->end, bob.phone->end));
  EXPECT_EQ(w.pool().live_blocks(), 0U);
  // What had been read by then does not fit, and is not lost.
  while (at < 600'000) {
    EXPECT_EQ(w.sends(alice, {.id = "f", .body = std::string(60'000, 'f'), .type = "image/png", .start = at + 1, .total = 1'000'000, .flag = Flag::more}), 200);
    at += 60'000;
  }
  bob.phone->keeps_up = true;
  w.deliver();
  std::vector<std::size_t> cuts;
  for (std::size_t cut = 60'000; cut < 1'000'000 - at; cut += 60'000) cuts.push_back(cut);
  EXPECT_EQ(w.sends(alice, {.id = "f",
                            .body = std::string(1'000'000 - at, 'f'),
                            .type = "image/png",
                            .start = at + 1,
                            .total = 1'000'000,
                            .cuts = cuts}),
            200);
  ASSERT_EQ(bob.phone->messages.size(), 1U);
  EXPECT_EQ(bob.phone->messages[0].size(), 1'000'000U);
  ASSERT_EQ(w.of_kind(RoomFact::Kind::delivered).size(), 1U);
  EXPECT_EQ(w.of_kind(RoomFact::Kind::delivered)[0].member, alice.handle);
  w.end_all();
}

TEST(RoomPair, OMA_SES_10_AMessageBySip) {
  RoomWorld w;
  w.open(pair_of(RoomKind::one_to_one));
  const auto alice = w.join("alice"), bob = w.join("bob");
  EXPECT_EQ(w.rooms.post(alice.handle, "text/plain", "hi"), 200);
  w.deliver();
  ASSERT_EQ(bob.phone->messages.size(), 1U);
  EXPECT_TRUE(bob.phone->messages[0].ends_with("hi"));
  EXPECT_NE(bob.phone->frames[0].headers.find("Content-Type: message/cpim\r\n"), std::string::npos);
  w.answers(*bob.phone, bob.phone->frames.back().mark, 500);
  EXPECT_TRUE(alice.phone->reports.empty());
  w.end_all();
}

}  // namespace
}  // namespace parley::tests
