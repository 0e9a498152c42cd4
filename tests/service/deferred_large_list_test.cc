// tests/service/deferred_large_list_test.cc - large messages to several, some of whom can not be reached (OMA-LRG-3,
// OMA-DEF-5).
#include <gtest/gtest.h>

#include "tests/service/large.h"

namespace parley::tests {
namespace {

using core::Metric;

TEST_F(Large, OMA_LRG_3_OfAListWhoIsThereGetsItAtOnceAndTheOthersLater) {
  leave(*bob);
  alice->invite_uri("sip:factory@example.org;sessiontype=adhoc",
                    mixed(msrp_sdp("alice", gives, "*"), resource_list({"bob", "carol"})),
                    large + "User-Agent: IM-client/OMA1.0 test\r\nRequire: recipient-list-invite\r\n", mixed_type);
  const std::string to_carol = carol->want("INVITE");
  carol->call_id.clear();
  carol->respond(to_carol, 200, msrp_sdp("carol", takes_it, "*"));
  carol->want("ACK");
  const std::string path = path_of(answered());
  const std::string text = book(100'000);
  writes(path, text);
  Got got;
  read(path_of(to_carol), got);
  EXPECT_EQ(got.body, text);
  ASSERT_EQ(reports(path).size(), 1U);
  EXPECT_EQ(reports(path)[0].status, 200);
  ASSERT_EQ(world->store.deferred.size(), 1U);
  EXPECT_EQ(row().aor, "sip:bob@example.org");
  EXPECT_EQ(row().sender, "sip:alice@example.org");
  leaves(*alice);
  ended(*carol);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, text);
  ended(*bob);
  at_rest();
}

// bob's device rings, and says nothing to its CANCEL. The others begin after --distribution-wait, and he gets it later.
TEST_F(Large, OMA_LRG_3_OfAListWhoAnswersNotEvenHisCancelGetsItLater) {
  for (const bool late : {false, true}) {
    start([](policy::SipConfig& c) { c.focus.distribution_wait = 15100ms; });
    alice->invite_uri("sip:factory@example.org;sessiontype=adhoc",
                      mixed(msrp_sdp("alice", gives, "*"), resource_list({"bob", "carol"})),
                      large + "User-Agent: IM-client/OMA1.0 test\r\nRequire: recipient-list-invite\r\n", mixed_type);
    const std::string to_bob = bob->want("INVITE");
    bob->respond(to_bob, 180);
    const std::string to_carol = carol->want("INVITE");
    carol->call_id.clear();
    carol->respond(to_carol, 200, msrp_sdp("carol", takes_it, "*"));
    carol->want("ACK");
    alice->want("180 INVITE");
    line->pass(10050ms);
    bob->want("CANCEL");
    alice->quiet();
    line->pass(5100ms);
    const std::string path = path_of(answered());
    writes(path, "to all");
    Got got;
    read(path_of(to_carol), got);
    EXPECT_EQ(got.body, "to all");
    EXPECT_EQ(reports(path).at(0).status, 200);
    leaves(*alice);
    ended(*carol);
    ASSERT_EQ(world->store.deferred.size(), 1U);
    EXPECT_EQ(row().aor, "sip:bob@example.org");
    line->boxes[bob->address()].clear();
    if (late) {
      bob->call_id.clear();
      bob->respond(to_bob, 200, msrp_sdp("bob", takes_it, "*"));
      bob->want("ACK");
      ended(*bob);
    }
    line->pass(40s);
    std::deque<std::string>& box = line->boxes[bob->address()];
    std::erase_if(box, [](const std::string& text) { return Phone::kind(text) == "CANCEL"; });
    EXPECT_EQ(receives(*bob).body, "to all");
    ended(*bob);
    at_rest();
  }
}

// To carol, who is there, and bob, for whom it is not kept.
struct Lost : Large {
  static std::string wrapped(const std::string& wants, std::size_t bytes) {
    return "From: <sip:alice@example.org>\r\nTo: <sip:factory@example.org>\r\nNS: n <urn:ietf:params:imdn>\r\n"
           "n.Message-ID: i1\r\n" +
           wants + "\r\nContent-Type: text/plain\r\n\r\n" + book(bytes);
  }
  void both(const std::string& text) {
    alice->invite_uri("sip:factory@example.org;sessiontype=adhoc",
                      mixed(msrp_sdp("alice", gives, "*"), resource_list({"bob", "carol"})),
                      large + "User-Agent: IM-client/OMA1.0 test\r\nRequire: recipient-list-invite\r\n", mixed_type);
    const std::string to_carol = carol->want("INVITE");
    carol->call_id.clear();
    carol->respond(to_carol, 200, msrp_sdp("carol", takes_it, "*"));
    carol->want("ACK");
    const std::string path = path_of(answered());
    writes(path, text, "m1", "message/cpim");
    Got got;
    read(path_of(to_carol), got);
    EXPECT_EQ(got.body, text);
    ASSERT_EQ(reports(path).size(), 1U);
    EXPECT_EQ(reports(path)[0].status, 200) << "carol has it";
    line->pass(1ms);
  }
  void told_of_bob() {
    const std::string told = alice->want("MESSAGE");
    EXPECT_NE(told.find("<message-id>i1</message-id>"), std::string::npos) << told;
    EXPECT_NE(told.find("<failed/>"), std::string::npos) << told;
    EXPECT_NE(told.find("sip:bob@example.org"), std::string::npos) << told;
    alice->respond(told, 200);
  }
};
const std::string wants_failures = "n.Disposition-Notification: negative-delivery\r\n";

TEST_F(Lost, OMA_DEF_5_WhoseBoxIsFullAmongOthersIsTold) {
  start([](policy::SipConfig& c) { c.im.deferred.count_max = 1; });
  leave(*bob);
  deposits("one");
  both(wrapped(wants_failures, 100'000));
  EXPECT_EQ(world->metric(Metric::im_deferred_large_lost), 1U);
  const std::string call_id = alice->call_id;
  told_of_bob();
  alice->call_id = call_id;
  leaves(*alice);
  ended(*carol);
  // Nobody is told who has not asked.
  both(wrapped({}, 3000));
  EXPECT_EQ(world->metric(Metric::im_deferred_large_lost), 2U);
  alice->quiet();
  leaves(*alice);
  ended(*carol);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "one");
  ended(*bob);
  at_rest();
}

TEST_F(Lost, OMA_DEF_5_WhoseCopyTheDiskRefusesInTheMiddleIsTold) {
  leave(*bob);
  world->store.body_bytes_max = 150'000;
  both(wrapped(wants_failures, 400'000));
  EXPECT_EQ(world->store.deferred.size(), 0U);
  EXPECT_EQ(world->store.bodies.size(), 0U);
  EXPECT_EQ(world->metric(Metric::im_deferred_large_lost), 1U);
  told_of_bob();
  leaves(*alice);
  ended(*carol);
  at_rest();
}

TEST_F(Lost, OMA_DEF_5_WhatItsSenderBreaksOffIsNoLoss) {
  start([](policy::SipConfig& c) { c.im.deferred.count_max = 1; });
  leave(*bob);
  deposits("one");
  invites();
  EXPECT_EQ(code(refused()), "480");
  EXPECT_EQ(world->metric(Metric::im_deferred_large_lost), 0U);
  alice->quiet();
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "one");
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_LRG_3_OfAListNobodyMayBeThere) {
  leave(*bob);
  leave(*carol);
  alice->invite_uri("sip:factory@example.org;sessiontype=adhoc",
                    mixed(msrp_sdp("alice", gives, "*"), resource_list({"bob", "carol"})),
                    large + "User-Agent: IM-client/OMA1.0 test\r\nRequire: recipient-list-invite\r\n", mixed_type);
  const std::string path = path_of(answered());
  writes(path, "to all");
  EXPECT_EQ(reports(path).at(0).status, 200);
  leaves(*alice);
  EXPECT_EQ(world->store.deferred.size(), 2U);
  for (Phone* who : {bob.get(), carol.get()}) {
    come(*who);
    EXPECT_EQ(receives(*who).body, "to all");
    ended(*who);
  }
  at_rest();
}

}  // namespace
}  // namespace parley::tests
