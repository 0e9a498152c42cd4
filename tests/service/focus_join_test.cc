// tests/service/focus_join_test.cc - sessions of a focus: how they begin, whole messages as they are on the wire.
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

// The header names of a message, in order.
std::string names(std::string_view message) {
  std::string text;
  std::string_view rest = message.substr(message.find("\r\n") + 2);
  while (!rest.starts_with("\r\n") && !rest.empty()) {
    text += std::string(rest.substr(0, rest.find(':'))) + " ";
    rest.remove_prefix(rest.find("\r\n") + 2);
  }
  return text;
}

TEST_F(Party, SEED2_7_2_1_1_2_ToTheFactoryAProvisionalResponseSaysWhoWeAre) {
  begin(*alice, {"bob", "carol"});
  bob->respond(bob->want("INVITE"), 180);
  const std::string ringing = alice->want("180 INVITE");
  EXPECT_EQ(header(ringing, "Server"), "IM-serv/OMA1.0 parley/0.0") << "SEED2-7.2.1.1-3";
  EXPECT_EQ(header(ringing, "Allow"),
            "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY")
      << "SEED2-7.2.1.1-4";
  EXPECT_EQ(header(ringing, "P-Asserted-Identity"), "<sip:factory@example.org>") << "SEED2-7.2.1.1-5a";
  EXPECT_TRUE(header(ringing, "Contact").ends_with("@127.0.0.1:5060>;isfocus;+g.oma.sip-im"))
      << "SEED2-7.2.1.1-6\n" << ringing;
  EXPECT_NE(tag_of(header(ringing, "To")), "");
  carol->respond(carol->want("INVITE"), 183);
  alice->quiet();
}

TEST_F(Party, SEED2_7_2_1_1_7_The200ToTheFactoryIsWhole) {
  begin(*alice, {"bob"});
  join(*bob);
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "Server"), "IM-serv/OMA1.0 parley/0.0") << "SEED2-7.2.1.1-12";
  EXPECT_NE(header(ok, "Allow"), "") << "SEED2-7.2.1.1-8";
  EXPECT_EQ(header(ok, "Session-Expires"), "1800;refresher=uac") << "SEED2-7.2.1.1-9";
  EXPECT_EQ(header(ok, "Require"), "timer") << "R4028-2";
  EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:factory@example.org>") << "SEED2-7.2.1.1-10a";
  EXPECT_TRUE(header(ok, "Contact").ends_with(">;isfocus;+g.oma.sip-im")) << "SEED2-7.2.1.1-11";
  EXPECT_EQ(header(ok, "Content-Type"), "application/sdp");
  EXPECT_EQ(header(ok, "Record-Route"), "");
  EXPECT_EQ(names(ok),
            "Via From To Call-ID CSeq Contact Server Allow P-Asserted-Identity Allow-Events Supported Session-Expires "
            "Require Content-Type Content-Length ");
  const std::string sdp = body_of(ok);
  EXPECT_NE(sdp.find("m=message 2855 TCP/MSRP *\r\n"), std::string::npos) << sdp;
  EXPECT_NE(sdp.find("c=IN IP4 127.0.0.1\r\n"), std::string::npos) << "R4975-14\n" << sdp;
  EXPECT_NE(sdp.find("a=accept-types:message/cpim\r\n"), std::string::npos) << "R7701-1, OMA-MSRP-4\n" << sdp;
  EXPECT_NE(sdp.find("a=accept-wrapped-types:*\r\n"), std::string::npos) << sdp;
  EXPECT_NE(sdp.find("a=chatroom:nickname private-messages\r\n"), std::string::npos) << "R7701-4\n" << sdp;
  EXPECT_NE(sdp.find("a=setup:passive\r\n"), std::string::npos) << "OMA-MSRP-1\n" << sdp;
  const FakeMedia::Session* const media = line->world.media().find(path_of(sdp));
  ASSERT_NE(media, nullptr) << sdp;
  EXPECT_EQ(media->peer, "msrp://127.0.0.1:9000/alice;tcp");
  EXPECT_FALSE(media->we_connect);
  alice->take(ok);
  alice->ack();
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 2U);
  leaves(*alice);
  ended(*bob);
  at_rest();
}

