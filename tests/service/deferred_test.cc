// tests/service/deferred_test.cc - messages for users who can not be reached: kept, sent when they are back, in order, told
// of when they can not be (OMA-DEF-4 to -9, -15, OMA-PAG-5, OMA-PAG-6, SEED4-6.1.2.1-5).
#include <gtest/gtest.h>

#include "policy/group_document.h"
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using core::Metric;
using std::chrono::hours;
using std::chrono::minutes;

std::string cpim(const std::string& id, const std::string& wanted, const std::string& text = "hello",
                 const std::string& type = "text/plain") {
  return "From: <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\nNS: n <urn:ietf:params:imdn>\r\nn.Message-ID: " + id +
         "\r\nn.Disposition-Notification: " + wanted + "\r\nDateTime: 2023-11-14T22:00:00Z\r\n\r\nContent-Type: " + type +
         "\r\n\r\n" + text;
}

struct Deferring : Party {
  void SetUp() override { start({}); }
  void start(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards = 1) {
    config = deferring_config();
    policy::GroupSpec team;
    team.uri = "sip:team@example.org";
    for (const char* name : {"alice", "bob", "carol"}) {
      team.members.push_back({.uri = "sip:" + std::string(name) + "@example.org", .key = {}, .display_name = {}});
    }
    const policy::DocumentsResult read = policy::read_documents({}, {&team, 1}, "example.org");
    EXPECT_EQ(read.error, "");
    config->documents = read.documents;
    if (change) change(*config);
    make(config, shards);
    world = &line->world;
  }
  void send(Phone& by, const std::string& to, const std::string& text, const std::string& lines = {},
            const std::string& type = "text/plain") {
    by.call_id = "msg" + std::to_string(++messages);
    by.local = "\"" + by.user() + "\" <sip:" + by.user() + "@example.org>;tag=m" + std::to_string(messages);
    by.remote = "<sip:" + to + "@example.org>";
    by.target = "sip:" + to + "@example.org";
    by.routes.clear();
    by.send_typed("MESSAGE", type, text, im + lines);
  }
  // alice's to bob; what she is answered at once.
  std::string says(const std::string& text, const std::string& lines = {}, const std::string& type = "text/plain") {
    send(*alice, "bob", text, lines, type);
    return Phone::kind(alice->next());
  }
  // R4320-1: behind 100 where it takes a while.
  static std::string answer(Phone& who) {
    std::string kind = Phone::kind(who.next());
    return kind == "100 MESSAGE" ? Phone::kind(who.next()) : kind;
  }
  std::string takes(Phone& who, int status = 200) {
    const std::string message = who.want("MESSAGE");
    std::deque<std::string>& box = line->boxes[who.address()];
    while (!box.empty() && box.front() == message) box.pop_front();  // sent again while time passed
    if (!message.empty()) who.respond(message, status);
    return message;
  }
  void at_rest() {
    Party::at_rest();
    EXPECT_EQ(world->store.sendings.size(), 0U);
    EXPECT_EQ(world->store.deferred.size(), 0U);
    for (std::uint32_t shard = 0; shard < world->shards(); ++shard) {
      EXPECT_EQ(world->service(shard).deferred().boxes(), 0U);
      EXPECT_EQ(world->service(shard).deferred().users(), 0U);
    }
  }
  std::shared_ptr<policy::SipConfig> config;
  SipWorld* world = nullptr;
  int messages = 0;
};

TEST_F(Deferring, OMA_DEF_4_WhoIsNotThereGetsItWhenHeIsBackOneAfterTheOther) {
  leave(*bob);
  for (const char* text : {"one", "two", "three"}) EXPECT_EQ(says(text), "202 MESSAGE");
  EXPECT_EQ(world->store.deferred.size(), 3U);
  bob->quiet();
  come(*bob);
  const std::string first = bob->want("MESSAGE");
  EXPECT_EQ(body_of(first), "one");
  bob->quiet();  // OMA-DEF-8: the next one behind its 2xx
  bob->respond(first, 200);
  EXPECT_EQ(body_of(takes(*bob)), "two");
  EXPECT_EQ(body_of(takes(*bob)), "three");
  bob->quiet();
  EXPECT_EQ(world->metric(Metric::im_deferred_kept), 3U);
  EXPECT_EQ(world->metric(Metric::im_deferred_delivered), 3U);
  at_rest();
}

