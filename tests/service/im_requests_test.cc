// tests/service/im_requests_test.cc - IM requests of the kinds that clients in the field send, on their way to the
// users they are for: what names them, who they reach, and what those see. OMA-ID, OMA-ACC, OMA-PAG, OMA-FT, OMA-REG,
// OMA-X.
#include <gtest/gtest.h>

#include "tests/service/served_users.h"

namespace parley::tests {
namespace {

struct ImRequests : Participating {
  // What came of it, by status or method, in the order sent.
  static Codes all(const std::vector<SipWorld::Sent>& sent) { return codes(sent); }
  // Of bob; another registration of the same Contact replaces what it said.
  void has_device(const std::string& contact) { ASSERT_EQ(code(parley::tests::enrol(*world, "bob", contact)), "200"); }
  void bars(bool session, bool pager_large) {
    ASSERT_EQ(code(bob->publish({.if_match = bob->etag(), .body = settings_xml(isb(session) + ipab(pager_large))})),
              "200");
  }
};

// --- identities and tags

TEST_F(ImRequests, OMA_ID_2_TagsAreComparedWhole) {
  bars(false, true);
  for (const char* tag : {"+g.oma.sip-im.large-message", "+G.OMA.SIP-IM.Large-Message",
                          "+g.oma.sip-im.large-message=\"TRUE\"", "+g.oma.sip-im;+g.oma.sip-im.large-message"}) {
    EXPECT_EQ(what(only(from_alice(invite("Accept-Contact: *;" + std::string(tag) + "\r\n", chat_sdp())))), "403")
        << tag;
  }
  for (const char* tag : {"+g.oma.sip-im", "+g.oma.sip-im.large-messages", "+g.oma.sip-im.large-message.x",
                          "+g.oma.sip-im=\"large-message\"", "+g.oma.sip-im.system-message"}) {
    EXPECT_EQ(what(only(from_alice(invite("Accept-Contact: *;" + std::string(tag) + "\r\n", chat_sdp())))), "INVITE")
        << tag;
  }
}

TEST_F(ImRequests, OMA_ID_6_OnlyTrustedPeersAssertWhoTheyAre) {
  Says says = message(
      "P-Asserted-Identity: <sip:king@example.org>\r\nP-Preferred-Identity: \"A\" "
      "<sip:alice@example.org>\r\n" +
      text_type);
  says.uri = "sip:zoe@127.0.0.9:5060";
  const auto sent = from_alice(says);
  ASSERT_EQ(all(sent), Codes{"MESSAGE"});
  EXPECT_EQ(values(sent[0].text, "P-Asserted-Identity"), std::vector<std::string>{"<sip:alice@example.org>"})
      << "who she has proved to be, towards a peer that is trusted";
  EXPECT_EQ(sent[0].text.find("king"), std::string::npos);
  Says asserted = message("P-Asserted-Identity: <sip:zoe@elsewhere.example>\r\n" + text_type);
  allow(rule("<identity><one id=\"sip:zoe@elsewhere.example\"/></identity>", "reject"));
  EXPECT_EQ(what(only(from_peer(asserted))), "403") << "a trusted one is believed";
  asserted.from = "<sip:alice@example.org>;tag=1";
  EXPECT_EQ(what(only(from_alice(asserted))), "MESSAGE") << "a user is not";
}

TEST_F(ImRequests, OMA_ALIAS_6_WithPrivacyTheUserEquipmentLearnsNoIdentity) {
  for (const char* privacy : {"id", "id;user", "header;id", "user", "header"}) {
    Says says = message("P-Asserted-Identity: \"Zoe\" <sip:zoe@elsewhere.example>\r\nPrivacy: " + std::string(privacy) +
                        "\r\n" + text_type);
    says.from = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1";
    const std::string there = only(from_peer(says));
    ASSERT_EQ(what(there), "MESSAGE") << there;
    EXPECT_EQ(there.find("zoe"), std::string::npos) << there;
    EXPECT_EQ(there.find("Zoe"), std::string::npos) << there;
    EXPECT_EQ(header(there, "From"), says.from);
  }
  Says shown = message("P-Asserted-Identity: <sip:zoe@elsewhere.example>\r\nPrivacy: none\r\n" + text_type);
  EXPECT_EQ(header(only(from_peer(shown)), "P-Asserted-Identity"), "<sip:zoe@elsewhere.example>");
}

// --- what a user's rules and settings do, and what they do not

TEST_F(ImRequests, OMA_ACC_5_WhoMayBeAnsweredForStillAnswersHimself) {
  for (const char* handling : {"accept", "pass"}) {
    allow(rule("<x:message-session/>", handling));
    const std::string body = chat_sdp();
    const auto sent = from_alice(invite(im, body));
    ASSERT_EQ(all(sent), Codes{"INVITE"}) << handling << ": nobody answers for him";
    EXPECT_EQ(body_of(sent[0].text), body);
    EXPECT_EQ(header(sent[0].text, "Answer-Mode"), "");
    world->advance(1s);
    for (const auto& later : world->take()) EXPECT_FALSE(later.text.starts_with("SIP/2.0 2")) << "no answer but his";
    world->answer(sent[0], 200);
    EXPECT_EQ(all(world->take()), Codes{"200"});
  }
  allow(rule("<x:message-session/>", "reject"));
  EXPECT_EQ(all(from_alice(invite(im, chat_sdp()))), Codes{"403"});
}

TEST_F(ImRequests, OMA_SET_12_WhoIsInvisibleIsReached) {
  ASSERT_EQ(code(bob->publish(
                {.body = settings_xml("<im:vis-settings><im:vis-status active=\"false\"/></im:vis-settings>")})),
            "200");
  EXPECT_EQ(what(only(from_alice(message()))), "MESSAGE");
  EXPECT_EQ(what(only(from_alice(invite(im, chat_sdp())))), "INVITE");
  EXPECT_EQ(what(only(from_alice(invite(large, chat_sdp())))), "INVITE");
}

// SEED3-5.2.4-S
TEST_F(ImRequests, SEED3_5_2_4_S_APublicationIsAnsweredWithItsNameAndTimeAndHoldsAtOnce) {
  const std::string ok = bob->publish({.expires = "600000", .body = settings_xml(isb(true), "phone")});
  ASSERT_EQ(code(ok), "200");
  EXPECT_NE(header(ok, "SIP-ETag"), "");
  const std::string granted = header(ok, "Expires");
  ASSERT_NE(granted, "");
  EXPECT_GT(std::stoul(granted), 0U);
  EXPECT_LE(std::stoul(granted), 600000U);
  EXPECT_EQ(what(only(from_alice(invite(im, chat_sdp())))), "403") << "the next INVITE sees it";
  // Another publication of his, from another device, is a state of its own.
  Publisher tablet(*world, "bob", "127.0.0.1:40008");
  const std::string other = tablet.publish({.body = settings_xml(ipab(true), "tablet")});
  ASSERT_EQ(code(other), "200");
  EXPECT_NE(header(other, "SIP-ETag"), header(ok, "SIP-ETag"));
  EXPECT_EQ(what(only(from_alice(message()))), "403");
  const std::string first = bob->etag();
  const std::string changed = bob->publish({.if_match = first, .body = settings_xml(isb(false), "phone")});
  ASSERT_EQ(code(changed), "200");
  EXPECT_NE(header(changed, "SIP-ETag"), first);
  EXPECT_EQ(what(only(from_alice(invite(im, chat_sdp())))), "INVITE");
  EXPECT_EQ(what(only(from_alice(message()))), "403") << "the tablet's stays";
  EXPECT_EQ(code(bob->publish({.if_match = first, .body = settings_xml(isb(true), "phone")})), "412")
      << "that name is old";
  EXPECT_EQ(what(only(from_alice(invite(im, chat_sdp())))), "INVITE");
  // Of one user nothing holds for another.
  Says to_carol = message();
  to_carol.uri = "sip:carol@example.org";
  enrol("carol", "<sip:carol@127.0.0.1:40003>");
  EXPECT_EQ(what(only(from_alice(to_carol))), "MESSAGE");
}

// --- pager mode

TEST_F(ImRequests, OMA_PAG_1_WhatTheRecipientAnswersIsWhatTheSenderGets) {
  const auto sent = from_alice(message(text_type, "hello bob"));
  ASSERT_EQ(all(sent), Codes{"MESSAGE"});
  EXPECT_EQ(body_of(sent[0].text), "hello bob");
  EXPECT_EQ(header(sent[0].text, "Content-Type"), "text/plain");
  EXPECT_EQ(header(sent[0].text, "Record-Route"), "") << "no dialog is made";
  world->answer(sent[0], 200);
  const std::string ok = only(world->take());
  EXPECT_EQ(code(ok), "200") << "he has it";
  EXPECT_EQ(body_of(ok), "");
  EXPECT_EQ(header(ok, "Contact"), "");
}

TEST_F(ImRequests, OMA_PAG_4_AllDevicesGetItAndTheFirst2xxIsTheAnswer) {
  has_device("<sip:bob@127.0.0.1:40022>;+g.oma.sip-im");
  has_device("<sip:bob@127.0.0.1:40032>;+g.oma.sip-im");
  const auto sent = from_alice(message());
  ASSERT_EQ(all(sent), (Codes{"MESSAGE", "MESSAGE", "MESSAGE"}));
  world->answer(sent[1], 486);
  EXPECT_EQ(all(world->take()), Codes{}) << "another one may still take it";
  world->answer(sent[2], 200);
  EXPECT_EQ(all(world->take()), Codes{"200"});
  world->answer(sent[0], 200);
  EXPECT_EQ(all(world->take()), Codes{}) << "answered already, and nothing is cancelled";
}

TEST_F(ImRequests, OMA_GRP_10_AGroupAdvertisementIsAPagerMessageWithARuleOfItsOwn) {
  const std::string type = "Content-Type: application/vnd.poc.group-advertisement+xml\r\n";
  const std::string body =
      "<?xml version=\"1.0\"?><group-advertisement xmlns=\"urn:oma:xml:poc:group-advertisement\"><note>come</note>"
      "</group-advertisement>";
  const std::string there = only(from_alice(message(type, body)));
  ASSERT_EQ(what(there), "MESSAGE");
  EXPECT_EQ(body_of(there), body);
  EXPECT_EQ(header(there, "Content-Type"), "application/vnd.poc.group-advertisement+xml");
  allow(rule("<x:group-advertisement/>", "reject"));
  EXPECT_EQ(what(only(from_alice(message(type, body)))), "403");
  EXPECT_EQ(what(only(from_alice(message()))), "MESSAGE") << "other messages are not meant";
  allow(rule("<x:pager-mode-message/>", "reject"));
  EXPECT_EQ(what(only(from_alice(message(type, body)))), "MESSAGE");
  ASSERT_EQ(code(bob->publish({.body = settings_xml(ipab(true))})), "200");
  EXPECT_EQ(what(only(from_alice(message(type, body)))), "403") << "barred like every pager message";
}

// --- file transfer

TEST_F(ImRequests, OMA_FT_1_AFileIsKnownByItsSelectorAndNoTag) {
  const auto barred = [&](const std::string& settings, const Says& says) {
    EXPECT_EQ(code(bob->publish({.if_match = bob->etag(), .body = settings_xml(settings)})), "200");
    return what(only(from_alice(says))) == "403";
  };
  const Says file = invite("", file_sdp());
  const Says chat = invite(im, chat_sdp());
  EXPECT_TRUE(barred(ft(true), file)) << "without any tag";
  EXPECT_TRUE(barred(isb(true), file));
  EXPECT_FALSE(barred(ipab(true), file));
  EXPECT_FALSE(barred(ft(true), chat)) << "a session is no file";
  EXPECT_FALSE(barred(ft(true), invite("Accept-Contact: *;+g.oma.sip-im.file-transfer\r\n", chat_sdp())))
      << "nor is one that only calls itself that";
  EXPECT_FALSE(barred("", file));
  allow(rule("<x:file-transfer/>", "reject"));
  EXPECT_EQ(what(only(from_alice(file))), "403");
  EXPECT_EQ(what(only(from_alice(chat))), "INVITE");
  allow(rule("<x:message-session/>", "reject"));
  EXPECT_EQ(what(only(from_alice(file))), "403") << "where no rule speaks of files, that of sessions holds";
}

TEST_F(ImRequests, OMA_FT_6_AFileForWhoIsNotThereIsNotDeferred) {
  Says says = invite(im, file_sdp());
  says.uri = "sip:carol@example.org";
  EXPECT_EQ(code(only(from_alice(says))), "480");
  EXPECT_EQ(world->metric(core::Metric::im_deferrals), 0U);
}

// --- who is available

TEST_F(ImRequests, OMA_REG_3_WhoIsExplicitlyWantedOtherwiseIsNotReached) {
  has_device("<sip:bob@127.0.0.1:40002>;audio");
  const std::string device = "Accept-Contact: *;+g.oma.sip-im;require;explicit\r\n";
  EXPECT_EQ(code(only(from_alice(message(device + text_type)))), "480")
      << "bob's phone says what it can, and this is no part of it";
  EXPECT_EQ(world->metric(core::Metric::im_deferrals), 1U) << "so it is one to defer";
  EXPECT_EQ(code(only(from_alice(invite(device, chat_sdp())))), "480");
  EXPECT_EQ(world->metric(core::Metric::im_deferrals), 1U) << "a session is not";
  has_device("<sip:bob@127.0.0.1:40022>;+g.oma.sip-im");
  const auto sent = from_alice(message(device + text_type));
  ASSERT_EQ(all(sent), Codes{"MESSAGE"});
  EXPECT_EQ(sent[0].to, address("127.0.0.1:40022")) << "the one that has";
  const auto preferred = from_alice(message(im + text_type));
  ASSERT_FALSE(preferred.empty());
  EXPECT_EQ(preferred[0].to, address("127.0.0.1:40022")) << "where it is not demanded, that one comes first";
}

TEST_F(ImRequests, OMA_X_7_WhatIsMeantForCpmFindsNobodyAndIsNoError) {
  has_device("<sip:bob@127.0.0.1:40002>;+g.oma.sip-im");
  for (const char* service : {"msg", "session", "largemsg", "filetransfer", "deferred"}) {
    const std::string tag = "Accept-Contact: *;+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm." +
                            std::string(service) + "\";require;explicit\r\n";
    EXPECT_EQ(code(only(from_alice(message(tag + text_type)))), "480") << service;
    EXPECT_EQ(code(only(from_alice(invite(tag, chat_sdp())))), "480") << service;
  }
}

// --- rich communication

TEST_F(ImRequests, OMA_X_4_AnRcsChatReachesTheOtherSideAsItWasSent) {
  const std::string body =
      "--b1\r\nContent-Type: application/sdp\r\n\r\n" + chat_sdp() +
      "\r\n--b1\r\nContent-Type: message/cpim\r\n\r\nFrom: <sip:anonymous@anonymous.invalid>\r\nTo: "
      "<sip:anonymous@anonymous.invalid>\r\nNS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m1\r\n"
      "imdn.Disposition-Notification: positive-delivery, display\r\nDateTime: 2023-11-14T22:00:00Z\r\n\r\n"
      "Content-Type: text/plain\r\n\r\nhello\r\n--b1--\r\n";
  const Says says{
      .method = "INVITE",
      .lines = "Contact: <sip:alice@127.0.0.1:40001>;+g.oma.sip-im;+sip.instance=\"<urn:gsma:imei:1>\"\r\n" + im +
               "Contribution-ID: abcdef-1-2\r\nSubject: hello\r\nP-Preferred-Service: "
               "urn:urn-7:3gpp-service.ims.icsi.oma.cpm.session\r\nContent-Type: "
               "multipart/mixed;boundary=b1\r\n",
      .body = body};
  const auto sent = from_alice(says);
  ASSERT_EQ(all(sent), Codes{"INVITE"}) << "known by the description in its body";
  const std::string there = sent[0].text;
  EXPECT_EQ(body_of(there), body);
  EXPECT_EQ(header(there, "Contribution-ID"), "abcdef-1-2");
  EXPECT_EQ(header(there, "Subject"), "hello");
  EXPECT_EQ(header(there, "Content-Type"), "multipart/mixed;boundary=b1");
  EXPECT_EQ(header(there, "Contact"), "<sip:alice@127.0.0.1:40001>;+g.oma.sip-im;+sip.instance=\"<urn:gsma:imei:1>\"");
  EXPECT_EQ(header(there, "Contact").find("isfocus"), std::string::npos);
  world->answer(sent[0], 486);  // a device that was not meant
  EXPECT_EQ(all(world->take()), (Codes{"ACK", "486"}));
  documents->policy.service.msrp_message_bytes_max = 10;
  Says policed = says;
  policed.body.replace(policed.body.find("a=accept-types"), 0, "a=max-size:11\r\n");
  EXPECT_EQ(code(only(from_alice(policed))), "488") << "policy looks into the part, too";
}

}  // namespace
}  // namespace parley::tests
