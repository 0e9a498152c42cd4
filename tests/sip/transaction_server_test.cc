// tests/sip/transaction_server_test.cc - server transactions: RFC 3261 sections 17.2.1 to 17.2.4, RFC 6026, RFC 4320.
#include <gtest/gtest.h>

#include "sip/response_route.h"
#include "tests/sip/transaction_world.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using Kind = RequestMatch::Kind;
using tx::State;

const std::string message = request_text({});
const std::string invite = request_text({.method = "INVITE"});
const std::string ack = request_text({.method = "ACK", .to_tag = "t1"});
const std::string cancel = request_text({.method = "CANCEL"});

// ---- Requests other than INVITE (17.2.2).

TEST(SipServerTransaction, RepeatedRequestGetsTheResponseAgain) {
  World world;
  const TransactionId id = world.open(message);
  ASSERT_TRUE(id.valid());
  EXPECT_EQ(world.transactions.request_of(id), message);
  EXPECT_EQ(world.match(message).kind, Kind::absorbed);  // in Trying they are discarded
  EXPECT_EQ(world.take_log(), Lines{});
  EXPECT_EQ(world.respond(id, 200), Responded::sent);
  EXPECT_EQ(world.transactions.state_of(id), State::completed);
  EXPECT_TRUE(world.transactions.request_of(id).empty());
  world.run_to(31'999);
  const RequestMatch again = world.match(message);
  EXPECT_EQ(again.kind, Kind::absorbed);
  EXPECT_EQ(again.id, id);
  EXPECT_EQ(again.owner, 7U);
  EXPECT_EQ(world.take_log(), (Lines{"0 200", "31999 200"}));
  EXPECT_EQ(world.wire.sent[0].bytes, world.wire.sent[1].bytes);
  EXPECT_EQ(world.transactions.respond(id, 500, "SIP/2.0 500 No\r\n\r\n", world.now), Responded::too_late);
  world.run_to(32'000);  // Timer J
  EXPECT_EQ(world.match(message).kind, Kind::fresh);
  EXPECT_EQ(world.take_log(), Lines{});
  EXPECT_EQ(world.pool.live_blocks(), 0U);
  EXPECT_EQ(world.metrics.get(core::Metric::sip_absorbed_requests), 2U);
}

TEST(SipServerTransaction, OverAStreamItEndsWithItsResponse) {
  World world;
  const TransactionId id = world.open(message, tcp_flow());
  EXPECT_EQ(world.respond(id, 200), Responded::sent);
  EXPECT_FALSE(world.transactions.contains(id));
  EXPECT_EQ(world.transactions.live(), 0U);
  EXPECT_EQ(world.transactions.next_deadline(), core::never);
  EXPECT_EQ(world.wire.sent[0].flow, tcp_flow());
}

TEST(SipServerTransaction, R3261_3_HundredWhenTimerEHasReachedT2AndNoLateAnswer) {
  for (const Flow& flow : {udp_flow(), tcp_flow()}) {
    World world;
    const TransactionId id = world.open(message, flow);
    world.run_to(3'499);
    EXPECT_EQ(world.take_log(), Lines{});
    world.run_to(3'600);
    EXPECT_EQ(world.take_log(), (Lines{"3500 100"}));  // RFC 4320 section 4.1: without regard to transport
    EXPECT_EQ(world.transactions.state_of(id), State::proceeding);
    EXPECT_EQ(world.match(message, flow).kind, Kind::absorbed);
    EXPECT_EQ(world.take_log(), flow.reliable() ? Lines{} : (Lines{"3600 100"}));
    world.run_to(40'000);
    EXPECT_EQ(world.take_log(), (Lines{"32000 timeout"}));
    EXPECT_EQ(world.facts.back().id, id);
    EXPECT_EQ(world.facts.back().owner, 7U);
    // RFC 4320 section 4.2.
    EXPECT_EQ(world.transactions.respond(id, 200, response_text(message, 200), world.now), Responded::gone);
    EXPECT_EQ(world.take_log(), Lines{});
  }
}

TEST(SipServerTransaction, R3261_3_WhatRfc4320Forbids) {
  World world;
  const TransactionId id = world.open(message);
  EXPECT_EQ(world.respond(id, 180), Responded::refused);
  EXPECT_EQ(world.respond(id, 408), Responded::refused);
  world.run_to(3'500);
  EXPECT_EQ(world.respond(id, 100), Responded::refused);  // it is the transaction's own
  EXPECT_EQ(world.respond(id, 404), Responded::sent);
  EXPECT_EQ(world.take_log(), (Lines{"3500 100", "3500 404"}));
  EXPECT_EQ(world.metrics.get(core::Metric::sip_refused_responses), 3U);
}

TEST(SipServerTransaction, R3261_3_LateEvenBeforeTheHundred) {
  TransactionConfig config;
  config.t2 = 100s;  // Timer E would reach it after 64*T1
  World world(config);
  const TransactionId id = world.open(message);
  world.run_to(40'000);
  EXPECT_EQ(world.take_log(), (Lines{"32000 timeout"}));
  EXPECT_FALSE(world.transactions.contains(id));
  EXPECT_EQ(world.pool.live_blocks(), 0U);
}

// ---- INVITE (17.2.1).

TEST(SipServerTransaction, HundredAfter200MillisecondsUnlessTheUserWasFaster) {
  World world;
  const TransactionId slow = world.open(invite);
  const TransactionId fast =
      world.open(request_text({.method = "INVITE", .via = "SIP/2.0/UDP client.example.com;branch=z9hG4bKa2"}));
  EXPECT_EQ(world.match(invite).kind, Kind::absorbed);  // nothing to send again yet
  world.run_to(100);
  EXPECT_EQ(world.respond(fast, 180), Responded::sent);
  EXPECT_EQ(world.match(ack).kind, Kind::absorbed);  // an ACK that is for nothing
  world.run_to(1'000);
  EXPECT_EQ(world.take_log(), (Lines{"100 180", "200 100"}));
  EXPECT_EQ(start_of(world.wire.sent[1].bytes), "100");
  EXPECT_EQ(world.wire.sent[1].bytes.find("tag=t"), std::string::npos);  // 17.2.1: no To tag
  EXPECT_NE(world.wire.sent[1].bytes.find(";received=192.0.2.1"), std::string::npos);
  EXPECT_EQ(world.match(invite).kind, Kind::absorbed);
  EXPECT_EQ(world.respond(slow, 183), Responded::sent);
  EXPECT_EQ(world.match(invite).kind, Kind::absorbed);  // the most recent one
  EXPECT_EQ(world.take_log(), (Lines{"1000 100", "1000 183", "1000 183"}));
}

TEST(SipServerTransaction, TimerGAndHWhenTheAckIsLost) {
  World world;
  const TransactionId id = world.open(invite);
  EXPECT_EQ(world.respond(id, 486), Responded::sent);
  EXPECT_EQ(world.transactions.respond(id, 180, "SIP/2.0 180 x\r\n\r\n", world.now), Responded::too_late);
  EXPECT_EQ(world.transactions.respond(id, 200, "SIP/2.0 200 x\r\n\r\n", world.now), Responded::too_late);
  EXPECT_EQ(world.transactions.respond(id, 404, "SIP/2.0 404 x\r\n\r\n", world.now), Responded::too_late);
  world.run_to(40'000);
  EXPECT_EQ(world.take_log(), (Lines{"0 486", "500 486", "1500 486", "3500 486", "7500 486", "11500 486", "15500 486",
                                     "19500 486", "23500 486", "27500 486", "31500 486", "32000 timeout"}));
  EXPECT_EQ(world.pool.live_blocks(), 0U);
  EXPECT_EQ(world.metrics.get(core::Metric::sip_server_timeouts), 1U);
}

TEST(SipServerTransaction, AckEndsRepetitionsAndIsAbsorbedForT4) {
  World world;
  const TransactionId id = world.open(invite);
  EXPECT_EQ(world.respond(id, 486), Responded::sent);
  world.run_to(600);
  EXPECT_EQ(world.match(invite).kind, Kind::absorbed);
  const RequestMatch first = world.match(ack);
  EXPECT_EQ(first.kind, Kind::absorbed);
  EXPECT_EQ(world.transactions.state_of(id), State::confirmed);
  EXPECT_EQ(world.match(ack).kind, Kind::absorbed);
  EXPECT_EQ(world.match(invite).kind, Kind::absorbed);  // no response any more
  EXPECT_EQ(world.transactions.respond(id, 500, "x", world.now), Responded::too_late);
  world.run_to(5'599);
  EXPECT_TRUE(world.transactions.contains(id));
  world.run_to(5'600);  // Timer I
  EXPECT_FALSE(world.transactions.contains(id));
  EXPECT_EQ(world.match(ack).kind, Kind::fresh);
  EXPECT_EQ(world.take_log(), (Lines{"0 486", "500 486", "600 486"}));
}

TEST(SipServerTransaction, OverAStreamOnlyTheAckIsWaitedFor) {
  World world;
  const TransactionId id = world.open(invite, tcp_flow());
  EXPECT_EQ(world.respond(id, 486), Responded::sent);
  world.run_to(31'999);
  EXPECT_EQ(world.take_log(), (Lines{"0 486"}));
  EXPECT_EQ(world.match(ack, tcp_flow()).kind, Kind::absorbed);
  EXPECT_EQ(world.transactions.live(), 0U);  // Timer I is zero
  const TransactionId lost = world.open(invite, tcp_flow());
  EXPECT_EQ(world.respond(lost, 486), Responded::sent);
  world.run_to(80'000);
  EXPECT_EQ(world.take_log(), (Lines{"31999 486", "63999 timeout"}));
}

TEST(SipServerTransaction, R3261_2_A2xxLeadsToAccepted) {
  World world;
  const TransactionId id = world.open(invite);
  EXPECT_EQ(world.respond(id, 200), Responded::sent);
  EXPECT_EQ(world.transactions.state_of(id), State::accepted);
  const std::string ok = world.wire.sent[0].bytes;
  world.run_to(1'000);
  EXPECT_EQ(world.match(invite).kind, Kind::absorbed);  // no new request, and no response by itself
  EXPECT_EQ(world.take_log(), (Lines{"0 200"}));
  EXPECT_EQ(world.transactions.respond(id, 200, ok, world.now), Responded::sent);  // the user's repetition
  EXPECT_EQ(world.transactions.respond(id, 180, ok, world.now), Responded::too_late);
  EXPECT_EQ(world.transactions.respond(id, 486, ok, world.now), Responded::too_late);
  const RequestMatch match = world.match(ack);
  EXPECT_EQ(match.kind, Kind::ack);  // R3261-8, T-25: an ACK on the INVITE's branch
  EXPECT_EQ(match.id, id);
  EXPECT_EQ(match.owner, 7U);
  world.run_to(40'000);
  EXPECT_EQ(world.take_log(), (Lines{"1000 200", "32000 ended"}));  // Timer L
  EXPECT_EQ(world.match(ack).kind, Kind::fresh);
}

// ---- Transport errors (RFC 6026 section 8.8).

TEST(SipServerTransaction, R3261_2_TransportErrorKillsNothing) {
  World world;
  world.wire.dead = [](const Flow&) { return true; };
  const TransactionId ringing = world.open(invite);
  EXPECT_EQ(world.respond(ringing, 180), Responded::not_sent);
  EXPECT_EQ(world.transactions.state_of(ringing), State::proceeding);
  EXPECT_EQ(world.respond(ringing, 486), Responded::not_sent);
  EXPECT_EQ(world.transactions.state_of(ringing), State::completed);
  world.run_to(500);
  EXPECT_EQ(world.take_log(), (Lines{"500 transport error"}));  // Timer G
  EXPECT_EQ(world.facts.back().id, ringing);
  EXPECT_TRUE(world.match(invite).transport_error);
  world.wire.dead = nullptr;
  world.run_to(1'500);
  EXPECT_EQ(world.take_log(), (Lines{"1500 486"}));

  world.wire.dead = [](const Flow&) { return true; };
  const TransactionId accepted = world.open(request_text({.method = "INVITE", .via = "SIP/2.0/UDP h;branch=z9hG4bKb"}));
  EXPECT_EQ(world.respond(accepted, 200), Responded::not_sent);
  EXPECT_EQ(world.transactions.state_of(accepted), State::accepted);
  const std::string other = request_text({.via = "SIP/2.0/UDP h;branch=z9hG4bKc"});
  const TransactionId plain = world.open(other);
  world.run_to(5'000);
  EXPECT_EQ(world.transactions.state_of(plain), State::proceeding);
  EXPECT_EQ(world.respond(plain, 200), Responded::not_sent);
  EXPECT_TRUE(world.match(other).transport_error);
  EXPECT_EQ(world.transactions.state_of(plain), State::completed);
}

TEST(SipServerTransaction, R3261_13_LostConnectionIsOpenedAnew) {
  World world;
  const Flow flow = tcp_flow(4, "192.0.2.9:33333");
  const TransactionId id = world.open(
      request_text({.method = "INVITE", .via = "SIP/2.0/TCP client.example.com:5070;branch=z9hG4bKa1"}), flow);
  world.transactions.flow_failed(flow);
  world.drain();
  EXPECT_TRUE(world.transactions.contains(id));
  world.wire.dead = [&](const Flow& to) { return to == flow; };
  EXPECT_EQ(world.respond(id, 200), Responded::sent);
  EXPECT_FALSE(world.wire.sent[0].flow.connection.valid());
  EXPECT_EQ(world.wire.sent[0].flow.remote, address("192.0.2.9:5070"));
  EXPECT_EQ(world.transactions.flow_of(id), world.wire.sent[0].flow);
}

// ---- Matching (17.2.3).

RequestMatch after(const std::string& first, const std::string& second, const Flow& flow = udp_flow()) {
  World world;
  EXPECT_TRUE(world.open(first, flow).valid());
  return world.match(second, flow);
}
std::string with_via(std::string via) { return request_text({.via = std::move(via)}); }

TEST(SipRequestMatch, R3261_1_BranchSentByAndMethod) {
  const std::string first = with_via("SIP/2.0/UDP Client.Example.COM;branch=z9hG4bKa1");
  EXPECT_EQ(after(first, with_via("SIP/2.0/UDP client.example.com:5060;rport;branch=z9hG4bKa1")).kind, Kind::absorbed);
  EXPECT_EQ(after(first, with_via("SIP/2.0/UDP client.example.com.;branch=z9hG4bKa1")).kind, Kind::absorbed);
  EXPECT_EQ(after(first, with_via("SIP/2.0/UDP client.example.com:5061;branch=z9hG4bKa1")).kind, Kind::fresh);
  EXPECT_EQ(after(first, with_via("SIP/2.0/UDP client2.example.com;branch=z9hG4bKa1")).kind, Kind::fresh);
  EXPECT_EQ(after(first, with_via("SIP/2.0/UDP client.example.com;branch=z9hG4bKA1")).kind, Kind::fresh);
  EXPECT_EQ(after(first, request_text({.method = "OPTIONS"})).kind, Kind::fresh);
  EXPECT_EQ(after(with_via("SIP/2.0/UDP [2001:DB8::1];branch=z9hG4bKa1"),
                  with_via("SIP/2.0/UDP [2001:db8:0::1]:5060;branch=z9hG4bKa1"))
                .kind,
            Kind::absorbed);
  // Another Call-ID does not matter, and tags do not.
  EXPECT_EQ(after(message, request_text({.from_tag = "other", .call_id = "other"})).kind, Kind::absorbed);
}

TEST(SipRequestMatch, R3261_1_DefaultPortOfTls) {
  const std::string tls = with_via("SIP/2.0/TLS h.example.com;branch=z9hG4bKa1");
  EXPECT_EQ(after(tls, with_via("SIP/2.0/TLS h.example.com:5061;branch=z9hG4bKa1"), tcp_flow()).kind, Kind::absorbed);
  EXPECT_EQ(after(tls, with_via("SIP/2.0/TLS h.example.com:5060;branch=z9hG4bKa1"), tcp_flow()).kind, Kind::fresh);
}

TEST(SipRequestMatch, R3261_1_OldRulesWithoutABranch) {
  // No branch, one without the magic cookie, and the cookie with nothing behind it.
  for (const std::string branch : {"", ";branch=1", ";branch=z9hG4bK"}) {
    const std::string via = "SIP/2.0/UDP old.example.com" + branch;
    const std::string first = request_text({.via = via});
    EXPECT_EQ(after(first, first).kind, Kind::absorbed) << branch;
    EXPECT_EQ(after(first, request_text({.via = via, .call_id = "other"})).kind, Kind::fresh);
    EXPECT_EQ(after(first, request_text({.via = via, .cseq = "2"})).kind, Kind::fresh);
    EXPECT_EQ(after(first, request_text({.via = via, .from_tag = "other"})).kind, Kind::fresh);
    EXPECT_EQ(after(first, request_text({.via = via, .to_tag = "other"})).kind, Kind::fresh);
    EXPECT_EQ(after(first, request_text({.uri = "sip:carol@example.org", .via = via})).kind, Kind::fresh);
    EXPECT_EQ(after(first, request_text({.method = "OPTIONS", .via = via})).kind, Kind::fresh);
    EXPECT_EQ(after(first, request_text({.via = "SIP/2.0/UDP new.example.com" + branch})).kind, Kind::fresh);
  }
}

TEST(SipRequestMatch, R3261_1_OldRulesForInviteAckAndCancel) {
  World world;
  const std::string via = "SIP/2.0/UDP old.example.com";
  const std::string first = request_text({.method = "INVITE", .via = via});
  const TransactionId id = world.open(first);
  EXPECT_EQ(world.match(first).kind, Kind::absorbed);
  const RequestMatch cancelled = world.match(request_text({.method = "CANCEL", .via = via}));
  EXPECT_EQ(cancelled.kind, Kind::cancel);
  EXPECT_EQ(cancelled.id, id);
  EXPECT_EQ(world.respond(id, 487, "our-tag"), Responded::sent);
  // The ACK has the To tag of the response; one with another is for somebody else's.
  EXPECT_EQ(world.match(request_text({.method = "ACK", .via = via, .to_tag = "their-tag"})).kind, Kind::fresh);
  EXPECT_EQ(world.match(request_text({.method = "ACK", .via = via, .to_tag = "our-tag"})).kind, Kind::absorbed);
  EXPECT_EQ(world.transactions.state_of(id), State::confirmed);
}

TEST(SipRequestMatch, R3261_7_CancelFindsTheInviteAndHasATransactionOfItsOwn) {
  World world;
  EXPECT_EQ(world.match(cancel).kind, Kind::fresh);  // 481
  const TransactionId id = world.open(invite);
  const RequestMatch match = world.match(cancel);
  EXPECT_EQ(match.kind, Kind::cancel);
  EXPECT_EQ(match.id, id);
  EXPECT_EQ(match.owner, 7U);
  const TransactionId own = world.open(cancel, udp_flow(), 8);
  EXPECT_NE(own, id);
  EXPECT_EQ(world.respond(own, 200), Responded::sent);
  EXPECT_EQ(world.respond(id, 487), Responded::sent);
  EXPECT_EQ(world.match(cancel).kind, Kind::absorbed);
  EXPECT_EQ(world.match(ack).kind, Kind::absorbed);
  EXPECT_EQ(world.take_log(), (Lines{"0 200", "0 487", "0 200"}));
}

TEST(SipRequestMatch, R3261_7_CancelFindsAnInviteThatWasAnswered) {
  for (const std::uint16_t status : std::initializer_list<std::uint16_t>{200, 404}) {
    World world;
    const TransactionId id = world.open(invite);
    EXPECT_EQ(world.respond(id, status), Responded::sent);
    EXPECT_EQ(world.match(cancel).kind, Kind::cancel);
    EXPECT_EQ(world.match(request_text({.method = "CANCEL", .via = "SIP/2.0/UDP h;branch=z9hG4bKa1"})).kind,
              Kind::fresh);
  }
}

TEST(SipRequestMatch, R3261_4_MergedRequest) {
  World world;
  const std::string other_way = with_via("SIP/2.0/UDP p2.example.com;branch=z9hG4bKx");
  const TransactionId first = world.open(message);
  EXPECT_TRUE(world.claim(first, message));
  EXPECT_TRUE(world.claim(first, message));
  const TransactionId second = world.open(other_way);
  EXPECT_FALSE(world.claim(second, other_way));  // 482
  const std::string in_dialog = request_text({.via = "SIP/2.0/UDP h;branch=z9hG4bKy", .to_tag = "t"});
  EXPECT_TRUE(world.claim(world.open(in_dialog), in_dialog));
  const std::string next = request_text({.via = "SIP/2.0/UDP h;branch=z9hG4bKz", .cseq = "2"});
  EXPECT_TRUE(world.claim(world.open(next), next));
  // What has ended is not ongoing.
  world.transactions.discard(first);
  EXPECT_TRUE(world.claim(second, other_way));
}

// ---- Where responses go (18.2.2, RFC 3581).

struct Routed {
  Flow flow;
  std::string stamp;
};
Routed routed(const std::string& via, const Flow& flow) {
  const Message request(with_via(via), flow);
  Routed out{response_flow(request.received()), {}};
  ReceivedText room;
  const ViaStamp stamp = via_stamp(request.received().essentials.via, out.flow, room);
  out.stamp = std::string(stamp.received) + "/" + std::to_string(stamp.rport);
  return out;
}

TEST(SipResponseRoute, R3261_13_Datagrams) {
  const Flow from = udp_flow("192.0.2.7:40001");
  Routed r = routed("SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bK1", from);
  EXPECT_EQ(r.flow.remote, address("192.0.2.7:5070"));
  EXPECT_EQ(r.stamp, "/0");
  r = routed("SIP/2.0/UDP host.example.com;branch=z9hG4bK1", from);
  EXPECT_EQ(r.flow.remote, address("192.0.2.7:5060"));
  EXPECT_EQ(r.stamp, "192.0.2.7/0");
  r = routed("SIP/2.0/UDP 192.0.2.7:5070;rport;branch=z9hG4bK1", from);
  EXPECT_EQ(r.flow.remote, address("192.0.2.7:40001"));
  EXPECT_EQ(r.stamp, "192.0.2.7/40001");
  r = routed("SIP/2.0/UDP 192.0.2.7:5070;maddr=198.51.100.1;branch=z9hG4bK1", from);
  EXPECT_EQ(r.flow.remote, address("192.0.2.7:5070"));
  r = routed("SIP/2.0/UDP [2001:DB8::7];branch=z9hG4bK1", udp_flow("[2001:db8::7]:40001"));
  EXPECT_EQ(r.flow.remote, address("[2001:db8::7]:5060"));
  EXPECT_EQ(r.stamp, "/0");
  r = routed("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1", udp_flow("[::ffff:192.0.2.7]:40001"));
  EXPECT_EQ(r.stamp, "/0");
}

TEST(SipResponseRoute, R3261_13_Streams) {
  const Flow flow = tcp_flow();
  const Routed r = routed("SIP/2.0/TCP host.example.com;rport;branch=z9hG4bK1", flow);
  EXPECT_EQ(r.flow, flow);
  EXPECT_EQ(r.stamp, "192.0.2.1/40000");
  Flow ws = flow;
  ws.transport = core::Transport::wss;
  EXPECT_EQ(second_response_flow(ws, 443).remote.port, 0);  // RFC 7118: nobody can be called there
  Via via;
  std::string_view tls = "SIP/2.0/TLS host.example.com;branch=z9hG4bK1";
  ASSERT_TRUE(take_via(tls, via));
  EXPECT_EQ(sent_by_port(via), 5061);
}

}  // namespace
}  // namespace parley::tests
