// tests/relay/bad_frame_test.cc - frames that cannot be read: what their sender is told, and that what follows is
// served.
#include <algorithm>
#include <functional>

#include "tests/relay/fixture.h"

namespace parley::testing {
namespace {

using core::Metric;

std::shared_ptr<msrp::RelayConfig> small_limits() {
  auto config = default_config();
  config->head.head_bytes_max = 1024;
  config->head.headers_max = 16;
  config->skip_bytes_max = 64 * 1024;
  return config;
}

class BadFrame : public CallerAndBob {
 protected:
  BadFrame() : CallerAndBob(small_limits()) {}

  [[nodiscard]] std::string start(const std::string& method) const {
    return "MSRP bad1 " + method + "\r\nTo-Path: " + use_b + " " + b_uri + "\r\nFrom-Path: " + a_uri + "\r\n";
  }
  [[nodiscard]] std::string answered_400(const std::string& to) const {
    return "MSRP bad1 400 Bad Request\r\nTo-Path: " + to + "\r\nFrom-Path: " + use_b + "\r\n-------bad1$\r\n";
  }

  // Sends `bad` with a good SEND on both sides, cut in two at each place, and whole: a gets `answer` for it and bob
  // does not see it.
  void expect_read_over(const std::string& bad, const std::string& answer) {
    SCOPED_TRACE(bad.substr(0, 300));
    const std::string sent =
        to_bob("t001", "Message-ID: m1\r\n", "before") + bad + to_bob("t002", "Message-ID: m2\r\n", "behind");
    const std::string wanted = ok("t001", a_uri, use_b) + answer + ok("t002", a_uri, use_b);
    for (std::size_t cut = 0; cut < sent.size(); ++cut) {
      relay.send(a, sent.substr(0, cut));
      relay.send(a, sent.substr(cut));
      ASSERT_EQ(relay.take(a), wanted) << "cut at " << cut;
      expect_two_at_bob();
      ASSERT_FALSE(relay.closed(a)) << "cut at " << cut;
    }
    for (const char c : sent) relay.send(a, {&c, 1});
    EXPECT_EQ(relay.take(a), wanted);
    expect_two_at_bob();
    EXPECT_EQ(relay.service.relay().live_transactions(), 0U);
  }

  // Bob answers both.
  void expect_two_at_bob() {
    const std::string got = relay.take(b);
    const std::string first = tid_of(got);
    const std::size_t at = got.find("-------" + first + "$\r\n");
    ASSERT_NE(at, std::string::npos) << got;
    const std::string second = tid_of(got.substr(at));
    ASSERT_NE(got.find("\r\n\r\nbefore\r\n-------" + first + "$\r\nMSRP " + second + " SEND\r\n"), std::string::npos)
        << got;
    ASSERT_TRUE(got.ends_with("\r\n\r\nbehind\r\n-------" + second + "$\r\n")) << got;
    relay.send(b, ok(first, use_b, b_uri) + ok(second, use_b, b_uri));
  }

