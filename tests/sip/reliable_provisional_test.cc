// tests/sip/reliable_provisional_test.cc - R3262-1 to R3262-5 and T-27, both sides, in virtual time.
#include "sip/reliable_provisional.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sip/sip_message.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;

const core::Instant start{1000s};
constexpr core::Duration t1 = 500ms;

SipMessage invite(const std::string& lines) {
  return SipMessage(
      "INVITE sip:a@b SIP/2.0\nVia: SIP/2.0/UDP b;branch=z9hG4bK1\nMax-Forwards: 70\nTo: <sip:a@b>\n"
      "From: <sip:c@d>;tag=1\nCall-ID: x\nCSeq: 1 INVITE\n" +
      lines + "Content-Length: 0\n\n");
}

SipMessage response(unsigned status, const std::string& lines) {
  return SipMessage("SIP/2.0 " + std::to_string(status) +
                    " x\nVia: SIP/2.0/UDP b;branch=z9hG4bK1\nTo: <sip:a@b>;tag=2\n"
                    "From: <sip:c@d>;tag=1\nCall-ID: x\nCSeq: 1 INVITE\n" +
                    lines + "Content-Length: 0\n\n");
}

RAck rack(std::uint32_t rseq, std::uint32_t cseq = 7, std::string_view method = "INVITE") {
  return {.rseq = rseq, .cseq = cseq, .method = method};
}

struct Sender : testing::Test {
  core::Pool pool{{.small_count = 1, .large_count = 1, .arena_count = 1, .heap_bytes_max = 1 << 16}};
  ReliableSender sender{pool, 7, 100, t1};
};

TEST(ReliableWish, R3262_1_OnlyWhereTheInviteSaysSo) {
  const auto wish = [](const std::string& lines) {
    const SipMessage message = invite(lines);
    return rel_wish(message.head(), message.bytes);
  };
  EXPECT_EQ(wish(""), RelWish::none);
  EXPECT_EQ(wish("Supported: timer\nRequire: pref\n"), RelWish::none);
  EXPECT_EQ(wish("k: timer\nk: 100REL\n"), RelWish::supported);
  EXPECT_EQ(wish("Supported: 100rel\nRequire: timer, 100rel\n"), RelWish::required);
}

TEST(ReliableWish, R3262_1_TheFirstNumberIsInTheLowerHalfAndNotZero) {
  core::Random random({7});
  for (int i = 0; i < 1000; ++i) {
    const std::uint32_t first = first_rseq(random);
    EXPECT_GE(first, 1U);
    EXPECT_LE(first, 2147483647U);
  }
}

TEST_F(Sender, R3262_2_AgainAtT1DoublingWithoutCapAndOverAfter64T1) {
  ASSERT_TRUE(sender.sent("one", false, start));
  std::vector<core::Duration> at;
  for (core::Instant now = sender.next_deadline();; now = sender.next_deadline()) {
    const Resend::Due due = sender.due(now);
    if (due == Resend::Due::over) {
      EXPECT_EQ(now, start + 32s);
      break;
    }
    ASSERT_EQ(due, Resend::Due::again);
    EXPECT_EQ(sender.bytes(), "one");
    at.push_back(now - start);
  }
  EXPECT_EQ(at, (std::vector<core::Duration>{500ms, 1500ms, 3500ms, 7500ms, 15500ms, 31500ms}));
  EXPECT_EQ(sender.next_deadline(), core::never);
  EXPECT_EQ(sender.due(start + 100s), Resend::Due::nothing);
}

TEST_F(Sender, R3262_2_TheNextOneWaitsForThePrackAndCountsOneMore) {
  EXPECT_EQ(sender.next_rseq(), 100U);
  ASSERT_TRUE(sender.sent("one", false, start));
  EXPECT_FALSE(sender.ready());
  EXPECT_EQ(sender.prack(rack(100)), PrackVerdict::acknowledged);
  EXPECT_TRUE(sender.ready());
  EXPECT_EQ(sender.next_rseq(), 101U);
  EXPECT_EQ(sender.next_deadline(), core::never);
  ASSERT_TRUE(sender.sent("two", true, start + 1s));
  EXPECT_EQ(sender.next_deadline(), start + 1500ms);
}

TEST_F(Sender, R3262_3_APrackThatNamesSomethingElseIs481) {
  EXPECT_EQ(sender.prack(rack(99)), PrackVerdict::unknown);  // before anything was sent
  ASSERT_TRUE(sender.sent("one", true, start));
  EXPECT_EQ(sender.prack(rack(101)), PrackVerdict::unknown);
  EXPECT_EQ(sender.prack(rack(99)), PrackVerdict::unknown);
  EXPECT_EQ(sender.prack(rack(100, 8)), PrackVerdict::unknown);
  EXPECT_EQ(sender.prack(rack(100, 7, "invite")), PrackVerdict::unknown);
  EXPECT_TRUE(sender.holds_2xx());
  EXPECT_EQ(sender.prack(rack(100)), PrackVerdict::acknowledged);
  EXPECT_EQ(sender.prack(rack(100)), PrackVerdict::unknown);  // another transaction: nothing is unacknowledged
}

