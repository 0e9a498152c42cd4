// tests/service/focus_refer_test.cc - REFER to a focus: bringing others in and making them go.
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

struct Refers : Party {
  // What the NOTIFY says, which is answered.
  std::string told(Phone& who) {
    const std::string notify = who.want("NOTIFY");
    EXPECT_EQ(header(notify, "Content-Type"), "message/sipfrag;version=2.0");
    who.respond(notify, 200);
    last_notify = notify;
    return between(body_of(notify), "SIP/2.0 ", "\r\n");
  }
  std::string last_notify;
};

TEST_F(Refers, OMA_SES_6_WhoIsNamedIsInvitedAndTheSenderHearsOfIt) {
  gather({bob.get()});
  alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\n");
  const std::string accepted = alice->want("202 REFER");
  EXPECT_TRUE(header(accepted, "Contact").ends_with(";isfocus;+g.oma.sip-im")) << accepted;
  EXPECT_EQ(told(*alice), "100 Trying") << "R3515-1";
  EXPECT_EQ(header(last_notify, "Event"), "refer");
  EXPECT_TRUE(header(last_notify, "Subscription-State").starts_with("active;expires=")) << last_notify;
  EXPECT_TRUE(header(last_notify, "Contact").starts_with("<" + alice->target + ">")) << last_notify;
  const std::string invite = join(*carol);
  EXPECT_EQ(header(invite, "Referred-By"), "<sip:alice@example.org>");
  EXPECT_EQ(contact_uri(invite), alice->target);
  EXPECT_EQ(told(*alice), "200 OK");
  EXPECT_EQ(header(last_notify, "Subscription-State"), "terminated;reason=noresource");
  EXPECT_TRUE(body_of(last_notify).ends_with("\r\n")) << "T-30";
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 3U);
  alice->request("REFER", {}, "Refer-To: <sip:dave@example.org>\r\n");
  alice->want("202 REFER");
  told(*alice);
  EXPECT_EQ(header(last_notify, "Event"), "refer;id=" + std::to_string(alice->cseq)) << "R3515-1: the second one";
  join(*dave, 486);
  EXPECT_EQ(told(*alice), "486 Busy Here");
}

TEST_F(Refers, R4488_WhoWantsToHearNothingDoesNot) {
  gather({bob.get()});
  alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\nRefer-Sub: false\r\nSupported: norefersub\r\n");
  const std::string accepted = alice->want("200 REFER");
  EXPECT_EQ(header(accepted, "Refer-Sub"), "false");
  join(*carol);
  alice->quiet();
}

TEST_F(Refers, R5368_1_AListInvitesSeveral) {
  gather({bob.get()});
  alice->send_typed("REFER", "application/resource-lists+xml", resource_list({"carol", "dave", "bob"}),
                    "Refer-To: <cid:l1@example.org>\r\nRefer-Sub: false\r\nContent-ID: <l1@example.org>\r\n"
                    "Require: multiple-refer, norefersub\r\nContent-Disposition: recipient-list\r\n");
  alice->want("200 REFER");
  join(*carol);
  join(*dave);
  bob->quiet();  // T-51: he is in
  alice->quiet();
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 4U);
}

TEST_F(Refers, OMA_SES_7_TheInitiatorMayExpel) {
  gather({bob.get(), carol.get()});
  alice->request("REFER", {}, "Refer-To: <sip:bob@example.org;method=BYE>\r\n");
  alice->want("202 REFER");
  const std::string bye = bob->want("BYE");
  EXPECT_EQ(header(bye, "Reason"), "SIP;cause=200;text=\"Booted by focus\"");
  bob->respond(bye, 200);
  EXPECT_EQ(told(*alice), "100 Trying");
  EXPECT_EQ(told(*alice), "200 OK");
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 2U);
  alice->request("REFER", {}, "Refer-To: <sip:dave@example.org;method=BYE>\r\n");
  alice->want("202 REFER");
  told(*alice);
  EXPECT_EQ(told(*alice), "404 Not Found") << "the REFER itself was good";
}

