// tests/service/proxy_routes_test.cc - where requests go and what goes with them: Route, ACK, credentials, tokens.
#include <gtest/gtest.h>

#include "tests/service/proxy_world.h"

namespace parley::tests {
namespace {

struct ProxyRoutes : testing::Test {
  SipWorld world;
  static std::shared_ptr<policy::SipConfig> open_config() {
    auto config = sip_config();
    config->dial_allow = {*core::parse_cidr("127.0.0.0/8")};
    return config;
  }
};

// --- Route

// TS 24.229: in an originating leg the S-CSCF puts itself behind us, and that is where the request goes; that its URI
// is of a registered user of ours changes nothing.
TEST_F(ProxyRoutes, AnOriginatingLegGoesBackToTheCore) {
  ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@127.0.0.2:5070>")), "200");
  world.datagram(text_of({.lines = "Route: <sip:127.0.0.1:5060;lr;orig>, <sip:odi7@127.0.0.9:6060;lr>\r\n"}), peer);
  const SipWorld::Sent on = world.only();
  EXPECT_EQ(on.to, address("127.0.0.9:6060"));
  EXPECT_TRUE(on.text.starts_with("MESSAGE sip:bob@example.org SIP/2.0\r\n")) << on.text;
  EXPECT_EQ(header(on.text, "Route"), "<sip:odi7@127.0.0.9:6060;lr>");
}

TEST_F(ProxyRoutes, R3261_10_AStrictRouterIsTheRequestUri) {
  world.datagram(
      text_of({.uri = "sip:carol@far.example.com",
               .lines = "Route: <sip:127.0.0.1:5060;lr>, <sip:old@127.0.0.9:6060>, <sip:127.0.0.9:6061;lr>\r\n"}),
      peer);
  const SipWorld::Sent on = world.only();
  EXPECT_EQ(on.to, address("127.0.0.9:6060"));
  EXPECT_TRUE(on.text.starts_with("MESSAGE sip:old@127.0.0.9:6060 SIP/2.0\r\n")) << on.text;
  EXPECT_EQ(header(on.text, "Route"), "<sip:127.0.0.9:6061;lr>, <sip:carol@far.example.com>");
}

// --- tokens

TEST_F(ProxyRoutes, R3261_10_ATokenProvesNothingOutsideItsDialog) {
  ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@127.0.0.2:5070>")), "200");
  world.datagram(text_of({.method = "INVITE", .lines = "Contact: <sip:alice@127.0.0.9>\r\n"}), peer);
  const SipWorld::Sent there = world.only();
  const std::string route = header(there.text, "Record-Route");
  ASSERT_FALSE(route.empty());
  Says again{.uri = "sip:anybody@127.0.0.7:5060",
             .sent_by = "127.0.0.2:5070",
             .branch = "z9hG4bKtwo",
             .lines = "Route: " + route + "\r\n"};
  world.datagram(text_of(again), "127.0.0.2:5070");
  EXPECT_EQ(what(world.only().text), "407") << "it begins something new";
  again.branch = "z9hG4bKthree";
  again.to += ";tag=b1";
  world.datagram(text_of(again), "127.0.0.2:5070");
  EXPECT_EQ(what(world.only().text), "MESSAGE") << "in the dialog";
}

// --- who it says it is from

TEST_F(ProxyRoutes, NobodySendsAsAnotherUserUnderAnyOfOurNames) {
  ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@127.0.0.2:5070>")), "200");
  for (const std::string from :
       {"<sip:carol@example.org>;tag=a1", "<sip:carol@127.0.0.1:5060>;tag=a1", "<sip:carol@127.0.0.1>;tag=a1"}) {
    Says says{.sent_by = "127.0.0.8:5060", .from = from, .call_id = "c" + std::to_string(from.size())};
    world.datagram(text_of(says), "127.0.0.8:5060");
    const std::string challenge = world.only().text;
    ASSERT_EQ(what(challenge), "407");
    says.branch = "z9hG4bKtwo";
    says.cseq = 2;
    says.lines = credentials(challenge, "MESSAGE", says.uri, "alice");
    world.datagram(text_of(says), "127.0.0.8:5060");
    EXPECT_EQ(what(world.only().text), "403") << from;
  }
}

// --- credentials

TEST_F(ProxyRoutes, R3261_17_CredentialsForUsGoNoFurtherThoseForOthersDo) {
  ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@127.0.0.2:5070>")), "200");
  const std::string others =
      "Proxy-Authorization: Digest username=\"a\", realm=\"far.example.com\", nonce=\"n\", uri=\"sip:x\", "
      "response=\"r\"\r\n";
  Says says{.sent_by = "127.0.0.8:5060"};
  world.datagram(text_of(says), "127.0.0.8:5060");
  const std::string challenge = world.only().text;
  says.branch = "z9hG4bKtwo";
  says.cseq = 2;
  says.lines = others + credentials(challenge, "MESSAGE", says.uri, "alice");
  world.datagram(text_of(says), "127.0.0.8:5060");
  const std::string on = world.only().text;
  ASSERT_EQ(what(on), "MESSAGE");
  EXPECT_EQ(on.find("realm=\"example.org\""), std::string::npos);
  EXPECT_NE(on.find(others), std::string::npos);
}

// In a dialog nobody asks for them; who sends them all the same must not show them to the other side.
TEST_F(ProxyRoutes, R3261_17_NorInADialog) {
  ASSERT_EQ(what(enrol(world, "bob", "<sip:bob@127.0.0.2:5070>")), "200");
  world.datagram(text_of({.method = "INVITE", .lines = "Contact: <sip:alice@127.0.0.9>\r\n"}), peer);
  const std::string route = header(world.only().text, "Record-Route");
  const std::string mine =
      "Proxy-Authorization: Digest username=\"alice\", realm=\"example.org\", nonce=\"n\", uri=\"sip:x\", "
      "response=\"ab\"\r\n";
  for (const std::string method : {"ACK", "INFO"}) {
    world.datagram(text_of({.method = method,
                            .uri = "sip:bob@127.0.0.2:5070",
                            .branch = "z9hG4bK" + method,
                            .to = "<sip:bob@example.org>;tag=b1",
                            .cseq = 2,
                            .lines = "Route: " + route + "\r\nP-Asserted-Identity: <sip:king@example.org>\r\n" + mine}),
                   "127.0.0.8:5060");
    const std::string on = world.only().text;
    EXPECT_EQ(what(on), method);
    EXPECT_EQ(header(on, "Proxy-Authorization"), "");
    EXPECT_EQ(header(on, "P-Asserted-Identity"), "") << "from a stranger";
  }
}

// --- ACK

TEST_F(ProxyRoutes, R3261_8_AnAckFindsItsWayByName) {
  const Says ack{.method = "ACK",
                 .uri = "sip:bob@host.example.com",
                 .to = "<sip:bob@example.org>;tag=b1",
                 .lines = "Route: <sip:127.0.0.1:5060;lr>, <sip:127.0.0.9:6060;lr>\r\n"};
  world.datagram(text_of(ack), peer);
  EXPECT_EQ(world.only().to, address("127.0.0.9:6060"));
  Says named = ack;
  named.lines = "Route: <sip:127.0.0.1:5060;lr>, <sip:core.example.com;lr>\r\n";
  named.branch = "z9hG4bKtwo";
  world.datagram(text_of(named), peer);
  EXPECT_TRUE(world.take().empty());
  ASSERT_EQ(world.resolves.size(), 1U);
  EXPECT_EQ(world.resolves[0].host, "core.example.com");
  world.resolved(world.resolves[0], {"192.0.2.1:5060", "127.0.0.9:6062"});
  const SipWorld::Sent on = world.only();
  EXPECT_EQ(on.to, address("127.0.0.9:6062")) << "the other one is nowhere we may send to";
  EXPECT_EQ(header(on.text, "Route"), "<sip:core.example.com;lr>");

  named.branch = "z9hG4bKthree";
  world.datagram(text_of(named), peer);
  world.resolved(world.resolves[1], {});
  EXPECT_TRUE(world.take().empty());
  EXPECT_EQ(world.metric(core::Metric::sip_dropped), 1U);
}

TEST_F(ProxyRoutes, R3261_8_AnAckToOurselvesIsNobodys) {
  auto config = sip_config();
  config->trusted_peers = {*core::parse_cidr("127.0.0.0/8")};
  SipWorld open(config);
  for (const std::string uri : {"sip:bob@127.0.0.1:5060", "sip:bob@example.org"}) {
    open.datagram(text_of({.method = "ACK", .uri = uri, .to = "<sip:bob@example.org>;tag=b1"}), peer);
    EXPECT_TRUE(open.take().empty());
    EXPECT_TRUE(open.resolves.empty());
  }
}

TEST_F(ProxyRoutes, AHeldAckGoesWithTheService) {
  world.datagram(text_of({.method = "ACK",
                          .uri = "sip:bob@host.example.com",
                          .to = "<sip:bob@example.org>;tag=b1",
                          .lines = "Route: <sip:core.example.com;lr>\r\n"}),
                 peer);
  EXPECT_EQ(world.resolves.size(), 1U);
}

// --- where nobody can be

TEST_F(ProxyRoutes, SomeContactsAreNowhere) {
  for (const std::string contact :
       {"<sip:bob@224.0.1.75>", "<sip:bob@255.255.255.255>", "<sip:bob@[ff02::1]>",
        "<sip:bob@127.0.0.2:5080;transport=ws>", "<sips:bob@127.0.0.2:5080;transport=ws>"}) {
    SipWorld one;
    ASSERT_EQ(what(enrol(one, "bob", contact)), "200");
    one.datagram(text_of({}), peer);
    const std::string answer = one.only().text;
    EXPECT_TRUE(what(answer) == "403" || what(answer) == "480") << contact << answer;
    EXPECT_TRUE(one.connects.empty()) << contact;
  }
}

}  // namespace
}  // namespace parley::tests