TEST_F(Party, OMA_SES_4_WhoIsInvitedLearnsByWhomAndWhoElse) {
  begin(*alice, {"bob", "carol"}, "Subject: lunch\r\nContribution-ID: abc\r\n");
  const std::string invite = bob->want("INVITE");
  EXPECT_TRUE(invite.starts_with("INVITE sip:bob@127.0.0.1:40002 SIP/2.0\r\n")) << "SEED4-6.1.2.2.2-2\n" << invite;
  EXPECT_NE(header(invite, "Call-ID"), alice->call_id);
  EXPECT_TRUE(header(invite, "From").starts_with("<sip:alice@example.org>;tag=")) << invite;
  EXPECT_NE(tag_of(header(invite, "From")), tag_of(alice->local));
  EXPECT_EQ(header(invite, "To"), "<sip:bob@example.org>");
  EXPECT_EQ(header(invite, "Accept-Contact"), "*;+g.oma.sip-im") << "SEED4-6.1.2.2.2-3";
  EXPECT_EQ(header(invite, "User-Agent"), "IM-serv/OMA1.0 parley/0.0") << "SEED4-6.1.2.2.2-4";
  EXPECT_EQ(header(invite, "Server"), "");
  EXPECT_EQ(header(invite, "Session-Expires"), "1800;refresher=uas") << "SEED4-6.1.2.2.2-5, DEC-8";
  EXPECT_EQ(header(invite, "Supported"), "timer, norefersub, tdialog, recipient-list-invite, multiple-refer")
      << "SEED4-6.1.2.2.2-6";
  EXPECT_NE(header(invite, "Allow"), "") << "SEED4-6.1.2.2.2-7";
  EXPECT_TRUE(header(invite, "Contact").ends_with(">;isfocus;+g.oma.sip-im")) << "SEED4-6.1.2.2.2-8a, -8b, -8c";
  EXPECT_EQ(header(invite, "P-Asserted-Identity"), "<sip:alice@example.org>") << "SEED4-6.1.2.2.2-9";
  EXPECT_EQ(header(invite, "Referred-By"), "<sip:alice@example.org>");
  EXPECT_EQ(header(invite, "Privacy"), "");
  EXPECT_EQ(header(invite, "Subject"), "lunch");
  EXPECT_EQ(header(invite, "Contribution-ID"), "abc") << "T-9";
  EXPECT_EQ(header(invite, "Record-Route"), "");
  EXPECT_EQ(invite.find("Via: ", invite.find("Via: ") + 1), std::string::npos);
  EXPECT_EQ(invite.find("127.0.0.1:40001"), std::string::npos) << "nothing of the inviter's address\n" << invite;
  EXPECT_EQ(invite.find("msrp://127.0.0.1:9000"), std::string::npos) << "nor of his media\n" << invite;
  EXPECT_TRUE(header(invite, "Content-Type").starts_with("multipart/mixed;boundary=")) << invite;
  EXPECT_NE(invite.find("Content-Disposition: recipient-list-history; handling=optional"), std::string::npos) << "R5366-1";
  EXPECT_NE(invite.find("sip:bob@example.org\""), std::string::npos) << invite;
  EXPECT_NE(invite.find("sip:carol@example.org\""), std::string::npos) << invite;
  EXPECT_EQ(between(invite, "a=setup:", "\r\n"), "actpass") << "R6135-1";
  EXPECT_NE(line->world.media().find(path_of(invite)), nullptr) << invite;
}

TEST_F(Party, R5365_1_WhatAnEntryAsksForIsInItsOwnInvite) {
  begin(*alice, {"sip:bob@example.org;method=MESSAGE?Subject=hi%20bob&amp;From=sip:eve%40example.org&amp;Route=x", "carol"}, "Subject: lunch\r\n");
  const std::string to_bob = bob->want("INVITE");
  EXPECT_EQ(header(to_bob, "Subject"), "hi bob");
  EXPECT_EQ(to_bob.find("lunch"), std::string::npos) << to_bob;
  EXPECT_EQ(to_bob.find("eve"), std::string::npos) << to_bob;
  EXPECT_EQ(header(to_bob, "Route"), "");
  EXPECT_EQ(header(to_bob, "To"), "<sip:bob@example.org>") << "RFC 3261 section 19.1.1: no method, no headers";
  const std::string to_carol = carol->want("INVITE");
  EXPECT_EQ(header(to_carol, "Subject"), "lunch");
  EXPECT_EQ(to_carol.find("hi%20bob"), std::string::npos) << to_carol;
}

