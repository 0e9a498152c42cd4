// tests/service/calls_race_test.cc - calls carried leg to leg: CANCEL, forks and what crosses on the way.
#include "tests/service/phones.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

TEST_F(Calls, R3261_7_CancelWhileItRings) {
  alice->invite("bob");
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 180);
  alice->want("180 INVITE");
  alice->cancel("Reason: SIP;cause=600\r\n");
  const std::string ok = alice->want("200 CANCEL");
  const std::string over = alice->want("487 INVITE");
  EXPECT_EQ(header(ok, "To"), header(over, "To"));
  const std::string cancel = bob->want("CANCEL");
  EXPECT_EQ(header(cancel, "Call-ID"), header(invite, "Call-ID"));
  EXPECT_EQ(header(cancel, "Reason"), "SIP;cause=600") << "T-16";
  bob->respond(cancel, 200);
  bob->respond(invite, 487);
  bob->want("ACK");
  alice->ack();
  at_rest();
}

TEST_F(Calls, T_24_CancelBeforeAnyResponseWaitsForOne) {
  alice->invite("bob");
  const std::string invite = bob->want("INVITE");
  alice->cancel();
  alice->want("200 CANCEL");
  alice->want("487 INVITE");
  bob->quiet();
  bob->respond(invite, 100);
  bob->respond(bob->want("CANCEL"), 200);
  bob->respond(invite, 487);
  bob->want("ACK");
  at_rest();
}

TEST_F(Calls, T_22_CancelCrosses200) {
  alice->invite("bob");
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 180);
  alice->want("180 INVITE");
  alice->cancel();
  alice->want("200 CANCEL");
  alice->want("487 INVITE");
  bob->want("CANCEL");
  bob->respond(invite, 200, "answer");  // it had gone before the CANCEL came
  bob->want("ACK");
  const std::string bye = bob->want("BYE");
  bob->respond(bye, 200);
  alice->quiet();
  at_rest();
}

TEST_F(Calls, R3261_7_CancelBehindA200ChangesNothing) {
  alice->invite("bob");
  bob->respond(bob->want("INVITE"), 200, "answer");
  alice->take(alice->want("200 INVITE"));
  alice->cancel();
  alice->want("200 CANCEL");
  alice->ack();
  bob->want("ACK");
  bob->quiet();
  hang_up();
  at_rest();
}

TEST_F(Calls, R3261_7_CancelWhileBindingsAreLookedUpElsewhere) {
  make(calls_config(), 2);
  line->world.lose_mail = true;
  for (int n = 0; n < 8; ++n) {  // some of them belong to the other shard
    alice->invite("bob" + std::to_string(n));
    alice->cancel();
  }
  line->world.lose_mail = false;
  at_rest();
}

TEST_F(Calls, R3261_9_TheFirstDeviceThatAnswersHasTheCall) {
  Phone second(*line, "bob", "127.0.0.1:40003");
  second.enrol();
  alice->invite("bob");
  const std::string one = bob->want("INVITE");
  const std::string two = second.want("INVITE");
  EXPECT_EQ(header(one, "Call-ID"), header(two, "Call-ID"));
  bob->respond(one, 180);
  second.respond(two, 180);
  const std::string ringing_one = alice->want("180 INVITE");
  const std::string ringing_two = alice->want("180 INVITE");
  EXPECT_NE(header(ringing_one, "To"), header(ringing_two, "To")) << "T-26: one dialog each";
  second.respond(two, 200, "answer");
  second.want("ACK");
  bob->respond(bob->want("CANCEL"), 200);
  bob->respond(one, 487);
  bob->want("ACK");
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "To"), header(ringing_two, "To"));
  alice->take(ok);
  alice->ack();
  alice->request("BYE");
  alice->want("200 BYE");
  second.respond(second.want("BYE"), 200);
  bob->quiet();
  at_rest();
}

