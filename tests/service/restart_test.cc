// tests/service/restart_test.cc - a process is killed and another one begins: sessions that their participants may come back
// to (OMA-SES-9, OMA-X-5), and what users have published of their settings (RFC 3903).
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "tests/service/parties.h"
#include "tests/service/publisher.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

struct Restart : Party {
  void SetUp() override { begin_with(1); }
  void begin_with(std::uint32_t shards, bool with_team = false) {
    config = focus_config();
    config->stores_bindings = true;
    config->im.participating = true;
    if (with_team) {
      policy::GroupSpec team;
      team.uri = "sip:team@example.org";
      team.invite_members = true;
      for (const char* name : {"alice", "bob", "carol"}) {
        team.members.push_back({.uri = "sip:" + std::string(name) + "@example.org", .key = {}, .display_name = {}});
      }
      config->documents = policy::read_documents({}, {&team, 1}, "example.org").documents;
    }
    make(config, shards);
  }
  void pass(core::Duration time) {
    line->world.now.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    line->pass(time);
  }
  // All connections are gone, and what the old process had sent.
  void crash() {
    pass(1s);  // what is on its way to the disk
    line->world.crash(config);
    for (auto& [address, box] : line->boxes) box.clear();
  }
  std::string come_back(Phone& who, const std::string& identity) {
    who.invite_uri(identity, msrp_sdp(who.user() + "2"), im_lines);
    std::string answer = who.next();
    while (code(answer) == "100") answer = who.next();
    return answer;
  }
  std::shared_ptr<policy::SipConfig> config;
};

TEST_F(Restart, OMA_SES_9_TheIdentityOfASessionLeadsToItAgain) {
  gather({bob.get(), carol.get()});
  const std::string identity = alice->target;
  crash();
  const std::string ok = come_back(*bob, identity);
  ASSERT_EQ(code(ok), "200");
  EXPECT_EQ(contact_uri(ok), identity);
  bob->take(ok);
  bob->ack();
  EXPECT_EQ(line->world.metric(Metric::sip_sessions_taken_up), 1U);
  // It is one session for all of them.
  const std::string second = come_back(*alice, identity);
  ASSERT_EQ(code(second), "200");
  EXPECT_EQ(contact_uri(second), identity);
  alice->take(second);
  alice->ack();
  EXPECT_EQ(line->world.metric(Metric::sip_sessions), 1U);
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 2U);
  EXPECT_EQ(line->world.metric(Metric::sip_sessions_taken_up), 1U);
  leaves(*alice);
  ended(*bob);
  at_rest();
  EXPECT_TRUE(line->world.store.sessions.empty());
  EXPECT_EQ(code(come_back(*carol, identity)), "404");  // it has ended
}

TEST_F(Restart, OMA_SES_9_NobodyElseComesIn) {
  gather({bob.get(), carol.get()});
  crash();
  EXPECT_EQ(code(come_back(*dave, alice->target)), "403");
  EXPECT_EQ(line->world.metric(Metric::sip_sessions), 0U);
  EXPECT_EQ(code(come_back(*carol, alice->target)), "200");
}

TEST_F(Restart, OMA_SES_9_WhoWasExpelledStaysOut) {
  gather({bob.get(), carol.get()});
  alice->request("REFER", "", "Refer-To: <sip:carol@example.org;method=BYE>\r\n");
  alice->want("202 REFER");
  ended(*carol);
  crash();
  EXPECT_EQ(code(come_back(*carol, alice->target)), "403");
  EXPECT_EQ(code(come_back(*bob, alice->target)), "200");
}

// He was named by his number and has come by his address.
TEST_F(Restart, OMA_SES_9_WhoWasExpelledStaysOutByHisOtherNameToo) {
  begin(*alice, {"bob", "tel:+15550177"});
  join(*bob);
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  const std::string asserted = im_lines + "P-Asserted-Identity: <sip:+15550177@example.org>\r\n";
  carol->invite_uri(alice->target, msrp_sdp("carol"), asserted);
  carol->take(carol->want("200 INVITE"));
  carol->ack();
  alice->request("REFER", "", "Refer-To: <sip:+15550177@example.org;method=BYE>\r\n");
  alice->want("202 REFER");
  ended(*carol);
  crash();
  carol->invite_uri(alice->target, msrp_sdp("carol2"), asserted);
  EXPECT_EQ(code(carol->want("403 INVITE")), "403");
  EXPECT_EQ(code(come_back(*bob, alice->target)), "200");
}