TEST_F(Party, OMA_SES_3_TheFirstWhoAcceptsDecides) {
  begin(*alice, {"bob", "carol"});
  bob->respond(bob->want("INVITE"), 180);
  alice->want("180 INVITE");
  join(*carol);
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 2U);
  leaves(*alice);
  // Nobody but carol is left, but bob may still come.
  carol->quiet();
  line->pass(181s);
  bob->want("CANCEL");
}

TEST_F(Party, OMA_SES_3_ImmediatelyWhereTheOperatorWantsThat) {
  auto config = focus_config();
  config->focus.answer = policy::FocusAnswer::immediate;
  make(config);
  begin(*alice, {"bob"});
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  join(*bob);
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 2U);
  leaves(*alice);
  ended(*bob);
  at_rest();
}

TEST_F(Party, OMA_SES_3_OfAllRefusalsTheBestOneGoesBack) {
  begin(*alice, {"bob", "carol", "dave"});
  join(*bob, 480);
  join(*carol, 603);
  alice->quiet();
  join(*dave, 486);
  EXPECT_EQ(code(alice->want("603 INVITE")), "603") << "RFC 3261 section 16.7";
  alice->ack();
  at_rest();
}

TEST_F(Party, OMA_SES_3_NobodyThereIs480) {
  begin(*alice, {"nobody"});
  const std::string refusal = alice->next();
  EXPECT_EQ(code(refusal), "404") << refusal;
  alice->ack();
  at_rest();
}

TEST_F(Party, OMA_SES_5_WhoDoesNotAnswerIsCancelledAfterThreeMinutes) {
  begin(*alice, {"bob"});
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 180);
  alice->want("180 INVITE");
  line->pass(179s);
  bob->quiet();
  line->pass(1200ms);
  const std::string cancel = bob->want("CANCEL");
  bob->respond(cancel, 200);
  bob->respond(invite, 487);
  EXPECT_EQ(code(alice->want("480 INVITE")), "480");
  alice->ack();
  bob->want("ACK");
  at_rest();
}

TEST_F(Party, OMA_SES_1_OfTwoItIsTheUserWhoIsCalled) {
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice", "a=setup:active\r\na=max-size:5000\r\n", "text/plain message/cpim"),
                    im_lines);
  const std::string invite = bob->want("INVITE");
  EXPECT_EQ(header(invite, "Content-Type"), "application/sdp") << "no list: they are two";
  const std::string offer = body_of(invite);
  EXPECT_NE(offer.find("a=accept-types:text/plain message/cpim\r\n"), std::string::npos) << "what alice takes\n" << offer;
  EXPECT_NE(offer.find("a=max-size:5000\r\n"), std::string::npos) << offer;
  EXPECT_EQ(offer.find("a=chatroom"), std::string::npos) << offer;
  EXPECT_TRUE(header(invite, "Contact").ends_with("@127.0.0.1:5060>;isfocus;+g.oma.sip-im")) << invite;
  bob->respond(invite, 200, msrp_sdp("bob", "a=setup:active\r\n", "text/plain"));
  bob->want("ACK");
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:factory@example.org>") << "SEED2-7.2.1.1-5a, DEC-25";
  EXPECT_TRUE(header(ok, "Contact").ends_with(";isfocus;+g.oma.sip-im")) << "T-31: hers is an OMA client\n" << ok;
  EXPECT_NE(body_of(ok).find("a=accept-types:text/plain\r\n"), std::string::npos) << "what bob takes\n" << ok;
  EXPECT_NE(body_of(ok).find("a=setup:passive\r\n"), std::string::npos) << ok;
  alice->take(ok);
  alice->ack();
  leaves(*bob);
  EXPECT_EQ(header(ended(*alice), "Reason"), "SIP;cause=480;text=\"Session Ended\"");
  at_rest();
}