TEST_F(Sender, R3262_4_SdpInAReliable1xxHoldsThe2xxUntilItsPrack) {
  EXPECT_FALSE(sender.holds_2xx());
  ASSERT_TRUE(sender.sent("one", false, start));
  EXPECT_FALSE(sender.holds_2xx());
  EXPECT_EQ(sender.prack(rack(100)), PrackVerdict::acknowledged);
  ASSERT_TRUE(sender.sent("two", true, start));
  EXPECT_TRUE(sender.holds_2xx());
  EXPECT_EQ(sender.prack(rack(100)), PrackVerdict::unknown);
  EXPECT_TRUE(sender.holds_2xx());
  EXPECT_EQ(sender.prack(rack(101)), PrackVerdict::acknowledged);
  EXPECT_FALSE(sender.holds_2xx());
}

TEST_F(Sender, R3262_5_AFinalResponseStopsItAndALatePrackIsStillAcknowledged) {
  ASSERT_TRUE(sender.sent("one", false, start));
  sender.close();
  EXPECT_EQ(sender.next_deadline(), core::never);
  EXPECT_EQ(pool.live_blocks(), 0U);
  EXPECT_EQ(sender.prack(rack(100)), PrackVerdict::acknowledged);
  EXPECT_FALSE(sender.ready());
}

TEST(ReliableSenders, WithoutMemoryNothingIsReliable) {
  core::Pool pool({.small_count = 1, .large_count = 1, .arena_count = 1, .heap_bytes_max = 4});
  ReliableSender sender(pool, 7, 100, t1);
  EXPECT_FALSE(sender.sent("too long", true, start));
  EXPECT_TRUE(sender.ready());
  EXPECT_FALSE(sender.holds_2xx());
  EXPECT_EQ(sender.next_rseq(), 100U);
}

struct Receiver : testing::Test {
  ReliableReceiver receiver;
  RelVerdict receive(const std::string& lines, unsigned status = 183) {
    const SipMessage message = response(status, lines);
    return receiver.receive(message.head(), message.bytes);
  }
  RelVerdict receive(std::uint32_t rseq) { return receive("Require: 100rel\nRSeq: " + std::to_string(rseq) + "\n"); }
};

TEST_F(Receiver, R3262_3_OnlyTheNextNumberIsTaken) {
  EXPECT_EQ(receive(5000), RelVerdict::fresh);
  char text[rack_chars];
  EXPECT_EQ(rack_text(receiver.rseq(), 7, text), "5000 7 INVITE");
  EXPECT_EQ(receive(5000), RelVerdict::repeated);
  EXPECT_EQ(receive(5002), RelVerdict::disorder);
  EXPECT_EQ(receive(4999), RelVerdict::disorder);
  EXPECT_EQ(receive(5001), RelVerdict::fresh);
  EXPECT_EQ(receive(5000), RelVerdict::disorder);
  EXPECT_EQ(receive(5002), RelVerdict::fresh);
  EXPECT_EQ(rack_text(4294967295U, 4294967295U, text), "4294967295 4294967295 INVITE");
}

TEST_F(Receiver, R3262_3_NumbersDoNotWrap) {
  EXPECT_EQ(receive(4294967295U), RelVerdict::fresh);
  EXPECT_EQ(receive(4294967295U), RelVerdict::repeated);
  EXPECT_EQ(receive(0), RelVerdict::disorder);
}

TEST_F(Receiver, R3262_3_EveryToTagCountsForItself) {
  ReliableReceiver other;
  EXPECT_EQ(receive(10), RelVerdict::fresh);
  const SipMessage message = response(180, "Require: 100rel\nRSeq: 900\n");
  EXPECT_EQ(other.receive(message.head(), message.bytes), RelVerdict::fresh);
  EXPECT_EQ(receive(11), RelVerdict::fresh);
}

TEST_F(Receiver, R3262_1_A100IsNeverReliable) {
  EXPECT_EQ(receive("Require: 100rel\nRSeq: 1\n", 100), RelVerdict::plain);
  EXPECT_EQ(receive("RSeq: 1\n"), RelVerdict::plain);
  EXPECT_EQ(receive("Require: 100rel\n"), RelVerdict::plain);
  EXPECT_EQ(receive("Require: 100rel\nRSeq: one\n"), RelVerdict::plain);
  EXPECT_EQ(receive(1), RelVerdict::fresh);
}

TEST_F(Receiver, T_27_APrackRefusedEndsTheCallOnlyAfter64T1WithoutProgress) {
  EXPECT_EQ(receive(1), RelVerdict::fresh);
  receiver.prack_answered(481, start, t1);
  EXPECT_EQ(receiver.next_deadline(), start + 32s);
  EXPECT_FALSE(receiver.due(start + 31s));
  EXPECT_EQ(receive(2), RelVerdict::fresh);
  EXPECT_FALSE(receiver.due(start + 33s));
  receiver.prack_answered(408, start + 33s, t1);
  receiver.prack_answered(481, start + 40s, t1);
  EXPECT_TRUE(receiver.due(start + 65s));
  EXPECT_FALSE(receiver.due(start + 66s));
  receiver.prack_answered(481, start + 70s, t1);
  receiver.prack_answered(200, start + 71s, t1);
  EXPECT_EQ(receiver.next_deadline(), core::never);
  receiver.prack_answered(481, start + 72s, t1);
  receiver.close();
  EXPECT_EQ(receiver.next_deadline(), core::never);
}

}  // namespace
}  // namespace parley::tests