TEST_F(Calls, R3261_9_ASecondAnswerIsAcknowledgedAndEnded) {
  Phone second(*line, "bob", "127.0.0.1:40003");
  second.enrol();
  alice->invite("bob");
  const std::string one = bob->want("INVITE");
  const std::string two = second.want("INVITE");
  bob->respond(one, 180);
  bob->respond(one, 200, "answer");
  second.respond(two, 200, "other");  // before the CANCEL reached it
  bob->want("ACK");
  second.want("ACK");
  second.respond(second.want("BYE"), 200);
  second.respond(two, 200, "other");  // the ACK was lost
  second.want("ACK");
  second.quiet();
  alice->want("180 INVITE");
  alice->take(alice->want("200 INVITE"));
  alice->quiet();
  alice->ack();
  EXPECT_EQ(line->world.metric(Metric::sip_calls_surplus), 1U);
  hang_up();
  at_rest();
}

TEST_F(Calls, T_23_ByeCrossesBye) {
  connect();
  alice->request("BYE");
  alice->want("200 BYE");
  const std::string ours = bob->want("BYE");
  bob->request("BYE");
  bob->want("200 BYE");
  bob->respond(ours, 481);
  alice->quiet();
  at_rest();
}

TEST_F(Calls, R3261_2_The200IsRepeatedUntilTheAckAndThenTheCallEnds) {
  alice->invite("bob");
  bob->respond(bob->want("INVITE"), 200, "answer");
  bob->want("ACK");
  alice->take(alice->want("200 INVITE"));
  line->pass(500ms);
  alice->want("200 INVITE");
  line->pass(1s);
  alice->want("200 INVITE");
  line->pass(29s);
  while (alice->boxed() != 0) alice->want("200 INVITE");
  line->pass(1600ms);
  while (alice->boxed() > 1) alice->want("200 INVITE");
  alice->respond(alice->want("BYE"), 200);
  bob->respond(bob->want("BYE"), 200);
  EXPECT_EQ(line->world.metric(Metric::sip_calls_no_ack), 1U);
  at_rest();
}

TEST_F(Calls, R3261_8_ALostAckIsSentAgain) {
  alice->invite("bob");
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 200, "answer");
  const std::string ack = bob->want("ACK");
  bob->respond(invite, 200, "answer");
  const std::string again = bob->want("ACK");
  EXPECT_EQ(header(again, "CSeq"), header(ack, "CSeq"));
  alice->take(alice->want("200 INVITE"));
  alice->quiet();
  alice->ack();
  hang_up();
  at_rest();
}

TEST_F(Calls, T_25_AnAckIsKnownByItsDialogWhateverItsUri) {
  alice->invite("bob");
  bob->respond(bob->want("INVITE"), 200, "answer");
  bob->want("ACK");
  alice->take(alice->want("200 INVITE"));
  const std::string target = std::exchange(alice->target, "sip:bob@example.org");
  alice->ack();
  alice->target = target;
  line->pass(10s);
  alice->quiet();
  hang_up();
  at_rest();
}

TEST_F(Calls, T_25_AnAckMayHaveTheBranchOfItsInvite) {
  alice->invite("bob");
  bob->respond(bob->want("INVITE"), 200, "answer");
  bob->want("ACK");
  alice->take(alice->want("200 INVITE"));
  std::string ack = "ACK " + alice->target + alice->invite_text.substr(alice->invite_text.find(" SIP/2.0\r\n"));
  ack.resize(ack.find("Content-Type"));
  ack.replace(ack.find("1 INVITE"), 8, "1 ACK");
  ack.insert(ack.find("\r\n", ack.find("To: ")), ";tag=" + tag_of(alice->remote));
  alice->send(ack + "Content-Length: 0\r\n\r\n");
  line->pass(10s);
  alice->quiet();
  hang_up();
  at_rest();
}

// It is the only final response that the caller's INVITE has.
TEST_F(Calls, R3261_2_AByeInTheEarlyDialogCrossesThe200WhichIsRepeated) {
  alice->invite("bob");
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 180);
  alice->take(alice->want("180 INVITE"));
  bob->respond(invite, 200, "answer");
  bob->want("ACK");
  const std::string lost = alice->want("200 INVITE");
  alice->request("BYE");
  alice->want("200 BYE");
  bob->respond(bob->want("BYE"), 200);
  line->pass(500ms);
  EXPECT_EQ(alice->want("200 INVITE"), lost);
  alice->ack();
  line->pass(10s);
  alice->quiet();
  bob->quiet();
  at_rest();
}

