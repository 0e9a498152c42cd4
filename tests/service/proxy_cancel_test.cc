// tests/service/proxy_cancel_test.cc - what is cancelled is not sent again, by no other way.
#include <gtest/gtest.h>

#include "tests/service/proxy_world.h"

namespace parley::tests {
namespace {

struct ProxyCancel : testing::Test {
  SipWorld world;
  const Says call{.method = "INVITE", .lines = "Contact: <sip:alice@127.0.0.9>\r\n"};

  void register_by_name() {
    ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@host.example.com>")), "200");
    world.datagram(text_of(call), peer);
    ASSERT_EQ(world.resolves.size(), 1U);
  }
  void cancel() {
    world.datagram(text_of(beside(call, "CANCEL")), peer);
    EXPECT_EQ(what(world.only().text), "200");
  }
};

TEST_F(ProxyCancel, R3261_7_WhileANameIsBeingResolved) {
  register_by_name();
  cancel();
  world.resolved(world.resolves[0], {"127.0.0.2:5070"});
  EXPECT_EQ(what(world.only().text), "487") << "and no INVITE to ring anywhere";
}

TEST_F(ProxyCancel, R3263_2_NoNextAddressForACancelledInvite) {
  register_by_name();
  world.resolved(world.resolves[0], {"127.0.0.2:5070", "127.0.0.3:5070"});
  ASSERT_EQ(what(world.only().text), "INVITE");
  cancel();
  world.advance(40s);
  for (const auto& sent : world.take()) EXPECT_NE(sent.to, address("127.0.0.3:5070")) << sent.text;
  EXPECT_EQ(world.service().live_proxied(), 0U);
}

TEST_F(ProxyCancel, R3263_2_TheNextAddressIsTriedOtherwise) {
  register_by_name();
  world.resolved(world.resolves[0], {"127.0.0.2:5070", "127.0.0.3:5070"});
  (void)world.take();
  world.advance(33s);
  bool second = false;
  for (const auto& sent : world.take()) second = second || sent.to == address("127.0.0.3:5070");
  EXPECT_TRUE(second);
}

TEST_F(ProxyCancel, R5626_2_NoOtherFlowForACancelledInvite) {
  const auto flow = [&](core::ConnId conn, int reg_id) {
    const std::string own = "<sip:bob@example.org>";
    world.bytes(conn, text_of({.method = "REGISTER",
                               .uri = "sip:example.org",
                               .transport = "TCP",
                               .branch = "z9hG4bKf" + std::to_string(reg_id),
                               .from = own + ";tag=r",
                               .to = own,
                               .call_id = "flow" + std::to_string(reg_id),
                               .lines = "Supported: outbound, path\r\nContact: "
                                        "<sip:bob@127.0.0.9;transport=tcp>;+sip.instance=\"<urn:x>\";reg-id=" +
                                        std::to_string(reg_id) + "\r\n"}));
    EXPECT_EQ(what(world.only().text), "200");
  };
  const core::ConnId one = world.open("127.0.0.9:40001");
  const core::ConnId two = world.open("127.0.0.9:40002");
  flow(one, 1);
  flow(two, 2);
  world.datagram(text_of(call), peer);
  const SipWorld::Sent there = world.only();
  ASSERT_EQ(what(there.text), "INVITE");
  cancel();
  world.close(there.conn);
  const SipWorld::Sent answer = world.only();
  EXPECT_EQ(what(answer.text), "487") << "not the INVITE by the other flow";
}

TEST_F(ProxyCancel, ALostConnectionAfterTheFinalResponseChangesNothing) {
  ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@127.0.0.2:5070;transport=tcp>")), "200");
  world.datagram(text_of(call), peer);
  ASSERT_EQ(world.connects.size(), 1U);
  const core::ConnId conn = world.connected(world.connects[0].token, "127.0.0.2:5070");
  const SipWorld::Sent there = world.only();
  world.answer(there, 486);
  EXPECT_EQ(codes(world.take()), (Codes{"ACK", "486"}));
  world.close(conn);
  world.advance(100ms);
  EXPECT_EQ(world.connects.size(), 1U);
}

// RFC 3261 section 22.1: bob has seen the Via of the INVITE, and could end what rings on carol's side.
TEST_F(ProxyCancel, R3261_7_OnlyWhoSentTheInviteCancelsIt) {
  ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@127.0.0.2:5070>")), "200");
  world.datagram(text_of(call), peer);
  const SipWorld::Sent there = world.only();
  world.answer(there, 180);
  (void)world.take();
  world.datagram(text_of(beside(call, "CANCEL")), "127.0.0.2:5070");
  EXPECT_EQ(what(world.only().text), "481");
  world.datagram(text_of(beside(call, "CANCEL")), "127.0.0.9:5099");
  EXPECT_EQ(codes(world.take()), (Codes{"200", "CANCEL"})) << "another port of the same host";
}

// --- R3261-18, RFC 3326

TEST_F(ProxyCancel, R3261_18_TheReasonGoesWithTheCancel) {
  ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@127.0.0.2:5070>")), "200");
  world.datagram(text_of(call), peer);
  const SipWorld::Sent there = world.only();
  world.answer(there, 180);
  (void)world.take();
  Says cancel = beside(call, "CANCEL");
  cancel.lines = "Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\nReason: Q.850;cause=26\r\n";
  world.datagram(text_of(cancel), peer);
  const auto sent = world.take();
  ASSERT_EQ(codes(sent), (Codes{"200", "CANCEL"}));
  EXPECT_EQ(header(sent[1].text, "Reason"), "SIP;cause=200;text=\"Call completed elsewhere\", Q.850;cause=26");
}

TEST_F(ProxyCancel, R3261_18_WhoIsCancelledBecauseAnotherAnsweredIsTold) {
  ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@127.0.0.2:5070>")), "200");
  ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@127.0.0.3:5070>")), "200");
  world.datagram(text_of(call), peer);
  const auto there = world.take();
  ASSERT_EQ(codes(there), (Codes{"INVITE", "INVITE"}));
  for (const auto& one : there) world.answer(one, 180);
  (void)world.take();
  world.answer(there[0], 200);
  std::string reason;
  for (const auto& sent : world.take()) {
    if (what(sent.text) == "CANCEL") reason = header(sent.text, "Reason");
  }
  EXPECT_EQ(reason, "SIP;cause=200;text=\"Call completed elsewhere\"");
}

}  // namespace
}  // namespace parley::tests