  const std::string end = "-------bad1$\r\n";
  const std::string body = "Content-Type: text/plain\r\n\r\nlost\r\n" + end;
};

TEST_F(BadFrame, R4975_2_a_bad_header_is_answered_400_and_what_follows_is_served) {
  const std::string send = start("SEND");
  const std::string answer = answered_400(a_uri);
  expect_read_over(send + "Message-ID: x1\r\nno colon here\r\n" + body, answer);
  expect_read_over(send + "Message-ID: x1\r\n folded\r\n" + end, answer);
  expect_read_over(send + "Message-ID: two words\r\n" + body, answer);
  expect_read_over(send + "X-Odd: a\x01z\r\n" + body, answer);
  expect_read_over(send + "Message-ID: x1\r\nMessage-ID: x2\r\n" + body, answer);
  expect_read_over(send + "Content-Type: text/plain\r\nMessage-ID: x1\r\n\r\nlost\r\n" + end, answer);
  expect_read_over(send + "Message-ID: x1\r\n\r\nlost\r\n" + end, answer);
  expect_read_over(send + "Content-ID: x1\r\n" + end, answer);
  EXPECT_GT(relay.metrics.get(Metric::msrp_bad_frame), 0U);
}

TEST_F(BadFrame, R4975_5_a_Byte_Range_that_is_none_is_answered_400_and_what_follows_is_served) {
  for (const char* range : {"1-2", "a-b/c", "1-2/99999999999999999999"}) {
    expect_read_over(start("SEND") + "Byte-Range: " + range + "\r\n" + body, answered_400(a_uri));
  }
}

TEST_F(BadFrame, R4975_16_a_head_above_the_limits_is_answered_400_and_what_follows_is_served) {
  std::string many;
  for (int i = 0; i < 17; ++i) many += "X: y\r\n";
  expect_read_over(start("SEND") + many + body, answered_400(a_uri));
  EXPECT_GT(relay.metrics.get(Metric::msrp_header_too_many), 0U);
  expect_read_over(start("SEND") + "X: " + std::string(2000, 'y') + "\r\n" + body, answered_400(a_uri));
  EXPECT_GT(relay.metrics.get(Metric::msrp_head_too_long), 0U);
}

TEST_F(BadFrame, R4975_3_only_its_own_end_line_ends_a_frame_that_can_not_be_read) {
  expect_read_over(
      start("SEND") +
          "no colon\r\nContent-Type: text/plain\r\n\r\n\r\n-------bad2$\r\n-------bad1\r\n-------bad1*\r\n\r\n\r\n" +
          to_bob("in01", "", "a frame in its body") + "\r\n" + end,
      answered_400(a_uri));
  expect_read_over(start("SEND") + "Message-ID: x1\r\n-------bad1*\r\n" + end, answered_400(a_uri));
}

TEST_F(BadFrame, R4975_9_another_method_is_answered_along_the_whole_path) {
  const std::string from = "msrp://r.example.net:2855/r;tcp " + a_uri;
  expect_read_over(
      "MSRP bad1 WHATEVER\r\nTo-Path: " + use_b + " " + b_uri + "\r\nFrom-Path: " + from + "\r\nno colon\r\n" + end,
      answered_400(from));
}

TEST_F(BadFrame, R4975_10_what_may_not_be_answered_is_read_over_in_silence) {
  expect_read_over(start("REPORT") + "no colon\r\n" + end, "");
  expect_read_over(start("200 OK") + "no colon\r\n" + end, "");
  expect_read_over("MSRP bad1 200\r\nTo-Path: nonsense\r\n" + end, "");
  expect_read_over(start("200 OK") + body, "");
  expect_read_over(start("SEND") + "Failure-Report: no\r\nno colon\r\n" + body, "");
  expect_read_over("MSRP bad1 SEND\r\n" + end, "");
  expect_read_over("MSRP bad1 SEND\r\nTo-Path: nonsense\r\nFrom-Path: " + a_uri + "\r\n" + body, "");
  expect_read_over(
      "MSRP bad1 SEND\r\nTo-Path: " + use_b + "\r\nTo-Path: " + use_b + "\r\nFrom-Path: " + a_uri + "\r\n" + body, "");
}

TEST_F(BadFrame, R4975_6_a_body_above_10240_bytes_of_another_method_is_answered_400_and_read_over) {
  const std::string head = start("WHATEVER") + "Content-Type: a/b\r\n\r\n";
  const std::string tail = "\r\n" + end + to_bob("t002", "Message-ID: m2\r\n", "behind");
  for (const std::size_t size : {10'241U, 20'000U}) {
    const std::string sent = head + std::string(size, 'x') + tail;
    for (const std::size_t cut :
         {head.size(), head.size() + 10'000, head.size() + 10'241, sent.size() - tail.size() + 5}) {
      relay.send(a, sent.substr(0, cut));
      relay.send(a, sent.substr(cut));
      EXPECT_EQ(relay.take(a), answered_400(a_uri) + ok("t002", a_uri, use_b)) << size << " cut at " << cut;
      EXPECT_NE(relay.take(b).find("behind"), std::string::npos);
    }
  }
  relay.send(a, start("REPORT") + "Content-Type: a/b\r\n\r\n" + std::string(20'000, 'x') + tail);
  EXPECT_EQ(relay.take(a), ok("t002", a_uri, use_b));
  EXPECT_EQ(relay.metrics.get(Metric::msrp_nonsend_body), 9U);
}

TEST_F(BadFrame, R4975_1_without_a_start_line_the_connection_ends) {
  for (const char* line : {"GET / HTTP/1.1\r\n", "MSRP abc SEND\r\n", "MSRP abcd send\r\n", "MSRP abcd 20\r\n",
                           "MSRP abcd SEND \r\n", "MSRP abcdefghijklmnopqrstuvwxyz0123456 SEND\r\n"}) {
    const auto conn = relay.open();
    relay.send(conn, line);
    EXPECT_TRUE(relay.closed(conn)) << line;
    EXPECT_EQ(relay.take(conn), "");
  }
  const auto conn = relay.open();
  relay.send(conn, "MSRP abcd 200 " + std::string(2000, 'x') + "\r\n");
  EXPECT_TRUE(relay.closed(conn)) << "a start line above the limit";
}

TEST_F(BadFrame, R4975_16_one_whose_end_does_not_come_ends_the_connection) {
  const std::string bad = start("SEND") + "no colon\r\n";
  relay.send(a, bad + std::string(60'000, 'x'));
  EXPECT_FALSE(relay.closed(a));
  relay.send(a, std::string(10'000, 'x'));
  EXPECT_TRUE(relay.closed(a));
  EXPECT_EQ(relay.metrics.get(Metric::msrp_skip_limit), 1U);

  const auto slow = relay.open();
  relay.send(slow, to_bob("t001", "Message-ID: m1\r\n", "first"));  // proven
  relay.send(slow, bad);
  relay.wait(std::chrono::seconds(29));
  EXPECT_FALSE(relay.closed(slow));
  relay.wait(std::chrono::seconds(2));
  EXPECT_TRUE(relay.closed(slow));
  EXPECT_EQ(relay.metrics.get(Metric::msrp_body_too_slow), 1U);

  const auto gone = relay.open();
  relay.send(gone, bad);
  relay.close(gone);
  relay.close(b);
  EXPECT_EQ(relay.service.relay().live_connections(), 0U);
  EXPECT_EQ(relay.service.relay().armed_timers(), 0U);
}

TEST_F(BadFrame, R4976_13_a_new_connection_that_sends_nothing_else_ends) {
  const std::string bad = start("SEND") + "no colon\r\n" + end;
  const auto stranger = relay.open();
  for (int i = 0; i < 19; ++i) relay.send(stranger, bad);
  EXPECT_FALSE(relay.closed(stranger));
  relay.send(stranger, bad);
  EXPECT_TRUE(relay.closed(stranger));
  EXPECT_EQ(relay.metrics.get(Metric::misses_closed), 1U);

  relay.send(a, to_bob("t001", "Message-ID: m1\r\n", "a known one"));
  for (int i = 0; i < 100; ++i) relay.send(a, bad);
  EXPECT_FALSE(relay.closed(a));
  const auto other_relay = relay.open(core::Transport::tls, "127.0.0.1:40000", "r.example.net");
  for (int i = 0; i < 100; ++i) relay.send(other_relay, bad);
  EXPECT_FALSE(relay.closed(other_relay));
}

TEST_F(BadFrame, between_shards_it_ends_the_pipe_for_its_sender_has_been_told_200) {
  const auto pipe = relay.open(core::Transport::pipe);
  relay.send(pipe, start("SEND") + "no colon\r\n" + end);
  EXPECT_TRUE(relay.closed(pipe));
  EXPECT_EQ(relay.take(pipe), "");
}

TEST_F(BadFrame, R4976_8_a_REPORT_or_response_that_the_next_hop_would_have_to_refuse_stays_here) {
  relay.send(a, to_bob("t001", "Message-ID: m1\r\n", "hi"));
  relay.take(a);
  const std::string head =
      "MSRP rep1 REPORT\r\nTo-Path: " + use_b + " " + a_uri + "\r\nFrom-Path: " + b_uri + "\r\nX: ";
  const std::string tail = "\r\n-------rep1$\r\n";
  relay.send(b, head + std::string(1024 - head.size() - tail.size(), 'x') + tail);
  EXPECT_EQ(relay.take(a), "");
  EXPECT_EQ(relay.metrics.get(Metric::relay_reports_dropped), 1U);

  relay.send(
      a, "MSRP ask1 WHATEVER\r\nTo-Path: " + use_b + " " + b_uri + "\r\nFrom-Path: " + a_uri + "\r\n-------ask1$\r\n");
  const std::string asked = relay.take(b);
  const std::string tid = tid_of(asked.substr(asked.rfind("MSRP ")));
  const std::string answer =
      "MSRP " + tid + " 200 OK\r\nTo-Path: " + use_b + " " + a_uri + "\r\nFrom-Path: " + b_uri + "\r\nX: ";
  const std::string answer_end = "\r\n-------" + tid + "$\r\n";
  relay.send(b, answer + std::string(1024 - answer.size() - answer_end.size(), 'x') + answer_end);
  EXPECT_EQ(relay.take(a), "");
  EXPECT_EQ(relay.metrics.get(Metric::msrp_head_too_long), 1U);
}

}  // namespace
}  // namespace parley::testing
