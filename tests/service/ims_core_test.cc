// tests/service/ims_core_test.cc - an IMS core beside us: what it sends through us by Route, what goes to it because it
// registers the user (--core), and what of identities and charging is kept on the way (the -IMS ids).
#include <gtest/gtest.h>

#include "policy/user_key.h"
#include "tests/service/parties.h"
#include "tests/service/proxy_world.h"

namespace parley::tests {
namespace {

using core::Metric;

const std::string core_at(peer);                 // the trusted one
const std::string core_too = "127.0.0.9:5061";  // it has several sockets
const std::string core_uri = "sip:127.0.0.9:5060;lr";
// What the core says to servers of its trust domain.
const std::string charging =
    "P-Charging-Vector: icid-value=4711;icid-generated-at=10.0.0.1;orig-ioi=example.org\r\n"
    "P-Charging-Function-Addresses: ccf=10.0.0.7\r\nP-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.im\r\n";
const std::string access = "P-Access-Network-Info: 3GPP-E-UTRAN-FDD;utran-cell-id-3gpp=234151D0FCE11\r\n";
const std::string alice_says = "P-Asserted-Identity: <sip:alice@example.org>\r\n";

// A Route that leads here and then back to the core, which learns by it how far the request has come.
std::string by(const std::string& own, const std::string& stage) {
  return "Route: <sip:127.0.0.1:5060;lr" + own + ">, <" + core_uri + ";stage=" + stage + ">\r\n";
}

std::string isb() { return "<isb-settings><incoming-session-barring active=\"true\"/></isb-settings>"; }
std::string ipab() {
  return "<ipab-settings><incoming-personal-alert-barring active=\"true\"/></ipab-settings>";
}
// What a user has set, as the core brings it.
Says publication(const std::string& settings, const std::string& user = "bob", const std::string& lines = {}) {
  const std::string uri = "sip:" + user + "@example.org";
  return {.method = "PUBLISH",
          .uri = uri,
          .from = "<" + uri + ">;tag=p",
          .to = "<" + uri + ">",
          .lines = "Content-Type: application/poc-settings+xml\r\nP-Asserted-Identity: <" + uri + ">\r\n" +
                   (lines.empty() ? "Event: poc-settings\r\n" : lines),
          .body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<poc-settings "
                  "xmlns=\"urn:oma:params:xml:ns:poc:poc-settings\"><entity id=\"e\">" +
                  settings + "</entity></poc-settings>\r\n"};
}

void expect_kept(const std::string& text) {
  for (const char* name : {"P-Charging-Vector", "P-Charging-Function-Addresses", "P-Asserted-Service"}) {
    EXPECT_EQ(header(text, name), header("\r\n" + charging, name)) << text;
  }
}

std::shared_ptr<policy::SipConfig> core_config() {
  auto config = sip_config();
  config->core = core_uri;
  config->registers_users = false;
  config->im.participating = true;
  config->im.product = "IM-serv/OMA1.0 parley/1.2";
  return config;
}

struct ImsCore : testing::Test {
  void make(const std::function<void(policy::SipConfig&)>& change = {}, std::uint32_t shards = 1) {
    auto config = core_config();
    documents = std::make_shared<policy::Documents>();
    config->documents = documents;
    if (change) change(*config);
    world = std::make_unique<SipWorld>(config, shards);
  }
  void SetUp() override { make(); }

  std::vector<SipWorld::Sent> sends(Says says, std::string_view from = peer) {
    says.branch += std::to_string(++requests);
    says.call_id += std::to_string(requests);
    world->datagram(text_of(says), from);
    auto sent = world->take();
    if (!sent.empty() && what(sent[0].text) == "407") {
      says.branch += "a";
      ++says.cseq;
      says.lines += credentials(sent[0].text, says.method, says.uri, "alice");
      world->datagram(text_of(says), from);
      sent = world->take();
    }
    std::erase_if(sent, [](const auto& one) { return what(one.text) == "100"; });
    return sent;
  }
  static SipWorld::Sent only(const std::vector<SipWorld::Sent>& sent) {
    EXPECT_EQ(sent.size(), 1U);
    return sent.empty() ? SipWorld::Sent{0, false, {}, {}, "SIP/2.0 000 nothing\r\n"} : sent[0];
  }
  static Says invite(const std::string& lines, const std::string& uri = "sip:bob@example.org") {
    return {.method = "INVITE",
            .uri = uri,
            .lines = "Contact: <sip:alice@10.0.0.5:5060>;+g.oma.sip-im\r\nContent-Type: application/sdp\r\n" + lines,
            .body = msrp_sdp("alice")};
  }
  void bar() {
    const Says says = publication(isb() + ipab());
    ASSERT_EQ(what(only(sends(says)).text), "200");
  }

