// tests/service/focus_session_test.cc - what happens in a session of a focus: leaving, coming again, changes of media,
// session timers, lost connections.
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

TEST_F(Party, OMA_SES_8_AByeIsAnsweredAndTheOthersStay) {
  gather({bob.get(), carol.get()});
  leaves(*bob);
  alice->quiet();
  carol->quiet();
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 2U);
  leaves(*carol);
  const std::string bye = ended(*alice);
  EXPECT_EQ(header(bye, "Reason"), "SIP;cause=480;text=\"Session Ended\"") << "fewer than two are left";
  EXPECT_EQ(header(bye, "Call-ID"), alice->call_id);
  EXPECT_EQ(header(bye, "To"), alice->local);
  EXPECT_EQ(header(bye, "User-Agent"), "IM-serv/OMA1.0 parley/0.0");
  at_rest();
}

TEST_F(Party, OMA_SES_8_TheSessionSurvivesItsOriginator) {
  gather({bob.get(), carol.get()});
  leaves(*alice);
  bob->quiet();
  carol->quiet();
  EXPECT_EQ(line->world.metric(Metric::sip_sessions), 1U);
}

TEST_F(Party, OMA_SES_8_WhereNothingIsSaidForLongItEnds) {
  auto config = focus_config();
  config->focus.idle = 600s;
  make(config);
  gather({bob.get()});
  line->pass(599s);
  alice->quiet();
  line->pass(2s);
  EXPECT_EQ(header(ended(*alice), "Reason"), "SIP;cause=480;text=\"Session Idle\"");
  ended(*bob);
  EXPECT_EQ(line->world.metric(Metric::sip_sessions_idle), 1U);
  at_rest();
}

TEST_F(Party, OMA_SES_9_WhoHasLeftComesBackToTheSessionIdentity) {
  gather({bob.get(), carol.get()});
  const std::string identity = alice->target;
  leaves(*bob);
  bob->invite_uri(identity, msrp_sdp("bob2"), im_lines);
  const std::string ok = bob->want("200 INVITE");
  EXPECT_EQ(contact_uri(ok), identity);
  bob->take(ok);
  bob->ack();
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 3U);
}

TEST_F(Party, OMA_SES_9_AStrangerDoesNot) {
  gather({bob.get(), carol.get()});
  dave->invite_uri(alice->target, msrp_sdp("dave"), im_lines);
  EXPECT_EQ(code(dave->want("403 INVITE")), "403");
}

TEST_F(Party, OMA_SES_9_TheSameDeviceReplacesItsOlderDialog) {
  gather({bob.get(), carol.get()});
  const std::string identity = alice->target;
  Phone again(*line, "bob", bob->address());
  again.features = bob->features;
  again.invite_uri(identity, msrp_sdp("bob2"), im_lines);
  const std::string ok = again.want("200 INVITE");
  const std::string bye = bob->want("BYE");
  EXPECT_EQ(header(bye, "Call-ID"), bob->call_id) << "behind the new 200";
  bob->respond(bye, 200);
  again.take(ok);
  again.ack();
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 3U);
  alice->quiet();
}

TEST_F(Party, OMA_SES_9_AnUnknownDialogInReplacesIs481) {
  gather({bob.get(), carol.get()});
  leaves(*bob);
  bob->invite_uri(alice->target, msrp_sdp("bob2"), im_lines + "Replaces: nothing;to-tag=a;from-tag=b\r\n");
  EXPECT_EQ(code(bob->want("481 INVITE")), "481");
}

TEST_F(Party, OMA_X_5_ASessionThatIsOverIs404) {
  gather({bob.get()});
  const std::string identity = alice->target;
  leaves(*alice);
  ended(*bob);
  at_rest();
  bob->invite_uri(identity, msrp_sdp("bob2"), im_lines);
  EXPECT_EQ(code(bob->want("404 INVITE")), "404");
}

