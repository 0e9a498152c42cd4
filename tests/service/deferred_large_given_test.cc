// tests/service/deferred_large_given_test.cc - stored large messages go to their user when he is back, in order, again
// where he did not take them (OMA-DEF-8, -9, -11, -14, OMA-X-6).
#include <gtest/gtest.h>

#include "tests/service/large.h"

namespace parley::tests {
namespace {

using core::Metric;

TEST_F(Large, OMA_DEF_8_ALargeOneGoesBehindWhatWaitsFromItsSender) {
  for (const std::uint32_t shards : {1U, 2U}) {
    start({}, shards);
    leave(*bob);
    says(*alice, "one");
    come(*bob);
    const std::string first = bob->want("MESSAGE");
    const std::string text = book(20'000);
    deposits(text);
    bob->quiet();
    bob->respond(first, 200);
    EXPECT_EQ(receives(*bob).body, text);
    ended(*bob);
    // Now nothing waits, and he is asked himself.
    invites();
    const std::string invite = bob->want("INVITE");
    bob->respond(invite, 486);
    bob->want("ACK");
    refused();
    at_rest();
  }
}

TEST_F(Large, OMA_X_6_APagerMessageComesAsASessionWhereDevicesTakeNothingElse) {
  start([](policy::SipConfig& c) { c.im.deferred.push_sessions = true; });
  leave(*bob);
  says(*alice, "first");
  says(*alice, "second");
  come(*bob);
  for (const std::string text : {"first", "second"}) {
    const Got got = receives(*bob);
    EXPECT_EQ(header(got.invite, "P-Asserted-Identity"), "<sip:Deferred@example.org>");
    EXPECT_EQ(header(got.invite, "Referred-By"), "<sip:alice@example.org>");
    EXPECT_EQ(all_of(got.invite, "Accept-Contact"), std::vector<std::string>{"*;+g.oma.sip-im"});
    EXPECT_NE(header(got.invite, "Contact").find(";+g.oma.sip-im"), std::string::npos);
    EXPECT_EQ(header(got.invite, "Contact").find("large-message"), std::string::npos);
    EXPECT_EQ(got.body, text);
    EXPECT_NE(got.headers.find("Content-Type: text/plain\r\n"), std::string::npos) << got.headers;
    EXPECT_EQ(header(ended(*bob), "Reason"), "SIP;cause=200;text=\"Message Sent\"");
  }
  EXPECT_EQ(world->metric(Metric::im_deferred_delivered), 2U);
  at_rest();
}

TEST_F(Large, OMA_DEF_11_AListThatHasBecomeShorterIsToldAtOnce) {
  leave(*bob);
  deposits("short");
  watches(*bob);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "short");
  bob->want("BYE");  // nothing else happens
  const std::string told = bob->want("NOTIFY");
  EXPECT_EQ(told.find("<entry "), std::string::npos) << told;
  bob->respond(told, 200);
}

TEST_F(Large, OMA_DEF_9_WhatIsNotTakenIsTriedAgain) {
  leave(*bob);
  deposits(book(900'000));
  deposits("the other one", "m2");
  world->media().answers = false;
  come(*bob);
  EXPECT_EQ(receives(*bob).chunks, 8U) << "no more without an answer";
  bob->request("BYE");
  bob->want("200 BYE");
  EXPECT_EQ(world->store.deferred.size(), 2U);
  bob->quiet();
  world->media().answers = true;
  line->pass(29s);
  bob->quiet();
  line->pass(1050ms);
  EXPECT_EQ(receives(*bob).body, book(900'000)) << "in order";
  ended(*bob);
  EXPECT_EQ(receives(*bob).body, "the other one");
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_DEF_9_WhoCanNotBeReachedIsNotAskedForTheOthers) {
  leave(*bob);
  deposits("one", "m1");
  deposits("two", "m2");
  come(*bob);
  const std::string invite = bob->want("INVITE");
  bob->call_id.clear();
  bob->respond(invite, 480);
  bob->want("ACK");
  bob->quiet();
  line->pass(30050ms);
  EXPECT_EQ(receives(*bob).body, "one");
  ended(*bob);
  EXPECT_EQ(receives(*bob).body, "two");
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_DEF_9_ADeviceThatDoesNotGetWhatItAcceptedKeepsNothingOfOthersFromHim) {
  leave(*bob);
  deposits(book(900'000));
  says(*carol, "from carol");
  world->media().answers = false;
  come(*bob);
  receives(*bob);
  bob->request("BYE");
  bob->want("200 BYE");
  const std::string pager = bob->want("MESSAGE");
  EXPECT_EQ(body_of(pager), "from carol");
  bob->respond(pager, 200);
  bob->quiet();
  world->media().answers = true;
  line->pass(30050ms);
  EXPECT_EQ(receives(*bob).body, book(900'000));
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_DEF_8_AnAnswerThatComesBeforeTheKernelHasSaidThatItIsSentIsNoRoom) {
  leave(*bob);
  deposits(book(400'000));
  world->media().unsent = 100'000;
  come(*bob);
  const std::string invite = bob->want("INVITE");
  bob->call_id.clear();
  bob->respond(invite, 200, msrp_sdp("bob", takes_it, "*"));
  bob->want("ACK");
  Got got;
  read(path_of(invite), got);
  EXPECT_EQ(got.chunks, 1U) << "though it was answered";
  world->media().unsent = 0;
  line->pass(1ms);
  ended(*bob);
  read(path_of(invite), got);
  EXPECT_EQ(got.body, book(400'000));
  at_rest();
}

TEST_F(Large, OMA_DEF_9_ABodyThatCanNotBeReadKeepsNothingOfOthersFromHim) {
  leave(*bob);
  deposits("what the disk has lost");
  says(*carol, "from carol");
  world->store.bodies.clear();
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "");
  EXPECT_NE(header(ended(*bob), "Reason").find("480"), std::string::npos);
  const std::string pager = bob->want("MESSAGE");
  EXPECT_EQ(body_of(pager), "from carol");
  bob->respond(pager, 200);
  EXPECT_EQ(world->metric(Metric::im_deferred_large_unreadable), 1U);
  leave(*bob);
  over();
  at_rest();
}

TEST_F(Large, OMA_DEF_14_WhatIsDeletedWhileItIsSentIsOverAndTheOthersFollow) {
  leave(*bob);
  deposits("away with it");
  says(*alice, "the next one");
  come(*bob);
  const std::string invite = bob->want("INVITE");
  world->admin(core::AdminRequest::Kind::deferred_delete, "bob " + std::to_string(row().id));
  EXPECT_EQ(world->store.bodies.size(), 0U);
  bob->call_id.clear();
  bob->respond(invite, 200, msrp_sdp("bob", takes_it, "*"));
  bob->want("ACK");
  ended(*bob);
  const std::string pager = bob->want("MESSAGE");
  EXPECT_EQ(body_of(pager), "the next one") << "though it is of the same sender";
  bob->respond(pager, 200);
  EXPECT_EQ(world->service().deferred().boxes(), 0U);
  at_rest();
}

TEST_F(Large, OMA_DEF_8_InOrderWithWhatCameByPager) {
  leave(*bob);
  const auto pager = [&](const std::string& text) { says(*alice, text); };
  pager("first");
  deposits("second");
  pager("third");
  come(*bob);
  const std::string first = bob->want("MESSAGE");
  EXPECT_EQ(body_of(first), "first");
  bob->quiet();
  bob->respond(first, 200);
  EXPECT_EQ(receives(*bob).body, "second");
  ended(*bob);
  const std::string third = bob->want("MESSAGE");
  EXPECT_EQ(body_of(third), "third");
  bob->respond(third, 200);
  at_rest();
}

TEST_F(Large, OMA_DEF_8_ALargeOneDoesNotComeBeforeThoseThatWait) {
  for (const auto carrying : {policy::Carrying::proxy, policy::Carrying::b2bua}) {
    for (const std::uint32_t shards : {1U, 3U}) {
      SCOPED_TRACE(std::to_string(shards) + (carrying == policy::Carrying::proxy ? " shards, proxied" : " shards, leg to leg"));
      start([&](policy::SipConfig& c) { c.calls.carrying = carrying; }, shards);
      leave(*bob);
      deposits("first");
      come(*bob);
      const std::string push = bob->want("INVITE");
      // He is there, and has not got the first one yet.
      deposits("second", "m2");
      bob->quiet();
      bob->call_id.clear();
      bob->respond(push, 200, msrp_sdp("bob", takes_it, "*"));
      bob->want("ACK");
      Got first;
      read(path_of(push), first);
      EXPECT_EQ(first.body, "first");
      ended(*bob);
      EXPECT_EQ(receives(*bob).body, "second");
      ended(*bob);
      // When nothing waits any more he gets it from her.
      invites();
      const std::string own = bob->want("INVITE");
      EXPECT_EQ(header(own, "P-Asserted-Identity").find("Deferred"), std::string::npos);
      bob->respond(own, 603);
      bob->want("ACK");
      EXPECT_EQ(code(refused()), "603");
      at_rest();
    }
  }
}

}  // namespace
}  // namespace parley::tests
