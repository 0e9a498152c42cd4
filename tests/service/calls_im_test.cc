// tests/service/calls_im_test.cc - what the participating functions have messages say where they are an end of both
// dialogs (SEED4-6.1.1.2.2, SEED4-6.1.2.2.2, SEED4-6.1.2.2.4, DEC-8, DEC-10).
#include <gtest/gtest.h>

#include "tests/service/phones.h"

namespace parley::tests {
namespace {

struct ImCalls : Calls {
  void SetUp() override {
    auto config = calls_config();
    config->im.participating = true;
    config->im.product = "IM-serv/OMA1.0 parley/1.2";
    make(config);
  }
};

TEST_F(ImCalls, SEED4_6_1_2_2_2_TheInviteToAUserOfOurs) {
  alice->features = ";+g.oma.sip-im;isfocus";
  alice->invite(
      "bob", "offer",
      im + "P-Asserted-Identity: <sip:alice@example.org>\r\nPrivacy: id\r\nUser-Agent: IM-client/OMA1.0 x/1\r\nSupported: timer\r\nAllow: INVITE, ACK, BYE\r\n");
  const std::string invite = bob->want("INVITE");
  EXPECT_NE(header(invite, "Call-ID"), alice->call_id) << "SEED4-6.1.2.2.2-0b, SEED4-6.1.1.2.2-1c, -1d";
  EXPECT_EQ(header(invite, "Privacy"), "id") << "SEED4-6.1.2.2.2-1";
  EXPECT_EQ(header(invite, "P-Asserted-Identity"), "<sip:alice@example.org>") << "SEED4-6.1.2.2.2-9";
  EXPECT_EQ(header(invite, "Record-Route"), "") << "SEED4-6.1.1.2.2-1c";
  EXPECT_EQ(header(invite, "Accept-Contact"), "*;+g.oma.sip-im") << "SEED4-6.1.2.2.2-3";
  EXPECT_EQ(header(invite, "User-Agent"), "IM-serv/OMA1.0 parley/1.2") << "SEED4-6.1.2.2.2-4";
  EXPECT_NE(header(invite, "Session-Expires").find(";refresher=uas"), std::string::npos)
      << "SEED4-6.1.2.2.2-5 " << invite;
  EXPECT_NE(header(invite, "Supported").find("timer"), std::string::npos) << "SEED4-6.1.2.2.2-6";
  EXPECT_EQ(header(invite, "Allow"), "INVITE, ACK, BYE") << "SEED4-6.1.2.2.2-7, SEED4-6.1.1.2.2-1b, -1e";
  EXPECT_NE(header(invite, "Contact").find("@127.0.0.1:5060>;+g.oma.sip-im;isfocus"), std::string::npos)
      << "SEED4-6.1.2.2.2-8a, -8b, -8c, SEED4-6.1.1.2.2-1f " << invite;
  bob->respond(invite, 200, "answer",
               "Privacy: id\r\nSupported: timer\r\nServer: IM-client/OMA1.0 y/1\r\nP-Asserted-Identity: "
               "<sip:bob@example.org>\r\n");
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "Server"), "IM-serv/OMA1.0 parley/1.2") << "SEED4-6.1.2.2.2-17";
  EXPECT_EQ(header(ok, "Privacy"), "id") << "SEED4-6.1.2.2.2-12, DEC-15";
  EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:bob@example.org>") << "SEED4-6.1.2.2.2-11";
  EXPECT_EQ(header(ok, "Require"), "timer") << "SEED4-6.1.2.2.2-13";
  EXPECT_NE(header(ok, "Session-Expires").find(";refresher=uas"), std::string::npos) << "SEED4-6.1.2.2.2-14 " << ok;
  EXPECT_NE(header(ok, "Contact").find(">;+g.oma.sip-im"), std::string::npos) << "SEED4-6.1.2.2.2-18 " << ok;
  EXPECT_FALSE(header(ok, "Allow").empty()) << "SEED4-6.1.2.2.2-16";
  alice->take(ok);
  alice->ack();
  bob->want("ACK");
  hang_up();
  at_rest();
}

