// tests/service/deferred_large_taken_test.cc - large messages for users who can not be reached are taken by the server
// and stored (OMA-LRG-1, -2, -4, OMA-DEF-4, -8, -15, SEED4-6.1.2.1-5, P-06, P-07).
#include <gtest/gtest.h>

#include "tests/service/large.h"

namespace parley::tests {
namespace {

using core::Metric;

TEST_F(Large, OMA_LRG_4_WhoIsNotThereHasItStoredAndGetsItWhenHeIsBack) {
  leave(*bob);
  const std::string text = book(700'000);
  invites();
  const std::string ok = answered();
  EXPECT_NE(ok.find("a=recvonly\r\n"), std::string::npos) << "OMA-LRG-1";
  EXPECT_NE(header(ok, "Contact").find(";+g.oma.sip-im.large-message"), std::string::npos);
  EXPECT_EQ(header(ok, "Contact").find("isfocus"), std::string::npos) << "OMA-LRG-2";
  EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:Deferred@example.org>");
  const std::string path = path_of(ok);
  writes(path, text);
  ASSERT_EQ(reports(path).size(), 1U);
  EXPECT_EQ(reports(path)[0].status, 200);
  EXPECT_EQ(reports(path)[0].message_id, "m1");
  ASSERT_EQ(world->store.deferred.size(), 1U);
  EXPECT_EQ(row().large_bytes, text.size());
  EXPECT_EQ(row().request_id, "m1") << "what operators may look for";
  EXPECT_EQ(world->store.bodies.begin()->second, text);
  leaves(*alice);
  bob->quiet();
  come(*bob);
  const Got got = receives(*bob);
  EXPECT_EQ(header(got.invite, "P-Asserted-Identity"), "<sip:Deferred@example.org>") << "OMA-DEF-8";
  EXPECT_TRUE(header(got.invite, "From").starts_with("<sip:alice@example.org>;tag=")) << header(got.invite, "From");
  EXPECT_EQ(header(got.invite, "Referred-By"), "<sip:alice@example.org>") << "OMA-X-6";
  EXPECT_EQ(header(got.invite, "Subject"), "a book");
  EXPECT_NE(header(got.invite, "Date"), "");
  EXPECT_EQ(all_of(got.invite, "Accept-Contact"), std::vector<std::string>{"*;+g.oma.sip-im.large-message"});
  EXPECT_NE(got.invite.find("a=sendonly\r\n"), std::string::npos);
  EXPECT_EQ(got.body, text);
  EXPECT_EQ(got.headers, "Message-ID: m1\r\nContent-Type: text/plain\r\n");
  EXPECT_EQ(header(ended(*bob), "Reason"), "SIP;cause=200;text=\"Message Sent\"") << "OMA-LRG-1";
  EXPECT_EQ(world->metric(Metric::im_deferred_kept), 1U);
  const std::string where = world->admin(core::AdminRequest::Kind::where, "m1");
  EXPECT_NE(where.find("\"waiting\":[],\"sending\":[],\"passed\":[{\"way\":\"session\",\"outcome\":\"delivered\",\"status\":200"),
            std::string::npos)
      << where;
  EXPECT_EQ(world->metric(Metric::im_deferred_delivered), 1U);
  at_rest();
}

TEST_F(Large, OMA_LRG_4_ADeviceThatDoesNotAnswerIsCalledOff) {
  invites();
  const std::string invite = bob->want("INVITE");
  EXPECT_EQ(header(invite, "P-Asserted-Identity").find("Deferred"), std::string::npos);
  bob->respond(invite, 180);
  alice->want("180 INVITE");
  line->pass(9s);
  alice->quiet();
  line->pass(1050ms);
  bob->respond(bob->want("CANCEL"), 200);
  bob->respond(invite, 487);
  bob->want("ACK");
  const std::string path = path_of(answered());
  writes(path, book(20'000));
  EXPECT_EQ(world->store.deferred.size(), 1U);
  leaves(*alice);
  bob->quiet();
  // As for a pager message, a device that was tried is left alone for a while.
  line->pass(31s);
  EXPECT_EQ(receives(*bob).body, book(20'000));
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_LRG_4_ADeviceThatSaysNothingAtAllIsNotWaitedFor) {
  invites();
  bob->want("INVITE");
  line->pass(10050ms);
  const std::string path = path_of(answered());
  line->boxes[bob->address()].clear();
  writes(path, "short");
  leaves(*alice);
  EXPECT_EQ(world->store.deferred.size(), 1U);
  line->pass(31s);
  EXPECT_EQ(receives(*bob).body, "short");
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_LRG_4_OfACallThatIsCarriedLegToLegToo) {
  start([](policy::SipConfig& c) { c.calls.carrying = policy::Carrying::b2bua; });
  leave(*bob);
  deposits(book(20'000));
  EXPECT_EQ(row().sender, "sip:alice@example.org");
  EXPECT_EQ(world->service().calls().live(), 0U);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, book(20'000));
  ended(*bob);
  // Nor does one that has rung.
  invites();
  const std::string invite = bob->want("INVITE");
  bob->call_id = "other";
  bob->respond(invite, 180);
  alice->want("180 INVITE");
  bob->respond(invite, 480);
  bob->want("ACK");
  const std::string path = path_of(answered());
  writes(path, "short");
  EXPECT_EQ(reports(path).at(0).status, 200);
  leaves(*alice);
  line->pass(31s);
  EXPECT_EQ(receives(*bob).body, "short");
  ended(*bob);
  at_rest();
}

TEST_F(Large, SEED4_6_1_2_1_5_OnlyLargeMessagesAreTaken) {
  leave(*bob);
  alice->invite_uri("sip:bob@example.org", msrp_sdp("alice"), im);
  EXPECT_EQ(code(refused()), "480") << "a session";
  // Who would not send has nothing to store.
  invites("sip:bob@example.org", takes_it);
  EXPECT_EQ(code(refused()), "480");
  // What a device decides is no absence.
  come(*bob);
  invites();
  bob->respond(bob->want("INVITE"), 603);
  bob->want("ACK");
  EXPECT_EQ(code(refused()), "603");
  at_rest();
}

TEST_F(Large, OMA_DEF_4_ProcessingIsToldWhenItIsStored) {
  leave(*bob);
  const std::string text =
      "From: <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\nNS: n <urn:ietf:params:imdn>\r\n"
      "n.Message-ID: i1\r\nn.Disposition-Notification: processing, negative-delivery\r\n\r\n"
      "Content-Type: text/plain\r\n\r\n" +
      book(50'000);
  invites();
  const std::string path = path_of(answered());
  world->store.stopped = true;
  writes(path, text, "m1", "message/cpim");
  EXPECT_EQ(reports(path).size(), 0U) << "a promise";
  alice->quiet();
  world->store.stopped = false;
  line->pass(1ms);
  ASSERT_EQ(reports(path).size(), 1U);
  EXPECT_EQ(reports(path)[0].status, 200);
  const std::string told = alice->want("MESSAGE");
  EXPECT_NE(told.find("<message-id>i1</message-id>"), std::string::npos) << told;
  EXPECT_NE(told.find("<stored/>"), std::string::npos) << told;
  alice->respond(told, 200);
  leaves(*alice);
  EXPECT_EQ(row().message_id, "i1");
  // OMA-DEF-6
  over();
  const std::string failed = alice->want("MESSAGE");
  EXPECT_NE(failed.find("<failed/>"), std::string::npos) << failed;
  alice->respond(failed, 200);
  come(*bob);
  bob->quiet();
  at_rest();
}

TEST_F(Large, OMA_LRG_4_WhatBreaksInTheMiddleIsNotThere) {
  leave(*bob);
  for (const bool connection : {true, false}) {
    invites();
    const std::string path = path_of(answered());
    const std::string text = book(400'000);
    for (std::size_t at = 0; at < 300'000; at += 10'000) {
      world->msrp(path, {.headers = head("m1"),
                         .body = text.substr(at, 10'000),
                         .start = at + 1,
                         .total = text.size(),
                         .flag = msrp::Flag::more});
    }
    EXPECT_EQ(world->store.bodies.size(), 1U);
    if (connection) {
      world->msrp_gone(path);
    } else {
      world->msrp(
          path, {.headers = head("m1"), .body = "", .start = 300'001, .total = text.size(), .flag = msrp::Flag::abort});
    }
    EXPECT_EQ(world->store.bodies.size(), 0U);
    EXPECT_EQ(world->store.deferred.size(), 0U);
    leaves(*alice);
  }
  at_rest();
}

TEST_F(Large, P_07_WhatBrokeInTheMiddleMayBeSentAgainInTheSameSession) {
  for (const bool connection : {true, false}) {
    leave(*bob);
    const std::string text = book(400'000);
    invites();
    const std::string path = path_of(answered());
    for (std::size_t at = 0; at < 280'000; at += 140'000) {
      world->store.stopped = at != 0;  // the last piece is on its way to the disk when it breaks
      world->msrp(path, {.headers = head("m1"),
                         .body = text.substr(at, 140'000),
                         .start = at + 1,
                         .total = text.size(),
                         .flag = msrp::Flag::more});
    }
    if (connection) {
      world->msrp_gone(path);
      world->msrp_back(path);
    } else {
      world->msrp(path, {.headers = head("m1"), .body = "", .start = 280'001, .total = text.size(), .flag = msrp::Flag::abort});
    }
    writes(path, text, "m1", "text/plain", sends, 100'000);
    EXPECT_EQ(reports(path).size(), 0U);
    world->store.stopped = false;
    line->pass(1ms);
    ASSERT_EQ(reports(path).size(), 1U) << connection;
    EXPECT_EQ(reports(path)[0].status, 200);
    EXPECT_EQ(world->store.bodies.size(), 1U);
    leaves(*alice);
    come(*bob);
    EXPECT_EQ(receives(*bob).body, text);
    ended(*bob);
  }
  at_rest();
}

TEST_F(Large, OMA_LRG_1_WhoLeavesBehindTheLastPieceHasSentIt) {
  leave(*bob);
  invites();
  const std::string path = path_of(answered());
  world->store.stopped = true;
  writes(path, book(20'000));
  leaves(*alice);
  EXPECT_EQ(world->store.deferred.size(), 0U);
  world->store.stopped = false;
  line->pass(1ms);
  EXPECT_EQ(world->store.deferred.size(), 1U);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, book(20'000));
  ended(*bob);
  at_rest();
}

TEST_F(Large, P_07_TheSameMessageIsStoredOnce) {
  leave(*bob);
  const auto wrapped = [](const std::string& id) {
    return "From: <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\nNS: n <urn:ietf:params:imdn>\r\n"
           "n.Message-ID: " +
           id + "\r\n\r\nContent-Type: text/plain\r\n\r\n" + book(30'000);
  };
  deposits(wrapped("i1"), "m1", "message/cpim");
  deposits(wrapped("i1"), "m2", "message/cpim");
  EXPECT_EQ(world->store.deferred.size(), 1U);
  EXPECT_EQ(world->store.bodies.size(), 1U);
  EXPECT_EQ(world->metric(Metric::im_deferred_duplicates), 1U);
  deposits(wrapped("i2"), "m1", "message/cpim");
  EXPECT_EQ(world->store.deferred.size(), 2U);
  come(*bob);
  for (const char* id : {"i1", "i2"}) {
    EXPECT_EQ(receives(*bob).body, wrapped(id));
    ended(*bob);
  }
  bob->quiet();
  at_rest();
}

TEST_F(Large, P_07_AnMsrpMessageIdSaysNothingInAnotherSession) {
  leave(*bob);
  deposits("one", "m1");
  deposits("two", "m1");
  EXPECT_EQ(world->store.deferred.size(), 2U);
  EXPECT_EQ(world->metric(Metric::im_deferred_duplicates), 0U);
  come(*bob);
  for (const char* text : {"one", "two"}) {
    EXPECT_EQ(receives(*bob).body, text);
    ended(*bob);
  }
  at_rest();
}

TEST_F(Large, P_07_WithoutAMessageIdItGetsOneSoThatItsPiecesAreOfOne) {
  leave(*bob);
  const std::string text = book(200'000);
  for (int i = 0; i < 2; ++i) {
    invites();
    const std::string path = path_of(answered());
    world->msrp(path, {.headers = "Content-Type: text/plain\r\n", .body = text, .start = 1, .total = text.size()});
    leaves(*alice);
  }
  ASSERT_EQ(world->store.deferred.size(), 2U);
  come(*bob);
  std::string before;
  for (int i = 0; i < 2; ++i) {
    const Got got = receives(*bob);
    EXPECT_EQ(got.body, text);
    EXPECT_GT(got.chunks, 1U);
    EXPECT_TRUE(got.headers.starts_with("Message-ID: ")) << got.headers;
    EXPECT_NE(got.headers, before);
    before = got.headers;
    ended(*bob);
  }
  at_rest();
}

TEST_F(Large, OMA_LRG_4_AnEmptyOneIsRefusedAsWhatItIs) {
  leave(*bob);
  invites();
  const std::string path = path_of(answered());
  world->msrp(path, {.headers = head("m1"), .body = "", .start = 1, .total = 0});
  ASSERT_EQ(reports(path).size(), 1U);
  EXPECT_EQ(reports(path)[0].status, 403);
  EXPECT_EQ(world->metric(Metric::im_deferred_large_empty), 1U);
  EXPECT_EQ(world->store.deferred.size(), 0U);
  leaves(*alice);
  at_rest();
}

TEST_F(Large, OMA_DEF_8_AHeadThatWouldNotFitAgainIsRefused) {
  leave(*bob);
  std::string lines;
  for (int i = 0; i < 45; ++i) lines += "X-" + std::to_string(i) + ": 1\r\n";
  start([](policy::SipConfig& c) { c.transport.head.headers_max = 70; });
  leave(*bob);
  invites("sip:bob@example.org", gives, lines);
  const std::string path = path_of(answered());
  writes(path, "fits");
  leaves(*alice);
  for (int i = 45; i < 52; ++i) lines += "X-" + std::to_string(i) + ": 1\r\n";
  invites("sip:bob@example.org", gives, lines);
  const std::string refusal = refused();
  EXPECT_EQ(code(refusal), "480");
  EXPECT_NE(header(refusal, "Warning").find("header lines"), std::string::npos) << refusal;
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "fits");
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_DEF_15_WhoAsksForPrivacyOfTheUserIsNotNamed) {
  leave(*bob);
  for (const char* privacy : {"user", "id", "header;user"}) {
    invites("sip:bob@example.org", gives, "Privacy: " + std::string(privacy) + "\r\n");
    writes(path_of(answered()), "psst");
    leaves(*alice);
    ASSERT_EQ(world->store.deferred.size(), 1U);
    EXPECT_EQ(row().head.find("alice"), std::string::npos) << row().head;
    EXPECT_EQ(row().sender, "sip:alice@example.org");
    come(*bob);
    const Got got = receives(*bob);
    EXPECT_EQ(got.invite.find("sip:alice"), std::string::npos) << got.invite;
    EXPECT_EQ(header(got.invite, "Privacy"), "id");
    ended(*bob);
    leave(*bob);
  }
  at_rest();
}

TEST_F(Large, P_06_WhatWasReportedOutlivesTheProcessAndWhatWasNotIsNotThere) {
  leave(*bob);
  const std::string text = book(300'000);
  deposits(text);
  invites();
  const std::string path = path_of(answered());
  world->msrp(path, {.headers = head("m2"),
                     .body = text.substr(0, 200'000),
                     .start = 1,
                     .total = text.size(),
                     .flag = msrp::Flag::more});
  EXPECT_EQ(world->store.bodies.size(), 2U);
  world->crash(config);
  world->media().binds = world->media().answers = true;
  EXPECT_EQ(world->store.bodies.size(), 1U);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, text);
  ended(*bob);
  bob->quiet();
  at_rest();
}

}  // namespace
}  // namespace parley::tests
