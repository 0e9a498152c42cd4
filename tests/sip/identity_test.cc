// tests/sip/identity_test.cc - who a request is from, and what changes in it where trust ends.
#include "sip/identity.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/sip/parsed.h"

namespace parley::tests {
namespace {

using namespace parley::sip;

std::string request(const std::string& lines, const std::string& method = "MESSAGE") {
  return method + " sip:bob@example.com SIP/2.0\nVia: SIP/2.0/TCP a.example.com;branch=z9hG4bK1\n" +
         (lines.find("From:") == std::string::npos ? "From: <sip:alice@example.com>;tag=1\n" : "") +
         "To: <sip:bob@example.com>\nCall-ID: 1\nCSeq: 1 " + method + "\nMax-Forwards: 70\n" + lines +
         "Content-Length: 0\n\n";
}

// The request after the edits, without its first seven lines and Content-Length.
std::string edited(const Parsed& message, Edits& edits) {
  const ForwardText text{.edits = edits.list()};
  std::string out(forward_bytes(message.head(), message.bytes(), text), '\0');
  core::TextOut writer(out.data());
  put_forward(writer, message.head(), message.bytes(), text);
  EXPECT_EQ(writer.size(), out.size());
  std::string rest = out.substr(out.find("Max-Forwards: 70\r\n") + 18);
  rest.resize(rest.find("Content-Length"));
  return rest;
}

TEST(Identity, T_5_SipAndTelInOneHeaderOrTwo) {
  for (const char* lines :
       {"P-Asserted-Identity: \"Smith, Alice <x>\" <sip:alice@example.com>, tel:+1-555\n",
        "P-Asserted-Identity: \"Smith, Alice <x>\" <sip:alice@example.com>\nP-Asserted-Identity: <tel:+1-555>\n",
        "P-Asserted-Identity: <tel:+1-555>, \"Smith, Alice <x>\" <sip:alice@example.com>, <sip:third@example.com>\n",
        "P-Asserted-Identity: <isbn:1>, garbage<, <tel:+1-555>\n"
        "P-Asserted-Identity:\n \"Smith, Alice <x>\"\n <sip:alice@example.com>\n"}) {
    const Parsed message(request(lines));
    const AssertedIdentity found = asserted_identity(message.head(), message.bytes());
    EXPECT_EQ(found.sip.uri, "sip:alice@example.com") << lines;
    EXPECT_EQ(found.sip.display, "\"Smith, Alice <x>\"") << lines;
    if (std::string_view(lines).find("garbage") == std::string_view::npos) {
      EXPECT_EQ(found.tel.uri, "tel:+1-555") << lines;
    }
    EXPECT_EQ(found.best().uri, "sip:alice@example.com");
  }
  const Parsed none(request(""));
  EXPECT_FALSE(asserted_identity(none.head(), none.bytes()).any());
}

TEST(Identity, T_8_ANumberIsOneUserInBothSchemes) {
  EXPECT_TRUE(same_user("tel:+49-30-123", "sip:+4930123@example.com;user=phone"));
  EXPECT_TRUE(same_user("sip:+49(30)123@example.com;user=phone", "tel:+4930123;ext=4"));
  EXPECT_TRUE(same_user("tel:+4930123", "tel:+49.30.123"));
  EXPECT_TRUE(same_user("sips:Alice@EXAMPLE.com:5061", "sip:%41lice@example.com;x=y"));
  EXPECT_FALSE(same_user("sip:alice@example.com", "sip:Alice@example.com"));
  EXPECT_FALSE(same_user("tel:+4930123", "sip:+4930123@example.com"));
  EXPECT_FALSE(same_user("sip:+4930123@a.com;user=phone", "sip:+4930123@b.com;user=phone"));
  EXPECT_FALSE(same_user("tel:123;phone-context=a.com", "tel:123;phone-context=b.com"));
  EXPECT_FALSE(same_user("tel:123;phone-context=a.com", "sip:123@a.com;user=phone"));
  EXPECT_FALSE(same_user("mailto:a@b", "mailto:a@b"));
  EXPECT_FALSE(same_user("", ""));
}

TEST(Identity, R3325_1_ThePreferredIdentityIsOneOfTheUsersOwn) {
  const std::vector<std::string> own = {"sip:alice@example.com", "sip:+4930123@example.com;user=phone"};
  const auto chosen = [&](const std::string& lines) {
    const Parsed message(request(lines));
    return std::string(chosen_identity(message.head(), message.bytes(), own));
  };
  EXPECT_EQ(chosen(""), own[0]);
  EXPECT_EQ(chosen("P-Preferred-Identity: <tel:+49-30-123>\n"), own[1]);
  EXPECT_EQ(chosen("P-Preferred-Identity: <sip:eve@example.com>, <tel:+4930123>\n"), own[1]);
  EXPECT_EQ(chosen("From: <tel:+4930123>;tag=1\n"), own[1]);
  EXPECT_EQ(chosen("P-Preferred-Identity: <sip:boss@example.com>\nFrom: <sip:anonymous@anonymous.invalid>;tag=1\n"),
            own[0]);
  const Parsed message(request(""));
  EXPECT_EQ(chosen_identity(message.head(), message.bytes(), {}), "");
}

TEST(Identity, R3325_1_FromUntrustedAssertionsGoAndOursCome) {
  const Parsed message(
      request("P-Asserted-Identity: <sip:boss@example.com>\nSubject: x\n"
              "P-Preferred-Identity: <sip:alice@example.com>\nP-Asserted-Identity: <tel:+1>\n"));
  Edits edits;
  edit_from_untrusted(message.head(), message.bytes(), {}, edits);
  EXPECT_EQ(edited(message, edits), "Subject: x\r\n");
  edits.clear();
  const std::vector<std::string_view> ours = {"<sip:alice@example.com>", "<tel:+4930123>"};
  edit_from_untrusted(message.head(), message.bytes(), ours, edits);
  EXPECT_EQ(edited(message, edits),
            "Subject: x\r\nP-Asserted-Identity: <sip:alice@example.com>\r\nP-Asserted-Identity: <tel:+4930123>\r\n");
  const Parsed plain(request(""));
  edits.clear();
  edit_from_untrusted(plain.head(), plain.bytes(), {}, edits);
  EXPECT_TRUE(edits.list().empty());
}

TEST(Identity, R3325_2_NoIdentityInAckAndCancelAllOthersMay) {
  for (const char* method : {"ACK", "MESSAGE", "PUBLISH", "REGISTER", "INFO", "UPDATE", "FOO"}) {
    const Parsed message(request("P-Asserted-Identity: <sip:eve@example.com>\n", method));
    Edits edits;
    const std::vector<std::string_view> ours = {"<sip:alice@example.com>"};
    edit_from_untrusted(message.head(), message.bytes(), ours, edits);
    EXPECT_EQ(edited(message, edits),
              std::string_view(method) == "ACK" ? "" : "P-Asserted-Identity: <sip:alice@example.com>\r\n")
        << method;
  }
}

TEST(Identity, R3325_1_ToUntrustedByPrivacyAndKnob) {
  const auto sent = [](const std::string& privacy, bool keep) {
    const Parsed message(request("P-Asserted-Identity: <sip:alice@example.com>\n" + privacy +
                                 "P-Preferred-Identity: <sip:alice@example.com>\n"));
    Edits edits;
    edit_to_untrusted(message.head(), message.bytes(), {.keep_identity = keep}, edits);
    return edited(message, edits);
  };
  const std::string identity = "P-Asserted-Identity: <sip:alice@example.com>\r\n";
  EXPECT_EQ(sent("", false), "");
  EXPECT_EQ(sent("", true), identity);
  for (const bool keep : {false, true}) {
    EXPECT_EQ(sent("Privacy: none\n", keep), identity + "Privacy: none\r\n");
    EXPECT_EQ(sent("Privacy: id\n", keep), "");
    EXPECT_EQ(sent("Privacy: ID;critical\n", keep), "");
    EXPECT_EQ(sent("Privacy: user;id\n", keep), "Privacy: user\r\n");
    EXPECT_EQ(sent("Privacy: header\n", keep), "Privacy: header\r\n");
    EXPECT_EQ(sent("Privacy: id;x-other\n", keep), "Privacy: id;x-other\r\n");
    // Asking badly is still asking.
    EXPECT_EQ(sent("Privacy: none;id\n", keep), "");
    EXPECT_EQ(sent("Privacy: none\nPrivacy: id\n", keep), "");
  }
}

TEST(Identity, T_7_PrivacyIdLeavesFromAlone) {
  const Parsed message(request("P-Asserted-Identity: <sip:alice@example.com>\nPrivacy: id\n"));
  Edits edits;
  edit_to_untrusted(message.head(), message.bytes(), {}, edits);
  for (const HeaderEdit& edit : edits.list()) EXPECT_NE(edit.header.id, HeaderId::from);
  EXPECT_FALSE(is_private_header({.id = true}, HeaderId::from));
}

TEST(Identity, R3325_1_ToTrustedOnlyThePreferenceGoes) {
  const Parsed message(request("P-Asserted-Identity: <sip:a@b>\nP-Preferred-Identity: <sip:a@b>\nPrivacy: id\n"));
  Edits edits;
  edit_to_trusted(message.head(), edits);
  EXPECT_EQ(edited(message, edits), "P-Asserted-Identity: <sip:a@b>\r\nPrivacy: id\r\n");
}

TEST(Identity, SEED4_6_1_1_1_IMS_TheServedUserAndTheSideHeIsOn) {
  using Side = ServedUser::Side;
  const auto served = [](const std::string& lines) {
    const Parsed message(request(lines));
    const ServedUser found = served_user(message.head(), message.bytes());
    return std::pair(std::string(found.uri), found.side);
  };
  EXPECT_EQ(served("X: y\np-served-user: <sip:a@b>; sescase=ORIG;regstate=reg\n"), std::pair(std::string("sip:a@b"), Side::originating));
  EXPECT_EQ(served("P-Served-User: <tel:+1>;sescase=term\n"), std::pair(std::string("tel:+1"), Side::terminating));
  EXPECT_EQ(served("P-Served-User: <sip:a@b>;orig-cdiv\n"), std::pair(std::string("sip:a@b"), Side::unsaid));
  EXPECT_EQ(served("P-Served-User: ;\n"), std::pair(std::string(), Side::unsaid));
  EXPECT_EQ(served(""), std::pair(std::string(), Side::unsaid));
}

TEST(Identity, WhatTheTrustDomainKeepsToItself) {
  const Parsed message(
      request("P-Charging-Vector: icid-value=1\nP-Access-Network-Info: x\nP-Asserted-Service: urn:x\nX-Other: kept\n"
              "P-Charging-Function-Addresses: ccf=a\nP-Served-User: <sip:a@b>;sescase=orig\n"));
  Edits edits;
  edit_from_untrusted(message.head(), message.bytes(), {}, edits);
  EXPECT_EQ(edited(message, edits), "P-Access-Network-Info: x\r\nX-Other: kept\r\n");
  edits.clear();
  edit_to_untrusted(message.head(), message.bytes(), {}, edits);
  EXPECT_EQ(edited(message, edits), "X-Other: kept\r\n");
  edits.clear();
  edit_to_trusted(message.head(), edits);
  EXPECT_EQ(edited(message, edits),
            "P-Charging-Vector: icid-value=1\r\nP-Access-Network-Info: x\r\nP-Asserted-Service: urn:x\r\n"
            "X-Other: kept\r\nP-Charging-Function-Addresses: ccf=a\r\nP-Served-User: <sip:a@b>;sescase=orig\r\n");
}

TEST(Identity, R3323_1_ServedTokensGoAndTheLastTakesItsHeadersAlong) {
  const auto left = [](const std::string& lines, const Privacy& served) {
    const Parsed message(request(lines));
    Edits edits;
    edit_served_privacy(message.head(), message.bytes(), served, edits);
    return edited(message, edits);
  };
  const Privacy all{.header = true, .session = true, .user = true, .id = true};
  EXPECT_EQ(left("Privacy: header;session;user;id;critical\nProxy-Require: privacy\n", all), "");
  EXPECT_EQ(left("Privacy: user, id\nProxy-Require: foo, Privacy\nProxy-Require: bar\n", all),
            "Proxy-Require: foo, bar\r\n");
  EXPECT_EQ(left("Privacy: user;id;critical\nProxy-Require: privacy\n", {.user = true}),
            "Privacy: id;critical\r\nProxy-Require: privacy\r\n");
  EXPECT_EQ(left("Privacy: none\nProxy-Require: privacy\n", all), "Privacy: none\r\nProxy-Require: privacy\r\n");
  EXPECT_EQ(left("Privacy: user;unheard-of\n", all), "Privacy: user;unheard-of\r\n");
  EXPECT_EQ(left("Subject: x\n", all), "Subject: x\r\n");
}

TEST(Identity, R3323_2_WhatTheNextRequestMustNotCarryOver) {
  const Privacy user{.user = true};
  const Privacy header{.header = true};
  for (const HeaderId id : {HeaderId::subject, HeaderId::reply_to, HeaderId::in_reply_to, HeaderId::call_info,
                            HeaderId::organization, HeaderId::user_agent}) {
    EXPECT_TRUE(is_private_header(user, id));
    EXPECT_FALSE(is_private_header({}, id));
  }
  for (const HeaderId id : {HeaderId::server, HeaderId::call_info, HeaderId::organization, HeaderId::user_agent}) {
    EXPECT_TRUE(is_private_header(header, id));
  }
  EXPECT_FALSE(is_private_header(header, HeaderId::subject));
  EXPECT_FALSE(is_private_header(user, HeaderId::content_type));
}

TEST(Edits, KeepTheirTextsApart) {
  const Parsed message(request("X-One: 1\nSubject: old\n"));
  Edits edits;
  edits.remove("X-One");
  edits.replace(HeaderId::subject, "new");
  edits.append(HeaderId::organization, "us");
  EXPECT_EQ(edited(message, edits), "Subject: new\r\nOrganization: us\r\n");
}

}  // namespace
}  // namespace parley::tests
