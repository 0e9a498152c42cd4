// tests/service/deferred_retrieval_test.cc - what waits for a user is fetched, sent on and deleted (OMA-DEF-10, -13).
#include <gtest/gtest.h>

#include "tests/service/waiting.h"

namespace parley::tests {
namespace {

using std::chrono::hours;

// --- retrieval

TEST_F(Waiting, OMA_DEF_13_WhatHeAsksForIsSentToHimAndDeletedWhenHeTakesIt) {
  leave(*bob);
  wants_offline(*bob, false);
  says("one");
  const std::uint64_t id = says("two", "Subject: lunch\r\n");
  come(*bob);
  takes(*bob);
  const std::string accepted = refers(*bob, dmf, reference(id));
  EXPECT_EQ(Phone::kind(accepted), "202 REFER");
  const std::string tag = tag_of(header(accepted, "To"));
  EXPECT_FALSE(tag.empty());
  EXPECT_NE(header(accepted, "Contact"), "");
  const std::string trying = told(*bob);
  EXPECT_EQ(fragment(trying), "100");
  EXPECT_EQ(header(trying, "Event"), "refer");
  EXPECT_EQ(header(trying, "Content-Type"), "message/sipfrag;version=2.0");
  EXPECT_EQ(tag_of(header(trying, "From")), tag);
  EXPECT_EQ(header(trying, "Call-ID"), bob->call_id);
  const std::string message = bob->want("MESSAGE");
  EXPECT_EQ(body_of(message), "two");
  EXPECT_TRUE(header(message, "From").starts_with("\"alice\" <sip:alice@example.org>;tag=")) << message;
  EXPECT_EQ(header(message, "P-Asserted-Identity"), "<" + dmf + ">");
  EXPECT_EQ(header(message, "Subject"), "lunch");
  EXPECT_EQ(header(message, "Date"), "Tue, 14 Nov 2023 22:13:20 GMT");
  EXPECT_EQ(world->store.deferred.size(), 2U);
  bob->respond(message, 200);
  const std::string done = told(*bob);
  EXPECT_EQ(fragment(done), "200");
  EXPECT_EQ(header(done, "Subscription-State"), "terminated;reason=noresource");
  EXPECT_EQ(world->store.deferred.size(), 1U);
  EXPECT_FALSE(world->store.deferred.contains(id));
  bob->quiet();
  EXPECT_EQ(world->metric(Metric::im_deferred_retrieved), 1U);
  at_rest();
}

TEST_F(Waiting, OMA_DEF_13_WhatHeDidNotTakeStaysAndHeIsToldWhy) {
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t id = says("one");
  come(*bob);
  takes(*bob);
  EXPECT_EQ(Phone::kind(refers(*bob, "sip:bob@example.org", reference(id))), "202 REFER") << "his own address will do";
  EXPECT_EQ(fragment(told(*bob)), "100");
  takes(*bob, 480);
  EXPECT_EQ(fragment(told(*bob)), "480");
  EXPECT_EQ(world->store.deferred.size(), 1U) << "and it is there once";
  EXPECT_EQ(world->metric(Metric::im_deferred_kept), 1U);
  at_rest();
}

TEST_F(Waiting, OMA_DEF_13_WhatOfAListIsLargeIsNotPassedOverSilently) {
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t one = says("one");
  const std::uint64_t two = says("two");
  world->store.deferred[two].large_bytes = 3;
  come(*bob);
  takes(*bob);
  const std::string lines = "Require: multiple-refer, norefersub\r\nRefer-Sub: false\r\nContent-ID: <l@x>\r\n";
  const std::string accepted = refers(*bob, dmf, "cid:l@x", lines, resource_list({reference(two), reference(one)}));
  EXPECT_EQ(Phone::kind(accepted), "200 REFER");
  EXPECT_EQ(header(accepted, "Warning"), "399 example.org \"1 large: INVITE each reference\"") << "R5368-1: there is no NOTIFY";
  EXPECT_EQ(body_of(takes(*bob)), "one");
  const std::string refused = refers(*bob, dmf, "cid:l@x", lines, resource_list({reference(two)}));
  EXPECT_EQ(code(refused), "488");
  EXPECT_NE(header(refused, "Warning").find("INVITE"), std::string::npos);
  world->store.deferred.clear();
  at_rest();
}

TEST_F(Waiting, OMA_DEF_13_RFC4488_WhoDoesNotWantToHearOfItDoesNot) {
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t id = says("one");
  come(*bob);
  takes(*bob);
  const std::string accepted = refers(*bob, dmf, reference(id), "Refer-Sub: false\r\nRequire: norefersub\r\n");
  EXPECT_EQ(Phone::kind(accepted), "200 REFER");
  EXPECT_EQ(header(accepted, "Refer-Sub"), "false");
  EXPECT_EQ(body_of(takes(*bob)), "one");
  bob->quiet();
  EXPECT_EQ(world->store.deferred.size(), 0U);
  at_rest();
}

TEST_F(Waiting, OMA_DEF_13_RFC5368_AListNamesSeveralAndTheyComeOneAfterTheOther) {
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t one = says("one");
  const std::uint64_t two = says("two");
  says("three");
  come(*bob);
  takes(*bob);
  const std::string lines = "Require: multiple-refer, norefersub\r\nRefer-Sub: false\r\nContent-ID: <l@x>\r\n";
  const std::string list = resource_list({reference(two), reference(7), reference(one), reference(two)});
  const std::string accepted = refers(*bob, dmf, "cid:l@x", lines, list);
  EXPECT_EQ(Phone::kind(accepted), "200 REFER");
  EXPECT_EQ(header(accepted, "Refer-Sub"), "false");
  const std::string first = bob->want("MESSAGE");
  EXPECT_EQ(body_of(first), "two");
  bob->quiet();
  bob->respond(first, 200);
  EXPECT_EQ(body_of(takes(*bob)), "one");
  bob->quiet();
  EXPECT_EQ(world->store.deferred.size(), 1U);
  EXPECT_EQ(header(accepted, "Warning"), "");
  EXPECT_EQ(code(refers(*bob, dmf, "cid:l@x", lines, resource_list({reference(7), reference(8)}))), "404")
      << "none of them";
  EXPECT_EQ(code(refers(*bob, dmf, "cid:l@x", lines, resource_list({"carol"}))), "404");
  EXPECT_EQ(code(refers(*bob, dmf, "cid:l@x", lines, "<broken")), "400");
  EXPECT_EQ(code(refers(*bob, dmf, "cid:l@x", lines)), "400");
  at_rest();
}

TEST_F(Waiting, OMA_DEF_13_ItCanBeSentToSomebodyElseAndStays) {
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t id = says("one", "Subject: lunch\r\n");
  come(*bob);
  takes(*bob);
  EXPECT_EQ(Phone::kind(refers(*bob, reference(id), "sip:carol@example.org;method=MESSAGE")), "202 REFER");
  EXPECT_EQ(fragment(told(*bob)), "100");
  const std::string message = takes(*carol);
  EXPECT_EQ(body_of(message), "one");
  EXPECT_TRUE(header(message, "From").starts_with("\"alice\" <sip:alice@example.org>;tag=")) << message;
  EXPECT_EQ(header(message, "To"), "<sip:carol@example.org>");
  EXPECT_EQ(header(message, "P-Asserted-Identity"), "<sip:bob@example.org>") << "who answers for it";
  EXPECT_EQ(header(message, "Referred-By"), "<sip:bob@example.org>");
  EXPECT_EQ(header(message, "Subject"), "lunch");
  EXPECT_EQ(fragment(told(*bob)), "200");
  EXPECT_EQ(world->store.deferred.size(), 1U) << "he has not read it";
  EXPECT_EQ(world->metric(Metric::im_deferred_forwarded), 1U);
  leave(*carol);
  refers(*bob, reference(id), "sip:carol@example.org");
  EXPECT_EQ(fragment(told(*bob)), "100");
  EXPECT_EQ(fragment(told(*bob)), "480") << "it is not kept for her";
  EXPECT_EQ(world->store.deferred.size(), 1U);
  EXPECT_EQ(Phone::kind(refers(*bob, reference(id), "sip:bob@example.org")), "202 REFER");
  told(*bob);
  EXPECT_EQ(body_of(takes(*bob)), "one") << "to himself it is a retrieval";
  told(*bob);
  EXPECT_EQ(world->store.deferred.size(), 0U);
  at_rest();
}

// DEC-2 is for what was let in when it came: what somebody sends on was not.
TEST_F(Waiting, OMA_DEF_13_WhoTakesNothingFromHimTakesNothingThatHeSendsOn) {
  start([](policy::SipConfig& c) {
    auto documents = std::make_shared<policy::Documents>();
    documents->judge_requests = true;
    policy::AccessRules rules;
    EXPECT_FALSE(policy::parse_access_rules(
        "<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\" xmlns:p=\"urn:oma:xml:poc:poc-rules\"><rule "
        "id=\"r\"><conditions>"
        "<identity><one "
        "id=\"sip:bob@example.org\"/></identity></conditions><actions><p:allow-invite>reject</p:allow-invite>"
        "</actions></rule></ruleset>",
        rules));
    documents->access_rules[policy::user_key("sip:carol@example.org")] = rules;
    c.documents = documents;
  });
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t id = says("one");
  come(*bob);
  takes(*bob);
  refers(*bob, reference(id), "sip:carol@example.org");
  EXPECT_EQ(fragment(told(*bob)), "100");
  EXPECT_EQ(fragment(told(*bob)), "403");
  carol->quiet();
}

TEST_F(Waiting, OMA_DEF_13_UnknownAndExpiredOnesAreSaid) {
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t id = says("one");
  come(*bob);
  takes(*bob);
  EXPECT_EQ(code(refers(*bob, dmf, reference(12345))), "404");
  EXPECT_EQ(code(refers(*bob, dmf, "sip:carol@example.org")), "404");
  EXPECT_EQ(code(refers(*bob, dmf, "sip:deferred-1x@example.org")), "404");
  EXPECT_EQ(code(refers(*bob, reference(id), reference(id))), "403");
  EXPECT_EQ(code(refers(*bob, reference(id), "sip:carol@example.org;method=INVITE")), "403");
  EXPECT_EQ(code(refers(*bob, reference(id), "http://example.org/")), "416");
  begins(*bob, dmf);
  bob->request("REFER");
  EXPECT_EQ(code(bob->next()), "400");
  world->store.deferred.at(id).expires_ms = world->now.wall_ms;
  EXPECT_EQ(code(refers(*bob, dmf, reference(id))), "410");
  bob->quiet();
  at_rest();
}

TEST_F(Waiting, P_01_OnlySoManyRefersAreCarriedOutAtOneTime) {
  start([](policy::SipConfig& c) { c.im.deferred.retrievals_per_user_max = 1; });
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t id = says("one");
  come(*bob);
  takes(*bob);
  EXPECT_EQ(Phone::kind(refers(*bob, dmf, reference(id), "Refer-Sub: false\r\n")), "200 REFER");
  const std::string message = bob->want("MESSAGE");
  const std::string refused = refers(*bob, dmf, reference(id));
  EXPECT_EQ(code(refused), "500");
  EXPECT_EQ(header(refused, "Retry-After"), "10");
  EXPECT_EQ(world->metric(Metric::im_deferred_retrievals_limit), 1U);
  bob->respond(message, 200);
  EXPECT_EQ(code(refers(*bob, dmf, reference(id))), "404") << "it has been fetched";
  at_rest();
}

TEST_F(Waiting, OMA_DEF_13_AStoreThatDoesNotAnswerIsSaid) {
  leave(*bob);
  const std::uint64_t id = says("one");
  world->store.stopped = true;
  EXPECT_EQ(refers(*bob, dmf, reference(id)), "");
  line->pass(5001ms);
  std::string answer = bob->next();
  if (Phone::kind(answer) == "100 REFER") answer = bob->next();  // R4320-1
  EXPECT_EQ(Phone::kind(answer), "503 REFER");
  world->store.stopped = false;
  line->pass(1ms);
  bob->quiet();
  at_rest();
}

TEST_F(Waiting, OMA_DEF_13_OnTwoShards) {
  start({}, 2);
  leave(*bob);
  wants_offline(*bob, false);
  const std::uint64_t one = says("one");
  const std::uint64_t two = says("two");
  come(*bob);
  takes(*bob);
  bob->connect();
  EXPECT_EQ(Phone::kind(refers(*bob, dmf, reference(one))), "202 REFER");
  bob->disconnect();
  Phone other(*line, "bob", "127.0.0.1:40002", 0);  // the same device by another shard
  std::string message;
  for (std::string text = other.next(); !text.empty(); text = other.next()) {
    if (method(text) == "MESSAGE") message = text;
    other.respond(text, 200);
  }
  EXPECT_EQ(body_of(message), "one");
  EXPECT_EQ(Phone::kind(refers(other, "sip:bob@example.org", reference(two), "Refer-Sub: false\r\n")), "200 REFER");
  EXPECT_EQ(body_of(takes(other)), "two");
  line->pass(1ms);
  EXPECT_EQ(world->store.deferred.size(), 0U);
}

// --- deletion

TEST_F(Waiting, OMA_DEF_10_WhatIsDeletedIsNotSentAlsoWhenItIsLoadedAlready) {
  leave(*bob);
  says("one");
  const std::uint64_t two = says("two");
  const std::uint64_t three = says("three");
  come(*bob);
  const std::string first = bob->want("MESSAGE");
  EXPECT_EQ(asks(Kind::deferred_delete, "bob " + std::to_string(two)), "{\"deleted\":true}");
  EXPECT_EQ(asks(Kind::deferred_delete, "sip:bob@example.org " + std::to_string(two)), "{\"deleted\":false}");
  bob->respond(first, 200);
  const std::string last = bob->want("MESSAGE");
  EXPECT_EQ(body_of(last), "three");
  EXPECT_EQ(asks(Kind::deferred_delete, "bob " + std::to_string(three)), "{\"deleted\":true}") << "it is on the wire";
  bob->respond(last, 480);
  line->pass(hours(1));
  bob->quiet();
  alice->quiet();
  EXPECT_EQ(world->store.deferred.size(), 0U);
  EXPECT_EQ(world->metric(Metric::im_deferred_deleted), 2U);
  at_rest();
}

TEST_F(Waiting, OMA_DEF_10_WhatIsDeletedWhileItIsBeingLoadedIsNotSent) {
  leave(*bob);
  const std::uint64_t one = says("one");
  says("two");
  world->store.stopped = true;
  come(*bob);
  EXPECT_EQ(world->admin(Kind::deferred_delete, "bob " + std::to_string(one)), "");
  world->store.stopped = false;
  line->pass(1ms);
  const std::string there = bob->want("MESSAGE");
  // Whichever of the two the store was asked first: the one that is deleted comes at most once, and the other comes.
  bob->respond(there, 200);
  if (body_of(there) == "one") {
    EXPECT_EQ(body_of(takes(*bob)), "two");
  }
  bob->quiet();
  EXPECT_EQ(world->store.deferred.size(), 0U);
}

TEST_F(Waiting, OMA_DEF_10_TheListOfAnOperatorHasWhatHisTableShows) {
  leave(*bob);
  const std::uint64_t id = says("one", "Subject: lunch\r\n");
  const std::string json = asks(Kind::deferred_entries, "bob");
  EXPECT_TRUE(
      json.starts_with("{\"messages\":[{\"id\":\"" + std::to_string(id) + "\",\"from\":\"sip:alice@example.org\""))
      << json;
  EXPECT_NE(json.find("\"subject\":\"lunch\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"status\":\"new\""), std::string::npos) << json;
  EXPECT_EQ(asks(Kind::deferred_entries, "carol"), "{\"messages\":[]}");
  EXPECT_EQ(asks(Kind::deferred_delete, "bob 99"), "{\"deleted\":false}");
  EXPECT_EQ(asks(Kind::deferred_delete, "bob x"), "{\"deleted\":false}");
  EXPECT_NE(asks(Kind::deferred_delete, "tel:").find("error"), std::string::npos);
}

}  // namespace
}  // namespace parley::tests
