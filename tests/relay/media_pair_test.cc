// Messages of a session whose legs both end here (policy/media_pair.h): what one side sends the other one gets.
#include "policy/media_pair.h"

#include <gtest/gtest.h>

#include "tests/relay/ends_fixture.h"

namespace parley::testing {
namespace {

using core::Metric;
using policy::PairId;
using policy::Side;

class PairTest : public RelayTest {
 protected:
  struct Taker final : policy::Service::FactTaker {
    explicit Taker(Harness& h) : harness(h) { harness.service.give_facts_to(this); }
    void on_step(msrp::Ends& ends) override {
      if (pairs == nullptr) pairs = std::make_unique<policy::MediaPairs>(config, harness.pool, harness.metrics, ends);
      if (call) std::exchange(call, nullptr)(*pairs);
    }
    void on_fact(msrp::EndFact& fact) override { EXPECT_TRUE(pairs->on_fact(fact)); }
    void act(std::function<void(policy::MediaPairs&)> what) {
      call = std::move(what);
      harness.step(std::span<const core::Input>{});
    }
    Harness& harness;
    policy::MediaConfig config;
    std::unique_ptr<policy::MediaPairs> pairs;
    std::function<void(policy::MediaPairs&)> call;
  };
  struct Peer {
    core::ConnId conn;
    std::string own;  // its URI
    std::string ours;
  };

  void open_pair() {
    taker.act([&](policy::MediaPairs& pairs) { pair = pairs.open(false, 5); });
    ASSERT_TRUE(pair.valid());
  }
  // Its SDP is known, and it connects and binds its session.
  Peer come(Side side, const std::string& own, bool binds = true) {
    Peer peer{relay.open(), own, {}};
    taker.act([&](policy::MediaPairs& pairs) {
      peer.ours = pairs.uri(pair, side);
      EXPECT_TRUE(pairs.connect(pair, side, {.path = own}));
    });
    if (binds) {
      relay.send(peer.conn,
                 "MSRP bind SEND\r\nTo-Path: " + peer.ours + "\r\nFrom-Path: " + own + "\r\n-------bind$\r\n");
      EXPECT_EQ(relay.take(peer.conn), ok("bind", own, peer.ours));
    }
    return peer;
  }
  void both() {
    open_pair();
    a = come(Side::a, a_uri);
    b = come(Side::b, b_uri);
  }
  // b, of whom nothing is taken but the answer that binds it.
  void open_other() {
    b = come(Side::b, b_uri, false);
    relay.send(b.conn, "MSRP bind SEND\r\nTo-Path: " + b.ours + "\r\nFrom-Path: " + b.own + "\r\n-------bind$\r\n");
  }
  void send(const Peer& from, const std::string& tid, const std::string& headers, const std::string& body,
            char flag = '$') {
    relay.send(from.conn, "MSRP " + tid + " SEND\r\nTo-Path: " + from.ours + "\r\nFrom-Path: " + from.own + "\r\n" +
                              headers + "\r\n" + body + "\r\n-------" + tid + flag + "\r\n");
  }
  void answer(const Peer& by, const std::string& tid, const std::string& status = "200 OK") {
    relay.send(by.conn, "MSRP " + tid + " " + status + "\r\nTo-Path: " + by.ours + "\r\nFrom-Path: " + by.own +
                            "\r\n-------" + tid + "$\r\n");
  }
  void report(const Peer& by, const std::string& headers) {
    relay.send(by.conn, "MSRP rep1 REPORT\r\nTo-Path: " + by.ours + "\r\nFrom-Path: " + by.own + "\r\n" + headers +
                            "-------rep1$\r\n");
  }
  static std::string plain(const std::string& id, const std::string& more = {}) {
    return "Message-ID: " + id + "\r\nByte-Range: 1-5/5\r\n" + more + "Content-Type: text/plain\r\n";
  }

