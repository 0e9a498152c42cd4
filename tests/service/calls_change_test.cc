// tests/service/calls_change_test.cc - calls carried leg to leg: re-INVITE, UPDATE, PRACK, session timers.
#include "tests/service/phones.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

const std::string timer = "Supported: timer\r\n";
const std::string updates = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE, INFO\r\n";

// --- re-INVITE

TEST_F(Calls, R3261_6_AReInviteGoesToTheOtherLegBothWays) {
  connect();
  for (const auto& [from, to] : {std::pair(alice.get(), bob.get()), std::pair(bob.get(), alice.get())}) {
    from->request("INVITE", "new offer", "X-Why: hold\r\n");
    const std::string invite = to->want("INVITE");
    EXPECT_EQ(header(invite, "Call-ID"), to->call_id);
    EXPECT_EQ(header(invite, "From"), to->remote);
    EXPECT_EQ(header(invite, "X-Why"), "hold");
    EXPECT_EQ(body_of(invite), "new offer");
    to->respond(invite, 200, "new answer");
    const std::string ack = to->want("ACK");
    EXPECT_EQ(cseq_number(ack), cseq_number(invite));
    const std::string ok = from->want("200 INVITE");
    EXPECT_EQ(body_of(ok), "new answer");
    from->ack();
    to->quiet();
    from->quiet();
  }
  hang_up();
  at_rest();
}

TEST_F(Calls, R3264_3_AnOfferInThe200IsAnsweredByTheOthersAck) {
  connect();
  alice->request("INVITE");
  const std::string invite = bob->want("INVITE");
  EXPECT_EQ(body_of(invite), "");
  bob->respond(invite, 200, "offer of bob");
  bob->quiet();
  EXPECT_EQ(body_of(alice->want("200 INVITE")), "offer of bob");
  alice->ack("answer of alice");
  EXPECT_EQ(body_of(bob->want("ACK")), "answer of alice");
  hang_up();
  at_rest();
}

TEST_F(Calls, R3261_8_A200ThatComesAgainGetsItsOwnAck) {
  connect();
  std::string invites[2];
  for (std::string& invite : invites) {
    alice->request("INVITE", "new offer");
    invite = bob->want("INVITE");
    bob->respond(invite, 200, "new answer");
    EXPECT_EQ(cseq_number(bob->want("ACK")), cseq_number(invite));
    alice->want("200 INVITE");
    alice->ack();
  }
  for (const std::string& invite : invites) {
    bob->respond(invite, 200, "new answer");
    EXPECT_EQ(cseq_number(bob->want("ACK")), cseq_number(invite));
    bob->quiet();
    alice->quiet();
  }
  hang_up();
  at_rest();
}

// It has no other final response.
TEST_F(Calls, R3261_2_The200ToAReInviteIsRepeatedAlthoughTheCallEnds) {
  for (const bool acknowledged : {true, false}) {
    connect();
    alice->request("INVITE", "new offer");
    bob->respond(bob->want("INVITE"), 200, "new answer");
    bob->want("ACK");
    const std::string lost = alice->want("200 INVITE");
    hang_up();
    line->pass(500ms);
    EXPECT_EQ(alice->want("200 INVITE"), lost);
    if (acknowledged) alice->ack();
    line->pass(1s);
    EXPECT_EQ(alice->next().empty(), acknowledged);
    line->pass(32s);
    while (!alice->next().empty()) continue;
    line->pass(10s);
    alice->quiet();
    at_rest();
    bob->call_id.clear();
  }
}

TEST_F(Calls, R3264_3_ACallWithoutOfferIsAnsweredByTheAck) {
  alice->invite("bob", "");
  bob->respond(bob->want("INVITE"), 200, "offer of bob");
  bob->quiet();
  alice->take(alice->want("200 INVITE"));
  alice->ack("answer of alice");
  EXPECT_EQ(body_of(bob->want("ACK")), "answer of alice");
  hang_up();
  at_rest();
}

