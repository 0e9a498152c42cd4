// tests/service/calls_again_test.cc - calls carried leg to leg: what comes again, late, or for a call that is gone.
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

TEST_F(Calls, T_25_AnAckForACallThatIsGoneGoesNowhere) {
  connect();
  alice->request("INVITE", "new offer");
  bob->respond(bob->want("INVITE"), 200, "new answer");
  bob->want("ACK");
  alice->want("200 INVITE");
  alice->ack();
  hang_up();
  at_rest();
  const std::uint64_t before = line->world.metric(Metric::sip_dropped);
  alice->ack();               // to the re-INVITE
  alice->invite_cseq = "1";   // and to the one that began it
  alice->ack("an answer");
  EXPECT_EQ(line->world.metric(Metric::sip_dropped), before + 2);
  alice->quiet();
  bob->quiet();
}

TEST_F(Calls, T_25_AnAckWithADescriptionSaysItOnce) {
  connect();
  alice->request("INVITE");
  bob->respond(bob->want("INVITE"), 200, "offer of bob");
  alice->want("200 INVITE");
  alice->ack("answer of alice");
  EXPECT_EQ(body_of(bob->want("ACK")), "answer of alice");
  alice->ack("answer of alice");
  alice->ack("another answer");
  bob->quiet();
  // Nor is it the answer to what bob asks meanwhile.
  bob->request("INVITE", "offer 2");
  const std::string invite = alice->want("INVITE");
  const std::string ours = std::exchange(alice->invite_cseq, std::to_string(alice->cseq));
  alice->ack("answer of alice");
  bob->quiet();
  alice->respond(invite, 200, "answer 2");
  alice->want("ACK");
  EXPECT_EQ(body_of(bob->want("200 INVITE")), "answer 2");
  bob->ack();
  hang_up();
  at_rest();
}

TEST_F(Calls, T_25_TheAckOfALateAnswerSaysItOnce) {
  alice->invite("bob", "");
  bob->respond(bob->want("INVITE"), 200, "offer of bob");
  alice->take(alice->want("200 INVITE"));
  alice->ack("answer of alice");
  EXPECT_EQ(body_of(bob->want("ACK")), "answer of alice");
  alice->request("UPDATE", "offer 2");
  const std::string update = bob->want("UPDATE");
  alice->ack("answer of alice");
  bob->quiet();
  bob->respond(update, 200, "answer 2");
  EXPECT_EQ(body_of(alice->want("200 UPDATE")), "answer 2");
  hang_up();
  at_rest();
}

// RFC 3261 section 12.2.2: as a request with a transaction, although nothing is done with it.
TEST_F(Calls, R3261_5_A481StaysA481WhenTheDialogBegins) {
  alice->invite("bob");
  const std::string invite = bob->want("INVITE");
  bob->hold(invite, header(invite, "To") + ";tag=" + bob->name());
  bob->request("INFO");  // before the 2xx, which is slower
  const std::string info = bob->last;
  const std::string refused = bob->want("481 INFO");
  bob->respond(invite, 200, "answer");
  bob->want("ACK");
  bob->send(info);
  EXPECT_EQ(bob->want("481 INFO"), refused);
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  alice->quiet();
  bob->request("INFO");
  alice->respond(alice->want("INFO"), 200);
  bob->want("200 INFO");
  hang_up();
  at_rest();
}

// Both ways: on one of them it is the first INVITE of ours.
TEST_F(Calls, R3264_3_A200WithoutTheAnswerIsAcknowledgedAndEndsTheCall) {
  for (const bool by_alice : {true, false}) {
    connect();
    Phone& from = by_alice ? *alice : *bob;
    Phone& to = by_alice ? *bob : *alice;
    from.request("INVITE", "new offer");
    from.invite_text = from.last;
    const std::string invite = to.want("INVITE");
    to.respond(invite, 200);
    EXPECT_EQ(cseq_number(to.want("ACK")), cseq_number(invite));
    const std::string bye = to.want("BYE");
    from.ack_refused(from.want("487 INVITE"));
    from.respond(from.want("BYE"), 200);
    to.respond(bye, 200);
    at_rest();
    bob->call_id.clear();
  }
}

// --- calls whose messages go through this server

struct MediaCalls : Calls {
  void SetUp() override {
    auto config = calls_config();
    config->im.participating = true;
    config->im.media.path = policy::MediaPath::always;
    make(config);
  }
  // Somebody who waits at that port for whom he talks with.
  static std::string at(int port) {
    std::string sdp = msrp_sdp("s", "a=setup:passive\r\n");
    for (std::size_t at = sdp.find("9000"); at != std::string::npos; at = sdp.find("9000")) sdp.replace(at, 4, std::to_string(port));
    return sdp;
  }
  // Where this server has connected to since the last time.
  std::string connected() {
    std::string ports;
    for (const core::ConnectRequest& request : std::exchange(line->world.connects, {})) {
      ports += (ports.empty() ? "" : " ") + std::to_string(request.address.port);
    }
    return ports;
  }
  void talk() {
    alice->invite("bob", at(9001), "Accept-Contact: *;+g.oma.sip-im\r\n");
    bob->respond(bob->want("INVITE"), 200, at(9002));
    bob->want("ACK");
    alice->take(alice->want("200 INVITE"));
    alice->ack();
    EXPECT_EQ(connected(), "9001 9002");
  }
};

