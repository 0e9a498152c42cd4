// tests/service/history_test.cc - where the history of a user's conversations begins and ends, as his settings have it
// and the messages of the session show it. SEED4-6.1.1.2.2-9, SEED4-6.1.2.2.2-19, SEED4-6.1.2.2.5-5, OMA-HIS-3.
#include <gtest/gtest.h>

#include "tests/service/parties.h"
#include "tests/service/publisher.h"

namespace parley::tests {
namespace {

using policy::HistoryFact;
using policy::HistoryMode;

const std::string far_factory = "sip:factory@127.0.0.1:40007;sessiontype=adhoc";

std::string activation(const std::string& type, bool active, const std::string& element = "im:hist-settings") {
  return "<" + element + "><im:hist-activation type=\"" + type + "\" active=\"" + (active ? "true" : "false") +
         "\"/></" + element + ">";
}

// A served client and a controlling function elsewhere; messages go through here.
struct Histories : Calls {
  void start(std::uint32_t shards = 1, policy::MediaPath path = policy::MediaPath::always) {
    auto config = sip_config();
    config->trusted_peers = {*core::parse_cidr("127.0.0.0/8")};
    config->im.participating = true;
    config->im.media.path = path;
    make(config, shards);
    line->datagrams_only = true;
    focus = std::make_unique<Phone>(*line, "focus", "127.0.0.1:40007");
    focus->features = ";isfocus;+g.oma.sip-im";
    alice->outbound = "Route: <sip:127.0.0.1:5060;lr;orig>\r\n";
  }
  void SetUp() override { start(); }

  void settle(const std::string& user, const std::string& inside) {
    std::unique_ptr<Publisher>& publisher = publishers[user];
    if (!publisher)
      publisher = std::make_unique<Publisher>(line->world, user, user == "bob" ? "127.0.0.1:40002" : "127.0.0.1:40001");
    ASSERT_EQ(code(publisher->publish({.if_match = publisher->etag(), .body = settings_xml(inside)})), "200");
  }
  std::string goes_out(const std::string& lines = im) {
    alice->invite_uri(far_factory, msrp_sdp("a1"), lines);
    return focus->want("INVITE");
  }
  std::string comes_in(const std::string& lines = im) {
    focus->invite_uri("sip:bob@example.org", msrp_sdp("f1"), lines);
    return bob->want("INVITE");
  }
  void answered(Phone& by, Phone& of, const std::string& invite) {
    by.call_id.clear();
    by.respond(invite, 200, msrp_sdp("x1", "a=setup:active\r\n"));
    of.take(of.want("200 INVITE"));
    of.ack();
    by.want("ACK");
  }
  // What has been told since the last time: "started bob session".
  std::vector<std::string> told() {
    std::vector<std::string> all;
    for (const HistoryFact& fact : std::exchange(line->world.histories, {})) {
      all.push_back(std::string(fact.kind == HistoryFact::Kind::started ? "started " : "ended ") +
                    between(fact.user, "sip:", "@") +
                    (fact.mode == HistoryMode::session ? " session" : " pager-large"));
      session = fact.session;
    }
    return all;
  }
  using Told = std::vector<std::string>;