TEST_F(Deferring, OMA_DEF_4_ItIs202OnlyWhenTheStoreHasIt) {
  leave(*bob);
  world->store.stopped = true;
  EXPECT_EQ(says("one"), "");
  world->store.stopped = false;
  line->pass(1ms);
  const std::string accepted = alice->want("202 MESSAGE");
  EXPECT_EQ(header(accepted, "Contact"), "") << "OMA-PAG-1";
  EXPECT_EQ(body_of(accepted), "");
  EXPECT_EQ(header(accepted, "Server"), "IM-serv/OMA1.0 parley/0.0");
}

TEST_F(Deferring, OMA_DEF_4_WhatTheStoreDoesNotTakeIsRefusedAndNotSentLater) {
  leave(*bob);
  world->store.full = true;
  send(*alice, "bob", "one");
  const std::string refused = alice->want("480 MESSAGE");
  EXPECT_NE(header(refused, "Warning").find("stored"), std::string::npos) << refused;
  world->store.full = false;
  world->store.stopped = true;
  EXPECT_EQ(says("two"), "");
  line->pass(5001ms);
  EXPECT_EQ(answer(*alice), "480 MESSAGE");
  EXPECT_EQ(world->metric(Metric::im_deferred_failed), 2U);
  world->store.stopped = false;
  line->pass(1ms);
  come(*bob);
  bob->quiet();
  at_rest();
}

TEST_F(Deferring, OMA_DEF_8_ItComesFromItsSenderByTheDeferredMessagingFunction) {
  leave(*bob);
  const std::string body = cpim("m-1", "display", "hello \xc3\xa4");
  EXPECT_EQ(says(body, "Subject: lunch\r\nX-Own: 1\r\nPriority: normal\r\n", "message/cpim;charset=utf-8"), "202 MESSAGE");
  const std::string sent = alice->last;
  line->pass(hours(2));
  come(*bob);
  const std::string there = takes(*bob);
  EXPECT_TRUE(header(there, "From").starts_with("\"alice\" <sip:alice@example.org>;tag=")) << there;
  EXPECT_NE(header(there, "From"), header(sent, "From"));
  EXPECT_EQ(header(there, "To"), "<sip:bob@example.org>");
  EXPECT_EQ(header(there, "P-Asserted-Identity"), "<sip:Deferred@example.org>") << "DEC-1, SEED0-8.2.2.1-2";
  EXPECT_NE(header(there, "Call-ID"), header(sent, "Call-ID"));
  EXPECT_EQ(header(there, "Date"), "Tue, 14 Nov 2023 22:13:20 GMT") << "when it came, not now";
  EXPECT_EQ(header(there, "Subject") + header(there, "X-Own"), "lunch1");
  EXPECT_EQ(header(there, "Content-Type"), "message/cpim;charset=utf-8");
  EXPECT_EQ(body_of(there), body);
  EXPECT_EQ(header(there, "User-Agent"), "IM-serv/OMA1.0 parley/0.0");
}

TEST_F(Deferring, OMA_DEF_8_ADateOfItsOwnStays) {
  leave(*bob);
  EXPECT_EQ(says("x", "Date: Tue, 14 Nov 2023 22:00:00 GMT\r\n"), "202 MESSAGE");
  come(*bob);
  EXPECT_EQ(header(takes(*bob), "Date"), "Tue, 14 Nov 2023 22:00:00 GMT");
}

TEST_F(Deferring, OMA_DEF_15_WhoDoesNotWantToBeNamedIsNot) {
  leave(*bob);
  alice->call_id = "anon";
  alice->local = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=x";
  alice->remote = "<sip:bob@example.org>";
  alice->target = "sip:bob@example.org";
  alice->request("MESSAGE", "psst", im + "Privacy: id\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n");
  alice->want("202 MESSAGE");
  come(*bob);
  const std::string there = takes(*bob);
  EXPECT_TRUE(header(there, "From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=")) << there;
  EXPECT_EQ(there.find("alice"), std::string::npos) << there;
  EXPECT_EQ(header(there, "Privacy"), "id");
}

// OMA-DEF-2 of the client's side: what bars was asked when the message was stored.
TEST_F(Deferring, OMA_DEF_9_WhatWasNotTakenIsSentAgainLaterEachTimeLater) {
  leave(*bob);
  EXPECT_EQ(says("one"), "202 MESSAGE");
  come(*bob);
  const std::string first = takes(*bob, 480);
  bob->quiet();
  line->pass(29s);
  bob->quiet();
  line->pass(2s);
  const std::string second = takes(*bob, 480);
  EXPECT_EQ(header(second, "Call-ID"), header(first, "Call-ID")) << "the same message";
  line->pass(58s);
  bob->quiet();
  line->pass(3s);
  takes(*bob, 503);
  line->pass(minutes(2) + 1s);
  EXPECT_EQ(body_of(takes(*bob)), "one");
  at_rest();
}