// The answer that the ACK carried ends the exchange: what comes later goes out to bob, and so do refreshes.
TEST_F(Calls, R3264_3_ACallWithoutOfferIsRefreshedAndChangedAsAnyOther) {
  alice->invite("bob", "");
  bob->respond(bob->want("INVITE"), 200, "offer of bob", "Session-Expires: 600;refresher=uac\r\n");
  alice->take(alice->want("200 INVITE"));
  alice->ack("answer of alice");
  bob->want("ACK");
  line->pass(300100ms);
  const std::string refresh = bob->want("INVITE");
  EXPECT_EQ(body_of(refresh), "answer of alice");
  bob->respond(refresh, 200, "offer of bob", "Session-Expires: 600;refresher=uac\r\n");
  bob->want("ACK");
  alice->request("INVITE", "new offer");
  const std::string invite = bob->want("INVITE");
  EXPECT_EQ(body_of(invite), "new offer");
  bob->respond(invite, 200, "new answer", "Session-Expires: 600;refresher=uac\r\n");
  bob->want("ACK");
  alice->want("200 INVITE");
  alice->ack();
  hang_up();
  at_rest();
}

TEST_F(Calls, R4028_3_WhatAReliable1xxDescribedIsRefreshed) {
  alice->invite("bob", "offer", "Supported: timer, 100rel\r\nSession-Expires: 600;refresher=uas\r\n");
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 183, "answer", "Require: 100rel\r\nRSeq: 7\r\n");
  const std::string progress = alice->want("183 INVITE");
  alice->take(progress);
  alice->request("PRACK", {}, "RAck: " + header(progress, "RSeq") + " " + header(progress, "CSeq") + "\r\n");
  bob->respond(bob->want("PRACK"), 200);
  alice->want("200 PRACK");
  bob->respond(invite, 200);
  EXPECT_EQ(body_of(alice->want("200 INVITE")), "");
  alice->ack();
  bob->want("ACK");
  line->pass(300100ms);
  const std::string refresh = alice->want("INVITE");
  EXPECT_EQ(body_of(refresh), "answer");
  alice->respond(refresh, 200, "offer", "Session-Expires: 600;refresher=uac\r\n");
  alice->want("ACK");
  hang_up();
  at_rest();
}

TEST_F(Calls, R3261_6_ARefusedReInviteLeavesAllAsItWas) {
  connect();
  alice->request("INVITE", "bad offer");
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 488, {}, "Warning: 304 x \"no\"\r\n");
  bob->want("ACK");
  EXPECT_EQ(header(alice->want("488 INVITE"), "Warning"), "304 x \"no\"");
  alice->ack();
  hang_up();
  at_rest();
}

TEST_F(Calls, R3261_6_GlareIs491OnEachLeg) {
  connect();
  alice->request("INVITE", "one");
  const std::string ours = bob->want("INVITE");
  bob->request("INVITE", "two");
  bob->want("491 INVITE");
  bob->ack();
  bob->request("INVITE", "two");  // T-21: at once again
  bob->want("491 INVITE");
  bob->respond(ours, 491);  // so says the other side, too
  bob->want("ACK");
  alice->want("491 INVITE");
  alice->ack();
  alice->request("INVITE", "one");
  const std::string again = bob->want("INVITE");
  bob->respond(again, 200, "answer");
  bob->want("ACK");
  alice->want("200 INVITE");
  alice->ack();
  hang_up();
  at_rest();
}

TEST_F(Calls, R3261_6_ASecondInviteOfTheSameSideIs500) {
  connect();
  alice->request("INVITE", "one");
  const std::string invite = bob->want("INVITE");
  alice->request("INVITE", "two");
  const std::string refusal = alice->want("500 INVITE");
  EXPECT_NE(header(refusal, "Retry-After"), "");
  bob->respond(invite, 200, "answer");
  bob->want("ACK");
  EXPECT_EQ(body_of(alice->want("200 INVITE")), "answer");
  hang_up();
  at_rest();
}