TEST_F(Refers, OMA_SES_7_WhoIsExpelledBeforeHeIsCalledIsNotCalled) {
  auto config = focus_config();
  config->focus.invite_parallel = 1;
  make(config);
  begin(*alice, {"bob"});
  join(*bob);
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  for (const char* const user : {"carol", "dave"}) {
    alice->request("REFER", {}, "Refer-To: <sip:" + std::string(user) + "@example.org>\r\n");
    alice->want("202 REFER");
    EXPECT_EQ(told(*alice), "100 Trying");
  }
  const std::string of_dave = header(last_notify, "Event");
  const std::string invite = carol->want("INVITE");
  alice->request("REFER", {}, "Refer-To: <sip:dave@example.org;method=BYE>\r\n");
  alice->want("202 REFER");
  EXPECT_EQ(told(*alice), "100 Trying");
  EXPECT_EQ(told(*alice), "487 Request Terminated");
  EXPECT_EQ(header(last_notify, "Event"), of_dave);
  EXPECT_EQ(told(*alice), "200 OK");
  carol->respond(invite, 486);
  carol->want("ACK");
  EXPECT_EQ(told(*alice), "486 Busy Here");
  dave->quiet();
  dave->invite_uri(alice->target, msrp_sdp("dave"), im_lines);
  std::string answer = dave->next();
  while (code(answer) == "100") answer = dave->next();
  EXPECT_EQ(code(answer), "403");
}

TEST_F(Refers, OMA_SES_7_WhoIsExpelledTwiceIsGoneForBothWhoAsked) {
  gather({bob.get()});
  alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\nRefer-Sub: false\r\nSupported: norefersub\r\n");
  alice->want("200 REFER");
  const std::string invite = carol->want("INVITE");
  carol->respond(invite, 180);
  std::string events[2];
  for (std::string& event : events) {
    alice->request("REFER", {}, "Refer-To: <sip:carol@example.org;method=BYE>\r\n");
    alice->want("202 REFER");
    EXPECT_EQ(told(*alice), "100 Trying");
    event = header(last_notify, "Event");
  }
  EXPECT_EQ(told(*alice), "200 OK") << "she is on her way out";
  EXPECT_EQ(header(last_notify, "Event"), events[1]);
  carol->respond(carol->want("CANCEL"), 200);
  carol->respond(invite, 487);
  carol->want("ACK");
  EXPECT_EQ(told(*alice), "200 OK");
  EXPECT_EQ(header(last_notify, "Event"), events[0]);
}

TEST_F(Refers, OMA_SES_9_WhoComesBeforeHeIsCalledIsNotCalled) {
  auto config = focus_config();
  config->focus.invite_parallel = 1;
  make(config);
  begin(*alice, {"bob", "carol", "dave"});
  EXPECT_EQ(carol->boxed(), 0U);
  join(*bob);
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  const std::string ringing = carol->want("INVITE");
  dave->invite_uri(alice->target, msrp_sdp("dave"), im_lines);
  std::string answer = dave->next();
  while (code(answer) == "100") answer = dave->next();
  ASSERT_EQ(code(answer), "200");
  dave->take(answer);
  dave->ack();
  carol->respond(ringing, 486);
  carol->want("ACK");
  dave->quiet();
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 3U);
}

TEST_F(Refers, OMA_SES_9_WhoNamedOneThatComesByHimselfHearsThatHeCame) {
  for (const bool called : {true, false}) {
    auto config = focus_config();
    config->focus.invite_parallel = 1;
    make(config);
    gather({bob.get()});
    std::string ringing;
    for (const char* const user : {"carol", "dave"}) {
      alice->request("REFER", {}, "Refer-To: <sip:" + std::string(user) + "@example.org>\r\n");
      alice->want("202 REFER");
      EXPECT_EQ(told(*alice), "100 Trying");
      if (ringing.empty()) ringing = carol->want("INVITE");
    }
    Phone& who = called ? *carol : *dave;
    who.invite_uri(alice->target, msrp_sdp("x"), im_lines);
    std::string answer = who.next();
    while (code(answer) == "100") answer = who.next();
    ASSERT_EQ(code(answer), "200");
    EXPECT_EQ(told(*alice), "200 OK") << called;
    EXPECT_EQ(header(last_notify, "Subscription-State"), "terminated;reason=noresource");
  }
}