  std::shared_ptr<policy::Documents> documents;
  std::unique_ptr<SipWorld> world;
  int requests = 0;
};

// --- the originating function

TEST_F(ImsCore, SEED4_6_1_1_1_IMS_ItPassesWhatTheCoreBringsAndFollowsItsRoute) {
  for (const std::string& kind : {im, large}) {  // SEED4-6.1.1.2.1-IMS: whatever session it is
    const Says says = invite(kind + alice_says + charging + access + by(";orig", "orig"));
    const SipWorld::Sent sent = only(sends(says));
    EXPECT_EQ(what(sent.text), "INVITE");
    EXPECT_TRUE(sent.text.starts_with("INVITE sip:bob@example.org SIP/2.0\r\n")) << sent.text;
    EXPECT_EQ(core::to_string(sent.to), core_at);
    EXPECT_EQ(values(sent.text, "Route"), Codes{"<" + core_uri + ";stage=orig>"}) << sent.text;
    EXPECT_TRUE(header(sent.text, "Record-Route").ends_with("@127.0.0.1:5060;lr>")) << "SEED4-6.1.1.2.2-2b";
    EXPECT_EQ(header(sent.text, "P-Asserted-Identity"), "<sip:alice@example.org>");
    EXPECT_EQ(header(sent.text, "P-Access-Network-Info"), header("\r\n" + access, "P-Access-Network-Info"));
    expect_kept(sent.text);
    EXPECT_EQ(body_of(sent.text), says.body) << "SEED4-6.1.1.2.2-2c";
  }
}

TEST_F(ImsCore, SEED4_6_1_1_1_IMS_PServedUserSaysWhoseChecksTheyAre) {
  documents->policy.users[policy::user_key("sip:dave@example.org")].modes = 0;
  const std::string dave = "P-Served-User: <sip:dave@example.org>;sescase=";
  const std::string lines = im + alice_says + by("", "x");
  EXPECT_EQ(what(only(sends(invite(lines))).text), "INVITE");
  EXPECT_EQ(what(only(sends(invite(lines + dave + "orig;regstate=reg\r\n"))).text), "403");
  const std::string kept = only(sends(invite(lines + dave + "term\r\n"))).text;
  EXPECT_EQ(what(kept), "INVITE");
  EXPECT_EQ(header(kept, "P-Served-User"), "<sip:dave@example.org>;sescase=term");
  // The same from somebody whose word does not count: he is checked as himself, and it goes.
  Says says = invite(im + dave + "orig\r\n", "sip:bob@example.org");
  says.sent_by = "127.0.0.1:40001";
  const std::string text = only(sends(says, "127.0.0.1:40001")).text;
  EXPECT_EQ(what(text), "INVITE");
  EXPECT_EQ(header(text, "P-Served-User"), "");
}

// OMA-ID-6: what he asserts of himself goes, what he has proven comes.
TEST_F(ImsCore, SEED4_6_1_1_2_2_1h_WhatAUserHereSendsGoesToTheCoreUnlessItsTargetIsHere) {
  // alice has a password here, bob a binding, nobody else is known.
  world->datagram(text_of({.method = "REGISTER",
                           .uri = "sip:example.org",
                           .from = "<sip:bob@example.org>;tag=r",
                           .to = "<sip:bob@example.org>",
                           .lines = "Contact: <sip:bob@127.0.0.1:40002>\r\n"}),
                  peer);
  ASSERT_EQ(what(world->only().text), "200");
  for (const std::string uri : {"sip:dave@example.org", "sip:eve@far.example", "tel:+4930123", "sip:bob@example.org"}) {
    for (const char* method : {"MESSAGE", "INVITE", "OPTIONS", "SUBSCRIBE"}) {
      Says says = invite("P-Asserted-Identity: <sip:bob@example.org>\r\nP-Charging-Vector: icid-value=forged\r\n"
                         "Event: presence\r\n", uri);
      says.method = method;
      says.sent_by = "127.0.0.1:40001";
      says.from = "<sip:alice@example.org>;tag=1";
      const SipWorld::Sent sent = only(sends(says, "127.0.0.1:40001"));
      EXPECT_TRUE(sent.text.starts_with(std::string(method) + " ")) << sent.text;
      EXPECT_EQ(header(sent.text, "P-Charging-Vector"), "");
      if (uri == "sip:bob@example.org") {
        EXPECT_EQ(core::to_string(sent.to), "127.0.0.1:40002");
        EXPECT_EQ(header(sent.text, "Route"), "");
        continue;
      }
      EXPECT_TRUE(sent.text.starts_with(std::string(method) + " " + uri + " SIP/2.0\r\n")) << sent.text;
      EXPECT_EQ(core::to_string(sent.to), core_at) << uri;
      EXPECT_EQ(values(sent.text, "Route"), Codes{"<" + core_uri + ">"});
      EXPECT_EQ(header(sent.text, "P-Asserted-Identity"), "<sip:alice@example.org>");
    }
  }
}

TEST_F(ImsCore, SEED4_6_1_1_1_IMS_NothingGoesBackToTheCoreInCircles) {
  EXPECT_EQ(what(only(sends(invite(im + alice_says))).text), "480") << "bob has a password here, and no device";
  EXPECT_EQ(what(only(sends(invite(im + alice_says, "sip:nobody@example.org"))).text), "404");
  const SipWorld::Sent out = only(sends(invite(im + alice_says + "Route: <sip:127.0.0.1:5060;lr;orig>\r\n")));
  EXPECT_EQ(what(out.text), "INVITE");
  EXPECT_EQ(values(out.text, "Route"), Codes{"<" + core_uri + ">"});
}

TEST_F(ImsCore, SEED4_6_1_1_1_IMS_AnotherShardKnowsTheBindings) {
  make({}, 2);
  for (const char* user : {"u1", "u2", "u3", "u4", "u5", "u6"}) {
    const std::string uri = "sip:" + std::string(user) + "@example.org";
    const std::string lines = im + alice_says + "Route: <sip:127.0.0.1:5060;lr;orig>\r\n";
    EXPECT_TRUE(only(sends(invite(lines, uri))).text.starts_with("INVITE " + uri + " ")) << uri;
    EXPECT_TRUE(only(sends(invite(im + alice_says + by("", "term"), uri))).text.starts_with("INVITE " + uri + " "));
  }
}

// --- the terminating function

TEST_F(ImsCore, SEED4_6_1_2_1_IMS_WhatTheCoreAsksUsToCheckGoesBackToIt) {
  const std::string lines = alice_says + charging + access + by("", "term");
  for (const std::string& kind : {im, large}) {  // SEED4-6.1.2.2.1-IMS
    const Says says = invite(kind + lines);
    const SipWorld::Sent sent = only(sends(says));
    EXPECT_TRUE(sent.text.starts_with("INVITE sip:bob@example.org SIP/2.0\r\n")) << "SEED4-6.1.2.2.2-2 " << sent.text;
    EXPECT_EQ(core::to_string(sent.to), core_at);
    EXPECT_EQ(values(sent.text, "Route"), Codes{"<" + core_uri + ";stage=term>"});
    EXPECT_EQ(header(sent.text, "P-Asserted-Identity"), "<sip:alice@example.org>") << "SEED4-6.1.2.2.2-9";
    EXPECT_EQ(header(sent.text, "P-Access-Network-Info"), header("\r\n" + access, "P-Access-Network-Info"));
    expect_kept(sent.text);
    EXPECT_EQ(body_of(sent.text), says.body);
    world->answer(sent, 480);
    EXPECT_EQ(codes(world->take()), (Codes{"ACK", "480"})) << "SEED4-6.1.2.1-6";
  }
  EXPECT_EQ(world->metric(Metric::im_terminating), 2U);
  EXPECT_EQ(world->metric(Metric::im_deferrals), 1U) << "SEED4-6.1.2.1-5: of the large message";
}

TEST_F(ImsCore, SEED4_6_1_2_1_IMS_BarringHoldsForWhomTheCoreRegisters) {
  bar();
  const std::string lines = alice_says + by("", "term");
  for (const std::string& kind : {im, large}) EXPECT_EQ(what(only(sends(invite(kind + lines))).text), "403");
  EXPECT_EQ(what(only(sends({.lines = "Content-Type: text/plain\r\n" + lines, .body = "x"})).text), "403");
  EXPECT_EQ(what(only(sends(invite(im + lines, "sip:carol@example.org"))).text), "INVITE");
  EXPECT_EQ(what(only(sends(invite(im + alice_says + by(";orig", "orig")))).text), "INVITE") << "on its way out";
  // By another name of his.
  const std::string bob = "P-Served-User: <sip:bob@example.org>;sescase=term\r\n";
  EXPECT_EQ(what(only(sends(invite(im + lines, "tel:+4930123"))).text), "INVITE");
  EXPECT_EQ(what(only(sends(invite(im + lines + bob, "tel:+4930123"))).text), "403");
  EXPECT_EQ(world->metric(Metric::im_refused_barred), 4U);
}

TEST_F(ImsCore, SEED3_5_2_4_3_SettingsThatTheCoreBringsAreTakenWhateverRouteItHasBesides) {
  const auto publish = [&](const std::string& event) {
    return only(sends(publication(isb(), "alice", "Event: " + event + "\r\n" + by(";orig", "orig")))).text;
  };
  EXPECT_EQ(what(publish("poc-settings")), "200");
  EXPECT_EQ(what(publish("presence")), "PUBLISH") << "another server's";
}

// --- dialogs

// The core drops connections over which nothing goes; it is called where its Record-Route says.
TEST_F(ImsCore, SEED4_6_1_2_2_5_IMS_ADialogOutlivesTheCoresConnection) {
  const core::ConnId conn = world->open("127.0.0.9:41000");
  Says says = invite(im + alice_says + "Record-Route: <sip:127.0.0.9:5060;lr>\r\n" + by("", "term"));
  says.transport = "TCP";
  world->bytes(conn, text_of(says));
  auto sent = world->take();
  std::erase_if(sent, [](const auto& one) { return what(one.text) == "100"; });
  const SipWorld::Sent out = only(sent);
  ASSERT_EQ(what(out.text), "INVITE");
  // From bob's side, by the core.
  const auto routes = values(out.text, "Record-Route");
  ASSERT_EQ(routes.size(), 3U) << out.text;
  const Says bye{.method = "BYE",
                 .uri = "sip:alice@10.0.0.5:5060",
                 .branch = "z9hG4bKbye",
                 .from = "<sip:bob@example.org>;tag=b1",
                 .to = "<sip:alice@example.org>;tag=a1",
                 .lines = "Route: " + routes[0] + ", " + routes[1] + ", " + routes[2] + "\r\n"};
  world->datagram(text_of(bye), peer);
  const SipWorld::Sent over = world->only();
  EXPECT_FALSE(over.datagram) << "by the connection, while it is there";
  EXPECT_EQ(header(over.text, "Route"), "<sip:127.0.0.9:5060;lr>");
  world->close(conn);
  world->take();
  Says next = bye;
  next.branch = "z9hG4bKnext";
  next.cseq = 2;
  world->datagram(text_of(next), peer);
  const SipWorld::Sent again = world->only();
  EXPECT_EQ(what(again.text), "BYE") << again.text;
  EXPECT_EQ(core::to_string(again.to), core_at);
  EXPECT_EQ(header(again.text, "Route"), "<sip:127.0.0.9:5060;lr>");
}

struct ImsCalls : testing::Test {
  void SetUp() override {
    auto config = core_config();
    config->calls.carrying = policy::Carrying::b2bua;
    line = std::make_unique<Line>(config);
    line->datagrams_only = true;
    near = std::make_unique<Phone>(*line, "cf", core_too);  // where requests come from
    far = std::make_unique<Phone>(*line, "ue", core_at);
  }
  std::unique_ptr<Line> line;
  std::unique_ptr<Phone> near, far;
};

// SEED4-6.1.1.2.2-IMS, SEED4-6.1.2.2.2-IMS, SEED4-6.1.2.2.3-IMS, SEED4-6.1.2.2.5-IMS: a server that is an end of both
// dialogs. Which of the two functions it is, is said by the Route.
TEST_F(ImsCalls, SEED4_6_1_2_2_2_IMS_BetweenTwoDialogs) {
  for (const std::string side : {"orig", "term"}) {
    near->invite("bob", "offer",
                 im + alice_says + charging + access + "Record-Route: <sip:10.0.0.1;lr;a>, <sip:10.0.0.2;lr;b>\r\n" +
                     by(side == "orig" ? ";orig" : "", side));
    const std::string invite = far->want("INVITE");
    EXPECT_TRUE(invite.starts_with("INVITE sip:bob@example.org SIP/2.0\r\n")) << invite;
    EXPECT_EQ(values(invite, "Route"), Codes{"<" + core_uri + ";stage=" + side + ">"});
    EXPECT_EQ(header(invite, "Record-Route"), "");
    EXPECT_EQ(header(invite, "P-Asserted-Identity"), "<sip:alice@example.org>");
    EXPECT_EQ(header(invite, "P-Access-Network-Info"), header("\r\n" + access, "P-Access-Network-Info"));
    expect_kept(invite);
    far->call_id.clear();
    far->respond(invite, 200, "answer",
                 "P-Asserted-Identity: <sip:bob@example.org>\r\nRecord-Route: <sip:10.0.0.3;lr;d>, "
                 "<sip:127.0.0.9:5060;lr;c>\r\nP-Charging-Vector: icid-value=4711;term-ioi=far.example\r\n");
    const std::string ok = near->want("200 INVITE");
    EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:bob@example.org>") << "SEED4-6.1.2.2.2-11";
    EXPECT_EQ(header(ok, "P-Charging-Vector"), "icid-value=4711;term-ioi=far.example");
    EXPECT_EQ(values(ok, "Record-Route").size(), 1U) << "of the dialog here: " << ok;
    near->take(ok);
    near->ack();
    EXPECT_EQ(header(far->want("ACK"), "Route"), "<sip:127.0.0.9:5060;lr;c>, <sip:10.0.0.3;lr;d>");
    near->request("INVITE", "offer2", access + "P-Charging-Vector: icid-value=4711\r\n");
    const std::string change = far->want("INVITE");
    EXPECT_EQ(header(change, "Route"), "<sip:127.0.0.9:5060;lr;c>, <sip:10.0.0.3;lr;d>");
    EXPECT_EQ(header(change, "P-Charging-Vector"), "icid-value=4711");
    EXPECT_EQ(header(change, "P-Access-Network-Info"), header("\r\n" + access, "P-Access-Network-Info"));
    far->respond(change, 200, "answer2", "P-Charging-Vector: icid-value=4711;term-ioi=far.example\r\n");
    EXPECT_EQ(header(near->want("200 INVITE"), "P-Charging-Vector"), "icid-value=4711;term-ioi=far.example");
    near->ack();
    far->want("ACK");
    near->request("BYE");
    near->want("200 BYE");
    const std::string bye = far->want("BYE");
    EXPECT_EQ(header(bye, "Route"), "<sip:127.0.0.9:5060;lr;c>, <sip:10.0.0.3;lr;d>");
    far->respond(bye, 200);
  }
}

// SEED4-6.1.2.2.4-IMS
TEST_F(ImsCalls, SEED4_6_1_2_2_4_IMS_ACancelGoesTheWayOfItsInvite) {
  near->invite("bob", "offer", im + alice_says + charging + by("", "term"));
  const std::string invite = far->want("INVITE");
  far->respond(invite, 180, {}, "P-Charging-Vector: icid-value=4711\r\n");
  EXPECT_EQ(header(near->want("180 INVITE"), "P-Charging-Vector"), "icid-value=4711");
  near->cancel("Reason: SIP;cause=200\r\n");
  near->want("200 CANCEL");
  near->want("487 INVITE");
  const std::string cancel = far->want("CANCEL");
  EXPECT_EQ(header(cancel, "Route"), header(invite, "Route"));
  EXPECT_EQ(header(cancel, "Via"), header(invite, "Via"));
}

TEST_F(ImsCalls, SEED4_6_1_2_1_IMS_TheChecksHoldThereToo) {
  near->send(text_of(publication(isb())));
  near->want("200 PUBLISH");
  near->invite("bob", "offer", im + alice_says + by("", "term"));
  near->want("403 INVITE");
  far->quiet();
}

// --- the controlling function

struct ImsFocus : testing::Test {
  void SetUp() override {
    auto config = focus_config();
    config->core = core_uri;
    config->registers_users = false;
    config->trusted_peers = {*core::parse_cidr("127.0.0.9/32")};
    line = std::make_unique<Line>(config);
    line->datagrams_only = true;
    near = std::make_unique<Phone>(*line, "alice", core_too);
    far = std::make_unique<Phone>(*line, "bob", core_at);
  }
  std::unique_ptr<Line> line;
  std::unique_ptr<Phone> near, far;
};

// SEED2-7.2.1.1-IMS, OMA-SES-4
TEST_F(ImsFocus, SEED2_7_2_1_1_IMS_ItInvitesByTheCore) {
  for (const std::string& way : {std::string(), by("", "conf")}) {
    near->invite("bob", msrp_sdp("alice"),
                 im_lines + alice_says + charging + "Record-Route: <sip:127.0.0.9:5060;lr;a>\r\n" + way);
    const std::string invite = far->want("INVITE");
    EXPECT_TRUE(invite.starts_with("INVITE sip:bob@example.org SIP/2.0\r\n")) << invite;
    EXPECT_EQ(values(invite, "Route"), Codes{"<" + core_uri + ">"}) << way;
    EXPECT_EQ(header(invite, "P-Asserted-Identity"), "<sip:alice@example.org>");
    expect_kept(invite);
    far->call_id.clear();
    far->respond(invite, 180);
    EXPECT_EQ(header(near->want("180 INVITE"), "P-Charging-Vector"), header("\r\n" + charging, "P-Charging-Vector"));
    far->respond(invite, 200, msrp_sdp("bob", "a=setup:active\r\n"), "Record-Route: <sip:127.0.0.9:5060;lr;z>\r\n");
    EXPECT_EQ(header(far->want("ACK"), "Route"), "<sip:127.0.0.9:5060;lr;z>");
    const std::string ok = near->want("200 INVITE");
    EXPECT_EQ(header(ok, "P-Charging-Vector"), header("\r\n" + charging, "P-Charging-Vector"));
    EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:factory@example.org>");
    EXPECT_EQ(header(ok, "Record-Route"), "<sip:127.0.0.9:5060;lr;a>");
    near->take(ok);
    near->ack();
    near->request("BYE");
    near->want("200 BYE");
    const std::string bye = far->want("BYE");
    EXPECT_EQ(header(bye, "Route"), "<sip:127.0.0.9:5060;lr;z>");
    far->respond(bye, 200);
  }
}

TEST_F(ImsFocus, SEED2_7_2_1_1_IMS_WhatIsNotForItGoesOnByTheRoute) {
  near->invite("bob", msrp_sdp("alice"), large + alice_says + by("", "conf"));
  const std::string invite = far->want("INVITE");
  EXPECT_EQ(header(invite, "Call-ID"), near->call_id) << "as a proxy does";
  EXPECT_EQ(values(invite, "Route"), Codes{"<" + core_uri + ";stage=conf>"});
}

}  // namespace
}  // namespace parley::tests