TEST_F(Calls, R3261_6_NoAckToAReInviteEndsTheCall) {
  connect();
  alice->request("INVITE", "one");
  bob->respond(bob->want("INVITE"), 200, "answer");
  bob->want("ACK");
  line->pass(32100ms);
  while (alice->boxed() > 1) alice->want("200 INVITE");
  alice->respond(alice->want("BYE"), 200);
  bob->respond(bob->want("BYE"), 200);
  at_rest();
}

TEST_F(Calls, R3261_5_AReInviteThatNobodyKnowsEndsBothLegs) {
  connect();
  alice->request("INVITE", "one");
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 481);
  bob->want("ACK");
  EXPECT_EQ(code(alice->next()), "480");
  alice->ack();
  alice->respond(alice->want("BYE"), 200);
  bob->respond(bob->want("BYE"), 481);
  at_rest();
}

TEST_F(Calls, R3261_7_ByeWhileAReInviteIsOut) {
  connect();
  alice->request("INVITE", "one");
  const std::string invite = bob->want("INVITE");
  alice->request("BYE");
  alice->want("200 BYE");
  EXPECT_EQ(code(alice->next()), "487");
  alice->ack();
  const std::string bye = bob->want("BYE");
  bob->respond(bye, 200);
  bob->respond(invite, 200, "answer");  // too late, and still acknowledged
  bob->want("ACK");
  at_rest();
}

// --- UPDATE

TEST_F(Calls, R3311_1_AnUpdateWithAnOfferGoesToTheOtherLeg) {
  connect(updates, updates);
  bob->request("UPDATE", "new offer");
  const std::string update = alice->want("UPDATE");
  EXPECT_EQ(body_of(update), "new offer");
  alice->respond(update, 200, "new answer");
  EXPECT_EQ(body_of(bob->want("200 UPDATE")), "new answer");
  alice->request("UPDATE", "bad offer");
  bob->respond(bob->want("UPDATE"), 488);
  alice->want("488 UPDATE");
  hang_up();
  at_rest();
}

TEST_F(Calls, R3311_1_AnUpdateWithoutOfferIsAboutItsLeg) {
  connect(updates, updates);
  alice->request("UPDATE");
  const std::string ok = alice->want("200 UPDATE");
  EXPECT_NE(header(ok, "Contact"), "");
  bob->quiet();
  hang_up();
  at_rest();
}

TEST_F(Calls, R3311_1_AnUpdateThatCrossesTheEndGoesNowhere) {
  connect();
  alice->request("BYE");
  alice->want("200 BYE");
  const std::string bye = bob->want("BYE");
  bob->request("UPDATE", "new offer");
  bob->want("481 UPDATE");
  alice->quiet();
  bob->respond(bye, 200);
  at_rest();
}

TEST_F(Calls, R3311_1_OffersThatCrossAre491) {
  connect(updates, updates);
  alice->request("UPDATE", "one");
  const std::string update = bob->want("UPDATE");
  bob->request("UPDATE", "two");
  bob->want("491 UPDATE");
  bob->respond(update, 200, "answer");
  alice->want("200 UPDATE");
  hang_up();
  at_rest();
}

// What bob says to alice's re-INVITE is not taken for the answer to his UPDATE.
TEST_F(Calls, R3311_1_AnUpdateThatCrossesOurByeGoesNoFurther) {
  connect(updates, updates);
  alice->request("INVITE");
  const std::string invite = bob->want("INVITE");
  alice->request("BYE");
  alice->want("200 BYE");
  alice->want("487 INVITE");
  alice->ack();
  const std::string bye = bob->want("BYE");
  bob->request("UPDATE", "offer of bob");
  bob->want("481 UPDATE");
  bob->respond(invite, 491);
  bob->want("ACK");
  bob->respond(bye, 200);
  alice->quiet();
  bob->quiet();
  at_rest();
}

