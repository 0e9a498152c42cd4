// tests/service/history_events_test.cc - subscriptions to the list of a user's records (OMA-HIS-1, as OMA-DEF-11 and OMA-DEF-14 say).
#include "tests/service/publisher.h"
#include "tests/service/recorded.h"

namespace parley::tests {
namespace {

TEST_F(Recorded, OMA_HIS_1_WhoSubscribesIsToldOfHisRecordsAndOfEachChange) {
  record(7);
  record(8);
  record(9, "carol");
  const std::string first = subscribes(*bob, history_function, "ua-profile", history_type);
  EXPECT_EQ(header(first, "Content-Type"), history_type);
  EXPECT_EQ(header(first, "Event"), "ua-profile");
  EXPECT_EQ(body_of(first), listed());
  bob->quiet();
  asks(Kind::history_delete, "bob 7");
  line->pass(5s);
  const std::string second = told(*bob);
  EXPECT_EQ(second.find("<history id=\"7\">"), std::string::npos) << second;
  EXPECT_NE(second.find("<history id=\"8\">"), std::string::npos) << second;
  asks(Kind::history_delete, "carol 9");
  line->pass(6s);
  bob->quiet();
  asks(Kind::history_delete, "bob 99");
  line->pass(6s);
  bob->quiet();
}

TEST_F(Recorded, OMA_HIS_1_AtHisOwnAddressByWhatHeAccepts) {
  record(7);
  for (const char* event : {"ua-profile", "sip-profile"}) {
    const std::string told_history = subscribes(*bob, "sip:bob@example.org", event, history_type);
    EXPECT_EQ(header(told_history, "Content-Type"), history_type);
    EXPECT_NE(told_history.find("<history id=\"7\">"), std::string::npos) << told_history;
    const std::string told_deferred = subscribes(*bob, "sip:bob@example.org", event, list_type);
    EXPECT_EQ(header(told_deferred, "Content-Type"), list_type);
    EXPECT_EQ(header(subscribes(*bob, "sip:bob@example.org", event, list_type + ", " + history_type), "Content-Type"), list_type)
        << "who takes both is told of what waits";
  }
  EXPECT_EQ(world->service().history_lists().subscribers(), 2U);
}

TEST_F(Recorded, OMA_HIS_1_OrOnlyThatItHasChanged) {
  record(7);
  const std::string first = subscribes(*bob, history_function, "ua-profile", diff_type);
  EXPECT_EQ(header(first, "Content-Type"), diff_type);
  const std::string old_tag = tag();
  EXPECT_NE(first.find("<document new-etag=\"" + old_tag +
                       "\" sel=\"org.openmobilealliance.conv-history/users/sip:bob@example.org/conv-history\"/>"),
            std::string::npos)
      << first;
  record(8);
  asks(Kind::history_delete, "bob 7");
  line->pass(5s);
  const std::string second = told(*bob);
  EXPECT_NE(second.find("previous-etag=\"" + old_tag + "\" new-etag=\"" + tag() + "\""), std::string::npos) << second;
  const std::string before = tag();
  asks(Kind::history_delete, "bob all");
  line->pass(5s);
  const std::string gone = told(*bob);
  EXPECT_NE(gone.find("<document previous-etag=\"" + before + "\" sel="), std::string::npos) << "RFC 5874: " << gone;
}

TEST_F(Recorded, OMA_HIS_5_NobodyElseSubscribes) {
  begins(*carol, "sip:bob@example.org");
  carol->request("SUBSCRIBE", {}, "Event: ua-profile\r\nExpires: 600\r\nAccept: " + history_type + "\r\n");
  EXPECT_EQ(code(carol->next()), "403") << "OMA-DEF-14";
  begins(*carol, history_function);
  carol->request("SUBSCRIBE", {}, "Event: ua-profile\r\nExpires: 600\r\nAccept: text/plain\r\n");
  const std::string refused = carol->next();
  EXPECT_EQ(code(refused), "406");
  record(7);
  const std::string hers = subscribes(*carol, history_function, "ua-profile", history_type);
  EXPECT_EQ(hers.find("<history "), std::string::npos) << "the function tells each of his own: " << hers;
}

TEST_F(Recorded, OMA_HIS_1_ByTheShardThatHasTheUserAndRefreshedThere) {
  start_recorded({}, 3);
  record(7);
  const std::string first = subscribes(*bob, history_function, "ua-profile", history_type);
  EXPECT_NE(first.find("<history id=\"7\">"), std::string::npos) << first;
  bob->request("SUBSCRIBE", {}, "Event: ua-profile\r\nExpires: 600\r\nAccept: " + history_type + "\r\n");
  bob->want("200 SUBSCRIBE");
  EXPECT_NE(told(*bob).find("<history id=\"7\">"), std::string::npos);
  bob->request("SUBSCRIBE", {}, "Event: ua-profile\r\nExpires: 0\r\n");
  bob->want("200 SUBSCRIBE");
  EXPECT_TRUE(header(told(*bob), "Subscription-State").starts_with("terminated"));
  line->pass(std::chrono::minutes(2));
  for (std::uint32_t shard = 0; shard < 3; ++shard) EXPECT_EQ(world->service(shard).history_lists().subscribers(), 0U);
}

TEST_F(Recorded, OMA_HIS_1_ALongListIsCutToWhatANotifyMayHave) {
  start_recorded([](policy::SipConfig& c) { c.im.deferred.list_bytes_max = 2000; });
  for (std::uint64_t id = 1; id <= 50; ++id) record(id);
  const std::string first = subscribes(*bob, history_function, "ua-profile", history_type);
  EXPECT_LT(body_of(first).size(), 2200U);
  EXPECT_NE(first.find("<history id=\"50\">"), std::string::npos) << first;
  EXPECT_NE(first.find(" left-out=\""), std::string::npos) << first;
}

TEST_F(Recorded, OMA_HIS_1_AListThatCanNotBeReadIsToldLater) {
  record(7);
  world->store.stopped = true;
  begins(*bob, history_function);
  bob->request("SUBSCRIBE", {}, "Event: ua-profile\r\nExpires: 600\r\nAccept: " + history_type + "\r\n");
  bob->take(bob->want("200 SUBSCRIBE"));
  bob->quiet();
  world->store.stopped = false;
  line->pass(1ms);
  EXPECT_NE(told(*bob).find("<history id=\"7\">"), std::string::npos);
}

TEST_F(Recorded, OMA_HIS_1_WithoutAFunctionForWhatWaits) {
  start_recorded([](policy::SipConfig& c) { c.im.deferred.on = false; });
  record(7);
  EXPECT_NE(subscribes(*bob, history_function, "ua-profile", history_type).find("<history id=\"7\">"), std::string::npos);
  EXPECT_NE(subscribes(*bob, "sip:bob@example.org", "ua-profile", history_type).find("<history id=\"7\">"), std::string::npos);
}

// --- with what records

struct Recording : Recorded {
  void start_recording(std::uint32_t shards = 1) {
    start_recorded([](policy::SipConfig& c) { c.im.history.on = true; }, shards);
    Publisher publisher(*world, "bob", "127.0.0.1:40002");
    ASSERT_EQ(code(publisher.publish(
                  {.body = settings_xml(
                       "<im:hist-settings><im:hist-activation type=\"pager-large-mode\" active=\"true\"/></im:hist-settings>")})),
              "200");
  }
  void writes(const std::string& text) {
    begins(*alice, "sip:bob@example.org");
    alice->send_typed("MESSAGE", "text/plain", text, im + "Subject: lunch\r\n");
    const std::string there = bob->want("MESSAGE");
    EXPECT_EQ(body_of(there), text);
    bob->respond(there, 200);
    alice->want("200 MESSAGE");
  }
};

TEST_F(Recording, OMA_HIS_1_ARecordIsToldOfWhenTheStoreHasIt) {
  for (const std::uint32_t shards : {1U, 3U}) {
    start_recording(shards);
    const std::string first = subscribes(*bob, history_function, "ua-profile", history_type);
    EXPECT_EQ(first.find("<history "), std::string::npos) << first;
    line->pass(6s);
    world->store.stopped = true;
    writes("hello");
    bob->quiet();
    world->store.stopped = false;
    line->pass(1ms);
    const std::string second = told(*bob);
    EXPECT_NE(second.find("<pager>"), std::string::npos) << second;
    EXPECT_NE(second.find("<subject>lunch</subject>"), std::string::npos) << second;
    EXPECT_NE(second.find("<size>5</size>"), std::string::npos) << second;
  }
}

TEST_F(Recording, OMA_HIS_6_ARecordWhoseTimeIsOverIsToldOfOnTheShardOfItsUser) {
  for (const std::uint32_t shards : {1U, 3U}) {
    start_recording(shards);
    record(7).expires_ms = world->now.wall_ms + 90'000;
    record(8).expires_ms = world->now.wall_ms + 90'000;
    record(9);
    record(10, "carol").expires_ms = world->now.wall_ms + 90'000;
    const std::string first = subscribes(*bob, history_function, "ua-profile", history_type);
    EXPECT_NE(first.find("<history id=\"7\">"), std::string::npos) << first;
    line->pass(std::chrono::seconds(80));
    bob->quiet();
    world->now.wall_ms += 90'000;
    line->pass(std::chrono::seconds(80));
    const std::string second = told(*bob);
    EXPECT_EQ(second.find("<history id=\"7\">"), std::string::npos) << second;
    EXPECT_EQ(second.find("<history id=\"8\">"), std::string::npos) << second;
    EXPECT_NE(second.find("<history id=\"9\">"), std::string::npos) << second;
    line->pass(std::chrono::seconds(80));
    bob->quiet();
    EXPECT_EQ(world->store.histories.size(), 1U);
  }
}

TEST_F(Recording, OMA_HIS_5_WhatIsFetchedIsNotRecordedOnceMore) {
  start_recording();
  writes("hello");
  ASSERT_EQ(world->store.histories.size(), 1U);
  const std::uint64_t id = world->store.histories.begin()->first;
  EXPECT_EQ(Phone::kind(refers(*bob, history_function, policy::history_reference(id, "example.org"))), "202 REFER");
  EXPECT_EQ(fragment(told(*bob)), "100");
  EXPECT_EQ(body_of(takes(*bob)), "hello");
  EXPECT_EQ(fragment(told(*bob)), "200");
  const std::string ok = fetched(*bob, id);
  ended(*bob);
  const std::vector<Got> all = got(path_of(ok));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].body.ends_with("\r\n\r\nContent-Type: text/plain\r\n\r\nhello")) << all[0].body;
  EXPECT_EQ(line_of(all[0].headers, "History-Direction"), "received");
  EXPECT_EQ(world->store.histories.size(), 1U);
  // Whoever else gets it has it for the first time.
  EXPECT_EQ(Phone::kind(refers(*bob, policy::history_reference(id, "example.org"), "sip:carol@example.org")), "202 REFER");
  EXPECT_EQ(body_of(takes(*carol)), "hello");
}

}  // namespace
}  // namespace parley::tests
