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
TEST_F(CancelledChanges, R3261_6_A200ThatCrossesIsAcknowledgedAndEndsTheCall) {
  for (const char* offer : {"new offer", ""}) {
    connect();
    const std::string invite = change(*alice, *bob, offer);
    give_up(*alice);
    const std::string cancel = bob->want("CANCEL");
    bob->respond(invite, 200, "new answer");
    EXPECT_EQ(cseq_number(bob->want("ACK")), cseq_number(invite));
    bob->respond(cancel, 200);
    const std::string bye = bob->want("BYE");
    bob->respond(bye, 200);
    alice->respond(alice->want("BYE"), 200);
    bob->respond(invite, 200, "new answer");  // the ACK was lost
    EXPECT_EQ(cseq_number(bob->want("ACK")), cseq_number(invite));
    at_rest();
    bob->call_id.clear();
  }
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
