// tests/sip/early_dialogs_test.cc - R3261-9, R3262-3, T-26: several phones answer one INVITE.
#include "sip/early_dialogs.h"

#include <gtest/gtest.h>

#include <string>

#include "sip/invite_usage.h"
#include "tests/sip/sip_message.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;

const core::Instant start{1000s};
const InviteConfig config;
const OpeningRequest ours{.call_id = "c",
                          .from = "<sip:me@parley.example>;tag=l",
                          .to = "<sip:bob@example.org>",
                          .uri = "sip:bob@example.org",
                          .cseq = 7};

OfferTrack offered() {
  OfferTrack offers;
  (void)offers.sent(SdpCarrier::invite, true);
  return offers;
}

struct Forks : testing::Test {
  core::Pool pool{{.small_count = 1, .large_count = 1, .arena_count = 1, .heap_bytes_max = 1 << 20}};
  EarlyDialogs forks{pool, offered()};
  DialogFault fault = DialogFault::none;

  EarlyDialog* take(unsigned status, const std::string& tag, const std::string& lines = "") {
    const SipMessage message("SIP/2.0 " + std::to_string(status) +
                             " x\nVia: SIP/2.0/UDP b;branch=z9hG4bK1\nFrom: <sip:me@parley.example>;tag=l\n"
                             "To: <sip:bob@example.org>" +
                             (tag.empty() ? "" : ";tag=" + tag) + "\nCall-ID: c\nCSeq: 7 INVITE\nContact: <sip:bob@" +
                             (tag.empty() ? "x" : tag) + ">\n" + lines + "Content-Length: 0\n\n");
    reliable = RelVerdict::plain;
    EarlyDialog* const fork = forks.take(ours, message.head(), message.bytes, message.essentials, fault);
    if (fork != nullptr && status < 200) reliable = fork->reliable.receive(message.head(), message.bytes);
    return fork;
  }
  RelVerdict reliable = RelVerdict::plain;
};

TEST_F(Forks, R3261_9_EveryToTagIsADialogOfItsOwn) {
  EarlyDialog* const a = take(180, "a", "Require: 100rel\nRSeq: 5\n");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(reliable, RelVerdict::fresh);
  EarlyDialog* const b = take(183, "b", "Require: 100rel\nRSeq: 900\n");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(reliable, RelVerdict::fresh);  // R3262-3: its own numbers
  EXPECT_NE(a, b);
  EXPECT_EQ(take(180, "a", "Require: 100rel\nRSeq: 6\n"), a);
  EXPECT_EQ(reliable, RelVerdict::fresh);
  EXPECT_EQ(a->offers.received(SdpCarrier::rel_1xx, true), OfferVerdict::ok);
  EXPECT_EQ(a->offers.state(), OfferState::idle);
  EXPECT_EQ(b->offers.state(), OfferState::offered);  // T-26: the other has not answered
  EXPECT_EQ(forks.size(), 2U);
  EXPECT_EQ(take(180, ""), nullptr);
  EXPECT_EQ(fault, DialogFault::no_tag);
}

TEST_F(Forks, R3261_9_TheFirst2xxWinsTheNextOnesAreSurplusAndTheRestGo) {
  InviteUsage usage(InviteUsage::Side::inviting, config, start);
  (void)take(180, "a");
  (void)take(180, "b");
  (void)take(180, "d");
  EarlyDialog* const b = take(200, "b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dialog.state(), DialogState::confirmed);
  EXPECT_EQ(usage.on_2xx(b->number, start), invite_do::tell_answered);
  EarlyDialog* const c = take(200, "c");  // never rang
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(usage.on_2xx(c->number, start), invite_do::ack_bye_other);
  EXPECT_EQ(take(200, "b"), b);
  (void)usage.on(InviteEvent::acknowledge, start);
  EXPECT_EQ(usage.on_2xx(b->number, start), invite_do::send_ack_again);
  forks.drop_early();
  EXPECT_EQ(forks.size(), 2U);
  EXPECT_EQ(forks.find("a"), nullptr);
  EXPECT_EQ(forks.find("b"), b);
  forks.drop(c->number);
  EXPECT_EQ(forks.size(), 1U);
  EXPECT_EQ(pool.live_blocks(), 1U);
}

TEST_F(Forks, R3261_9_A2xxFindsAPlaceEvenWhenManyRing) {
  for (std::size_t i = 0; i < early_dialogs_max; ++i) ASSERT_NE(take(180, "t" + std::to_string(i)), nullptr);
  EXPECT_EQ(take(180, "more"), nullptr);
  EXPECT_EQ(fault, DialogFault::too_long);
  for (std::size_t i = 0; i < early_dialogs_max; ++i) {
    ASSERT_NE(take(200, "late" + std::to_string(i)), nullptr);
    EXPECT_EQ(forks.size(), early_dialogs_max);
  }
  EXPECT_EQ(take(200, "evenlater"), nullptr);  // it gets no ACK from us and ends by itself
  EXPECT_NE(forks.find("late0"), nullptr);
}

TEST_F(Forks, T_27_ARefusedPrackOfOneForkIsThatForksMatter) {
  EarlyDialog* const a = take(183, "a", "Require: 100rel\nRSeq: 1\n");
  (void)take(183, "b", "Require: 100rel\nRSeq: 1\n");
  a->reliable.prack_answered(481, start, config.t1);
  EXPECT_EQ(forks.next_deadline(), start + 32s);
  EXPECT_EQ(forks.due(start + 31s), 0U);
  EXPECT_EQ(forks.due(start + 32s), a->number);
  EXPECT_EQ(forks.due(start + 32s), 0U);
  EXPECT_EQ(forks.next_deadline(), core::never);
}

}  // namespace
}  // namespace parley::tests
