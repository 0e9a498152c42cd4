// tests/service/proxied_sessions_test.cc - IM sessions whose messages do not go through this server: the participating
// functions are proxies for as long as the session lasts. What is judged is what each side gets. SEED4-6.1.1.2.2-2,
// SEED4-6.1.2.2.3, SEED4-6.1.2.2.4, SEED4-6.1.2.2.5, DEC-13.
#include <gtest/gtest.h>

#include "policy/user_key.h"
#include "tests/service/phones.h"

namespace parley::tests {
namespace {

const std::string from_bob = "P-Asserted-Identity: <sip:bob@example.org>\r\n";
const std::string focus_factory = "sip:factory@127.0.0.1:40007;sessiontype=adhoc";

std::string sdp(int version, const std::string& path) {
  return "v=0\r\no=- 1 " + std::to_string(version) +
         " IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 7394 TCP/MSRP *\r\n"
         "a=accept-types:message/cpim text/plain\r\na=path:msrp://127.0.0.1:7394/" +
         path + ";tcp\r\na=x-unknown:stays\r\n";
}

// One side of a session and the other one: a served client and a controlling function elsewhere, whoever invites.
struct ProxiedSessions : Calls {
  void SetUp() override {
    auto config = sip_config();
    config->trusted_peers = {*core::parse_cidr("127.0.0.0/8")};
    config->im.participating = true;
    config->im.product = "IM-serv/OMA1.0 parley/1.2";
    documents = std::make_shared<policy::Documents>();
    config->documents = documents;
    make(config);
    focus = std::make_unique<Phone>(*line, "focus", "127.0.0.1:40007");
    focus->features = ";isfocus;+g.oma.sip-im";
    alice->features = bob->features = ";+g.oma.sip-im";
    alice->outbound = "Route: <sip:127.0.0.1:5060;lr;orig>\r\n";
  }

  // Originating: alice, who is served here, to a controlling function elsewhere; what that got.
  std::string goes_out(const std::string& body = sdp(1, "a1")) {
    alice->invite_uri(focus_factory, body, im);
    return focus->want("INVITE");
  }
  // Terminating: a controlling function invites bob, who is served here; what he got.
  std::string comes_in(const std::string& body = sdp(1, "f1")) {
    focus->invite_uri("sip:bob@example.org", body, im);
    return bob->want("INVITE");
  }
  // The rest until the ACK; the 200 as the one who invited got it.
  std::string answered(Phone& by, Phone& of, const std::string& invite, const std::string& body) {
    by.call_id.clear();
    by.respond(invite, 200, body, from_bob + "Allow: INVITE, ACK, CANCEL, BYE\r\nServer: IM-x/1\r\n");
    const std::string ok = of.want("200 INVITE");
    of.take(ok);
    of.ack();
    by.want("ACK");
    return ok;
  }
  // It passed a proxy and nothing more: what is the sender's came as it was.
  void same(const std::string& sent, const std::string& came) {
    for (const char* name : {"From", "To", "Call-ID", "CSeq", "Contact", "Content-Type"}) {
      EXPECT_EQ(header(came, name), header(sent, name)) << name << "\n" << came;
    }
    EXPECT_EQ(body_of(came), body_of(sent));
    EXPECT_EQ(line->world.service().calls().live(), 0U) << "nothing of it is a dialog of ours";
  }
  void passed_on(Phone& from, Phone& to, const std::string& method, const std::string& body = {}) {
    from.request(method, body);
    const std::string sent = from.last;
    if (method == "INVITE") from.invite_text = sent;
    const std::string came = to.want(method);
    same(sent, came);
    EXPECT_EQ(all_of(came, "Via").size(), 2U);
    EXPECT_EQ(header(came, "Max-Forwards"), "69");
    EXPECT_EQ(header(came, "Route"), "") << "ours is taken off";
    EXPECT_TRUE(came.starts_with(method + " " + from.target + " SIP/2.0\r\n")) << came;
    last_came = came;
  }
  void response_passed_on(Phone& from, Phone& to, int status, const std::string& body = {},
                          const std::string& lines = {}) {
    from.respond(last_came, status, body, lines);
    const std::string sent = from.last;
    const std::string came =
        to.want(std::to_string(status) + header(sent, "CSeq").substr(header(sent, "CSeq").find(' ')));
    same(sent, came);
    EXPECT_EQ(all_of(came, "Via").size(), 1U) << "ours is taken off";
    last_answer = came;
  }
  void nobody_waits() {
    line->pass(std::chrono::minutes(4));
    EXPECT_EQ(line->world.service().live_proxied(), 0U);
    EXPECT_EQ(line->world.service().live_transactions(), 0U);
  }

