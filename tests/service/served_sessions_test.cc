// tests/service/served_sessions_test.cc - IM sessions of users whose settings and clients differ, with a focus or leg
// to leg: who is reached, and what of the session is shown. OMA-SES-11, OMA-SET-12, OMA-LRG-2, OMA-FT-3, OMA-FT-4,
// OMA-ID-10, OMA-X-2.
#include <gtest/gtest.h>

#include "tests/service/parties.h"
#include "tests/service/publisher.h"

namespace parley::tests {
namespace {

std::string sss(bool active) {
  return std::string("<sss-settings><simultaneous-sessions-support active=\"") + (active ? "true" : "false") +
         "\"/></sss-settings>";
}

// alice, bob, carol and dave with a focus of ours.
struct ServedParty : Party {
  void SetUp() override {
    auto config = focus_config();
    config->im.participating = true;
    make(config);
  }
  void settle(Phone& who, const std::string& inside) {
    Publisher publisher(line->world, who.user(), who.address());
    ASSERT_EQ(code(publisher.publish({.body = settings_xml(inside)})), "200");
  }
  // The final response to his INVITE: "486 INVITE".
  static std::string final_of(Phone& who) {
    for (;;) {
      const std::string text = who.next();
      if (!text.starts_with("SIP/2.0 1")) return Phone::kind(text);
    }
  }
};

TEST_F(ServedParty, OMA_SES_11_WhoTakesPartInOneSessionAtATimeIsBusyInItsTime) {
  settle(*bob, sss(false));
  gather({bob.get(), carol.get()});
  dave->invite_uri("sip:bob@example.org", msrp_sdp("dave"), im_lines);
  EXPECT_EQ(final_of(*dave), "486 INVITE");
  EXPECT_EQ(line->world.metric(core::Metric::im_refused_simultaneous), 1U);
  bob->quiet();
  dave->invite_uri("sip:carol@example.org", msrp_sdp("dave"), im_lines);
  join(*carol);
  EXPECT_EQ(final_of(*dave), "200 INVITE") << "carol has settled nothing";
  leaves(*bob);
  dave->invite_uri("sip:bob@example.org", msrp_sdp("dave2"), im_lines);
  EXPECT_EQ(Phone::kind(bob->next()), "INVITE") << "he is free again";
}

TEST_F(ServedParty, OMA_SES_11_WhoBeganTheOtherSessionIsBusyTooAndWhoAllowsSeveralIsNot) {
  settle(*alice, sss(false));
  settle(*bob, sss(true));
  gather({bob.get()});
  dave->invite_uri("sip:alice@example.org", msrp_sdp("dave"), im_lines);
  EXPECT_EQ(final_of(*dave), "486 INVITE");
  dave->invite_uri("sip:bob@example.org", msrp_sdp("dave"), im_lines);
  EXPECT_EQ(Phone::kind(bob->next()), "INVITE");
}

TEST_F(ServedParty, OMA_SET_12_WhoIsInvisibleStandsInTheRoster) {
  settle(*bob, "<im:vis-settings><im:vis-status active=\"false\"/></im:vis-settings>");
  gather({bob.get(), carol.get()});
  carol->request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\nAccept: application/conference-info+xml\r\n");
  carol->want("200 SUBSCRIBE");
  const std::string notify = carol->want("NOTIFY");
  EXPECT_NE(body_of(notify).find("sip:bob@example.org"), std::string::npos) << notify;
}

TEST_F(ServedParty, OMA_LRG_2_ALargeMessageOfTwoHasNoFocus) {
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice", "a=sendonly\r\na=setup:actpass\r\n"),
                    "Accept-Contact: *;+g.oma.sip-im.large-message\r\n");
  const std::string invite = bob->want("INVITE");
  EXPECT_EQ(header(invite, "Contact").find("isfocus"), std::string::npos) << invite;
  EXPECT_EQ(header(invite, "Call-ID"), alice->call_id) << "it goes from one to the other";
  EXPECT_EQ(path_of(invite), "msrp://127.0.0.1:9000/alice;tcp");
  EXPECT_EQ(line->world.metric(core::Metric::sip_sessions), 0U);
  // Barred like a pager message, and by the rules about sessions (DEC-16).
  settle(*bob, ipab(true));
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"), "Accept-Contact: *;+g.oma.sip-im.large-message\r\n");
  alice->want("403 INVITE");
  // Nobody can watch it: it is no conference.
  alice->request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\n");
  const std::string answer = alice->next();
  EXPECT_NE(Phone::kind(answer), "200 SUBSCRIBE") << answer;
}

// TS 24.247: created at the factory with a list, joined by its URI, left and joined again.
TEST_F(ServedParty, OMA_X_2_AConferenceIsMadeAtTheFactoryAndJoinedByItsUri) {
  begin(*alice, {"bob", "carol"});
  const std::string to_bob = join(*bob);
  EXPECT_TRUE(header(to_bob, "Contact").find(";isfocus") != std::string::npos) << to_bob;
  join(*carol);
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  const std::string conference = contact_uri(ok);
  EXPECT_EQ(contact_uri(to_bob), conference) << "one URI for all";
  leaves(*bob);
  bob->invite_uri(conference, msrp_sdp("bob2"), im_lines);
  const std::string again = bob->want("200 INVITE");
  EXPECT_EQ(contact_uri(again), conference);
  EXPECT_FALSE(path_of(again).empty());
  bob->take(again);
  bob->ack();
  EXPECT_EQ(line->world.metric(core::Metric::sip_session_participants), 3U);
}

// TS 24.247: the path's authority need not resolve; its session-id counts, and c= and m= say where to connect.
TEST_F(ServedParty, OMA_X_1_AnOfferWhosePathLeadsNowhereIsTakenByItsOtherLines) {
  std::string offer = msrp_sdp("alice", "a=setup:passive\r\na=max-size:5000\r\na=msrp-cema\r\n",
                               "message/cpim application/im-iscomposing+xml");
  const std::string path = "msrp://192.0.2.77:7394/alice;tcp";
  offer.replace(offer.find("msrp://127.0.0.1:9000/alice;tcp"), 31, path);
  alice->invite_uri("sip:bob@example.org", offer, im_lines);
  const std::string invite = join(*bob);
  EXPECT_NE(body_of(invite).find("a=accept-types:message/cpim application/im-iscomposing+xml\r\n"), std::string::npos)
      << invite;
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  EXPECT_EQ(between(body_of(ok), "a=setup:", "\r\n"), "active");
  const FakeMedia::Session* const session = line->world.media().find(path_of(ok));
  ASSERT_NE(session, nullptr);
  EXPECT_EQ(session->peer, path);
  EXPECT_TRUE(session->we_connect);
  EXPECT_TRUE(session->loose) << "by its session-id";
  EXPECT_EQ(session->address, "127.0.0.1:9000") << "OMA-MSRP-2";
}

// Leg to leg, with messages that go through here.
struct ServedCalls : Calls {
  void SetUp() override { start(1); }
  void start(std::uint32_t shards) {
    auto config = sip_config();
    config->trusted_peers = {*core::parse_cidr("127.0.0.0/8")};
    config->im.participating = true;
    config->im.media.path = policy::MediaPath::always;
    make(config, shards);
    line->datagrams_only = true;
  }
  std::string begins(Phone& from, const std::string& description) {
    from.invite_uri("sip:bob@example.org", description, im);
    return bob->want("INVITE");
  }
  void answers(Phone& from, const std::string& invite, const std::string& description) {
    bob->call_id.clear();
    bob->respond(invite, 200, description);
    from.take(from.want("200 INVITE"));
    from.ack();
    bob->want("ACK");
  }
  static std::string file(const std::string& id, const std::string& more = {}, const std::string& name = "a1") {
    return msrp_sdp(name,
                    "a=sendonly\r\na=setup:actpass\r\na=file-selector:name:\"a.txt\" type:text/plain size:4000 "
                    "hash:sha-1:72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E\r\na=file-transfer-id:" +
                        id + "\r\na=file-disposition:attachment\r\n" + more,
                    "*");
  }
};

TEST_F(ServedCalls, SEED4_6_1_1_2_2_6_The200HasAnAnswerWithOurOwnMedia) {
  const std::string invite = begins(*alice, msrp_sdp("a1"));
  bob->call_id.clear();
  bob->respond(invite, 200, msrp_sdp("b1", "a=setup:active\r\na=max-size:5000\r\n", "text/plain"));
  const std::string ok = alice->want("200 INVITE");
  EXPECT_EQ(header(ok, "Content-Type"), "application/sdp");
  EXPECT_TRUE(path_of(ok).starts_with("msrp://127.0.0.1:2855/")) << ok;
  EXPECT_NE(path_of(ok), path_of(invite)) << "each leg has its own";
  EXPECT_EQ(between(body_of(ok), "a=setup:", "\r\n"), "passive") << "to what alice has offered, whatever bob says";
  EXPECT_NE(body_of(ok).find("m=message 2855 TCP/MSRP *\r\n"), std::string::npos) << ok;
  EXPECT_NE(body_of(ok).find("a=accept-types:text/plain\r\n"), std::string::npos) << "what bob takes";
  EXPECT_NE(body_of(ok).find("a=max-size:5000\r\n"), std::string::npos);
  EXPECT_EQ(body_of(ok).find("127.0.0.1:9000"), std::string::npos) << ok;
}

TEST_F(ServedCalls, OMA_SES_11_SessionsOnAnyShardCount) {
  start(3);
  Publisher publisher(line->world, "bob", "127.0.0.1:40002");
  ASSERT_EQ(code(publisher.publish({.body = settings_xml(sss(false))})), "200");
  answers(*alice, begins(*alice, msrp_sdp("a1")), msrp_sdp("b1", "a=setup:active\r\n"));
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    Phone other(*line, "carol", "127.0.0.1:4010" + std::to_string(shard), shard);
    other.invite_uri("sip:bob@example.org", msrp_sdp("c1"), im);
    EXPECT_EQ(code(other.next()), "486") << shard;
    other.ack();
    bob->quiet();
  }
  alice->request("BYE");
  alice->want("200 BYE");
  bob->respond(bob->want("BYE"), 200);
  Phone other(*line, "dave", "127.0.0.1:40110", 1);
  other.invite_uri("sip:bob@example.org", msrp_sdp("d1"), im);
  EXPECT_EQ(Phone::kind(bob->next()), "INVITE");
}