TEST_F(Calls, R3311_2_UpdateBeforeTheCallIsAnswered) {
  alice->invite("bob", "offer", "Supported: 100rel\r\n" + updates);
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 183, "answer", "Require: 100rel\r\nRSeq: 7\r\n" + updates);
  const std::string progress = alice->want("183 INVITE");
  alice->take(progress);
  alice->request("PRACK", {}, "RAck: " + header(progress, "RSeq") + " 1 INVITE\r\n");
  bob->respond(bob->want("PRACK"), 200);
  alice->want("200 PRACK");
  alice->request("UPDATE", "offer 2");
  bob->respond(bob->want("UPDATE"), 200, "answer 2");
  EXPECT_EQ(body_of(alice->want("200 UPDATE")), "answer 2");
  bob->request("UPDATE", "offer 3");
  alice->respond(alice->want("UPDATE"), 200, "answer 3");
  EXPECT_EQ(body_of(bob->want("200 UPDATE")), "answer 3");
  bob->respond(invite, 200);
  bob->want("ACK");
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  hang_up();
  at_rest();
}

// --- reliable provisional responses

TEST_F(Calls, R3262_1_EachLegHasItsOwnNumbers) {
  alice->invite("bob", "offer", "Supported: 100rel\r\n");
  const std::string invite = bob->want("INVITE");
  EXPECT_NE(header(invite, "Supported").find("100rel"), std::string::npos);
  bob->respond(invite, 183, "answer", "Require: 100rel\r\nRSeq: 4711\r\n");
  const std::string progress = alice->want("183 INVITE");
  EXPECT_EQ(header(progress, "Require"), "100rel");
  EXPECT_NE(header(progress, "RSeq"), "4711");
  EXPECT_EQ(body_of(progress), "answer");
  bob->quiet();  // not before the other side has it
  line->pass(500ms);
  EXPECT_EQ(header(alice->want("183 INVITE"), "RSeq"), header(progress, "RSeq")) << "R3262-2: again until PRACK";
  alice->take(progress);
  bob->respond(invite, 200);  // R3262-4: held back, there was a description
  bob->want("ACK");
  alice->quiet();
  alice->request("PRACK", {}, "RAck: " + header(progress, "RSeq") + " 1 INVITE\r\n");
  const std::string prack = bob->want("PRACK");
  EXPECT_EQ(header(prack, "RAck"), "4711 1 INVITE");
  bob->respond(prack, 200);
  alice->want("200 INVITE");
  alice->want("200 PRACK");
  alice->ack();
  hang_up();
  at_rest();
}

TEST_F(Calls, R3262_4_APrackMayOffer) {
  alice->invite("bob", "offer", "Require: 100rel\r\n");
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 183, "answer", "Require: 100rel\r\nRSeq: 1\r\n");
  const std::string progress = alice->want("183 INVITE");
  alice->take(progress);
  alice->request("PRACK", "offer 2", "RAck: " + header(progress, "RSeq") + " 1 INVITE\r\n");
  const std::string prack = bob->want("PRACK");
  EXPECT_EQ(body_of(prack), "offer 2");
  bob->respond(prack, 200, "answer 2");
  EXPECT_EQ(body_of(alice->want("200 PRACK")), "answer 2");
  bob->respond(invite, 180);
  const std::string ringing = alice->want("180 INVITE");
  EXPECT_EQ(header(ringing, "Require"), "100rel") << "R3262-1: required, whatever the other side does";
  alice->request("PRACK", {}, "RAck: " + header(ringing, "RSeq") + " 1 INVITE\r\n");
  alice->want("200 PRACK");
  bob->quiet();
  bob->respond(invite, 200);
  bob->want("ACK");
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  hang_up();
  at_rest();
}

TEST_F(Calls, R3262_3_APrackThatFitsNothingIs481) {
  alice->invite("bob", "offer", "Supported: 100rel\r\n");
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 183, "answer", "Require: 100rel\r\nRSeq: 1\r\n");
  alice->take(alice->want("183 INVITE"));
  alice->request("PRACK", {}, "RAck: 1 99 INVITE\r\n");
  alice->want("481 PRACK");
  bob->respond(invite, 486);
  bob->want("ACK");
  alice->want("486 INVITE");
  at_rest();
}

