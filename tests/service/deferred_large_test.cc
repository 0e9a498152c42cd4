// tests/service/deferred_large_test.cc - large messages for users who can not be reached: taken by the server and
// stored, sent when they are back, or fetched (OMA-LRG-1, -3, -4, OMA-DEF-4 to -9, -13, -14, SEED4-6.1.2.1-5, P-06,
// P-07).
#include <gtest/gtest.h>

#include "policy/deferred_reference.h"
#include "tests/service/parties.h"

namespace parley::tests {
namespace {

using core::Metric;
using std::chrono::hours;
using std::chrono::minutes;

const std::string gives = "a=sendonly\r\na=setup:actpass\r\n";
const std::string takes_it = "a=recvonly\r\na=setup:active\r\n";
const std::string sends = "Success-Report: yes\r\nFailure-Report: yes\r\n";

struct Large : Party {
  void SetUp() override { start({}); }
  void start(const std::function<void(policy::SipConfig&)>& change, std::uint32_t shards = 1) {
    config = focus_config();
    config->focus.one_to_one = policy::OneToOne::direct;
    config->im.participating = true;
    config->im.deferred.on = true;
    config->im.deferred_uris = {"sip:Deferred@example.org"};
    config->stores_bindings = config->stores_messages = true;
    if (change) change(*config);
    make(config, shards);
    world = &line->world;
    for (std::uint32_t shard = 0; shard < shards; ++shard) {
      world->media(shard).binds = world->media(shard).answers = true;
    }
  }
  void registers(Phone& who, int seconds) {
    ++messages;
    who.send("REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP " + who.address() + ";branch=z9hG4bKr" +
             std::to_string(messages) + "\r\nFrom: <sip:" + who.user() +
             "@example.org>;tag=r\r\nTo: <sip:" + who.user() + "@example.org>\r\nCall-ID: reg" + who.address() +
             "\r\nCSeq: " + std::to_string(100 + messages) + " REGISTER\r\n" + who.contact() +
             "Expires: " + std::to_string(seconds) + "\r\nContent-Length: 0\r\n\r\n");
    who.want("200 REGISTER");
  }
  void leave(Phone& who) { registers(who, 0); }
  void come(Phone& who) { registers(who, 3600); }