TEST_F(Restart, OMA_SES_9_WhoWasBroughtInLaterComesBack) {
  gather({bob.get()});
  alice->request("REFER", "", "Refer-To: <sip:dave@example.org>\r\n");
  alice->want("202 REFER");
  join(*dave);
  crash();
  EXPECT_EQ(code(come_back(*dave, alice->target)), "200");
}

TEST_F(Restart, OMA_SES_7_WhoBeganItMayStillMakeOthersGo) {
  gather({bob.get(), carol.get()});
  const std::string identity = alice->target;
  crash();
  for (Phone* one : {bob.get(), carol.get(), alice.get()}) {
    const std::string ok = come_back(*one, identity);
    ASSERT_EQ(code(ok), "200");
    one->take(ok);
    one->ack();
  }
  bob->request("REFER", "", "Refer-To: <sip:carol@example.org;method=BYE>\r\n");
  EXPECT_EQ(code(bob->want("403 REFER")), "403");
  alice->request("REFER", "", "Refer-To: <sip:carol@example.org;method=BYE>\r\n");
  alice->want("202 REFER");
  EXPECT_EQ(header(ended(*carol), "Reason"), "SIP;cause=200;text=\"Booted by focus\"");
}

TEST_F(Restart, OMA_X_5_AfterItsTimeItIs404) {
  gather({bob.get(), carol.get()});
  crash();
  pass(config->focus.left_max + 1s);
  EXPECT_EQ(code(come_back(*bob, alice->target)), "404");
}

TEST_F(Restart, OMA_X_5_WhatHasEndedIs404) {
  gather({bob.get()});
  leaves(*bob);
  ended(*alice);
  crash();
  EXPECT_EQ(code(come_back(*bob, alice->target)), "404");
}

TEST_F(Restart, OMA_SES_9_WhatADrainHasEndedCanBeComeBackTo) {
  gather({bob.get(), carol.get()});
  line->world.drain();
  line->collect();
  alice->quiet();
  pass(27s);
  EXPECT_EQ(header(ended(*alice), "Reason"), "SIP;cause=503;text=\"Server Is Going Down\"");
  crash();
  EXPECT_EQ(code(come_back(*bob, alice->target)), "200");
}

