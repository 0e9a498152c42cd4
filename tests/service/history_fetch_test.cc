// tests/service/history_fetch_test.cc - a user fetches a record of his history by an INVITE to its reference (OMA-HIS-4, OMA-HIS-5,
// OMA-HIS-7, and as OMA-DEF-13 and OMA-DEF-14 say).
#include "tests/service/recorded.h"

namespace parley::tests {
namespace {

const std::string a_cpim =
    "From: Alice <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\nDateTime: 2023-11-14T22:12:21Z\r\n\r\n"
    "Content-Type: text/plain\r\n\r\n";

TEST_F(Recorded, OMA_HIS_5_ARecordIsSentToWhoseItIsInOrderAndThenItIsOver) {
  record(7);
  message(7, 1, a_cpim + "one", "message/cpim");
  message(7, 3, "two", "text/plain", true);
  message(7, 4, "<b>three</b>", "text/html");
  const std::string ok = fetched(*bob, 7);
  EXPECT_NE(ok.find("a=sendonly\r\n"), std::string::npos);
  EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:History@example.org>");
  EXPECT_EQ(header(ok, "Contact").find("large-message"), std::string::npos);
  EXPECT_EQ(header(ok, "Contact").find("isfocus"), std::string::npos);
  EXPECT_EQ(header(ended(*bob), "Reason"), "SIP;cause=200;text=\"Message Sent\"");
  const std::vector<Got> all = got(path_of(ok));
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].body, a_cpim + "one") << "OMA-HIS-4: the bytes that passed";
  EXPECT_EQ(line_of(all[0].headers, "Content-Type"), "message/cpim");
  EXPECT_EQ(line_of(all[0].headers, "History-Direction"), "received");
  EXPECT_EQ(line_of(all[0].headers, "History-Date"), "2023-11-14T22:12:21.000Z");
  EXPECT_EQ(all[1].body,
            "From: <sip:bob@example.org>\r\nTo: <sip:alice@example.org>\r\nDateTime: 2023-11-14T22:12:23Z\r\n\r\n"
            "Content-Type: text/plain\r\n\r\ntwo");
  EXPECT_EQ(line_of(all[1].headers, "History-Direction"), "sent");
  EXPECT_EQ(all[2].body,
            "From: \"Alice\" <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\nDateTime: 2023-11-14T22:12:24Z\r\n\r\n"
            "Content-Type: text/html\r\n\r\n<b>three</b>");
  EXPECT_NE(line_of(all[0].headers, "Message-ID"), line_of(all[1].headers, "Message-ID"));
  EXPECT_TRUE(all[0].headers.starts_with("Message-ID: ")) << all[0].headers;
  EXPECT_TRUE(all[0].headers.ends_with("Content-Type: message/cpim\r\n")) << "RFC 4975 section 9: " << all[0].headers;
  EXPECT_EQ(world->store.histories.size(), 1U) << "it can be fetched again";
  EXPECT_EQ(world->metric(Metric::history_fetched), 1U);
  EXPECT_EQ(world->metric(Metric::history_fetched_messages), 3U);
  EXPECT_EQ(got(path_of(fetched(*bob, 7))).size(), 3U);
  ended(*bob);
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_AnothersIsRefusedAndWhatIsNotThereIsNotFound) {
  record(7);
  message(7, 1, "a secret");
  EXPECT_EQ(refusal(*carol, 7), "403") << "OMA-DEF-14";
  EXPECT_EQ(refusal(*alice, 7), "403") << "though she has written it";
  EXPECT_EQ(refusal(*bob, 8), "404");
  fetch(*bob, 7, "*", "a=sendonly\r\na=setup:active\r\n");
  const std::string useless = final(*bob);
  EXPECT_EQ(code(useless), "488");
  bob->ack_refused(useless);
  world->store.histories[7].expires_ms = world->now.wall_ms;
  EXPECT_EQ(refusal(*bob, 7), "404") << "its time is over";
  world->store.histories[7].ended_ms = 0;
  EXPECT_EQ(got(path_of(fetched(*bob, 7))).size(), 1U) << "what goes on has no end yet";
  ended(*bob);
  EXPECT_EQ(world->metric(Metric::history_fetched), 1U);
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_WithoutHistoriesThereIsNoSuchUser) {
  start_recorded([](policy::SipConfig& c) { c.im.history_access.on = false; });
  record(7);
  fetch(*bob, 7);
  const std::string response = final(*bob);
  EXPECT_EQ(code(response), "404") << response;
  bob->ack_refused(response);
  EXPECT_NE(asks(Kind::history_list, "bob").find("error"), std::string::npos);
}