TEST_F(MediaCalls, SEED4_6_1_2_2_3_8_A200ThatComesAgainAgreesToNothing) {
  talk();
  alice->request("INVITE", at(9003));
  const std::string first = bob->want("INVITE");
  bob->respond(first, 200, at(9002));
  bob->want("ACK");
  alice->want("200 INVITE");
  alice->ack();
  EXPECT_EQ(connected(), "9003 9002");
  alice->request("INVITE", at(9004));
  const std::string second = bob->want("INVITE");
  bob->respond(first, 200, at(9002));
  EXPECT_EQ(cseq_number(bob->want("ACK")), cseq_number(first));
  EXPECT_EQ(connected(), "") << "what she offers now has no answer";
  bob->respond(second, 200, at(9002));
  bob->want("ACK");
  EXPECT_EQ(connected(), "9004 9002");
  alice->want("200 INVITE");
  alice->ack();
  hang_up();
  at_rest();
}

TEST_F(MediaCalls, SEED4_6_1_2_2_3_8_AnAckThatComesAgainAgreesToNothing) {
  talk();
  alice->request("INVITE");
  bob->respond(bob->want("INVITE"), 200, at(9005));
  alice->want("200 INVITE");
  alice->ack(at(9006));
  bob->want("ACK");
  EXPECT_EQ(connected(), "9006 9005");
  bob->request("INVITE", at(9007));
  const std::string invite = alice->want("INVITE");
  alice->ack(at(9006));
  EXPECT_EQ(connected(), "") << "what he offers now has no answer";
  alice->respond(invite, 200, at(9006));
  alice->want("ACK");
  EXPECT_EQ(connected(), "9006 9007");
  bob->want("200 INVITE");
  bob->ack();
  hang_up();
  at_rest();
}

// Its 200 has crossed the CANCEL: alice is where she was, and bob hears that again.
TEST_F(MediaCalls, R3261_6_WhatIsTakenBackMovesNobody) {
  talk();
  alice->request("INVITE", at(9003));
  alice->invite_text = alice->last;
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 100);
  alice->cancel();
  alice->want("200 CANCEL");
  alice->ack_refused(alice->want("487 INVITE"));
  bob->respond(bob->want("CANCEL"), 200);
  bob->respond(invite, 200, at(9004));
  bob->want("ACK");
  EXPECT_EQ(connected(), "");
  const std::string restore = bob->want("INVITE");
  EXPECT_EQ(between(body_of(restore), "a=path:", "\r\n"), between(body_of(invite), "a=path:", "\r\n")) << "ours";
  EXPECT_EQ(restore.find("900"), std::string::npos) << restore;
  bob->respond(restore, 200, at(9005));
  bob->want("ACK");
  EXPECT_EQ(connected(), "9005") << "and she not to 9003";
  alice->quiet();
  hang_up();
  at_rest();
}

TEST_F(MediaCalls, R4028_3_ARefreshSaysWhatWentOnAndNotWhatCame) {
  const std::string timer = "Session-Expires: 600;refresher=uac\r\n";
  talk();
  alice->request("INVITE", at(9003));
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 200, at(9002), timer);
  bob->want("ACK");
  alice->want("200 INVITE");
  alice->ack();
  line->pass(std::chrono::milliseconds(300'100));
  const std::string refresh = bob->want("INVITE");
  EXPECT_EQ(body_of(refresh), body_of(invite));
  bob->respond(refresh, 200, at(9002), timer);
  bob->want("ACK");
  hang_up();
  at_rest();
}

// RFC 5547 section 8.4, RFC 3264 section 8.2: both have agreed that nothing more is expected there.
TEST_F(MediaCalls, R5547_1_ASectionThatIsOverHasNoSessionsAnyMore) {
  const auto over = [](int port) {
    std::string sdp = at(port);
    return sdp.replace(sdp.find("m=message"), 14, "m=message 0");
  };
  talk();
  EXPECT_EQ(line->world.metric(core::Metric::im_media_pairs), 1U);
  alice->request("INVITE", over(9001));
  alice->invite_text = alice->last;
  const std::string refused = bob->want("INVITE");
  EXPECT_NE(refused.find("m=message 0 "), std::string::npos) << refused;
  bob->respond(refused, 488);
  bob->want("ACK");
  alice->ack_refused(alice->want("488 INVITE"));
  EXPECT_EQ(line->world.metric(core::Metric::im_media_pairs), 1U) << "a refused change changes nothing";
  alice->request("INVITE", over(9001));
  bob->respond(bob->want("INVITE"), 200, over(9002));
  bob->want("ACK");
  EXPECT_NE(alice->want("200 INVITE").find("m=message 0 "), std::string::npos);
  alice->ack();
  EXPECT_EQ(line->world.metric(core::Metric::im_media_pairs), 0U);
  // What comes in its place is new.
  alice->request("INVITE", at(9003));
  bob->respond(bob->want("INVITE"), 200, at(9004));
  bob->want("ACK");
  alice->want("200 INVITE");
  alice->ack();
  EXPECT_EQ(line->world.metric(core::Metric::im_media_pairs), 1U);
  EXPECT_EQ(connected(), "9003 9004");
  hang_up();
  at_rest();
}

}  // namespace
}  // namespace parley::tests
