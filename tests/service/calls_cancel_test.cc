// tests/service/calls_cancel_test.cc - calls carried leg to leg: a re-INVITE that is cancelled (RFC 3261 sections 9 and 14).
#include "tests/service/phones.h"

namespace parley::tests {
namespace {

using namespace std::chrono_literals;

struct CancelledChanges : Calls {
  // A re-INVITE of `from` that the other side has not answered; what it became there.
  std::string change(Phone& from, Phone& to, const std::string& body = "new offer") {
    from.request("INVITE", body);
    from.invite_text = from.last;
    const std::string invite = to.want("INVITE");
    to.respond(invite, 100);
    return invite;
  }
  void give_up(Phone& from) {
    from.cancel("Reason: SIP;cause=600\r\n");
    from.want("200 CANCEL");
    from.ack_refused(from.want("487 INVITE"));
  }
  // Its 200 crosses the CANCEL.
  std::string cross(Phone& from, Phone& to, const std::string& offer = "new offer", const std::string& answer = "new answer") {
    const std::string invite = change(from, to, offer);
    give_up(from);
    const std::string cancel = to.want("CANCEL");
    to.respond(cancel, 481);
    to.respond(invite, 200, answer);
    EXPECT_EQ(cseq_number(to.want("ACK")), cseq_number(invite));
    return invite;
  }
  // Behind a 491.
  std::string again(Phone& to) {
    for (int i = 0; i < 41 && to.boxed() == 0; ++i) line->pass(100ms);
    return to.want("INVITE");
  }
  void stands() {
    alice->request("INFO");
    bob->respond(bob->want("INFO"), 200);
    alice->want("200 INFO");
    alice->request("INVITE", "another offer");
    bob->respond(bob->want("INVITE"), 200, "another answer");
    bob->want("ACK");
    EXPECT_EQ(body_of(alice->want("200 INVITE")), "another answer");
    alice->ack();
  }
};

TEST_F(CancelledChanges, R3261_7_ItIs487AtOnceAndCancelledOnTheOtherLeg) {
  connect();
  for (const auto& [from, to] : {std::pair(alice.get(), bob.get()), std::pair(bob.get(), alice.get())}) {
    const std::string invite = change(*from, *to);
    give_up(*from);
    const std::string cancel = to->want("CANCEL");
    EXPECT_EQ(header(cancel, "Call-ID"), to->call_id);
    EXPECT_EQ(header(cancel, "CSeq"), cseq_number(invite) + " CANCEL");
    EXPECT_EQ(header(cancel, "Via"), header(invite, "Via")) << "RFC 3261 section 9.1";
    EXPECT_EQ(header(cancel, "Reason"), "SIP;cause=600") << "T-16";
    to->respond(cancel, 200);
    to->respond(invite, 487);
    to->want("ACK");
    from->quiet();
  }
  stands();
  hang_up();
  at_rest();
}

TEST_F(CancelledChanges, T_24_TheOtherLegHearsOfItWhenItHasSaidSomething) {
  connect();
  alice->request("INVITE", "new offer");
  alice->invite_text = alice->last;
  const std::string invite = bob->want("INVITE");
  give_up(*alice);
  bob->quiet();
  bob->respond(invite, 100);
  bob->respond(bob->want("CANCEL"), 200);
  bob->respond(invite, 487);
  bob->want("ACK");
  stands();
  hang_up();
  at_rest();
}

TEST_F(CancelledChanges, R3261_6_UntilTheOtherLegHasAnsweredNothingElseIsChanged) {
  connect();
  const std::string invite = change(*alice, *bob);
  give_up(*alice);
  const std::string cancel = bob->want("CANCEL");
  alice->request("INVITE", "another offer");
  alice->ack_refused(alice->want("491 INVITE"));
  bob->request("INVITE", "offer of bob");
  bob->want("491 INVITE");
  bob->ack();
  bob->respond(cancel, 200);
  bob->respond(invite, 487);
  bob->want("ACK");
  stands();
  hang_up();
  at_rest();
}

TEST_F(CancelledChanges, R3261_6_ARefusalThatCrossesIsAsGoodAsA487) {
  connect();
  const std::string invite = change(*alice, *bob);
  give_up(*alice);
  const std::string cancel = bob->want("CANCEL");
  bob->respond(invite, 488);
  bob->want("ACK");
  bob->respond(cancel, 200);
  alice->quiet();
  stands();
  hang_up();
  at_rest();
}

// One side has changed its session and the other one has not.
TEST_F(CancelledChanges, R3261_6_A200ThatCrossesIsAcknowledgedAndTakenBack) {
  connect("Allow: INVITE, ACK, BYE, UPDATE\r\n", "Allow: INVITE, ACK, BYE, UPDATE\r\n");
  for (const auto& [from, to] : {std::pair(alice.get(), bob.get()), std::pair(bob.get(), alice.get())}) {
    const std::string held = from == alice.get() ? "offer" : "answer";
    const std::string answered = from == alice.get() ? "answer" : "offer";
    const std::string invite = cross(*from, *to);
    const std::string restore = to->want("INVITE");
    EXPECT_EQ(header(restore, "Call-ID"), to->call_id);
    EXPECT_EQ(std::stoul(cseq_number(restore)), std::stoul(cseq_number(invite)) + 1);
    EXPECT_EQ(body_of(restore), held) << "as before";
    to->respond(restore, 200, answered);
    EXPECT_EQ(cseq_number(to->want("ACK")), cseq_number(restore));
    to->respond(restore, 200, answered);  // the ACK was lost
    EXPECT_EQ(cseq_number(to->want("ACK")), cseq_number(restore));
    to->respond(invite, 200, "new answer");
    EXPECT_EQ(cseq_number(to->want("ACK")), cseq_number(invite));
    to->quiet();
    from->quiet();
  }
  EXPECT_EQ(line->world.metric(core::Metric::sip_calls_restored), 2U);
  stands();
  hang_up();
  at_rest();
}

// RFC 3264 section 8: what comes later has a higher version, and what is the same has the same.
TEST_F(CancelledChanges, R3264_2_WhatIsTakenBackIsALaterDescriptionAndSoIsAllThatFollows) {
  const auto sdp = [](int version, int port) {
    return "v=0\r\no=a 7 " + std::to_string(version) + " IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio " +
           std::to_string(port) + " RTP/AVP 0\r\n";
  };
  alice->invite("bob", sdp(1, 4000));
  bob->respond(bob->want("INVITE"), 200, sdp(1, 5000));
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  bob->want("ACK");
  cross(*alice, *bob, sdp(2, 4002), sdp(2, 5002));
  const std::string restore = bob->want("INVITE");
  EXPECT_EQ(body_of(restore), sdp(3, 4000));
  bob->respond(restore, 200, sdp(3, 5000));
  bob->want("ACK");
  for (const auto& [written, passed] : {std::pair(sdp(1, 4000), sdp(3, 4000)), {sdp(2, 4006), sdp(4, 4006)}}) {
    alice->request("INVITE", written);
    const std::string invite = bob->want("INVITE");
    EXPECT_EQ(body_of(invite), passed);
    bob->respond(invite, 200, sdp(4, 5000));
    bob->want("ACK");
    EXPECT_EQ(body_of(alice->want("200 INVITE")), sdp(4, 5000));
    alice->ack();
  }
  bob->request("INVITE", sdp(5, 5000));
  alice->respond(alice->want("INVITE"), 200, sdp(2, 4006));
  alice->want("ACK");
  EXPECT_EQ(body_of(bob->want("200 INVITE")), sdp(4, 4006)) << "as it was";
  bob->ack();
  hang_up();
  at_rest();
}

TEST_F(CancelledChanges, R3261_6_A491ToWhatIsTakenBackIsWaitedFor) {
  connect();
  cross(*alice, *bob);
  bob->respond(bob->want("INVITE"), 491);
  bob->want("ACK");
  line->pass(2s);
  bob->quiet();
  const std::string restore = again(*bob);
  EXPECT_EQ(body_of(restore), "offer");
  bob->respond(restore, 200, "answer");
  bob->want("ACK");
  stands();
  hang_up();
  at_rest();
}

TEST_F(CancelledChanges, R3261_6_WhatBothAgreeToMeanwhileIsAsGood) {
  connect();
  cross(*alice, *bob);
  bob->respond(bob->want("INVITE"), 491);
  bob->want("ACK");
  bob->request("INVITE", "offer of bob");
  alice->respond(alice->want("INVITE"), 200, "answer of alice");
  alice->want("ACK");
  EXPECT_EQ(body_of(bob->want("200 INVITE")), "answer of alice");
  bob->ack();
  line->pass(10s);
  bob->quiet();
  stands();
  hang_up();
  at_rest();
}

TEST_F(CancelledChanges, R3261_6_AChangeThatIsRefusedMeanwhileIsNot) {
  connect();
  cross(*alice, *bob);
  bob->respond(bob->want("INVITE"), 491);
  bob->want("ACK");
  bob->request("INVITE", "offer of bob");
  bob->invite_text = bob->last;
  alice->respond(alice->want("INVITE"), 488);
  alice->want("ACK");
  bob->ack_refused(bob->want("488 INVITE"));
  const std::string restore = again(*bob);
  EXPECT_EQ(body_of(restore), "offer");
  bob->respond(restore, 200, "answer");
  bob->want("ACK");
  stands();
  hang_up();
  at_rest();
}

// Whoever does not go back, or goes back to something else than the other side has heard of, has a session of his own.
TEST_F(CancelledChanges, R3261_6_WhatCanNotBeTakenBackEndsTheCall) {
  for (const int status : {488, 200}) {
    connect();
    cross(*alice, *bob);
    bob->respond(bob->want("INVITE"), status, status == 200 ? "another answer" : "");
    bob->want("ACK");
    const std::string bye = bob->want("BYE");
    EXPECT_EQ(header(bye, "Reason"), "SIP;cause=488;text=\"No Agreement\"");
    bob->respond(bye, 200);
    alice->respond(alice->want("BYE"), 200);
    at_rest();
    bob->call_id.clear();
  }
}

TEST_F(CancelledChanges, R3261_6_A200ThatCrossesWithAnOfferEndsTheCall) {
  connect();
  const std::string invite = cross(*alice, *bob, "");
  bob->respond(bob->want("BYE"), 200);
  alice->respond(alice->want("BYE"), 200);
  bob->respond(invite, 200, "new answer");  // the ACK was lost
  EXPECT_EQ(cseq_number(bob->want("ACK")), cseq_number(invite));
  at_rest();
}

TEST_F(CancelledChanges, R3261_7_WhoAnswersNothingIsGiven64T1) {
  connect();
  change(*alice, *bob);
  give_up(*alice);
  bob->respond(bob->want("CANCEL"), 200);
  line->pass(31s);
  bob->quiet();
  alice->quiet();
  line->pass(2s);
  bob->respond(bob->want("BYE"), 200);
  alice->respond(alice->want("BYE"), 200);
  at_rest();
}

TEST_F(CancelledChanges, R3261_7_BehindAnAnswerItChangesNothing) {
  connect();
  alice->request("INVITE", "new offer");
  alice->invite_text = alice->last;
  bob->respond(bob->want("INVITE"), 200, "new answer");
  bob->want("ACK");
  alice->want("200 INVITE");
  alice->cancel();
  alice->want("200 CANCEL");
  alice->ack();
  bob->quiet();
  alice->quiet();
  stands();
  hang_up();
  at_rest();
}

TEST_F(CancelledChanges, R3261_7_AByeBehindItEndsBothLegs) {
  connect();
  const std::string invite = change(*alice, *bob);
  give_up(*alice);
  bob->respond(bob->want("CANCEL"), 200);
  alice->request("BYE");
  alice->want("200 BYE");
  alice->quiet();
  bob->respond(bob->want("BYE"), 200);
  bob->respond(invite, 487);
  bob->want("ACK");
  at_rest();
}

}  // namespace
}  // namespace parley::tests
