// tests/service/proxy_shards_test.cc - requests that concern more than one shard: an INVITE and what belongs to it by
// different connections, and questions between shards whose answer is lost.
#include <gtest/gtest.h>

#include "tests/service/proxy_world.h"

namespace parley::tests {
namespace {

const std::string contact = "<sip:bob@127.0.0.2:5070>";

struct TwoShards : testing::Test {
  SipWorld world{sip_config(), 2};
  std::uint32_t owner = 0;  // of bob

  void SetUp() override {
    ASSERT_EQ(what(enrol(world, "bob", contact)), "200");
    owner = world.service(0).live_bindings() == 1 ? 0 : 1;
  }
  static Says invite(const std::string& transport = "TCP") {
    return {.method = "INVITE", .transport = transport, .lines = "Contact: <sip:alice@127.0.0.9>\r\n"};
  }
};

TEST_F(TwoShards, R3261_7_ACancelByAnotherConnectionFindsItsInvite) {
  for (const std::uint32_t first : {0U, 1U}) {
    const std::uint32_t second = 1 - first;
    const core::ConnId a = world.open("127.0.0.9:40001", first);
    const core::ConnId b = world.open("127.0.0.9:40002", second);
    Says call = invite();
    call.branch += std::to_string(first);
    world.bytes(a, text_of(call), first);
    const SipWorld::Sent there = world.only();
    ASSERT_EQ(what(there.text), "INVITE");
    world.answer(there, 180);
    ASSERT_EQ(what(world.only().text), "180");
    EXPECT_EQ(world.invites.count(), 1U);

    world.bytes(b, text_of(beside(call, "CANCEL")), second);
    auto sent = world.take();
    ASSERT_EQ(codes(sent), (Codes{"CANCEL", "200"}));
    EXPECT_EQ(sent[1].shard, second) << "by the connection it came by";
    EXPECT_EQ(sent[1].conn, b);
    world.answer(sent[0], 200);
    world.answer(there, 487);
    sent = world.take();
    ASSERT_EQ(codes(sent), (Codes{"487", "ACK"}));
    EXPECT_EQ(sent[0].conn, a);
    EXPECT_EQ(sent[0].shard, first);

    world.bytes(b, text_of(beside(call, "ACK", header(sent[0].text, "To"))), second);
    EXPECT_TRUE(world.take().empty());
    EXPECT_EQ(world.metric(core::Metric::sip_passed_on), (first + 1) * 2U);
    EXPECT_EQ(world.metric(core::Metric::sip_dropped), 0U) << "the ACK found its INVITE";
    world.advance(60s);
    EXPECT_TRUE(world.take().empty());
    EXPECT_EQ(world.service(0).live_transactions() + world.service(1).live_transactions(), 0U);
    EXPECT_EQ(world.invites.count(), 0U);
  }
}

TEST_F(TwoShards, R3261_1_ARepeatedInviteFromAnotherPortIsKnown) {
  const Says call = invite("UDP");
  world.datagram(text_of(call), "127.0.0.9:5060", 0);
  const SipWorld::Sent there = world.only();
  world.answer(there, 180);
  (void)world.take();
  world.datagram(text_of(call), "127.0.0.9:5061", 1);
  const SipWorld::Sent again = world.only();
  EXPECT_EQ(what(again.text), "180") << "not a second INVITE";
  EXPECT_EQ(again.to, address("127.0.0.9:5060"));
  world.answer(there, 486);
  const auto sent = world.take();
  ASSERT_EQ(codes(sent), (Codes{"ACK", "486"}));
  world.datagram(text_of(beside(call, "ACK", header(sent[1].text, "To"))), "127.0.0.9:5061", 1);
  world.advance(1s);
  EXPECT_TRUE(world.take().empty()) << "the 486 is not repeated behind its ACK";
}

TEST_F(TwoShards, R3261_8_AnAckForA2xxIsNobodysAndGoesOn) {
  const Says call = invite();
  const core::ConnId a = world.open("127.0.0.9:40001", 0);
  const core::ConnId b = world.open("127.0.0.9:40002", 1);
  world.bytes(a, text_of(call), 0);
  const SipWorld::Sent there = world.only();
  world.answer(there, 200);
  ASSERT_EQ(what(world.only().text), "200");
  Says ack = beside(call, "ACK", "<sip:bob@example.org>;tag=b1");
  ack.uri = "sip:bob@127.0.0.2:5070";
  ack.branch = "z9hG4bKtwo";
  ack.lines =
      "Route: " + values(there.text, "Record-Route").back() + ", " + header(there.text, "Record-Route") + "\r\n";
  world.bytes(b, text_of(ack), 1);
  EXPECT_EQ(what(world.only().text), "ACK");
  EXPECT_EQ(world.metric(core::Metric::sip_passed_on), 0U);
}

TEST_F(TwoShards, ALostQuestionIsAnswered503) {
  const std::uint32_t other = 1 - owner;
  for (const std::string method : {"INVITE", "MESSAGE"}) {
    Says call = invite("UDP");
    call.method = method;
    call.branch += method;
    world.lose_mail = true;
    world.datagram(text_of(call), peer, other);
    world.lose_mail = false;
    world.advance(1900ms);
    for (const auto& sent : world.take()) EXPECT_EQ(what(sent.text), "100");
    world.advance(200ms);
    const SipWorld::Sent answer = world.only();
    EXPECT_EQ(what(answer.text), "503");
    world.datagram(text_of(beside(call, "ACK", header(answer.text, "To"))), peer, other);
    EXPECT_EQ(world.service(other).live_proxied(), 0U);
  }
  EXPECT_EQ(world.metric(core::Metric::sip_questions_lost), 2U);
  world.advance(60s);
  EXPECT_TRUE(world.take().empty());
  EXPECT_EQ(world.service(other).live_transactions(), 0U);
}

TEST_F(TwoShards, ALostRegisterIsAnswered503) {
  const std::string own = "<sip:bob@example.org>";
  const Says says{.method = "REGISTER",
                  .uri = "sip:example.org",
                  .from = own + ";tag=r",
                  .to = own,
                  .lines = "Contact: *\r\nExpires: 0\r\n"};
  world.lose_mail = true;
  world.datagram(text_of(says), peer, 1 - owner);
  world.lose_mail = false;
  EXPECT_TRUE(world.take().empty());
  world.advance(2s);
  EXPECT_EQ(what(world.only().text), "503");
  EXPECT_EQ(world.metric(core::Metric::sip_questions_lost), 1U);
}

TEST_F(TwoShards, AnAnsweredQuestionIsForgotten) {
  world.datagram(text_of({}), peer, 1 - owner);
  const SipWorld::Sent there = world.only();
  world.advance(3s);
  (void)world.take();
  world.answer(there, 200);
  EXPECT_EQ(what(world.only().text), "200");
  EXPECT_EQ(world.metric(core::Metric::sip_questions_lost), 0U);
}

TEST_F(TwoShards, QuestionsAreBounded) {
  auto config = sip_config();
  config->transactions.transactions_max = 16;
  SipWorld tight(config, 2);
  ASSERT_EQ(what(enrol(tight, "bob", contact)), "200");
  tight.lose_mail = true;
  const core::ConnId conn = tight.open("127.0.0.9:40001", 1 - owner);
  for (int i = 0; i < 20; ++i) {
    const std::string own = "<sip:bob@example.org>";
    tight.bytes(conn,
                text_of({.method = "REGISTER",
                         .uri = "sip:example.org",
                         .transport = "TCP",
                         .branch = "z9hG4bKq" + std::to_string(i),
                         .from = own + ";tag=r",
                         .to = own,
                         .call_id = "q" + std::to_string(i)}),
                1 - owner);
  }
  EXPECT_EQ(tight.metric(core::Metric::sip_questions_limit), 4U);
  EXPECT_EQ(codes(tight.take()), Codes(4, "503"));
}

}  // namespace
}  // namespace parley::tests