  // alice's INVITE to `uri`.
  void invites(const std::string& uri = "sip:bob@example.org", const std::string& more = gives,
               const std::string& lines = {}) {
    alice->invite_uri(uri, msrp_sdp("alice", more, "message/cpim text/plain"), large + "Subject: a book\r\n" + lines);
  }
  std::string answered() {
    std::string ok = alice->next();
    if (Phone::kind(ok) == "100 INVITE") ok = alice->next();
    EXPECT_EQ(Phone::kind(ok), "200 INVITE") << ok;
    alice->take(ok);
    alice->ack();
    return ok;
  }
  std::string refused() {
    std::string response = alice->next();
    if (Phone::kind(response) == "100 INVITE") response = alice->next();
    alice->ack_refused(response);
    return response;
  }
  static std::string head(const std::string& id, const std::string& type = "text/plain",
                          const std::string& lines = sends) {
    return "Message-ID: " + id + "\r\n" + lines + "Content-Type: " + type + "\r\n";
  }
  // In chunks, over that session.
  void writes(const std::string& path, const std::string& text, const std::string& id = "m1",
              const std::string& type = "text/plain", const std::string& lines = sends, std::size_t chunk = 5000) {
    for (std::size_t at = 0; at < text.size(); at += chunk) {
      const bool last = at + chunk >= text.size();
      world->msrp(path, {.headers = head(id, type, lines),
                         .body = text.substr(at, chunk),
                         .start = at + 1,
                         .total = text.size(),
                         .flag = last ? msrp::Flag::end : msrp::Flag::more});
    }
  }
  std::vector<FakeMedia::Session::Report> reports(const std::string& path) {
    const auto* const session = world->media().find(path);
    if (session != nullptr) return session->reports;
    const auto past = world->media().past.find(path);
    return past == world->media().past.end() ? std::vector<FakeMedia::Session::Report>{} : past->second.reports;
  }
  // All of it: alice to bob, who is not there.
  void deposits(const std::string& text, const std::string& id = "m1", const std::string& type = "text/plain") {
    invites();
    const std::string path = path_of(answered());
    writes(path, text, id, type);
    const auto told = reports(path);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].status, 200);
    leaves(*alice);
  }
  // A pager message to bob, who is not there.
  void says(Phone& who, const std::string& text) {
    who.call_id = "msg" + std::to_string(++messages);
    who.local = "<sip:" + who.user() + "@example.org>;tag=m" + std::to_string(messages);
    who.remote = "<sip:bob@example.org>";
    who.target = "sip:bob@example.org";
    who.send_typed("MESSAGE", "text/plain", text, im);
    who.want("202 MESSAGE");
  }
  // The list of what waits for him.
  void watches(Phone& who) {
    who.local = "<sip:" + who.user() + "@example.org>;tag=w";
    who.remote = "<sip:Deferred@example.org>";
    who.target = "sip:Deferred@example.org";
    who.call_id = "watch";
    who.request("SUBSCRIBE", {},
                "Event: ua-profile\r\nExpires: 600\r\nAccept: application/vnd.oma.im.deferred-list+xml\r\n");
    who.want("200 SUBSCRIBE");
    who.respond(who.want("NOTIFY"), 200);
    line->pass(20s);
  }
  // The INVITE that comes to bob, which he takes; and what he gets.
  struct Got {
    std::string invite;
    std::string headers;
    std::string body;
    std::size_t chunks = 0;
  };
  Got receives(Phone& who) {
    Got got;
    got.invite = who.want("INVITE");
    std::deque<std::string>& box = line->boxes[who.address()];
    while (!box.empty() && box.front() == got.invite) box.pop_front();  // sent again while time passed
    who.call_id.clear();
    who.respond(got.invite, 200, msrp_sdp(who.user(), takes_it, "*"));
    who.want("ACK");
    read(path_of(got.invite), got);
    return got;
  }
  void read(const std::string& path, Got& got) {
    for (const std::uint32_t shard : {0U, static_cast<std::uint32_t>(world->shards() - 1)}) {
      const auto* session = world->media(shard).find(path);
      const auto past = world->media(shard).past.find(path);
      if (session == nullptr && past != world->media(shard).past.end()) session = &past->second;
      if (session == nullptr) continue;
      got.body = FakeMedia::whole(*session);
      got.chunks = session->chunks.size();
      if (!session->chunks.empty()) got.headers = session->chunks.front().headers;
    }
  }
  void at_rest() {
    Party::at_rest();
    EXPECT_EQ(world->store.deferred.size(), 0U);
    EXPECT_EQ(world->store.bodies.size(), 0U);
    for (std::uint32_t shard = 0; shard < world->shards(); ++shard) {
      EXPECT_EQ(world->service(shard).deferred().boxes(), 0U);
      EXPECT_EQ(world->service(shard).deferred().users(), 0U);
      EXPECT_EQ(world->stored_legs(shard).live(), 0U);
    }
  }
  // The time of all that is stored.
  void over() {
    world->now.wall_ms += std::chrono::milliseconds(hours(24 * 7) + minutes(1)).count();
    line->pass(11s);
  }
  static std::string book(std::size_t bytes) {
    std::string text(bytes, ' ');
    for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    return text;
  }
  const core::DeferredRow& row() { return world->store.deferred.begin()->second; }
  std::shared_ptr<policy::SipConfig> config;
  SipWorld* world = nullptr;
  int messages = 0;
};

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