TEST_F(Party, R3264_2_ANewDescriptionIsAnsweredAndTheSameOneAsItWas) {
  const std::string ok = gather({bob.get()});
  alice->request("INVITE", msrp_sdp("alice"), im_lines);
  const std::string same = alice->want("200 INVITE");
  EXPECT_EQ(body_of(same), body_of(ok)) << "T-28";
  alice->ack();
  alice->request("INVITE", msrp_sdp("elsewhere"), im_lines);
  const std::string moved = alice->want("200 INVITE");
  EXPECT_EQ(path_of(moved), path_of(ok));
  alice->ack();
  const FakeMedia::Session* const media = line->world.media().find(path_of(ok));
  ASSERT_NE(media, nullptr);
  EXPECT_EQ(media->peer, "msrp://127.0.0.1:9000/elsewhere;tcp");
  EXPECT_EQ(media->changes, 1);
  alice->request("INVITE", msrp_sdp("elsewhere", "a=setup:actpass\r\na=inactive\r\n"), im_lines);
  const std::string held = alice->want("200 INVITE");
  EXPECT_NE(body_of(held).find("a=inactive\r\n"), std::string::npos) << held;
  EXPECT_NE(between(body_of(held), "o=- ", "IN"), between(body_of(ok), "o=- ", "IN")) << "R3264-2";
  alice->ack();
  bob->quiet();
}

TEST_F(Party, T_29_AnInviteWithoutDescriptionGetsOursUnchanged) {
  const std::string ok = gather({bob.get()});
  alice->request("INVITE", {}, im_lines);
  EXPECT_EQ(body_of(alice->want("200 INVITE")), body_of(ok));
  alice->ack(msrp_sdp("alice"));
  alice->quiet();
}

TEST_F(Party, R3311_1_AnUpdateIsAnsweredInItsDialog) {
  gather({bob.get()});
  alice->request("UPDATE", {}, "Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n");
  const std::string refreshed = alice->want("200 UPDATE");
  EXPECT_EQ(body_of(refreshed), "");
  EXPECT_EQ(header(refreshed, "Session-Expires"), "1800;refresher=uac");
  alice->request("UPDATE", msrp_sdp("moved"), "Supported: timer\r\n");
  EXPECT_NE(path_of(alice->want("200 UPDATE")), "");
}

TEST_F(Party, T_52_AReInviteCanNotInviteOthers) {
  gather({bob.get()});
  alice->send_typed("INVITE", mixed_type, mixed(msrp_sdp("alice"), resource_list({"carol"})),
                    "Require: recipient-list-invite\r\n");
  EXPECT_EQ(header(alice->want("420 INVITE"), "Unsupported"), "recipient-list-invite");
  alice->ack();
  alice->request("INVITE", msrp_sdp("alice"));
  alice->want("200 INVITE");
  alice->ack();
  carol->quiet();
}

// RFC 5407 section 3.1.4: its ACK was lost, and it changes what was agreed.
TEST_F(Party, R3261_6_AReInviteSaysThatTheFirst2xxHasCome) {
  begin(*alice, {"bob"});
  join(*bob);
  alice->take(alice->want("200 INVITE"));
  alice->request("INVITE", msrp_sdp("moved"), im_lines);
  alice->want("200 INVITE");
  alice->ack();
  line->pass(64s);
  alice->quiet();
  bob->quiet();
  EXPECT_EQ(line->world.metric(Metric::sip_late_responses), 0U);
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 2U);
}

// A refused one ends the repetition of the 2xx as well, which is no answer to it.
TEST_F(Party, R3261_6_ARefusedReInviteIsNotAnsweredTwice) {
  begin(*alice, {"bob"});
  join(*bob);
  alice->take(alice->want("200 INVITE"));
  alice->request("INVITE", "v=0\r\no=- 1 2 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n");
  alice->invite_text = alice->last;
  alice->ack_refused(alice->want("488 INVITE"));
  line->pass(64s);
  alice->quiet();
  EXPECT_EQ(line->world.metric(Metric::sip_late_responses), 0U);
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 2U);
}

