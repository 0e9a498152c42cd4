// One SEND to many sessions that end here (msrp/fan_out.cc).
#include <array>

#include "tests/relay/ends_fixture.h"
#include "tests/relay/ws_client.h"

namespace parley::testing {
namespace {

using core::Metric;

class FanOutTest : public EndsTest {
 protected:
  explicit FanOutTest(std::size_t members = 5) {
    for (std::size_t i = 0; i < members; ++i) {
      legs.push_back(make_leg("msrp://m" + std::to_string(i) + ".example.net:7777/mmm;tcp", i));
      ends.push_back(legs.back().end);
    }
    owner.facts.clear();
  }

  std::vector<msrp::Ends::NotSent> fan_out(const msrp::EndSend& message) {
    std::vector<msrp::Ends::NotSent> not_sent;
    owner.act([&](msrp::Ends& all) { all.fan_out(ends, message, not_sent); });
    return not_sent;
  }
  static std::string expected(const Leg& leg, const std::string& tid, const std::string& range, const std::string& body) {
    return "MSRP " + tid + " SEND\r\nTo-Path: " + leg.peer + "\r\nFrom-Path: " + leg.uri + "\r\n" + range +
           "Message-ID: m1\r\nContent-Type: text/plain\r\n\r\n" + body + "\r\n-------" + tid + "$\r\n";
  }

