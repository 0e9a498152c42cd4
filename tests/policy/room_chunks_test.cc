// tests/policy/room_chunks_test.cc - messages in pieces: they go on as they come, with the right numbers, to those who
// have their beginning.
#include <string>

#include "tests/policy/room_world.h"

namespace parley::tests {
namespace {

using Kind = RoomFact::Kind;

struct Chunks : testing::Test {
  RoomWorld w;
  RoomWorld::Seat alice, bob, carol;
  void SetUp() override {
    w.open();
    alice = w.join("alice");
    bob = w.join("bob");
    carol = w.join("carol");
  }
  void TearDown() override { w.end_all(); }
  [[nodiscard]] std::string large(std::size_t bytes, char c = 'x') const {
    return cpim(alice.uri, room_uri, std::string(bytes, c));
  }
};

TEST_F(Chunks, R7701_2_EachPieceGoesOnAsAChunkWithItsNumbers) {
  const std::string text = large(10'000);
  EXPECT_EQ(
      w.sends(alice,
              {.id = "m1", .body = text.substr(0, 6000), .total = text.size(), .flag = Flag::more, .cuts = {3000}}),
      200);
  ASSERT_EQ(bob.phone->frames.size(), 2U);
  EXPECT_EQ(bob.phone->frames[0].start, 1U);
  EXPECT_EQ(bob.phone->frames[0].body.size(), 3000U);
  EXPECT_EQ(bob.phone->frames[1].start, 3001U);
  EXPECT_EQ(bob.phone->frames[1].flag, Flag::more);
  EXPECT_EQ(bob.phone->frames[1].total, text.size());
  EXPECT_FALSE(bob.phone->frames[1].tell_200);
  EXPECT_EQ(w.count(core::Metric::room_messages_open), 1U);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(6000), .start = 6001, .total = text.size()}), 200);
  EXPECT_EQ(bob.phone->messages, std::vector<std::string>{text});
  EXPECT_EQ(carol.phone->messages, std::vector<std::string>{text});
  EXPECT_EQ(w.count(core::Metric::room_messages_open), 0U);
}

TEST_F(Chunks, R4975_6_ASenderThatDribblesIsNotMultiplied) {
  const std::string text = large(5000);
  std::vector<std::size_t> cuts;
  for (std::size_t at = 10; at < text.size(); at += 10) cuts.push_back(at);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text, .total = text.size(), .cuts = cuts}), 200);
  EXPECT_EQ(bob.phone->messages, std::vector<std::string>{text});
  EXPECT_LE(bob.phone->frames.size(), 3U);
  for (std::size_t i = 0; i + 1 < bob.phone->frames.size(); ++i) EXPECT_GE(bob.phone->frames[i].body.size(), 2048U);
}

TEST_F(Chunks, R7701_2_AHeadInPiecesIsGatheredAtEveryCut) {
  const std::string text = large(20);
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    // As two pieces of one SEND, and as two SENDs.
    EXPECT_EQ(w.sends(alice, {.id = "p" + std::to_string(cut), .body = text + std::to_string(cut), .cuts = {cut}}),
              200);
    EXPECT_EQ(bob.phone->messages.back(), text + std::to_string(cut));
    const std::string id = "s" + std::to_string(cut);
    EXPECT_EQ(w.sends(alice, {.id = id, .body = text.substr(0, cut), .flag = Flag::more}), 200);
    EXPECT_EQ(w.sends(alice, {.id = id, .body = text.substr(cut), .start = cut + 1}), 200);
    EXPECT_EQ(bob.phone->messages.back(), text);
  }
  EXPECT_EQ(bob.phone->messages.size(), 2 * (text.size() - 1));
}

// Without a blank line behind the content's headers the line that the message ends in is content (T-78).
TEST_F(Chunks, T_78_ContentWithoutABlankLineIsWholeAtEveryCut) {
  const std::string head = "From: <" + alice.uri + ">\r\nTo: <" + room_uri + ">\r\n\r\nContent-Type: text/plain\r\n";
  const std::string text = head + std::string(1000, 'n') + "end";
  for (std::size_t cut = head.size() - 3; cut < text.size(); cut += 50) {
    const std::string id = "u" + std::to_string(cut);
    EXPECT_EQ(w.sends(alice, {.id = id, .body = text.substr(0, cut), .flag = Flag::more}), 200);
    EXPECT_EQ(w.sends(alice, {.id = id, .body = text.substr(cut), .start = cut + 1}), 200);
    ASSERT_FALSE(bob.phone->messages.empty()) << cut;
    EXPECT_EQ(bob.phone->messages.back(), text) << cut;
    const std::string one = "p" + std::to_string(cut);
    EXPECT_EQ(w.sends(alice, {.id = one, .body = text, .cuts = {cut}}), 200);
    EXPECT_EQ(bob.phone->messages.back(), text) << cut;
  }
}

