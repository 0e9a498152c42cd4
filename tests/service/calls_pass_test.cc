// tests/service/calls_pass_test.cc - calls carried leg to leg: requests that go on as they are; shards; connections.
#include "tests/service/phones.h"

namespace parley::tests {
namespace {

using core::Metric;
using namespace std::chrono_literals;

TEST_F(Calls, R3261_5_InfoAndMessageAndWhatNobodyKnowsGoOn) {
  connect();
  for (const char* name : {"INFO", "MESSAGE", "OPTIONS", "PUBLISH", "FROBNICATE"}) {
    for (const auto& [from, to] : {std::pair(alice.get(), bob.get()), std::pair(bob.get(), alice.get())}) {
      from->request(name, "body", "X-Own: 1\r\nInfo-Package: a\r\n");
      const std::string got = to->want(name);
      EXPECT_EQ(header(got, "Call-ID"), to->call_id);
      EXPECT_EQ(body_of(got) + header(got, "X-Own") + header(got, "Info-Package"), "body1a");
      to->respond(got, 202, "answer", "X-Back: 2\r\n");
      const std::string answer = from->want(std::string("202 ") + name);
      EXPECT_EQ(body_of(answer) + header(answer, "X-Back"), "answer2");
    }
  }
  hang_up();
  at_rest();
}

TEST_F(Calls, R3261_5_ARefusedInfoIsThatAndNoMore) {
  connect();
  alice->request("INFO");
  bob->respond(bob->want("INFO"), 469);
  alice->want("469 INFO");
  bob->quiet();
  hang_up();
  at_rest();
}

TEST_F(Calls, R3261_5_A481FromOneLegEndsTheOther) {
  connect();
  alice->request("INFO");
  bob->respond(bob->want("INFO"), 481);
  alice->want("480 INFO");
  alice->respond(alice->want("BYE"), 200);
  bob->respond(bob->want("BYE"), 481);
  at_rest();
}

TEST_F(Calls, R3261_5_SilenceEndsTheCall) {
  connect();
  alice->request("INFO");
  line->pass(31s);
  EXPECT_EQ(alice->kind(alice->next()), "100 INFO");  // RFC 4320: that we still wait
  line->pass(1100ms);
  alice->respond(alice->want("BYE"), 200);  // and no 408 to the INFO (R3261-3)
  while (bob->boxed() != 0) {
    const std::string text = bob->next();
    if (method(text) == "BYE") bob->respond(text, 200);
  }
  at_rest();
}

TEST_F(Calls, R3261_5_OrderCountsOnEachLeg) {
  connect();
  alice->request("INFO");
  bob->respond(bob->want("INFO"), 200);
  alice->want("200 INFO");
  alice->cseq -= 1;
  alice->request("INFO");
  alice->want("500 INFO");
  bob->quiet();
  alice->remote += "x";
  alice->request("INFO");
  alice->want("481 INFO");
  alice->remote.pop_back();
  hang_up();
  at_rest();
}

TEST_F(Calls, R3515_1_ReferAndItsNotifies) {
  connect();
  alice->request("INFO");  // the legs no longer count alike
  bob->respond(bob->want("INFO"), 200);
  alice->want("200 INFO");
  alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\nReferred-By: <sip:alice@example.org>\r\n");
  const std::string refer = bob->want("REFER");
  EXPECT_EQ(header(refer, "Refer-To"), "<sip:carol@example.org>");
  EXPECT_EQ(header(refer, "Referred-By"), "<sip:alice@example.org>");
  bob->respond(refer, 202);
  const std::string accepted = alice->want("202 REFER");
  const std::string theirs = cseq_number(accepted);
  bob->request("NOTIFY", "SIP/2.0 100 Trying",
               "Event: refer;id=" + cseq_number(refer) + "\r\nSubscription-State: active;expires=60\r\n");
  const std::string notify = alice->want("NOTIFY");
  EXPECT_EQ(header(notify, "Event"), "refer;id=" + theirs);
  EXPECT_EQ(header(notify, "Subscription-State"), "active;expires=60");
  EXPECT_EQ(body_of(notify), "SIP/2.0 100 Trying");
  alice->respond(notify, 200);
  bob->want("200 NOTIFY");
  alice->request("SUBSCRIBE", {}, "Event: refer;id=" + theirs + "\r\nExpires: 0\r\n");
  const std::string subscribe = bob->want("SUBSCRIBE");
  EXPECT_EQ(header(subscribe, "Event"), "refer;id=" + cseq_number(refer));
  bob->respond(subscribe, 481);
  alice->want("481 SUBSCRIBE");  // it is the subscription that is gone
  bob->quiet();
  hang_up();
  at_rest();
}

TEST_F(Calls, R3515_1_OfSoManyRefersTheIdsAreKnown) {
  auto config = calls_config();
  config->calls.refers_max = 2;
  make(config);
  connect();
  for (int n = 0; n < 3; ++n) {
    alice->request("REFER", {}, "Refer-To: <sip:carol@example.org>\r\n");
    bob->respond(bob->want("REFER"), 202);
    alice->want("202 REFER");
  }
  EXPECT_EQ(line->world.metric(Metric::sip_call_refers_limit), 1U);
  hang_up();
  at_rest();
}

TEST_F(Calls, R3261_11_SoManyRequestsAtATime) {
  auto config = calls_config();
  config->calls.requests_max = 4;
  make(config);
  connect();
  line->pass(33s);  // the INVITE's transaction is over
  for (int n = 0; n < 4; ++n) alice->request("INFO");
  alice->quiet();
  alice->request("INFO");
  const std::string refused = alice->last;
  EXPECT_EQ(header(alice->want("500 INFO"), "Retry-After"), "10") << "T-86";
  EXPECT_EQ(line->world.metric(Metric::sip_call_requests_limit), 1U);
  for (int n = 0; n < 4; ++n) bob->respond(bob->want("INFO"), 200);
  for (int n = 0; n < 4; ++n) alice->want("200 INFO");
  alice->send(refused);
  alice->want("500 INFO");  // RFC 3261 section 8.2.7: a copy does not find that there is room now
  bob->quiet();
  hang_up();
  at_rest();
}

TEST_F(Calls, R3261_5_ARequestFindsItsCallFromAnyShard) {
  make(calls_config(), 2);
  connect();  // bob's messages arrive on the other shard
  bob->request("INFO", "hello");
  const std::string info = alice->want("INFO");
  alice->respond(info, 200);
  bob->want("200 INFO");
  alice->request("INVITE", "new offer");
  bob->respond(bob->want("INVITE"), 200, "new answer");
  bob->want("ACK");
  alice->want("200 INVITE");
  alice->ack();
  bob->request("BYE");
  bob->want("200 BYE");
  alice->respond(alice->want("BYE"), 200);
  at_rest();
}

// --- connections

TEST_F(Calls, R5626_2_ACallOverAConnectionGoesBackOverIt) {
  alice->connect();
  const std::string updates = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n";
  connect(updates, updates);
  for (int round = 0; round < 3; ++round) {  // nobody is registered over it, and still it is not closed for being idle
    line->pass(900100ms);
    alice->respond(alice->want("UPDATE"), 200);
    bob->respond(bob->want("UPDATE"), 200);
  }
  bob->request("INFO", "hello");
  alice->respond(alice->want("INFO"), 200);
  bob->want("200 INFO");
  hang_up();
  at_rest();
}

TEST_F(Calls, R5626_2_ALegWhoseConnectionIsGoneEndsTheCall) {
  alice->connect();
  connect();
  alice->disconnect();
  const std::string bye = bob->want("BYE");
  EXPECT_TRUE(header(bye, "Reason").starts_with("SIP;cause=480")) << bye;
  bob->respond(bye, 200);
  EXPECT_EQ(line->world.metric(Metric::sip_calls_lost), 1U);
  at_rest();
}

TEST_F(Calls, R5626_2_AConnectionIsGoneThatAnotherShardHas) {
  make(calls_config(), 2);
  bob->connect();
  bob->enrol();
  connect();
  bob->disconnect();
  const std::string bye = alice->want("BYE");
  alice->respond(bye, 200);
  EXPECT_EQ(line->world.metric(Metric::sip_calls_lost), 1U);
  at_rest();
}

TEST_F(Calls, DEC_10_TheOthersFeaturesAreInOurContact) {
  alice->features = ";+g.oma.sip-im;+sip.instance=\"<urn:uuid:1>\"";
  bob->features = ";isfocus;+g.oma.sip-im";
  alice->invite("bob");
  const std::string invite = bob->want("INVITE");
  EXPECT_TRUE(header(invite, "Contact").ends_with(">;+g.oma.sip-im")) << invite;
  bob->respond(invite, 200, "answer");
  bob->want("ACK");
  const std::string ok = alice->want("200 INVITE");
  EXPECT_TRUE(header(ok, "Contact").ends_with(">;isfocus;+g.oma.sip-im")) << ok;
  alice->take(ok);
  alice->ack();
  hang_up();
  at_rest();
}

TEST_F(Calls, SEED4_6_1_1_2_2_7a_OurContactStandsForTheOthersOutsideTheDialogToo) {
  connect();
  const std::string target = alice->target;
  Phone carol(*line, "carol", "127.0.0.1:40007");
  carol.call_id = "alone";
  carol.local = "<sip:carol@example.org>;tag=c";
  carol.remote = "<sip:whoever@example.org>";
  carol.target = target;
  carol.request("SUBSCRIBE", {}, "Event: conference\r\n");
  const std::string subscribe = bob->want("SUBSCRIBE");
  EXPECT_TRUE(subscribe.starts_with("SUBSCRIBE sip:bob@127.0.0.1:40002 SIP/2.0")) << subscribe;
  bob->respond(subscribe, 200);
  carol.want("200 SUBSCRIBE");
  carol.target = bob->target;
  carol.request("MESSAGE", "hello");
  alice->respond(alice->want("MESSAGE"), 200);
  carol.want("200 MESSAGE");
  hang_up();
  line->pass(1min);
  carol.request("MESSAGE", "hello");
  EXPECT_EQ(code(carol.next()), "404");
  at_rest();
}

TEST_F(Calls, R4538_1_NamesOfDialogsAreThoseOfTheOtherLeg) {
  connect();
  // bob is told to take over the call that alice has with him as carol would: by the ids of alice's leg.
  Phone carol(*line, "carol", "127.0.0.1:40007");
  const std::string ids = alice->call_id + ";to-tag=" + tag_of(alice->remote) + ";from-tag=" + tag_of(alice->local);
  const std::string target =
      alice->call_id + ";local-tag=" + tag_of(alice->remote) + ";remote-tag=" + tag_of(alice->local);
  carol.invite("bob", "offer",
               "Replaces: " + ids + ";early-only\r\nRequire: replaces\r\nTarget-Dialog: " + target + "\r\n");
  const std::string invite = bob->want("INVITE");
  EXPECT_EQ(header(invite, "Replaces"),
            bob->call_id + ";to-tag=" + tag_of(bob->local) + ";from-tag=" + tag_of(bob->remote) + ";early-only");
  EXPECT_EQ(header(invite, "Target-Dialog"),
            bob->call_id + ";local-tag=" + tag_of(bob->local) + ";remote-tag=" + tag_of(bob->remote));
  EXPECT_EQ(header(invite, "Require"), "replaces");
  bob->respond(invite, 486);
  bob->want("ACK");
  carol.want("486 INVITE");
  // Of a call that did not come through here they stay.
  carol.invite("bob", "offer", "Replaces: x;to-tag=1;from-tag=2\r\n");
  EXPECT_EQ(header(bob->want("INVITE"), "Replaces"), "x;to-tag=1;from-tag=2");
}

TEST_F(Calls, R3323_2_PrivacyOfUserHidesTheNameToo) {
  alice->invite("bob", "offer", "Privacy: user;header\r\nSubject: secret\r\nUser-Agent: mine\r\n");
  const std::string invite = bob->want("INVITE");
  EXPECT_TRUE(header(invite, "From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=")) << invite;
  EXPECT_EQ(invite.find("alice"), std::string::npos) << invite;
  EXPECT_EQ(header(invite, "Subject") + header(invite, "User-Agent"), "");
  bob->respond(invite, 486);
  at_rest();
}

TEST_F(Calls, R3261_4_RequireOfWhatNobodyKnowsIs420) {
  alice->invite("bob", "offer", "Require: magic\r\n");
  EXPECT_EQ(header(alice->want("420 INVITE"), "Unsupported"), "magic");
  bob->quiet();
  at_rest();
}

}  // namespace
}  // namespace parley::tests