TEST_F(Refers, OMA_SES_7_OthersMayOnlyExpelThemselves) {
  gather({bob.get(), carol.get()});
  bob->request("REFER", {}, "Refer-To: <sip:carol@example.org;method=BYE>\r\n");
  EXPECT_EQ(header(bob->want("403 REFER"), "Warning"), "399 example.org \"not allowed to expel\"");
  bob->request("REFER", {}, "Refer-To: <sip:bob@example.org;method=BYE>\r\nRefer-Sub: false\r\n");
  bob->want("200 REFER");
  ended(*bob);
  carol->quiet();
}

TEST_F(Refers, T_30_AReferOutsideTheDialogIsKnownByItsSender) {
  gather({bob.get()});
  Phone desk(*line, "alice", "127.0.0.1:40008");
  desk.call_id = "refer1";
  desk.local = "<sip:alice@example.org>;tag=d";
  desk.remote = "<" + alice->target + ">";
  desk.target = alice->target;
  desk.request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\n");
  const std::string accepted = desk.want("202 REFER");
  EXPECT_NE(tag_of(header(accepted, "To")), "");
  EXPECT_EQ(told(desk), "100 Trying");
  EXPECT_EQ(header(last_notify, "Call-ID"), "refer1");
  EXPECT_EQ(header(last_notify, "From"), header(accepted, "To"));
  join(*carol);
  EXPECT_EQ(told(desk), "200 OK");
  alice->quiet();
  Phone stranger(*line, "dave", "127.0.0.1:40008");
  stranger.call_id = "refer2";
  stranger.local = "<sip:dave@example.org>;tag=d";
  stranger.remote = "<" + alice->target + ">";
  stranger.target = alice->target;
  stranger.request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\n");
  EXPECT_EQ(code(stranger.want("403 REFER")), "403");
}

TEST_F(Refers, R3515_1_ThereIsExactlyOneReferTo) {
  gather({bob.get()});
  alice->request("REFER");
  alice->want("400 REFER");
  alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\nRefer-To: <sip:dave@example.org>\r\n");
  alice->want("400 REFER");
  carol->quiet();
}

TEST_F(Refers, OMA_SES_12_ASessionOfTwoStaysOne) {
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"), im_lines);
  join(*bob);
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\n");
  EXPECT_EQ(code(alice->want("403 REFER")), "403");
}

TEST_F(Refers, OMA_SES_6_WhoWaitsForAnOutcomeHearsOfTheSessionsEnd) {
  gather({bob.get()});
  Phone desk(*line, "alice", "127.0.0.1:40008");
  desk.call_id = "refer1";
  desk.local = "<sip:alice@example.org>;tag=d";
  desk.remote = "<" + alice->target + ">";
  desk.target = alice->target;
  desk.request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\n");
  desk.want("202 REFER");
  told(desk);
  carol->want("INVITE");
  line->world.drain();
  line->pass(27s);
  EXPECT_EQ(told(desk), "487 Request Terminated");
  EXPECT_EQ(header(last_notify, "Subscription-State"), "terminated;reason=noresource");
}

// Its ids are known to everybody on the dialog's way, so they prove nothing (RFC 4538 section 8).
TEST_F(Refers, R4538_1_WhoKnowsADialogIsNotItsParticipant) {
  gather({bob.get(), carol.get()});
  const std::string alices = "Target-Dialog: " + alice->call_id + ";local-tag=" + tag_of(alice->remote) +
                             ";remote-tag=" + tag_of(alice->local) + "\r\n";
  const auto beside = [&](const std::string& user, const std::string& method, const std::string& lines) {
    Phone desk(*line, user, "127.0.0.1:40008");
    desk.call_id = "beside" + user + method;
    desk.local = "<sip:" + user + "@example.org>;tag=d";
    desk.remote = "<" + alice->target + ">";
    desk.target = alice->target;
    if (method == "MESSAGE") {
      desk.send_typed(method, "text/plain", "hello", lines);
    } else {
      desk.request(method, {}, lines + "Refer-Sub: false\r\nSupported: norefersub\r\n");
    }
    return desk.next();
  };
  const std::string expel = "Refer-To: <sip:carol@example.org;method=BYE>\r\n";
  EXPECT_EQ(code(beside("dave", "REFER", alices + expel)), "403") << "he takes no part";
  EXPECT_EQ(code(beside("dave", "MESSAGE", alices)), "403") << "OMA-SES-10";
  const std::string bobs = beside("bob", "REFER", alices + expel);
  EXPECT_EQ(header(bobs, "Warning"), "399 example.org \"not allowed to expel\"") << "as himself, not as alice";
  carol->quiet();
  EXPECT_EQ(code(beside("alice", "MESSAGE", alices)), "202");
  EXPECT_EQ(code(beside("alice", "REFER", alices + expel)), "200");
  carol->want("BYE");
}

