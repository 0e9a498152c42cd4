// tests/relay/relay_links_test.cc - connections of one relay on several shards of this one (RFC 4976 section 6.3).
#include <gtest/gtest.h>

#include "tests/relay/driver.h"
#include "tests/relay/shards.h"

namespace parley::testing {
namespace {

using core::Metric;

std::string send_frame(const std::string& tid, const std::string& to, const std::string& from, const std::string& body) {
  return "MSRP " + tid + " SEND\r\nTo-Path: " + to + "\r\nFrom-Path: " + from + "\r\nMessage-ID: m" + tid +
         "\r\nContent-Type: text/plain\r\n\r\n" + body + "\r\n-------" + tid + "$\r\n";
}

// Bob is a client of ours on shard 2. Alice is behind the relay r1, which has one connection to shard 0 and one to shard 1.
class ShardsOfRelay : public ::testing::Test {
 protected:
  ShardsOfRelay() {
    link0 = shards.open(0, "r1.example.net");
    link1 = shards.open(1, "r1.example.net");
    bob = shards.open(2);
    use_bob = authenticate_bob(shards.shard[2], bob, bob_uri);
    use_alice = authenticate_over(0, link0);  // lives on shard 0
  }

  std::string authenticate_over(std::uint32_t at, core::ConnId conn, const std::string& to = "msrp://127.0.0.1:2855;tcp") {
    const auto ask = [&](const std::string& frame) {
      shards.send(at, conn, frame);
      return shards.shard[at].take(conn);
    };
    const std::string use_path = authenticate_bob(ask, alice_path, to);
    EXPECT_NE(use_path, "");
    return use_path.substr(use_path.rfind(' ') + 1);
  }

  std::string take0() { return shards.shard[0].take(link0); }
  std::string take1() { return shards.shard[1].take(link1); }
  std::string take_bob() { return shards.shard[2].take(bob); }
  // Bob's answer to what he got.
  void bob_answers(const std::string& frame, const std::string& status) {
    const std::string tid = text_between(frame, "MSRP ", " ");
    const std::string from = text_between(frame, "From-Path: ", "\r\n");
    shards.send(2, bob, "MSRP " + tid + " " + status + "\r\nTo-Path: " + from.substr(0, from.find(' ')) + "\r\nFrom-Path: " +
                            bob_uri + "\r\n-------" + tid + "$\r\n");
  }

