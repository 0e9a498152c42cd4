// MSRP sessions that end here (msrp/ends.h): binding, SENDs in, what comes through relays.
#include "tests/relay/ends_fixture.h"

namespace parley::testing {
namespace {

using core::Metric;

// --- binding ----------------------------------------------------------------------------------------------------------

TEST_F(EndsTest, R4975_16_session_ids_hold_128_random_bits_and_are_never_the_same) {
  const std::string one = uri(open());
  const std::string two = uri(open());
  EXPECT_NE(one, two);
  EXPECT_TRUE(one.starts_with("msrp://127.0.0.1:2855/")) << one;
  EXPECT_TRUE(one.ends_with(";tcp")) << one;
  EXPECT_EQ(one.size(), std::string("msrp://127.0.0.1:2855/;tcp").size() + core::id128_chars);
  EXPECT_TRUE(uri(open(7, true)).starts_with("msrps://relay.example.com:2856/"));
}

TEST_F(EndsTest, R4975_12_the_first_send_binds_the_connection) {
  const msrp::EndHandle end = open(42);
  ASSERT_TRUE(connect(end, a_uri));
  EXPECT_EQ(owner.kinds(), "");
  const core::ConnId a = relay.open();
  relay.send(a, bodiless("tid1", uri(end), a_uri));
  EXPECT_EQ(relay.take(a), ok("tid1", a_uri, uri(end)));
  ASSERT_EQ(owner.kinds(), "connected");
  EXPECT_EQ(owner.facts[0].fact.owner, 42U);
  EXPECT_EQ(owner.facts[0].fact.end, end);
  // For good: not the thirty seconds of strangers, nor the hour of the idle.
  relay.wait(std::chrono::hours(3));
  EXPECT_FALSE(relay.closed(a));
}

TEST_F(EndsTest, R4975_12_a_second_connection_is_answered_506_while_the_first_lives) {
  const Leg leg = make_leg(a_uri);
  const core::ConnId second = relay.open();
  relay.send(second, bodiless("tid2", leg.uri, a_uri));
  EXPECT_TRUE(relay.take(second).starts_with("MSRP tid2 506 "));
  EXPECT_EQ(owner.kinds(), "connected");
}

TEST_F(EndsTest, T_69_a_peer_that_closes_after_each_message_may_come_back) {
  const Leg leg = make_leg(a_uri);
  owner.facts.clear();
  relay.close(leg.conn);
  EXPECT_EQ(owner.kinds(), "closed");
  const core::ConnId again = relay.open();
  relay.send(again, send_frame("tid3", leg.uri, a_uri, "Message-ID: m1\r\n", "hello"));
  EXPECT_EQ(relay.take(again), ok("tid3", a_uri, leg.uri));
  EXPECT_EQ(owner.kinds(), "closed connected piece");
}

TEST_F(EndsTest, R4975_11_what_is_not_there_is_481) {
  const core::ConnId a = relay.open();
  const msrp::EndHandle end = open();
  const std::string gone = uri(end);
  close(end);
  relay.send(a, bodiless("tid1", gone, a_uri));
  EXPECT_TRUE(relay.take(a).starts_with("MSRP tid1 481 "));
  EXPECT_EQ(relay.table.count(), 0U);
}

TEST_F(EndsTest, R4975_12_another_than_the_peer_of_the_sdp_is_481) {
  const msrp::EndHandle end = open();
  connect(end, a_uri);
  const core::ConnId b = relay.open();
  relay.send(b, bodiless("tid1", uri(end), b_uri));
  EXPECT_TRUE(relay.take(b).starts_with("MSRP tid1 481 "));
  EXPECT_EQ(counted(Metric::msrp_ends_wrong_peer), 1U);
  EXPECT_EQ(owner.kinds(), "");
}

TEST_F(EndsTest, R4975_13_the_peer_is_compared_as_uris_are) {
  const msrp::EndHandle end = open();
  connect(end, "msrp://A.example.net:7777/aaa;tcp");
  const core::ConnId a = relay.open();
  const std::string spelled = "msrp://alice@a.EXAMPLE.net:7777/aaa;TCP;x=1";
  relay.send(a, bodiless("tid1", uri(end), spelled));
  EXPECT_EQ(relay.take(a), ok("tid1", spelled, uri(end)));
  EXPECT_EQ(owner.kinds(), "connected");
}

TEST_F(EndsTest, T_43_a_peer_behind_an_alg_is_known_by_its_session_id) {
  const msrp::EndHandle end = open();
  connect(end, "msrp://10.0.0.1:7777/aaa;tcp", false, true);
  const core::ConnId a = relay.open();
  relay.send(a, bodiless("tid1", uri(end), "msrp://192.0.2.7:7777/aaa;tcp"));
  EXPECT_EQ(owner.kinds(), "connected");
  // Another id is another peer all the same.
  const msrp::EndHandle other = open();
  connect(other, "msrp://10.0.0.1:7777/aaa;tcp", false, true);
  const core::ConnId b = relay.open();
  relay.send(b, bodiless("tid2", uri(other), "msrp://192.0.2.7:7777/bbb;tcp"));
  EXPECT_TRUE(relay.take(b).starts_with("MSRP tid2 481 "));
}

TEST_F(EndsTest, T_41_nobody_comes_in_time) {
  const msrp::EndHandle end = open();
  connect(end, a_uri);
  relay.wait(std::chrono::seconds(9));
  EXPECT_EQ(owner.kinds(), "");
  relay.wait(std::chrono::seconds(2));
  ASSERT_EQ(owner.kinds(), "failed");
  EXPECT_EQ(owner.facts[0].fact.status, 408);
  EXPECT_EQ(counted(Metric::msrp_ends_timeouts), 1U);
  const core::ConnId a = relay.open();
  relay.send(a, bodiless("tid1", uri(end), a_uri));
  EXPECT_TRUE(relay.take(a).starts_with("MSRP tid1 481 "));
}

TEST_F(EndsTest, T_70_a_peer_faster_than_its_sdp_waits_for_it) {
  const msrp::EndHandle end = open();
  const core::ConnId a = relay.open();
  const std::string frame = send_frame("tid1", uri(end), a_uri, "Message-ID: m1\r\n", "early");
  relay.send(a, frame.substr(0, 150));
  relay.send(a, frame.substr(150));
  EXPECT_EQ(relay.take(a), "");
  EXPECT_TRUE(relay.paused(a));
  EXPECT_EQ(owner.kinds(), "");
  connect(end, a_uri);
  EXPECT_EQ(relay.take(a), ok("tid1", a_uri, uri(end)));
  EXPECT_FALSE(relay.paused(a));
  EXPECT_EQ(owner.kinds(), "connected piece");
  EXPECT_EQ(owner.facts[1].body, "early");
  EXPECT_EQ(owner.facts[1].message_id, "m1");
}

TEST_F(EndsTest, T_70_what_an_early_peer_sends_is_bounded) {
  const msrp::EndHandle end = open();
  const core::ConnId a = relay.open();
  relay.send(a, bodiless("tid1", uri(end), a_uri) + std::string(70'000, 'x'));
  EXPECT_TRUE(relay.closed(a));
  EXPECT_EQ(counted(Metric::msrp_ends_early_limit), 1U);
  connect(end, a_uri);
  EXPECT_EQ(owner.kinds(), "");
}

TEST_F(EndsTest, T_70_an_early_peer_of_a_session_that_is_given_up_gets_481) {
  const msrp::EndHandle end = open();
  const core::ConnId a = relay.open();
  relay.send(a, bodiless("tid1", uri(end), a_uri));
  close(end);
  EXPECT_TRUE(relay.take(a).starts_with("MSRP tid1 481 "));
  EXPECT_FALSE(relay.paused(a));
}

TEST_F(EndsTest, R6135_1_OMA_MSRP_3_OMA_X_3_the_active_side_dials_and_sends_at_once) {
  auto config = default_config();
  config->dial_allow.push_back(*core::parse_cidr("127.0.0.0/8"));
  relay.reload(config);
  const std::string peer = "msrp://127.0.0.1:7777/ppp;tcp";
  const msrp::EndHandle end = open();
  ASSERT_TRUE(connect(end, peer, true));
  ASSERT_EQ(relay.connects.size(), 1U);
  const core::ConnId c = relay.connected(relay.connects[0].token);
  const std::string bind = relay.take(c);
  EXPECT_NE(bind.find(" SEND\r\nTo-Path: " + peer + "\r\nFrom-Path: " + uri(end) + "\r\n"), std::string::npos) << bind;
  EXPECT_EQ(bind.find("Content-Type"), std::string::npos);
  EXPECT_EQ(owner.kinds(), "");
  relay.send(c, ok(tid_of(bind), uri(end), peer));
  EXPECT_EQ(owner.kinds(), "connected");
  close(end);
  EXPECT_TRUE(relay.closed(c));
}

TEST_F(EndsTest, OMA_MSRP_2_a_peer_is_dialled_where_its_c_and_m_lines_lead_whatever_its_path_says) {
  auto config = default_config();
  config->dial_allow.push_back(*core::parse_cidr("127.0.0.0/8"));
  relay.reload(config);
  const std::string peer = "msrp://nowhere.invalid:7777/ppp;tcp";
  const msrp::EndHandle end = open();
  ASSERT_TRUE(connect(end, peer, true, true, "127.0.0.1:9000"));
  ASSERT_EQ(relay.connects.size(), 1U) << "no name is asked for";
  EXPECT_EQ(core::to_string(relay.connects[0].address), "127.0.0.1:9000");
  const core::ConnId c = relay.connected(relay.connects[0].token);
  const std::string bind = relay.take(c);
  EXPECT_NE(bind.find("To-Path: " + peer + "\r\n"), std::string::npos) << "the path is the one that it said\n" << bind;
  relay.send(c, ok(tid_of(bind), uri(end), peer));
  EXPECT_EQ(owner.kinds(), "connected");
  close(end);
}

TEST_F(EndsTest, OMA_MSRP_2_where_nobody_may_be_dialled_that_is_no_way_around) {
  const msrp::EndHandle end = open();
  (void)connect(end, "msrp://127.0.0.1:7777/ppp;tcp", true, true, "192.0.2.1:9000");
  EXPECT_EQ(relay.connects.size(), 0U);
}

TEST_F(EndsTest, R6135_1_a_peer_that_refuses_us_has_failed) {
  auto config = default_config();
  config->dial_allow.push_back(*core::parse_cidr("127.0.0.0/8"));
  relay.reload(config);
  const std::string peer = "msrp://127.0.0.1:7777/ppp;tcp";
  const msrp::EndHandle end = open();
  connect(end, peer, true);
  const core::ConnId c = relay.connected(relay.connects[0].token);
  const std::string tid = tid_of(relay.take(c));
  relay.send(c, "MSRP " + tid + " 481 No\r\nTo-Path: " + uri(end) + "\r\nFrom-Path: " + peer + "\r\n-------" + tid + "$\r\n");
  ASSERT_EQ(owner.kinds(), "failed");
  EXPECT_EQ(owner.facts[0].fact.status, 481);
  EXPECT_TRUE(relay.closed(c));
}

TEST_F(EndsTest, R6135_1_what_may_not_be_dialled_has_failed) {
  const msrp::EndHandle end = open();
  EXPECT_TRUE(connect(end, "msrp://192.0.2.1:7777/ppp;tcp", true));
  EXPECT_EQ(owner.kinds(), "failed");
  EXPECT_TRUE(relay.connects.empty());
  EXPECT_EQ(counted(Metric::relay_dial_refused), 1U);
}

TEST_F(EndsTest, T_40_both_sides_connect_and_the_first_valid_send_wins) {
  auto config = default_config();
  config->dial_allow.push_back(*core::parse_cidr("127.0.0.0/8"));
  relay.reload(config);
  const std::string peer = "msrp://127.0.0.1:7777/ppp;tcp";
  const msrp::EndHandle end = open();
  connect(end, peer, true);
  const core::ConnId a = relay.open();
  relay.send(a, bodiless("tid1", uri(end), peer));
  EXPECT_EQ(relay.take(a), ok("tid1", peer, uri(end)));
  EXPECT_EQ(owner.kinds(), "connected");
  relay.connected(relay.connects[0].token);  // too late
  EXPECT_EQ(owner.kinds(), "connected");
}

TEST_F(EndsTest, R4975_12_a_session_that_ends_takes_its_connection_along) {
  const Leg leg = make_leg(a_uri);
  close(leg.end);
  EXPECT_TRUE(relay.closed(leg.conn));
  EXPECT_EQ(relay.service.relay().live_connections(), 0U);
  EXPECT_EQ(relay.table.count(), 0U);
  EXPECT_EQ(relay.service.relay().armed_timers(), 0U);
}

TEST_F(EndsTest, R4975_12_one_connection_may_carry_several_sessions) {
  const Leg leg = make_leg(a_uri);
  const msrp::EndHandle other = open(8);
  const std::string other_peer = "msrp://a.example.net:7777/other;tcp";
  connect(other, other_peer);
  relay.send(leg.conn, bodiless("tid1", uri(other), other_peer) + send_frame("tid2", leg.uri, a_uri, "Message-ID: 1\r\n", "one") +
                           send_frame("tid3", uri(other), other_peer, "Message-ID: 2\r\n", "two"));
  const auto pieces = owner.take(Kind::piece);
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_EQ(pieces[0].fact.end, leg.end);
  EXPECT_EQ(pieces[1].fact.end, other);
  close(leg.end);
  EXPECT_FALSE(relay.closed(leg.conn));
  close(other);
  EXPECT_TRUE(relay.closed(leg.conn));
}

TEST_F(EndsTest, R4975_12_a_new_path_from_a_re_invite_leaves_the_old_connection) {
  const Leg leg = make_leg(a_uri);
  owner.facts.clear();
  owner.act([&](msrp::Ends& ends) { EXPECT_TRUE(ends.change_peer(leg.end, {a_uri})); });
  EXPECT_FALSE(relay.closed(leg.conn));
  owner.act([&](msrp::Ends& ends) { EXPECT_TRUE(ends.change_peer(leg.end, {b_uri})); });
  EXPECT_TRUE(relay.closed(leg.conn));
  const core::ConnId b = relay.open();
  relay.send(b, bodiless("tid1", leg.uri, b_uri));
  EXPECT_EQ(relay.take(b), ok("tid1", b_uri, leg.uri));
  EXPECT_EQ(owner.kinds(), "closed connected");
}

// What was written to the old one and not answered may not have come, and whoever wrote it has to know.
TEST_F(EndsTest, R4975_12_a_new_path_leaves_what_the_old_connection_has_not_answered_unanswered) {
  const Leg leg = make_leg(a_uri);
  owner.facts.clear();
  owner.act([&](msrp::Ends& ends) {
    std::vector<msrp::Ends::NotSent> not_sent;
    ends.fan_out({&leg.end, 1}, {.headers = plain, .mark = 7, .prefix = "hello"}, not_sent);
    EXPECT_TRUE(not_sent.empty());
  });
  owner.act([&](msrp::Ends& ends) { EXPECT_TRUE(ends.change_peer(leg.end, {b_uri})); });
  ASSERT_EQ(owner.kinds(), "answered closed");
  EXPECT_EQ(owner.facts[0].fact.mark, 7U);
  EXPECT_EQ(owner.facts[0].fact.status, 408);
}

// --- SENDs in ---------------------------------------------------------------------------------------------------------

TEST_F(EndsTest, R4975_8_a_whole_message_is_one_fact_and_answered_once) {
  const Leg leg = make_leg(a_uri);
  relay.send(leg.conn, send_frame("tid1", leg.uri, a_uri, "Message-ID: m1\r\nSuccess-Report: yes\r\nByte-Range: 1-5/5\r\n", "hello"));
  EXPECT_EQ(relay.take(leg.conn), ok("tid1", a_uri, leg.uri));
  const auto pieces = owner.take(Kind::piece);
  ASSERT_EQ(pieces.size(), 1U);
  const auto& seen = pieces[0];
  EXPECT_TRUE(seen.fact.first);
  EXPECT_TRUE(seen.fact.last);
  EXPECT_EQ(seen.fact.flag, msrp::Flag::end);
  EXPECT_EQ(seen.body, "hello");
  EXPECT_EQ(seen.message_id, "m1");
  EXPECT_EQ(seen.content_type, "text/plain");
  EXPECT_EQ(seen.fact.start, 1U);
  EXPECT_EQ(seen.fact.total, 5U);
}

TEST_F(EndsTest, R4975_3_a_frame_in_any_number_of_reads_is_the_same_message) {
  const Leg leg = make_leg(a_uri);
  const std::string text = "look: \r\n-------tid1 and \r\n-------tid1x are text";
  const std::string frame = send_frame("tid1", leg.uri, a_uri, "Message-ID: m1\r\n", text);
  for (std::size_t cut = 1; cut < frame.size(); ++cut) {
    owner.facts.clear();
    relay.send(leg.conn, frame.substr(0, cut));
    relay.send(leg.conn, frame.substr(cut));
    std::string body;
    std::size_t firsts = 0;
    std::uint64_t next = 1;
    const auto pieces = owner.take(Kind::piece);
    ASSERT_FALSE(pieces.empty()) << cut;
    for (const auto& seen : pieces) {
      EXPECT_EQ(seen.fact.start, next) << cut;
      next += seen.body.size();
      body += seen.body;
      firsts += seen.fact.first ? 1 : 0;
      EXPECT_EQ(seen.fact.last, &seen == &pieces.back()) << cut;
      EXPECT_EQ(seen.message_id, "m1") << cut;
      EXPECT_EQ(seen.content_type, "text/plain") << cut;
    }
    EXPECT_EQ(body, text) << cut;
    EXPECT_EQ(firsts, 1U) << cut;
    EXPECT_EQ(relay.take(leg.conn), ok("tid1", a_uri, leg.uri)) << cut;
  }
}

TEST_F(EndsTest, R4975_7_chunks_say_where_they_belong) {
  const Leg leg = make_leg(a_uri);
  relay.send(leg.conn, send_frame("tid1", leg.uri, a_uri, "Message-ID: m1\r\nByte-Range: 1-*/*\r\n", "abc", '+') +
                           send_frame("tid2", leg.uri, a_uri, "Message-ID: m1\r\nByte-Range: 4-*/6\r\n", "def", '$'));
  const auto pieces = owner.take(Kind::piece);
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_EQ(pieces[0].fact.flag, msrp::Flag::more);
  EXPECT_EQ(pieces[0].fact.total, msrp::ByteRange::unknown);
  EXPECT_EQ(pieces[1].fact.start, 4U);
  EXPECT_EQ(pieces[1].fact.total, 6U);
  EXPECT_EQ(pieces[1].fact.flag, msrp::Flag::end);
}

TEST_F(EndsTest, R4975_8_failure_report_decides_about_answers) {
  const Leg leg = make_leg(a_uri);
  const auto ask = [&](const std::string& failure, std::uint16_t status) {
    owner.answer_with = status;
    relay.send(leg.conn, send_frame("tid1", leg.uri, a_uri, "Message-ID: m\r\nFailure-Report: " + failure + "\r\n", "x"));
    return relay.take(leg.conn).substr(0, 13);
  };
  EXPECT_EQ(ask("yes", 200), "MSRP tid1 200");
  EXPECT_EQ(ask("yes", 413), "MSRP tid1 413");
  EXPECT_EQ(ask("partial", 200), "");
  EXPECT_EQ(ask("partial", 415), "MSRP tid1 415");
  EXPECT_EQ(ask("no", 200), "");
  EXPECT_EQ(ask("no", 403), "");
}

TEST_F(EndsTest, T_58_binding_sends_of_all_shapes_are_answered_and_told_to_nobody) {
  const Leg leg = make_leg(a_uri);
  owner.facts.clear();
  relay.send(leg.conn, bodiless("tid1", leg.uri, a_uri));
  relay.send(leg.conn, bodiless("tid2", leg.uri, a_uri, "Message-ID: m\r\n"));
  relay.send(leg.conn, bodiless("tid3", leg.uri, a_uri, "Message-ID: m\r\nByte-Range: 1-0/0\r\n"));
  relay.send(leg.conn, send_frame("tid4", leg.uri, a_uri, "Message-ID: m\r\nByte-Range: 1-0/0\r\n", ""));
  EXPECT_EQ(relay.take(leg.conn), ok("tid1", a_uri, leg.uri) + ok("tid2", a_uri, leg.uri) + ok("tid3", a_uri, leg.uri) +
                                      ok("tid4", a_uri, leg.uri));
  EXPECT_EQ(owner.kinds(), "");
}

TEST_F(EndsTest, R4975_7_an_aborted_message_is_told) {
  const Leg leg = make_leg(a_uri);
  relay.send(leg.conn, send_frame("tid1", leg.uri, a_uri, "Message-ID: m1\r\nByte-Range: 1-*/9\r\n", "abc", '#'));
  relay.send(leg.conn, bodiless("tid2", leg.uri, a_uri, "Message-ID: m2\r\n", '#'));
  const auto pieces = owner.take(Kind::piece);
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_EQ(pieces[0].fact.flag, msrp::Flag::abort);
  EXPECT_EQ(pieces[1].fact.flag, msrp::Flag::abort);
  EXPECT_EQ(pieces[1].message_id, "m2");
}

TEST_F(EndsTest, R7701_2_a_sender_that_is_lost_in_a_message_aborts_it) {
  const Leg leg = make_leg(a_uri);
  owner.facts.clear();
  const std::string frame = send_frame("tid1", leg.uri, a_uri, "Message-ID: m1\r\n", "half of it");
  relay.send(leg.conn, frame.substr(0, frame.size() - 20));
  relay.close(leg.conn);
  EXPECT_EQ(owner.kinds(), "piece piece closed");
  EXPECT_TRUE(owner.facts[1].fact.last);
  EXPECT_EQ(owner.facts[1].fact.flag, msrp::Flag::abort);
  EXPECT_EQ(owner.facts[1].message_id, "m1");
}

TEST_F(EndsTest, R4975_11_an_early_error_stops_the_rest_of_the_send) {
  const Leg leg = make_leg(a_uri);
  owner.facts.clear();
  owner.answer_with = 0;
  owner.on_piece = [](msrp::Ends& ends, msrp::EndFact& fact) { ends.answer(fact.token, 413); };
  const std::string frame = send_frame("tid1", leg.uri, a_uri, "Message-ID: m1\r\n", std::string(9000, 'x'));
  relay.send(leg.conn, frame.substr(0, 4000));
  EXPECT_TRUE(relay.take(leg.conn).starts_with("MSRP tid1 413 Stop Sending Message\r\nTo-Path: " + a_uri));
  relay.send(leg.conn, frame.substr(4000));
  EXPECT_EQ(relay.take(leg.conn), "");
  EXPECT_EQ(owner.kinds(), "piece");
  owner.on_piece = nullptr;
  owner.answer_with = 200;
  relay.send(leg.conn, send_frame("tid2", leg.uri, a_uri, "Message-ID: m2\r\n", "next"));
  EXPECT_EQ(relay.take(leg.conn), ok("tid2", a_uri, leg.uri));
}

TEST_F(EndsTest, R4975_8_an_answer_may_come_later_and_only_once) {
  const Leg leg = make_leg(a_uri);
  owner.answer_with = 0;
  msrp::EndToken kept;
  owner.on_piece = [&](msrp::Ends&, msrp::EndFact& fact) { kept = fact.token; };
  relay.send(leg.conn, send_frame("tid1", leg.uri, a_uri, "Message-ID: m1\r\n", "x"));
  EXPECT_EQ(relay.take(leg.conn), "");
  relay.wait(std::chrono::seconds(5));
  owner.act([&](msrp::Ends& ends) {
    ends.answer(kept, 200);
    ends.answer(kept, 413);
  });
  EXPECT_EQ(relay.take(leg.conn), ok("tid1", a_uri, leg.uri));
}

TEST_F(EndsTest, R4975_5_a_range_that_contradicts_itself_is_400) {
  const Leg leg = make_leg(a_uri);
  owner.facts.clear();
  relay.send(leg.conn, send_frame("tid1", leg.uri, a_uri, "Message-ID: m1\r\nByte-Range: 9-10/5\r\n", "xx") +
                           send_frame("tid2", leg.uri, a_uri, "Message-ID: m2\r\n", "fine"));
  const std::string answers = relay.take(leg.conn);
  EXPECT_TRUE(answers.starts_with("MSRP tid1 400 ")) << answers;
  EXPECT_TRUE(answers.ends_with(ok("tid2", a_uri, leg.uri))) << answers;
  ASSERT_EQ(owner.kinds(), "piece");
  EXPECT_EQ(owner.facts[0].body, "fine");
  // The end of one whose bytes have all gone before is none.
  relay.send(leg.conn, send_frame("tid3", leg.uri, a_uri, "Message-ID: m3\r\nByte-Range: 8-7/7\r\n", ""));
  EXPECT_EQ(relay.take(leg.conn), ok("tid3", a_uri, leg.uri));
  relay.send(leg.conn, send_frame("tid4", leg.uri, a_uri, "Message-ID: m4\r\nByte-Range: 9-7/7\r\n", ""));
  EXPECT_TRUE(relay.take(leg.conn).starts_with("MSRP tid4 400 "));
}

TEST_F(EndsTest, R4975_11_unknown_methods_are_501) {
  const Leg leg = make_leg(a_uri);
  relay.send(leg.conn, "MSRP tid1 DANCE\r\nTo-Path: " + leg.uri + "\r\nFrom-Path: " + a_uri + "\r\n-------tid1$\r\n");
  EXPECT_TRUE(relay.take(leg.conn).starts_with("MSRP tid1 501 "));
  relay.send(leg.conn, "MSRP tid2 AUTH\r\nTo-Path: " + leg.uri + "\r\nFrom-Path: " + a_uri + "\r\n-------tid2$\r\n");
  EXPECT_TRUE(relay.take(leg.conn).starts_with("MSRP tid2 501 "));
}

TEST_F(EndsTest, R4975_11_a_session_passes_nothing_on) {
  const Leg leg = make_leg(a_uri);
  owner.facts.clear();
  relay.send(leg.conn, send_frame("tid1", leg.uri + " " + b_uri, a_uri, "Message-ID: m1\r\n", "x"));
  EXPECT_TRUE(relay.take(leg.conn).starts_with("MSRP tid1 481 "));
  EXPECT_EQ(owner.kinds(), "");
}

// --- through relays ---------------------------------------------------------------------------------------------------

TEST_F(EndsTest, R4976_9_a_peer_behind_relays_is_answered_hop_by_hop_and_reported_the_whole_way) {
  const std::string relayed = "msrp://r.example.net:2855/rrr;tcp " + a_uri;
  const msrp::EndHandle end = open();
  connect(end, relayed);
  const core::ConnId r = relay.open();
  relay.send(r, send_frame("tid1", uri(end), relayed, "Message-ID: m1\r\nSuccess-Report: yes\r\n", "x"));
  EXPECT_EQ(relay.take(r), ok("tid1", "msrp://r.example.net:2855/rrr;tcp", uri(end)));
  owner.act([&](msrp::Ends& ends) { ends.report(end, "m1", {1, 1, 1}, 200, "Distribution-Count: 3\r\n"); });
  const std::string report = relay.take(r);
  EXPECT_NE(report.find(" REPORT\r\nTo-Path: " + relayed + "\r\nFrom-Path: " + uri(end) +
                        "\r\nMessage-ID: m1\r\nByte-Range: 1-1/1\r\nStatus: 000 200 OK\r\nDistribution-Count: 3\r\n-------"),
            std::string::npos)
      << report;
}

TEST_F(EndsTest, R4976_9_a_client_of_our_own_relay_reaches_a_session_that_ends_here) {
  const core::ConnId a = relay.open();
  const std::string use_a = authenticate(a, "alice", a_uri);
  const msrp::EndHandle end = open();
  connect(end, use_a + " " + a_uri);
  relay.send(a, send_frame("tid1", use_a + " " + uri(end), a_uri, "Message-ID: m1\r\n", "hello"));
  EXPECT_EQ(relay.take(a), ok("tid1", a_uri, use_a));
  ASSERT_EQ(owner.kinds(), "connected piece");
  EXPECT_EQ(owner.facts[1].body, "hello");
  owner.facts.clear();
  relay.send(a, send_frame("tid2", use_a + " " + uri(end), a_uri, "Message-ID: m2\r\n", "again"));
  EXPECT_EQ(relay.take(a), ok("tid2", a_uri, use_a));
  send(end, {.headers = plain, .mark = 4, .prefix = "back"});
  const std::string frame = relay.take(a);
  EXPECT_NE(frame.find("To-Path: " + a_uri + "\r\nFrom-Path: " + use_a + " " + uri(end) + "\r\n"), std::string::npos) << frame;
  relay.send(a, ok(tid_of(frame), use_a, a_uri));
  EXPECT_EQ(owner.kinds(), "piece answered");
  // Somebody else may not use that way.
  const core::ConnId b = relay.open();
  relay.send(b, send_frame("tid3", use_a + " " + uri(end), b_uri, "Message-ID: m1\r\n", "hello"));
  EXPECT_TRUE(relay.take(b).starts_with("MSRP tid3 481 "));
  close(end);
  EXPECT_FALSE(relay.closed(a));  // it is the relay's client still
}

TEST_F(EndsTest, R4976_4_a_peer_whose_relay_session_is_over_is_sent_nothing) {
  for (const char* what : {"send", "fan_out", "report", "nickname"}) {
    core::ConnId a = relay.open();
    const std::string use_a = authenticate(a, "alice", a_uri);
    const msrp::EndHandle end = open();
    connect(end, use_a + " " + a_uri);
    relay.send(a, send_frame("tid1", use_a + " " + uri(end), a_uri, "Message-ID: m1\r\n", "hello"));
    EXPECT_EQ(relay.take(a), ok("tid1", a_uri, use_a));
    EXPECT_EQ(send(end, {.headers = plain, .mark = 4, .prefix = "back"}), Sent::sent);
    relay.send(a, ok(tid_of(relay.take(a)), use_a, a_uri));
    relay.wait(std::chrono::seconds(default_config()->expires_default_s + 1));
    (void)relay.take(a);
    owner.facts.clear();
    Sent sent = Sent::gone;
    owner.act([&](msrp::Ends& ends) {
      if (what == std::string_view("send")) sent = ends.send(end, {.headers = plain, .mark = 5, .prefix = "late"});
      if (what == std::string_view("report")) ends.report(end, "m1", {1, 5, 5}, 200);
      if (what == std::string_view("nickname")) sent = ends.nickname(end, "\"x\"", 5);
      if (what != std::string_view("fan_out")) return;
      std::vector<msrp::Ends::NotSent> not_sent;
      ends.fan_out({&end, 1}, {.headers = plain, .mark = 5, .prefix = "late"}, not_sent);
      sent = not_sent.empty() ? Sent::sent : not_sent[0].why;
    });
    EXPECT_EQ(sent, Sent::gone) << what;
    EXPECT_EQ(relay.take(a), "") << what;
    EXPECT_EQ(owner.kinds(), "closed") << what;
    EXPECT_TRUE(relay.closed(a)) << what << ": nothing else is served there";
    // It proves itself again, and comes by what it is given then.
    a = relay.open();
    const std::string again = authenticate(a, "alice", a_uri);
    owner.act([&](msrp::Ends& ends) { EXPECT_TRUE(ends.change_peer(end, {.path = again + " " + a_uri})); });
    relay.send(a, send_frame("tid2", again + " " + uri(end), a_uri, "Message-ID: m2\r\n", "hello"));
    EXPECT_EQ(relay.take(a), ok("tid2", a_uri, again)) << what;
    EXPECT_EQ(send(end, {.headers = plain, .mark = 6, .prefix = "back"}), Sent::sent) << what;
    close(end);
    relay.close(a);
  }
}

}  // namespace
}  // namespace parley::testing
