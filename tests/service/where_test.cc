// tests/service/where_test.cc - where a message is: what operators are told of one that waits, that is on its way to several, and
// that went through here.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "policy/group_document.h"
#include "tests/service/waiting.h"

namespace parley::tests {
namespace {

using Json = nlohmann::json;

struct Where : Waiting {
  void SetUp() override { open({}); }
  void open(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards = 1) {
    start(
        [&](policy::SipConfig& made) {
          policy::GroupSpec team;
          team.uri = "sip:team@example.org";
          for (const char* name : {"alice", "bob", "carol"})
            team.members.push_back({.uri = "sip:" + std::string(name) + "@example.org", .key = {}, .display_name = {}});
          const policy::DocumentsResult read = policy::read_documents({}, {&team, 1}, "example.org");
          EXPECT_EQ(read.error, "");
          made.documents = read.documents;
          if (change) change(made);
        },
        shards);
  }
  static std::string cpim(const std::string& id) {
    return "From: <sip:alice@example.org>\r\nTo: <sip:x@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: " + id +
           "\r\nDateTime: 2023-11-14T22:00:00Z\r\n\r\nContent-Type: text/plain\r\n\r\nhello";
  }
  // alice's, in message/cpim with that id; its Call-ID.
  std::string sends(const std::string& to, const std::string& id) {
    begins(*alice, "sip:" + to + "@example.org");
    alice->send_typed("MESSAGE", "message/cpim", cpim(id), im);
    return alice->call_id;
  }
  // What all shards say, put together.
  Json where(const std::string& id) {
    Json all;
    for (std::uint32_t shard = 0; shard < world->shards(); ++shard) {
      const Json json = Json::parse(world->admin(Kind::where, id, shard), nullptr, false);
      EXPECT_TRUE(json.is_object()) << shard;
      for (const char* const part : {"waiting", "sending", "passed", "rooms"}) {
        if (!json.contains(part)) ADD_FAILURE() << part << " of " << json.dump();
        for (const Json& each : json.value(part, Json::array())) all[part].push_back(each);
      }
    }
    return all;
  }
};

TEST_F(Where, WhatWasDeliveredSaysWhichWayItWentAndWhatCameOfIt) {
  const std::string call = sends("bob", "m-1");
  Json open = where("m-1");
  ASSERT_EQ(open["passed"].size(), 1U) << open;
  EXPECT_EQ(open["passed"][0]["outcome"], "under way");
  EXPECT_EQ(open["passed"][0]["hops"][0]["result"], "open");
  world->now.wall_ms += 40;
  takes(*bob);
  alice->want("200 MESSAGE");
  for (const std::string& id : {std::string("m-1"), call}) {
    const Json found = where(id);
    ASSERT_EQ(found["passed"].size(), 1U) << id << found;
    const Json& passed = found["passed"][0];
    EXPECT_EQ(passed["way"], "direct");
    EXPECT_EQ(passed["outcome"], "delivered");
    EXPECT_EQ(passed["status"], 200);
    EXPECT_EQ(passed["from"], "sip:alice@example.org");
    EXPECT_EQ(passed["to"], "sip:bob@example.org");
    EXPECT_EQ(passed["message_id"], "m-1");
    EXPECT_EQ(passed["call_id"], call);
    EXPECT_EQ(passed["bytes"], cpim("m-1").size());
    ASSERT_EQ(passed["hops"].size(), 1U);
    EXPECT_EQ(passed["hops"][0]["to"], "udp:" + bob->address());
    EXPECT_EQ(passed["hops"][0]["result"], "200");
    EXPECT_EQ(passed["hops"][0]["result_after_ms"], 40);
    EXPECT_FALSE(found.contains("waiting"));
    EXPECT_FALSE(found.contains("sending"));
  }
}

TEST_F(Where, WhatNobodyKnowsIsNowhere) {
  sends("bob", "m-1");
  takes(*bob);
  EXPECT_TRUE(where("m-2").is_null());
  EXPECT_TRUE(where("").is_null()) << "what has no name is not found by that";
}

TEST_F(Where, WhatWaitsSaysForWhomAndUntilWhen) {
  leave(*bob);
  const std::string call = sends("bob", "m-1");
  alice->want("202 MESSAGE");
  for (const std::string& id : {std::string("m-1"), call}) {
    const Json found = where(id);
    ASSERT_EQ(found["waiting"].size(), 1U) << id << found;
    const Json& waits = found["waiting"][0];
    EXPECT_EQ(waits["for"], "sip:bob@example.org");
    EXPECT_EQ(waits["from"], "sip:alice@example.org");
    EXPECT_EQ(waits["message_id"], "m-1");
    EXPECT_EQ(waits["request_id"], call);
    EXPECT_EQ(waits["user_knows"], "new");
    EXPECT_EQ(waits["delivery"], "not there");
    EXPECT_EQ(waits["failed_rounds"], 0);
    EXPECT_FALSE(waits.contains("last_status"));
    EXPECT_EQ(waits["bytes"], cpim("m-1").size());
    EXPECT_LT(waits["since"].get<std::string>(), waits["until"].get<std::string>());
    ASSERT_EQ(found["passed"].size(), 1U);
    EXPECT_EQ(found["passed"][0]["outcome"], "kept");
    EXPECT_EQ(found["passed"][0]["status"], 202);
  }
  come(*bob);
  takes(*bob);
  const Json after = where(call);
  EXPECT_FALSE(after.contains("waiting"));
  ASSERT_EQ(after["passed"].size(), 2U) << after;
  EXPECT_EQ(after["passed"][0]["way"], "stored") << "the newest first";
  EXPECT_EQ(after["passed"][0]["outcome"], "delivered");
  EXPECT_EQ(after["passed"][0]["call_id"], call);
}

TEST_F(Where, WhyItWasRefusedLastAndWhenItIsTriedAgain) {
  leave(*bob);
  sends("bob", "m-1");
  alice->want("202 MESSAGE");
  come(*bob);
  takes(*bob, 486);
  const Json found = where("m-1");
  ASSERT_EQ(found["waiting"].size(), 1U) << found;
  EXPECT_EQ(found["waiting"][0]["delivery"], "later");
  EXPECT_EQ(found["waiting"][0]["failed_rounds"], 1);
  EXPECT_EQ(found["waiting"][0]["last_status"], 486);
  EXPECT_GT(found["waiting"][0]["next_in_seconds"], 0);
  EXPECT_EQ(found["passed"][0]["outcome"], "failed");
  EXPECT_EQ(found["passed"][0]["hops"][0]["result"], "486");
}

TEST_F(Where, WhatGoesToSeveralSaysWhoHasYetToGetIt) {
  leave(*bob);
  const std::string call = sends("team", "m-9");
  alice->want("202 MESSAGE");
  Json found = where(call);
  ASSERT_EQ(found["sending"].size(), 1U) << found;
  EXPECT_EQ(found["sending"][0]["to"], "sip:team@example.org");
  EXPECT_EQ(found["sending"][0]["from"], "sip:alice@example.org");
  ASSERT_EQ(found["sending"][0]["recipients"].size(), 1U) << "bob's copy waits in the store";
  EXPECT_EQ(found["sending"][0]["open"], 1);
  EXPECT_EQ(found["sending"][0]["recipients"][0]["to"], "sip:carol@example.org");
  EXPECT_EQ(found["sending"][0]["recipients"][0]["state"], "under way");
  takes(*carol);
  for (const std::string& id : {std::string("m-9"), call}) {
    found = where(id);
    EXPECT_FALSE(found.contains("sending")) << id;
    ASSERT_EQ(found["waiting"].size(), 1U) << id << found;
    EXPECT_EQ(found["waiting"][0]["for"], "sip:bob@example.org");
    EXPECT_EQ(found["waiting"][0]["request_id"], call) << "of what alice sent, not of the copy";
    ASSERT_EQ(found["passed"].size(), 3U);
    EXPECT_EQ(found["passed"][2]["way"], "list");
    EXPECT_EQ(found["passed"][2]["outcome"], "taken");
    EXPECT_EQ(found["passed"][2]["copies"], 2);
    EXPECT_EQ(found["passed"][2]["copies_taken"], 2);
    for (const std::size_t copy : {0U, 1U}) {
      EXPECT_EQ(found["passed"][copy]["way"], "copy");
      const bool bobs = found["passed"][copy]["to"] == "sip:bob@example.org";
      EXPECT_EQ(found["passed"][copy]["outcome"], bobs ? "kept" : "delivered");
    }
  }
}

TEST_F(Where, ACopyIsFoundByTheCallIdThatItsReceiverSees) {
  sends("team", "m-9");
  const std::string copy = takes(*carol);
  takes(*bob);
  const Json found = where(header(copy, "Call-ID"));
  ASSERT_EQ(found["passed"].size(), 1U) << found;
  EXPECT_EQ(found["passed"][0]["from"], "sip:alice@example.org");
  EXPECT_EQ(found["passed"][0]["to"], "sip:carol@example.org");
}

// Its From says so; P-Asserted-Identity says who it really is, and is not what its receiver sees.
TEST_F(Where, ACopyIsFromWhomItsFromNames) {
  leave(*bob);
  begins(*alice, "sip:factory@example.org");
  alice->local = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=x";
  alice->send_typed("MESSAGE", mixed_type, listed({"bob", "carol"}),
                    im + "Require: recipient-list-message\r\nPrivacy: id\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n");
  alice->want("202 MESSAGE");
  const std::string to_carol = takes(*carol);
  for (const std::string& id : {header(to_carol, "Call-ID"), alice->call_id}) {
    const Json found = where(id);
    ASSERT_FALSE(found["passed"].empty()) << id << found;
    EXPECT_EQ(found["passed"][0]["way"], "copy");
    EXPECT_EQ(found["passed"][0]["from"], "sip:anonymous@anonymous.invalid") << id;
  }
  come(*bob);
  EXPECT_TRUE(header(takes(*bob), "From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="));
  const Json found = where(alice->call_id);
  EXPECT_EQ(found["passed"][0]["way"], "stored");
  EXPECT_EQ(found["passed"][0]["from"], "sip:anonymous@anonymous.invalid");
}

TEST_F(Where, WhatTheStoreHasNotTakenYetIsBeingStored) {
  world->store.stopped = true;
  sends("team", "m-9");
  for (std::uint32_t i = 0; i < config->where_questions_max; ++i) EXPECT_EQ(world->admin(Kind::where, "m-9"), "") << "it has no end otherwise";
  const Json more = Json::parse(world->admin(Kind::where, "m-9"));
  ASSERT_EQ(more["notes"].size(), 1U) << more;
  EXPECT_NE(more["notes"][0].get<std::string>().find("--where-questions-max"), std::string::npos);
  EXPECT_EQ(more["sending"][0]["recipients"][0]["state"], "being stored");
  EXPECT_EQ(world->metric(Metric::where_limit), 1U);
  world->store.stopped = false;
  line->pass(1ms);
  takes(*bob);
  takes(*carol);
}

TEST_F(Where, WithoutAStoreWhatIsOnItsWayIsStillFound) {
  open([](policy::SipConfig& made) { made.im.deferred.on = made.stores_messages = false; });
  sends("team", "m-9");
  const Json found = where("m-9");
  ASSERT_EQ(found["sending"].size(), 1U) << found;
  EXPECT_EQ(found["sending"][0]["recipients"].size(), 2U);
  takes(*bob, 486);
  takes(*carol);
  EXPECT_EQ(where("m-9")["passed"][2]["copies_failed"], 1);
}

TEST_F(Where, ItIsFoundAgainByTheNextProcess) {
  const std::string call = sends("team", "m-9");
  takes(*bob);
  carol->want("MESSAGE");
  line->pass(1ms);
  world->crash(config);
  const Json found = where(call);
  ASSERT_EQ(found["sending"].size(), 1U) << found;
  ASSERT_EQ(found["sending"][0]["recipients"].size(), 1U) << "bob has his";
  EXPECT_EQ(found["sending"][0]["recipients"][0]["to"], "sip:carol@example.org");
  line->collect();
  carol->respond(carol->next(), 200);
}

TEST_F(Where, OnTwoShardsEachTellsOfItsOwn) {
  open({}, 2);
  leave(*bob);
  leave(*carol);
  const std::string call = sends("team", "m-9");
  alice->want("202 MESSAGE");
  line->pass(1ms);
  const Json found = where("m-9");
  ASSERT_EQ(found["waiting"].size(), 2U) << found;
  EXPECT_NE(found["waiting"][0]["for"], found["waiting"][1]["for"]);
  come(*bob);
  come(*carol);
  takes(*bob);
  takes(*carol);
  const Json after = where(call);
  EXPECT_FALSE(after.contains("waiting"));
  int stored = 0;
  for (const Json& passed : after["passed"]) stored += passed["way"] == "stored" && passed["outcome"] == "delivered" ? 1 : 0;
  EXPECT_EQ(stored, 2) << after;
}

TEST_F(Where, WhatOnlySaysThatSomebodyWritesIsNotKept) {
  begins(*alice, "sip:bob@example.org");
  alice->send_typed("MESSAGE", "application/im-iscomposing+xml", "<isComposing/>", im);
  const std::string call = alice->call_id;
  takes(*bob);
  EXPECT_TRUE(where(call).is_null());
}

TEST_F(Where, WhatIsForwardedAndForgottenSaysWhereItWent) {
  open([](policy::SipConfig& made) {
    made.im.deferred.on = made.stores_messages = false;
    made.forwarding = policy::Forwarding::stateless;
  });
  const std::string call = sends("bob", "m-1");
  takes(*bob);
  const Json found = where(call);
  ASSERT_EQ(found["passed"].size(), 1U) << found;
  EXPECT_EQ(found["passed"][0]["outcome"], "passed on");
  EXPECT_EQ(found["passed"][0]["hops"][0]["result"], "not awaited");
}

TEST_F(Where, OffNothingIsKept) {
  open([](policy::SipConfig& made) { made.focus.trace_messages = 0; });
  const std::string call = sends("bob", "m-1");
  takes(*bob);
  EXPECT_TRUE(where(call).is_null());
}

}  // namespace
}  // namespace parley::tests