TEST_F(ServedCalls, OMA_FT_3_TheSameTransferGoesOnAndAnotherIsAnother) {
  const std::string invite = begins(*alice, file("f1"));
  const std::string at_bob = path_of(invite);
  EXPECT_NE(body_of(invite).find("a=file-transfer-id:f1\r\n"), std::string::npos) << invite;
  answers(*alice, invite, msrp_sdp("b1", "a=recvonly\r\na=setup:active\r\na=file-transfer-id:f1\r\n"));
  alice->request("INVITE", file("f1"));
  const std::string again = bob->want("INVITE");
  EXPECT_NE(body_of(again).find("a=file-transfer-id:f1\r\n"), std::string::npos);
  EXPECT_EQ(path_of(again), at_bob) << "the session that carries it stays";
  bob->respond(again, 200, msrp_sdp("b1", "a=recvonly\r\na=setup:active\r\na=file-transfer-id:f1\r\n"));
  const std::string ok = alice->want("200 INVITE");
  EXPECT_NE(body_of(ok).find("a=file-transfer-id:f1\r\n"), std::string::npos) << "FT-2: the answer repeats it";
  alice->ack();
  bob->want("ACK");
  alice->request("INVITE", file("f2"));
  EXPECT_NE(body_of(bob->want("INVITE")).find("a=file-transfer-id:f2\r\n"), std::string::npos);
}