// RFC 3261 sections 8.2.7 and 17.2.2: what is refused for how the dialog stands is so for all its copies.
TEST_F(Party, R3261_5_ACopyOfWhatWasTooLateGetsTheSameAnswerWhenTheDialogIsOver) {
  gather({bob.get(), carol.get()});
  alice->request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\n");
  alice->want("200 SUBSCRIBE");
  alice->respond(alice->want("NOTIFY"), 200);
  std::vector<std::pair<std::string, std::string>> late;
  for (const char* name : {"REFER", "INFO", "SUBSCRIBE"}) {
    --alice->cseq;
    alice->request(name, {}, std::string(name) == "SUBSCRIBE" ? "Event: conference\r\nExpires: 600\r\n" : "");
    late.emplace_back(std::string("500 ") + name, alice->last);
    alice->want(late.back().first);
  }
  leaves(*alice);
  while (alice->boxed() != 0) {
    if (const std::string text = alice->next(); method(text) == "NOTIFY") alice->respond(text, 200);
  }
  for (const auto& [answer, request] : late) {
    alice->send(request);
    EXPECT_EQ(alice->kind(alice->next()), answer);
  }
  bob->request("BYE");
  bob->want("200 BYE");
  alice->quiet();
}

// Its BYE waits for the ACK (RFC 3261 section 15).
TEST_F(Party, R3261_6_AReInviteInsteadOfTheAckLetsTheByeGo) {
  begin(*alice, {"bob"});
  join(*bob);
  alice->take(alice->want("200 INVITE"));
  leaves(*bob);
  alice->quiet();
  alice->request("INVITE", msrp_sdp("moved"), im_lines);
  alice->invite_text = alice->last;
  alice->ack_refused(alice->want("500 INVITE"));
  alice->respond(alice->want("BYE"), 200);
  at_rest();
  EXPECT_EQ(line->world.metric(Metric::sip_late_responses), 0U);
}

TEST_F(Party, OMA_POL_4_AReInviteWithNothingForUsIs488AndTheSessionStays) {
  gather({bob.get()});
  alice->request("INVITE", "v=0\r\no=- 1 2 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n");
  alice->want("488 INVITE");
  alice->ack();
  alice->request("UPDATE");
  alice->want("200 UPDATE");
}

TEST_F(Party, R4028_3_WhoDoesNotRefreshIsGoneWhenItsTimeIsOver) {
  gather({bob.get(), carol.get()});
  line->pass(1800s);
  int expired = 0;
  for (Phone* who : {alice.get(), bob.get(), carol.get()}) {
    const std::string bye = who->want("BYE");
    if (header(bye, "Reason") == "SIP;cause=408;text=\"Session Expired\"") ++expired;
    who->respond(bye, 200);
  }
  EXPECT_EQ(expired, 2) << "the third one was alone then";
  EXPECT_EQ(line->world.metric(Metric::sip_calls_expired), 2U);
  at_rest();
}

TEST_F(Party, R4028_3_WhoAskedForItIsRefreshedByUs) {
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"),
                    "Accept-Contact: *;+g.oma.sip-im\r\nSupported: timer\r\nSession-Expires: 200;refresher=uas\r\n"
                    "Allow: INVITE, ACK, BYE, UPDATE\r\n");
  join(*bob);
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "Session-Expires"), "200;refresher=uas") << "DEC-8";
  alice->take(ok);
  alice->ack();
  line->pass(101s);
  const std::string update = alice->want("UPDATE");
  EXPECT_EQ(body_of(update), "");
  EXPECT_TRUE(header(update, "Contact").starts_with("<" + alice->target + ">")) << update;
  alice->respond(update, 200, {}, "Supported: timer\r\nSession-Expires: 200;refresher=uac\r\n");
  line->pass(101s);
  alice->want("UPDATE");
}

TEST_F(Party, SEED2_7_2_1_1_1_WhoDoesNotAllowUpdateIsRefreshedByReInvite) {
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"),
                    "Accept-Contact: *;+g.oma.sip-im\r\nSupported: timer\r\nSession-Expires: 200;refresher=uas\r\n"
                    "Allow: INVITE, ACK, BYE\r\n");
  join(*bob);
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  line->pass(100200ms);
  const std::string refresh = alice->want("INVITE");
  EXPECT_EQ(body_of(refresh), body_of(ok)) << "T-28: unchanged";
  alice->respond(refresh, 200, msrp_sdp("alice"), "Supported: timer\r\nSession-Expires: 200;refresher=uac\r\n");
  alice->want("ACK");
  bob->quiet();
}