TEST_F(Deferring, OMA_DEF_7_WhoRegistersAgainIsTriedAtOnce) {
  leave(*bob);
  EXPECT_EQ(says("one"), "202 MESSAGE");
  come(*bob);
  takes(*bob, 480);
  come(*bob);
  takes(*bob);
  at_rest();
}

// That is no fault of his device, and over for all at one time.
TEST_F(Deferring, OMA_DEF_9_WhatTheStoreDoesNotGiveIsAskedForSoonAndEachTimeAsSoon) {
  leave(*bob);
  EXPECT_EQ(says("one"), "202 MESSAGE");
  world->store.unread = true;
  come(*bob);
  bob->quiet();
  for (int times = 0; times < 5; ++times) line->pass(1100ms);
  bob->quiet();
  world->store.unread = false;
  line->pass(1100ms);
  const std::string message = bob->want("MESSAGE");
  EXPECT_EQ(body_of(message), "one");
  bob->respond(message, 200);
}

TEST_F(Deferring, OMA_DEF_9_WhatADeviceRefusesHoldsUpItsSenderAlone) {
  leave(*bob);
  EXPECT_EQ(says("from alice, refused"), "202 MESSAGE");
  EXPECT_EQ(says("from alice, behind it"), "202 MESSAGE");
  send(*carol, "bob", "from carol");
  carol->want("202 MESSAGE");
  come(*bob);
  EXPECT_EQ(body_of(takes(*bob, 415)), "from alice, refused");
  EXPECT_EQ(body_of(takes(*bob)), "from carol");
  bob->quiet();
  line->pass(31s);
  EXPECT_EQ(body_of(takes(*bob)), "from alice, refused");
  EXPECT_EQ(body_of(takes(*bob)), "from alice, behind it");
  at_rest();
}

TEST_F(Deferring, OMA_DEF_8_WhatComesWhileOthersWaitGoesBehindThem) {
  leave(*bob);
  EXPECT_EQ(says("one"), "202 MESSAGE");
  come(*bob);
  const std::string first = bob->want("MESSAGE");
  EXPECT_EQ(says("two"), "202 MESSAGE") << "it would pass the first one";
  bob->quiet();
  bob->respond(first, 200);
  EXPECT_EQ(body_of(takes(*bob)), "two");
  bob->quiet();
  send(*alice, "bob", "three");
  EXPECT_EQ(body_of(takes(*bob)), "three");
  alice->want("200 MESSAGE");
  at_rest();
}

TEST_F(Deferring, OMA_DEF_5_MoreThanHisShareIsRefused) {
  start([](policy::SipConfig& c) { c.im.deferred.count_max = 2; });
  leave(*bob);
  leave(*dave);
  EXPECT_EQ(says("one"), "202 MESSAGE");
  EXPECT_EQ(says("two"), "202 MESSAGE");
  send(*alice, "bob", "three");
  const std::string refused = alice->want("480 MESSAGE");
  EXPECT_NE(header(refused, "Warning").find("no more is kept"), std::string::npos) << refused;
  send(*alice, "dave", "to another");
  alice->want("202 MESSAGE");
  EXPECT_EQ(world->metric(Metric::im_deferred_full), 1U);
}

TEST_F(Deferring, OMA_PAG_6_OMA_DEF_6_AtItsEndItIsDeletedAndItsSenderToldIfHeAsked) {
  leave(*bob);
  EXPECT_EQ(says(cpim("m-7", "negative-delivery"), "Expires: 60\r\n", "message/cpim"), "202 MESSAGE");
  EXPECT_EQ(says("nobody asked", "Expires: 60\r\n"), "202 MESSAGE");
  EXPECT_EQ(says("later"), "202 MESSAGE");
  world->now.wall_ms += 59'000;
  line->pass(20s);
  alice->quiet();
  world->now.wall_ms += 2'000;
  line->pass(11s);
  const std::string told = takes(*alice);
  EXPECT_TRUE(header(told, "From").starts_with("<sip:Deferred@example.org>;tag=")) << told;
  EXPECT_NE(body_of(told).find("<message-id>m-7</message-id>"), std::string::npos) << told;
  EXPECT_NE(body_of(told).find("<delivery-notification><status><failed/>"), std::string::npos) << told;
  EXPECT_NE(body_of(told).find("<recipient-uri>sip:bob@example.org</recipient-uri>"), std::string::npos) << told;
  EXPECT_EQ(body_of(told).find("Disposition-Notification"), std::string::npos) << "R5438-2";
  alice->quiet();
  EXPECT_EQ(world->store.deferred.size(), 1U);
  EXPECT_EQ(world->metric(Metric::im_deferred_expired), 2U);
  world->now.wall_ms += 7 * 24 * 3'600'000LL;
  line->pass(11s);
  EXPECT_EQ(world->store.deferred.size(), 0U) << "--deferred-age-max";
  come(*bob);
  bob->quiet();
}

