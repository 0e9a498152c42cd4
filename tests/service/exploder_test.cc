// tests/service/exploder_test.cc - pager messages to several: to the factory with a list, and to a group (RFC 5365;
// OMA-PAG-1 to -3, OMA-ID-8, OMA-DR-5, R5365-1).
#include <gtest/gtest.h>

#include "policy/group_document.h"
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using core::Metric;

const std::string factory = "sip:factory@example.org";
const std::string list_lines = "Accept-Contact: *;+g.oma.sip-im\r\nRequire: recipient-list-message\r\n";

std::string cpim(const std::string& wanted) {
  return "From: <sip:alice@example.org>\r\nTo: <sip:team@example.org>\r\nNS: n <urn:ietf:params:imdn>\r\n"
         "n.Message-ID: m-17\r\nn.Disposition-Notification: " +
         wanted + "\r\nDateTime: 2023-11-14T22:00:00Z\r\n\r\nContent-Type: text/plain\r\n\r\nhello all";
}

struct Exploding : Party {
  void SetUp() override { start({}); }
  void start(const std::function<void(policy::SipConfig&)>& change) {
    auto config = focus_config();
    config->im.participating = true;
    policy::GroupSpec team;
    team.uri = "sip:team@example.org";
    for (const char* name : {"alice", "bob", "carol"}) {
      team.members.push_back({.uri = "sip:" + std::string(name) + "@example.org", .key = {}, .display_name = {}});
    }
    const policy::DocumentsResult read = policy::read_documents({}, {&team, 1}, "example.org");
    EXPECT_EQ(read.error, "");
    config->documents = read.documents;
    if (change) change(*config);
    make(config);
  }
  // alice's, outside any dialog; what she gets.
  std::string says(const std::string& uri, const std::string& type, const std::string& body,
                   const std::string& lines = list_lines, Phone* by = nullptr) {
    Phone& who = by == nullptr ? *alice : *by;
    who.call_id = "msg" + std::to_string(++messages);
    who.local = "<sip:" + who.user() + "@example.org>;tag=m" + std::to_string(messages);
    who.remote = "<" + uri + ">";
    who.target = uri;
    who.routes.clear();
    who.send_typed("MESSAGE", type, body, lines);
    return who.next();
  }
  std::string to_list(const std::vector<std::string>& users, const std::string& lines = list_lines) {
    return says(factory + ";sessiontype=adhoc", mixed_type, listed(users), lines);
  }
  std::string takes(Phone& who, int status = 200) {
    const std::string message = who.want("MESSAGE");
    if (!message.empty()) who.respond(message, status);
    return message;
  }
  int messages = 0;
};

TEST_F(Exploding, R5365_1_WhatAnEntryAsksForIsInItsOwnMessage) {
  const std::string accepted =
      to_list({"sip:bob@example.org;method=INVITE?Subject=hi%20bob&amp;From=sip:eve%40example.org&amp;Route=x", "carol"},
              list_lines + "Subject: lunch\r\n");
  EXPECT_EQ(Phone::kind(accepted), "202 MESSAGE");
  const std::string to_bob = takes(*bob);
  EXPECT_EQ(header(to_bob, "Subject"), "hi bob");
  EXPECT_EQ(to_bob.find("eve"), std::string::npos) << to_bob;
  EXPECT_EQ(to_bob.find("lunch"), std::string::npos) << to_bob;
  EXPECT_EQ(header(to_bob, "Route"), "");
  EXPECT_EQ(header(to_bob, "To"), "<sip:bob@example.org>");
  const std::string to_carol = takes(*carol);
  EXPECT_EQ(header(to_carol, "Subject"), "lunch");
}

TEST_F(Exploding, OMA_PAG_1_AMessageToAListIsTakenWith202AndEachGetsACopy) {
  const std::string accepted = to_list({"bob", "carol"});
  EXPECT_EQ(Phone::kind(accepted), "202 MESSAGE");
  EXPECT_EQ(body_of(accepted), "");
  EXPECT_EQ(header(accepted, "Contact"), "");
  EXPECT_EQ(header(accepted, "Server"), "IM-serv/OMA1.0 parley/0.0");
  takes(*bob);
  takes(*carol);
  alice->quiet();
  dave->quiet();
  at_rest();
  EXPECT_EQ(line->world.service().exploder().sendings(), 0U);
  EXPECT_EQ(line->world.metric(Metric::im_list_messages), 1U);
  EXPECT_EQ(line->world.metric(Metric::im_list_copies), 2U);
}

