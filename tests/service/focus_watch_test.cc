// tests/service/focus_watch_test.cc - who watches a session of a focus (RFC 4575): what they are told, and when.
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using namespace std::chrono_literals;

struct Watching : Party {
  // A SUBSCRIBE of its own dialog.
  std::unique_ptr<Phone> watch(const std::string& user, const std::string& address, const std::string& identity,
                               const std::string& wanted = "200 SUBSCRIBE") {
    auto desk = std::make_unique<Phone>(*line, user, address);
    desk->call_id = "watch" + address;
    desk->local = "<sip:" + user + "@example.org>;tag=w";
    desk->remote = "<" + identity + ">";
    desk->target = identity;
    desk->request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\nAccept: application/conference-info+xml\r\n");
    const std::string answer = desk->want(wanted);
    if (wanted == "200 SUBSCRIBE") {
      EXPECT_TRUE(header(answer, "Contact").ends_with(">;isfocus;+g.oma.sip-im")) << "R4579-1\n" << answer;
      desk->take(answer);
    }
    return desk;
  }
  std::string told(Phone& who) {
    const std::string notify = who.want("NOTIFY");
    EXPECT_EQ(header(notify, "Event"), "conference");
    EXPECT_EQ(header(notify, "Content-Type"), "application/conference-info+xml");
    who.respond(notify, 200);
    return notify;
  }
};

// DEC-9: of an ad-hoc session, too.
TEST_F(Watching, SEED2_7_2_1_1_13_WhoWatchesIsToldBehindThe200) {
  gather({bob.get(), carol.get()});
  leaves(*carol);
  auto desk = watch("alice", "127.0.0.1:40008", alice->target);
  const std::string full = told(*desk);
  EXPECT_NE(full.find("state=\"full\""), std::string::npos) << full;
  EXPECT_NE(full.find("sip:alice@example.org"), std::string::npos) << full;
  line->pass(6s);
  carol->local.clear();
  carol->call_id = "again";
  const std::string sdp = msrp_sdp("carol2");
  line->world.datagram("INVITE " + alice->target + " SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40003;branch=z9hG4bKagain1\r\n"
                           "Max-Forwards: 70\r\nFrom: <sip:carol@example.org>;tag=again\r\nTo: <" + alice->target +
                           ">\r\nCall-ID: again\r\nCSeq: 1 INVITE\r\nContact: <sip:carol@127.0.0.1:40003>;+g.oma.sip-im\r\n" +
                           im_lines + "Content-Type: application/sdp\r\nContent-Length: " + std::to_string(sdp.size()) +
                           "\r\n\r\n" + sdp,
                       "127.0.0.1:40003");
  std::string order;
  std::string notify;
  for (const SipWorld::Sent& sent : line->world.take()) {
    order += Phone::kind(sent.text) + ";";
    if (Phone::kind(sent.text) == "NOTIFY") notify = sent.text;
  }
  EXPECT_EQ(order, "200 INVITE;NOTIFY;");
  EXPECT_NE(notify.find("state=\"partial\""), std::string::npos) << notify;
  EXPECT_NE(notify.find("sip:carol@example.org"), std::string::npos) << notify;
  EXPECT_NE(notify.find("<status>connected</status>"), std::string::npos) << notify;
}

TEST_F(Watching, T_33_ASubscriptionMayShareTheDialogOfTheSession) {
  gather({bob.get(), carol.get()});
  bob->request("SUBSCRIBE", {}, "Event: conference\r\nExpires: 600\r\n");
  bob->want("200 SUBSCRIBE");
  const std::string full = told(*bob);
  EXPECT_EQ(header(full, "Call-ID"), bob->call_id);
  EXPECT_NE(full.find("state=\"full\""), std::string::npos) << full;
  alice->quiet();
}

TEST_F(Watching, OMA_CONF_1_AStrangerMayNotWatchAndAnUnknownSessionIs404) {
  gather({bob.get(), carol.get()});
  const std::string identity = alice->target;
  watch("dave", "127.0.0.1:40008", identity, "403 SUBSCRIBE");
  leaves(*alice);
  leaves(*bob);
  ended(*carol);
  at_rest();
  watch("alice", "127.0.0.1:40009", identity, "404 SUBSCRIBE");
}

TEST_F(Watching, OMA_CONF_8_TheEndOfASessionEndsItsSubscriptions) {
  gather({bob.get()});
  auto desk = watch("bob", "127.0.0.1:40008", alice->target);
  told(*desk);
  leaves(*alice);
  ended(*bob);
  std::string last;
  while (desk->boxed() != 0) {
    last = desk->want("NOTIFY");
    desk->respond(last, 200);
  }
  EXPECT_EQ(header(last, "Subscription-State"), "terminated;reason=noresource");
  at_rest();
}

TEST_F(Watching, OMA_CONF_5_InvitationsShowInTheRoster) {
  begin(*alice, {"bob", "carol"});
  join(*bob);
  alice->take(alice->want("200 INVITE"));
  alice->ack();
  auto desk = watch("alice", "127.0.0.1:40008", alice->target);
  EXPECT_NE(told(*desk).find("<status>dialing-out</status>"), std::string::npos);
  line->pass(6s);
  while (desk->boxed() != 0) desk->next();
  while (carol->boxed() > 1) carol->next();
  carol->respond(carol->want("INVITE"), 486);
  const std::string notify = told(*desk);
  EXPECT_NE(notify.find("<status>disconnected</status>"), std::string::npos) << notify;
  EXPECT_NE(notify.find("<disconnection-method>busy</disconnection-method>"), std::string::npos) << notify;
}

// RFC 6665 section 4.2.2: who goes with the session is not rejected.
TEST_F(Watching, OMA_CONF_8_TheOneWhoseLeavingEndsTheSessionIsToldThatItIsGone) {
  gather({bob.get()});
  auto desk = watch("alice", "127.0.0.1:40008", alice->target);
  told(*desk);
  line->pass(6s);
  leaves(*alice);
  ended(*bob);
  line->pass(6s);
  std::string last;
  while (desk->boxed() != 0) {
    last = desk->want("NOTIFY");
    desk->respond(last, 200);
  }
  EXPECT_EQ(header(last, "Subscription-State"), "terminated;reason=noresource");
  EXPECT_NE(body_of(last).find("state=\"deleted\""), std::string::npos) << "OMA-CONF-8";
  at_rest();
}

TEST_F(Watching, OMA_CONF_1_WhoLeavesASessionThatGoesOnWatchesNoLonger) {
  gather({bob.get(), carol.get()});
  auto desk = watch("bob", "127.0.0.1:40008", alice->target);
  told(*desk);
  line->pass(6s);
  leaves(*bob);
  line->pass(6s);
  std::string last;
  while (desk->boxed() != 0) {
    last = desk->want("NOTIFY");
    desk->respond(last, 200);
  }
  EXPECT_EQ(header(last, "Subscription-State"), "terminated;reason=rejected");
}

}  // namespace
}  // namespace parley::tests
