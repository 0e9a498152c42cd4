// tests/service/proxy_answers_test.cc - responses whose connection is gone (R3263-3), and registrations by a core.
#include <gtest/gtest.h>

#include "tests/service/proxy_world.h"

namespace parley::tests {
namespace {

struct ProxyAnswers : testing::Test {
  explicit ProxyAnswers(const std::shared_ptr<const policy::SipConfig>& config = sip_config()) : world(config) {}
  SipWorld world;
  SipWorld::Sent there;

  // A MESSAGE by a connection that ends before it is answered.
  void ask_and_leave(std::string_view transport = "TCP", std::uint16_t listener = 1) {
    ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@127.0.0.2:5070>")), "200");
    const core::ConnId conn = world.open("127.0.0.9:40001", 0, listener);
    world.bytes(conn, text_of({.transport = std::string(transport), .sent_by = "127.0.0.9:6060"}));
    there = world.only();
    world.close(conn);
  }
};

TEST_F(ProxyAnswers, R3263_3_AResponseWhoseConnectionIsGoneOpensOne) {
  ask_and_leave();
  world.answer(there, 200);
  ASSERT_EQ(world.connects.size(), 1U);
  EXPECT_EQ(world.connects[0].address, address("127.0.0.9:6060")) << "where it came from, at the port of sent-by";
  EXPECT_FALSE(world.connects[0].tls);
  EXPECT_TRUE(world.take().empty());
  (void)world.connected(world.connects[0].token, "127.0.0.9:6060");
  EXPECT_EQ(what(world.only().text), "200");
  EXPECT_EQ(world.metric(core::Metric::sip_responses_redialled), 1U);
}

struct ProxyAnswersDenied : ProxyAnswers {
  static std::shared_ptr<policy::SipConfig> denied() {
    auto config = sip_config();
    config->transport.dial_deny = {*core::parse_cidr("127.0.0.9/32")};
    return config;
  }
  ProxyAnswersDenied() : ProxyAnswers(denied()) {}
};

TEST_F(ProxyAnswersDenied, R3263_3_NotWhereNothingGoes) {
  ask_and_leave();
  world.answer(there, 200);
  EXPECT_TRUE(world.connects.empty());
  EXPECT_TRUE(world.take().empty());
}

TEST_F(ProxyAnswers, R3263_3_NotForWhoHasNotProvenHimself) {
  const core::ConnId conn = world.open("127.0.0.8:40001");
  world.close(conn);
  world.bytes(conn, text_of({.transport = "TCP", .sent_by = "127.0.0.8:6060"}));
  EXPECT_TRUE(world.connects.empty());
}

// --- connections that nothing comes by

TEST_F(ProxyAnswers, AConnectionIsInUseWhileAnswersGoByIt) {
  ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@127.0.0.2:5070>")), "200");
  const core::ConnId conn = world.open("127.0.0.9:40001");
  world.bytes(conn, text_of({.method = "INVITE", .transport = "TCP", .lines = "Contact: <sip:alice@127.0.0.9>\r\n"}));
  there = world.only();
  for (int minute = 0; minute < 3; ++minute) {
    world.answer(there, 180);  // RFC 3261 section 13.3.1.1: every minute
    EXPECT_EQ(what(world.only().text), "180");
    world.advance(60s);
    EXPECT_TRUE(world.closes.empty());
  }
  world.answer(there, 486);
  EXPECT_EQ(codes(world.take()), (Codes{"486", "ACK"}));
  world.advance(121s);
  EXPECT_EQ(world.closes, std::vector{conn}) << "idle";
}

TEST_F(ProxyAnswers, R5626_3_AFlowWithoutItsKeepAlivesIsGone) {
  const core::ConnId conn = world.open("127.0.0.9:40001");
  const std::string own = "<sip:bob@example.org>";
  world.bytes(conn, text_of({.method = "REGISTER",
                             .uri = "sip:example.org",
                             .transport = "TCP",
                             .from = own + ";tag=r",
                             .to = own,
                             .lines = "Supported: outbound, path\r\nContact: "
                                      "<sip:bob@127.0.0.9;transport=tcp>;+sip.instance=\"<urn:x>\";reg-id=1\r\n"}));
  const std::string answer = world.only().text;
  ASSERT_EQ(header(answer, "Flow-Timer"), "120");
  for (int n = 0; n < 3; ++n) {
    world.advance(120s);
    world.bytes(conn, "\r\n\r\n");
    EXPECT_EQ(world.only().text, "\r\n");
  }
  world.advance(179s);
  EXPECT_TRUE(world.closes.empty());
  EXPECT_EQ(world.service().live_bindings(), 1U);
  world.advance(2s);
  EXPECT_EQ(world.closes, std::vector{conn});
  EXPECT_EQ(world.service().live_bindings(), 0U);
}

TEST_F(ProxyAnswers, T_19_RportInCapitals) {
  std::string text = text_of({.method = "OPTIONS", .uri = "sip:example.org"});
  text.replace(text.find(";rport"), 6, ";RPort");
  world.datagram(text, "127.0.0.9:7777");
  const SipWorld::Sent answer = world.only();
  EXPECT_EQ(answer.to, address("127.0.0.9:7777"));
  EXPECT_NE(header(answer.text, "Via").find(";RPort=7777"), std::string::npos);
}

// --- REGISTER by two ways

TEST_F(ProxyAnswers, R3261_4_ARegisterThatComesByTwoWaysIsMerged) {
  const std::string own = "<sip:bob@example.org>";
  Says says{.method = "REGISTER",
            .uri = "sip:example.org",
            .from = own + ";tag=r",
            .to = own,
            .lines = "Contact: <sip:bob@127.0.0.2>\r\n"};
  world.datagram(text_of(says), peer);
  EXPECT_EQ(what(world.only().text), "200");
  says.branch = "z9hG4bKtwo";
  world.datagram(text_of(says), peer);
  EXPECT_EQ(what(world.only().text), "482");
}

// --- TS 24.229 section 5.4.1.7

struct ThirdParty : testing::Test {
  SipWorld world{sip_config(), 2};

