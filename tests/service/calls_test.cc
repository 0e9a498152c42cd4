// tests/service/calls_test.cc - calls carried leg to leg: how they begin and end.
#include "tests/service/phones.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

TEST_F(Calls, R3261_5_ACallIsTwoDialogsOfOurs) {
  alice->invite("bob", "offer", "Subject: lunch\r\nX-Own: 1\r\nContribution-ID: abc\r\n");
  const std::string invite = bob->want("INVITE");
  EXPECT_TRUE(invite.starts_with("INVITE sip:bob@127.0.0.1:40002 SIP/2.0\r\n")) << invite;
  EXPECT_NE(header(invite, "Call-ID"), alice->call_id);
  EXPECT_NE(header(invite, "From"), alice->local);
  EXPECT_TRUE(header(invite, "From").starts_with("<sip:alice@example.org>;tag=")) << invite;
  EXPECT_EQ(header(invite, "To"), "<sip:bob@example.org>");
  EXPECT_EQ(header(invite, "Record-Route"), "");
  EXPECT_EQ(header(invite, "Max-Forwards"), "69");
  EXPECT_EQ(invite.find("127.0.0.1:40001"), std::string::npos) << "nothing of the caller's address\n" << invite;
  EXPECT_EQ(invite.find("Via: ", invite.find("Via: ") + 1), std::string::npos);
  EXPECT_EQ(body_of(invite), "offer");
  EXPECT_EQ(header(invite, "Content-Type"), "application/sdp");
  EXPECT_EQ(header(invite, "Subject") + header(invite, "X-Own") + header(invite, "Contribution-ID"), "lunch1abc")
      << "T-9";
  EXPECT_TRUE(header(invite, "Contact").ends_with("@127.0.0.1:5060>")) << invite;

  bob->respond(invite, 180);
  const std::string ringing = alice->want("180 INVITE");
  EXPECT_NE(tag_of(header(ringing, "To")), "");
  EXPECT_NE(tag_of(header(ringing, "To")), tag_of(bob->local)) << "ours, not the other side's";
  bob->respond(invite, 200, "answer", "Warning: 399 x \"y\"\r\n");
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "To"), header(ringing, "To"));
  EXPECT_EQ(body_of(ok), "answer");
  EXPECT_EQ(header(ok, "Warning"), "399 x \"y\"") << "T-16";
  EXPECT_EQ(ok.find("127.0.0.1:40002"), std::string::npos) << ok;
  const std::string early_ack = bob->want("ACK");
  EXPECT_EQ(header(early_ack, "Call-ID"), header(invite, "Call-ID"));
  EXPECT_EQ(header(early_ack, "CSeq"), "1 ACK");
  alice->take(ok);
  alice->ack();
  bob->quiet();
  EXPECT_EQ(line->world.metric(Metric::sip_calls), 1U);

  alice->request("BYE", {}, "Reason: Q.850;cause=16\r\n");
  alice->want("200 BYE");
  const std::string bye = bob->want("BYE");
  EXPECT_EQ(header(bye, "Call-ID"), header(invite, "Call-ID"));
  EXPECT_EQ(header(bye, "CSeq"), "2 BYE");
  EXPECT_EQ(header(bye, "From"), header(invite, "From"));
  EXPECT_EQ(header(bye, "Reason"), "Q.850;cause=16") << "T-16";
  bob->respond(bye, 200);
  alice->quiet();
  at_rest();
}

TEST_F(Calls, R3261_5_TheCalleeHangsUp) {
  connect();
  bob->request("BYE");
  bob->want("200 BYE");
  const std::string bye = alice->want("BYE");
  EXPECT_EQ(header(bye, "Call-ID"), alice->call_id);
  EXPECT_EQ(header(bye, "To"), alice->local);
  EXPECT_EQ(header(bye, "From"), alice->remote);
  alice->respond(bye, 200);
  at_rest();
}

TEST_F(Calls, R3261_9_ARefusalGoesBackWithWhatItSays) {
  alice->invite("bob");
  bob->respond(bob->want("INVITE"), 486, {}, "Error-Info: <sip:busy@example.org>\r\nWarning: 399 x \"busy\"\r\n");
  bob->want("ACK");
  const std::string busy = alice->want("486 INVITE");
  EXPECT_EQ(header(busy, "Error-Info"), "<sip:busy@example.org>");
  EXPECT_EQ(header(busy, "Warning"), "399 x \"busy\"");
  at_rest();
}

TEST_F(Calls, R3261_9_NobodyThereIs404Or480) {
  alice->invite("nobody");
  EXPECT_EQ(code(alice->next()), "404");
  alice->invite("carol");
  EXPECT_EQ(code(alice->next()), "480");
  at_rest();
}

}  // namespace
}  // namespace parley::tests