// 13.2.2.4: an ACK belongs to the INVITE whose number it has.
TEST_F(Party, R3261_8_A200ThatComesAgainGetsItsOwnAck) {
  auto config = focus_config();
  config->transactions.t1 = 2s;  // for so long a 2xx may come again
  make(config);
  begin(*alice, {"bob"});
  const std::string invite = bob->want("INVITE");
  const std::string lines = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\nAllow: INVITE, ACK, CANCEL, BYE\r\n";
  bob->call_id.clear();
  bob->respond(invite, 200, msrp_sdp("bob", "a=setup:active\r\n"), lines);
  EXPECT_EQ(header(bob->want("ACK"), "CSeq"), cseq_number(invite) + " ACK");
  line->pass(45100ms);
  const std::string refresh = bob->want("INVITE");
  EXPECT_NE(cseq_number(refresh), cseq_number(invite));
  bob->respond(refresh, 200, msrp_sdp("bob", "a=setup:active\r\n"), lines);
  EXPECT_EQ(cseq_number(bob->want("ACK")), cseq_number(refresh));
  for (const std::string& again : {invite, refresh, invite}) {
    bob->respond(again, 200, msrp_sdp("bob", "a=setup:active\r\n"), lines);
    EXPECT_EQ(cseq_number(bob->want("ACK")), cseq_number(again));
    bob->quiet();
  }
}

// RFC 5407 section 3.1.4: where our 200 has an offer, its answer is to come first. The 200 is repeated until it does.
TEST_F(Party, R3261_6_AReInviteAheadOfTheAnswerInTheAckIs491) {
  gather({bob.get(), carol.get()});
  const std::string identity = alice->target;
  leaves(*bob);
  bob->invite_uri(identity, {}, im_lines);
  const std::string ok = bob->want("200 INVITE");
  bob->take(ok);
  const std::string number = bob->invite_cseq;  // its ACK is lost
  bob->request("INVITE", msrp_sdp("elsewhere"), im_lines);
  bob->invite_text = bob->last;
  bob->ack_refused(bob->want("491 INVITE"));
  line->pass(500ms);
  EXPECT_EQ(bob->want("200 INVITE"), ok);
  bob->invite_cseq = number;
  bob->ack(msrp_sdp("bob"));
  bob->request("INVITE", msrp_sdp("elsewhere"), im_lines);
  bob->want("200 INVITE");
  bob->ack();
  line->pass(60s);
  bob->quiet();
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 3U);
}

// Her INVITE has no other final response.
TEST_F(Party, R3261_2_The200ToAReInviteIsRepeatedAlthoughSheLeaves) {
  for (const bool acknowledged : {true, false}) {
    gather({bob.get(), carol.get()});
    alice->request("INVITE", msrp_sdp("elsewhere"), im_lines);
    const std::string lost = alice->want("200 INVITE");
    leaves(*alice);
    line->pass(500ms);
    EXPECT_EQ(alice->want("200 INVITE"), lost);
    if (acknowledged) alice->ack();
    line->pass(1s);
    EXPECT_EQ(alice->next().empty(), acknowledged);
    line->pass(32s);
    while (!alice->next().empty()) continue;
    line->pass(10s);
    alice->quiet();
    leaves(*bob);
    ended(*carol);
    at_rest();
  }
}

TEST_F(Party, R3261_5_A481StaysA481WhenTheDialogBegins) {
  begin(*alice, {"bob", "carol"});
  const std::string invite = bob->want("INVITE");
  bob->hold(invite, header(invite, "To") + ";tag=" + bob->name());
  bob->request("MESSAGE", "early");  // before the 2xx, which is slower
  const std::string early = bob->last;
  const std::string refused = bob->want("481 MESSAGE");
  bob->call_id.clear();
  bob->respond(invite, 200, msrp_sdp("bob", "a=setup:active\r\n"), "Allow: INVITE, ACK, CANCEL, BYE, UPDATE\r\n");
  bob->want("ACK");
  bob->send(early);
  EXPECT_EQ(bob->want("481 MESSAGE"), refused);
}