  std::vector<Leg> legs;
  std::vector<msrp::EndHandle> ends;
};

TEST_F(FanOutTest, R7701_2_each_leg_gets_its_own_paths_and_the_same_rest) {
  for (const std::size_t size : {5U, 700U, 5000U, 40'000U}) {
    const std::string body(size, 'b');
    EXPECT_TRUE(fan_out({.headers = plain, .failure = msrp::FailureReport::no, .total = size, .prefix = body}).empty());
    std::string tid;
    const std::string end = size > 2048 ? "*" : std::to_string(size);
    for (const Leg& leg : legs) {
      const std::string frame = relay.take(leg.conn);
      if (tid.empty()) tid = tid_of(frame);
      EXPECT_EQ(frame, expected(leg, tid, "Byte-Range: 1-" + end + "/" + std::to_string(size) + "\r\n", body));
    }
  }
  EXPECT_EQ(relay.service.relay().live_transactions(), 0U);
  EXPECT_EQ(counted(Metric::msrp_ends_chunks_out), 20U);
}

TEST_F(FanOutTest, R4975_5_an_empty_chunk_says_where_it_stands) {
  fan_out({.headers = plain, .failure = msrp::FailureReport::no, .start = 8, .total = 7});
  for (const Leg& leg : legs) {
    const std::string frame = relay.take(leg.conn);
    EXPECT_EQ(frame, expected(leg, tid_of(frame), "Byte-Range: 8-7/7\r\n", ""));
  }
}

TEST_F(FanOutTest, R7701_2_a_body_that_came_by_reference_is_let_go) {
  const core::BufferId block = relay.pool.take(core::BlockClass::small);
  std::fill_n(relay.pool.data(block), 4096, 'z');
  relay.keep_blocks = true;  // the kernel has not let go of what it got
  fan_out({.headers = plain, .failure = msrp::FailureReport::no, .with_range = false, .prefix = "abc", .body = {block, 0, 4096}});
  EXPECT_EQ(relay.pool.refs(block), 1U);
  relay.pool.release(block);
  for (const Leg& leg : legs) {
    const std::string frame = relay.take(leg.conn);
    EXPECT_EQ(frame, expected(leg, tid_of(frame), "", "abc" + std::string(4096, 'z')));
  }
}

// A place among the records that is used again is another fan-out: all legs have the one transaction id again.
TEST_F(FanOutTest, R4975_8_the_next_fan_out_is_one_as_well) {
  for (const char* text : {"one", "two", "three"}) {
    fan_out({.headers = plain, .tell_200 = false, .prefix = text});
    EXPECT_EQ(relay.service.relay().ends().live_fan_outs(), 1U) << text;
    std::string tid;
    for (const Leg& leg : legs) {
      const std::string frame = relay.take(leg.conn);
      if (tid.empty()) tid = tid_of(frame);
      EXPECT_EQ(tid_of(frame), tid) << text;
      relay.send(leg.conn, ok(tid, leg.uri, leg.peer));
    }
    EXPECT_EQ(relay.service.relay().ends().live_fan_outs(), 0U) << text;
  }
}

TEST_F(FanOutTest, R4975_8_each_leg_answers_for_itself) {
  fan_out({.headers = plain, .mark = 9, .tell_200 = false, .prefix = "x"});
  fan_out({.headers = plain, .mark = 10, .prefix = "y"});
  std::array<std::string, 2> tids;
  for (const Leg& leg : legs) {
    const std::string both = relay.take(leg.conn);
    tids = {tid_of(both), tid_of(both.substr(both.rfind("MSRP ")))};
  }
  relay.send(legs[0].conn, ok(tids[0], legs[0].uri, legs[0].peer));
  EXPECT_EQ(owner.kinds(), "");
  relay.send(legs[1].conn, ok(tids[1], legs[1].uri, legs[1].peer));  // out of order
  ASSERT_EQ(owner.kinds(), "answered");
  EXPECT_EQ(owner.facts[0].fact.mark, 10U);
  EXPECT_EQ(owner.facts[0].fact.end, ends[1]);
  owner.facts.clear();
  relay.send(legs[2].conn, "MSRP " + tids[0] + " 415 No\r\nTo-Path: " + legs[2].uri + "\r\nFrom-Path: " + legs[2].peer + "\r\n-------" +
                               tids[0] + "$\r\n");
  ASSERT_EQ(owner.kinds(), "answered");
  EXPECT_EQ(owner.facts[0].fact.mark, 9U);
  EXPECT_EQ(owner.facts[0].fact.status, 415);
  owner.facts.clear();
  // Once is enough, and nobody answers for another.
  relay.send(legs[2].conn, ok(tids[0], legs[2].uri, legs[2].peer));
  relay.send(legs[3].conn, ok(tids[0], legs[4].uri, legs[3].peer));
  EXPECT_EQ(counted(Metric::relay_unknown_response), 2U);
  EXPECT_EQ(owner.kinds(), "");
}

TEST_F(FanOutTest, R4975_8_legs_that_stay_silent_are_408_at_one_deadline) {
  fan_out({.headers = plain, .mark = 9, .tell_200 = false, .prefix = "x"});
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string tid = tid_of(relay.take(legs[i].conn));
    relay.send(legs[i].conn, ok(tid, legs[i].uri, legs[i].peer));
  }
  relay.wait(std::chrono::seconds(29));
  EXPECT_EQ(owner.kinds(), "");
  relay.wait(std::chrono::seconds(2));
  const auto answered = owner.take(Kind::answered);
  ASSERT_EQ(answered.size(), 2U);
  for (const auto& seen : answered) {
    EXPECT_EQ(seen.fact.status, 408);
    EXPECT_EQ(seen.fact.mark, 9U);
    EXPECT_TRUE(seen.fact.end == ends[3] || seen.fact.end == ends[4]);
  }
  EXPECT_EQ(relay.service.relay().ends().live_fan_outs(), 0U);
}

TEST_F(FanOutTest, R4975_8_with_partial_silence_is_none) {
  fan_out({.headers = plain, .failure = msrp::FailureReport::partial, .prefix = "x"});
  relay.wait(std::chrono::seconds(40));
  EXPECT_EQ(owner.kinds(), "");
  EXPECT_EQ(relay.service.relay().ends().live_fan_outs(), 0U);
}

TEST_F(FanOutTest, R4975_8_the_clock_of_a_leg_runs_from_its_last_byte) {
  relay.stop_kernel(legs[0].conn, true);
  fan_out({.headers = plain, .mark = 9, .tell_200 = false, .prefix = "x"});
  for (std::size_t i = 1; i < legs.size(); ++i) {
    relay.send(legs[i].conn, ok(tid_of(relay.take(legs[i].conn)), legs[i].uri, legs[i].peer));
  }
  relay.wait(std::chrono::seconds(50));
  EXPECT_EQ(owner.kinds(), "");
  relay.stop_kernel(legs[0].conn, false);
  relay.wait(std::chrono::seconds(3));
  relay.send(legs[0].conn, ok(tid_of(relay.take(legs[0].conn)), legs[0].uri, legs[0].peer));
  relay.wait(std::chrono::seconds(60));
  EXPECT_EQ(owner.kinds(), "");
}

TEST_F(FanOutTest, R7701_2_a_slow_leg_stops_no_other) {
  relay.stop_kernel(legs[2].conn, true);
  const std::string body(900, 'x');
  std::size_t refused = 0;
  for (int i = 0; i < 400; ++i) {
    const auto not_sent = fan_out({.headers = plain, .failure = msrp::FailureReport::no, .prefix = body});
    ASSERT_LE(not_sent.size(), 1U);
    if (not_sent.empty()) continue;
    EXPECT_EQ(not_sent[0].end, ends[2]);
    EXPECT_EQ(not_sent[0].why, Sent::full);
    ++refused;
  }
  EXPECT_GT(refused, 100U);
  EXPECT_EQ(counted(Metric::msrp_ends_queue_limit), refused);
  EXPECT_EQ(counted(Metric::msrp_ends_chunks_out), 2000 - refused);
}

TEST_F(FanOutTest, R7701_2_legs_that_have_gone_are_named) {
  relay.close(legs[1].conn);
  close(ends[3]);
  const auto not_sent = fan_out({.headers = plain, .failure = msrp::FailureReport::no, .prefix = "x"});
  ASSERT_EQ(not_sent.size(), 2U);
  EXPECT_EQ(not_sent[0].end, ends[1]);
  EXPECT_EQ(not_sent[0].why, Sent::gone);
  EXPECT_EQ(not_sent[1].end, ends[3]);
}

TEST_F(FanOutTest, R4975_1_two_legs_on_one_connection_have_different_transactions) {
  const msrp::EndHandle twin = open(9);
  const std::string twin_peer = "msrp://m0.example.net:7777/twin;tcp";
  connect(twin, twin_peer);
  relay.send(legs[0].conn, bodiless("tid1", uri(twin), twin_peer));
  relay.take(legs[0].conn);
  ends.push_back(twin);
  owner.facts.clear();
  fan_out({.headers = plain, .mark = 9, .prefix = "x"});
  const std::string both = relay.take(legs[0].conn);
  const std::string first = tid_of(both);
  const std::string second = tid_of(both.substr(both.rfind("MSRP ")));
  EXPECT_NE(first, second);
  relay.send(legs[0].conn, ok(second, uri(twin), twin_peer) + ok(first, legs[0].uri, legs[0].peer));
  ASSERT_EQ(owner.kinds(), "answered answered");
  EXPECT_EQ(owner.facts[0].fact.end, twin);
  EXPECT_EQ(owner.facts[1].fact.end, ends[0]);
}

TEST_F(FanOutTest, R4975_8_a_leg_that_goes_owes_no_more) {
  fan_out({.headers = plain, .mark = 9, .tell_200 = false, .prefix = "x"});
  relay.close(legs[0].conn);
  close(ends[1]);
  EXPECT_EQ(owner.kinds(), "answered closed");
  for (std::size_t i = 2; i < legs.size(); ++i) {
    relay.send(legs[i].conn, ok(tid_of(relay.take(legs[i].conn)), legs[i].uri, legs[i].peer));
  }
  relay.wait(std::chrono::seconds(60));
  EXPECT_EQ(owner.kinds(), "answered closed");
  EXPECT_EQ(relay.service.relay().ends().live_fan_outs(), 0U);
}

TEST_F(FanOutTest, R7701_2_too_many_that_wait_for_answers_are_not_written) {
  auto config = default_config();
  config->fan_outs_max = 2;
  relay.reload(config);
  EXPECT_TRUE(fan_out({.headers = plain, .prefix = "x"}).empty());
  EXPECT_TRUE(fan_out({.headers = plain, .prefix = "x"}).empty());
  const auto not_sent = fan_out({.headers = plain, .prefix = "x"});
  ASSERT_EQ(not_sent.size(), legs.size());
  EXPECT_EQ(not_sent[0].why, Sent::full);
  EXPECT_EQ(counted(Metric::msrp_fan_outs_limit), 1U);
  EXPECT_TRUE(fan_out({.headers = plain, .failure = msrp::FailureReport::no, .prefix = "x"}).empty());
}

TEST_F(FanOutTest, T_60_a_leg_that_reads_by_range_gets_small_chunks) {
  auto config = default_config();
  config->explicit_ranges_for.push_back(*core::parse_cidr("192.0.2.0/24"));
  relay.reload(config);
  const msrp::EndHandle end = open();
  connect(end, b_uri);
  const core::ConnId b = relay.open(core::Transport::tcp, "192.0.2.9:5000");
  relay.send(b, bodiless("tid1", uri(end), b_uri));
  relay.take(b);
  ends.push_back(end);
  fan_out({.headers = plain, .failure = msrp::FailureReport::no, .total = 5000, .prefix = std::string(5000, 'x')});
  const std::string frames = relay.take(b);
  EXPECT_NE(frames.find("Byte-Range: 1-2048/5000\r\n"), std::string::npos) << frames;
  EXPECT_NE(frames.find("Byte-Range: 2049-4096/5000\r\n"), std::string::npos);
  EXPECT_NE(frames.find("Byte-Range: 4097-5000/5000\r\n"), std::string::npos);
  // And it always gets one.
  fan_out({.headers = plain, .failure = msrp::FailureReport::no, .with_range = false, .prefix = "short"});
  EXPECT_NE(relay.take(b).find("Byte-Range: 1-5/5\r\n"), std::string::npos);
  // Pieces of a body that goes by reference meet without a gap.
  const core::BufferId block = relay.pool.take_heap(4000);
  for (std::size_t i = 0; i < 4000; ++i) relay.pool.data(block)[i] = static_cast<char>('a' + i % 23);
  const std::string whole = std::string(100, '-') + std::string(relay.pool.data(block), 4000);
  fan_out({.headers = plain, .failure = msrp::FailureReport::no, .total = 4100, .prefix = std::string_view(whole).substr(0, 100),
           .body = {block, 0, 4000}});
  relay.pool.release(block);
  const std::string parts = relay.take(b);
  std::string together;
  for (std::size_t at = 0; (at = parts.find("\r\n\r\n", at)) != std::string::npos; at += 4) {
    together += parts.substr(at + 4, parts.find("\r\n-------", at + 4) - at - 4);
  }
  EXPECT_EQ(together, whole);
}

}  // namespace
}  // namespace parley::testing