TEST_F(Recorded, OMA_HIS_5_AnEmptyRecordIsOverAtOnce) {
  record(7);
  const std::string ok = fetched(*bob, 7);
  EXPECT_EQ(header(ended(*bob), "Reason"), "SIP;cause=200;text=\"Message Sent\"");
  EXPECT_TRUE(got(path_of(ok)).empty());
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_ALongOneIsReadPageByPageAsItIsTaken) {
  record(7);
  record(8);
  constexpr std::uint32_t count = 1000;
  for (std::uint32_t n = 1; n <= count; ++n) message(7, n, a_cpim + std::to_string(n) + std::string(2000, 'x'), "message/cpim");
  message(8, 1, "of another one");
  world->media().answers = false;
  const std::string ok = fetched(*bob, 7);
  const std::string path = path_of(ok);
  EXPECT_EQ(got(path).size(), policy::StoredLegs::pieces_max) << "no more without an answer";
  EXPECT_LE(world->stored_legs(0).page_messages(), policy::StoredLegs::page_count);
  // He answers them one after the other.
  world->media().answers = true;
  const msrp::EndHandle end = world->media().end_of(path);
  std::size_t most = 0;
  for (std::size_t told = 0; told < policy::StoredLegs::pieces_max; ++told) {
    msrp::EndFact fact;
    fact.kind = msrp::EndFact::Kind::answered;
    fact.end = end;
    fact.mark = world->media().marks[told];
    fact.status = 200;
    world->media().facts.push_back(fact);
    line->pass(1ms);
    most = std::max(most, world->stored_legs(0).page_messages());
  }
  EXPECT_LE(most, policy::StoredLegs::page_count);
  EXPECT_EQ(header(ended(*bob), "Reason"), "SIP;cause=200;text=\"Message Sent\"");
  const std::vector<Got> all = got(path);
  ASSERT_EQ(all.size(), count);
  for (std::uint32_t n = 1; n <= count; ++n) {
    ASSERT_EQ(all[n - 1].body, a_cpim + std::to_string(n) + std::string(2000, 'x'));
  }
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_ALongMessageIsSentInPieces) {
  record(7);
  const std::string text(300'000, 'y');
  message(7, 1, a_cpim + text, "message/cpim");
  message(7, 2, "short");
  const std::string ok = fetched(*bob, 7);
  ended(*bob);
  const std::vector<Got> all = got(path_of(ok));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].body, a_cpim + text);
  EXPECT_TRUE(all[1].body.ends_with("\r\n\r\nshort"));
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_WhatWasNotKeptIsToldWithItsSize) {
  record(7);
  core::HistoryMessageRow& row = message(7, 1, "", "image/png");
  row.kept = false;
  row.size = 5'000'000;
  core::HistoryMessageRow& wrapped = message(7, 2, "", "message/cpim", true);
  wrapped.kept = false;
  wrapped.size = 70'000;
  const std::string ok = fetched(*bob, 7);
  ended(*bob);
  const std::vector<Got> all = got(path_of(ok));
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(line_of(all[0].headers, "Content-Type"), "message/cpim");
  EXPECT_EQ(all[0].body,
            "From: \"Alice\" <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\nDateTime: 2023-11-14T22:12:21Z\r\n\r\n"
            "Content-Type: image/png\r\nContent-Disposition: attachment;size=5000000\r\n\r\n");
  EXPECT_NE(all[1].body.find("Content-Disposition: attachment;size=70000\r\n\r\n"), std::string::npos);
  EXPECT_EQ(line_of(all[1].headers, "History-Direction"), "sent");
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_WhatHeDoesNotTakeIsPassedOver) {
  record(7);
  message(7, 1, a_cpim + std::string(200'000, 'z'), "message/cpim");
  message(7, 2, "small");
  // Larger than he said he takes.
  fetch(*bob, 7, "*", "a=recvonly\r\na=setup:active\r\na=max-size:100000\r\n");
  const std::string ok = final(*bob);
  bob->take(ok);
  bob->ack();
  EXPECT_EQ(header(ended(*bob), "Reason"), "SIP;cause=200;text=\"Message Sent\"");
  const std::vector<Got> all = got(path_of(ok));
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].body.ends_with("small"));
  EXPECT_EQ(world->metric(Metric::history_fetched_refused), 1U);
  EXPECT_EQ(world->metric(Metric::history_fetched_messages), 1U);
  // He takes none of it.
  const std::string plain = fetched(*bob, 7, "text/plain");
  EXPECT_EQ(header(ended(*bob), "Reason"), "SIP;cause=480;text=\"Message Not Sent\"");
  EXPECT_TRUE(got(path_of(plain)).empty());
  // Or says so when it comes.
  world->media().answer = 413;
  (void)fetched(*bob, 7);
  EXPECT_EQ(header(ended(*bob), "Reason"), "SIP;cause=480;text=\"Message Not Sent\"");
  EXPECT_EQ(world->metric(Metric::history_fetched), 1U);
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_WhoDoesNotAnswerGetsNoMore) {
  record(7);
  for (std::uint32_t n = 1; n <= 100; ++n) message(7, n, "x");
  world->media().answer = 408;  // no answer came in time
  const std::string ok = fetched(*bob, 7);
  EXPECT_EQ(header(ended(*bob), "Reason"), "SIP;cause=480;text=\"Message Not Sent\"");
  EXPECT_LE(got(path_of(ok)).size(), policy::StoredLegs::pieces_max);
  EXPECT_EQ(world->metric(Metric::history_fetched), 0U);
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_HeMayLeaveInTheMiddle) {
  record(7);
  for (std::uint32_t n = 1; n <= 100; ++n) message(7, n, "x");
  world->media().answers = false;
  fetched(*bob, 7);
  leaves(*bob);
  EXPECT_EQ(world->stored_legs(0).live(), 0U);
  // Or his connection.
  const std::string path = path_of(fetched(*bob, 7));
  world->msrp_gone(path);
  line->pass(std::chrono::minutes(5));
  bob->respond(bob->want("BYE"), 200);
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_AStoreThatDoesNotAnswerIsSaid) {
  record(7);
  message(7, 1, "x");
  world->store.stopped = true;
  fetch(*bob, 7);
  line->pass(6s);
  const std::string late = final(*bob);
  EXPECT_EQ(code(late), "503");
  bob->ack_refused(late);
  EXPECT_EQ(world->admin(Kind::history_entries, "bob"), "");
  world->store.stopped = false;
  line->pass(1ms);
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_SoManyAtOneTime) {
  start_recorded([](policy::SipConfig& c) { c.im.history_access.fetch_parallel = 1; });
  record(7);
  message(7, 1, "x");
  world->media().answers = false;
  fetched(*bob, 7);
  record(8, "carol");
  message(8, 1, "y");
  EXPECT_EQ(refusal(*carol, 8), "503");
  EXPECT_EQ(world->metric(Metric::history_fetches_limit), 1U);
  leaves(*bob);
  world->media().answers = true;
  fetched(*carol, 8);
  ended(*carol);
  at_rest();
}