TEST_F(Restart, OMA_SES_9_AnInviteThatIsRefusedLeavesTheSessionToOthers) {
  gather({bob.get(), carol.get()});
  crash();
  bob->invite_uri(alice->target, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n", im_lines);
  EXPECT_EQ(code(bob->next()), "488");
  EXPECT_EQ(code(come_back(*carol, alice->target)), "200");
  at_rest();
}

TEST_F(Restart, OMA_FT_7_AFileIsNoWayBack) {
  gather({bob.get(), carol.get()});
  crash();
  bob->invite_uri(alice->target,
                  msrp_sdp("file", "a=sendonly\r\na=file-selector:name:\"a\" type:text/plain size:3\r\na=file-transfer-id:x\r\n", "*"),
                  im_lines);
  EXPECT_EQ(code(bob->next()), "404");
}

TEST_F(Restart, OMA_SES_9_OnAnotherShardToo) {
  begin_with(2);
  gather({bob.get(), carol.get()});
  const std::string identity = alice->target;
  crash();
  const std::string one = come_back(*bob, identity);  // his requests come to the other shard
  ASSERT_EQ(code(one), "200");
  bob->take(one);
  bob->ack();
  const std::string two = come_back(*alice, identity);
  ASSERT_EQ(code(two), "200");
  alice->take(two);
  alice->ack();
  EXPECT_EQ(line->world.metric(Metric::sip_sessions), 1U);
  leaves(*alice);
  ended(*bob);
  at_rest();
}

TEST_F(Restart, OMA_SES_9_OfAGroupItLeadsToTheSessionThatIsOn) {
  begin_with(1, true);
  alice->invite_uri("sip:team@example.org", msrp_sdp("alice"), im_lines);
  join(*bob);
  join(*carol);
  const std::string ok = alice->want("200 INVITE");
  alice->take(ok);
  alice->ack();
  const std::string identity = alice->target;
  crash();
  bob->invite_uri("sip:team@example.org", msrp_sdp("bob2"), im_lines);
  join(*alice);
  const std::string again = bob->want("200 INVITE");
  bob->take(again);
  bob->ack();
  EXPECT_NE(contact_uri(again), identity);
  carol->next();  // her invitation, which she leaves
  carol->call_id.clear();
  const std::string in = come_back(*carol, identity);
  ASSERT_EQ(code(in), "200");
  EXPECT_EQ(contact_uri(in), contact_uri(again));
  EXPECT_EQ(code(come_back(*dave, identity)), "403");
}

// --- settings

TEST_F(Restart, OMA_SET_9_WhatWasPublishedHoldsAgain) {
  Publisher bobs(line->world, "bob", "127.0.0.1:40002");
  ASSERT_EQ(code(bobs.publish({.body = settings_xml(isb(true))})), "200");
  crash();
  begin(*alice, {"bob"});
  EXPECT_EQ(code(alice->next()), "403");  // SEED4-6.1.2.1-1
}

TEST_F(Restart, R3903_1_ItsEntityTagIsKnownAndItEndsInTime) {
  Publisher bobs(line->world, "bob", "127.0.0.1:40002");
  ASSERT_EQ(code(bobs.publish({.expires = "600", .body = settings_xml(isb(true))})), "200");
  crash();
  pass(500s);
  ASSERT_EQ(code(bobs.publish({.expires = "600", .if_match = bobs.etag()})), "200");
  pass(500s);
  crash();
  EXPECT_EQ(line->world.store.publications.size(), 1U);
  pass(101s);
  EXPECT_TRUE(line->world.store.publications.empty());
  EXPECT_EQ(code(bobs.publish({.if_match = bobs.etag()})), "412");
}

TEST_F(Restart, R3903_1_WhatWasTakenBackIsGone) {
  Publisher bobs(line->world, "bob", "127.0.0.1:40002");
  ASSERT_EQ(code(bobs.publish({.body = settings_xml(isb(true))})), "200");
  ASSERT_EQ(code(bobs.publish({.if_match = bobs.etag(), .body = settings_xml(isb(false))})), "200");
  pass(1s);
  EXPECT_EQ(line->world.store.publications.size(), 1U);
  ASSERT_EQ(code(bobs.publish({.expires = "0", .if_match = bobs.etag()})), "200");
  pass(1s);
  EXPECT_TRUE(line->world.store.publications.empty());
}

TEST_F(Restart, OMA_SET_8_WhoSpokeLastSpokeLast) {
  Publisher phone(line->world, "bob", "127.0.0.1:40002");
  Publisher tablet(line->world, "bob", "127.0.0.1:40012");
  const auto offline = [](bool on) {
    return std::string("<im:deferred-settings><im:offline-delivery active=\"") + (on ? "true" : "false") +
           "\"/></im:deferred-settings>";
  };
  ASSERT_EQ(code(phone.publish({.body = settings_xml(offline(true))})), "200");
  ASSERT_EQ(code(tablet.publish({.body = settings_xml(offline(true), "tablet")})), "200");
  ASSERT_EQ(code(phone.publish({.if_match = phone.etag(), .body = settings_xml(offline(false))})), "200");
  crash();
  pass(1s);
  ASSERT_EQ(line->world.store.publications.size(), 2U);
  // What is composed anew after the restart goes by that order as well.
  ASSERT_EQ(code(tablet.publish({.if_match = tablet.etag()})), "200");
  const std::string document = [&] {
    std::string text;
    for (const auto& row : line->world.store.contents().publications) text += row.body.find("tablet") != std::string::npos ? "t" : "p";
    return text;
  }();
  EXPECT_EQ(document, "tp");
}

}  // namespace
}  // namespace parley::tests