TEST_F(Exploding, OMA_PAG_2_ACopyIsARequestOfItsOwnFromTheSameUser) {
  EXPECT_EQ(Phone::kind(to_list({"bob", "carol"}, list_lines + "Subject: lunch\r\nX-Own: 1\r\n")), "202 MESSAGE");
  const std::string sent = alice->last;
  const std::string to_bob = takes(*bob);
  const std::string to_carol = takes(*carol);
  EXPECT_NE(header(to_bob, "Call-ID"), header(sent, "Call-ID"));
  EXPECT_NE(header(to_bob, "Call-ID"), header(to_carol, "Call-ID"));
  EXPECT_EQ(header(to_bob, "CSeq"), "1 MESSAGE");
  EXPECT_TRUE(header(to_bob, "From").starts_with("<sip:alice@example.org>;tag=")) << to_bob;
  EXPECT_NE(header(to_bob, "From"), header(sent, "From")) << "with a tag of its own";
  EXPECT_EQ(header(to_bob, "To"), "<sip:bob@example.org>");
  EXPECT_EQ(header(to_carol, "To"), "<sip:carol@example.org>");
  EXPECT_EQ(header(to_bob, "P-Asserted-Identity"), "<sip:alice@example.org>") << "he is trusted";
  EXPECT_EQ(header(to_bob, "User-Agent"), "IM-serv/OMA1.0 parley/0.0");
  EXPECT_EQ(header(to_bob, "Accept-Contact"), "*;+g.oma.sip-im");
  EXPECT_EQ(header(to_bob, "Subject") + header(to_bob, "X-Own"), "lunch1");
  EXPECT_EQ(header(to_bob, "Require"), "") << "he is no list server";
  EXPECT_EQ(header(to_bob, "Max-Forwards"), "70");
  EXPECT_NE(body_of(to_bob).find("\r\n\r\nhello all\r\n"), std::string::npos) << to_bob;
  EXPECT_NE(body_of(to_bob).find("Content-Disposition: recipient-list-history; handling=optional"), std::string::npos)
      << to_bob;
  EXPECT_EQ(body_of(to_bob).find("recipient-list\r\n"), std::string::npos) << "the list itself is not passed on";
  EXPECT_NE(body_of(to_bob).find("sip:carol@example.org"), std::string::npos) << "who else got it";
}

TEST_F(Exploding, OMA_PAG_2_WhereNobodyIsTold_TheContentStandsAlone) {
  EXPECT_EQ(Phone::kind(says(factory, mixed_type, listed({"bob"}, "hi", "cp:copyControl=\"bcc\""))), "202 MESSAGE");
  const std::string there = takes(*bob);
  EXPECT_EQ(header(there, "Content-Type"), "text/plain");
  EXPECT_EQ(body_of(there), "hi");
}

TEST_F(Exploding, OMA_PAG_2_ListsThatCanNotBeUsed) {
  const std::string no_list = says(factory, "text/plain", "hello");
  EXPECT_EQ(Phone::kind(no_list), "400 MESSAGE") << "R5365-1: Require says there is one";
  EXPECT_NE(header(no_list, "Warning").find("no recipient list"), std::string::npos) << no_list;
  EXPECT_EQ(Phone::kind(says(factory, "text/plain", "hello", "")), "400 MESSAGE");
  EXPECT_EQ(Phone::kind(says(factory, mixed_type,
                             part("Content-Type: text/plain\r\n", "x") +
                                 part("Content-Type: application/resource-lists+xml\r\n", "<not-xml") + "--b1--\r\n")),
            "400 MESSAGE");
  EXPECT_EQ(Phone::kind(says(factory, mixed_type, "nothing of the kind")), "400 MESSAGE");
  EXPECT_EQ(Phone::kind(says(factory, "application/resource-lists+xml", resource_list({"bob"}))), "400 MESSAGE")
      << "nothing to send";
  EXPECT_EQ(Phone::kind(to_list({"mailto:bob@example.org"})), "404 MESSAGE") << "OMA-GRP-8";
  EXPECT_EQ(Phone::kind(to_list({"alice"})), "404 MESSAGE") << "himself alone";
  std::vector<std::string> many;
  for (int i = 0; i < 21; ++i) many.push_back("user" + std::to_string(i));
  const std::string refused = to_list(many);
  EXPECT_EQ(Phone::kind(refused), "403 MESSAGE") << "OMA-GRP-5";
  EXPECT_NE(header(refused, "Warning").find("at most 20"), std::string::npos) << refused;
  bob->quiet();
}