TEST_F(Calls, R3262_2_NoPrackEndsTheInvite) {
  alice->invite("bob", "offer", "Supported: 100rel\r\n");
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 183, "answer", "Require: 100rel\r\nRSeq: 1\r\n");
  line->pass(32100ms);
  while (alice->boxed() > 1) alice->want("183 INVITE");
  alice->want("504 INVITE");
  alice->ack();
  bob->respond(bob->want("CANCEL"), 200);
  bob->respond(invite, 487);
  bob->want("ACK");
  at_rest();
}

// --- session timers

TEST_F(Calls, R4028_3_EachLegHasItsTimerAndWeRefreshWhereItIsOurs) {
  connect(updates, updates + "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\nRequire: timer\r\n");
  line->pass(299s);
  bob->quiet();
  line->pass(1100ms);
  const std::string update = bob->want("UPDATE");
  EXPECT_EQ(header(update, "Session-Expires"), "600;refresher=uac");
  EXPECT_EQ(body_of(update), "");
  bob->respond(update, 200, {}, "Session-Expires: 600;refresher=uac\r\n");
  alice->quiet();
  // To the caller, who knows no timers, it is 1800 s and ours (R4028-1).
  line->pass(300100ms);
  bob->respond(bob->want("UPDATE"), 200, {}, "Session-Expires: 600;refresher=uac\r\n");
  line->pass(299900ms);
  const std::string to_alice = alice->want("UPDATE");
  EXPECT_EQ(header(to_alice, "Session-Expires"), "1800;refresher=uac");
  alice->respond(to_alice, 200);  // T-28: she knows no timers, and is refreshed all the same
  line->pass(200ms);
  bob->respond(bob->want("UPDATE"), 200, {}, "Session-Expires: 600;refresher=uac\r\n");
  hang_up();
  at_rest();
}

TEST_F(Calls, R4028_3_WithoutUpdateAReInviteRefreshesWithTheSameDescription) {
  connect({}, "Session-Expires: 600;refresher=uac\r\n");
  line->pass(300100ms);
  const std::string invite = bob->want("INVITE");
  EXPECT_EQ(body_of(invite), "offer");
  bob->respond(invite, 200, "answer", "Session-Expires: 600;refresher=uac\r\n");
  bob->want("ACK");
  alice->quiet();
  hang_up();
  at_rest();
}

TEST_F(Calls, R4028_3_ARefreshRepeatsWhatWasAgreedAndNothingThatWasRefused) {
  connect({}, "Session-Expires: 600;refresher=uac\r\n");
  alice->request("INVITE", "taken");
  bob->respond(bob->want("INVITE"), 200, "answer", "Session-Expires: 600;refresher=uac\r\n");
  bob->want("ACK");
  alice->want("200 INVITE");
  alice->ack();
  alice->request("INVITE", "refused");
  bob->respond(bob->want("INVITE"), 488);
  bob->want("ACK");
  alice->want("488 INVITE");
  line->pass(300100ms);
  while (!alice->next().empty()) continue;
  const std::string refresh = bob->want("INVITE");
  EXPECT_EQ(body_of(refresh), "taken");
  bob->respond(refresh, 200, "answer", "Session-Expires: 600;refresher=uac\r\n");
  bob->want("ACK");
  hang_up();
  at_rest();
}

TEST_F(Calls, R4028_3_ASideThatDoesNotRefreshEndsTheCall) {
  alice->invite("bob", "offer", timer + "Session-Expires: 90;refresher=uac\r\n");
  bob->respond(bob->want("INVITE"), 200, "answer");
  bob->want("ACK");
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "Session-Expires"), "90;refresher=uac");
  EXPECT_EQ(header(ok, "Require"), "timer");
  alice->take(ok);
  alice->ack();
  line->pass(61s);  // 90 - min(32, 30)
  const std::string bye = alice->want("BYE");
  EXPECT_TRUE(header(bye, "Reason").starts_with("SIP;cause=408")) << bye;
  bob->respond(bob->want("BYE"), 200);
  EXPECT_EQ(line->world.metric(Metric::sip_calls_expired), 1U);
  at_rest();
}

