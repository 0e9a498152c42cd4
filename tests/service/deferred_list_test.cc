// tests/service/deferred_list_test.cc - what waits for a user is shown, announced, fetched and deleted (OMA-DEF-1 to -3, -6, -7,
// -10 to -15, OMA-SET-11, SEED3-5.2.4-10).
#include <gtest/gtest.h>

#include "policy/deferred_list.h"
#include "policy/deferred_reference.h"
#include "policy/xml_reader.h"
#include "tests/service/parties.h"
#include "tests/service/watcher.h"

namespace parley::tests {
namespace {

using core::DeferredState;
using core::Metric;
using std::chrono::hours;
using std::chrono::minutes;
using Kind = core::AdminRequest::Kind;

const std::string list_type(policy::deferred_list_type);
const std::string diff_type(policy::xcap_diff_type);
const std::string dmf = "sip:Deferred@example.org";

std::string offline(bool active) {
  return std::string("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<poc-settings xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\" "
                     "xmlns:im=\"urn:oma:xml:im:service-settings\"><entity id=\"e\"><im:deferred-settings><im:offline-delivery "
                     "active=\"") +
         (active ? "true" : "false") + "\"/></im:deferred-settings></entity></poc-settings>\r\n";
}
// "new new": the states of a list's messages, in its order; "!" when it is no document.
std::string states(const std::string& xml) {
  policy::XmlDocument document;
  if (document.parse(xml) || document.root().name() != "deferred-list") return "!";
  std::string text;
  for (const policy::XmlElement entry : document.root().children()) {
    if (!text.empty()) text += ' ';
    for (const policy::XmlElement part : entry.children()) {
      if (part.name() == "status") text += part.text();
    }
  }
  return text;
}

struct Waiting : Party {
  void SetUp() override { start({}); }
  void start(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards = 1) {
    config = focus_config();
    config->focus.one_to_one = policy::OneToOne::direct;
    config->im.participating = true;
    config->im.deferred.on = true;
    config->im.deferred.xcap_root = "https://example.org/";
    config->im.deferred_uris = {dmf};
    config->stores_bindings = config->stores_messages = true;
    if (change) change(*config);
    make(config, shards);
    world = &line->world;
  }
  void registers(Phone& who, int seconds) {
    ++requests;
    who.send("REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP " + who.address() + ";branch=z9hG4bKr" +
             std::to_string(requests) + "\r\nFrom: <sip:" + who.user() + "@example.org>;tag=r\r\nTo: <sip:" + who.user() +
             "@example.org>\r\nCall-ID: reg" + who.address() + "\r\nCSeq: " + std::to_string(100 + requests) +
             " REGISTER\r\n" + who.contact() + "Expires: " + std::to_string(seconds) + "\r\nContent-Length: 0\r\n\r\n");
    who.want("200 REGISTER");
  }
  void leave(Phone& who) { registers(who, 0); }
  void come(Phone& who) { registers(who, 3600); }
  void wants_offline(Phone& who, bool active) {
    ++requests;
    const std::string body = offline(active);
    who.send("PUBLISH sip:" + who.user() + "@example.org SIP/2.0\r\nVia: SIP/2.0/UDP " + who.address() + ";branch=z9hG4bKpub" +
             std::to_string(requests) + "\r\nMax-Forwards: 70\r\nFrom: <sip:" + who.user() + "@example.org>;tag=p\r\nTo: <sip:" +
             who.user() + "@example.org>\r\nCall-ID: pub" + who.user() + "\r\nCSeq: " + std::to_string(requests) +
             " PUBLISH\r\nEvent: poc-settings\r\nExpires: 86400\r\n" + (etag.empty() ? "" : "SIP-If-Match: " + etag + "\r\n") +
             "Content-Type: application/poc-settings+xml\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    etag = header(who.want("200 PUBLISH"), "SIP-ETag");
  }
  void begins(Phone& by, const std::string& uri) {
    by.call_id = "ask" + std::to_string(++requests);
    by.local = "\"" + by.user() + "\" <sip:" + by.user() + "@example.org>;tag=m" + std::to_string(requests);
    by.remote = "<" + uri + ">";
    by.target = uri;
    by.routes.clear();
  }
  // The id under which it is kept.
  std::uint64_t says(const std::string& text, const std::string& lines = {}, Phone* by = nullptr,
                     const std::string& type = "text/plain") {
    Phone& who = by == nullptr ? *alice : *by;
    begins(who, "sip:bob@example.org");
    who.send_typed("MESSAGE", type, text, im + lines);
    who.want("202 MESSAGE");
    return world->store.deferred.empty() ? 0 : world->store.deferred.rbegin()->first;
  }
  std::string takes(Phone& who, int status = 200) {
    const std::string message = who.want("MESSAGE");
    if (!message.empty()) who.respond(message, status);
    return message;
  }
  // What a question was answered.
  std::string asks(Kind kind, const std::string& argument) {
    for (std::uint32_t shard = 0; shard < world->shards(); ++shard) {
      std::string json = world->admin(kind, argument, shard);
      if (json != "{}") return json;
    }
    return {};
  }
  std::string document(const std::string& user = "bob") {
    const std::string json = asks(Kind::deferred_list, user);
    std::string xml = between(json, "\"document\":\"", "\"}");
    std::string plain;
    for (std::size_t i = 0; i < xml.size(); ++i) {
      if (xml[i] != '\\') {
        plain += xml[i];
      } else {
        plain += xml[++i] == 'n' ? '\n' : xml[i];
      }
    }
    return plain;
  }
  // Its 200 and its first NOTIFY.
  std::string subscribes(Phone& who, const std::string& uri, const std::string& event = "ua-profile",
                         const std::string& accept = list_type) {
    begins(who, uri);
    who.request("SUBSCRIBE", {}, "Event: " + event + "\r\nExpires: 600\r\n" + (accept.empty() ? "" : "Accept: " + accept + "\r\n"));
    who.take(who.want("200 SUBSCRIBE"));
    return told(who);
  }
  std::string told(Phone& who) {
    const std::string notify = who.want("NOTIFY");
    if (!notify.empty()) who.respond(notify, 200);
    return notify;
  }
  // What is left: what it was answered.
  std::string refers(Phone& who, const std::string& uri, const std::string& to, const std::string& lines = {},
                     const std::string& body = {}, const std::string& type = "application/resource-lists+xml") {
    begins(who, uri);
    who.send_typed("REFER", type, body, "Refer-To: <" + to + ">\r\n" + lines);
    return who.next();
  }
  static std::string reference(std::uint64_t id) { return policy::deferred_reference(id, "example.org"); }
  static std::string fragment(const std::string& notify) { return between(body_of(notify), "SIP/2.0 ", " "); }

  void at_rest() {
    Party::at_rest();
    for (std::uint32_t shard = 0; shard < world->shards(); ++shard) {
      EXPECT_EQ(world->service(shard).deferred_watch().open_work(), 0U);
      EXPECT_EQ(world->service(shard).deferred_retrieval().live(), 0U);
    }
  }
  std::shared_ptr<policy::SipConfig> config;
  SipWorld* world = nullptr;
  int requests = 0;
  std::string etag;
};

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
  EXPECT_EQ(said["date"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(said["expiry"], "2023-11-21T22:13:20Z");
  EXPECT_EQ(said["size"], "8");
  EXPECT_EQ(said["content-type"], "text/plain");
  EXPECT_EQ(said["mode"], "pager");
  EXPECT_EQ(said["status"], "new");
  EXPECT_EQ(said["reference"], "sip:deferred-" + std::to_string(id) + "@example.org");
  EXPECT_FALSE(said.contains("message-id")) << "it has none";
}

TEST_F(Waiting, OMA_DEF_3_AMessageIdIsShownAndTextsOfOthersBreakNothing) {
  leave(*bob);
  says("From: <sip:alice@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m-1\r\n\r\nContent-Type: text/plain\r\n\r\nx",
       "Subject: \xff\x01 \xc3\xa4 ]]>\r\n", nullptr, "message/cpim");
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
  alice->send_typed("MESSAGE", "text/plain", "psst", im + "Privacy: id\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n");
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
  EXPECT_NE(first.find("sel=\"org.openmobilealliance.deferred-list/users/sip:bob@example.org/deferred-list\""), std::string::npos);
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
      for (const char* to : {"", "Deferred"}) {
        Watcher watcher(world, name, "127.0.0.1:4100" + std::to_string(shard), shard);
        const Ask ask{.event = "ua-profile", .accept = list_type, .to_user = to};
        ASSERT_TRUE(watcher.subscribe(ask).starts_with("SIP/2.0 200")) << name << shard << to;
        const std::string notify = watcher.notify();
        EXPECT_EQ(between(body_of(notify), "<subject>", "</subject>"), "for " + std::string(name)) << notify;
        EXPECT_TRUE(watcher.refresh({.event = "ua-profile", .expires = "0"}).starts_with("SIP/2.0 200"));
        EXPECT_NE(watcher.notify().find("Subscription-State: terminated"), std::string::npos);
      }
    }
  }
  Watcher carol(world, "carol", "127.0.0.1:41009", 1);
  EXPECT_TRUE(carol.subscribe({.event = "ua-profile", .accept = list_type, .to_user = "bob"}).starts_with("SIP/2.0 403"));
}

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
  EXPECT_EQ(code(refers(*bob, dmf, "cid:l@x", lines, resource_list({reference(7), reference(8)}))), "404") << "none of them";
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
        "<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\" xmlns:p=\"urn:oma:xml:poc:poc-rules\"><rule id=\"r\"><conditions>"
        "<identity><one id=\"sip:bob@example.org\"/></identity></conditions><actions><p:allow-invite>reject</p:allow-invite>"
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
  EXPECT_TRUE(json.starts_with("{\"messages\":[{\"id\":\"" + std::to_string(id) + "\",\"from\":\"sip:alice@example.org\"")) << json;
  EXPECT_NE(json.find("\"subject\":\"lunch\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"status\":\"new\"}"), std::string::npos) << json;
  EXPECT_EQ(asks(Kind::deferred_entries, "carol"), "{\"messages\":[]}");
  EXPECT_EQ(asks(Kind::deferred_delete, "bob 99"), "{\"deleted\":false}");
  EXPECT_EQ(asks(Kind::deferred_delete, "bob x"), "{\"deleted\":false}");
  EXPECT_NE(asks(Kind::deferred_delete, "tel:").find("error"), std::string::npos);
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

TEST(DeferredReference, OMA_DEF_3_IsReadBackAndNothingElseIs) {
  EXPECT_EQ(policy::deferred_reference(42, "example.org"), "sip:deferred-42@example.org");
  EXPECT_EQ(policy::deferred_id("deferred-42"), 42U);
  EXPECT_EQ(policy::deferred_id("Deferred-42"), 42U);
  for (const char* other : {"deferred", "deferred-", "deferred-x", "deferred-1x", "deferred--1", "bob", "",
                            "deferred-18446744073709551616", "deferred-9223372036854775808"}) {
    EXPECT_FALSE(policy::deferred_id(other).has_value()) << other;
  }
}

}  // namespace
}  // namespace parley::tests