// --- whose name is a number

struct NumberedRefers : Refers {
  void SetUp() override { renew(); }
  void renew() {
    auto config = focus_config();
    config->users.emplace("+15550100", config->users.at("bob"));
    make(config);
    number = phone("+15550100", 5, 0);
    other = phone("+15550199", 6, 0);
  }
  // alice begins; whoever is called besides bob does not answer.
  void gather_with(const std::string& listed) {
    begin(*alice, {"bob", listed});
    join(*bob);
    alice->take(alice->want("200 INVITE"));
    alice->ack();
    line->pass(40s);
    while (number->boxed() > 0) number->next();
  }
  std::string comes(Phone& who, const std::string& asserted) {
    who.invite_uri(alice->target, msrp_sdp(who.user()), im_lines + "P-Asserted-Identity: <" + asserted + ">\r\n");
    std::string answer = who.next();
    while (code(answer) == "100") answer = who.next();
    if (code(answer) == "200") {
      who.take(answer);
      who.ack();
    } else {
      who.ack_refused(answer);
    }
    return code(answer);
  }
  std::unique_ptr<Phone> number;
  std::unique_ptr<Phone> other;
  const std::string by_number = "tel:+15550100";
  const std::string by_address = "sip:+15550100@example.org";
};

TEST_F(NumberedRefers, OMA_SES_7_WhoIsMadeToGoIsItByEachOfHisNames) {
  for (const std::string& listed : {by_number, by_address}) {
    for (const std::string& came_as : {by_number, by_address}) {
      for (const std::string& expelled_as : {by_number, by_address}) {
        const std::string scope = listed + ", " + came_as + ", " + expelled_as;
        renew();
        gather_with(listed);
        ASSERT_EQ(comes(*other, came_as), "200") << scope;
        alice->request("REFER", {}, "Refer-To: <" + expelled_as + ";method=BYE>\r\n");
        alice->want("202 REFER");
        ended(*other);
        EXPECT_EQ(told(*alice), "100 Trying") << scope;
        EXPECT_EQ(told(*alice), "200 OK") << scope;
        EXPECT_EQ(comes(*other, by_number), "403") << scope;
        EXPECT_EQ(comes(*other, by_address), "403") << scope;
      }
    }
  }
}

TEST_F(NumberedRefers, OMA_SES_7_ANumberOfAnotherServerIsMadeToGoToo) {
  const std::string address = "sip:+15550177@example.org";
  gather_with("tel:+15550177");
  ASSERT_EQ(comes(*other, address), "200");
  alice->request("REFER", {}, "Refer-To: <tel:+15550177;method=BYE>\r\nRefer-Sub: false\r\n");
  alice->want("200 REFER");
  ended(*other);
  EXPECT_EQ(comes(*other, address), "403");
}

TEST_F(NumberedRefers, OMA_SES_7_ToLeaveByOnesOtherNameIsNoExpulsion) {
  gather_with(by_number);
  ASSERT_EQ(comes(*number, by_address), "200");
  number->request("REFER", {}, "Refer-To: <" + by_number + ";method=BYE>\r\nRefer-Sub: false\r\n");
  number->want("200 REFER");
  ended(*number);
  EXPECT_EQ(comes(*number, by_address), "200") << "OMA-SES-9";
}