TEST_F(Party, R3264_3_ARefreshAnsweredWithoutADescriptionIsAcknowledgedAndEndsIt) {
  begin(*alice, {"bob", "carol"});
  const std::string invite = bob->want("INVITE");
  bob->call_id.clear();
  bob->respond(invite, 200, msrp_sdp("bob", "a=setup:active\r\n"),
               "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\nAllow: INVITE, ACK, CANCEL, BYE\r\n");
  bob->want("ACK");
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  line->pass(45100ms);
  const std::string refresh = bob->want("INVITE");
  bob->respond(refresh, 200);
  EXPECT_EQ(cseq_number(bob->want("ACK")), cseq_number(refresh));
  bob->want("BYE");
}

TEST_F(Party, R3261_8_WithoutItsAckThe200IsSentAgainAndThenEnded) {
  begin(*alice, {"bob"});
  join(*bob);
  const std::string ok = alice->want("200 INVITE");
  line->pass(600ms);
  EXPECT_EQ(alice->want("200 INVITE"), ok);
  line->pass(33s);
  std::string last = alice->next();
  while (Phone::kind(last) == "200 INVITE") last = alice->next();
  EXPECT_EQ(Phone::kind(last), "BYE");
  alice->respond(last, 200);
  ended(*bob);
  at_rest();
}

TEST_F(Party, R3261_5_AConnectionThatIsGoneTakesWhoCanNotBeCalledWithIt) {
  Phone eve(*line, "alice", "127.0.0.1:40009");
  eve.features = ";+g.oma.sip-im";
  eve.connect();
  eve.invite_uri("sip:bob@example.org", msrp_sdp("eve"), im_lines);
  join(*bob);
  eve.take(eve.want("200 INVITE"));
  eve.ack();
  eve.disconnect();
  line->pass(33s);  // nobody answers our BYE
  EXPECT_EQ(header(ended(*bob), "Reason"), "SIP;cause=480;text=\"Session Ended\"");
}

// RFC 3263 section 4.3 knows no other address of hers: she is called again.
TEST_F(Party, OMA_SES_8_AByeThatNoConnectionCouldTakeIsSentAgain) {
  Phone eve(*line, "alice", "127.0.0.1:40009");
  eve.features = ";+g.oma.sip-im";
  eve.connect("127.0.0.1:41009");
  eve.invite_uri("sip:bob@example.org", msrp_sdp("eve"), im_lines);
  join(*bob);
  eve.take(eve.want("200 INVITE"));
  eve.ack();
  eve.disconnect();
  bob->request("BYE");
  bob->want("200 BYE");
  line->pass(1s);  // and nobody listens there at the moment
  EXPECT_EQ(line->world.metric(core::Metric::sip_byes_tried_again), 0U);
  line->datagrams_only = false;
  line->pass(1s);
  ASSERT_EQ(line->world.connects.size(), 1U);
  eve.is_called(line->world.connects.front().token);
  EXPECT_EQ(header(ended(eve), "Reason"), "SIP;cause=480;text=\"Session Ended\"");
  EXPECT_EQ(line->world.metric(core::Metric::sip_byes_tried_again), 1U);
  at_rest();
}

TEST_F(Party, OMA_SES_8_AByeThatItsPeerAnswers503HasReachedHim) {
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"), im_lines);
  join(*bob);
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  alice->request("BYE");
  alice->want("200 BYE");
  bob->respond(bob->want("BYE"), 503);
  for (int seconds = 0; seconds < 10; ++seconds) line->pass(1s);
  bob->quiet();
  EXPECT_EQ(line->world.metric(core::Metric::sip_byes_tried_again), 0U);
  at_rest();
}