// The INVITE that is written for him says it as well, where nobody asserts anything.
TEST_F(ImCalls, OMA_ACC_3_WhoCallsIsWhomTheFromNamesUnlessHeIsAnonymous) {
  auto documents = std::make_shared<policy::Documents>();
  documents->judge_requests = true;
  const auto error = policy::parse_access_rules(
      "<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\" xmlns:p=\"urn:oma:xml:poc:poc-rules\"><rule id=\"r\">"
      "<conditions><identity><one id=\"sip:alice@example.org\"/></identity></conditions><actions><p:allow-invite>reject"
      "</p:allow-invite></actions></rule></ruleset>",
      documents->access_rules[policy::user_key("sip:bob@example.org")]);
  ASSERT_FALSE(error) << error.reason;
  auto config = calls_config();
  config->im.participating = true;
  config->documents = documents;
  make(config);
  alice->invite("bob", "offer", im);
  const std::string refused = alice->next();
  EXPECT_EQ(Phone::kind(refused), "403 INVITE");
  alice->ack_refused(refused);
  bob->quiet();
  alice->invite("bob", "offer", im + "Privacy: id\r\n");
  EXPECT_EQ(Phone::kind(bob->next()), "INVITE") << "nobody but anonymous";
}

TEST_F(ImCalls, SEED4_6_1_2_2_2_10_The200IsThatOfAUserAgent) {
  alice->invite("bob", "offer", im);
  const std::string sent = alice->last;
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 180);
  const std::string ringing = alice->want("180 INVITE");
  bob->respond(invite, 200, "answer");
  bob->want("ACK");
  const std::string ok = alice->want("200 INVITE");
  for (const char* name : {"From", "Call-ID", "CSeq"}) EXPECT_EQ(header(ok, name), header(sent, name));
  EXPECT_EQ(all_of(ok, "Via").size(), 1U);
  EXPECT_TRUE(header(ok, "Via").starts_with(header(sent, "Via"))) << ok;
  EXPECT_EQ(header(ok, "To"), header(ringing, "To")) << "one dialog";
  EXPECT_NE(tag_of(header(ok, "To")), tag_of(bob->local)) << "and not bob's";
  EXPECT_EQ(all_of(ok, "Contact").size(), 1U);
  EXPECT_EQ(header(ok, "Record-Route"), "");
  EXPECT_EQ(body_of(ok), "answer");
  line->pass(std::chrono::milliseconds(500));
  EXPECT_EQ(alice->want("200 INVITE"), ok) << "RFC 3261 section 13.3.1.4: again, until it is acknowledged";
  line->pass(std::chrono::seconds(1));
  EXPECT_EQ(alice->want("200 INVITE"), ok);
  alice->take(ok);
  alice->ack();
  line->pass(std::chrono::seconds(10));
  alice->quiet();
  bob->quiet();
  hang_up();
  at_rest();
}

TEST_F(ImCalls, SEED4_6_1_2_2_2_15_TheSessionTimerEndsBothLegsWhenNobodyRefreshes) {
  alice->invite("bob", "offer", im + "Supported: timer\r\nSession-Expires: 600\r\nAllow: INVITE, ACK, BYE, UPDATE\r\n");
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 200, "answer",
               "Require: timer\r\nSession-Expires: 600;refresher=uas\r\nAllow: INVITE, ACK, BYE, UPDATE\r\n");
  bob->want("ACK");
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "Session-Expires"), "600;refresher=uas");
  alice->take(ok);
  alice->ack();
  line->pass(std::chrono::seconds(300));
  const std::string refresh = alice->want("UPDATE");  // ours, towards the controlling function
  EXPECT_EQ(header(refresh, "Session-Expires"), "600;refresher=uac");
  alice->respond(refresh, 200, {}, "Require: timer\r\nSession-Expires: 600;refresher=uac\r\n");
  bob->quiet();  // his to refresh, which he does not
  line->pass(std::chrono::seconds(300));
  std::string last = alice->next();
  if (Phone::kind(last) == "UPDATE") {
    alice->respond(last, 200, {}, "Require: timer\r\nSession-Expires: 600;refresher=uac\r\n");
    last = alice->next();
  }
  EXPECT_EQ(Phone::kind(last), "BYE") << last;
  alice->respond(last, 200);
  bob->respond(bob->want("BYE"), 200);
  at_rest();
}