TEST_F(Large, OMA_DEF_8_ALargeOneGoesBehindWhatWaitsFromItsSender) {
  for (const std::uint32_t shards : {1U, 2U}) {
    start({}, shards);
    leave(*bob);
    says(*alice, "one");
    come(*bob);
    const std::string first = bob->want("MESSAGE");
    const std::string text = book(20'000);
    deposits(text);
    bob->quiet();
    bob->respond(first, 200);
    EXPECT_EQ(receives(*bob).body, text);
    ended(*bob);
    // Now nothing waits, and he is asked himself.
    invites();
    const std::string invite = bob->want("INVITE");
    bob->respond(invite, 486);
    bob->want("ACK");
    refused();
    at_rest();
  }
}

TEST_F(Large, OMA_X_6_APagerMessageComesAsASessionWhereDevicesTakeNothingElse) {
  start([](policy::SipConfig& c) { c.im.deferred.push_sessions = true; });
  leave(*bob);
  says(*alice, "first");
  says(*alice, "second");
  come(*bob);
  for (const std::string text : {"first", "second"}) {
    const Got got = receives(*bob);
    EXPECT_EQ(header(got.invite, "P-Asserted-Identity"), "<sip:Deferred@example.org>");
    EXPECT_EQ(header(got.invite, "Referred-By"), "<sip:alice@example.org>");
    EXPECT_EQ(all_of(got.invite, "Accept-Contact"), std::vector<std::string>{"*;+g.oma.sip-im"});
    EXPECT_NE(header(got.invite, "Contact").find(";+g.oma.sip-im"), std::string::npos);
    EXPECT_EQ(header(got.invite, "Contact").find("large-message"), std::string::npos);
    EXPECT_EQ(got.body, text);
    EXPECT_NE(got.headers.find("Content-Type: text/plain\r\n"), std::string::npos) << got.headers;
    EXPECT_EQ(header(ended(*bob), "Reason"), "SIP;cause=200;text=\"Message Sent\"");
  }
  EXPECT_EQ(world->metric(Metric::im_deferred_delivered), 2U);
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

TEST_F(Large, OMA_DEF_11_AListThatHasBecomeShorterIsToldAtOnce) {
  leave(*bob);
  deposits("short");
  watches(*bob);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "short");
  bob->want("BYE");  // nothing else happens
  const std::string told = bob->want("NOTIFY");
  EXPECT_EQ(told.find("<entry "), std::string::npos) << told;
  bob->respond(told, 200);
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

TEST_F(Large, OMA_DEF_9_WhatIsNotTakenIsTriedAgain) {
  leave(*bob);
  deposits(book(900'000));
  deposits("the other one", "m2");
  world->media().answers = false;
  come(*bob);
  EXPECT_EQ(receives(*bob).chunks, 8U) << "no more without an answer";
  bob->request("BYE");
  bob->want("200 BYE");
  EXPECT_EQ(world->store.deferred.size(), 2U);
  bob->quiet();
  world->media().answers = true;
  line->pass(29s);
  bob->quiet();
  line->pass(1050ms);
  EXPECT_EQ(receives(*bob).body, book(900'000)) << "in order";
  ended(*bob);
  EXPECT_EQ(receives(*bob).body, "the other one");
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_DEF_9_WhoCanNotBeReachedIsNotAskedForTheOthers) {
  leave(*bob);
  deposits("one", "m1");
  deposits("two", "m2");
  come(*bob);
  const std::string invite = bob->want("INVITE");
  bob->call_id.clear();
  bob->respond(invite, 480);
  bob->want("ACK");
  bob->quiet();
  line->pass(30050ms);
  EXPECT_EQ(receives(*bob).body, "one");
  ended(*bob);
  EXPECT_EQ(receives(*bob).body, "two");
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_DEF_9_ADeviceThatDoesNotGetWhatItAcceptedKeepsNothingOfOthersFromHim) {
  leave(*bob);
  deposits(book(900'000));
  says(*carol, "from carol");
  world->media().answers = false;
  come(*bob);
  receives(*bob);
  bob->request("BYE");
  bob->want("200 BYE");
  const std::string pager = bob->want("MESSAGE");
  EXPECT_EQ(body_of(pager), "from carol");
  bob->respond(pager, 200);
  bob->quiet();
  world->media().answers = true;
  line->pass(30050ms);
  EXPECT_EQ(receives(*bob).body, book(900'000));
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_DEF_8_AnAnswerThatComesBeforeTheKernelHasSaidThatItIsSentIsNoRoom) {
  leave(*bob);
  deposits(book(400'000));
  world->media().unsent = 100'000;
  come(*bob);
  const std::string invite = bob->want("INVITE");
  bob->call_id.clear();
  bob->respond(invite, 200, msrp_sdp("bob", takes_it, "*"));
  bob->want("ACK");
  Got got;
  read(path_of(invite), got);
  EXPECT_EQ(got.chunks, 1U) << "though it was answered";
  world->media().unsent = 0;
  line->pass(1ms);
  ended(*bob);
  read(path_of(invite), got);
  EXPECT_EQ(got.body, book(400'000));
  at_rest();
}

TEST_F(Large, OMA_DEF_9_ABodyThatCanNotBeReadKeepsNothingOfOthersFromHim) {
  leave(*bob);
  deposits("what the disk has lost");
  says(*carol, "from carol");
  world->store.bodies.clear();
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "");
  EXPECT_NE(header(ended(*bob), "Reason").find("480"), std::string::npos);
  const std::string pager = bob->want("MESSAGE");
  EXPECT_EQ(body_of(pager), "from carol");
  bob->respond(pager, 200);
  EXPECT_EQ(world->metric(Metric::im_deferred_large_unreadable), 1U);
  leave(*bob);
  over();
  at_rest();
}

TEST_F(Large, OMA_DEF_14_WhatIsDeletedWhileItIsSentIsOverAndTheOthersFollow) {
  leave(*bob);
  deposits("away with it");
  says(*alice, "the next one");
  come(*bob);
  const std::string invite = bob->want("INVITE");
  world->admin(core::AdminRequest::Kind::deferred_delete, "bob " + std::to_string(row().id));
  EXPECT_EQ(world->store.bodies.size(), 0U);
  bob->call_id.clear();
  bob->respond(invite, 200, msrp_sdp("bob", takes_it, "*"));
  bob->want("ACK");
  ended(*bob);
  const std::string pager = bob->want("MESSAGE");
  EXPECT_EQ(body_of(pager), "the next one") << "though it is of the same sender";
  bob->respond(pager, 200);
  EXPECT_EQ(world->service().deferred().boxes(), 0U);
  at_rest();
}

TEST_F(Large, OMA_DEF_8_InOrderWithWhatCameByPager) {
  leave(*bob);
  const auto pager = [&](const std::string& text) { says(*alice, text); };
  pager("first");
  deposits("second");
  pager("third");
  come(*bob);
  const std::string first = bob->want("MESSAGE");
  EXPECT_EQ(body_of(first), "first");
  bob->quiet();
  bob->respond(first, 200);
  EXPECT_EQ(receives(*bob).body, "second");
  ended(*bob);
  const std::string third = bob->want("MESSAGE");
  EXPECT_EQ(body_of(third), "third");
  bob->respond(third, 200);
  at_rest();
}

TEST_F(Large, OMA_DEF_8_ALargeOneDoesNotComeBeforeThoseThatWait) {
  for (const auto carrying : {policy::Carrying::proxy, policy::Carrying::b2bua}) {
    for (const std::uint32_t shards : {1U, 3U}) {
      SCOPED_TRACE(std::to_string(shards) + (carrying == policy::Carrying::proxy ? " shards, proxied" : " shards, leg to leg"));
      start([&](policy::SipConfig& c) { c.calls.carrying = carrying; }, shards);
      leave(*bob);
      deposits("first");
      come(*bob);
      const std::string push = bob->want("INVITE");
      // He is there, and has not got the first one yet.
      deposits("second", "m2");
      bob->quiet();
      bob->call_id.clear();
      bob->respond(push, 200, msrp_sdp("bob", takes_it, "*"));
      bob->want("ACK");
      Got first;
      read(path_of(push), first);
      EXPECT_EQ(first.body, "first");
      ended(*bob);
      EXPECT_EQ(receives(*bob).body, "second");
      ended(*bob);
      // When nothing waits any more he gets it from her.
      invites();
      const std::string own = bob->want("INVITE");
      EXPECT_EQ(header(own, "P-Asserted-Identity").find("Deferred"), std::string::npos);
      bob->respond(own, 603);
      bob->want("ACK");
      EXPECT_EQ(code(refused()), "603");
      at_rest();
    }
  }
}

TEST_F(Large, OMA_DEF_5_AFullBoxIsSaidAtOnce) {
  start([](policy::SipConfig& c) { c.im.deferred.count_max = 1; });
  leave(*bob);
  deposits("one");
  invites();
  const std::string full = refused();
  EXPECT_EQ(code(full), "480");
  EXPECT_NE(header(full, "Warning").find("no more is kept"), std::string::npos) << full;
  EXPECT_EQ(world->metric(Metric::im_deferred_full), 1U);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "one");
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_DEF_5_WhatIsKnownToBeTooLongIsSaidAtOnceAndTheRestIsCutOff) {
  start([](policy::SipConfig& c) { c.im.deferred.large_bytes_max = 100'000; });
  leave(*bob);
  invites("sip:bob@example.org", gives + "a=file-selector:name:\"a\" type:text/plain size:100001\r\n");
  const std::string refusal = refused();
  EXPECT_EQ(code(refusal), "480");
  EXPECT_NE(header(refusal, "Warning").find("too long"), std::string::npos) << refusal;
  invites();
  const std::string ok = answered();
  EXPECT_NE(ok.find("a=max-size:100000\r\n"), std::string::npos) << "OMA-LRG-5";
  const std::string path = path_of(ok);
  for (std::size_t at = 0; at < 120'000; at += 10'000) {
    world->msrp(path, {.headers = head("m1"), .body = book(10'000), .start = at + 1, .flag = msrp::Flag::more});
  }
  ASSERT_EQ(reports(path).size(), 1U);
  EXPECT_EQ(reports(path)[0].status, 413);
  EXPECT_EQ(world->store.bodies.size(), 0U);
  leaves(*alice);
  EXPECT_EQ(world->metric(Metric::im_deferred_large_too_large), 1U);
  at_rest();
}

TEST_F(Large, OMA_DEF_5_TwoAtOneTimeDoNotPassTheLimit) {
  start([](policy::SipConfig& c) { c.im.deferred.bytes_max = 50'000; });
  leave(*bob);
  invites();
  const std::string first = path_of(answered());
  const std::string alices = alice->call_id;
  invites();
  const std::string second = path_of(answered());
  writes(first, book(40'000), "m1");
  writes(second, book(40'000), "m2");
  EXPECT_EQ(reports(first).at(0).status, 200);
  EXPECT_EQ(reports(second).at(0).status, 413);
  EXPECT_EQ(world->store.bodies.size(), 1U);
  leaves(*alice);
  line->pass(minutes(1));
}

TEST_F(Large, OMA_LRG_4_ADiskThatRefusesIsSaid) {
  leave(*bob);
  world->store.full = true;
  invites();
  const std::string refusal = refused();
  EXPECT_EQ(code(refusal), "480");
  EXPECT_NE(header(refusal, "Warning").find("stored"), std::string::npos) << refusal;
  world->store.full = false;
  world->store.stopped = true;
  invites();
  alice->quiet();
  line->pass(5050ms);
  EXPECT_EQ(code(refused()), "480") << "it takes too long";
  world->store.stopped = false;
  line->pass(1ms);
  // Full in the middle.
  world->store.body_bytes_max = 200'000;
  invites();
  const std::string path = path_of(answered());
  for (std::size_t at = 0; at < 400'000 && reports(path).empty(); at += 10'000) {
    world->msrp(path, {.headers = head("m1"), .body = book(10'000), .start = at + 1, .flag = msrp::Flag::more});
  }
  ASSERT_EQ(reports(path).size(), 1U);
  EXPECT_EQ(reports(path)[0].status, 408);
  EXPECT_EQ(world->store.bodies.size(), 0U);
  leaves(*alice);
  at_rest();
}

TEST_F(Large, OMA_LRG_4_WhoIsFasterThanTheDiskIsHeld) {
  leave(*bob);
  invites();
  const std::string path = path_of(answered());
  const auto holds = [&] { return world->media().find(path)->holds; };
  const std::string text = book(1'500'000);
  world->store.stopped = true;
  std::size_t at = 0;
  for (; at < text.size() && holds() == 0; at += 60'000) {
    world->msrp(path, {.headers = head("m1"),
                       .body = text.substr(at, 60'000),
                       .start = at + 1,
                       .total = text.size(),
                       .flag = msrp::Flag::more});
  }
  EXPECT_EQ(holds(), 1);
  EXPECT_LE(at, policy::StoredLegs::window_bytes + 2 * policy::StoredLegs::block_bytes);
  world->store.stopped = false;
  line->pass(1ms);
  EXPECT_EQ(holds(), 0);
  for (; at < text.size(); at += 60'000) {
    world->msrp(path, {.headers = head("m1"),
                       .body = text.substr(at, 60'000),
                       .start = at + 1,
                       .total = text.size(),
                       .flag = at + 60'000 >= text.size() ? msrp::Flag::end : msrp::Flag::more});
  }
  EXPECT_EQ(holds(), 0);
  leaves(*alice);
  EXPECT_EQ(world->store.bodies.begin()->second, text);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, text);
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_LRG_3_OfAListWhoIsThereGetsItAtOnceAndTheOthersLater) {
  leave(*bob);
  alice->invite_uri("sip:factory@example.org;sessiontype=adhoc",
                    mixed(msrp_sdp("alice", gives, "*"), resource_list({"bob", "carol"})),
                    large + "User-Agent: IM-client/OMA1.0 test\r\nRequire: recipient-list-invite\r\n", mixed_type);
  const std::string to_carol = carol->want("INVITE");
  carol->call_id.clear();
  carol->respond(to_carol, 200, msrp_sdp("carol", takes_it, "*"));
  carol->want("ACK");
  const std::string path = path_of(answered());
  const std::string text = book(100'000);
  writes(path, text);
  Got got;
  read(path_of(to_carol), got);
  EXPECT_EQ(got.body, text);
  ASSERT_EQ(reports(path).size(), 1U);
  EXPECT_EQ(reports(path)[0].status, 200);
  ASSERT_EQ(world->store.deferred.size(), 1U);
  EXPECT_EQ(row().aor, "sip:bob@example.org");
  EXPECT_EQ(row().sender, "sip:alice@example.org");
  leaves(*alice);
  ended(*carol);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, text);
  ended(*bob);
  at_rest();
}

// bob's device rings, and says nothing to its CANCEL. The others begin after --distribution-wait, and he gets it later.
TEST_F(Large, OMA_LRG_3_OfAListWhoAnswersNotEvenHisCancelGetsItLater) {
  for (const bool late : {false, true}) {
    start([](policy::SipConfig& c) { c.focus.distribution_wait = 15100ms; });
    alice->invite_uri("sip:factory@example.org;sessiontype=adhoc",
                      mixed(msrp_sdp("alice", gives, "*"), resource_list({"bob", "carol"})),
                      large + "User-Agent: IM-client/OMA1.0 test\r\nRequire: recipient-list-invite\r\n", mixed_type);
    const std::string to_bob = bob->want("INVITE");
    bob->respond(to_bob, 180);
    const std::string to_carol = carol->want("INVITE");
    carol->call_id.clear();
    carol->respond(to_carol, 200, msrp_sdp("carol", takes_it, "*"));
    carol->want("ACK");
    alice->want("180 INVITE");
    line->pass(10050ms);
    bob->want("CANCEL");
    alice->quiet();
    line->pass(5100ms);
    const std::string path = path_of(answered());
    writes(path, "to all");
    Got got;
    read(path_of(to_carol), got);
    EXPECT_EQ(got.body, "to all");
    EXPECT_EQ(reports(path).at(0).status, 200);
    leaves(*alice);
    ended(*carol);
    ASSERT_EQ(world->store.deferred.size(), 1U);
    EXPECT_EQ(row().aor, "sip:bob@example.org");
    line->boxes[bob->address()].clear();
    if (late) {
      bob->call_id.clear();
      bob->respond(to_bob, 200, msrp_sdp("bob", takes_it, "*"));
      bob->want("ACK");
      ended(*bob);
    }
    line->pass(40s);
    std::deque<std::string>& box = line->boxes[bob->address()];
    std::erase_if(box, [](const std::string& text) { return Phone::kind(text) == "CANCEL"; });
    EXPECT_EQ(receives(*bob).body, "to all");
    ended(*bob);
    at_rest();
  }
}

// To carol, who is there, and bob, for whom it is not kept.
struct Lost : Large {
  static std::string wrapped(const std::string& wants, std::size_t bytes) {
    return "From: <sip:alice@example.org>\r\nTo: <sip:factory@example.org>\r\nNS: n <urn:ietf:params:imdn>\r\n"
           "n.Message-ID: i1\r\n" +
           wants + "\r\nContent-Type: text/plain\r\n\r\n" + book(bytes);
  }
  void both(const std::string& text) {
    alice->invite_uri("sip:factory@example.org;sessiontype=adhoc",
                      mixed(msrp_sdp("alice", gives, "*"), resource_list({"bob", "carol"})),
                      large + "User-Agent: IM-client/OMA1.0 test\r\nRequire: recipient-list-invite\r\n", mixed_type);
    const std::string to_carol = carol->want("INVITE");
    carol->call_id.clear();
    carol->respond(to_carol, 200, msrp_sdp("carol", takes_it, "*"));
    carol->want("ACK");
    const std::string path = path_of(answered());
    writes(path, text, "m1", "message/cpim");
    Got got;
    read(path_of(to_carol), got);
    EXPECT_EQ(got.body, text);
    ASSERT_EQ(reports(path).size(), 1U);
    EXPECT_EQ(reports(path)[0].status, 200) << "carol has it";
    line->pass(1ms);
  }
  void told_of_bob() {
    const std::string told = alice->want("MESSAGE");
    EXPECT_NE(told.find("<message-id>i1</message-id>"), std::string::npos) << told;
    EXPECT_NE(told.find("<failed/>"), std::string::npos) << told;
    EXPECT_NE(told.find("sip:bob@example.org"), std::string::npos) << told;
    alice->respond(told, 200);
  }
};
const std::string wants_failures = "n.Disposition-Notification: negative-delivery\r\n";

TEST_F(Lost, OMA_DEF_5_WhoseBoxIsFullAmongOthersIsTold) {
  start([](policy::SipConfig& c) { c.im.deferred.count_max = 1; });
  leave(*bob);
  deposits("one");
  both(wrapped(wants_failures, 100'000));
  EXPECT_EQ(world->metric(Metric::im_deferred_large_lost), 1U);
  const std::string call_id = alice->call_id;
  told_of_bob();
  alice->call_id = call_id;
  leaves(*alice);
  ended(*carol);
  // Nobody is told who has not asked.
  both(wrapped({}, 3000));
  EXPECT_EQ(world->metric(Metric::im_deferred_large_lost), 2U);
  alice->quiet();
  leaves(*alice);
  ended(*carol);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "one");
  ended(*bob);
  at_rest();
}

TEST_F(Lost, OMA_DEF_5_WhoseCopyTheDiskRefusesInTheMiddleIsTold) {
  leave(*bob);
  world->store.body_bytes_max = 150'000;
  both(wrapped(wants_failures, 400'000));
  EXPECT_EQ(world->store.deferred.size(), 0U);
  EXPECT_EQ(world->store.bodies.size(), 0U);
  EXPECT_EQ(world->metric(Metric::im_deferred_large_lost), 1U);
  told_of_bob();
  leaves(*alice);
  ended(*carol);
  at_rest();
}

TEST_F(Lost, OMA_DEF_5_WhatItsSenderBreaksOffIsNoLoss) {
  start([](policy::SipConfig& c) { c.im.deferred.count_max = 1; });
  leave(*bob);
  deposits("one");
  invites();
  EXPECT_EQ(code(refused()), "480");
  EXPECT_EQ(world->metric(Metric::im_deferred_large_lost), 0U);
  alice->quiet();
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "one");
  ended(*bob);
  at_rest();
}

TEST_F(Large, OMA_LRG_3_OfAListNobodyMayBeThere) {
  leave(*bob);
  leave(*carol);
  alice->invite_uri("sip:factory@example.org;sessiontype=adhoc",
                    mixed(msrp_sdp("alice", gives, "*"), resource_list({"bob", "carol"})),
                    large + "User-Agent: IM-client/OMA1.0 test\r\nRequire: recipient-list-invite\r\n", mixed_type);
  const std::string path = path_of(answered());
  writes(path, "to all");
  EXPECT_EQ(reports(path).at(0).status, 200);
  leaves(*alice);
  EXPECT_EQ(world->store.deferred.size(), 2U);
  for (Phone* who : {bob.get(), carol.get()}) {
    come(*who);
    EXPECT_EQ(receives(*who).body, "to all");
    ended(*who);
  }
  at_rest();
}

TEST_F(Large, OMA_DEF_5_OneUserDoesNotTakeAllPlacesAndOneMessageToSeveralIsOne) {
  start([](policy::SipConfig& c) { c.im.deferred.large_per_user = 1; });
  leave(*bob);
  leave(*carol);
  alice->invite_uri("sip:factory@example.org;sessiontype=adhoc",
                    mixed(msrp_sdp("alice", gives, "*"), resource_list({"bob", "carol"})),
                    large + "User-Agent: IM-client/OMA1.0 test\r\nRequire: recipient-list-invite\r\n", mixed_type);
  const std::string path = path_of(answered());
  EXPECT_EQ(world->stored_legs().live(), 2U);
  const auto first = std::tuple(alice->call_id, alice->local, alice->remote, alice->target);
  invites();
  EXPECT_EQ(code(refused()), "480");
  EXPECT_EQ(world->metric(Metric::im_deferred_large_user_limit), 2U) << "nor is there a place to tell of that";
  EXPECT_EQ(world->metric(Metric::im_deferred_large_limit), 0U);
  std::tie(alice->call_id, alice->local, alice->remote, alice->target) = first;
  writes(path, "to all");
  EXPECT_EQ(reports(path).at(0).status, 200);
  leaves(*alice);
  deposits("another", "m2");  // when it is over
  come(*carol);
  EXPECT_EQ(receives(*carol).body, "to all");
  ended(*carol);
  come(*bob);
  EXPECT_EQ(receives(*bob).body, "to all");
  ended(*bob);
  EXPECT_EQ(receives(*bob).body, "another");
  ended(*bob);
  at_rest();
}

// --- fetched

struct Fetched : Large {
  void fetch(Phone& who, std::uint64_t id) {
    who.invite_uri(policy::deferred_reference(id, "example.org"),
                   msrp_sdp(who.user(), "a=recvonly\r\na=setup:active\r\n", "*"), large);
  }
  static std::string final(Phone& who) {
    const std::string response = who.next();
    return Phone::kind(response) == "100 INVITE" ? who.next() : response;
  }
  std::string refusal(Phone& who, std::uint64_t id) {
    fetch(who, id);
    const std::string response = final(who);
    who.ack_refused(response);
    return code(response);
  }
};

TEST_F(Fetched, OMA_DEF_13_ALargeMessageIsSentToWhoAsksForIt) {
  leave(*bob);
  const std::string text = book(300'000);
  deposits(text);
  fetch(*bob, row().id);
  const std::string ok = final(*bob);
  EXPECT_EQ(code(ok), "200");
  EXPECT_NE(ok.find("a=sendonly\r\n"), std::string::npos);
  EXPECT_EQ(header(ok, "P-Asserted-Identity"), "<sip:Deferred@example.org>");
  bob->take(ok);
  Got got;
  read(path_of(ok), got);
  EXPECT_EQ(got.body, text);
  bob->ack();
  ended(*bob);
  EXPECT_EQ(world->metric(Metric::im_deferred_fetched), 1U);
  EXPECT_EQ(world->store.deferred.size(), 0U) << "he has it";
  EXPECT_EQ(world->store.bodies.size(), 0U);
  alice->quiet();
  come(*bob);
  bob->quiet();
  at_rest();
}

TEST_F(Fetched, OMA_DEF_13_WhatIsFetchedByAnotherShardIsToldToThatOfItsUser) {
  start({}, 3);
  leave(*bob);
  deposits("one");
  says(*carol, "two");
  ASSERT_FALSE(world->service(0).deferred().has("sip:bob@example.org")) << "he belongs to another one";
  watches(*bob);
  const std::uint64_t id = row().id;
  fetch(*bob, id);
  const std::string ok = final(*bob);
  bob->take(ok);
  bob->ack();
  EXPECT_EQ(world->store.deferred.size(), 1U);
  const std::string told = bob->want("NOTIFY");
  EXPECT_EQ(told.find("<mode>large</mode>"), std::string::npos) << told;
  EXPECT_NE(told.find("<mode>pager</mode>"), std::string::npos) << told;
  bob->respond(told, 200);
  ended(*bob);
  come(*bob);
  const std::string pager = bob->want("MESSAGE");
  EXPECT_EQ(body_of(pager), "two");
  bob->respond(pager, 200);
  at_rest();
}

TEST_F(Fetched, OMA_DEF_13_WhoIsSentAsMuchAsHeMayHasToWait) {
  start([](policy::SipConfig& c) { c.im.deferred.large_per_user = 1; });
  leave(*bob);
  deposits("one");
  deposits("two", "m2");
  const std::uint64_t second = world->store.deferred.rbegin()->first;
  come(*bob);
  const std::string push = bob->want("INVITE");
  EXPECT_EQ(refusal(*bob, second), "503");
  EXPECT_EQ(world->metric(Metric::im_deferred_large_user_limit), 1U);
  bob->call_id.clear();
  bob->respond(push, 200, msrp_sdp("bob", takes_it, "*"));
  bob->want("ACK");
  ended(*bob);
  EXPECT_EQ(receives(*bob).body, "two");
  ended(*bob);
  at_rest();
}

TEST_F(Fetched, OMA_DEF_13_WhatIsNotFetchedWholeStays) {
  leave(*bob);
  deposits(book(900'000));
  world->media().answers = false;
  fetch(*bob, row().id);
  bob->take(final(*bob));
  bob->ack();
  leaves(*bob);
  EXPECT_EQ(world->store.deferred.size(), 1U);
  world->media().answers = true;
  come(*bob);
  EXPECT_EQ(receives(*bob).body, book(900'000));
  ended(*bob);
  at_rest();
}

TEST_F(Fetched, OMA_DEF_13_SoIsOneThatCameByPager) {
  leave(*bob);
  alice->call_id = "msg";
  alice->local = "<sip:alice@example.org>;tag=m";
  alice->remote = "<sip:bob@example.org>";
  alice->target = "sip:bob@example.org";
  alice->send_typed("MESSAGE", "text/html", "<p>hi", im);
  alice->want("202 MESSAGE");
  fetch(*bob, row().id);
  const std::string ok = final(*bob);
  bob->take(ok);
  Got got;
  read(path_of(ok), got);
  EXPECT_EQ(got.body, "<p>hi");
  EXPECT_NE(got.headers.find("Content-Type: text/html\r\n"), std::string::npos) << got.headers;
  bob->ack();
  ended(*bob);
  over();
  come(*bob);
  at_rest();
}

TEST_F(Fetched, OMA_DEF_14_AnothersIsRefusedAndWhatIsNotThereIsNotFound) {
  leave(*bob);
  deposits("a secret");
  const std::uint64_t id = row().id;
  EXPECT_EQ(refusal(*carol, id), "403");
  EXPECT_EQ(refusal(*alice, id), "403") << "nor whoever sent it";
  EXPECT_EQ(refusal(*bob, id + 1), "404");
  bob->invite_uri(policy::deferred_reference(id, "example.org"),
                  msrp_sdp("bob", "a=sendonly\r\na=setup:active\r\n", "*"), large);
  const std::string useless = final(*bob);
  EXPECT_EQ(code(useless), "488");
  bob->ack_refused(useless);
  world->now.wall_ms += std::chrono::milliseconds(hours(24 * 8)).count();
  EXPECT_EQ(refusal(*bob, id), "410");
  over();
  EXPECT_EQ(refusal(*bob, id), "404");
  come(*bob);
  at_rest();
}

TEST(DeferredReference, OMA_DEF_13_ReadsWhatItWrites) {
  for (const std::uint64_t id : {std::uint64_t{1}, std::uint64_t{0x0123456789abcdef}, (std::uint64_t{1} << 63) - 1}) {
    const std::string uri = policy::deferred_reference(id, "example.org");
    EXPECT_TRUE(uri.starts_with("sip:deferred-") && uri.ends_with("@example.org")) << uri;
    EXPECT_EQ(policy::deferred_id(std::string_view(uri).substr(4, uri.find('@') - 4)), id);
  }
  for (const std::string user :
       {"deferred-", "deferred-abc", "Deferred-aaaaaaaaaaaaaaaa", "deferred-aaaaaaaaaaaaaaaz", "bob"}) {
    EXPECT_EQ(policy::deferred_id(user), std::nullopt) << user;
  }
}

}  // namespace
}  // namespace parley::tests
