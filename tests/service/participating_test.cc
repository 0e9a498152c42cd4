// tests/service/participating_test.cc - the checks of the participating functions as the wire shows them: which answer,
// with which headers, and of two violations the one that the clause asks about first. SEED4-6.1.1.1, SEED4-6.1.2.1.
#include <gtest/gtest.h>

#include "tests/service/served_users.h"

namespace parley::tests {
namespace {

using namespace std::string_literals;

// --- on the way out

TEST_F(Participating, SEED4_6_1_1_1_1_WhoMayNotSendThisGets403WithAWarning) {
  documents->policy.users[policy::user_key("sip:alice@example.org")].modes =
      1U << static_cast<unsigned>(policy::ImMode::session);
  const std::string refused = only(from_alice(message()));
  EXPECT_EQ(code(refused), "403");
  EXPECT_EQ(header(refused, "Warning"), "399 127.0.0.1:5060 \"You may not send this kind of request\"")
      << "SEED4-6.1.1.1-1w";
  EXPECT_EQ(header(refused, "Server"), "IM-serv/OMA1.0 parley/1.2");
  EXPECT_EQ(world->metric(core::Metric::im_refused_sender), 1U);
  EXPECT_EQ(what(only(from_alice(invite(im, chat_sdp())))), "INVITE");
  EXPECT_EQ(what(only(from_peer(message()))), "MESSAGE") << "nobody is served who sends this";
}

TEST_F(Participating, SEED4_6_1_1_1_2_AnOverdueAnswerHoldsBackAllButItself) {
  const std::string alice = policy::user_key("sip:alice@example.org");
  ASSERT_TRUE(world->service().overdue_answers().mark(alice, "sip:system@example.org", "sysmsg-7"));
  const std::string refused = only(from_alice(message()));
  EXPECT_EQ(code(refused), "403");
  EXPECT_EQ(header(refused, "Error-Info"), "<https://example.org/im-errors/system-message>")
      << "SEED4-6.1.1.1-2e, DEC-21";
  EXPECT_EQ(header(refused, "Warning"), "399 127.0.0.1:5060 \"A system message waits for your answer\"");
  EXPECT_EQ(code(only(from_alice(invite(im, chat_sdp())))), "403");
  EXPECT_EQ(what(only(from_alice(message("In-Reply-To: other, sysmsg-7\r\n" + text_type)))), "MESSAGE") << "DEC-22";
  Says answer = message();
  answer.uri = "sip:system@example.org";
  EXPECT_EQ(code(only(from_alice(answer))), "404") << "DEC-22: it goes on; nobody is there";
  world->service().overdue_answers().clear(alice);
  EXPECT_EQ(what(only(from_alice(message()))), "MESSAGE");
  EXPECT_EQ(world->metric(core::Metric::im_refused_system_message), 2U);
}

TEST_F(Participating, SEED4_6_1_1_1_3_AnotherReleaseThanTheOneAskedForGets403WithErrorInfo) {
  documents->policy.service.client_version = policy::parse_client_version("IM-client/OMA2.0");
  const std::string refused = only(from_alice(message("User-Agent: IM-client/OMA1.0 Boghe/1\r\n" + text_type)));
  EXPECT_EQ(code(refused), "403");
  EXPECT_EQ(header(refused, "Error-Info"), "<https://example.org/im-errors/client-release>")
      << "SEED4-6.1.1.1-3e, OMA-ID-4";
  EXPECT_EQ(code(only(from_alice(message()))), "403") << "none is less";
  EXPECT_EQ(what(only(from_alice(message("User-Agent: im-Client/oma2.0 (x) y/2\r\n" + text_type)))), "MESSAGE")
      << "T-2";
}

TEST_F(Participating, SEED4_6_1_1_1_4a_ContentThatIsNotAllowedGets415WithWhatIs) {
  documents->policy.service.allow = {{*policy::parse_mime_pattern("text/plain"), {}},
                                     {*policy::parse_mime_pattern("message/cpim"), policy::MimePlace::plain}};
  const std::string refused = only(from_alice(message("Content-Type: image/png\r\n")));
  EXPECT_EQ(code(refused), "415");
  EXPECT_EQ(header(refused, "Accept"), "text/plain, message/cpim");
  EXPECT_EQ(what(only(from_alice(message("Content-Type: text/plain;charset=UTF-8\r\n")))), "MESSAGE");
  const std::string cpim = "From: <im:a@x>\r\nTo: <im:b@x>\r\n\r\nContent-type: image/png\r\n\r\nxyz";
  EXPECT_EQ(code(only(from_alice(message("Content-Type: message/cpim\r\n", cpim)))), "415")
      << "OMA-POL-2: what it wraps";
  const std::string good = "From: <im:a@x>\r\nTo: <im:b@x>\r\n\r\nContent-type: text/plain\r\n\r\nxyz";
  EXPECT_EQ(what(only(from_alice(message("Content-Type: message/cpim\r\n", good)))), "MESSAGE");
  const std::string parts =
      "--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n--b\r\nContent-Type: application/resource-lists+xml\r\n"
      "Content-Disposition: recipient-list\r\n\r\n<x/>\r\n--b--\r\n";
  EXPECT_EQ(what(only(from_alice(message("Content-Type: multipart/mixed;boundary=b\r\n", parts)))), "MESSAGE")
      << "a list of recipients is no content";
  EXPECT_EQ(code(only(from_alice(message("Content-Type: multipart/mixed;boundary=b\r\n",
                                         "--b\r\nContent-Type: image/gif\r\n\r\nx\r\n--b--\r\n")))),
            "415");
  EXPECT_EQ(world->metric(core::Metric::im_refused_content), 3U);
}

TEST_F(Participating, DEC_20_APagerMessageThatIsTooLongGets415WithTheLimit) {
  documents->policy.service.pager_body_bytes_max = 4;
  const std::string refused = only(from_alice(message()));
  EXPECT_EQ(code(refused), "415");
  EXPECT_EQ(header(refused, "Accept"), "*/*");
  EXPECT_EQ(header(refused, "Warning"), "399 127.0.0.1:5060 \"At most 4 bytes are allowed here\"");
  EXPECT_EQ(what(only(from_alice(message(text_type, "four")))), "MESSAGE");
}

TEST_F(Participating, SEED4_6_1_1_1_4b_AnOfferThatIsNotAllowedGets488WithWhatIs) {
  documents->policy.service.allow = {{*policy::parse_mime_pattern("text/plain"), {}},
                                     {*policy::parse_mime_pattern("message/cpim"), policy::MimePlace::plain}};
  documents->policy.service.msrp_message_bytes_max = 1000;
  const std::string refused =
      only(from_alice(invite(im, chat_sdp("a=accept-types:message/cpim image/png\r\na=max-size:5000\r\n"))));
  EXPECT_EQ(code(refused), "488");
  EXPECT_EQ(header(refused, "Content-Type"), "application/sdp");
  EXPECT_EQ(header(refused, "Warning"), "399 127.0.0.1:5060 \"Size or content is not allowed here\"");
  const std::string body = body_of(refused);
  EXPECT_NE(body.find("\r\nm=message 0 TCP/MSRP *\r\na=accept-types:text/plain message/cpim\r\n"
                      "a=accept-wrapped-types:text/plain\r\na=max-size:1000\r\n"),
            std::string::npos)
      << refused;
  EXPECT_EQ(std::to_string(body.size()), header(refused, "Content-Length"));
  EXPECT_EQ(what(only(from_alice(invite(im, chat_sdp("a=accept-types:Message/CPIM\r\na=max-size:1000\r\n"))))),
            "INVITE");
  EXPECT_EQ(code(only(from_alice(invite(im, chat_sdp("a=accept-types:message/cpim\r\na=max-size:1001\r\n"))))), "488")
      << "OMA-LRG-5";
  EXPECT_EQ(what(only(from_alice(invite(im, chat_sdp("a=accept-types:message/cpim\r\n"))))), "INVITE")
      << "what is not said is judged when it comes";
  EXPECT_EQ(code(only(from_alice(invite(im, chat_sdp("a=accept-types:*\r\n"))))), "488");
  EXPECT_EQ(code(only(from_alice(
                invite(im, chat_sdp("a=accept-types:message/cpim\r\na=accept-wrapped-types:image/png\r\n"))))),
            "488");
}

TEST_F(Participating, OMA_FT_5_AFileOfferIsJudgedByItsSelector) {
  documents->policy.service.file_bytes_max = 1000;
  EXPECT_EQ(code(only(from_alice(invite(im, file_sdp("name:\"a\" type:text/plain size:1001"))))), "488");
  EXPECT_EQ(what(only(from_alice(invite(im, file_sdp("name:\"a\" type:text/plain size:1000"))))), "INVITE");
  EXPECT_EQ(what(only(from_alice(invite(im, file_sdp("name:\"a\" type:text/plain"))))), "INVITE");
}

TEST_F(Participating, OMA_POL_5_WhoSendsTooMuchGets403AndAWarning) {
  documents->policy.service.rates[static_cast<std::size_t>(policy::RatedMethod::message)] = policy::Rate{60, 2};
  EXPECT_EQ(what(only(from_alice(message()))), "MESSAGE");
  EXPECT_EQ(what(only(from_alice(message()))), "MESSAGE");
  const std::string refused = only(from_alice(message()));
  EXPECT_EQ(code(refused), "403");
  EXPECT_EQ(header(refused, "Warning"), "399 127.0.0.1:5060 \"You send too many requests in a short time\"");
  EXPECT_EQ(what(only(from_alice(invite(im, chat_sdp())))), "INVITE") << "each method by itself";
  EXPECT_EQ(world->metric(core::Metric::im_refused_rate), 1U);
}

TEST_F(Participating, OMA_POL_5_WhatIsAskedOfThisServerItselfCountsToo) {
  for (const auto method : {policy::RatedMethod::subscribe, policy::RatedMethod::publish}) {
    documents->policy.service.rates[static_cast<std::size_t>(method)] = policy::Rate{60, 1};
  }
  const Says watch{.method = "SUBSCRIBE",
                   .uri = "sip:alice@example.org",
                   .to = "<sip:alice@example.org>",
                   .lines = "Contact: <sip:alice@127.0.0.1:40001>\r\nEvent: reg\r\nExpires: 600\r\n"};
  const auto first = from_alice(watch);
  ASSERT_FALSE(first.empty());
  EXPECT_EQ(code(first[0].text), "200");
  const std::string too_often = "399 127.0.0.1:5060 \"You send too many requests in a short time\"";
  EXPECT_EQ(header(only(from_alice(watch)), "Warning"), too_often);
  EXPECT_EQ(code(bob->publish({.body = settings_xml(isb(true))})), "200");
  const std::string refused = bob->publish({.if_match = bob->etag(), .body = settings_xml(isb(false))});
  EXPECT_EQ(code(refused), "403");
  EXPECT_EQ(header(refused, "Warning"), too_often);
  EXPECT_EQ(world->metric(core::Metric::im_refused_rate), 2U);
}

TEST_F(Participating, OMA_POL_5_AToTagMakesNoDialog) {
  documents->policy.service.rates[static_cast<std::size_t>(policy::RatedMethod::message)] = policy::Rate{60, 1};
  Says says = message();
  says.to += ";tag=made-up";
  EXPECT_EQ(what(only(from_alice(says))), "MESSAGE");
  EXPECT_EQ(header(only(from_alice(says)), "Warning"),
            "399 127.0.0.1:5060 \"You send too many requests in a short time\"");
  ASSERT_EQ(code(bob->publish({.body = settings_xml(ipab(true))})), "200");
  documents->policy.service.rates = {};
  EXPECT_EQ(code(only(from_alice(says))), "403") << "SEED4-6.1.2.1-1: bob takes none";
  EXPECT_EQ(world->metric(core::Metric::im_refused_barred), 1U);
}

TEST_F(Participating, SEED4_6_1_1_1_OfTwoViolationsTheFirstOfTheClauseIsAnswered) {
  // Everything is wrong; then one after the other is put right.
  auto& level = documents->policy.users[policy::user_key("sip:alice@example.org")];
  const std::string alice = policy::user_key("sip:alice@example.org");
  level.modes = 0;
  level.client_version = policy::parse_client_version("IM-client/OMA1.0");
  level.pager_body_bytes_max = 1;
  level.msrp_message_bytes_max = 1;
  (void)world->service().overdue_answers().mark(alice, "sip:system@example.org", "x");
  const Says offer = invite(im, chat_sdp("a=accept-types:*\r\na=max-size:2\r\n"));
  const auto reason = [](const std::string& text) {
    return code(text) + " " + between(header(text, "Warning"), "\"", "\"");
  };
  EXPECT_EQ(reason(only(from_alice(message()))), "403 You may not send this kind of request");
  EXPECT_EQ(reason(only(from_alice(offer))), "403 You may not send this kind of request");
  level.modes.reset();
  EXPECT_EQ(reason(only(from_alice(message()))), "403 A system message waits for your answer");
  world->service().overdue_answers().clear(alice);
  EXPECT_EQ(reason(only(from_alice(message()))), "403 This release of your client is not supported");
  EXPECT_EQ(reason(only(from_alice(offer))), "403 This release of your client is not supported");
  level.client_version.reset();
  EXPECT_EQ(code(only(from_alice(message()))), "415");
  EXPECT_EQ(code(only(from_alice(offer))), "488");
}

TEST_F(Participating, SEED4_6_1_1_1_ATrustedPeersRouteWithOrigSaysWhoIsServed) {
  documents->policy.users[policy::user_key("sip:dave@example.org")].modes = 0;
  Says says = message();
  says.from = "<sip:x@elsewhere.example>;tag=1";
  says.lines = "P-Asserted-Identity: <sip:dave@example.org>\r\n" + text_type;
  EXPECT_EQ(what(only(from_peer(says))), "MESSAGE") << "on its way in";
  says.lines += "Route: <sip:127.0.0.1:5060;lr;orig>\r\n";
  EXPECT_EQ(code(only(from_peer(says))), "403");
}

TEST_F(Participating, T_20_OnlyWhatIsOfTheServiceIsChecked) {
  documents->policy.service.modes = 0;
  EXPECT_EQ(what(only(from_alice({.method = "INVITE", .lines = "Contact: <sip:alice@127.0.0.1:40001>\r\n"}))),
            "INVITE");
  EXPECT_EQ(what(only(from_alice(
                {.method = "INVITE", .lines = "Contact: <sip:alice@127.0.0.1:40001>;+g.oma.sip-im-foo\r\n"}))),
            "INVITE");
  EXPECT_EQ(
      what(only(from_alice({.method = "INVITE", .lines = "Contact: <sip:alice@127.0.0.1:40001;+g.oma.sip-im>\r\n"}))),
      "INVITE")
      << "T-4: a parameter of the URI";
  for (const char* tag :
       {"+g.oma.sip-im", "+g.oma.sip-im=\"TRUE\"", "+G.OMA.SIP-IM;explicit", "+g.oma.sip-im.large-message"}) {
    EXPECT_EQ(
        code(only(from_alice({.method = "INVITE", .lines = "Contact: <sip:alice@127.0.0.1:40001>;"s + tag + "\r\n"}))),
        "403")
        << tag;
    EXPECT_EQ(
        code(only(from_alice(
            {.method = "INVITE", .lines = "Contact: <sip:alice@127.0.0.1:40001>\r\na: *;"s + tag + ";require\r\n"}))),
        "403")
        << tag;
  }
  EXPECT_EQ(code(only(from_alice(invite("", chat_sdp())))), "403") << "by its m=message";
}

// --- on the way in

TEST_F(Participating, SEED4_6_1_2_1_1_BarringOfSettingsPublishedHoldsAtOnce) {
  struct Case {
    std::string settings;
    bool session, file, pager, large;  // barred
  };
  for (const Case& c : {Case{isb(true), true, true, false, false}, Case{ipab(true), false, false, true, true},
                        Case{ft(true), false, true, false, false},
                        Case{isb(false) + ipab(false) + ft(false), false, false, false, false}}) {
    const Publish said{.if_match = bob->etag(), .body = settings_xml(c.settings)};
    ASSERT_EQ(code(bob->publish(said)), "200");
    const auto expect = [&](bool barred, const Says& says, const char* method) {
      EXPECT_EQ(what(only(from_alice(says))), barred ? "403" : method) << c.settings << says.body;
    };
    expect(c.session, invite(im, chat_sdp()), "INVITE");
    expect(c.file, invite(im, file_sdp()), "INVITE");
    expect(c.pager, message(), "MESSAGE");
    expect(c.large, invite(large, chat_sdp()), "INVITE");  // SEED4-6.1.1.2.1-1, -1a, -1b, SEED4-6.1.2.2.1-1, -1a, -1b
    EXPECT_EQ(what(only(from_alice({.method = "INVITE", .lines = "Contact: <sip:alice@127.0.0.1:40001>\r\n"}))),
              "INVITE")
        << "a call is no IM session";
  }
  EXPECT_EQ(world->metric(core::Metric::im_refused_barred), 5U);
}

TEST_F(Participating, OMA_SET_8_OneDeviceThatBarsIsEnough) {
  Publisher tablet(*world, "bob", "127.0.0.1:40008");
  ASSERT_EQ(code(bob->publish({.body = settings_xml(isb(true), "phone")})), "200");
  ASSERT_EQ(code(tablet.publish({.body = settings_xml(isb(false), "tablet")})), "200");
  EXPECT_EQ(code(only(from_alice(invite(im, chat_sdp())))), "403");
  ASSERT_EQ(code(bob->publish({.expires = "0", .if_match = bob->etag()})), "200");
  EXPECT_EQ(what(only(from_alice(invite(im, chat_sdp())))), "INVITE");
}

TEST_F(Participating, OMA_SET_9_WhatWasPublishedHoldsOnlyAsLongAsItLives) {
  ASSERT_EQ(code(bob->publish({.expires = "60", .body = settings_xml(isb(true))})), "200");
  EXPECT_EQ(code(only(from_alice(invite(im, chat_sdp())))), "403");
  world->advance(61s);
  (void)world->take();
  EXPECT_EQ(what(only(from_alice(invite(im, chat_sdp())))), "INVITE");
}

TEST_F(Participating, SEED4_6_1_2_1_2_AccessRulesByWhatIsWanted) {
  allow(rule("<x:message-session/>", "reject"));
  const std::string session = only(from_alice(invite(im, chat_sdp())));
  EXPECT_EQ(code(session), "403");
  EXPECT_EQ(header(session, "Warning"), "399 127.0.0.1:5060 \"The recipient does not take this from you\"")
      << "SEED4-6.1.2.1-2w";
  EXPECT_EQ(code(only(from_alice(invite(large, chat_sdp())))), "403") << "SEED4-6.1.2.1-2a: large messages too";
  EXPECT_EQ(code(only(from_alice(invite(im, file_sdp())))), "403") << "DEC-16: no rule about files";
  EXPECT_EQ(what(only(from_alice(message()))), "MESSAGE");
  allow(rule("<x:pager-mode-message/>", "reject"));
  const std::string pager = only(from_alice(message()));
  EXPECT_EQ(code(pager), "403") << "SEED4-6.1.2.1-2b";
  EXPECT_EQ(header(pager, "Warning"), "399 127.0.0.1:5060 \"The recipient does not take messages from you\"");
  EXPECT_EQ(what(only(from_alice(invite(large, chat_sdp())))), "INVITE");
  allow(rule("<x:file-transfer/>", "reject") + rule("<x:message-session/>", "accept"));
  EXPECT_EQ(code(only(from_alice(invite(im, file_sdp())))), "403");
  EXPECT_EQ(what(only(from_alice(invite(im, chat_sdp())))), "INVITE");
  EXPECT_EQ(world->metric(core::Metric::im_refused_access), 5U);
}

TEST_F(Participating, OMA_ACC_3_WhoAsksIsWhoIsProvenOrAssertedUnlessHeIsAnonymous) {
  allow(rule("<identity><one id=\"sip:alice@example.org\"/></identity>", "reject"));
  EXPECT_EQ(code(only(from_alice(message()))), "403");
  EXPECT_EQ(what(only(from_alice(message("Privacy: id\r\n" + text_type)))), "MESSAGE") << "nobody but anonymous";
  Says says = message();
  says.from = "\"A\" <sip:anonymous@anonymous.invalid>;tag=1";
  says.lines = "P-Asserted-Identity: <sip:alice@example.org>\r\n" + text_type;
  EXPECT_EQ(code(only(from_peer(says))), "403");
  says.lines = "P-Asserted-Identity: <sip:zoe@elsewhere.example>\r\n" + text_type;
  EXPECT_EQ(what(only(from_peer(says))), "MESSAGE");
  allow(rule("<c:anonymous-request/>", "reject"));
  EXPECT_EQ(code(only(from_alice(message("Privacy: id\r\n" + text_type)))), "403");
  EXPECT_EQ(what(only(from_alice(message()))), "MESSAGE");
}

TEST_F(Participating, OMA_ACC_3_WhoseNameIsANumberIsThatNumberToo) {
  make([](policy::SipConfig& c) {
    core::Digest digest;
    core::Credential user;
    for (const auto algorithm : {core::DigestAlgorithm::md5, core::DigestAlgorithm::sha256}) {
      user.ha1[algorithm] = std::string(digest.ha1(algorithm, "+15550100", c.realm, "secret").view());
    }
    c.users.emplace("+15550100", user);
  });
  Says says = message();
  const auto sent_by = [&](const std::string& identity) {
    says.lines = "P-Asserted-Identity: <" + identity + ">\r\n" + text_type;
    return code(only(from_peer(says))) == "403" ? "barred" : "passed";
  };
  for (const std::string& number : {std::string("tel:+15550100"), std::string("sip:+15550100@example.org;user=phone"),
                                    std::string("sip:+15550100@example.org")}) {
    allow(rule("<identity><one id=\"" + number + "\"/></identity>", "reject"));
    EXPECT_EQ(sent_by("sip:+15550100@example.org"), "barred"s) << number;
    EXPECT_EQ(sent_by("sip:%2B15550100@example.org"), "barred"s) << number;
    EXPECT_EQ(sent_by("sip:+15550100@example.org;user=phone"), "barred"s) << number;
    EXPECT_EQ(sent_by("tel:+15550100"), "barred"s) << number;
    EXPECT_EQ(sent_by("sip:+15550199@example.org"), "passed"s) << number;
    EXPECT_EQ(sent_by("sip:+15550100@elsewhere.example"), "passed"s) << "a name there is anything";
  }
  allow(rule("<identity><many domain=\"example.org\"/></identity>", "reject"));
  EXPECT_EQ(sent_by("tel:+15550100"), "barred"s) << "there is an account of that name";
  EXPECT_EQ(sent_by("tel:+15550199"), "passed"s) << "a number is nobody of a domain";
  allow(rule("<identity><one id=\"tel:+alice\"/></identity>", "reject"));
  EXPECT_EQ(sent_by("sip:+alice@example.org"), "passed"s);
  allow(rule("<identity><one id=\"tel:+15550100\"/></identity>", "reject"));
  says = message();
  says.from = "<sip:+15550100@example.org>;tag=1";
  EXPECT_EQ(code(only(from_alice(says, "+15550100"))), "403") << "who proves himself";
  EXPECT_EQ(what(only(from_alice(message()))), "MESSAGE");
}

TEST_F(Participating, SEED4_6_1_2_1_3_TheRecipientsPolicyIsAskedForWhoeverSends) {
  auto& level = documents->policy.users[policy::user_key("sip:bob@example.org")];
  level.deny = {{*policy::parse_mime_pattern("image/*"), {}}};
  level.msrp_message_bytes_max = 10;
  EXPECT_EQ(code(only(from_peer(message("Content-Type: image/gif\r\n")))), "415") << "SEED4-6.1.2.1-3a";
  EXPECT_EQ(what(only(from_peer(message()))), "MESSAGE");
  const std::string refused = only(from_peer(invite(im, chat_sdp("a=accept-types:text/plain\r\na=max-size:11\r\n"))));
  EXPECT_EQ(code(refused), "488");
  EXPECT_NE(body_of(refused).find("a=max-size:10\r\n"), std::string::npos) << "SEED4-6.1.2.1-3b " << refused;
}

TEST_F(Participating, SEED4_6_1_2_1_OfTwoViolationsTheFirstOfTheClauseIsAnswered) {
  ASSERT_EQ(code(bob->publish({.body = settings_xml(isb(true) + ipab(true))})), "200");
  allow(rule("", "reject"));
  documents->policy.users[policy::user_key("sip:bob@example.org")].pager_body_bytes_max = 1;
  documents->policy.users[policy::user_key("sip:bob@example.org")].msrp_message_bytes_max = 1;
  const Says late = message("Date: Tue, 14 Nov 2023 20:00:00 GMT\r\nExpires: 60\r\n" + text_type);
  const Says offer = invite(im, chat_sdp("a=accept-types:*\r\na=max-size:2\r\n"));
  std::string refused = only(from_peer(late));
  EXPECT_EQ(code(refused) + header(refused, "Warning"), "403") << "barred";
  refused = only(from_peer(offer));
  EXPECT_EQ(code(refused) + header(refused, "Warning"), "403");
  ASSERT_EQ(code(bob->publish({.expires = "0", .if_match = bob->etag()})), "200");
  EXPECT_NE(header(only(from_peer(late)), "Warning").find("does not take messages"), std::string::npos);
  EXPECT_NE(header(only(from_peer(offer)), "Warning").find("does not take this"), std::string::npos);
  documents->access_rules.clear();
  EXPECT_EQ(code(only(from_peer(late))), "415");
  EXPECT_EQ(code(only(from_peer(offer))), "488");
  documents->policy.users.clear();
  refused = only(from_peer(late));
  EXPECT_EQ(code(refused), "480");
  EXPECT_EQ(header(refused, "Warning"), "399 127.0.0.1:5060 \"expired\"") << "SEED4-6.1.2.1-4";
  EXPECT_EQ(what(only(from_peer(offer))), "INVITE");
}

TEST_F(Participating, DEC_14_ExpiryCountsFromDateWhenThatCanBeBelieved) {
  // It is 2023-11-14 22:13:20.
  EXPECT_EQ(what(only(from_peer(message("Expires: 0\r\n" + text_type)))), "MESSAGE") << "it has just come";
  EXPECT_EQ(what(only(from_peer(message("Date: Tue, 14 Nov 2023 22:00:00 GMT\r\nExpires: 900\r\n" + text_type)))),
            "MESSAGE");
  EXPECT_EQ(what(only(from_peer(message("Date: Tue, 14 Nov 2023 22:12:00 GMT\r\nExpires: 30\r\n" + text_type)))),
            "MESSAGE")
      << "T-88: within a minute";
  EXPECT_EQ(code(only(from_peer(message("Date: Tue, 14 Nov 2023 22:11:00 GMT\r\nExpires: 30\r\n" + text_type)))),
            "480");
  EXPECT_EQ(what(only(from_peer(message("Date: Wed, 15 Nov 2023 22:00:00 GMT\r\nExpires: 0\r\n" + text_type)))),
            "MESSAGE")
      << "its clock is wrong";
  EXPECT_EQ(world->metric(core::Metric::im_refused_expired), 1U);
}

TEST_F(Participating, SEED4_6_1_2_1_5_MessagesToWhoIsNotThereAreThoseToDefer) {
  const auto to_carol = [](Says says) {
    says.uri = "sip:carol@example.org";
    return says;
  };
  EXPECT_EQ(code(only(from_alice(to_carol(message())))), "480");
  EXPECT_EQ(code(only(from_alice(to_carol(invite(large, chat_sdp()))))), "480");
  EXPECT_EQ(world->metric(core::Metric::im_deferrals), 2U);
  EXPECT_EQ(code(only(from_alice(to_carol(invite(im, chat_sdp()))))), "480");
  EXPECT_EQ(code(only(from_alice(to_carol(invite(im, file_sdp()))))), "480") << "OMA-FT-6";
  Says nobody = message();
  nobody.uri = "sip:nobody@example.org";
  EXPECT_EQ(code(only(from_alice(nobody))), "404");
  EXPECT_EQ(world->metric(core::Metric::im_deferrals), 2U);
}

TEST_F(Participating, OMA_PAG_5_AnswersThatMeanUnreachableAreToldFromDecisions) {
  for (const auto& [status, deferred] : {std::pair{480, 1U}, {503, 2U}, {486, 2U}, {603, 2U}, {403, 2U}, {200, 2U}}) {
    const auto sent = from_alice(message());
    ASSERT_EQ(what(only(sent)), "MESSAGE");
    world->answer(sent[0], static_cast<std::uint16_t>(status));
    (void)world->take();
    EXPECT_EQ(world->metric(core::Metric::im_deferrals), deferred) << status;
  }
}

TEST_F(Participating, DEC_2_WhatWasDeferredIsNotBarredAgainButStillJudgedByContent) {
  make([](policy::SipConfig& c) { c.im.deferred_uris = {"sip:Deferred@example.org"}; });
  ASSERT_EQ(code(bob->publish({.body = settings_xml(ipab(true))})), "200");
  allow(rule("", "reject"));
  const std::string asserted = "P-Asserted-Identity: <sip:deferred@example.org>\r\n";
  EXPECT_EQ(code(only(from_peer(message()))), "403");
  EXPECT_EQ(what(only(from_peer(message(asserted + text_type)))), "MESSAGE");
  EXPECT_EQ(code(only(from_alice(message(asserted + text_type)))), "403") << "DEC-1: only where it is believed";
  documents->policy.service.pager_body_bytes_max = 1;
  EXPECT_EQ(code(only(from_peer(message(asserted + text_type)))), "415");
}

TEST_F(Participating, SEED4_6_1_2_1_6_FinalResponsesGoBackAsTheyAre) {
  const auto sent = from_alice(message());
  world->answer(sent[0], 603);
  EXPECT_EQ(code(only(world->take())), "603") << "SEED4-6.1.1.2.2-15";
}

TEST_F(Participating, SEED4_6_1_1_2_2_2_WithoutTheMediaItIsAProxyAndTheBodyStays) {
  const std::string body = chat_sdp();
  const auto sent = from_alice(invite(im, body));
  const std::string text = only(sent);
  ASSERT_EQ(what(text), "INVITE");
  EXPECT_EQ(body_of(text), body) << "SEED4-6.1.1.2.2-2c";
  EXPECT_NE(header(text, "Record-Route").find(";lr>"), std::string::npos) << "SEED4-6.1.1.2.2-2b " << text;
  EXPECT_EQ(header(text, "Max-Forwards"), "69") << "SEED4-6.1.1.2.2-2a";
  EXPECT_EQ(header(text, "Call-ID"), "call-1" + std::to_string(requests));
  EXPECT_EQ(header(text, "Accept-Contact"), "*;+g.oma.sip-im");
}

TEST_F(Participating, SEED4_6_1_2_1_WithoutTheRoleNothingIsChecked) {
  make([](policy::SipConfig& c) { c.im.participating = false; });
  documents->policy.service.modes = 0;
  allow(rule("", "reject"));
  EXPECT_EQ(what(only(from_alice(message()))), "MESSAGE");
}

TEST_F(Participating, SEED4_6_1_2_1_SettingsLiveOnAnotherShardThanTheRequest) {
  make({}, 3);
  ASSERT_EQ(code(bob->publish({.body = settings_xml(ipab(true))})), "200");
  for (std::uint32_t shard = 0; shard < 3; ++shard) {
    Says says = message();
    says.branch += "s" + std::to_string(shard);
    world->datagram(text_of(says), peer, shard);
    EXPECT_EQ(code(only(world->take())), "403") << shard;
  }
}

TEST_F(Participating, SEED4_6_1_2_1_RequestsThatAreForwardedAndForgottenAreCheckedToo) {
  make([](policy::SipConfig& c) { c.forwarding = policy::Forwarding::stateless; });
  EXPECT_EQ(what(only(from_alice(message()))), "MESSAGE");
  ASSERT_EQ(code(bob->publish({.body = settings_xml(ipab(true))})), "200");
  EXPECT_EQ(code(only(from_alice(message()))), "403");
}

TEST_F(Participating, SEED4_6_1_2_2_2_0a_CallsCarriedLegToLegAreCheckedOnTheirWayInAndToldWhy) {
  make([](policy::SipConfig& c) { c.calls.carrying = policy::Carrying::b2bua; });
  allow(rule("", "reject"));
  const std::string refused = only(from_alice(invite(im, chat_sdp())));
  EXPECT_EQ(code(refused), "403");
  EXPECT_NE(header(refused, "Warning").find("does not take this"), std::string::npos) << "T-16: " << refused;
}

}  // namespace
}  // namespace parley::tests