TEST_F(Calls, R3261_2_ByeBeforeTheAck) {
  alice->invite("bob");
  bob->respond(bob->want("INVITE"), 200, "answer");
  bob->want("ACK");
  bob->request("BYE");
  bob->want("200 BYE");
  alice->take(alice->want("200 INVITE"));
  alice->quiet();  // RFC 3261 section 15: not before the ACK
  alice->ack();
  alice->respond(alice->want("BYE"), 200);
  at_rest();
}

TEST_F(Calls, R3261_9_NobodyAnswersInTime) {
  alice->invite("bob");
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 180);
  alice->want("180 INVITE");
  line->pass(3min + 100ms);
  bob->respond(bob->want("CANCEL"), 200);
  bob->respond(invite, 487);
  bob->want("ACK");
  EXPECT_EQ(code(alice->next()), "480");
  alice->ack();
  at_rest();
}

TEST_F(Calls, R3261_4_TheSameInviteByAnotherWayIs482) {
  alice->invite("bob");
  const std::string invite = bob->want("INVITE");
  std::string merged = alice->last;
  merged.replace(merged.find("branch=z9hG4bK"), 14, "branch=z9hG4bKother");
  alice->send(merged);
  alice->want("482 INVITE");
  bob->quiet();
  bob->respond(invite, 486);
  bob->want("ACK");
  alice->want("486 INVITE");
  at_rest();
}

TEST_F(Calls, R3261_10_MaxForwardsEndsALoop) {
  // The user's contact is this server: each round is a new call.
  Phone lost(*line, "carol", "127.0.0.1:40004");
  lost.features = "";
  lost.send(
      "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40004;branch=z9hG4bKloop\r\nFrom: "
      "<sip:carol@example.org>;tag=r\r\nTo: <sip:carol@example.org>\r\nCall-ID: loop\r\nCSeq: 1 REGISTER\r\nContact: "
      "<sip:carol@127.0.0.1:5060>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(code(lost.next()), "200");
  alice->invite("carol");
  for (int round = 0; round < 100; ++round) {  // what it sends to itself comes back
    auto& box = line->boxes["127.0.0.1:5060"];
    if (box.empty()) break;
    const std::string text = box.front();
    box.pop_front();
    line->world.datagram(text, "127.0.0.1:5060");
    line->collect();
  }
  while (!line->boxes["127.0.0.1:5060"].empty()) {
    const std::string text = line->boxes["127.0.0.1:5060"].front();
    line->boxes["127.0.0.1:5060"].pop_front();
    line->world.datagram(text, "127.0.0.1:5060");
    line->collect();
  }
  EXPECT_EQ(code(alice->next()), "500") << "a 483 of ours is our matter";
  at_rest();
}

TEST_F(Calls, R3261_11_OneTooManyIsRefused) {
  auto config = calls_config();
  config->calls.calls_max = 1;
  make(config);
  connect();
  alice->invite("bob");
  alice->want("503 INVITE");
  EXPECT_EQ(line->world.metric(Metric::sip_calls_limit), 1U);
}

TEST_F(Calls, DrainWaitsForCallsAndThenEndsThem) {
  connect();
  line->world.drain();
  EXPECT_FALSE(line->world.service().drained());
  alice->invite("bob");
  alice->want("503 INVITE");
  line->pass(25s);
  alice->quiet();
  line->pass(2s);
  const std::string bye = alice->want("BYE");
  EXPECT_TRUE(header(bye, "Reason").starts_with("SIP;cause=503")) << bye;
  alice->respond(bye, 200);
  bob->respond(bob->want("BYE"), 200);
  line->pass(1s);
  EXPECT_TRUE(line->world.service().drained());
  EXPECT_EQ(line->world.metric(Metric::sip_calls_drained), 1U);
}

}  // namespace
}  // namespace parley::tests