TEST_F(Recorded, OMA_HIS_5_WhatIsDeletedMeanwhileIsOver) {
  record(7);
  for (std::uint32_t n = 1; n <= 200; ++n) message(7, n, "x");
  world->media().answers = false;
  const std::string path = path_of(fetched(*bob, 7));
  EXPECT_EQ(asks(Kind::history_delete, "bob 7"), "{\"deleted\":true,\"records\":1}");
  const msrp::EndHandle end = world->media().end_of(path);
  world->media().answers = true;
  for (std::size_t told = 0; told < policy::StoredLegs::pieces_max; ++told) {
    msrp::EndFact fact;
    fact.kind = msrp::EndFact::Kind::answered;
    fact.end = end;
    fact.mark = world->media().marks[told];
    fact.status = 200;
    world->media().facts.push_back(fact);
    line->pass(1ms);
  }
  ended(*bob);
  EXPECT_EQ(got(path).size(), policy::StoredLegs::page_count) << "what was read before";
  EXPECT_EQ(refusal(*bob, 7), "404");
  at_rest();
}

TEST_F(Recorded, OMA_HIS_7_WhoWasAnonymousStaysSo) {
  core::HistoryRecordRow& row = record(7);
  row.from = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
  message(7, 1, "psst");
  const std::string ok = fetched(*bob, 7);
  ended(*bob);
  EXPECT_TRUE(got(path_of(ok)).at(0).body.starts_with(
      "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>\r\nTo: <sip:bob@example.org>\r\n"))
      << got(path_of(ok)).at(0).body;
}

TEST_F(Recorded, OMA_HIS_5_WhatHeHasBegunGoesToTheOtherOneWhateverHisFromWas) {
  core::HistoryRecordRow& row = record(7);
  row.begun_by_owner = true;
  row.from = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
  row.to = "<sip:alice@example.org>";
  message(7, 1, "psst", "text/plain", true);
  message(7, 2, "what");
  const std::string path = path_of(fetched(*bob, 7));
  ended(*bob);
  ASSERT_EQ(got(path).size(), 2U);
  EXPECT_TRUE(got(path)[0].body.starts_with("From: <sip:bob@example.org>\r\nTo: <sip:alice@example.org>\r\n")) << got(path)[0].body;
  EXPECT_TRUE(got(path)[1].body.starts_with("From: <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\n")) << got(path)[1].body;
}

TEST_F(Recorded, OMA_HIS_5_ByWhateverShard) {
  start_recorded({}, 3);
  record(7);
  message(7, 1, "one");
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    auto device = phone("bob", 6 + static_cast<int>(shard), shard);
    const std::string ok = fetched(*device, 7);
    ended(*device);
    EXPECT_EQ(got(path_of(ok), shard).size(), 1U);
  }
  at_rest();
}

TEST(HistoryReference, OMA_HIS_5_ReadsWhatItWrites) {
  for (const std::uint64_t id : {std::uint64_t{1}, std::uint64_t{0x0123456789abcdef}, (std::uint64_t{1} << 63) - 1}) {
    const std::string uri = policy::history_reference(id, "example.org");
    EXPECT_TRUE(uri.starts_with("sip:history-") && uri.ends_with("@example.org")) << uri;
    EXPECT_EQ(policy::history_id(std::string_view(uri).substr(4, uri.find('@') - 4)), id);
  }
  EXPECT_EQ(policy::history_id("deferred-aaaaaaaaaaaaaaaa"), std::nullopt);
}

}  // namespace
}  // namespace parley::tests