TEST_F(Deferring, OMA_DEF_4_WhoAskedForProcessingHearsThatItIsStoredOnce) {
  leave(*bob);
  EXPECT_EQ(says(cpim("m-8", "processing, display"), "", "message/cpim"), "202 MESSAGE");
  const std::string told = takes(*alice);
  EXPECT_NE(body_of(told).find("<processing-notification><status><stored/>"), std::string::npos) << told;
  EXPECT_NE(body_of(told).find("<message-id>m-8</message-id>"), std::string::npos) << told;
  alice->quiet();
  EXPECT_EQ(says(cpim("m-8", "processing, display"), "", "message/cpim"), "202 MESSAGE") << "sent again";
  alice->quiet();
  EXPECT_EQ(world->store.deferred.size(), 1U) << "P-07: one message";
  EXPECT_EQ(world->metric(Metric::im_deferred_duplicates), 1U);
}

TEST_F(Deferring, OMA_PAG_5_DevicesThatDoNotAnswerAreOnesThatCanNotBeReached) {
  send(*alice, "bob", "anybody?");
  bob->want("MESSAGE");
  line->pass(9900ms);
  EXPECT_EQ(answer(*alice), "");
  line->pass(200ms);
  EXPECT_EQ(answer(*alice), "202 MESSAGE");
  EXPECT_EQ(world->store.deferred.size(), 1U);
  line->boxes[bob->address()].clear();
  line->pass(40s);  // of the first way; then he is tried again
  std::string again;
  for (std::string text = bob->next(); !text.empty(); text = bob->next()) {
    if (header(text, "P-Asserted-Identity") == "<sip:Deferred@example.org>") again = text;
  }
  ASSERT_NE(again, "");
  EXPECT_EQ(body_of(again), "anybody?");
  bob->respond(again, 200);
  at_rest();
}

TEST_F(Deferring, OMA_PAG_5_ALateAnswerIsAnAnswerAndItIsNotSentTwice) {
  send(*alice, "bob", "slow");
  const std::string message = bob->want("MESSAGE");
  line->pass(10100ms);
  EXPECT_EQ(answer(*alice), "202 MESSAGE");
  bob->respond(message, 200);
  alice->quiet();
  EXPECT_EQ(world->store.deferred.size(), 0U);
  line->boxes[bob->address()].clear();
  line->pass(minutes(2));
  bob->quiet();
  at_rest();
}

TEST_F(Deferring, OMA_PAG_5_WhatHeDecidesGoesBack) {
  send(*alice, "bob", "no");
  takes(*bob, 403);
  alice->want("403 MESSAGE");
  EXPECT_EQ(world->store.deferred.size(), 0U);
}

TEST_F(Deferring, SEED4_6_1_2_1_5_WhatIsWorthNothingLaterIsNotKept) {
  leave(*bob);
  EXPECT_EQ(says("<isComposing/>", "", "application/im-iscomposing+xml"), "480 MESSAGE");
  EXPECT_EQ(says(cpim("c", "display", "<isComposing/>", "application/im-iscomposing+xml"), "", "message/cpim"), "480 MESSAGE");
  EXPECT_EQ(world->store.deferred.size(), 0U);
}

TEST_F(Deferring, SEED4_6_1_2_1_5_WithoutAFunctionThatKeepsItHeIsUnavailable) {
  start([](policy::SipConfig& c) { c.im.deferred.on = false; });
  leave(*bob);
  EXPECT_EQ(says("one"), "480 MESSAGE");
}