TEST_F(Party, T_31_WhoTakesIsfocusForAGroupChatDoesNotGetItInASessionOfTwo) {
  std::string rcs = im_lines;
  rcs.replace(rcs.find("IM-client/OMA1.0"), 16, "RCS-client/UP_2.4");
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"), rcs);
  const std::string invite = join(*bob);
  EXPECT_TRUE(header(invite, "Contact").ends_with("@127.0.0.1:5060>;+g.oma.sip-im")) << invite;
  const std::string ok = alice->want("200 INVITE");
  EXPECT_TRUE(header(ok, "Contact").ends_with("@127.0.0.1:5060>;+g.oma.sip-im")) << ok;
  auto config = focus_config();
  config->focus.one_to_one_isfocus = policy::OneToOneFocus::always;
  make(config);
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"), rcs);
  EXPECT_TRUE(header(join(*bob), "Contact").ends_with(";isfocus;+g.oma.sip-im"));
}

TEST_F(Party, OMA_SES_2_DirectSessionsOfTwoHaveNoFocus) {
  auto config = focus_config();
  config->focus.one_to_one = policy::OneToOne::direct;
  make(config);
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"), im_lines);
  const std::string invite = bob->want("INVITE");
  EXPECT_EQ(header(invite, "Call-ID"), alice->call_id);
  EXPECT_EQ(path_of(invite), "msrp://127.0.0.1:9000/alice;tcp");
}

TEST_F(Party, OMA_SES_2_WhatHasAFocusAlreadyGoesOn) {
  alice->features += ";isfocus";
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"), im_lines);
  EXPECT_EQ(header(bob->want("INVITE"), "Call-ID"), alice->call_id);
}

TEST_F(Party, OMA_ID_1_WhatIsNoImGoesOnAsEver) {
  alice->features.clear();
  alice->invite("bob", "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n");
  EXPECT_EQ(header(bob->want("INVITE"), "Call-ID"), alice->call_id);
}

TEST_F(Party, OMA_GRP_5_ALongListIsRefusedWithTheMaximum) {
  std::vector<std::string> many;
  for (int i = 0; i < 22; ++i) many.push_back("user" + std::to_string(i));
  begin(*alice, many);
  const std::string refusal = alice->want("403 INVITE");
  EXPECT_EQ(header(refusal, "Warning"), "399 example.org \"too many recipients, at most 20\"");
  at_rest();
}

// What is not read any more may name somebody.
TEST_F(Party, OMA_GRP_5_NobodyAtTheEndOfALongListIsLeftOutInSilence) {
  std::vector<std::string> many(500, "bob");
  many.emplace_back("carol");
  begin(*alice, many);
  EXPECT_EQ(header(alice->want("403 INVITE"), "Warning"), "399 example.org \"too many recipients, at most 20\"");
  bob->quiet();
  carol->quiet();
  at_rest();
}

TEST_F(Party, OMA_GRP_5_TheInviterAndRepetitionsDoNotCount) {
  auto config = focus_config();
  config->focus.adhoc_max = 2;
  make(config);
  begin(*alice, {"alice", "bob", "sip:bob@EXAMPLE.org", "carol", "sip:factory@example.org"});
  join(*bob);
  join(*carol);
  alice->want("200 INVITE");
}

TEST_F(Party, OMA_GRP_8_AListThatCanNotBeReadIs400) {
  alice->invite_uri("sip:factory@example.org", mixed(msrp_sdp("alice"), "<resource-lists"), im_lines, mixed_type);
  EXPECT_NE(header(alice->want("400 INVITE"), "Warning"), "");
  begin(*alice, {"mailto:bob@example.org"});
  EXPECT_EQ(code(alice->want("404 INVITE")), "404") << "none of its entries can be invited";
  at_rest();
}

TEST_F(Party, R5366_1_AListThatIsRequiredHasToBeThere) {
  alice->invite_uri("sip:factory@example.org", msrp_sdp("alice"), im_lines + "Require: recipient-list-invite\r\n");
  EXPECT_EQ(header(alice->want("400 INVITE"), "Warning"), "399 example.org \"no recipient list\"");
}

TEST_F(Party, OMA_ID_9_AnUnknownSessionTypeIs403) {
  alice->invite_uri("sip:factory@example.org;sessiontype=broadcast", mixed(msrp_sdp("alice"), resource_list({"bob"})),
                    im_lines, mixed_type);
  EXPECT_EQ(header(alice->want("403 INVITE"), "Warning"), "399 example.org \"unknown session type\"");
  alice->invite_uri("sip:factory@example.org;sessiontype=ADHOC", mixed(msrp_sdp("alice"), resource_list({"bob"})),
                    im_lines, mixed_type);
  bob->want("INVITE");
}

