// What sessions that end here send (msrp/ends.h): SENDs, NICKNAMEs and REPORTs, slow peers, limits.
#include "tests/relay/ends_fixture.h"

namespace parley::testing {
namespace {

using core::Metric;

// --- NICKNAME, REPORT -------------------------------------------------------------------------------------------------

TEST_F(EndsTest, R7701_3_a_nickname_is_a_fact_and_answered_with_what_is_given) {
  const Leg leg = make_leg("msrp://r.example.net:2855/rrr;tcp " + a_uri);
  const auto ask = [&](const std::string& value) {
    owner.facts.clear();
    relay.send(leg.conn, "MSRP tid1 NICKNAME\r\nTo-Path: " + leg.uri + "\r\nFrom-Path: " + leg.peer + "\r\nUse-Nickname: " + value +
                             "\r\n-------tid1$\r\n");
    return owner.facts.empty() ? std::string("no fact") : owner.facts[0].nickname;
  };
  EXPECT_EQ(ask("\"Alice the \\\"great\\\"\""), "Alice the \"great\"");
  EXPECT_EQ(owner.facts[0].fact.status, 0);
  owner.act([&](msrp::Ends& ends) { ends.answer(owner.facts[0].fact.token, 425); });
  EXPECT_EQ(relay.take(leg.conn), "MSRP tid1 425 Nickname Reserved or Already In Use\r\nTo-Path: " + leg.peer + "\r\nFrom-Path: " +
                                      leg.uri + "\r\n-------tid1$\r\n");
  EXPECT_EQ(ask("\"\""), "");         // removal
  EXPECT_EQ(ask("Alice"), "Alice");   // T-75
  (void)ask("\"Alice");
  EXPECT_EQ(owner.facts[0].fact.status, 424);
}

TEST_F(EndsTest, R4975_10_reports_are_facts_and_never_answered) {
  const Leg leg = make_leg(a_uri);
  owner.facts.clear();
  relay.send(leg.conn, "MSRP tid1 REPORT\r\nTo-Path: " + leg.uri + "\r\nFrom-Path: " + a_uri +
                           "\r\nMessage-ID: m9\r\nByte-Range: 1-20/20\r\nStatus: 000 413 no more\r\n-------tid1$\r\n");
  EXPECT_EQ(relay.take(leg.conn), "");
  ASSERT_EQ(owner.kinds(), "report");
  EXPECT_EQ(owner.facts[0].message_id, "m9");
  EXPECT_EQ(owner.facts[0].fact.status, 413);
  EXPECT_EQ(owner.facts[0].fact.range.end, 20U);
  // Without a status, or one of another namespace (RFC 4975 section 7.1.2), there is nothing to tell.
  for (const char* status : {"", "Status: 001 200 OK\r\n", "Status: 000 20\r\n"}) {
    owner.facts.clear();
    relay.send(leg.conn, "MSRP tid1 REPORT\r\nTo-Path: " + leg.uri + "\r\nFrom-Path: " + a_uri +
                             "\r\nMessage-ID: m9\r\nByte-Range: 1-20/20\r\n" + status + "-------tid1$\r\n");
    EXPECT_EQ(owner.kinds(), "") << status;
  }
}

// --- SENDs out --------------------------------------------------------------------------------------------------------

TEST_F(EndsTest, R4975_6_a_send_of_ours_carries_paths_range_and_body) {
  const Leg leg = make_leg(a_uri);
  EXPECT_EQ(send(leg.end, {.headers = plain, .mark = 5, .total = 5, .prefix = "hello"}), Sent::sent);
  const std::string frame = relay.take(leg.conn);
  const std::string tid = tid_of(frame);
  EXPECT_EQ(frame, "MSRP " + tid + " SEND\r\nTo-Path: " + a_uri + "\r\nFrom-Path: " + leg.uri +
                       "\r\nByte-Range: 1-5/5\r\nMessage-ID: m1\r\nContent-Type: text/plain\r\n\r\nhello\r\n-------" + tid + "$\r\n");
  owner.facts.clear();
  relay.send(leg.conn, ok(tid, leg.uri, a_uri));
  ASSERT_EQ(owner.kinds(), "answered");
  EXPECT_EQ(owner.facts[0].fact.mark, 5U);
  EXPECT_EQ(owner.facts[0].fact.status, 200);
  EXPECT_EQ(relay.service.relay().live_transactions(), 0U);
}

TEST_F(EndsTest, R4975_8_without_an_answer_in_thirty_seconds_it_is_408) {
  const Leg leg = make_leg(a_uri);
  owner.facts.clear();
  send(leg.end, {.headers = plain, .mark = 5, .prefix = "hello"});
  send(leg.end, {.headers = plain, .failure = msrp::FailureReport::partial, .mark = 6, .prefix = "hello"});
  relay.wait(std::chrono::seconds(31));
  ASSERT_EQ(owner.kinds(), "answered");
  EXPECT_EQ(owner.facts[0].fact.mark, 5U);
  EXPECT_EQ(owner.facts[0].fact.status, 408);
  EXPECT_EQ(relay.service.relay().live_transactions(), 0U);
}

TEST_F(EndsTest, R4975_8_a_connection_that_goes_answers_408_for_all_that_is_open) {
  const Leg leg = make_leg(a_uri);
  owner.facts.clear();
  send(leg.end, {.headers = plain, .mark = 5, .prefix = "hello"});
  relay.close(leg.conn);
  EXPECT_EQ(owner.kinds(), "answered closed");
  EXPECT_EQ(send(leg.end, {.headers = plain, .prefix = "hello"}), Sent::gone);
}

TEST_F(EndsTest, R4975_6_a_long_body_goes_by_reference_with_an_open_range) {
  const Leg leg = make_leg(a_uri);
  const core::BufferId block = relay.pool.take_heap(5000);
  std::fill_n(relay.pool.data(block), 5000, 'z');
  EXPECT_EQ(send(leg.end, {.headers = plain, .total = 5003, .prefix = "abc", .body = {block, 0, 5000}}), Sent::sent);
  relay.pool.release(block);
  const std::string frame = relay.take(leg.conn);
  EXPECT_NE(frame.find("Byte-Range: 1-*/5003\r\n"), std::string::npos);
  EXPECT_NE(frame.find("\r\n\r\nabc" + std::string(5000, 'z') + "\r\n-------"), std::string::npos);
}

// --- slow peers -------------------------------------------------------------------------------------------------------

TEST_F(EndsTest, R7701_2_a_slow_peer_is_full_and_told_when_there_is_room) {
  const Leg leg = make_leg(a_uri);
  owner.facts.clear();
  relay.stop_kernel(leg.conn, true);
  const std::string text(1000, 'x');
  int written = 0;
  while (send(leg.end, {.headers = plain, .failure = msrp::FailureReport::no, .prefix = text}) == Sent::sent) ++written;
  EXPECT_NEAR(written, 256 * 1024 / 1250, 10);
  EXPECT_EQ(counted(Metric::msrp_ends_queue_limit), 1U);
  EXPECT_LE(relay.service.relay().ends().waiting_bytes(leg.end), 256U * 1024);
  EXPECT_EQ(owner.kinds(), "");
  relay.stop_kernel(leg.conn, false);
  EXPECT_EQ(owner.kinds(), "writable");
  EXPECT_EQ(send(leg.end, {.headers = plain, .failure = msrp::FailureReport::no, .prefix = text}), Sent::sent);
}

TEST_F(EndsTest, R4975_8_a_peer_that_does_not_answer_is_full_too) {
  const Leg leg = make_leg(a_uri);
  std::string first;
  for (int i = 0; i < 256; ++i) {
    ASSERT_EQ(send(leg.end, {.headers = plain, .tell_200 = false, .prefix = "x"}), Sent::sent) << i;
    if (i == 0) first = tid_of(relay.take(leg.conn));
  }
  EXPECT_EQ(send(leg.end, {.headers = plain, .prefix = "x"}), Sent::full);
  EXPECT_EQ(counted(Metric::msrp_ends_unanswered_limit), 1U);
  relay.send(leg.conn, ok(first, leg.uri, a_uri));
  EXPECT_EQ(send(leg.end, {.headers = plain, .prefix = "x"}), Sent::sent);
}

TEST_F(EndsTest, OMA_MSRP_6_a_peer_that_is_held_is_not_read) {
  const Leg leg = make_leg(a_uri);
  owner.act([&](msrp::Ends& ends) {
    ends.hold(leg.end);
    ends.hold(leg.end);
  });
  EXPECT_TRUE(relay.paused(leg.conn));
  owner.act([&](msrp::Ends& ends) { ends.release(leg.end); });
  EXPECT_TRUE(relay.paused(leg.conn));
  owner.act([&](msrp::Ends& ends) { ends.release(leg.end); });
  EXPECT_FALSE(relay.paused(leg.conn));
}

TEST_F(EndsTest, OMA_MSRP_6_on_a_shared_connection_only_the_held_session_suffers) {
  const Leg leg = make_leg(a_uri);
  const msrp::EndHandle other = open(8);
  const std::string other_peer = "msrp://a.example.net:7777/other;tcp";
  connect(other, other_peer);
  relay.send(leg.conn, bodiless("tid1", uri(other), other_peer));
  relay.take(leg.conn);
  owner.act([&](msrp::Ends& ends) { ends.hold(leg.end); });
  EXPECT_FALSE(relay.paused(leg.conn));
  owner.facts.clear();
  relay.send(leg.conn, send_frame("tid2", leg.uri, a_uri, "Message-ID: 1\r\n", "one") +
                           send_frame("tid3", uri(other), other_peer, "Message-ID: 2\r\n", "two"));
  const std::string answers = relay.take(leg.conn);
  EXPECT_NE(answers.find("MSRP tid2 413 "), std::string::npos) << answers;
  EXPECT_NE(answers.find("MSRP tid3 200 "), std::string::npos) << answers;
  EXPECT_EQ(owner.kinds(), "piece");
  EXPECT_EQ(counted(Metric::msrp_ends_held_refused), 1U);
}

TEST_F(EndsTest, OMA_MSRP_6_a_source_is_held_until_its_receiver_has_read) {
  const Leg from = make_leg(a_uri);
  const Leg to = make_leg(b_uri);
  relay.stop_kernel(to.conn, true);
  const std::string text(100'000, 'x');
  send(to.end, {.headers = plain, .failure = msrp::FailureReport::no, .prefix = text});
  bool held = true;
  owner.act([&](msrp::Ends& ends) { held = ends.hold_while_slow(from.end, to.end); });
  EXPECT_FALSE(held);
  send(to.end, {.headers = plain, .failure = msrp::FailureReport::no, .prefix = text});
  owner.act([&](msrp::Ends& ends) { held = ends.hold_while_slow(from.end, to.end); });
  EXPECT_TRUE(held);
  EXPECT_TRUE(relay.paused(from.conn));
  relay.stop_kernel(to.conn, false);
  EXPECT_FALSE(relay.paused(from.conn));
}

// What is passed on as it comes is not lost because more of it had been read than may wait.
TEST_F(EndsTest, OMA_MSRP_6_what_a_held_source_had_sent_goes_beyond_the_limits) {
  const Leg from = make_leg(a_uri);
  const Leg to = make_leg(b_uri);
  relay.stop_kernel(to.conn, true);
  const std::string text(100'000, 'x');
  for (int n = 0; n < 6; ++n) {
    EXPECT_EQ(send(to.end, {.headers = plain, .failure = msrp::FailureReport::no, .prefix = text, .source = from.end}), Sent::sent);
  }
  EXPECT_TRUE(relay.paused(from.conn));
  EXPECT_EQ(send(to.end, {.headers = plain, .failure = msrp::FailureReport::no, .prefix = text}), Sent::full) << "of others";
  relay.stop_kernel(to.conn, false);
  EXPECT_FALSE(relay.paused(from.conn));
  EXPECT_EQ(counted(Metric::msrp_ends_queue_limit), 1U);
}

// A peer that reads and does not answer is slow, too.
TEST_F(EndsTest, OMA_MSRP_6_a_source_is_held_until_its_receiver_answers) {
  const Leg from = make_leg(a_uri);
  const Leg to = make_leg(b_uri);
  const std::vector<msrp::EndHandle> all{to.end};
  std::vector<std::string> tids;
  for (const bool fanned : {false, true}) {
    for (int n = 0; n < 300; ++n) {
      const msrp::EndSend message{.headers = plain, .prefix = "x", .source = from.end};
      std::vector<msrp::Ends::NotSent> not_sent;
      if (fanned) {
        owner.act([&](msrp::Ends& ends) { ends.fan_out(all, message, not_sent); });
        EXPECT_TRUE(not_sent.empty());
      } else {
        EXPECT_EQ(send(to.end, message), Sent::sent);
      }
      tids.push_back(tid_of(relay.take(to.conn)));
      EXPECT_EQ(relay.paused(from.conn), n > 128) << n;
    }
    std::size_t open = tids.size();
    for (const std::string& tid : tids) {
      relay.send(to.conn, ok(tid, to.uri, b_uri));
      EXPECT_EQ(relay.paused(from.conn), --open > 128) << open;
    }
    tids.clear();
  }
}

// Two that send to each other: their answers stand behind what they send, so one of them is always read.
TEST_F(EndsTest, OMA_MSRP_6_of_two_that_send_to_each_other_one_is_read) {
  const Leg legs[] = {make_leg(a_uri), make_leg(b_uri)};
  std::vector<std::string> open[2];  // of SENDs to it
  const auto say = [&](int from) {
    const Sent sent = send(legs[1 - from].end, {.headers = plain, .prefix = "x", .source = legs[from].end});
    if (sent == Sent::sent) open[1 - from].push_back(tid_of(relay.take(legs[1 - from].conn)));
    return sent;
  };
  for (int n = 0; n < 200; ++n) {
    for (int from : {0, 1}) EXPECT_EQ(say(from), Sent::sent) << n;
    EXPECT_FALSE(relay.paused(legs[0].conn) && relay.paused(legs[1].conn)) << n;
  }
  const int held = relay.paused(legs[0].conn) ? 0 : 1;
  EXPECT_TRUE(relay.paused(legs[held].conn));
  // What it can not answer is bounded all the same.
  for (int n = 0; n < 100 && open[held].size() < 256; ++n) EXPECT_EQ(say(1 - held), Sent::sent);
  EXPECT_EQ(say(1 - held), Sent::full);
  for (const int who : {1 - held, held}) {
    for (const std::string& tid : open[who]) {
      ASSERT_FALSE(relay.paused(legs[who].conn)) << "its answers are awaited";
      relay.send(legs[who].conn, ok(tid, legs[who].uri, who == 0 ? a_uri : b_uri));
    }
  }
  EXPECT_FALSE(relay.paused(legs[0].conn) || relay.paused(legs[1].conn));
  EXPECT_EQ(say(1 - held), Sent::sent);
}

// --- limits -----------------------------------------------------------------------------------------------------------

class FewEnds : public EndsTest {
 protected:
  static std::shared_ptr<msrp::RelayConfig> few() {
    auto config = default_config();
    config->ends_max = 2;
    return config;
  }
  FewEnds() : EndsTest(few()) {}
};

TEST_F(FewEnds, R4975_16_no_more_than_the_limit_are_opened) {
  EXPECT_TRUE(open().valid());
  const msrp::EndHandle second = open();
  EXPECT_FALSE(open().valid());
  EXPECT_EQ(counted(Metric::msrp_ends_limit), 1U);
  close(second);
  EXPECT_TRUE(open().valid());
}

TEST_F(EndsTest, drain_waits_for_sessions_and_takes_no_new_ones) {
  const Leg leg = make_leg(a_uri);
  core::Input input;
  input.kind = core::Input::Kind::drain;
  relay.step(input);
  EXPECT_FALSE(relay.drained);
  EXPECT_FALSE(open().valid());
  close(leg.end);
  relay.wait(std::chrono::seconds(1));
  EXPECT_TRUE(relay.drained);
}

TEST_F(EndsTest, facts_without_an_owner_close_the_session) {
  const msrp::EndHandle end = open();
  connect(end, a_uri);
  relay.service.give_facts_to(nullptr);
  const core::ConnId a = relay.open();
  relay.send(a, bodiless("tid1", uri(end), a_uri));
  EXPECT_TRUE(relay.closed(a));
  EXPECT_EQ(uri(end), "");
}

}  // namespace
}  // namespace parley::testing