  Taker taker{relay};
  PairId pair;
  Peer a;
  Peer b;
};

TEST_F(PairTest, SEED4_6_1_1_1_what_one_side_sends_the_other_one_gets_and_the_hop_is_answered_at_once) {
  both();
  EXPECT_EQ(relay.metrics.get(Metric::im_media_pairs), 1U);
  send(a, "tid1", plain("m1", "X-More: 1\r\n"), "hello");
  EXPECT_EQ(relay.take(a.conn), ok("tid1", a_uri, a.ours));
  const std::string there = relay.take(b.conn);
  EXPECT_TRUE(there.starts_with("MSRP ")) << there;
  EXPECT_EQ(header(there, "To-Path"), b_uri);
  EXPECT_EQ(header(there, "From-Path"), b.ours);
  EXPECT_EQ(header(there, "Message-ID"), "m1");
  EXPECT_EQ(header(there, "Byte-Range"), "1-5/5");
  EXPECT_EQ(header(there, "X-More"), "1");
  EXPECT_NE(there.find("\r\n\r\nhello\r\n-------"), std::string::npos) << there;
  answer(b, tid_of(there));
  EXPECT_EQ(relay.take(a.conn), "");
  send(b, "tid2", plain("m2"), "world");
  EXPECT_EQ(relay.take(b.conn), ok("tid2", b_uri, b.ours));
  EXPECT_EQ(header(relay.take(a.conn), "Message-ID"), "m2");
}

TEST_F(PairTest, R4975_8_what_the_other_side_refuses_is_reported_to_who_wants_it) {
  both();
  send(a, "tid1", plain("m1"), "hello");
  (void)relay.take(a.conn);
  answer(b, tid_of(relay.take(b.conn)), "413 Too Much");
  const std::string report = relay.take(a.conn);
  EXPECT_NE(report.find(" REPORT\r\n"), std::string::npos) << report;
  EXPECT_EQ(header(report, "Message-ID"), "m1");
  EXPECT_TRUE(header(report, "Status").starts_with("000 413")) << report;
  send(a, "tid2", plain("m2", "Failure-Report: no\r\n"), "hello");
  EXPECT_EQ(relay.take(a.conn), "");
  const std::string quiet = relay.take(b.conn);
  EXPECT_EQ(header(quiet, "Failure-Report"), "no");
  answer(b, tid_of(quiet), "413 Too Much");
  EXPECT_EQ(relay.take(a.conn), "");
}

TEST_F(PairTest, SEED4_6_1_1_2_2_reports_of_the_far_side_come_back_to_who_asked) {
  both();
  send(a, "tid1", plain("m1", "Success-Report: yes\r\n"), "hello");
  (void)relay.take(a.conn);
  const std::string there = relay.take(b.conn);
  EXPECT_EQ(header(there, "Success-Report"), "yes");
  answer(b, tid_of(there));
  report(b, "Message-ID: m1\r\nByte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n");
  const std::string back = relay.take(a.conn);
  EXPECT_EQ(header(back, "Message-ID"), "m1");
  EXPECT_EQ(header(back, "Byte-Range"), "1-5/5");
  EXPECT_TRUE(header(back, "Status").starts_with("000 200")) << back;
}

// SEED4-6.1.1.2.2-12
TEST_F(PairTest, SEED4_6_1_1_2_2_10_and_12_a_count_is_asked_for_and_kept_from_who_did_not_ask) {
  both();
  taker.act([&](policy::MediaPairs& pairs) { pairs.count_recipients(pair); });
  send(a, "tid1", plain("m1"), "hello");
  (void)relay.take(a.conn);
  const std::string there = relay.take(b.conn);
  EXPECT_EQ(header(there, "Success-Report"), "yes;Include-Sent-Count") << "DEC-11";
  answer(b, tid_of(there));
  report(b, "Message-ID: m1\r\nByte-Range: 1-5/5\r\nStatus: 000 200 OK\r\nDistribution-Count: 17\r\n");
  EXPECT_EQ(relay.take(a.conn), "");
  EXPECT_EQ(relay.metrics.get(Metric::im_sent_counts), 17U);
}

TEST_F(PairTest, SEED4_6_1_1_2_2_11_who_asked_gets_the_report_without_the_count) {
  both();
  taker.act([&](policy::MediaPairs& pairs) { pairs.count_recipients(pair); });
  send(a, "tid1", plain("m1", "Success-Report: yes\r\n"), "hello");
  (void)relay.take(a.conn);
  const std::string there = relay.take(b.conn);
  EXPECT_EQ(header(there, "Success-Report"), "yes;Include-Sent-Count");
  answer(b, tid_of(there));
  report(b, "Message-ID: m1\r\nByte-Range: 1-5/5\r\nStatus: 000 200 OK\r\nDistribution-Count: 3\r\n");
  const std::string back = relay.take(a.conn);
  EXPECT_EQ(header(back, "Message-ID"), "m1");
  EXPECT_EQ(back.find("Distribution-Count"), std::string::npos) << back;
  EXPECT_EQ(relay.metrics.get(Metric::im_sent_counts), 3U);
  send(b, "tid2", plain("m2", "Success-Report: yes;Include-Sent-Count\r\n"), "world");
  (void)relay.take(b.conn);
  EXPECT_EQ(header(relay.take(a.conn), "Success-Report"), "yes") << "DEC-11: the client is not asked";
}

TEST_F(PairTest, R4975_7_a_message_in_chunks_goes_on_in_chunks_and_keeps_its_end) {
  both();
  send(a, "tid1", "Message-ID: m1\r\nByte-Range: 1-5/10\r\nContent-Type: text/plain\r\n", "hello", '+');
  const std::string first = relay.take(b.conn);
  EXPECT_NE(first.find("+\r\n"), std::string::npos) << first;
  send(a, "tid2", "Message-ID: m1\r\nByte-Range: 6-10/10\r\nContent-Type: text/plain\r\n", "world", '#');
  const std::string second = relay.take(b.conn);
  EXPECT_EQ(header(second, "Byte-Range"), "6-10/10");
  EXPECT_NE(second.find("#\r\n"), std::string::npos) << second;
}

TEST_F(PairTest, R4975_4_an_end_that_comes_alone_ends_what_has_a_body) {
  both();
  relay.send(a.conn, "MSRP tid1 SEND\r\nTo-Path: " + a.ours + "\r\nFrom-Path: " + a.own +
                         "\r\nMessage-ID: m1\r\nByte-Range: 1-*/*\r\nContent-Type: text/plain\r\n\r\n" + std::string(3000, 'x'));
  const std::string first = relay.take(b.conn);
  EXPECT_NE(first.find("Content-Type: text/plain\r\n\r\nxxx"), std::string::npos) << first;
  relay.send(a.conn, "\r\n-------tid1$\r\n");
  const std::string last = relay.take(b.conn);
  EXPECT_TRUE(last.find("Content-Type") == std::string::npos ||
              last.find("Content-Type: text/plain\r\n\r\n") != std::string::npos)
      << last;
  EXPECT_NE(last.find("$\r\n"), std::string::npos) << last;
}

TEST_F(PairTest, T_70_what_comes_before_the_other_side_is_there_waits_up_to_a_limit) {
  open_pair();
  a = come(Side::a, a_uri);
  send(a, "tid1", plain("m1"), "hello");
  EXPECT_EQ(relay.take(a.conn), ok("tid1", a_uri, a.ours));
  b = come(Side::b, b_uri, false);
  relay.send(b.conn, "MSRP bind SEND\r\nTo-Path: " + b.ours + "\r\nFrom-Path: " + b_uri + "\r\n-------bind$\r\n");
  const std::string there = relay.take(b.conn);
  EXPECT_NE(there.find("Message-ID: m1\r\n"), std::string::npos) << there;
  EXPECT_NE(there.find("\r\n\r\nhello\r\n"), std::string::npos) << there;
}

TEST_F(PairTest, T_70_more_than_the_limit_is_answered_413) {
  taker.config.kept_bytes_max = 60;
  open_pair();
  a = come(Side::a, a_uri);
  send(a, "tid1", plain("m1"), "hello");
  EXPECT_EQ(relay.take(a.conn), ok("tid1", a_uri, a.ours));
  relay.send(a.conn, {});
  taker.act([&](policy::MediaPairs&) {});
  // Its connection is not read any more, but what had been read already is.
  send(a, "tid2", plain("m2"), "world");
  EXPECT_TRUE(relay.take(a.conn).starts_with("MSRP tid2 413 "));
}

TEST_F(PairTest, SEED4_6_1_2_2_5_2_a_released_leg_is_481_while_the_other_one_stays) {
  both();
  taker.act([&](policy::MediaPairs& pairs) { pairs.release(pair, Side::a); });
  const core::ConnId late = relay.open();
  relay.send(late, "MSRP late SEND\r\nTo-Path: " + a.ours + "\r\nFrom-Path: " + a_uri + "\r\n-------late$\r\n");
  EXPECT_TRUE(relay.take(late).starts_with("MSRP late 481 "));
  send(b, "tid1", plain("m1"), "hello");
  EXPECT_EQ(relay.take(b.conn), ok("tid1", b_uri, b.ours));
  taker.act([&](policy::MediaPairs& pairs) { pairs.release(pair, Side::b); });
  EXPECT_EQ(taker.pairs->live(), 0U);
  EXPECT_EQ(relay.metrics.get(Metric::im_media_pairs), 0U);
  EXPECT_EQ(relay.table.count(), 0U);
}

TEST_F(PairTest, SEED4_6_1_2_2_3_8_another_path_is_another_peer) {
  both();
  const std::string other = "msrp://a2.example.com:9000/n1;tcp";
  taker.act([&](policy::MediaPairs& pairs) { EXPECT_TRUE(pairs.connect(pair, Side::a, {.path = other})); });
  const core::ConnId again = relay.open();
  relay.send(again, "MSRP bind SEND\r\nTo-Path: " + a.ours + "\r\nFrom-Path: " + other + "\r\n-------bind$\r\n");
  EXPECT_EQ(relay.take(again), ok("bind", other, a.ours));
  send(b, "tid1", plain("m1"), "hello");
  (void)relay.take(b.conn);
  EXPECT_EQ(header(relay.take(again), "To-Path"), other);
}

TEST_F(PairTest, OMA_POL_3_what_is_longer_than_the_policy_allows_is_413_where_it_first_shows) {
  taker.act([&](policy::MediaPairs& pairs) { pair = pairs.open(false, 5, 7); });
  a = come(Side::a, a_uri);
  b = come(Side::b, b_uri);
  send(a, "tid1", plain("m1"), "hello");
  EXPECT_EQ(relay.take(a.conn), ok("tid1", a_uri, a.ours));
  EXPECT_NE(relay.take(b.conn).find("hello"), std::string::npos);
  send(a, "tid2", "Message-ID: m2\r\nByte-Range: 1-8/8\r\nContent-Type: text/plain\r\n", "too long");
  EXPECT_TRUE(relay.take(a.conn).starts_with("MSRP tid2 413 "));
  EXPECT_EQ(relay.take(b.conn), "");
  send(a, "tid3", "Message-ID: m3\r\nByte-Range: 1-5/*\r\nContent-Type: text/plain\r\n", "hello", '+');
  EXPECT_EQ(relay.take(a.conn), ok("tid3", a_uri, a.ours));
  (void)relay.take(b.conn);
  send(a, "tid4", "Message-ID: m3\r\nByte-Range: 6-10/*\r\nContent-Type: text/plain\r\n", "world");
  EXPECT_TRUE(relay.take(a.conn).starts_with("MSRP tid4 413 "));
  const std::string ended = relay.take(b.conn);
  EXPECT_NE(ended.find("#\r\n"), std::string::npos) << "the receiver learns that no more comes: " << ended;
}

// --- what operators find of it

class PairTraceTest : public PairTest {
 protected:
  void begin() {
    trace.set_capacity(16);
    open_pair();
    taker.act([&](policy::MediaPairs& pairs) {
      pairs.use_trace(&trace);
      pairs.begin({.mono = {}, .wall_ms = 5000});
      pairs.tell_parties(pair, {.a = "sip:alice@example.org", .b = "sip:bob@example.org", .call_id = "call-1"});
    });
    a = come(Side::a, a_uri);
  }
  void join() { b = come(Side::b, b_uri); }
  policy::TracedPager only(const std::string& id) {
    policy::TracedPager found;
    int count = 0;
    trace.for_each(id, [&](const policy::TracedPager& each) { found = each, ++count; });
    EXPECT_EQ(count, 1) << id;
    return found;
  }
  using Result = policy::TracedHop::Result;
  policy::PagerTrace trace{core::HashKey{1, 2}};
};

TEST_F(PairTraceTest, AMessageSaysWhoseItIsWhereItWentAndWhatCameOfIt) {
  begin();
  join();
  send(a, "tid1", plain("m1"), "hello");
  const std::string there = relay.take(b.conn);
  policy::TracedPager found = only("m1");
  EXPECT_EQ(found.way, policy::TracedPager::Way::carried);
  EXPECT_EQ(found.sender.view(), "sip:alice@example.org");
  EXPECT_EQ(found.recipient.view(), "sip:bob@example.org");
  EXPECT_EQ(found.call_id.view(), "call-1");
  EXPECT_EQ(found.bytes, 5U);
  EXPECT_EQ(found.wall_ms, 5000);
  EXPECT_EQ(found.status, 0) << "the hop has its 200, the other side has said nothing";
  ASSERT_EQ(found.hops, 1U);
  EXPECT_EQ(found.hop[0].result, Result::open);
  taker.act([](policy::MediaPairs& pairs) { pairs.begin({.mono = {}, .wall_ms = 5040}); });
  answer(b, tid_of(there));
  found = only("call-1");
  EXPECT_EQ(found.status, 200);
  EXPECT_EQ(found.hop[0].status, 200);
  EXPECT_EQ(found.hop[0].answered_ms, 40U);
  (void)relay.take(a.conn);
  send(b, "tid2", plain("m2"), "world");
  EXPECT_EQ(only("m2").sender.view(), "sip:bob@example.org");
  answer(a, tid_of(relay.take(a.conn)), "413 Too Much");
  EXPECT_EQ(only("m2").status, 413);
}

TEST_F(PairTraceTest, AReportCountsAfterTheAnswerOfAHop) {
  begin();
  join();
  send(a, "tid1", plain("m1", "Success-Report: yes\r\n"), "hello");
  answer(b, tid_of(relay.take(b.conn)));
  EXPECT_EQ(only("m1").status, 200);
  report(b, "Message-ID: m1\r\nByte-Range: 1-5/5\r\nStatus: 000 408 Late\r\n");
  EXPECT_EQ(only("m1").status, 408);
  report(b, "Message-ID: m1\r\nByte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n");
  EXPECT_EQ(only("m1").status, 408) << "a part of it has failed";
  send(a, "tid2", plain("m2", "Failure-Report: no\r\n"), "hello");
  EXPECT_EQ(only("m2").hop[0].result, Result::unawaited);
}

// With Failure-Report: partial silence says that it has come (RFC 4975 section 7.1.2).
TEST_F(PairTraceTest, SilenceAboutAPartialOneIsNoFailure) {
  begin();
  join();
  send(a, "tid1", plain("m1", "Failure-Report: partial\r\n"), "hello");
  send(a, "tid2", plain("m2", "Failure-Report: partial\r\n"), "hello");
  EXPECT_EQ(only("m1").hop[0].result, Result::unawaited);
  taker.act([&](policy::MediaPairs& pairs) { pairs.close(pair); });
  EXPECT_EQ(only("m1").status, 0);
}

// More than what reports are looked for among.
TEST_F(PairTraceTest, EachOfManyHasItsAnswer) {
  begin();
  join();
  std::vector<std::string> tids;
  for (int i = 0; i < 20; ++i) {
    send(a, "tid" + std::to_string(i), plain("m" + std::to_string(i)), "hello");
    tids.push_back(tid_of(relay.take(b.conn)));
  }
  for (const std::string& tid : tids) answer(b, tid);
  for (int i = 4; i < 20; ++i) EXPECT_EQ(only("m" + std::to_string(i)).status, 200) << i;
}

TEST_F(PairTraceTest, ChunksAreOneMessage) {
  begin();
  join();
  send(a, "tid1", "Message-ID: m1\r\nByte-Range: 1-5/*\r\nContent-Type: text/plain\r\n", "hello", '+');
  send(b, "tid9", plain("m9"), "other");
  answer(b, tid_of(relay.take(b.conn)));
  EXPECT_EQ(only("m1").status, 0) << "its end is still to come";
  send(a, "tid2", "Message-ID: m1\r\nByte-Range: 6-10/*\r\nContent-Type: text/plain\r\n", "world");
  EXPECT_EQ(only("m1").bytes, 10U);
  EXPECT_EQ(only("m1").hops, 1U);
  answer(b, tid_of(relay.take(b.conn)));
  EXPECT_EQ(only("m1").status, 200);
}

TEST_F(PairTraceTest, WhatItsSenderAbortsIsBrokenOffUntilHeGoesOnWithIt) {
  using Came = policy::TracedPager::Came;
  const std::string head = "Message-ID: m1\r\nByte-Range: ";
  const std::string type = "/*\r\nContent-Type: text/plain\r\n";
  begin();
  join();
  send(a, "tid1", head + "1-5" + type, "hello", '+');
  answer(b, tid_of(relay.take(b.conn)));
  EXPECT_EQ(only("m1").came, Came::part);
  taker.act([](policy::MediaPairs& pairs) { pairs.begin({.mono = {}, .wall_ms = 5070}); });
  send(a, "tid2", head + "6-8" + type, "wor", '#');
  answer(b, tid_of(relay.take(b.conn)));
  EXPECT_EQ(only("m1").came, Came::broken_off);
  EXPECT_EQ(only("m1").answered_ms, 70U);
  EXPECT_EQ(only("m1").status, 0);
  send(a, "tid3", head + "9-10" + type, "ld", '+');
  EXPECT_EQ(only("m1").came, Came::part);
  // Without a body, and of what nobody has heard.
  for (const char* id : {"m1", "m2"}) {
    relay.send(a.conn, "MSRP tidx SEND\r\nTo-Path: " + a.ours + "\r\nFrom-Path: " + a.own + "\r\nMessage-ID: " + id +
                           "\r\n-------tidx#\r\n");
  }
  EXPECT_EQ(only("m1").came, Came::broken_off);
  trace.for_each("m2", [](const policy::TracedPager&) { ADD_FAILURE(); });
  taker.act([&](policy::MediaPairs& pairs) { pairs.close(pair); });
  EXPECT_EQ(only("m1").status, 0) << "that is what it came to";
}

TEST_F(PairTraceTest, WhatItsSenderIsLostInIsBrokenOff) {
  using Came = policy::TracedPager::Came;
  begin();
  join();
  send(a, "tid1", plain("m1"), "hello");
  send(a, "tid2", "Message-ID: m2\r\nByte-Range: 1-5/10\r\nContent-Type: text/plain\r\n", "hello", '+');
  relay.send(a.conn, "MSRP tid3 SEND\r\nTo-Path: " + a.ours + "\r\nFrom-Path: " + a.own +
                         "\r\nMessage-ID: m3\r\nByte-Range: 1-*/99\r\nContent-Type: text/plain\r\n\r\nhalf of it");
  EXPECT_EQ(only("m3").came, Came::part);
  relay.close(a.conn);
  EXPECT_EQ(only("m1").came, Came::whole);
  EXPECT_EQ(only("m2").came, Came::broken_off) << "between two chunks";
  EXPECT_EQ(only("m3").came, Came::broken_off) << "in one";
}

TEST_F(PairTraceTest, WhatHasComeInPartWhenItsSessionEndsHasFailed) {
  begin();
  join();
  send(a, "tid1", "Message-ID: m1\r\nByte-Range: 1-5/10\r\nFailure-Report: no\r\nContent-Type: text/plain\r\n", "hello", '+');
  send(a, "tid2", plain("m2", "Failure-Report: no\r\n"), "hello");
  send(b, "tid3", plain("m3"), "hello");
  taker.act([&](policy::MediaPairs& pairs) { pairs.close(pair); });
  EXPECT_EQ(only("m1").status, 481);
  EXPECT_EQ(only("m2").status, 0) << "nobody hears what comes of it";
  EXPECT_EQ(only("m3").status, 481);
}

// Among all that are remembered, however many have gone since; of its own sender.
TEST_F(PairTraceTest, AReportFindsItsMessageBehindManyOthers) {
  begin();
  join();
  send(b, "tid0", plain("m0"), "hello");
  for (int i = 0; i < 14; ++i) {
    send(a, "tid" + std::to_string(i), plain("m" + std::to_string(i), "Failure-Report: no\r\n"), "hello");
  }
  report(b, "Message-ID: m0\r\nByte-Range: 1-5/5\r\nStatus: 000 408 Late\r\n");
  report(b, "Message-ID: m1\r\nByte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n");
  EXPECT_EQ(only("m1").status, 200);
  int seen = 0;
  trace.for_each("m0", [&](const policy::TracedPager& each) {
    EXPECT_EQ(each.status, each.sender.view() == "sip:alice@example.org" ? 408 : 0) << "bob's has the same name";
    ++seen;
  });
  EXPECT_EQ(seen, 2);
  for (int i = 14; i < 18; ++i) {
    send(a, "tid" + std::to_string(i), plain("m" + std::to_string(i), "Failure-Report: no\r\n"), "hello");
  }
  report(b, "Message-ID: m1\r\nByte-Range: 1-5/5\r\nStatus: 000 408 Late\r\n");
  for (int i = 2; i < 18; ++i) EXPECT_EQ(only("m" + std::to_string(i)).status, 0) << "it is forgotten, and no other's";
}

TEST_F(PairTraceTest, WhatWaitsIsUnderWayUntilItIsSentOrItsSessionEnds) {
  begin();
  send(a, "tid1", plain("m1"), "hello");
  send(a, "tid2", plain("m2"), "hello");
  EXPECT_EQ(only("m1").hops, 0U);
  open_other();
  EXPECT_EQ(only("m1").hops, 1U);
  EXPECT_EQ(only("m1").status, 0);
  taker.act([&](policy::MediaPairs& pairs) { pairs.close(pair); });
  EXPECT_EQ(only("m1").status, 481);
}

TEST_F(PairTraceTest, WhatOnlySaysThatSomebodyWritesIsNotKeptAndNothingWithoutARing) {
  begin();
  join();
  send(a, "tid1", "Message-ID: m1\r\nByte-Range: 1-14/14\r\nContent-Type: application/im-iscomposing+xml\r\n", "<isComposing/>");
  trace.for_each("m1", [](const policy::TracedPager&) { ADD_FAILURE(); });
  trace.set_capacity(0);
  send(a, "tid2", plain("m2"), "hello");
  EXPECT_EQ(header(relay.take(b.conn), "Message-ID"), "m1") << "it goes on, though";
}

// What a client calls the room by is a Contact of ours.
const std::string known_by = "From: <sip:alice@example.org>\r\nTo: <sip:us1@10.0.0.1>\r\nDateTime: x\r\n\r\n";
const std::string stands_for =
    "From: <sip:alice@example.org>\r\nTo: <sip:session@conference.example.org>\r\nDateTime: x\r\n\r\n";
const std::string content = "Content-Type: text/plain\r\n\r\nhello";
std::string ranged(std::size_t from, std::size_t to, std::size_t total) {
  return std::to_string(from) + "-" + std::to_string(to) + "/" + std::to_string(total);
}
std::string cpim(const std::string& id, const std::string& range, const std::string& more = {}) {
  return "Message-ID: " + id + "\r\nByte-Range: " + range + "\r\n" + more + "Content-Type: Message/CPIM\r\n";
}
std::string body_in(const std::string& frame) {
  const std::size_t at = frame.find("\r\n\r\n") + 4;
  return frame.substr(at, frame.rfind("\r\n-------") - at);
}

TEST_F(PairTest, SEED4_6_1_1_2_2_7a_what_is_addressed_to_our_contact_goes_on_to_whom_it_stands_for) {
  both();
  taker.act([&](policy::MediaPairs& pairs) {
    pairs.name(pair, Side::a, "us1", "sip:session@conference.example.org");
    pairs.name(pair, Side::b, "us2", "sip:alice@10.0.0.9");
  });
  const std::string old = known_by + content;
  const std::string made = stands_for + content;
  send(a, "tid1", cpim("m1", ranged(1, old.size(), old.size()), "Success-Report: yes\r\n"), old);
  EXPECT_EQ(relay.take(a.conn), ok("tid1", a_uri, a.ours));
  const std::string there = relay.take(b.conn);
  EXPECT_EQ(body_in(there), made);
  EXPECT_EQ(header(there, "Byte-Range"), ranged(1, made.size(), made.size()));
  // What is said of it is said in its sender's numbers.
  report(b, "Message-ID: m1\r\nByte-Range: " + ranged(1, made.size(), made.size()) + "\r\nStatus: 000 200 OK\r\n");
  EXPECT_EQ(header(relay.take(a.conn), "Byte-Range"), ranged(1, old.size(), old.size()));
  answer(b, tid_of(there), "413 Too Much");
  EXPECT_EQ(header(relay.take(a.conn), "Byte-Range").substr(0, 2), "1-");
  // Others, and other types, pass as they are.
  send(b, "tid2", cpim("m2", ranged(1, old.size(), old.size())), old);
  (void)relay.take(b.conn);
  EXPECT_EQ(body_in(relay.take(a.conn)), old) << "not how that side knows the other one";
  send(a, "tid3", "Message-ID: m3\r\nByte-Range: " + ranged(1, old.size(), old.size()) + "\r\nContent-Type: text/plain\r\n", old);
  (void)relay.take(a.conn);
  EXPECT_EQ(body_in(relay.take(b.conn)), old);
}

TEST_F(PairTest, SEED4_6_1_1_2_2_7a_wherever_the_message_is_cut) {
  both();
  taker.act([&](policy::MediaPairs& pairs) {
    pairs.name(pair, Side::a, "us1", "sip:session@conference.example.org");
  });
  const std::string old = known_by + content;
  const std::string made = stands_for + content;
  for (std::size_t cut = 1; cut < old.size(); ++cut) {
    const std::string id = "m" + std::to_string(cut);
    // The bytes of one SEND, in two reads.
    const std::string frame = "MSRP tid" + id + " SEND\r\nTo-Path: " + a.ours + "\r\nFrom-Path: " + a.own + "\r\n" +
                              cpim(id, ranged(1, old.size(), old.size())) + "\r\n" + old + "\r\n-------tid" + id + "$\r\n";
    const std::size_t at = frame.find("\r\n\r\n") + 4 + cut;
    relay.send(a.conn, frame.substr(0, at));
    relay.send(a.conn, frame.substr(at));
    EXPECT_EQ(relay.take(a.conn), ok("tid" + id, a_uri, a.ours));
    std::string got;
    std::string rest = relay.take(b.conn);
    while (!rest.empty()) {
      const std::string tid = tid_of(rest);
      const std::string end_line = "\r\n-------" + tid;
      const std::size_t end = rest.find(end_line) + end_line.size() + 3;
      const std::string one = rest.substr(0, end);
      EXPECT_TRUE(header(one, "Byte-Range").starts_with(std::to_string(got.size() + 1) + "-")) << one;
      EXPECT_TRUE(header(one, "Byte-Range").ends_with("/" + std::to_string(made.size()))) << one;
      got += body_in(one);
      answer(b, tid);
      rest.erase(0, end);
    }
    EXPECT_EQ(got, made) << "cut at " << cut;
  }
}

TEST_F(PairTest, R7701_3_a_nickname_goes_on_and_its_answer_comes_back) {
  both();
  const auto ask = [&](const Peer& by, const std::string& tid, const std::string& value) {
    relay.send(by.conn, "MSRP " + tid + " NICKNAME\r\nTo-Path: " + by.ours + "\r\nFrom-Path: " + by.own +
                            "\r\nUse-Nickname: " + value + "\r\n-------" + tid + "$\r\n");
  };
  ask(a, "nick1", "\"Alice \\\"in\\\" W\"");
  EXPECT_EQ(relay.take(a.conn), "") << "who has the room answers";
  const std::string there = relay.take(b.conn);
  EXPECT_NE(there.find(" NICKNAME\r\n"), std::string::npos) << there;
  EXPECT_EQ(header(there, "Use-Nickname"), "\"Alice \\\"in\\\" W\"");
  EXPECT_EQ(header(there, "To-Path"), b_uri);
  answer(b, tid_of(there), "425 In Use");
  EXPECT_TRUE(relay.take(a.conn).starts_with("MSRP nick1 425 "));
  ask(a, "nick2", "\"Alice");
  EXPECT_TRUE(relay.take(a.conn).starts_with("MSRP nick2 424 "));
  EXPECT_EQ(relay.take(b.conn), "");
}

TEST_F(PairTest, pairs_have_a_limit) {
  taker.config.pairs_max = 1;
  open_pair();
  PairId second;
  taker.act([&](policy::MediaPairs& pairs) { second = pairs.open(false, 6); });
  EXPECT_FALSE(second.valid());
  EXPECT_EQ(relay.metrics.get(Metric::im_media_pairs_limit), 1U);
}

// RFC 7701 section 7: who is in the path of the media passes it on, and its answer back.
TEST_F(PairTest, R7701_3_a_nickname_is_for_the_other_side_to_judge) {
  both();
  const auto ask = [&](const Peer& from, const std::string& tid, const std::string& line) {
    relay.send(from.conn, "MSRP " + tid + " NICKNAME\r\nTo-Path: " + from.ours + "\r\nFrom-Path: " + from.own + "\r\n" +
                              line + "-------" + tid + "$\r\n");
  };
  for (const char* line : {"Use-Nickname: \"Al \\\"x\\\" Great\"\r\n", "Use-Nickname: \"\"\r\n", "Use-Nickname: bare\r\n", ""}) {
    for (const char* status : {"200 OK", "403 Forbidden", "425 Nickname Reserved or In Use"}) {
      ask(a, "nick", line);
      EXPECT_EQ(relay.take(a.conn), "") << "the answer is not ours";
      const std::string passed = relay.take(b.conn);
      const std::string tid = tid_of(passed);
      EXPECT_EQ(passed, "MSRP " + tid + " NICKNAME\r\nTo-Path: " + b.own + "\r\nFrom-Path: " + b.ours + "\r\n" + line +
                            "-------" + tid + "$\r\n");
      answer(b, tid, status);
      const std::string back = relay.take(a.conn);
      EXPECT_TRUE(back.starts_with("MSRP nick " + std::string(status).substr(0, 3) + " ")) << back;
      EXPECT_NE(back.find("To-Path: " + a.own + "\r\nFrom-Path: " + a.ours + "\r\n"), std::string::npos) << back;
    }
  }
}

TEST_F(PairTest, R7701_3_a_nickname_without_an_answer_is_408) {
  both();
  relay.send(b.conn, "MSRP nick NICKNAME\r\nTo-Path: " + b.ours + "\r\nFrom-Path: " + b.own +
                         "\r\nUse-Nickname: \"x\"\r\n-------nick$\r\n");
  EXPECT_NE(relay.take(a.conn), "");
  relay.wait(std::chrono::seconds(32));
  EXPECT_TRUE(relay.take(b.conn).starts_with("MSRP nick 408 "));
}

TEST_F(PairTest, R7701_3_a_nickname_waits_for_a_side_that_is_not_there_yet_and_so_many_do) {
  open_pair();
  a = come(Side::a, a_uri);
  for (int n = 1; n <= 9; ++n) {
    const std::string tid = "nick" + std::to_string(n);
    relay.send(a.conn, "MSRP " + tid + " NICKNAME\r\nTo-Path: " + a.ours + "\r\nFrom-Path: " + a.own +
                           "\r\nUse-Nickname: \"x" + std::to_string(n) + "\"\r\n-------" + tid + "$\r\n");
  }
  EXPECT_TRUE(relay.take(a.conn).starts_with("MSRP nick9 403 "));
  open_other();
  const std::string passed = relay.take(b.conn);
  for (int n = 1; n <= 8; ++n) EXPECT_NE(passed.find("\"x" + std::to_string(n) + "\""), std::string::npos) << passed;
  EXPECT_EQ(passed.find("\"x9\""), std::string::npos);
}

}  // namespace
}  // namespace parley::testing