TEST_F(Chunks, OMA_ALIAS_3_ALongerFromMovesAllNumbers) {
  Member ghost = RoomWorld::member("dave");
  ghost.anonymous_number = 12345;
  ghost.display_name = "A name that is longer than his own";
  const auto dave = w.join(ghost);
  const std::string text = cpim(dave.uri, room_uri, std::string(7000, 'g'));
  for (const std::size_t cut : {5U, 100U, 3000U}) {
    EXPECT_EQ(w.sends(dave, {.id = "m" + std::to_string(cut),
                             .body = text.substr(0, 5000),
                             .total = text.size(),
                             .flag = Flag::more,
                             .cuts = {cut}}),
              200);
    EXPECT_EQ(
        w.sends(dave,
                {.id = "m" + std::to_string(cut), .body = text.substr(5000) + std::to_string(cut), .start = 5001}),
        200);
    const std::string& got = bob.phone->messages.back();
    EXPECT_TRUE(
        got.starts_with("From: \"A name that is longer than his own\" <sip:anonymous12345@anonymous.invalid>\r\nTo: "));
    EXPECT_TRUE(
        got.ends_with(text.substr(std::string("From: <sip:dave@example.org>\r\n").size()) + std::to_string(cut)));
  }
}

TEST_F(Chunks, R4975_7_ASenderThatDiesEndsItsMessageForEverybody) {
  const std::string text = large(5000);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(0, 4000), .flag = Flag::more}), 200);
  w.lose(*alice.phone);
  w.deliver();
  EXPECT_EQ(bob.phone->aborted.size(), 1U);
  EXPECT_EQ(carol.phone->aborted.size(), 1U);
  EXPECT_TRUE(bob.phone->messages.empty());
  EXPECT_EQ(w.of_kind(Kind::lost).size(), 1U);
  EXPECT_EQ(w.count(core::Metric::room_messages_open), 0U);
  // It comes back and sends it whole.
  w.connected(*alice.phone);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text}), 200);
  EXPECT_EQ(bob.phone->messages, std::vector<std::string>{text});
}

TEST_F(Chunks, R4975_7_ASenderMayAbort) {
  const std::string text = large(5000);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(0, 4000), .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(4000, 10), .start = 4001, .flag = Flag::abort}), 200);
  EXPECT_EQ(bob.phone->aborted.size(), 1U);
  // Of something nobody has seen: nothing to tell.
  EXPECT_EQ(w.sends(alice, {.id = "m2", .body = "x", .flag = Flag::abort}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m3", .body = text.substr(0, 10), .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m3", .body = "", .start = 11, .flag = Flag::abort}), 200);
  EXPECT_EQ(bob.phone->aborted.size(), 1U);
  EXPECT_EQ(w.count(core::Metric::room_messages_open), 0U);
}

TEST_F(Chunks, R7701_2_WithoutAChunkForNineMinutesAMessageEnds) {
  const std::string text = large(9000);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(0, 3000), .flag = Flag::more}), 200);
  w.advance(std::chrono::seconds(539));
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(3000, 3000), .start = 3001, .flag = Flag::more}), 200);
  w.advance(std::chrono::seconds(539));
  EXPECT_TRUE(bob.phone->aborted.empty());
  w.advance(std::chrono::seconds(2));
  EXPECT_EQ(bob.phone->aborted.size(), 1U);
  EXPECT_EQ(w.count(core::Metric::room_timed_out), 1U);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(6000), .start = 6001}), 400);
}

TEST_F(Chunks, R4975_7_RepeatedBytesGoOutOnceAndHolesAreFilled) {
  const std::string text = large(9000);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(0, 3000), .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(0, 3000), .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(2000, 3000), .start = 2001, .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(5000), .start = 5001}), 200);
  EXPECT_EQ(bob.phone->messages, std::vector<std::string>{text});
  // R4975-5: without a Byte-Range it would begin again.
  EXPECT_EQ(w.sends(alice, {.id = "m2", .body = text.substr(0, 3000), .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m2", .body = text.substr(3000), .range = false}), 400);
  EXPECT_EQ(w.sends(alice, {.id = "m3", .body = text.substr(3000), .start = 3001}), 400);
  EXPECT_EQ(w.sends(alice, {.id = "", .body = text, .flag = Flag::more}), 413);
}

TEST_F(Chunks, T_68_MessagesOfOneSenderMayBeMixed) {
  const std::string a = large(6000, 'a'), b = large(6000, 'b');
  EXPECT_EQ(w.sends(alice, {.id = "a", .body = a.substr(0, 3000), .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "b", .body = b.substr(0, 3000), .flag = Flag::more}), 200);
  const std::string c = cpim(bob.uri, room_uri, "c");
  EXPECT_EQ(w.sends(bob, {.id = "a", .body = c}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "b", .body = b.substr(3000), .start = 3001}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "a", .body = a.substr(3000), .start = 3001}), 200);
  EXPECT_EQ(carol.phone->messages, (std::vector<std::string>{c, b, a}));
}

