// tests/service/deferred_announce_test.cc - who is told of what waits for him without asking, and is reminded of it
// (OMA-DEF-6, -7, -12, OMA-SET-11, SEED3-5.2.4-10).
#include <gtest/gtest.h>

#include "tests/service/waiting.h"

namespace parley::tests {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

// --- who is not subscribed

TEST_F(Waiting, OMA_DEF_12_OMA_SET_11_WhoWantsNothingSentIsToldWhenHeRegistersAndOnceOnly) {
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t id = says("one");
  says("two");
  come(*bob);
  const std::string list = takes(*bob);
  EXPECT_EQ(header(list, "Content-Type"), list_type);
  EXPECT_EQ(header(list, "P-Asserted-Identity"), "<" + dmf + ">");
  EXPECT_TRUE(header(list, "From").starts_with("<" + dmf + ">;tag=")) << list;
  EXPECT_EQ(header(list, "To"), "<sip:bob@example.org>");
  EXPECT_EQ(states(body_of(list)), "new new");
  bob->quiet();
  EXPECT_EQ(world->store.deferred.at(id).state, DeferredState::told);
  EXPECT_EQ(states(document()), "notified notified");
  come(*bob);
  leave(*bob);
  come(*bob);
  bob->quiet();
  leave(*bob);
  says("three");
  come(*bob);
  EXPECT_EQ(states(body_of(takes(*bob))), "notified notified new");
  bob->quiet();
  EXPECT_EQ(world->metric(Metric::im_deferred_announced), 2U);
  EXPECT_EQ(world->store.deferred.size(), 3U);
  wants_offline(*bob, true);
  for (const char* text : {"one", "two", "three"}) EXPECT_EQ(body_of(takes(*bob)), text) << "OMA-SET-11";
  EXPECT_EQ(world->store.deferred.size(), 0U);
  at_rest();
}

TEST_F(Waiting, OMA_DEF_12_WhoDidNotTakeTheListIsToldAgain) {
  leave(*bob);
  wants_offline(*bob, false);
  says("one");
  come(*bob);
  EXPECT_EQ(states(body_of(takes(*bob, 480))), "new");
  EXPECT_EQ(world->store.deferred.size(), 1U) << "and nothing of ours is kept for him";
  EXPECT_EQ(states(document()), "new");
  come(*bob);
  EXPECT_EQ(states(body_of(takes(*bob))), "new");
  EXPECT_EQ(states(document()), "notified");
  at_rest();
}

TEST_F(Waiting, OMA_DEF_12_WhoIsBeingToldIsNotToldOnceMore) {
  leave(*bob);
  wants_offline(*bob, false);
  says("one");
  come(*bob);
  const std::string list = bob->want("MESSAGE");
  come(*bob);
  bob->quiet();
  bob->respond(list, 200);
  EXPECT_EQ(states(document()), "notified");
  at_rest();
}

TEST_F(Waiting, OMA_DEF_12_WhoIsSubscribedIsNotToldTwice) {
  leave(*bob);
  wants_offline(*bob, false);
  says("one");
  subscribes(*bob, dmf);
  come(*bob);
  bob->quiet();
}

TEST_F(Waiting, OMA_DEF_7_WhoWantsThemSentIsSentThemAndNoList) {
  leave(*bob);
  says("one");
  come(*bob);
  EXPECT_EQ(body_of(takes(*bob)), "one");
  bob->quiet();
}

TEST_F(Waiting, SEED3_5_2_4_10_BehindThe200OfHisWishNothingMoreIsSent) {
  leave(*bob);
  for (const char* text : {"one", "two", "three"}) says(text);
  come(*bob);
  const std::string first = bob->want("MESSAGE");
  wants_offline(*bob, false);
  const std::string list = takes(*bob);
  EXPECT_EQ(header(list, "Content-Type"), list_type) << "he is told what waits";
  bob->respond(first, 200);
  bob->quiet();
  line->pass(hours(2));
  bob->quiet();
  EXPECT_EQ(world->store.deferred.size(), 2U);
  EXPECT_EQ(states(document()), "notified notified");
}

TEST_F(Waiting, OMA_DEF_12_OnTwoShards) {
  start({}, 2);
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t id = says("one");
  come(*bob);
  EXPECT_EQ(states(body_of(takes(*bob))), "new");
  EXPECT_EQ(states(document()), "notified");
  EXPECT_EQ(states(body_of(subscribes(*bob, dmf))), "notified");
  line->pass(6s);
  EXPECT_EQ(asks(Kind::deferred_delete, "bob " + std::to_string(id)), "{\"deleted\":true}");
  line->collect();
  EXPECT_EQ(states(body_of(told(*bob))), "");
  leave(*bob);
  says("two");
  line->pass(5s);
  EXPECT_EQ(states(body_of(told(*bob))), "new");
}

// --- reminders

TEST_F(Waiting, OMA_DEF_6_WhatWillBeGoneSoonIsSaidOnceByNotify) {
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t soon = says("soon", "Expires: 172800\r\n");
  says("later");
  begins(*bob, dmf);
  bob->request("SUBSCRIBE", {}, "Event: ua-profile\r\nExpires: 3600\r\n");
  bob->take(bob->want("200 SUBSCRIBE"));
  told(*bob);
  world->store.deferred.at(soon).expires_ms = world->now.wall_ms + 24 * 3'600'000 + 60'000;
  line->pass(50s);
  bob->quiet();
  world->now.wall_ms += 61'000;
  line->pass(30s);
  EXPECT_EQ(states(body_of(told(*bob))), "expiring notified");
  EXPECT_EQ(world->store.deferred.at(soon).state, DeferredState::told_expiring);
  line->pass(minutes(10));
  bob->quiet();
  EXPECT_EQ(world->metric(Metric::im_deferred_reminded), 1U);
}

TEST_F(Waiting, OMA_DEF_6_WhoIsNotSubscribedIsRemindedByMessageAlsoWhenHeWasAway) {
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t one = says("one");
  const std::uint64_t two = says("two");
  come(*bob);
  takes(*bob);
  world->store.deferred.at(one).expires_ms = world->now.wall_ms + 3'600'000;
  line->pass(11s);
  EXPECT_EQ(states(body_of(takes(*bob))), "expiring notified");
  line->pass(30s);
  bob->quiet();
  leave(*bob);
  world->store.deferred.at(two).expires_ms = world->now.wall_ms + 3'600'000;
  line->pass(11s);
  bob->quiet();
  come(*bob);
  EXPECT_EQ(states(body_of(takes(*bob))), "expiring expiring");
  come(*bob);
  bob->quiet();
}

TEST_F(Waiting, OMA_DEF_6_OnTwoShardsTheFirstOneLooksForThoseOfAll) {
  start({}, 2);
  std::uint64_t ids[2] = {};
  Phone* const who[2] = {bob.get(), carol.get()};
  for (int i = 0; i < 2; ++i) {
    etag.clear();
    leave(*who[i]);
    wants_offline(*who[i], false);
    begins(*alice, "sip:" + who[i]->user() + "@example.org");
    alice->send_typed("MESSAGE", "text/plain", "one", im);
    alice->want("202 MESSAGE");
    ids[i] = world->store.deferred.rbegin()->first;
    come(*who[i]);
    EXPECT_EQ(states(body_of(takes(*who[i]))), "new");
  }
  for (const std::uint64_t id : ids) world->store.deferred.at(id).expires_ms = world->now.wall_ms + 3'600'000;
  line->pass(11s);
  for (Phone* const one : who) EXPECT_EQ(states(body_of(takes(*one))), "expiring");
}

TEST_F(Waiting, OMA_DEF_6_WhoseMessageHasGoneHearsThat) {
  leave(*bob);
  says("one", "Expires: 100\r\n");
  says("two");
  subscribes(*bob, dmf);
  line->pass(20s);
  EXPECT_EQ(states(body_of(told(*bob))), "expiring notified") << "it is so from its beginning";
  world->now.wall_ms += 101'000;
  line->pass(20s);
  EXPECT_EQ(states(body_of(told(*bob))), "notified");
}

TEST_F(Waiting, OMA_DEF_12_WhatHeWasToldOfOutlivesTheProcess) {
  leave(*bob);
  wants_offline(*bob, false);
  says("one");
  come(*bob);
  takes(*bob);
  leave(*bob);
  world->crash(config);
  etag.clear();
  wants_offline(*bob, false);
  come(*bob);
  bob->quiet();
  EXPECT_EQ(states(document()), "notified");
}

}  // namespace
}  // namespace parley::tests