TEST_F(Party, OMA_SES_8_AByeThatNobodyEverTakesIsGivenUp) {
  Phone eve(*line, "alice", "127.0.0.1:40009");
  eve.features = ";+g.oma.sip-im";
  eve.connect("127.0.0.1:41009");
  eve.invite_uri("sip:bob@example.org", msrp_sdp("eve"), im_lines);
  join(*bob);
  eve.take(eve.want("200 INVITE"));
  eve.ack();
  eve.disconnect();
  bob->request("BYE");
  bob->want("200 BYE");
  for (int seconds = 0; seconds < 10; ++seconds) line->pass(1s);
  EXPECT_EQ(line->world.metric(core::Metric::sip_byes_tried_again), 3U);
  at_rest();
}

TEST_F(Party, OMA_SES_10_AMessageToTheFocusIsTakenForTheOthers) {
  gather({bob.get()});
  alice->send_typed("MESSAGE", "text/plain", "hello");
  EXPECT_EQ(code(alice->want("202 MESSAGE")), "202");
  carol->call_id = "m1";
  carol->local = "<sip:carol@example.org>;tag=c";
  carol->target = alice->target;
  carol->remote = "<" + alice->target + ">";
  carol->send_typed("MESSAGE", "text/plain", "hello");
  EXPECT_EQ(code(carol->want("403 MESSAGE")), "403") << "who does not take part";
}

// OMA-PAG-1: a 202 says that somebody will get it.
TEST_F(Party, OMA_PAG_1_AMessageThatNobodyCanTakeIsNotAccepted) {
  gather({bob.get()});
  std::string sdp = msrp_sdp("bob", "a=setup:active\r\na=sendonly\r\n");
  sdp.replace(sdp.find("o=- 1 1"), 7, "o=- 1 2");
  bob->request("UPDATE", sdp);
  bob->want("200 UPDATE");
  alice->send_typed("MESSAGE", "text/plain", "hello");
  EXPECT_EQ(code(alice->want("480 MESSAGE")), "480") << "bob listens to nobody";
  bob->send_typed("MESSAGE", "text/plain", "hello");
  EXPECT_EQ(code(bob->want("202 MESSAGE")), "202");
}

TEST_F(Party, OMA_PAG_1_A415SaysWhatTheOthersTake) {
  begin(*alice, {"bob"});
  const std::string invite = bob->want("INVITE");
  std::string sdp = msrp_sdp("bob", "a=setup:active\r\n");
  const std::string all = "a=accept-wrapped-types:*";
  sdp.replace(sdp.find(all), all.size(), "a=accept-wrapped-types:text/plain image/*");
  bob->call_id.clear();
  bob->respond(invite, 200, sdp, "Supported: timer\r\nAllow: INVITE, ACK, CANCEL, BYE, UPDATE\r\n");
  bob->want("ACK");
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  alice->send_typed("MESSAGE", "video/mpeg", "hello");
  EXPECT_EQ(header(alice->want("415 MESSAGE"), "Accept"), "text/plain, image/*");
  alice->send_typed("MESSAGE", "image/png", "hello");
  EXPECT_EQ(code(alice->want("202 MESSAGE")), "202");
}

TEST_F(Party, R4579_3_OptionsToTheFocusSayWhatItIs) {
  gather({bob.get()});
  carol->call_id = "o1";
  carol->local = "<sip:carol@example.org>;tag=c";
  carol->target = alice->target;
  carol->remote = "<" + alice->target + ">";
  carol->request("OPTIONS");
  const std::string ok = carol->want("200 OPTIONS");
  EXPECT_NE(header(ok, "Contact").find(";isfocus"), std::string::npos) << ok;
  EXPECT_EQ(header(ok, "Allow-Events"), "conference");
}

TEST_F(Party, DrainingEndsTheSessionsThatAreLeft) {
  gather({bob.get()});
  line->world.drain();
  line->collect();
  alice->quiet();
  line->pass(27s);
  EXPECT_EQ(header(ended(*alice), "Reason").substr(0, 13), "SIP;cause=503");
  ended(*bob);
  EXPECT_EQ(line->world.metric(Metric::sip_sessions_drained), 1U);
  at_rest();
  EXPECT_TRUE(line->world.service().drained());
}

}  // namespace
}  // namespace parley::tests