// DEC-23: what a 200 has to say unless a provisional response of its dialog has said it, it says in any case.
TEST_F(ImCalls, DEC_23_TheOneOfAForkThatAnswersHasAServerHeaderOfItsOwn) {
  Phone tablet(*line, "bob", "127.0.0.1:40012");
  tablet.enrol();
  alice->invite("bob", "offer", im);
  bob->respond(bob->want("INVITE"), 183);
  const std::string first = alice->want("183 INVITE");
  EXPECT_EQ(header(first, "Server"), "IM-serv/OMA1.0 parley/1.2");
  tablet.respond(tablet.want("INVITE"), 200, "answer");
  const std::string ok = alice->want("200 INVITE");
  EXPECT_NE(header(ok, "To"), header(first, "To")) << "a dialog of its own";
  EXPECT_EQ(header(ok, "Server"), "IM-serv/OMA1.0 parley/1.2");
  EXPECT_NE(header(ok, "Allow"), "");
}

// DEC-13: what the clauses have for the controlling function holds for the client, too.
TEST_F(ImCalls, DEC_13_AReinviteAndAByeOfTheClientGoTheOtherWay) {
  connect(im, "Server: IM-client/OMA1.0 y/1\r\n");
  bob->request("INVITE", "new offer");
  const std::string invite = alice->want("INVITE");
  EXPECT_EQ(header(invite, "Call-ID"), alice->call_id);
  EXPECT_EQ(body_of(invite), "new offer");
  alice->respond(invite, 488, {}, "Warning: 399 x \"no\"\r\n");
  alice->want("ACK");
  const std::string refused = bob->want("488 INVITE");
  EXPECT_EQ(header(refused, "Warning"), "399 x \"no\"") << "SEED4-6.1.2.2.3-10";
  bob->request("BYE");
  bob->want("200 BYE");
  alice->respond(alice->want("BYE"), 200);
}

TEST_F(ImCalls, SEED4_6_1_2_2_3_10_AReinviteThatTheClientRefusesIsRefused) {
  connect(im);
  for (const int status : {403, 415, 486, 488, 603}) {
    alice->request("INVITE", "new offer");
    const std::string sent = alice->last;
    const std::string invite = bob->want("INVITE");
    EXPECT_EQ(header(invite, "Call-ID"), bob->call_id) << "SEED4-6.1.2.2.3-3: the dialog towards the client";
    EXPECT_EQ(body_of(invite), "new offer") << "SEED4-6.1.2.2.3-1, -2";
    bob->respond(invite, status, {}, "Warning: 399 bob \"why\"\r\n");
    bob->want("ACK");
    const std::string refused = alice->want(std::to_string(status) + " INVITE");
    EXPECT_EQ(header(refused, "Warning"), "399 bob \"why\"");
    EXPECT_EQ(header(refused, "CSeq"), header(sent, "CSeq"));
    alice->invite_text = sent;
    alice->ack_refused(refused);
  }
  hang_up();
  at_rest();
}