TEST_F(Party, OMA_POL_4_WithoutAnMsrpSectionThatWeTakeItIs488AndSaysWhatWould) {
  alice->invite_uri("sip:factory@example.org",
                    mixed("v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n", resource_list({"bob"})),
                    im_lines, mixed_type);
  const std::string refusal = alice->want("488 INVITE");
  EXPECT_NE(header(refusal, "Warning"), "");
  EXPECT_EQ(header(refusal, "Content-Type"), "application/sdp");
  EXPECT_NE(body_of(refusal).find("m=audio 0 RTP/AVP 0\r\n"), std::string::npos) << refusal;
  alice->ack();
  alice->invite_uri("sip:factory@example.org",
                    mixed("v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\nm=message 9 TCP/TLS/MSRP *\r\n"
                          "a=accept-types:*\r\na=path:msrps://127.0.0.1:9/x;tcp\r\n",
                          resource_list({"bob"})),
                    im_lines, mixed_type);
  const std::string no_tls = alice->want("488 INVITE");
  EXPECT_NE(body_of(no_tls).find("m=message 0 TCP/MSRP *\r\na=accept-types:message/cpim\r\n"), std::string::npos) << no_tls;
}

TEST_F(Party, T_44_FurtherSectionsAreRefusedOneByOne) {
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice") + "m=audio 5000 RTP/AVP 0 8\r\n", im_lines);
  join(*bob);
  const std::string ok = alice->want("200 INVITE");
  EXPECT_NE(body_of(ok).find("m=audio 0 RTP/AVP 0 8\r\n"), std::string::npos) << ok;
}

TEST_F(Party, R3261_4_AContentTypeThatWeDoNotKnowIs415) {
  alice->invite_uri("sip:factory@example.org", "x", im_lines, "application/x-unknown");
  const std::string refusal = alice->want("415 INVITE");
  EXPECT_EQ(header(refusal, "Accept"), "application/sdp, application/resource-lists+xml, multipart/mixed");
}

TEST_F(Party, R3261_7_ACancelEndsTheInvitationsToo) {
  begin(*alice, {"bob"});
  const std::string invite = bob->want("INVITE");
  bob->respond(invite, 180);
  alice->want("180 INVITE");
  alice->cancel();
  alice->want("200 CANCEL");
  alice->want("487 INVITE");
  alice->ack();
  bob->respond(bob->want("CANCEL"), 200);
  bob->respond(invite, 487);
  bob->want("ACK");
  at_rest();
}

TEST_F(Party, DEC_8_WithoutTimersOfItsOwnAClientIsRefreshedByUs) {
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"), "Accept-Contact: *;+g.oma.sip-im\r\n");
  join(*bob);
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "Session-Expires"), "1800;refresher=uas");
  EXPECT_EQ(header(ok, "Require"), "");
}

TEST_F(Party, R4028_1_TooShortATimerIs422) {
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"),
                    "Accept-Contact: *;+g.oma.sip-im\r\nSupported: timer\r\nSession-Expires: 60\r\n");
  EXPECT_EQ(header(alice->want("422 INVITE"), "Min-SE"), "90");
}

TEST_F(Party, OMA_SES_3_InvitationsGoOutAFewAtATime) {
  auto config = focus_config();
  config->focus.invite_parallel = 2;
  make(config);
  begin(*alice, {"bob", "carol", "dave"});
  join(*bob);
  EXPECT_EQ(dave->boxed(), 1U);
  join(*carol);
  join(*dave);
}

TEST_F(Party, SessionsAndParticipantsHaveLimits) {
  auto config = focus_config();
  config->focus.sessions_max = 1;
  make(config);
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"), im_lines);
  join(*bob);
  alice->want("200 INVITE");
  carol->invite_uri("sip:dave@example.org", msrp_sdp("carol"), im_lines);
  carol->want("503 INVITE");
  EXPECT_EQ(line->world.metric(Metric::sip_sessions_limit), 1U);
  line->world.media().sessions_max = 0;
}

TEST_F(Party, MsrpSessionsHaveALimit) {
  line->world.media().sessions_max = 1;
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"), im_lines);
  alice->want("480 INVITE");
  EXPECT_EQ(line->world.metric(Metric::sip_sessions_media_limit), 1U);
  alice->ack();
  at_rest();
}

}  // namespace
}  // namespace parley::tests