TEST_F(Deferring, OMA_DEF_7_OnlySoManyASecond) {
  start([](policy::SipConfig& c) {
    c.im.deferred.push_rate = 10;
    c.im.deferred.push_parallel = 2;
  });
  for (Phone* who : {bob.get(), carol.get(), dave.get()}) leave(*who);
  for (const char* to : {"bob", "carol", "dave"}) {
    for (const char* text : {"1", "2", "3", "4"}) {
      send(*alice, to, text);
      alice->want("202 MESSAGE");
    }
  }
  for (Phone* who : {bob.get(), carol.get(), dave.get()}) come(*who);
  std::map<std::string, std::string> got;
  int in_second = 0;
  for (int step = 0; step < 300; ++step) {
    int now = 0;
    for (Phone* who : {bob.get(), carol.get(), dave.get()}) {
      if (const std::string text = who->next(); !text.empty()) {
        ++now;
        got[who->user()] += body_of(text);
        who->respond(text, 200);
      }
    }
    in_second = step % 100 == 0 ? now : in_second + now;
    EXPECT_LE(in_second, 12);
    line->pass(10ms);
  }
  EXPECT_EQ(got["bob"] + got["carol"] + got["dave"], "123412341234");
  at_rest();
}

TEST_F(Deferring, OMA_DEF_7_OnTwoShards) {
  start({}, 2);
  leave(*bob);
  leave(*carol);
  send(*alice, "bob", "to bob");
  alice->want("202 MESSAGE");
  send(*alice, "carol", "to carol");
  alice->want("202 MESSAGE");
  come(*bob);
  const std::string to_bob = bob->want("MESSAGE");
  send(*alice, "bob", "behind it");
  alice->want("202 MESSAGE");
  bob->respond(to_bob, 200);
  EXPECT_EQ(body_of(takes(*bob)), "behind it");
  come(*carol);
  EXPECT_EQ(body_of(takes(*carol)), "to carol");
  EXPECT_GT(world->kept_mails, 0U);
  at_rest();
}

TEST_F(Deferring, P_06_WhatWas202IsThereAfterACrash) {
  leave(*bob);
  EXPECT_EQ(says("one"), "202 MESSAGE");
  world->store.stopped = true;
  EXPECT_EQ(says("not answered"), "");
  world->store.stopped = false;
  world->crash(config);
  bob->quiet();
  come(*bob);
  EXPECT_EQ(body_of(takes(*bob)), "one");
  bob->quiet();
  at_rest();
}

TEST_F(Deferring, P_06_WhoIsStillRegisteredGetsItWithoutComingAgain) {
  leave(*bob);
  EXPECT_EQ(says("one"), "202 MESSAGE");
  come(*bob);
  bob->want("MESSAGE");
  world->crash(config);
  line->collect();
  EXPECT_EQ(body_of(takes(*bob)), "one");
  at_rest();
}

TEST_F(Deferring, P_06_ACopyForWhoIsNotThereIsKeptForHim) {
  leave(*bob);
  send(*alice, "team", cpim("m-9", "negative-delivery"), "", "message/cpim");
  alice->want("202 MESSAGE");
  takes(*carol);
  alice->quiet();
  EXPECT_EQ(world->store.sendings.size(), 0U);
  EXPECT_EQ(world->store.deferred.size(), 1U);
  come(*bob);
  EXPECT_NE(takes(*bob).find("n.Original-To: <sip:team@example.org>"), std::string::npos);
  at_rest();
}

TEST_F(Deferring, OMA_DEF_15_ACopyOfSomebodyAnonymousIsKeptAsItsFromSaysAndIsHis) {
  leave(*bob);
  alice->call_id = "anon";
  alice->local = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=x";
  alice->remote = "<sip:factory@example.org>";
  alice->target = "sip:factory@example.org";
  alice->send_typed("MESSAGE", mixed_type, listed({"bob", "carol"}, "psst", ""),
                    im + "Require: recipient-list-message\r\nPrivacy: id\r\nP-Asserted-Identity: <sip:alice@example.org>\r\n");
  alice->want("202 MESSAGE");
  EXPECT_EQ(body_of(takes(*carol)), "psst");
  ASSERT_EQ(world->store.deferred.size(), 1U);
  const core::DeferredRow& kept = world->store.deferred.begin()->second;
  EXPECT_EQ(kept.sender, "sip:alice@example.org");
  EXPECT_TRUE(kept.head.starts_with("From: \"Anonymous\" <sip:anonymous@anonymous.invalid>\r\n")) << kept.head;
  come(*bob);
  const std::string there = takes(*bob);
  EXPECT_TRUE(header(there, "From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=")) << there;
  EXPECT_EQ(there.find("alice"), std::string::npos) << there;
  at_rest();
}