  Shards shards;
  core::ConnId link0, link1, bob;
  std::string use_bob, use_alice;
  const std::string bob_uri = "msrp://b.example.net:8888/bbb;tcp";
  const std::string r1_uri = "msrps://r1.example.net:2855/r1session;tcp";
  const std::string alice_path = r1_uri + " msrp://a.example.net:7777/aaa;tcp";
};

TEST_F(ShardsOfRelay, R4976_5_a_session_is_used_over_any_connection_of_its_relay) {
  for (const auto at : {1U, 0U}) {
    const auto link = at == 0 ? link0 : link1;
    shards.send(at, link, send_frame("t00" + std::to_string(at), use_alice + " " + use_bob + " " + bob_uri, alice_path, "hi"));
    EXPECT_TRUE(shards.shard[at].take(link).starts_with("MSRP t00" + std::to_string(at) + " 200 "));
    const std::string got = take_bob();
    EXPECT_NE(got.find("From-Path: " + use_bob + " " + use_alice + " " + alice_path + "\r\n"), std::string::npos) << got;
    bob_answers(got, "200 OK");
  }
  EXPECT_EQ(take0() + take1(), "");
  EXPECT_EQ(shards.metric(Metric::relay_not_authorised), 0U);
}

TEST_F(ShardsOfRelay, R4976_5_another_relay_may_not_use_the_session) {
  const auto other = shards.open(1, "r9.example.net");
  shards.send(1, other, send_frame("t001", use_alice + " " + use_bob + " " + bob_uri, alice_path, "hi"));
  EXPECT_NE(shards.shard[1].take(other).find("Status: 000 481 "), std::string::npos);
  EXPECT_EQ(take_bob(), "");
}

TEST_F(ShardsOfRelay, R4976_7_a_peer_behind_a_relay_is_bound_to_the_relay_and_not_to_one_connection) {
  shards.send(0, link0, send_frame("t001", use_bob + " " + bob_uri, alice_path, "one"));
  shards.send(1, link1, send_frame("t002", use_bob + " " + bob_uri, alice_path, "two"));
  EXPECT_TRUE(take0().starts_with("MSRP t001 200 "));
  EXPECT_TRUE(take1().starts_with("MSRP t002 200 "));
  const std::string got = take_bob();
  EXPECT_LT(got.find("\r\none\r\n"), got.find("\r\ntwo\r\n"));
  EXPECT_NE(got.find("\r\ntwo\r\n"), std::string::npos);
  const auto other = shards.open(1, "r9.example.net");
  shards.send(1, other, send_frame("t003", use_bob + " " + bob_uri, alice_path, "three"));
  EXPECT_NE(shards.shard[1].take(other).find("Status: 000 506 "), std::string::npos);
  EXPECT_EQ(take_bob(), "");
}

// What goes to the relay keeps to one connection while that lives, and takes another one then.
TEST_F(ShardsOfRelay, R4976_8_the_way_back_to_a_relay_keeps_its_order_and_outlives_a_connection) {
  shards.send(0, link0, send_frame("t001", use_bob + " " + bob_uri, alice_path, "one"));
  shards.send(1, link1, send_frame("t002", use_bob + " " + bob_uri, alice_path, "two"));
  (void)take0(), (void)take1(), (void)take_bob();
  shards.send(2, bob, send_frame("b001", use_bob + " " + alice_path, bob_uri, "back"));
  EXPECT_NE(take0().find("\r\nback\r\n"), std::string::npos);
  EXPECT_EQ(take1(), "");
  shards.close(0, link0);
  (void)take_bob();  // its report: nobody has answered
  shards.send(2, bob, send_frame("b002", use_bob + " " + alice_path, bob_uri, "again"));
  EXPECT_NE(take1().find("\r\nagain\r\n"), std::string::npos);
  EXPECT_TRUE(take_bob().starts_with("MSRP b002 200 "));
}

TEST_F(ShardsOfRelay, R4976_5_a_session_outlives_its_connection_while_its_relay_has_another) {
  shards.close(0, link0);
  ASSERT_EQ(shards.shard[0].service.relay().live_sessions(), 1U);
  shards.send(2, bob, send_frame("b001", use_bob + " " + use_alice + " " + alice_path, bob_uri, "still there?"));
  EXPECT_TRUE(take_bob().starts_with("MSRP b001 200 "));
  const std::string got = take1();
  EXPECT_NE(got.find("\r\nstill there?\r\n"), std::string::npos);
  // Its answer settles it, and its success report finds its way.
  const std::string tid = text_between(got, "MSRP ", " ");
  shards.send(1, link1, "MSRP " + tid + " 200 OK\r\nTo-Path: " + use_alice + "\r\nFrom-Path: " + r1_uri + "\r\n-------" + tid + "$\r\n");
  shards.send(1, link1, "MSRP r001 REPORT\r\nTo-Path: " + use_alice + " " + use_bob + " " + bob_uri + "\r\nFrom-Path: " +
                            alice_path + "\r\nMessage-ID: mb001\r\nByte-Range: 1-12/12\r\nStatus: 000 200 OK\r\n-------r001$\r\n");
  EXPECT_NE(take_bob().find("Status: 000 200 OK"), std::string::npos);
  shards.close(1, link1);
  EXPECT_EQ(shards.shard[0].service.relay().live_sessions(), 0U) << "that was the last one";
  for (Harness& one : shards.shard) EXPECT_EQ(one.service.relay().live_transactions(), 0U);
}

TEST_F(ShardsOfRelay, R4976_10_what_is_between_two_shards_when_the_connection_ends_is_reported) {
  shards.close(0, link0);  // from now on by a pipe
  shards.shard[2].send(bob, send_frame("b001", use_bob + " " + use_alice + " " + alice_path, bob_uri, "on its way"));
  EXPECT_TRUE(take_bob().starts_with("MSRP b001 200 "));
  shards.shard[1].close(link1);
  shards.settle();
  const std::string got = take_bob();
  EXPECT_NE(got.find("Message-ID: mb001\r\n"), std::string::npos) << got;
  EXPECT_NE(got.find("Status: 000 4"), std::string::npos) << got;
}

TEST_F(ShardsOfRelay, R4976_10_what_a_connection_had_sent_arrives_and_is_not_reported_when_it_ends) {
  shards.shard[1].send(link1, send_frame("t001", use_bob + " " + bob_uri, alice_path, "last words"));
  EXPECT_TRUE(take1().starts_with("MSRP t001 200 "));
  shards.shard[1].close(link1);
  shards.settle();
  EXPECT_NE(take_bob().find("\r\nlast words\r\n"), std::string::npos);
  EXPECT_EQ(take0(), "");
}

TEST_F(ShardsOfRelay, R4976_10_a_report_takes_another_connection_of_the_relay_when_the_first_has_gone) {
  shards.send(1, link1, send_frame("t001", use_bob + " " + bob_uri, alice_path, "hi"));
  EXPECT_TRUE(take1().starts_with("MSRP t001 200 "));
  const std::string got = take_bob();
  shards.close(1, link1);
  bob_answers(got, "413 No");
  const std::string report = take0();
  EXPECT_NE(report.find("To-Path: " + alice_path + "\r\n"), std::string::npos) << report;
  EXPECT_NE(report.find("Status: 000 413 "), std::string::npos) << report;
}

TEST_F(ShardsOfRelay, R4976_4_a_session_is_refreshed_over_any_connection_of_its_relay) {
  EXPECT_EQ(authenticate_over(1, link1, use_alice), use_alice);
  EXPECT_EQ(shards.shard[0].service.relay().live_sessions(), 1U);
  EXPECT_EQ(shards.metric(Metric::auth_accepted), 3U);
}

TEST_F(ShardsOfRelay, R4976_11_a_request_that_another_shard_refuses_is_answered) {
  shards.close(0, link0);
  shards.close(1, link1);
  const auto other = shards.open(1, "r9.example.net");
  shards.send(1, other, "MSRP x001 WAVE\r\nTo-Path: " + use_bob + " msrp://elsewhere.example.net:1/x;tcp\r\nFrom-Path: " +
                            "msrps://r9.example.net:2855/x;tcp\r\n-------x001$\r\n");
  EXPECT_TRUE(shards.shard[1].take(other).starts_with("MSRP x001 481 "));
  EXPECT_EQ(shards.shard[1].service.relay().live_transactions(), 0U);
}

TEST_F(ShardsOfRelay, a_relay_whose_pipes_are_refused_is_served_on_its_own_shard) {
  shards.refuse_pipes = true;
  const auto other = shards.open(2, "r2.example.net");
  EXPECT_FALSE(shards.shard[2].closed(other));
  shards.send(2, other, send_frame("t001", use_bob + " " + bob_uri, "msrps://r2.example.net:2855/x;tcp", "hi"));
  EXPECT_TRUE(shards.shard[2].take(other).starts_with("MSRP t001 200 "));
  EXPECT_NE(take_bob().find("\r\nhi\r\n"), std::string::npos);
}

TEST_F(ShardsOfRelay, at_rest_nothing_is_left) {
  shards.send(1, link1, send_frame("t001", use_alice + " " + use_bob + " " + bob_uri, alice_path, "hi"));
  shards.close(2, bob);
  shards.close(0, link0);
  shards.close(1, link1);
  for (Harness& one : shards.shard) {
    EXPECT_EQ(one.service.relay().live_connections(), 0U);
    EXPECT_EQ(one.service.relay().live_sessions(), 0U);
    EXPECT_EQ(one.service.relay().live_transactions(), 0U);
    EXPECT_EQ(one.service.relay().armed_timers(), 0U);
  }
  EXPECT_EQ(shards.table.count(), 0U);
}

}  // namespace
}  // namespace parley::testing