TEST_F(ServedCalls, OMA_FT_4_WhatOfTheFileIsWantedPassesAsItWasSaid) {
  for (const char* range : {"1-4000", "2049-*", "2049-4000"}) {
    const std::string body = body_of(begins(*alice, file("f1", "a=file-range:" + std::string(range) + "\r\n")));
    for (const std::string& attribute :
         {std::string("a=file-range:") + range, std::string("a=file-disposition:attachment"),
          std::string("a=file-selector:name:\"a.txt\" type:text/plain size:4000 "
                      "hash:sha-1:72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E")}) {
      EXPECT_NE(body.find("\r\n" + attribute + "\r\n"), std::string::npos) << attribute << "\n" << body;
    }
    alice->cancel();
    bob->call_id.clear();
    line->pass(std::chrono::minutes(1));
    line->boxes.clear();
  }
}

TEST_F(ServedCalls, OMA_ID_10_TheContactThatStandsForAnotherSaysNothingOfHim) {
  alice->features = ";+g.oma.sip-im;isfocus";
  const std::string invite = begins(*alice, msrp_sdp("a1"));
  const std::string uri = contact_uri(invite);
  EXPECT_LE(uri.size(), 200U);
  EXPECT_EQ(uri.find("alice"), std::string::npos) << uri;
  EXPECT_EQ(uri.find("40001"), std::string::npos) << uri;
  EXPECT_TRUE(uri.ends_with("@127.0.0.1:5060")) << uri;
  answers(*alice, invite, msrp_sdp("b1", "a=setup:active\r\n"));
  EXPECT_EQ(alice->target.find("bob"), std::string::npos) << alice->target;
  EXPECT_LE(alice->target.size(), 200U);
  EXPECT_NE(alice->target, uri) << "each side has its own";
  // It keys the far Contact: a request to it, outside the dialog, arrives there.
  Phone desk(*line, "bob", "127.0.0.1:40012");
  desk.invite_uri(uri, "ping", {}, "text/plain");
  EXPECT_NE(Phone::kind(alice->next()), "");
}

}  // namespace
}  // namespace parley::tests
