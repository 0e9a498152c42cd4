// tests/service/deferred_large_limits_test.cc - large messages that are too many, too long or too fast to be stored
// (OMA-DEF-5, OMA-LRG-4).
#include <gtest/gtest.h>

#include "tests/service/large.h"

namespace parley::tests {
namespace {

using core::Metric;
using std::chrono::minutes;

TEST_F(Large, OMA_DEF_5_AFullBoxIsSaidAtOnce) {
  start([](policy::SipConfig& c) { c.im.deferred.count_max = 1; });
  leave(*bob);
  deposits("one");
  invites();
  const std::string full = refused();
  EXPECT_EQ(code(full), "480");
  EXPECT_NE(header(full, "Warning").find("no more is kept"), std::string::npos) << full;
  EXPECT_EQ(world->metric(Metric::im_deferred_full), 1U);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "one");
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_DEF_5_WhatIsKnownToBeTooLongIsSaidAtOnceAndTheRestIsCutOff) {
  start([](policy::SipConfig& c) { c.im.deferred.large_bytes_max = 100'000; });
  leave(*bob);
  invites("sip:bob@example.org", gives + "a=file-selector:name:\"a\" type:text/plain size:100001\r\n");
  const std::string refusal = refused();
  EXPECT_EQ(code(refusal), "480");
  EXPECT_NE(header(refusal, "Warning").find("too long"), std::string::npos) << refusal;
  invites();
  const std::string ok = answered();
  EXPECT_NE(ok.find("a=max-size:100000\r\n"), std::string::npos) << "OMA-LRG-5";
  const std::string path = path_of(ok);
  for (std::size_t at = 0; at < 120'000; at += 10'000) {
    world->msrp(path, {.headers = head("m1"), .body = book(10'000), .start = at + 1, .flag = msrp::Flag::more});
  }
  ASSERT_EQ(reports(path).size(), 1U);
  EXPECT_EQ(reports(path)[0].status, 413);
  EXPECT_EQ(world->store.bodies.size(), 0U);
  leaves(*alice);
  EXPECT_EQ(world->metric(Metric::im_deferred_large_too_large), 1U);
  at_rest();
}

TEST_F(Large, OMA_DEF_5_TwoAtOneTimeDoNotPassTheLimit) {
  start([](policy::SipConfig& c) { c.im.deferred.bytes_max = 50'000; });
  leave(*bob);
  invites();
  const std::string first = path_of(answered());
  const std::string alices = alice->call_id;
  invites();
  const std::string second = path_of(answered());
  writes(first, book(40'000), "m1");
  writes(second, book(40'000), "m2");
  EXPECT_EQ(reports(first).at(0).status, 200);
  EXPECT_EQ(reports(second).at(0).status, 413);
  EXPECT_EQ(world->store.bodies.size(), 1U);
  leaves(*alice);
  line->pass(minutes(1));
}

TEST_F(Large, OMA_LRG_4_ADiskThatRefusesIsSaid) {
  leave(*bob);
  world->store.full = true;
  invites();
  const std::string refusal = refused();
  EXPECT_EQ(code(refusal), "480");
  EXPECT_NE(header(refusal, "Warning").find("stored"), std::string::npos) << refusal;
  world->store.full = false;
  world->store.stopped = true;
  invites();
  alice->quiet();
  line->pass(5050ms);
  EXPECT_EQ(code(refused()), "480") << "it takes too long";
  world->store.stopped = false;
  line->pass(1ms);
  // Full in the middle.
  world->store.body_bytes_max = 200'000;
  invites();
  const std::string path = path_of(answered());
  for (std::size_t at = 0; at < 400'000 && reports(path).empty(); at += 10'000) {
    world->msrp(path, {.headers = head("m1"), .body = book(10'000), .start = at + 1, .flag = msrp::Flag::more});
  }
  ASSERT_EQ(reports(path).size(), 1U);
  EXPECT_EQ(reports(path)[0].status, 408);
  EXPECT_EQ(world->store.bodies.size(), 0U);
  leaves(*alice);
  at_rest();
}

TEST_F(Large, OMA_LRG_4_WhoIsFasterThanTheDiskIsHeld) {
  leave(*bob);
  invites();
  const std::string path = path_of(answered());
  const auto holds = [&] { return world->media().find(path)->holds; };
  const std::string text = book(1'500'000);
  world->store.stopped = true;
  std::size_t at = 0;
  for (; at < text.size() && holds() == 0; at += 60'000) {
    world->msrp(path, {.headers = head("m1"),
                       .body = text.substr(at, 60'000),
                       .start = at + 1,
                       .total = text.size(),
                       .flag = msrp::Flag::more});
  }
  EXPECT_EQ(holds(), 1);
  EXPECT_LE(at, policy::StoredLegs::window_bytes + 2 * policy::StoredLegs::block_bytes);
  world->store.stopped = false;
  line->pass(1ms);
  EXPECT_EQ(holds(), 0);
  for (; at < text.size(); at += 60'000) {
    world->msrp(path, {.headers = head("m1"),
                       .body = text.substr(at, 60'000),
                       .start = at + 1,
                       .total = text.size(),
                       .flag = at + 60'000 >= text.size() ? msrp::Flag::end : msrp::Flag::more});
  }
  EXPECT_EQ(holds(), 0);
  leaves(*alice);
  EXPECT_EQ(world->store.bodies.begin()->second, text);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, text);
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_DEF_5_OneUserDoesNotTakeAllPlacesAndOneMessageToSeveralIsOne) {
  start([](policy::SipConfig& c) { c.im.deferred.large_per_user = 1; });
  leave(*bob);
  leave(*carol);
  alice->invite_uri("sip:factory@example.org;sessiontype=adhoc",
                    mixed(msrp_sdp("alice", gives, "*"), resource_list({"bob", "carol"})),
                    large + "User-Agent: IM-client/OMA1.0 test\r\nRequire: recipient-list-invite\r\n", mixed_type);
  const std::string path = path_of(answered());
  EXPECT_EQ(world->stored_legs().live(), 2U);
  const auto first = std::tuple(alice->call_id, alice->local, alice->remote, alice->target);
  invites();
  EXPECT_EQ(code(refused()), "480");
  EXPECT_EQ(world->metric(Metric::im_deferred_large_user_limit), 2U) << "nor is there a place to tell of that";
  EXPECT_EQ(world->metric(Metric::im_deferred_large_limit), 0U);
  std::tie(alice->call_id, alice->local, alice->remote, alice->target) = first;
  writes(path, "to all");
  EXPECT_EQ(reports(path).at(0).status, 200);
  leaves(*alice);
  deposits("another", "m2");  // when it is over
  come(*carol);
  EXPECT_EQ(receives(*carol).body, "to all");
  ended(*carol);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "to all");
  ended(*bob);
  EXPECT_EQ(receives(*bob).body, "another");
  ended(*bob);
  at_rest();
}

}  // namespace
}  // namespace parley::tests
