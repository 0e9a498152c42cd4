// tests/service/deferred_list_test.cc - what waits for a user is shown to him (OMA-DEF-2, -3, -10, -11, -14, -15).
#include <gtest/gtest.h>

#include "tests/service/waiting.h"
#include "tests/service/watcher.h"

namespace parley::tests {
namespace {

// --- the document

TEST_F(Waiting, OMA_DEF_3_TheListSaysOfEachMessageWhatItsUserHasToKnow) {
  leave(*bob);
  const std::uint64_t id = says("hello \xc3\xa4", "Subject: lunch & <more>\r\n");
  const std::string xml = document();
  policy::XmlDocument document;
  ASSERT_FALSE(document.parse(xml)) << xml;
  EXPECT_EQ(document.root().name(), "deferred-list");
  EXPECT_EQ(document.root().space(), "urn:oma:xml:im:deferred-list") << "OMA-DEF-2";
  const policy::XmlElement entry = *document.root().children().begin();
  std::map<std::string, std::string> said;
  for (const policy::XmlElement part : entry.children()) said[std::string(part.name())] = part.text();
  EXPECT_NE(xml.find("<entry id=\"" + std::to_string(id) + "\">"), std::string::npos) << xml;
  EXPECT_NE(xml.find("<from display-name=\"alice\">"), std::string::npos) << xml;
  EXPECT_EQ(said["from"], "sip:alice@example.org");
  EXPECT_EQ(said["to"], "sip:bob@example.org");
  EXPECT_EQ(said["subject"], "lunch & <more>");
  EXPECT_EQ(said["date"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(said["expiry"], "2023-11-21T22:13:20.000Z");
  EXPECT_EQ(said["size"], "8");
  EXPECT_EQ(said["content-type"], "text/plain");
  EXPECT_EQ(said["mode"], "pager");
  EXPECT_EQ(said["status"], "new");
  EXPECT_EQ(said["reference"], reference(id));
  EXPECT_FALSE(said.contains("message-id")) << "it has none";
}

TEST_F(Waiting, OMA_DEF_3_AMessageIdIsShownAndTextsOfOthersBreakNothing) {
  leave(*bob);
  says(
      "From: <sip:alice@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m-1\r\n\r\nContent-Type: "
      "text/plain\r\n\r\nx",
      "Subject: \xff \xc3\xa4 ]]>\r\n", nullptr, "message/cpim");
  const std::string xml = document();
  EXPECT_EQ(states(xml), "new") << xml;
  EXPECT_NE(xml.find("<message-id>m-1</message-id>"), std::string::npos) << xml;
  EXPECT_NE(xml.find("\xc3\xa4"), std::string::npos) << "what is UTF-8 stays so: " << xml;
}

TEST_F(Waiting, OMA_DEF_2_TheNamespaceIsTheOperators) {
  start([](policy::SipConfig& c) { c.im.deferred.list_space = "urn:oma:xml:im:history-list"; });
  EXPECT_NE(document().find("<deferred-list xmlns=\"urn:oma:xml:im:history-list\"/>"), std::string::npos) << document();
}

TEST_F(Waiting, OMA_DEF_15_WhoDoesNotWantToBeNamedIsNotInTheListEither) {
  leave(*bob);
  begins(*alice, "sip:bob@example.org");
  alice->local = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=x";
  alice->send_typed("MESSAGE", "text/plain", "psst",
                    im + "Privacy: id\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n");
  alice->want("202 MESSAGE");
  says("but here he says who he is", "Privacy: id\r\n");
  for (const std::string& text : {document(), asks(Kind::deferred_entries, "bob")}) {
    EXPECT_EQ(text.find("alice"), std::string::npos) << text;
    EXPECT_NE(text.find("sip:anonymous@anonymous.invalid"), std::string::npos) << text;
  }
}

TEST_F(Waiting, OMA_DEF_10_TheListHasATagThatIsTheSameUntilItChanges) {
  leave(*bob);
  const auto tag = [&] { return between(asks(Kind::deferred_list, "bob"), "\"etag\":\"", "\""); };
  const std::string none = tag();
  says("one");
  const std::string one = tag();
  EXPECT_EQ(one.size(), 32U);
  EXPECT_NE(one, none);
  EXPECT_EQ(tag(), one);
  world->crash(config);
  EXPECT_EQ(tag(), one) << "another process says the same";
  EXPECT_NE(asks(Kind::deferred_list, "sip:bob@elsewhere.net").find("error"), std::string::npos) << "none of ours";
}

TEST_F(Waiting, P_01_AListThatIsTooLongSaysWhatItLeavesOut) {
  start([](policy::SipConfig& c) { c.im.deferred.list_bytes_max = 1200; });
  leave(*bob);
  for (int i = 0; i < 5; ++i) says(std::to_string(i));
  EXPECT_EQ(states(document()), "new new new new new") << "a question has it whole";
  const std::string xml = body_of(subscribes(*bob, dmf));
  EXPECT_NE(xml.find("left-out=\""), std::string::npos) << xml;
  EXPECT_LE(xml.size(), 1200U + 150U);
  EXPECT_TRUE(states(xml).starts_with("new")) << xml;
  EXPECT_NE(world->metric(Metric::im_deferred_list_limit), 0U);
}

// --- subscriptions

TEST_F(Waiting, OMA_DEF_11_WhoSubscribesGetsTheWholeListAndThenEachChangeOnceInFiveSeconds) {
  leave(*bob);
  says("one");
  const std::string first = subscribes(*bob, dmf);
  EXPECT_EQ(header(first, "Event"), "ua-profile");
  EXPECT_EQ(header(first, "Content-Type"), list_type);
  EXPECT_TRUE(header(first, "Subscription-State").starts_with("active;expires=")) << first;
  EXPECT_EQ(states(body_of(first)), "new");
  bob->quiet();
  says("two");
  says("three");
  bob->quiet();
  line->pass(5s);
  EXPECT_EQ(states(body_of(told(*bob))), "notified new new") << "what he was told of is no news";
  line->pass(10s);
  bob->quiet();
}

TEST_F(Waiting, OMA_DEF_11_BothEventsAndBothAddressesAreTaken) {
  leave(*bob);
  says("one");
  for (const char* event : {"ua-profile", "sip-profile"}) {
    for (const std::string& uri : {dmf, std::string("sip:bob@example.org")}) {
      for (const char* accept : {"", "application/vnd.oma.im.deferred-list+xml, application/xcap-diff+xml"}) {
        const std::string notify = subscribes(*bob, uri, event, accept);
        EXPECT_EQ(header(notify, "Event"), event);
        EXPECT_EQ(header(notify, "Content-Type"), list_type) << "the list itself where both are taken";
        EXPECT_TRUE(states(body_of(notify)) == "new" || states(body_of(notify)) == "notified") << notify;
      }
    }
  }
}

TEST_F(Waiting, OMA_DEF_11_WhoTakesOnlyChangesIsToldThatThereIsOne) {
  leave(*bob);
  says("one");
  const std::string first = subscribes(*bob, dmf, "sip-profile", diff_type);
  EXPECT_EQ(header(first, "Content-Type"), diff_type);
  policy::XmlDocument document;
  ASSERT_FALSE(document.parse(body_of(first))) << first;
  EXPECT_EQ(document.root().space(), "urn:ietf:params:xml:ns:xcap-diff");
  EXPECT_NE(first.find("xcap-root=\"https://example.org/\""), std::string::npos) << first;
  EXPECT_NE(first.find("sel=\"org.openmobilealliance.deferred-list/users/sip:bob@example.org/deferred-list\""),
            std::string::npos);
  EXPECT_EQ(first.find("previous-etag"), std::string::npos) << first;
  const std::string tag = between(first, "new-etag=\"", "\"");
  line->pass(6s);
  says("two");
  const std::string second = told(*bob);
  EXPECT_EQ(between(second, "previous-etag=\"", "\""), tag) << second;
  const std::string now = between(second, "new-etag=\"", "\"");
  EXPECT_NE(now, tag);
  EXPECT_EQ(now.size(), 32U);
}

TEST_F(Waiting, OMA_DEF_11_WhatIsNoSuchSubscriptionIsRefused) {
  const auto refused = [&](Phone& who, const std::string& uri, const std::string& lines) {
    begins(who, uri);
    who.request("SUBSCRIBE", {}, lines);
    return who.next();
  };
  const std::string other = refused(*bob, dmf, "Event: presence\r\n");
  EXPECT_EQ(code(other), "489");
  EXPECT_EQ(header(other, "Allow-Events"), "sip-profile, ua-profile");
  const std::string type = refused(*bob, dmf, "Event: ua-profile\r\nAccept: application/pidf+xml\r\n");
  EXPECT_EQ(code(type), "406");
  EXPECT_EQ(all_of(type, "Accept"), (std::vector<std::string>{list_type, diff_type}));
  EXPECT_EQ(code(refused(*bob, dmf, "Event: ua-profile\r\nExpires: 5\r\n")), "423");
  const std::string nobody = refused(*bob, "sip:example.org", "Event: dialog\r\n");
  EXPECT_EQ(code(nobody), "489");
  EXPECT_EQ(header(nobody, "Allow-Events"), "reg, poc-settings, sip-profile, ua-profile");
  EXPECT_EQ(code(refused(*bob, "sip:bob@example.org", "Event: ua-profile\r\nAccept: text/plain\r\n")), "406");
}

TEST_F(Waiting, OMA_DEF_14_NobodyElseSeesOrFetchesWhatWaitsForHim) {
  leave(*bob);
  const std::uint64_t id = says("one");
  begins(*alice, "sip:bob@example.org");
  alice->request("SUBSCRIBE", {}, "Event: ua-profile\r\nAccept: " + list_type + "\r\n");
  EXPECT_EQ(Phone::kind(alice->next()), "403 SUBSCRIBE");
  EXPECT_EQ(states(body_of(subscribes(*alice, dmf))), "") << "his own";
  EXPECT_EQ(code(refers(*alice, dmf, reference(id))), "403");
  EXPECT_EQ(code(refers(*alice, "sip:bob@example.org", reference(id))), "403");
  EXPECT_EQ(code(refers(*alice, reference(id), "sip:carol@example.org")), "403");
  begins(*alice, dmf);
  alice->local = "<sip:bob@elsewhere.net>;tag=x";
  alice->request("SUBSCRIBE", {}, "Event: ua-profile\r\n");
  EXPECT_EQ(Phone::kind(alice->next()), "403 SUBSCRIBE") << "a bob of somebody else's";
  EXPECT_EQ(asks(Kind::deferred_delete, "alice " + std::to_string(id)), "{\"deleted\":false}");
  EXPECT_EQ(world->store.deferred.size(), 1U);
  carol->quiet();
}

TEST_F(Waiting, OMA_DEF_11_ASubscriptionIsRefreshedAndEnded) {
  leave(*bob);
  says("one");
  subscribes(*bob, dmf);
  bob->request("SUBSCRIBE", {}, "Event: ua-profile\r\nExpires: 700\r\n");
  EXPECT_EQ(header(bob->want("200 SUBSCRIBE"), "Expires"), "700");
  EXPECT_EQ(states(body_of(told(*bob))), "notified");
  bob->request("SUBSCRIBE", {}, "Event: ua-profile\r\nExpires: 0\r\n");
  bob->want("200 SUBSCRIBE");
  const std::string last = told(*bob);
  EXPECT_TRUE(header(last, "Subscription-State").starts_with("terminated")) << last;
  EXPECT_EQ(world->service().deferred_watch().subscribers(), 0U);
  says("two");
  line->pass(6s);
  bob->quiet();
  at_rest();
}

TEST_F(Waiting, OMA_DEF_11_AListThatCanNotBeReadIsSentWhenItCan) {
  leave(*bob);
  says("one");
  world->store.stopped = true;
  begins(*bob, dmf);
  bob->request("SUBSCRIBE", {}, "Event: ua-profile\r\nExpires: 600\r\n");
  bob->take(bob->want("200 SUBSCRIBE"));
  bob->quiet();
  bob->request("SUBSCRIBE", {}, "Event: ua-profile\r\nExpires: 0\r\n");
  bob->want("200 SUBSCRIBE");
  world->store.stopped = false;
  line->pass(1ms);
  std::vector<std::string> seen;
  for (std::string notify = bob->next(); !notify.empty(); notify = bob->next()) {
    seen.push_back(states(body_of(notify)));
    bob->respond(notify, 200);
  }
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back(), "new");
  at_rest();
}

// The sender is proven on the shard that has him, wherever his request comes in.
TEST(WaitingOnShards, OMA_DEF_11_OMA_DEF_14_OnTwoShardsAUserWithAPasswordSeesHisOwnList) {
  auto config = sip_config();
  config->im.participating = true;
  config->im.deferred.on = true;
  config->im.deferred_uris = {dmf};
  config->stores_messages = true;
  SipWorld world(config, 2);
  for (const char* name : {"alice", "bob", "carol"}) {
    core::DeferredRow row;
    row.id = static_cast<std::uint64_t>(name[0]);
    row.aor = "sip:" + std::string(name) + "@example.org";
    row.expires_ms = world.now.wall_ms + 1'000'000;
    row.head = "From: <sip:x@example.org>\r\nSubject: for " + std::string(name) + "\r\n";
    world.store.deferred[row.id] = row;
  }
  for (std::uint32_t shard = 0; shard < 2; ++shard) {
    for (const char* name : {"alice", "bob", "carol"}) {
      for (const bool himself : {true, false}) {
        Watcher watcher(world, name, std::string("127.0.0.1:410") + (himself ? "0" : "1") + std::to_string(shard),
                        shard);
        const Ask ask{.event = "ua-profile", .accept = list_type, .to_user = himself ? "" : "Deferred"};
        ASSERT_TRUE(watcher.subscribe(ask).starts_with("SIP/2.0 200")) << name << shard << himself;
        const std::string notify = watcher.notify();
        EXPECT_EQ(between(body_of(notify), "<subject>", "</subject>"), "for " + std::string(name)) << notify;
        EXPECT_TRUE(watcher.refresh({.event = "ua-profile", .expires = "0"}).starts_with("SIP/2.0 200"));
        EXPECT_NE(watcher.notify().find("Subscription-State: terminated"), std::string::npos);
      }
    }
  }
  Watcher carol(world, "carol", "127.0.0.1:41009", 1);
  EXPECT_TRUE(
      carol.subscribe({.event = "ua-profile", .accept = list_type, .to_user = "bob"}).starts_with("SIP/2.0 403"));
}

TEST(DeferredReference, OMA_DEF_3_IsReadBackAndNothingElseIs) {
  for (const std::uint64_t id : {std::uint64_t{1}, std::uint64_t{42}, std::uint64_t{3'565'158'400'000'000'000}}) {
    const std::string uri = policy::deferred_reference(id, "example.org");
    EXPECT_TRUE(uri.ends_with("@example.org")) << uri;
    EXPECT_EQ(policy::deferred_id(between(uri, "sip:", "@")), id) << uri;
  }
  for (const char* other : {"deferred", "deferred-", "deferred-1x", "bob", "", "deferred-aaaaaaaaaaaaaaa",
                            "deferred-aaaaaaaaaaaaaaaz", "deferred-aaaaaaaaaaaaaaaaa"}) {
    EXPECT_FALSE(policy::deferred_id(other).has_value()) << other;
  }
}

}  // namespace
}  // namespace parley::tests
