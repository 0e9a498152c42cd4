// tests/service/deferred_large_fetched_test.cc - stored large messages that their user asks for (OMA-DEF-13, -14).
#include <gtest/gtest.h>

#include "policy/deferred_reference.h"
#include "tests/service/large.h"

namespace parley::tests {
namespace {

using core::Metric;
using std::chrono::hours;

struct Fetched : Large {
  void fetch(Phone& who, std::uint64_t id) {
    who.invite_uri(policy::deferred_reference(id, "example.org"),
                   msrp_sdp(who.user(), "a=recvonly\r\na=setup:active\r\n", "*"), large);
  }
  static std::string final(Phone& who) {
    const std::string response = who.next();
    return Phone::kind(response) == "100 INVITE" ? who.next() : response;
  }
  std::string refusal(Phone& who, std::uint64_t id) {
    fetch(who, id);
    const std::string response = final(who);
    who.ack_refused(response);
    return code(response);
  }
};

TEST_F(Fetched, OMA_DEF_13_ALargeMessageIsSentToWhoAsksForIt) {
  leave(*bob);
  const std::string text = book(300'000);
  deposits(text);
  fetch(*bob, row().id);
  const std::string ok = final(*bob);
  EXPECT_EQ(code(ok), "200");
  EXPECT_NE(ok.find("a=sendonly\r\n"), std::string::npos);
  EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:Deferred@example.org>");
  bob->take(ok);
  Got got;
  read(path_of(ok), got);
  EXPECT_EQ(got.body, text);
  bob->ack();
  ended(*bob);
  EXPECT_EQ(world->metric(Metric::im_deferred_fetched), 1U);
  EXPECT_EQ(world->store.deferred.size(), 0U) << "he has it";
  EXPECT_EQ(world->store.bodies.size(), 0U);
  alice->quiet();
  come(*bob);
  bob->quiet();
  at_rest();
}

TEST_F(Fetched, OMA_DEF_13_WhatIsFetchedByAnotherShardIsToldToThatOfItsUser) {
  start({}, 3);
  leave(*bob);
  deposits("one");
  says(*carol, "two");
  ASSERT_FALSE(world->service(0).deferred().has("sip:bob@example.org")) << "he belongs to another one";
  watches(*bob);
  const std::uint64_t id = row().id;
  fetch(*bob, id);
  const std::string ok = final(*bob);
  bob->take(ok);
  bob->ack();
  EXPECT_EQ(world->store.deferred.size(), 1U);
  const std::string told = bob->want("NOTIFY");
  EXPECT_EQ(told.find("<mode>large</mode>"), std::string::npos) << told;
  EXPECT_NE(told.find("<mode>pager</mode>"), std::string::npos) << told;
  bob->respond(told, 200);
  ended(*bob);
  come(*bob);
  const std::string pager = bob->want("MESSAGE");
  EXPECT_EQ(body_of(pager), "two");
  bob->respond(pager, 200);
  at_rest();
}

TEST_F(Fetched, OMA_DEF_13_WhoIsSentAsMuchAsHeMayHasToWait) {
  start([](policy::SipConfig& c) { c.im.deferred.large_per_user = 1; });
  leave(*bob);
  deposits("one");
  deposits("two", "m2");
  const std::uint64_t second = world->store.deferred.rbegin()->first;
  come(*bob);
  const std::string push = bob->want("INVITE");
  EXPECT_EQ(refusal(*bob, second), "503");
  EXPECT_EQ(world->metric(Metric::im_deferred_large_user_limit), 1U);
  bob->call_id.clear();
  bob->respond(push, 200, msrp_sdp("bob", takes_it, "*"));
  bob->want("ACK");
  ended(*bob);
  EXPECT_EQ(receives(*bob).body, "two");
  ended(*bob);
  at_rest();
}

TEST_F(Fetched, OMA_DEF_13_WhatIsNotFetchedWholeStays) {
  leave(*bob);
  deposits(book(900'000));
  world->media().answers = false;
  fetch(*bob, row().id);
  bob->take(final(*bob));
  bob->ack();
  leaves(*bob);
  EXPECT_EQ(world->store.deferred.size(), 1U);
  world->media().answers = true;
  come(*bob);
  EXPECT_EQ(receives(*bob).body, book(900'000));
  ended(*bob);
  at_rest();
}

TEST_F(Fetched, OMA_DEF_13_SoIsOneThatCameByPager) {
  leave(*bob);
  alice->call_id = "msg";
  alice->local = "<sip:alice@example.org>;tag=m";
  alice->remote = "<sip:bob@example.org>";
  alice->target = "sip:bob@example.org";
  alice->send_typed("MESSAGE", "text/html", "<p>hi", im);
  alice->want("202 MESSAGE");
  fetch(*bob, row().id);
  const std::string ok = final(*bob);
  bob->take(ok);
  Got got;
  read(path_of(ok), got);
  EXPECT_EQ(got.body, "<p>hi");
  EXPECT_NE(got.headers.find("Content-Type: text/html\r\n"), std::string::npos) << got.headers;
  bob->ack();
  ended(*bob);
  over();
  come(*bob);
  at_rest();
}

TEST_F(Fetched, OMA_DEF_14_AnothersIsRefusedAndWhatIsNotThereIsNotFound) {
  leave(*bob);
  deposits("a secret");
  const std::uint64_t id = row().id;
  EXPECT_EQ(refusal(*carol, id), "403");
  EXPECT_EQ(refusal(*alice, id), "403") << "nor whoever sent it";
  EXPECT_EQ(refusal(*bob, id + 1), "404");
  bob->invite_uri(policy::deferred_reference(id, "example.org"),
                  msrp_sdp("bob", "a=sendonly\r\na=setup:active\r\n", "*"), large);
  const std::string useless = final(*bob);
  EXPECT_EQ(code(useless), "488");
  bob->ack_refused(useless);
  world->now.wall_ms += std::chrono::milliseconds(hours(24 * 8)).count();
  EXPECT_EQ(refusal(*bob, id), "410");
  over();
  EXPECT_EQ(refusal(*bob, id), "404");
  come(*bob);
  at_rest();
}

TEST(DeferredReference, OMA_DEF_13_ReadsWhatItWrites) {
  for (const std::uint64_t id : {std::uint64_t{1}, std::uint64_t{0x0123456789abcdef}, (std::uint64_t{1} << 63) - 1}) {
    const std::string uri = policy::deferred_reference(id, "example.org");
    EXPECT_TRUE(uri.starts_with("sip:deferred-") && uri.ends_with("@example.org")) << uri;
    EXPECT_EQ(policy::deferred_id(std::string_view(uri).substr(4, uri.find('@') - 4)), id);
  }
  for (const std::string user :
       {"deferred-", "deferred-abc", "Deferred-aaaaaaaaaaaaaaaa", "deferred-aaaaaaaaaaaaaaaz", "bob"}) {
    EXPECT_EQ(policy::deferred_id(user), std::nullopt) << user;
  }
}

}  // namespace
}  // namespace parley::tests