TEST_F(NumberedRefers, OMA_SES_7_TheInitiatorIsItByHisOtherNameToo) {
  begin(*number, {"bob", "carol"});
  join(*bob);
  join(*carol);
  number->take(number->want("200 INVITE"));
  number->ack();
  alice->target = number->target;  // comes() goes there
  ASSERT_EQ(comes(*other, by_number), "200");
  other->request("REFER", {}, "Refer-To: <sip:bob@example.org;method=BYE>\r\nRefer-Sub: false\r\n");
  other->want("200 REFER");
  ended(*bob);
}

TEST_F(NumberedRefers, T_51_WhoIsInIsNotCalledByHisOtherName) {
  gather_with(by_number);
  ASSERT_EQ(comes(*number, by_address), "200");
  const std::uint64_t invites = line->world.metric(Metric::sip_session_invites);
  for (const std::string& name : {by_number, by_address}) {
    alice->request("REFER", {}, "Refer-To: <" + name + ">\r\n");
    alice->want("202 REFER");
    EXPECT_EQ(told(*alice), "100 Trying");
    EXPECT_EQ(told(*alice), "200 OK") << name;
  }
  EXPECT_EQ(line->world.metric(Metric::sip_session_invites), invites);
  number->quiet();
}

TEST_F(NumberedRefers, T_51_WhoIsNamedByHisNumberTooIsCalledAtHisAddress) {
  for (const auto& [first, second] : {std::pair(by_number, by_address), std::pair(by_address, by_number)}) {
    renew();
    gather({bob.get()});
    alice->send_typed("REFER", "application/resource-lists+xml", resource_list({first, second}),
                      "Refer-To: <cid:l1@example.org>\r\nRefer-Sub: false\r\nContent-ID: <l1@example.org>\r\n"
                      "Require: multiple-refer, norefersub\r\nContent-Disposition: recipient-list\r\n");
    alice->want("200 REFER");
    join(*number);
    number->quiet();
  }
}

TEST_F(NumberedRefers, OMA_GRP_5_WhoIsInvitedByBothOfHisNamesIsOne) {
  for (const std::size_t max : {std::size_t{1}, std::size_t{2}}) {
    auto config = focus_config();
    config->users.emplace("+15550100", config->users.at("bob"));
    config->focus.adhoc_max = static_cast<std::uint32_t>(max);
    make(config);
    number = phone("+15550100", 5, 0);
    begin(*alice, {"bob", by_number, by_address});
    if (max == 1) {
      alice->want("403 INVITE");
      continue;
    }
    join(*bob);
    join(*number);
    number->quiet();
  }
}

TEST_F(NumberedRefers, OMA_SES_10_WhoWritesByHisOtherNameIsInIt) {
  gather_with(by_number);
  ASSERT_EQ(comes(*number, by_address), "200");
  other->call_id = "m1";
  other->local = "<sip:+15550199@example.org>;tag=m1";
  other->remote = "<" + alice->target + ">";
  other->target = alice->target;
  other->send_typed("MESSAGE", "text/plain", "hello", "P-Asserted-Identity: <" + by_number + ">\r\n");
  EXPECT_EQ(code(other->next()), "202");
}

// --- its subscription

TEST_F(Refers, R3515_1_TheSubscriptionOfAReferIsRefreshedAndEndedInItsDialog) {
  gather({bob.get()});
  alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\n");
  alice->want("202 REFER");
  told(*alice);
  alice->request("SUBSCRIBE", {}, "Event: refer\r\nExpires: 100\r\n");
  const std::string refreshed = alice->want("200 SUBSCRIBE");
  EXPECT_EQ(header(refreshed, "Expires"), "100");
  EXPECT_TRUE(header(refreshed, "Contact").starts_with("<" + alice->target + ">")) << refreshed;
  EXPECT_EQ(told(*alice), "100 Trying");
  EXPECT_EQ(header(last_notify, "Subscription-State"), "active;expires=100");
  alice->request("SUBSCRIBE", {}, "Event: refer;id=77\r\nExpires: 100\r\n");
  EXPECT_EQ(code(alice->want("481 SUBSCRIBE")), "481") << "nothing but a REFER makes one";
  alice->request("SUBSCRIBE", {}, "Event: refer\r\nExpires: 0\r\n");
  alice->want("200 SUBSCRIBE");
  EXPECT_EQ(told(*alice), "100 Trying");
  EXPECT_EQ(header(last_notify, "Subscription-State"), "terminated;reason=timeout");
  alice->request("SUBSCRIBE", {}, "Event: refer\r\nExpires: 100\r\n");
  alice->want("481 SUBSCRIBE");
  join(*carol);
  alice->quiet();
  EXPECT_EQ(line->world.metric(Metric::sip_session_participants), 3U) << "what was asked for happens all the same";
}