TEST_F(Chunks, R7701_2_WhoJoinsInTheMiddleGetsItAsAWhole) {
  const std::string text = large(6000);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(0, 3000), .flag = Flag::more}), 200);
  const auto dave = w.join("dave");
  EXPECT_EQ(w.says(bob, "b1", "between"), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(3000, 2900), .start = 3001, .flag = Flag::more}), 200);
  EXPECT_EQ(dave.phone->messages.size(), 1U);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(5900), .start = 5901}), 200);
  EXPECT_EQ(dave.phone->messages.size(), 2U);
  EXPECT_EQ(dave.phone->messages.back(), text);
  EXPECT_EQ(dave.phone->ids.back(), bob.phone->ids.back());
}

TEST_F(Chunks, R4975_11_WhoRefusesAChunkGetsNoMoreOfThatMessage) {
  const std::string text = large(9000);
  bob.phone->answer = 413;
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(0, 3000), .flag = Flag::more}), 200);
  bob.phone->answer = 200;
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(3000, 3000), .start = 3001, .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(6000), .start = 6001}), 200);
  EXPECT_EQ(bob.phone->frames.size(), 1U);
  EXPECT_EQ(carol.phone->messages.size(), 1U);
  EXPECT_EQ(w.says(alice, "m2", "x"), 200);
  EXPECT_EQ(bob.phone->messages.size(), 1U);
}

TEST_F(Chunks, HowManyMayBeOpenIsLimited) {
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(w.sends(alice, {.id = "m" + std::to_string(i), .body = large(3000).substr(0, 3000), .flag = Flag::more}),
              200);
  }
  EXPECT_EQ(w.sends(alice, {.id = "m9", .body = large(3000).substr(0, 3000), .flag = Flag::more}), 413);
  EXPECT_EQ(w.says(alice, "whole", "x"), 200);  // needs no place
  EXPECT_EQ(w.sends(bob, {.id = "m9", .body = cpim(bob.uri, room_uri, "x").substr(0, 10), .flag = Flag::more}), 200);
  EXPECT_EQ(w.count(core::Metric::room_open_limit), 1U);
  EXPECT_EQ(w.count(core::Metric::room_messages_open), 9U);
}

TEST_F(Chunks, OMA_DR_3_AMessageInPiecesIsCountedOnce) {
  Member server = RoomWorld::member("erin");
  server.may_ask_count = true;
  const auto erin = w.join(server);
  const std::string text = cpim(erin.uri, room_uri, std::string(6000, 'e'));
  const std::string wish = "Success-Report: yes;Include-Sent-Count\r\n";
  carol.phone->answer = 413;
  EXPECT_EQ(w.sends(erin, {.id = "m1", .body = text.substr(0, 3000), .headers = wish, .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(erin, {.id = "m1", .body = text.substr(3000), .headers = wish, .start = 3001}), 200);
  w.deliver();
  ASSERT_EQ(erin.phone->reports.size(), 1U);
  EXPECT_EQ(erin.phone->reports[0].headers, "Distribution-Count: 2\r\n");
  EXPECT_EQ(erin.phone->reports[0].range.end, text.size());
}

TEST_F(Chunks, R7701_1_PrivateMessagesInPieces) {
  const std::string text = cpim(alice.uri, bob.uri, std::string(6000, 'p'));
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(0, 50), .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(50, 4000), .start = 51, .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m1", .body = text.substr(4050), .start = 4051}), 200);
  EXPECT_EQ(bob.phone->messages, std::vector<std::string>{text});
  EXPECT_TRUE(carol.phone->frames.empty());
  // The error comes when the head is whole.
  const std::string nobody = cpim(alice.uri, "sip:zoe@example.org", "x");
  EXPECT_EQ(w.sends(alice, {.id = "m2", .body = nobody.substr(0, 40), .flag = Flag::more}), 200);
  EXPECT_EQ(w.sends(alice, {.id = "m2", .body = nobody.substr(40), .start = 41}), 404);
}

}  // namespace
}  // namespace parley::tests