TEST_F(Calls, R4028_3_ARefreshThatFindsNobodyEndsTheCall) {
  connect(updates, updates + "Session-Expires: 600;refresher=uac\r\n");
  line->pass(300100ms);
  bob->respond(bob->want("UPDATE"), 481);
  bob->respond(bob->want("BYE"), 481);
  alice->respond(alice->want("BYE"), 200);
  at_rest();
}

// Each answer gives what its own request asked for, whatever came between.
TEST_F(Calls, R4028_1_AnAnswerGrantsWhatItsOwnRequestAskedFor) {
  const std::string longer = timer + updates + "Session-Expires: 400;refresher=uac\r\nMin-SE: 300\r\n";
  alice->invite("bob", "offer", timer + updates + "Session-Expires: 280;refresher=uac\r\n");
  bob->respond(bob->want("INVITE"), 200, "answer", updates);
  bob->want("ACK");
  alice->take(alice->want("200 INVITE"));
  alice->request("UPDATE", "offer 2", longer);  // ahead of the ACK
  const std::string update = bob->want("UPDATE");
  alice->ack();
  bob->respond(update, 200, "answer 2");
  EXPECT_EQ(header(alice->want("200 UPDATE"), "Session-Expires"), "400;refresher=uac");
  alice->request("INVITE", "offer 3", longer);
  const std::string invite = bob->want("INVITE");
  alice->request("UPDATE", {}, timer + "Session-Expires: 100;refresher=uac\r\n");
  EXPECT_EQ(header(alice->want("200 UPDATE"), "Session-Expires"), "100;refresher=uac");
  bob->respond(invite, 200, "answer 3");
  bob->want("ACK");
  EXPECT_EQ(header(alice->want("200 INVITE"), "Session-Expires"), "400;refresher=uac");
  alice->ack();
  hang_up();
  at_rest();
}

TEST_F(Calls, R4028_1_TooShortIs422) {
  auto config = calls_config();
  config->calls.timer.min_se_seconds = 120;
  make(config);
  alice->invite("bob", "offer", timer + "Session-Expires: 100\r\n");
  EXPECT_EQ(header(alice->want("422 INVITE"), "Min-SE"), "120");
  bob->quiet();
  at_rest();
}

// A copy of the INVITE gets it again, and so does who has not said that it came.
TEST_F(Calls, R3261_1_A422IsTheOneFinalResponse) {
  alice->invite("bob", "offer", timer + "Session-Expires: 60\r\n");
  const std::string invite = alice->last;
  const std::string refusal = alice->want("422 INVITE");
  alice->send(invite);
  EXPECT_EQ(alice->want("422 INVITE"), refusal);
  line->pass(500ms);
  EXPECT_EQ(alice->want("422 INVITE"), refusal) << "Timer G";
  at_rest();
}

TEST_F(Calls, R4028_2_A422IsFollowed) {
  alice->invite("bob");
  const std::string invite = bob->want("INVITE");
  EXPECT_EQ(header(invite, "Session-Expires"), "1800");
  bob->respond(invite, 422, {}, "Min-SE: 3600\r\n");
  bob->want("ACK");
  const std::string again = bob->want("INVITE");
  EXPECT_EQ(header(again, "Call-ID"), header(invite, "Call-ID"));
  EXPECT_EQ(header(again, "From"), header(invite, "From"));
  EXPECT_EQ(header(again, "CSeq"), "2 INVITE");
  EXPECT_EQ(header(again, "Session-Expires") + header(again, "Min-SE"), "36003600");
  EXPECT_EQ(body_of(again), "offer");
  bob->respond(again, 200, "answer");
  EXPECT_EQ(cseq_number(bob->want("ACK")), "2");
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  hang_up();
  at_rest();
}

}  // namespace
}  // namespace parley::tests