TEST_F(ImCalls, SEED4_6_1_2_2_2_8c_WithoutAFocusNoneIsClaimedAndTheTagIsAdded) {
  alice->invite("bob", "offer", "Accept-Contact: *;+g.oma.sip-im.large-message\r\n");
  const std::string invite = bob->want("INVITE");
  EXPECT_EQ(header(invite, "Contact").find("isfocus"), std::string::npos) << invite;
  EXPECT_NE(header(invite, "Contact").find(">;+g.oma.sip-im"), std::string::npos) << invite;
  EXPECT_NE(invite.find("Accept-Contact: *;+g.oma.sip-im\r\n"), std::string::npos) << "SEED4-6.1.2.2.2-3 " << invite;
  EXPECT_NE(invite.find("Accept-Contact: *;+g.oma.sip-im.large-message\r\n"), std::string::npos) << invite;
  bob->respond(invite, 486);
  EXPECT_EQ(header(alice->want("486 INVITE"), "Server"), "IM-serv/OMA1.0 parley/1.2") << "SEED4-6.1.1.1-6";
}

TEST_F(ImCalls, DEC_8_AnExplicitRefresherIsNotTurnedRoundAndWithoutTimerNothingIsRequired) {
  alice->invite("bob", "offer", im + "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n");
  bob->respond(bob->want("INVITE"), 200, "answer");
  const std::string uac = alice->want("200 INVITE");
  EXPECT_EQ(header(uac, "Session-Expires"), "1800;refresher=uac");
  alice->take(uac);
  alice->ack();
  bob->want("ACK");
  hang_up();
  bob->call_id.clear();
  alice->invite("bob", "offer", im);
  bob->respond(bob->want("INVITE"), 200, "answer");
  const std::string none = alice->want("200 INVITE");
  EXPECT_EQ(header(none, "Require"), "") << none;
}

// SEED4-6.1.2.2.4-1, -2
TEST_F(ImCalls, SEED4_6_1_2_2_4_ACancelIsAnswered200And487AndPassedOn) {
  alice->invite("bob", "offer", im);
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 180);
  alice->want("180 INVITE");
  alice->cancel();
  alice->want("200 CANCEL");
  alice->want("487 INVITE");
  bob->want("CANCEL");
}

// SEED4-6.1.1.2.2-1a, -1h, -3, -4, -5, -8, -15, SEED4-6.1.1.1-5, -7, OMA-ID-1
TEST_F(ImCalls, SEED4_6_1_1_2_2_1a_AnInviteToAConferenceElsewhere) {
  Phone focus(*line, "focus", "127.0.0.1:40007");
  focus.features = ";isfocus;+g.oma.sip-im";
  const std::string factory = "sip:factory@127.0.0.1:40007;sessiontype=adhoc";
  alice->invite("bob", "offer", im);  // for its Call-ID and tags; to bob, who is busy
  bob->respond(bob->want("INVITE"), 486);
  alice->want("486 INVITE");
  alice->ack();
  alice->call_id = "conf1";
  alice->remote = "<" + factory + ">";
  alice->target = factory;
  alice->request("INVITE", "offer", im);
  const std::string invite = focus.want("INVITE");
  EXPECT_TRUE(invite.starts_with("INVITE " + factory + " SIP/2.0\r\n")) << invite;
  EXPECT_EQ(header(invite, "User-Agent"), "IM-serv/OMA1.0 parley/1.2");
  focus.respond(invite, 200, "answer", "Allow: INVITE, ACK, BYE, SUBSCRIBE\r\n");
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "Allow"), "INVITE, ACK, BYE, SUBSCRIBE");
  EXPECT_NE(header(ok, "Contact").find("@127.0.0.1:5060>;isfocus;+g.oma.sip-im"), std::string::npos) << "DEC-10 " << ok;
}

TEST_F(ImCalls, SEED4_6_1_1_2_2_CallsThatAreNoImSessionsSayNothingOfIt) {
  alice->invite("bob");
  const std::string invite = bob->want("INVITE");
  EXPECT_EQ(header(invite, "User-Agent"), "");
  EXPECT_EQ(header(invite, "Accept-Contact"), "");
  EXPECT_EQ(invite.find("g.oma.sip-im"), std::string::npos);
  bob->respond(invite, 486);
}

}  // namespace
}  // namespace parley::tests