TEST_F(Exploding, OMA_PAG_3_AGroupsMembersGetItTheSenderDoesNot) {
  const std::string accepted = says("sip:team@example.org", "text/plain", "hello team", "");
  EXPECT_EQ(Phone::kind(accepted), "202 MESSAGE");
  const std::string to_bob = takes(*bob);
  EXPECT_EQ(body_of(to_bob), "hello team");
  EXPECT_EQ(header(to_bob, "Content-Type"), "text/plain");
  EXPECT_EQ(header(to_bob, "To"), "<sip:bob@example.org>");
  takes(*carol);
  alice->quiet();
  dave->quiet();
}

TEST_F(Exploding, OMA_PAG_3_WhoIsNoMemberGets403) {
  const std::string refused = says("sip:team@example.org", "text/plain", "hello", "", dave.get());
  EXPECT_EQ(Phone::kind(refused), "403 MESSAGE");
  EXPECT_NE(header(refused, "Warning").find("not a member"), std::string::npos) << refused;
  EXPECT_EQ(header(refused, "Server"), "IM-serv/OMA1.0 parley/0.0");
  EXPECT_EQ(Phone::kind(says("sip:team@example.org", "text/plain", "hello", "Privacy: id\r\n")), "433 MESSAGE")
      << "OMA-GRP-9";
  bob->quiet();
  carol->quiet();
}

TEST_F(Exploding, OMA_PAG_3_EachUserOnceAndNeverTheSender) {
  EXPECT_EQ(Phone::kind(to_list({"bob", "alice", "bob", "sip:BOB@example.org"})), "202 MESSAGE");
  takes(*bob);
  if (const std::string more = bob->next(); !more.empty()) {
    EXPECT_EQ(header(more, "To"), "<sip:BOB@example.org>") << "user parts have case";
  }
  alice->quiet();
}

TEST_F(Exploding, T_51_WhoIsNamedByHisNumberTooGetsOneCopyAtHisAddress) {
  const std::string by_number = "tel:+15550100";
  const std::string by_address = "sip:+15550100@example.org";
  for (const auto& [first, second] : {std::pair(by_number, by_address), std::pair(by_address, by_number)}) {
    start([&, first = first, second = second](policy::SipConfig& config) {
      config.users.emplace("+15550100", config.users.at("bob"));
      config.focus.adhoc_max = 2;
      policy::GroupSpec team;
      team.uri = "sip:team@example.org";
      for (const std::string& uri : {std::string("sip:alice@example.org"), first, second}) {
        team.members.push_back({.uri = uri, .key = {}, .display_name = {}});
      }
      config.documents = policy::read_documents({}, {&team, 1}, "example.org").documents;
    });
    const auto number = phone("+15550100", 5, 0);
    const auto one_copy = [&] {
      EXPECT_EQ(header(takes(*number), "To"), "<" + by_address + ">");
      number->quiet();
      EXPECT_EQ(line->world.metric(Metric::im_list_copies_failed), 0U) << "and none to the number";
    };
    EXPECT_EQ(Phone::kind(to_list({first, "bob", second})), "202 MESSAGE") << "OMA-GRP-5: they are two";
    takes(*bob);
    one_copy();
    EXPECT_EQ(Phone::kind(says("sip:team@example.org", "text/plain", "hello", "")), "202 MESSAGE");
    one_copy();
    EXPECT_EQ(Phone::kind(says("sip:team@example.org", "text/plain", "hello", "", number.get())), "202 MESSAGE");
    takes(*alice);
    number->quiet();
  }
}