  std::unique_ptr<Phone> focus;
  std::map<std::string, std::unique_ptr<Publisher>> publishers;
  std::string session;  // of the last one told
};

TEST_F(Histories, SEED4_6_1_1_2_2_9_ItStartsWithThe200ForTheClientWhoInvitesAndWantsIt) {
  settle("alice", activation("session-mode", true));
  const std::string invite = goes_out();
  EXPECT_NE(body_of(invite).find("a=path:msrp://127.0.0.1:2855/"), std::string::npos) << invite;
  focus->call_id.clear();
  focus->respond(invite, 180);
  alice->want("180 INVITE");
  EXPECT_EQ(told(), Told{}) << "nobody has answered";
  focus->respond(invite, 200, msrp_sdp("x1", "a=setup:active\r\n"));
  EXPECT_EQ(told(), Told{"started alice session"});
  EXPECT_EQ(session, alice->call_id);
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  focus->want("ACK");
  EXPECT_EQ(told(), Told{}) << "once";
}

TEST_F(Histories, SEED4_6_1_2_2_2_19_ItStartsWithThe200OfTheClientWhoIsInvitedAndWantsIt) {
  settle("bob", activation("session-mode", true, "his-settings"));
  const std::string invite = comes_in();
  EXPECT_EQ(told(), Told{});
  answered(*bob, *focus, invite);
  EXPECT_EQ(told(), Told{"started bob session"});
  EXPECT_EQ(session, bob->call_id);
}

TEST_F(Histories, SEED4_6_1_2_2_5_5_ItEndsWhenTheSessionIsReleasedWhoeverEndsIt) {
  settle("bob", activation("session-mode", true));
  for (const bool by_client : {false, true}) {
    answered(*bob, *focus, comes_in());
    EXPECT_EQ(told(), Told{"started bob session"});
    Phone& from = by_client ? *bob : *focus;
    Phone& to = by_client ? *focus : *bob;
    from.request("BYE");
    from.want("200 BYE");
    const std::string bye = to.want("BYE");
    EXPECT_EQ(told(), Told{}) << "what the other side has still to say belongs to it";
    to.respond(bye, 200);
    line->pass(std::chrono::minutes(1));
    EXPECT_EQ(told(), Told{"ended bob session"});
    EXPECT_EQ(session, bob->call_id);
  }
  EXPECT_EQ(line->world.metric(core::Metric::im_histories_begun), 2U);
  EXPECT_EQ(line->world.metric(core::Metric::im_histories_ended), 2U);
}

TEST_F(Histories, SEED4_6_1_2_2_5_5_ItEndsTooWhenTheByeFindsNobody) {
  settle("bob", activation("session-mode", true));
  answered(*bob, *focus, comes_in());
  (void)told();
  focus->request("BYE");
  focus->want("200 BYE");
  line->pass(std::chrono::minutes(2));
  EXPECT_EQ(told(), Told{"ended bob session"});
}

TEST_F(Histories, DEC_13_AClientWhoBeganItEndsItLikeOneWhoWasInvited) {
  settle("alice", activation("session-mode", true));
  answered(*focus, *alice, goes_out());
  (void)told();
  alice->request("BYE");
  alice->want("200 BYE");
  focus->respond(focus->want("BYE"), 200);
  line->pass(std::chrono::minutes(1));
  EXPECT_EQ(told(), Told{"ended alice session"});
}

TEST_F(Histories, OMA_HIS_3_WhoDoesNotWantItHasNone) {
  for (const std::string& settings :
       {std::string(), activation("session-mode", false), activation("pager-large-mode", true)}) {
    settle("bob", settings);
    answered(*bob, *focus, comes_in());
    focus->request("BYE");
    focus->want("200 BYE");
    bob->respond(bob->want("BYE"), 200);
    line->pass(std::chrono::minutes(1));
    EXPECT_EQ(told(), Told{}) << settings;
  }
}

TEST_F(Histories, OMA_HIS_3_LargeMessagesHaveASettingOfTheirOwn) {
  settle("bob", activation("pager-large-mode", true));
  answered(*bob, *focus, comes_in(large));
  EXPECT_EQ(told(), Told{"started bob pager-large"});
}

TEST_F(Histories, OMA_HIS_3_AChangeHoldsForTheNextSession) {
  const std::string invite = comes_in();
  settle("bob", activation("session-mode", true));
  answered(*bob, *focus, invite);
  EXPECT_EQ(told(), Told{}) << "it had begun";
  focus->request("BYE");
  focus->want("200 BYE");
  bob->respond(bob->want("BYE"), 200);
  const std::string next = comes_in();
  settle("bob", activation("session-mode", false));
  answered(*bob, *focus, next);
  EXPECT_EQ(told(), Told{"started bob session"});
}

TEST_F(Histories, SEED4_6_1_2_2_2_19_ASessionThatDoesNotComeUpLeavesNone) {
  settle("bob", activation("session-mode", true));
  const std::string invite = comes_in();
  bob->call_id.clear();
  bob->respond(invite, 486);
  focus->want("486 INVITE");
  line->pass(std::chrono::minutes(1));
  EXPECT_EQ(told(), Told{});
}

TEST_F(Histories, SEED4_6_1_1_2_2_9_BothEndsMayBeServedHereEachAsHeWants) {
  settle("alice", activation("session-mode", true));
  settle("bob", activation("session-mode", true));
  alice->outbound = "Route: <sip:127.0.0.1:5060;lr;orig>\r\n";
  alice->invite_uri("sip:bob@example.org", msrp_sdp("a1"), im);
  answered(*bob, *alice, bob->want("INVITE"));
  EXPECT_EQ(told(), (Told{"started alice session", "started bob session"}));
}

TEST_F(Histories, SEED4_6_1_1_2_2_9_SettingsMayLiveOnAnotherShard) {
  start(3);
  publishers.clear();
  settle("alice", activation("session-mode", true));
  settle("bob", activation("session-mode", true));
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    Phone caller(*line, "alice", "127.0.0.1:4010" + std::to_string(shard), shard);
    caller.outbound = alice->outbound;
    caller.invite_uri("sip:bob@example.org", msrp_sdp("a1"), im);
    answered(*bob, caller, bob->want("INVITE"));
    EXPECT_EQ(told(), (Told{"started alice session", "started bob session"})) << shard;
  }
}

TEST_F(Histories, OMA_HIS_3_WhereMessagesDoNotPassNothingIsRecorded) {
  start(1, policy::MediaPath::never);
  publishers.clear();
  settle("bob", activation("session-mode", true));
  answered(*bob, *focus, comes_in());
  EXPECT_EQ(told(), Told{});
}

}  // namespace
}  // namespace parley::tests