// Nothing names them but what was written for their copies.
TEST_F(Deferring, P_06_CopiesOfTwoMessagesWithoutAnIdAreTwo) {
  leave(*bob);
  for (const std::string text : {"one", "two"}) {
    send(*alice, "team", text);
    alice->want("202 MESSAGE");
    EXPECT_EQ(body_of(takes(*carol)), text);
  }
  EXPECT_EQ(world->store.deferred.size(), 2U);
  EXPECT_EQ(world->metric(Metric::im_deferred_duplicates), 0U);
  come(*bob);
  for (const std::string text : {"one", "two"}) {
    const std::string message = takes(*bob);
    EXPECT_EQ(body_of(message), text);
    EXPECT_TRUE(header(message, "From").starts_with("\"alice\" <sip:alice@example.org>;tag=")) << header(message, "From");
  }
  at_rest();
}

TEST_F(Deferring, OMA_DR_5_WhoWroteToAGroupIsNotToldWhomItDidNotReach) {
  leave(*bob);
  send(*alice, "team", cpim("m-9", "negative-delivery"), "Expires: 60\r\n", "message/cpim");
  alice->want("202 MESSAGE");
  takes(*carol);
  world->now.wall_ms += 8 * 24 * 3'600'000LL;
  line->pass(11s);
  const std::string told = takes(*alice);
  EXPECT_EQ(told.find("bob"), std::string::npos) << told;
  EXPECT_NE(told.find("<original-recipient-uri>sip:team@example.org<"), std::string::npos) << told;
}

TEST_F(Deferring, P_06_AGroupMessageIs202WhenItIsStoredAndGoesOnAfterACrash) {
  world->store.stopped = true;
  send(*alice, "team", "to all");
  alice->quiet();
  carol->quiet();
  world->store.stopped = false;
  line->pass(1ms);
  alice->want("202 MESSAGE");
  takes(*bob);
  const std::string first = carol->want("MESSAGE");
  line->pass(1ms);
  ASSERT_EQ(world->store.sendings.size(), 1U);
  EXPECT_EQ(world->store.sendings.begin()->second.copies.size(), 1U) << "bob has his";
  world->crash(config);
  line->collect();
  std::string again = carol->next();
  EXPECT_EQ(header(again, "Call-ID"), header(first, "Call-ID")) << "the same message";
  carol->respond(again, 200);
  bob->quiet();
  at_rest();
}

TEST_F(Deferring, P_06_AGroupMessageThatIsNotStoredIsRefused) {
  world->store.full = true;
  send(*alice, "team", "to all");
  alice->want("503 MESSAGE");
  world->store.full = false;
  world->store.stopped = true;
  send(*alice, "team", "to all");
  line->pass(5001ms);
  EXPECT_EQ(answer(*alice), "503 MESSAGE");
  world->store.stopped = false;
  line->pass(1s);
  bob->quiet();
  carol->quiet();
  EXPECT_EQ(world->metric(Metric::im_list_messages_unstored), 2U);
  at_rest();
}

// R5365-1, P-01: what is stored can be read again, here and by whoever gets it.
TEST_F(Deferring, P_01_AHeadThatLeavesNoRoomIsNotKept) {
  leave(*bob);
  const auto lines = [this](int besides) {
    std::string text;
    for (int i = config->transport.head.headers_max; i > besides; --i) text += "X-" + std::to_string(i) + ": 1\r\n";
    return text;
  };
  EXPECT_EQ(says("one", lines(12)), "480 MESSAGE");
  send(*alice, "team", "to all", lines(12));
  alice->want("513 MESSAGE");
  EXPECT_EQ(says("two", lines(25)), "202 MESSAGE");
  come(*bob);
  EXPECT_EQ(body_of(takes(*bob)), "two");
  at_rest();
}