  std::shared_ptr<policy::Documents> documents;
  std::unique_ptr<Phone> focus;
  std::string last_came;
  std::string last_answer;
};

// --- 6.1.1.2.2, on its way out

TEST_F(ProxiedSessions, SEED4_6_1_1_2_2_2b_2c_TheInviteGoesOnWithOurRecordRouteAndElseAsItWas) {
  const std::string invite = goes_out();
  same(alice->last, invite);
  EXPECT_TRUE(invite.starts_with("INVITE " + focus_factory + " SIP/2.0\r\n")) << invite;
  const std::vector<std::string> routes = all_of(invite, "Record-Route");
  ASSERT_EQ(routes.size(), 1U) << invite;
  EXPECT_TRUE(routes[0].starts_with("<sip:")) << routes[0];
  EXPECT_NE(routes[0].find("@127.0.0.1:5060"), std::string::npos) << routes[0];
  EXPECT_NE(routes[0].find(";lr"), std::string::npos) << routes[0];
  EXPECT_EQ(header(invite, "Max-Forwards"), "69") << "SEED4-6.1.1.2.2-2a";
  EXPECT_EQ(all_of(invite, "Via").size(), 2U);
  EXPECT_EQ(header(invite, "Accept-Contact"), "*;+g.oma.sip-im");
  EXPECT_EQ(header(invite, "User-Agent"), "") << "what is said there is the client's";
}

TEST_F(ProxiedSessions, SEED4_6_1_1_2_2_13_The200IsForwardedToTheClient) {
  const std::string invite = goes_out();
  focus->respond(invite, 180);
  EXPECT_EQ(header(alice->want("180 INVITE"), "Contact"), "<sip:focus@127.0.0.1:40007>;isfocus;+g.oma.sip-im");
  const std::string ok = answered(*focus, *alice, invite, sdp(7, "f1"));
  EXPECT_EQ(body_of(ok), sdp(7, "f1"));
  EXPECT_EQ(header(ok, "Contact"), "<sip:focus@127.0.0.1:40007>;isfocus;+g.oma.sip-im");
  EXPECT_EQ(header(ok, "Allow"), "INVITE, ACK, CANCEL, BYE");
  EXPECT_EQ(header(ok, "Server"), "IM-x/1");
  EXPECT_EQ(header(ok, "Record-Route"), header(invite, "Record-Route")) << "which makes the session come by here";
  EXPECT_EQ(all_of(ok, "Via").size(), 1U);
}

TEST_F(ProxiedSessions, SEED4_6_1_1_2_2_14_ForTheWholeSessionEverythingIsForwardedInBothDirections) {
  (void)answered(*focus, *alice, goes_out(), sdp(1, "f1"));
  for (int round = 0; round < 2; ++round) {
    for (const auto& [from, to] : {std::pair{alice.get(), focus.get()}, {focus.get(), alice.get()}}) {
      passed_on(*from, *to, "INVITE", sdp(2 + round, "again"));
      response_passed_on(*to, *from, 200, sdp(3 + round, "answered"));
      from->ack();
      to->want("ACK");
      for (const char* method : {"MESSAGE", "INFO", "UPDATE", "REFER", "SUBSCRIBE"}) {
        passed_on(*from, *to, method);
        response_passed_on(*to, *from, method == std::string("REFER") ? 202 : 200);
      }
    }
    line->pass(std::chrono::minutes(40));  // however long it lasts
    EXPECT_EQ(line->world.service().live_proxied(), 0U) << "nothing is kept for it";
  }
  passed_on(*focus, *alice, "BYE");
  response_passed_on(*alice, *focus, 200);
  nobody_waits();
}

TEST_F(ProxiedSessions, SEED4_6_1_1_2_2_15_OtherFinalResponsesGoBackAsTheyAre) {
  for (const int status : {302, 400, 403, 404, 415, 420, 480, 481, 486, 487, 488, 493, 500, 504, 600, 603, 606}) {
    const std::string invite = goes_out();
    focus->respond(invite, status, sdp(1, "not"), "Warning: 399 far \"why\"\r\nServer: IM-x/1\r\n");
    focus->want("ACK");
    const std::string sent = alice->want(std::to_string(status) + " INVITE");
    same(focus->last, sent);
    EXPECT_EQ(header(sent, "Warning"), "399 far \"why\"");
    EXPECT_EQ(header(sent, "Server"), "IM-x/1");
    alice->ack_refused(sent);
    focus->quiet();  // the ACK of a refusal is each hop's own
    focus->call_id.clear();
  }
  nobody_waits();
}

// --- 6.1.2.2.2, on its way in (IMSpec-SMM-S-025)

TEST_F(ProxiedSessions, SEED4_6_1_2_2_2_0a_TheChecksComeFirstAndWhoIsRefusedReachesNobody) {
  policy::AccessRules none;
  ASSERT_FALSE(policy::parse_access_rules(
      "<ruleset xmlns=\"urn:ietf:params:xml:ns:common-policy\" xmlns:p=\"urn:oma:xml:poc:poc-rules\"><rule id=\"r\">"
      "<actions><p:allow-invite>reject</p:allow-invite></actions></rule></ruleset>",
      none));
  documents->access_rules[policy::user_key("sip:bob@example.org")] = none;
  focus->invite_uri("sip:bob@example.org", sdp(1, "f1"), im);
  const std::string refused = focus->want("403 INVITE");
  focus->ack_refused(refused);
  bob->quiet();
  documents->access_rules.clear();
  (void)answered(*bob, *focus, comes_in(), sdp(1, "b1"));
}

TEST_F(ProxiedSessions, SEED4_6_1_2_2_2_TheInviteOfAControllingFunctionReachesTheClientAsItWas) {
  const std::string invite = comes_in();
  same(focus->last, invite);
  EXPECT_TRUE(invite.starts_with("INVITE sip:bob@127.0.0.1:40002 SIP/2.0\r\n")) << invite;
  EXPECT_EQ(header(invite, "Contact"), "<sip:focus@127.0.0.1:40007>;isfocus;+g.oma.sip-im");
  EXPECT_EQ(all_of(invite, "Record-Route").size(), 1U);
  const std::string ok = answered(*bob, *focus, invite, sdp(1, "b1"));
  EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:bob@example.org>");
  EXPECT_EQ(header(ok, "Contact"), "<sip:bob@127.0.0.1:40002>;+g.oma.sip-im");
}

// --- 6.1.2.2.3 (IMSpec-SMM-S-026)

TEST_F(ProxiedSessions, SEED4_6_1_2_2_3_4_9_AReinviteAndIts200AreForwarded) {
  (void)answered(*bob, *focus, comes_in(), sdp(1, "b1"));
  passed_on(*focus, *bob, "INVITE", sdp(2, "f2"));  // SEED4-6.1.2.2.3-4
  EXPECT_TRUE(last_came.starts_with("INVITE sip:bob@127.0.0.1:40002 SIP/2.0\r\n")) << last_came;
  response_passed_on(*bob, *focus, 200, sdp(2, "b2"));  // SEED4-6.1.2.2.3-9
  focus->ack();
  bob->want("ACK");
  passed_on(*bob, *focus, "INVITE", sdp(3, "b3"));  // DEC-13: the client's
  response_passed_on(*focus, *bob, 200, sdp(3, "f3"));
  bob->ack();
  focus->want("ACK");
}

TEST_F(ProxiedSessions, SEED4_6_1_2_2_3_10_AReinviteThatIsRefusedIsRefusedWithTheSame) {
  (void)answered(*bob, *focus, comes_in(), sdp(1, "b1"));
  for (const int status : {403, 415, 480, 486, 488, 491, 500, 603}) {
    passed_on(*focus, *bob, "INVITE", sdp(2, "f2"));
    response_passed_on(*bob, *focus, status, {}, "Warning: 399 bob \"why\"\r\n");
    EXPECT_EQ(header(last_answer, "Warning"), "399 bob \"why\"");
    bob->want("ACK");
    focus->ack_refused(last_answer);
    bob->quiet();
  }
  passed_on(*focus, *bob, "INFO");  // the session is what it was
  response_passed_on(*bob, *focus, 200);
}

// --- 6.1.2.2.4 (IMSpec-SMM-S-027)

TEST_F(ProxiedSessions, SEED4_6_1_2_2_4_3_ACancelIsAnsweredHereAndForwardedOnceTheClientIsHeard) {
  const std::string invite = comes_in();
  focus->cancel("Reason: SIP;cause=200;text=\"elsewhere\"\r\n");
  EXPECT_EQ(header(focus->want("200 CANCEL"), "CSeq"), cseq_number(invite) + " CANCEL");
  bob->quiet();  // RFC 3261 section 9.1: not before a provisional response
  bob->call_id.clear();
  bob->respond(invite, 180);
  const std::string cancel = bob->want("CANCEL");
  EXPECT_EQ(header(cancel, "Call-ID"), header(invite, "Call-ID"));
  EXPECT_EQ(header(cancel, "CSeq"), cseq_number(invite) + " CANCEL");
  EXPECT_EQ(header(cancel, "Via"), header(invite, "Via")) << "the transaction of the INVITE";
  EXPECT_EQ(all_of(cancel, "Via").size(), 1U);
  EXPECT_EQ(header(cancel, "Reason"), "SIP;cause=200;text=\"elsewhere\"");
  EXPECT_EQ(cancel.substr(6, cancel.find("\r\n") - 6), invite.substr(6, invite.find("\r\n") - 6));
  bob->respond(cancel, 200);
  bob->respond(invite, 487);
  bob->want("ACK");
  std::string got = focus->next();
  if (Phone::kind(got) == "180 INVITE") got = focus->next();
  ASSERT_EQ(Phone::kind(got), "487 INVITE") << got;
  focus->ack_refused(got);
  bob->quiet();
  nobody_waits();
}

TEST_F(ProxiedSessions, SEED4_6_1_2_2_4_3_ACancelThatIsTooLateEndsNothing) {
  const std::string invite = comes_in();
  bob->call_id.clear();
  bob->respond(invite, 180);
  focus->want("180 INVITE");
  bob->respond(invite, 200, sdp(1, "b1"));
  focus->take(focus->want("200 INVITE"));
  focus->cancel();
  focus->want("200 CANCEL");
  focus->ack();
  bob->want("ACK");
  bob->quiet();
  passed_on(*focus, *bob, "BYE");
  response_passed_on(*bob, *focus, 200);
  nobody_waits();
}

// --- 6.1.2.2.5 (IMSpec-SMM-S-028)

TEST_F(ProxiedSessions, SEED4_6_1_2_2_5_6_AByeIsForwardedAndAnsweredByWhoItReaches) {
  for (const bool by_client : {false, true}) {
    (void)answered(*bob, *focus, comes_in(), sdp(1, "b1"));
    Phone& from = by_client ? *bob : *focus;
    Phone& to = by_client ? *focus : *bob;
    passed_on(from, to, "BYE");
    from.quiet();  // a proxy answers nothing itself
    response_passed_on(to, from, 200);
  }
  (void)answered(*bob, *focus, comes_in(), sdp(1, "b1"));
  passed_on(*focus, *bob, "BYE");
  response_passed_on(*bob, *focus, 481);
  nobody_waits();
}

}  // namespace
}  // namespace parley::tests