  // By the S-CSCF, for a user of it.
  std::string enrol_for(const std::string& user, const std::string& expires, std::uint32_t shard,
                        const std::string& contact = "<sip:127.0.0.9:6060>") {
    static std::uint32_t number = 0;
    ++number;
    const std::string body =
        "--b\r\nContent-Type: message/sip\r\n\r\nREGISTER sip:example.org SIP/2.0\r\n\r\n--b\r\nContent-Type: "
        "message/http\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\n--b--\r\n";
    world.datagram(text_of({.method = "REGISTER",
                            .uri = "sip:127.0.0.1:5060",
                            .branch = "z9hG4bKt" + std::to_string(number),
                            .from = "<sip:127.0.0.9:6060>;tag=s",
                            .to = "<sip:" + user + "@example.org>",
                            .call_id = "third" + user,
                            .cseq = number,
                            .lines = "Contact: " + contact + "\r\nExpires: " + expires +
                                     "\r\nP-Asserted-Identity: <sip:127.0.0.9>\r\nContent-Type: "
                                     "multipart/mixed;boundary=b\r\n",
                            .body = body}),
                   peer, shard);
    return world.only().text;
  }
};

TEST_F(ThirdParty, AUserOfTheCoreIsReachedThroughIt) {
  for (const std::uint32_t shard : {0U, 1U}) {
    for (const std::string user : {"alice", "dave"}) {  // one that is configured here, one only the core knows
      const std::string answer = enrol_for(user, "600", shard);
      ASSERT_EQ(what(answer), "200") << "no challenge, whatever the bodies say";
      EXPECT_EQ(header(answer, "Contact"), "<sip:127.0.0.9:6060>;expires=600");
      world.datagram(
          text_of({.uri = "sip:" + user + "@example.org", .branch = "z9hG4bKm" + user + std::to_string(shard)}), peer,
          1 - shard);
      const SipWorld::Sent on = world.only();
      EXPECT_EQ(on.to, address("127.0.0.9:6060"));
      EXPECT_TRUE(on.text.starts_with("MESSAGE sip:" + user + "@example.org SIP/2.0"))
          << "it knows him by this URI, not by its own";
      world.answer(on, 200);
      EXPECT_EQ(what(world.only().text), "200");
      ASSERT_EQ(what(enrol_for(user, "0", shard)), "200");
    }
  }
  EXPECT_EQ(world.service(0).live_bindings() + world.service(1).live_bindings(), 0U);
}

TEST_F(ThirdParty, ItEndsWithItsTime) {
  ASSERT_EQ(what(enrol_for("alice", "600", 0)), "200");
  world.advance(601s);
  EXPECT_EQ(world.service(0).live_bindings() + world.service(1).live_bindings(), 0U);
}

TEST_F(ThirdParty, NobodyElseRegistersOthers) {
  const Says says{.method = "REGISTER",
                  .uri = "sip:example.org",
                  .sent_by = "127.0.0.8:5060",
                  .from = "<sip:carol@example.org>;tag=s",
                  .to = "<sip:alice@example.org>",
                  .lines = "Contact: <sip:127.0.0.8:6060>\r\n"};
  world.datagram(text_of(says), "127.0.0.8:5060");
  const std::string challenge = world.only().text;
  ASSERT_EQ(what(challenge), "401");
  Says again = says;
  again.branch = "z9hG4bKtwo";
  again.cseq = 2;
  again.lines += credentials(challenge, "REGISTER", says.uri, "carol");
  world.datagram(text_of(again), "127.0.0.8:5060");
  EXPECT_EQ(what(world.only().text), "403");
}

}  // namespace
}  // namespace parley::tests