TEST_F(Deferring, P_01_WhatCanNotBeReadAnyMoreAfterAStartHoldsUpNobody) {
  leave(*bob);
  std::string many;
  for (int i = 0; i < 100; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
  EXPECT_EQ(says("one", many), "202 MESSAGE");
  auto smaller = std::make_shared<policy::SipConfig>(*config);
  smaller->transport.head.headers_max = 60;
  world->crash(smaller);
  come(*bob);
  bob->quiet();
  send(*carol, "bob", "from carol");
  EXPECT_EQ(body_of(takes(*bob)), "from carol");
}

TEST_F(Deferring, OMA_DEF_9_OnlyWhatSaysThatHeIsNotThereStopsTheRound) {
  for (const int status : {603, 606, 500, 501, 513, 400}) {
    SCOPED_TRACE(status);
    start({});
    leave(*bob);
    EXPECT_EQ(says("poison"), "202 MESSAGE");
    send(*carol, "bob", "from carol");
    carol->want("202 MESSAGE");
    come(*bob);
    EXPECT_EQ(body_of(takes(*bob, status)), "poison");
    EXPECT_EQ(body_of(takes(*bob)), "from carol");
    send(*dave, "bob", "from dave");
    EXPECT_EQ(body_of(takes(*bob)), "from dave") << "others need not wait for alice";
    dave->want("200 MESSAGE");
    EXPECT_EQ(says("behind it"), "202 MESSAGE");
    bob->quiet();
  }
}

TEST_F(Deferring, P_06_WhoSendsAgainWhileTheDiskStandsStillHasWhatHeIsTold) {
  leave(*bob);
  world->store.stopped = true;
  EXPECT_EQ(says(cpim("m-1", "display"), "", "message/cpim"), "");
  line->pass(3s);
  send(*alice, "bob", cpim("m-1", "display"), "", "message/cpim");
  line->pass(2500ms);
  EXPECT_EQ(answer(*alice), "480 MESSAGE") << "the first one: --store-answer-max";
  world->store.stopped = false;
  line->pass(1ms);
  EXPECT_EQ(answer(*alice), "202 MESSAGE");
  come(*bob);
  EXPECT_EQ(body_of(takes(*bob)), cpim("m-1", "display"));
  at_rest();
}

TEST_F(Deferring, OMA_DEF_7_LostMailBetweenShardsStrandsNothing) {
  start({}, 2);
  const std::vector<std::pair<Phone*, std::string>> away{{bob.get(), "bob"}, {carol.get(), "carol"}};
  for (const auto& [phone, name] : away) leave(*phone);
  world->store.stopped = true;
  for (const auto& [phone, name] : away) send(*alice, name, "one to " + name);
  for (const auto& [phone, name] : away) send(*alice, name, "two to " + name);
  line->pass(300ms);  // they are asked to be kept, and nothing else is under way
  world->lose_mail = true;
  world->store.stopped = false;
  line->pass(100ms);
  std::size_t accepted = 0;
  for (std::string text = alice->next(); !text.empty(); text = alice->next()) accepted += Phone::kind(text) == "202 MESSAGE";
  EXPECT_EQ(accepted, 2 * away.size());
  EXPECT_GT(world->kept_mails, 0U);
  world->lose_mail = false;
  for (const auto& [phone, name] : away) {
    come(*phone);
    EXPECT_EQ(body_of(takes(*phone)), "one to " + name);
    EXPECT_EQ(body_of(takes(*phone)), "two to " + name);
  }
  at_rest();
}

TEST_F(Deferring, DEC_14_WhatIsOverAlreadyIsNotKept) {
  leave(*bob);
  EXPECT_EQ(says("one", "Expires: 0\r\n"), "480 MESSAGE");
  EXPECT_EQ(world->store.deferred.size(), 0U);
}

TEST_F(Deferring, OMA_DEF_8_ItsPlaceIsThatOfItsArrival) {
  send(*alice, "bob", "first");
  bob->want("MESSAGE");
  line->boxes[bob->address()].clear();
  line->pass(3s);
  line->boxes[bob->address()].clear();
  leave(*bob);
  world->now.wall_ms += 3000;
  send(*carol, "bob", "second");
  carol->want("202 MESSAGE");
  line->pass(8s);
  EXPECT_EQ(answer(*alice), "202 MESSAGE");
  line->boxes[bob->address()].clear();
  come(*bob);
  EXPECT_EQ(body_of(takes(*bob)), "first");
  EXPECT_EQ(body_of(takes(*bob)), "second");
}

TEST_F(Deferring, OMA_DEF_5_WhoseDeviceIsSilentAndWhoseBoxIsFullIsSaidAtOnce) {
  start([](policy::SipConfig& c) { c.im.deferred.count_max = 1; });
  leave(*bob);
  EXPECT_EQ(says("one"), "202 MESSAGE");
  come(*bob);
  EXPECT_EQ(body_of(takes(*bob, 480)), "one");
  send(*alice, "bob", "two");
  alice->want("480 MESSAGE");
}

TEST_F(Deferring, OMA_SET_11_WhoWantsToFetchThemIsNotSentThem) {
  leave(*bob);
  EXPECT_EQ(says("one"), "202 MESSAGE");
  bob->send("PUBLISH sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP " + bob->address() +
            ";branch=z9hG4bKpub1\r\nMax-Forwards: 70\r\nFrom: <sip:bob@example.org>;tag=p\r\nTo: <sip:bob@example.org>\r\n"
            "P-Asserted-Identity: <sip:bob@example.org>\r\nCall-ID: pub\r\nCSeq: 1 PUBLISH\r\nEvent: poc-settings\r\nExpires: "
            "3600\r\nContent-Type: application/poc-settings+xml\r\nContent-Length: " +
            std::to_string(offline_settings(false).size()) + "\r\n\r\n" + offline_settings(false));
  const std::string published = bob->want("200 PUBLISH");
  come(*bob);
  const std::string list = takes(*bob);
  EXPECT_EQ(header(list, "Content-Type"), "application/vnd.oma.im.deferred-list+xml") << "OMA-DEF-12";
  bob->quiet();
  send(*alice, "bob", "two");
  EXPECT_EQ(body_of(takes(*bob)), "two") << "and what comes now has nothing to wait for";
  alice->want("200 MESSAGE");
  const std::string now = offline_settings(true);
  bob->send("PUBLISH sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP " + bob->address() +
            ";branch=z9hG4bKpub2\r\nMax-Forwards: 70\r\nFrom: <sip:bob@example.org>;tag=p\r\nTo: <sip:bob@example.org>\r\n"
            "P-Asserted-Identity: <sip:bob@example.org>\r\nCall-ID: pub\r\nCSeq: 2 PUBLISH\r\nEvent: poc-settings\r\nExpires: "
            "3600\r\nSIP-If-Match: " + header(published, "SIP-ETag") +
            "\r\nContent-Type: application/poc-settings+xml\r\nContent-Length: " + std::to_string(now.size()) + "\r\n\r\n" + now);
  bob->want("200 PUBLISH");
  EXPECT_EQ(body_of(takes(*bob)), "one");
}

// DEC-2: what bars is passed by by what was deferred, and by nobody who only calls himself so.
TEST_F(Deferring, DEC_1_ACopyThatCallsItselfDeferredIsNone) {
  start([](policy::SipConfig& c) {
    auto documents = std::make_shared<policy::Documents>(*c.documents);
    documents->judge_requests = true;
    c.documents = documents;
    c.im.access_default = policy::InviteHandling::reject;
  });
  dave->call_id = "forged";
  dave->local = "<sip:Deferred@example.org>;tag=x";
  dave->remote = "<sip:factory@example.org>";
  dave->target = "sip:factory@example.org";
  dave->send_typed("MESSAGE", mixed_type,
                   "--b1\r\nContent-Type: text/plain\r\n\r\nboo\r\n--b1\r\nContent-Type: application/resource-lists+xml\r\n"
                   "Content-Disposition: recipient-list\r\n\r\n" +
                       resource_list({"bob"}) + "\r\n--b1--\r\n",
                   im + "Require: recipient-list-message\r\n");
  EXPECT_EQ(Phone::kind(dave->next()), "202 MESSAGE");
  bob->quiet();
}

TEST_F(Deferring, P_06_CopiesForWhichThereIsNoRoomAreSentLater) {
  start([](policy::SipConfig& c) { c.proxied_max = 1; });
  send(*alice, "team", "to all");
  alice->want("202 MESSAGE");
  const bool first = bob->boxed() != 0;
  Phone& one = first ? *bob : *carol;
  Phone& other = first ? *carol : *bob;
  other.quiet();  // there is room for one
  line->pass(1100ms);
  other.quiet();
  takes(one);
  line->pass(1100ms);
  takes(other);
  at_rest();
}

TEST_F(Deferring, P_08_ADrainEndsWithWhatIsUnderWay) {
  leave(*bob);
  EXPECT_EQ(says("one"), "202 MESSAGE");
  EXPECT_EQ(says("two"), "202 MESSAGE");
  come(*bob);
  const std::string first = bob->want("MESSAGE");
  world->drain();
  EXPECT_FALSE(world->service().drained());
  bob->respond(first, 200);
  line->pass(1ms);
  bob->quiet();
  EXPECT_TRUE(world->service().drained());
  EXPECT_EQ(world->store.deferred.size(), 1U) << "the next process goes on";
}

}  // namespace
}  // namespace parley::tests