TEST_F(Refers, R3515_1_TheSecondOneIsNamedByItsCSeqAndTimeEndsIt) {
  gather({bob.get()});
  for (const char* target : {"carol", "dave"}) {
    alice->request("REFER", {}, "Refer-To: <sip:" + std::string(target) + "@example.org>\r\n");
    alice->want("202 REFER");
    told(*alice);
  }
  const std::string second = "refer;id=" + std::to_string(alice->cseq);
  alice->request("SUBSCRIBE", {}, "Event: " + second + "\r\nExpires: 5\r\n");
  EXPECT_EQ(header(alice->want("200 SUBSCRIBE"), "Expires"), "5");
  told(*alice);
  EXPECT_EQ(header(last_notify, "Event"), second);
  line->pass(5s);
  EXPECT_EQ(told(*alice), "100 Trying") << "nothing is known yet";
  EXPECT_EQ(header(last_notify, "Event"), second);
  EXPECT_EQ(header(last_notify, "Subscription-State"), "terminated;reason=timeout");
  while (carol->boxed() > 1) carol->next();
  join(*carol);
  EXPECT_EQ(told(*alice), "200 OK") << "the first one lasts";
  EXPECT_EQ(header(last_notify, "Event"), "refer");
}

TEST_F(Refers, R3515_1_OutsideTheSessionsDialogToo) {
  gather({bob.get()});
  Phone desk(*line, "alice", "127.0.0.1:40008");
  desk.call_id = "refer1";
  desk.local = "<sip:alice@example.org>;tag=d";
  desk.remote = "<" + alice->target + ">";
  desk.target = alice->target;
  desk.request("SUBSCRIBE", {}, "Event: refer\r\nExpires: 100\r\n");
  desk.want("403 SUBSCRIBE");
  desk.request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\n");
  desk.take(desk.want("202 REFER"));
  told(desk);
  desk.request("SUBSCRIBE", {}, "Event: refer\r\nExpires: 9999\r\n");
  EXPECT_EQ(header(desk.want("200 SUBSCRIBE"), "Expires"), "240") << "R3515-1: how long is ours to choose";
  told(desk);
  alice->request("SUBSCRIBE", {}, "Event: refer\r\nExpires: 100\r\n");
  EXPECT_EQ(code(alice->want("481 SUBSCRIBE")), "481") << "not in that dialog";
  join(*carol);
  EXPECT_EQ(told(desk), "200 OK");
}

TEST_F(Refers, R4488_WithoutSubscriptionThereIsNothingToRefresh) {
  gather({bob.get()});
  alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\nRefer-Sub: false\r\nSupported: norefersub\r\n");
  alice->want("200 REFER");
  alice->request("SUBSCRIBE", {}, "Event: refer\r\nExpires: 100\r\n");
  alice->want("481 SUBSCRIBE");
}

TEST_F(Refers, OMA_GRP_5_AListLongerThanAnyIsRefusedAsAWhole) {
  gather({bob.get()});
  std::vector<std::string> many(500, "bob");
  many.emplace_back("carol");
  alice->send_typed("REFER", "application/resource-lists+xml", resource_list(many),
                    "Refer-To: <cid:l1@example.org>\r\nRefer-Sub: false\r\nContent-ID: <l1@example.org>\r\n"
                    "Require: multiple-refer, norefersub\r\nContent-Disposition: recipient-list\r\n");
  EXPECT_EQ(header(alice->want("403 REFER"), "Warning"), "399 example.org \"too many recipients, at most 20\"");
  carol->quiet();
}

}  // namespace
}  // namespace parley::tests