TEST_F(Exploding, SEED4_6_1_2_1_CopiesAreCheckedLikeAnyMessageAndTheOthersGetTheirs) {
  start([](policy::SipConfig& config) { config.focus.invite_parallel = 1; });
  EXPECT_EQ(Phone::kind(to_list({"nobody", "bob", "carol"})), "202 MESSAGE");
  takes(*bob, 486);
  takes(*carol);
  alice->quiet();  // nobody has asked to be told
  at_rest();
  EXPECT_EQ(line->world.metric(Metric::im_list_copies_failed), 2U);
}

TEST_F(Exploding, OMA_DR_5_ARequestForNotificationsNamesTheListAndFailuresAreTold) {
  EXPECT_EQ(Phone::kind(says("sip:team@example.org", "message/cpim", cpim("positive-delivery, negative-delivery"), "")),
            "202 MESSAGE");
  const std::string to_bob = takes(*bob, 200);
  EXPECT_NE(body_of(to_bob).find("\r\nn.Original-To: <sip:team@example.org>\r\nn.Disposition-Notification: "),
            std::string::npos)
      << to_bob;
  EXPECT_EQ(body_of(to_bob).find("IMDN-Record-Route"), std::string::npos) << "each answers the sender himself";
  takes(*carol, 480);
  const std::string told = takes(*alice);
  EXPECT_EQ(header(told, "From").find("<sip:team@example.org>;tag="), 0U) << told;
  EXPECT_EQ(header(told, "Content-Type"), "message/cpim");
  const std::string notice = body_of(told);
  EXPECT_NE(notice.find("Content-Type: message/imdn+xml\r\n"), std::string::npos) << notice;
  EXPECT_NE(notice.find("<message-id>m-17</message-id>"), std::string::npos) << notice;
  EXPECT_NE(notice.find("<failed/>"), std::string::npos) << notice;
  EXPECT_EQ(notice.find("carol"), std::string::npos) << "who is in a group is not told\n" << notice;
  EXPECT_EQ(notice.find("Disposition-Notification"), std::string::npos) << "R5438-2: none about this one";
  alice->quiet();
  at_rest();
  EXPECT_EQ(line->world.service().exploder().sendings(), 0U);
}

TEST_F(Exploding, OMA_DR_5_WhoWroteTheListHearsWhomItDidNotReach) {
  const std::string body =
      part("Content-Type: message/cpim\r\n", cpim("negative-delivery")) +
      part("Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n",
           resource_list({"bob", "carol"})) +
      "--b1--\r\n";
  EXPECT_EQ(Phone::kind(says(factory, mixed_type, body)), "202 MESSAGE");
  takes(*bob, 603);
  takes(*carol);
  const std::string told = takes(*alice);
  EXPECT_NE(body_of(told).find("<recipient-uri>sip:bob@example.org</recipient-uri>"), std::string::npos) << told;
  EXPECT_NE(body_of(told).find("<original-recipient-uri>sip:factory@example.org</original-recipient-uri>"),
            std::string::npos);
}

TEST_F(Exploding, OMA_DR_5_AnOriginalToThatIsThereStays) {
  std::string asked = cpim("negative-delivery");
  asked.insert(asked.find("DateTime"), "n.Original-To: <sip:first@example.org>\r\n");
  EXPECT_EQ(Phone::kind(says("sip:team@example.org", "message/cpim", asked, "")), "202 MESSAGE");
  EXPECT_EQ(body_of(takes(*bob)), asked);
  takes(*carol);
}

// OMA-ID-8: what is handed out as factory takes INVITEs and, as exploder, messages; nothing of it is anybody else's.
TEST_F(Exploding, OMA_ID_8_TheUriThatClientsAreGivenIsServedHere) {
  EXPECT_EQ(Phone::kind(to_list({"bob"})), "202 MESSAGE");
  takes(*bob);
  begin(*alice, {"bob"});
  join(*bob);
  alice->want("200 INVITE");
}

TEST_F(Exploding, OnlySoManyCopiesWait) {
  start([](policy::SipConfig& config) { config.focus.list_copies_max = 2; });
  EXPECT_EQ(Phone::kind(to_list({"bob", "carol", "dave"})), "503 MESSAGE") << "more than may wait";
  bob->quiet();
  EXPECT_EQ(line->world.metric(Metric::im_list_copies_limit), 1U);
  EXPECT_EQ(Phone::kind(to_list({"bob", "carol"})), "202 MESSAGE");
}

}  // namespace
}  // namespace parley::tests
