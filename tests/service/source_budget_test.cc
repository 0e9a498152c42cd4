// tests/service/source_budget_test.cc - how many datagrams a stranger has (X-11, C-19, section 5.3): the value, and
// what a service makes of it.
#include "policy/source_budget.h"

#include <gtest/gtest.h>

#include "tests/service/watcher.h"

namespace parley::tests {
namespace {

using core::Metric;

struct Budget : testing::Test {
  unsigned taken(const std::string& source, unsigned of) {
    unsigned n = 0;
    for (unsigned i = 0; i < of; ++i) n += budget.take(config, address(source), now) ? 1U : 0U;
    return n;
  }
  policy::SourceBudgetConfig config;
  core::Random random{core::Seed{1}};
  core::Metrics metrics;
  policy::SourceBudget budget{config.sources_max, random, metrics};
  core::Instant now{core::Instant{} + 1h};
};

TEST_F(Budget, A_source_has_thirty_in_two_seconds_and_then_is_silent) {
  EXPECT_EQ(taken("192.0.2.1:5060", 29), 29U);
  EXPECT_EQ(taken("192.0.2.1:7777", 100), 1U) << "the address counts, not the port";
  EXPECT_EQ(taken("192.0.2.2:5060", 30), 30U) << "another one is another one";
  now += 9999ms;
  EXPECT_EQ(taken("192.0.2.1:5060", 1), 0U);
  now += 1ms;
  EXPECT_EQ(taken("192.0.2.1:5060", 31), 30U);
  EXPECT_EQ(metrics.get(Metric::sip_sources_silenced), 2U);
  EXPECT_EQ(metrics.get(Metric::sip_source_dropped), 99U + 1 + 1);
}

TEST_F(Budget, Thirty_in_each_window_for_ever_are_fine) {
  for (int i = 0; i < 1000; ++i, now += 2s) EXPECT_EQ(taken("192.0.2.1:5060", 30), 30U);
}

TEST_F(Budget, An_IPv6_network_of_64_bits_is_one_source) {
  EXPECT_EQ(taken("[2001:db8:0:1::1]:5060", 20), 20U);
  EXPECT_EQ(taken("[2001:db8:0:1:ffff::2]:5060", 20), 10U);
  EXPECT_EQ(taken("[2001:db8:0:2::1]:5060", 20), 20U);
  EXPECT_EQ(taken("[::ffff:192.0.2.1]:5060", 20), 20U);
  EXPECT_EQ(taken("192.0.2.1:5060", 20), 10U) << "the same address";
}

TEST_F(Budget, A_proven_source_has_a_larger_budget_and_is_never_silent) {
  config.requests_proven = 100;
  EXPECT_EQ(taken("192.0.2.1:5060", 40), 30U);
  budget.prove(config, address("192.0.2.1:9"), now);
  EXPECT_TRUE(budget.proven(address("192.0.2.1:5060"), now));
  EXPECT_EQ(taken("192.0.2.1:5060", 200), 100U) << "at once, out of its silence";
  EXPECT_EQ(metrics.get(Metric::sip_source_proven_dropped), 100U);
  now += 2s;
  EXPECT_EQ(taken("192.0.2.1:5060", 200), 100U);
  now += 1h;
  EXPECT_FALSE(budget.proven(address("192.0.2.1:5060"), now));
  EXPECT_EQ(taken("192.0.2.1:5060", 40), 30U);
}

TEST_F(Budget, Zero_is_no_limit) {
  config.requests_proven = 0;
  budget.prove(config, address("192.0.2.1:9"), now);
  EXPECT_EQ(taken("192.0.2.1:5060", 50'000), 50'000U);
  config.requests = 0;
  EXPECT_EQ(taken("192.0.2.3:5060", 50'000), 50'000U);
}

TEST_F(Budget, What_no_stranger_can_be_is_not_counted) {
  config.exempt = {*core::parse_cidr("127.0.0.0/8"), *core::parse_cidr("::1/128")};
  for (const char* own : {"127.0.0.1:5060", "127.9.9.9:1", "[::1]:5060", "[::ffff:127.0.0.1]:5060"}) EXPECT_EQ(taken(own, 500), 500U) << own;
  EXPECT_EQ(taken("[::2]:5060", 500), 30U);
  EXPECT_EQ(taken("128.0.0.1:5060", 500), 30U);
}

TEST_F(Budget, More_sources_than_it_holds_push_out_strangers_first) {
  policy::SourceBudget small{64, random, metrics};
  small.prove(config, address("192.0.2.1:5060"), now);
  for (unsigned i = 0; i < 10'000; ++i) {
    const std::string source = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ":5060";
    EXPECT_TRUE(small.take(config, address(source), now));
  }
  EXPECT_TRUE(small.proven(address("192.0.2.1:5060"), now));
  EXPECT_GE(metrics.get(Metric::sip_sources_evicted), 10'000U - 64);
}

// --- as a service uses it

struct Strangers : testing::Test {
  static std::string request(const std::string& method, int number, const std::string& lines = {}) {
    return method + " sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKs" +
           std::to_string(number) + "\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.org>;tag=f\r\n" +
           "To: <sip:bob@example.org>\r\nCall-ID: stranger" + std::to_string(number) + "\r\nCSeq: 1 " + method +
           "\r\n" + lines + "Content-Length: 0\r\n\r\n";
  }
  std::size_t answers(SipWorld& world, const std::string& source, int count) {
    (void)world.take();
    for (int i = 0; i < count; ++i) world.datagram(request("MESSAGE", ++number_), source);
    return world.take().size();
  }
  int number_ = 0;
};

TEST_F(Strangers, X11_a_stranger_gets_thirty_answers_and_one_who_is_known_all) {
  SipWorld world;
  EXPECT_EQ(answers(world, "192.0.2.7:5060", 50), 30U);
  EXPECT_EQ(world.metric(Metric::sip_source_dropped), 20U);
  EXPECT_EQ(answers(world, "127.0.0.9:5060", 500), 500U) << "a trusted peer";
  Watcher alice(world, "alice", "192.0.2.8:40001");
  ASSERT_EQ(code(alice.enrol()), "200");
  EXPECT_EQ(answers(world, "192.0.2.8:5060", 500), 500U) << "somebody behind that address has shown a password";
  EXPECT_EQ(answers(world, "192.0.2.7:5060", 1), 0U);
  world.advance(10s);
  EXPECT_EQ(answers(world, "192.0.2.7:5060", 1), 1U);
}

TEST_F(Strangers, X11_responses_and_keep_alives_are_nobodys_budget) {
  SipWorld world;
  for (int i = 0; i < 200; ++i) {
    world.datagram("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKx\r\n\r\n", "192.0.2.7:5060");
    world.datagram("\r\n\r\n", "192.0.2.7:5060");
  }
  EXPECT_EQ(world.metric(Metric::sip_source_dropped), 0U);
  EXPECT_EQ(answers(world, "192.0.2.7:5060", 30), 30U);
}

TEST_F(Strangers, X11_what_is_no_SIP_is_counted_too) {
  SipWorld world;
  for (int i = 0; i < 30; ++i) world.datagram("hello", "192.0.2.7:5060");
  EXPECT_EQ(answers(world, "192.0.2.7:5060", 1), 0U);
}

TEST_F(Strangers, X11_connections_have_no_budget) {
  SipWorld world;
  const core::ConnId conn = world.open("192.0.2.7:50001");
  for (int i = 0; i < 50; ++i) world.bytes(conn, request("MESSAGE", 1000 + i));
  EXPECT_EQ(world.take().size(), 50U);
}

TEST_F(Strangers, X11_a_short_request_gets_one_challenge_or_none_a_long_one_all) {
  SipWorld world;
  const auto reply = [&](const std::string& text) {
    world.datagram(text, "192.0.2.7:5060");
    const auto sent = world.take();
    EXPECT_LE(sent.size(), 1U);
    return sent.empty() ? std::string() : sent.front().text;
  };
  const auto challenges = [](const std::string& text) {
    std::size_t n = 0;
    for (std::size_t at = 0; (at = text.find("Proxy-Authenticate", at)) != std::string::npos; ++at) ++n;
    return n;
  };
  const std::string shortest =
      "MESSAGE sip:b@example.org SIP/2.0\r\nv:SIP/2.0/UDP "
      "a;branch=z9hG4bK1\r\nf:<sip:a@b>;tag=1\r\nt:<sip:b@c>\r\ni:1\r\n"
      "CSeq:1 MESSAGE\r\n\r\n";
  const std::string first = reply(shortest);
  EXPECT_LE(first.size(), 3 * shortest.size());
  EXPECT_LE(challenges(first), 1U);
  const std::string whole = reply(request("MESSAGE", 1, "Subject: " + std::string(100, 'x') + "\r\n"));
  EXPECT_EQ(challenges(whole), 2U);
  EXPECT_GE(world.metric(Metric::sip_reply_shortened) + world.metric(Metric::sip_reply_withheld), 1U);
}

}  // namespace
}  // namespace parley::tests
