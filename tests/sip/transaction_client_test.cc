// tests/sip/transaction_client_test.cc - client transactions: RFC 3261 sections 17.1.1 to 17.1.4 and 9.1, RFC 6026.
#include <gtest/gtest.h>

#include "tests/sip/transaction_world.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using Kind = ResponseMatch::Kind;
using tx::State;

const RequestFields message{.body = "hello"};
const RequestFields invite{.method = "INVITE",
                           .routes =
                               "Route: <sip:p1.example.net;lr>, <sip:p2.example.net;lr>\r\n"
                               "Route: <sip:p3.example.net;lr>\r\n",
                           .cseq = "4711",
                           .body = "v=0\r\n"};

// The lines of a message, without the first.
std::vector<std::string> header_lines(const std::string& bytes) {
  std::vector<std::string> lines;
  for (std::size_t at = bytes.find("\r\n") + 2; at < bytes.size();) {
    const std::size_t end = bytes.find("\r\n", at);
    if (end == at) break;
    lines.push_back(bytes.substr(at, end - at));
    at = end + 2;
  }
  return lines;
}
std::string line_of(const std::string& bytes, std::string_view name) {
  for (const std::string& line : header_lines(bytes)) {
    if (line.starts_with(name)) return line;
  }
  return {};
}

// ---- Branches.

TEST(SipBranch, R3261_10_EveryNameHasOneText) {
  const BranchName name{65'535, {0xfffffffeU, 0x80000001U}, 0x0123456789abcdefULL, 0xfedcba9876543210ULL};
  Branch text;
  write_branch(name, text);
  const std::string_view view(text.data(), text.size());
  EXPECT_TRUE(view.starts_with("z9hG4bK"));
  EXPECT_TRUE(has_magic_cookie(view));
  EXPECT_EQ(read_branch(view), name);
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char wrong : {'\0', ' ', 'q', 'A', '-', '\x60', '\xff'}) {
      std::string changed(view);
      if (changed[at] == wrong) continue;
      changed[at] = wrong;
      EXPECT_FALSE(read_branch(changed).has_value()) << at;
    }
  }
  EXPECT_FALSE(read_branch(view.substr(1)).has_value());
  EXPECT_FALSE(read_branch({}).has_value());
  EXPECT_FALSE(has_magic_cookie("z9hG4bK"));
  EXPECT_TRUE(has_magic_cookie("Z9HG4BK1"));
}

TEST(SipBranch, OfAVia) {
  for (const auto& [value, branch] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"SIP/2.0/UDP h;branch=a1", "a1"},
           {"SIP/2.0/UDP h;rport;branch=a1;received=192.0.2.1", "a1"},
           {"SIP/2.0/UDP h;xbranch=b;Branch=a1", "a1"},
           {"SIP/2.0/UDP h;x=branch;branch=a1", "a1"},
           {"SIP/2.0/UDP h ; branch = a1 ;rport", "a1"},
           {"SIP/2.0/UDP h;x=\";branch=no\";branch=a1", "a1"},
           {"SIP/2.0/UDP h;branch=a1;branch=b2", "a1"},
           {"SIP/2.0/UDP h;received=[2001:db8::1];branch=a1", "a1"},
       }) {
    Via via;
    std::string_view rest = value;
    ASSERT_TRUE(take_via(rest, via)) << value;
    EXPECT_EQ(branch_of(via), branch) << value;
  }
  for (std::string_view value : {"SIP/2.0/UDP h", "SIP/2.0/UDP h;rport", "SIP/2.0/UDP h;x=branch"}) {
    Via via;
    ASSERT_TRUE(take_via(value, via));
    EXPECT_EQ(branch_of(via).data(), nullptr);
  }
}

// ---- Requests other than INVITE (17.1.2).

TEST(SipClientTransaction, TimerEAndF) {
  World world;
  const World::Client client = world.start(message);
  world.run_to(40'000);
  EXPECT_EQ(world.take_log(), (Lines{"0 MESSAGE", "500 MESSAGE", "1500 MESSAGE", "3500 MESSAGE", "7500 MESSAGE",
                                     "11500 MESSAGE", "15500 MESSAGE", "19500 MESSAGE", "23500 MESSAGE",
                                     "27500 MESSAGE", "31500 MESSAGE", "32000 timeout"}));
  for (const FakeWire::Sent& sent : world.wire.sent) EXPECT_EQ(sent.bytes, client.bytes);
  EXPECT_EQ(world.facts.back().id, client.id);
  EXPECT_EQ(world.facts.back().machine, tx::Machine::other_client);
  EXPECT_EQ(world.answer(client, 200).kind, Kind::stray);
  EXPECT_EQ(world.pool.live_blocks(), 0U);
}

TEST(SipClientTransaction, TimerEInProceedingIsAlwaysT2) {
  World world;
  const World::Client client = world.start(message);
  world.run_to(100);
  EXPECT_EQ(world.answer(client, 100).kind, Kind::to_tu);
  EXPECT_EQ(world.answer(client, 183).kind, Kind::to_tu);
  world.run_to(40'000);
  EXPECT_EQ(world.take_log(),
            (Lines{"0 MESSAGE", "500 MESSAGE", "4500 MESSAGE", "8500 MESSAGE", "12500 MESSAGE", "16500 MESSAGE",
                   "20500 MESSAGE", "24500 MESSAGE", "28500 MESSAGE", "32000 timeout"}));
}

TEST(SipClientTransaction, FinalResponseIsPassedOnceAndAbsorbedForT4) {
  for (const std::uint16_t status : std::initializer_list<std::uint16_t>{200, 408, 503}) {
    World world;
    const World::Client client = world.start(message);
    const ResponseMatch match = world.answer(client, status);
    EXPECT_EQ(match.kind, Kind::to_tu);
    EXPECT_EQ(match.id, client.id);
    EXPECT_EQ(match.owner, 7U);
    EXPECT_EQ(world.pool.live_blocks(), 0U);  // nothing is repeated any more
    for (const std::uint16_t again : std::initializer_list<std::uint16_t>{100, 200, 404})
      EXPECT_EQ(world.answer(client, again).kind, Kind::absorbed);
    world.run_to(4'999);
    EXPECT_TRUE(world.transactions.contains(client.id));
    world.run_to(5'000);  // Timer K
    EXPECT_FALSE(world.transactions.contains(client.id));
    EXPECT_EQ(world.take_log(), (Lines{"0 MESSAGE"}));
  }
}

TEST(SipClientTransaction, OverAStreamNothingIsKeptOrRepeated) {
  World world;
  const World::Client client = world.start(message, tcp_flow());
  EXPECT_EQ(world.pool.live_blocks(), 0U);
  world.run_to(31'999);
  EXPECT_EQ(world.answer(client, 200).kind, Kind::to_tu);
  EXPECT_EQ(world.transactions.live(), 0U);  // Timer K is zero
  EXPECT_EQ(world.answer(client, 200).kind, Kind::stray);
  const World::Client lost = world.start(message, tcp_flow());
  world.run_to(80'000);
  EXPECT_EQ(world.take_log(), (Lines{"0 MESSAGE", "31999 MESSAGE", "63999 timeout"}));
  EXPECT_EQ(world.facts.back().id, lost.id);
  EXPECT_EQ(world.metrics.get(core::Metric::sip_client_timeouts), 1U);
}

// ---- INVITE (17.1.1).

TEST(SipClientTransaction, TimerAHasNoCapAndBEnds) {
  World world;
  (void)world.start(invite);
  world.run_to(40'000);
  EXPECT_EQ(world.take_log(), (Lines{"0 INVITE", "500 INVITE", "1500 INVITE", "3500 INVITE", "7500 INVITE",
                                     "15500 INVITE", "31500 INVITE", "32000 timeout"}));
  EXPECT_EQ(world.pool.live_blocks(), 0U);
}

TEST(SipClientTransaction, ProvisionalResponseEndsRepetitions) {
  World world;
  const World::Client client = world.start(invite);
  world.run_to(600);
  EXPECT_EQ(world.answer(client, 100).kind, Kind::to_tu);
  EXPECT_EQ(world.answer(client, 180).kind, Kind::to_tu);
  world.run_to(1'000'000);  // no timer of its own: that is the user's Timer C
  EXPECT_EQ(world.take_log(), (Lines{"0 INVITE", "500 INVITE"}));
  EXPECT_EQ(world.transactions.state_of(client.id), State::proceeding);
}

TEST(SipClientTransaction, R3261_8_AckForAFinalResponseOtherThan2xx) {
  for (const bool provisional : {false, true}) {
    World world;
    const World::Client client = world.start(invite);
    if (provisional) {
      EXPECT_EQ(world.answer(client, 180).kind, Kind::to_tu);
    }
    EXPECT_EQ(world.answer(client, 486, "theirs").kind, Kind::to_tu);
    EXPECT_EQ(world.take_log(), (Lines{"0 INVITE", "0 ACK"}));
    const std::string ack = world.wire.sent[1].bytes;
    EXPECT_TRUE(ack.starts_with("ACK sip:bob@example.org SIP/2.0\r\n"));
    EXPECT_EQ(header_lines(ack),
              (Lines{line_of(client.bytes, "Via"), "Max-Forwards: 70",
                     "Route: <sip:p1.example.net;lr>, <sip:p2.example.net;lr>", "Route: <sip:p3.example.net;lr>",
                     "From: <sip:alice@example.com>;tag=f1", "To: <sip:bob@example.org>;tag=theirs", "Call-ID: call-1",
                     "CSeq: 4711 ACK", "Content-Length: 0"}));
    EXPECT_EQ(world.wire.sent[1].flow, world.wire.sent[0].flow);
    // The response again: the ACK was lost.
    world.run_to(32'499);
    EXPECT_EQ(world.answer(client, 486, "theirs").kind, Kind::absorbed);
    EXPECT_EQ(world.answer(client, 180).kind, Kind::absorbed);
    EXPECT_EQ(world.answer(client, 200).kind, Kind::absorbed);
    EXPECT_FALSE(world.transactions.cancel(client.id, world.now));
    EXPECT_EQ(world.take_log(), (Lines{"32499 ACK"}));
    EXPECT_EQ(world.wire.sent[2].bytes, ack);
    world.run_to(32'500);  // Timer D
    EXPECT_EQ(world.transactions.live(), 0U);
    EXPECT_EQ(world.pool.live_blocks(), 0U);
    EXPECT_EQ(world.answer(client, 486).kind, Kind::stray);
  }
}

TEST(SipClientTransaction, OverAStreamTheAckEndsIt) {
  World world;
  const World::Client client = world.start(invite, tcp_flow());
  EXPECT_EQ(world.pool.live_blocks(), 1U);
  EXPECT_EQ(world.answer(client, 404).kind, Kind::to_tu);
  EXPECT_EQ(world.take_log(), (Lines{"0 INVITE", "0 ACK"}));
  EXPECT_EQ(world.transactions.live(), 0U);
  EXPECT_EQ(world.pool.live_blocks(), 0U);
}

TEST(SipClientTransaction, R3261_2_Every2xxIsPassed) {
  World world;
  const World::Client client = world.start(invite);
  EXPECT_EQ(world.answer(client, 200, "a").kind, Kind::to_tu);
  EXPECT_EQ(world.transactions.state_of(client.id), State::accepted);
  EXPECT_EQ(world.pool.live_blocks(), 0U);
  world.run_to(20'000);
  EXPECT_EQ(world.answer(client, 200, "b").kind, Kind::to_tu);  // R3261-9: another fork
  EXPECT_EQ(world.answer(client, 200, "a").kind, Kind::to_tu);
  EXPECT_EQ(world.answer(client, 180, "c").kind, Kind::absorbed);
  EXPECT_EQ(world.answer(client, 486, "c").kind, Kind::absorbed);
  EXPECT_FALSE(world.transactions.cancel(client.id, world.now));
  world.run_to(40'000);
  EXPECT_EQ(world.take_log(), (Lines{"0 INVITE", "32000 ended"}));  // Timer M; no ACK of ours
  EXPECT_EQ(world.answer(client, 200, "a").kind, Kind::stray);
}

// ---- CANCEL (9.1).

TEST(SipCancel, R3261_7_WhatItSays) {
  World world;
  const World::Client client = world.start(invite);
  EXPECT_EQ(world.answer(client, 180).kind, Kind::to_tu);
  EXPECT_TRUE(world.transactions.cancel(client.id, world.now, "SIP;cause=200"));
  EXPECT_TRUE(world.transactions.cancel(client.id, world.now));  // once is enough
  EXPECT_EQ(world.take_log(), (Lines{"0 INVITE", "0 CANCEL"}));
  const std::string cancel = world.wire.sent[1].bytes;
  EXPECT_TRUE(cancel.starts_with("CANCEL sip:bob@example.org SIP/2.0\r\n"));
  EXPECT_EQ(header_lines(cancel),
            (Lines{line_of(client.bytes, "Via"), "Max-Forwards: 70",
                   "Route: <sip:p1.example.net;lr>, <sip:p2.example.net;lr>", "Route: <sip:p3.example.net;lr>",
                   "From: <sip:alice@example.com>;tag=f1", "To: <sip:bob@example.org>", "Call-ID: call-1",
                   "CSeq: 4711 CANCEL", "Reason: SIP;cause=200", "Content-Length: 0"}));
}

TEST(SipCancel, R3261_7_HasATransactionOfItsOwn) {
  World world;
  const World::Client client = world.start(invite);
  EXPECT_EQ(world.answer(client, 180).kind, Kind::to_tu);
  EXPECT_TRUE(world.transactions.cancel(client.id, world.now));
  EXPECT_EQ(world.transactions.live(), 2U);
  world.run_to(1'600);
  EXPECT_EQ(world.take_log(), (Lines{"0 INVITE", "0 CANCEL", "500 CANCEL", "1500 CANCEL"}));
  const std::string cancel = world.wire.sent[1].bytes;
  EXPECT_EQ(world.receive(response_text(cancel, 200)).kind, Kind::absorbed);
  EXPECT_EQ(world.receive(response_text(cancel, 200)).kind, Kind::absorbed);
  EXPECT_EQ(world.answer(client, 487).kind, Kind::to_tu);
  world.run_to(60'000);
  EXPECT_EQ(world.take_log(), (Lines{"1600 ACK"}));
  EXPECT_EQ(world.transactions.live(), 0U);
  EXPECT_EQ(world.pool.live_blocks(), 0U);
  EXPECT_EQ(world.metrics.get(core::Metric::sip_cancels_sent), 1U);
}

// T-24.
TEST(SipCancel, R3261_7_WaitsForAProvisionalResponse) {
  World world;
  const World::Client client = world.start(invite);
  EXPECT_TRUE(world.transactions.cancel(client.id, world.now, "Q.850;cause=16"));
  EXPECT_EQ(world.transactions.state_of(client.id), State::cancel_held);
  world.run_to(600);
  EXPECT_EQ(world.take_log(), (Lines{"0 INVITE", "500 INVITE"}));
  EXPECT_TRUE(world.transactions.cancel(client.id, world.now));
  EXPECT_EQ(world.answer(client, 100).kind, Kind::to_tu);
  EXPECT_EQ(world.take_log(), (Lines{"600 CANCEL"}));
  EXPECT_EQ(line_of(world.wire.sent[2].bytes, "Reason"), "Reason: Q.850;cause=16");
  EXPECT_EQ(world.answer(client, 180).kind, Kind::to_tu);
  EXPECT_EQ(world.receive(response_text(world.wire.sent[2].bytes, 200)).kind, Kind::absorbed);
  EXPECT_EQ(world.answer(client, 487).kind, Kind::to_tu);
  EXPECT_EQ(world.take_log(), (Lines{"600 ACK"}));
}

TEST(SipCancel, R3261_7_DroppedWhenAFinalResponseComesFirst) {
  for (const std::uint16_t status : std::initializer_list<std::uint16_t>{200, 404}) {
    World world;
    const World::Client client = world.start(invite);
    EXPECT_TRUE(world.transactions.cancel(client.id, world.now));
    EXPECT_EQ(world.answer(client, status).kind, Kind::to_tu);
    world.run_to(60'000);
    EXPECT_EQ(world.take_log(), status == 200 ? (Lines{"0 INVITE", "32000 ended"}) : (Lines{"0 INVITE", "0 ACK"}));
    EXPECT_EQ(world.pool.live_blocks(), 0U);
  }
  World world;
  const World::Client silent = world.start(invite);
  EXPECT_TRUE(world.transactions.cancel(silent.id, world.now));
  world.run_to(60'000);
  EXPECT_EQ(world.take_log().back(), "32000 timeout");  // Timer B goes on
  EXPECT_EQ(world.pool.live_blocks(), 0U);
}

TEST(SipCancel, R3261_7_FinalResponseIsWaitedForNoLongerThan64T1) {
  World world;
  const World::Client client = world.start(invite, tcp_flow());
  EXPECT_EQ(world.answer(client, 180).kind, Kind::to_tu);
  world.run_to(100'000);
  EXPECT_TRUE(world.transactions.cancel(client.id, world.now));
  EXPECT_EQ(world.receive(response_text(world.wire.sent[1].bytes, 200)).kind, Kind::absorbed);
  world.run_to(200'000);
  EXPECT_EQ(world.take_log(), (Lines{"0 INVITE", "100000 CANCEL", "132000 timeout"}));
  EXPECT_EQ(world.facts.size(), 1U);
  EXPECT_EQ(world.facts[0].id, client.id);
  EXPECT_EQ(world.transactions.live(), 0U);
}

// T-22.
TEST(SipCancel, R3261_7_CrossesWithA2xx) {
  World world;
  const World::Client client = world.start(invite);
  EXPECT_EQ(world.answer(client, 180).kind, Kind::to_tu);
  EXPECT_TRUE(world.transactions.cancel(client.id, world.now));
  EXPECT_EQ(world.answer(client, 200).kind, Kind::to_tu);  // the user sends ACK and BYE
  EXPECT_EQ(world.receive(response_text(world.wire.sent[1].bytes, 481)).kind, Kind::absorbed);
  world.run_to(60'000);
  EXPECT_EQ(world.take_log(), (Lines{"0 INVITE", "0 CANCEL", "32000 ended"}));
  EXPECT_EQ(world.transactions.live(), 0U);
}

// Over a stream the INVITE has ended when the answer to its CANCEL comes, and that one is found all the same.
TEST(SipCancel, R3261_7_AnsweredAfterTheInvite) {
  World world;
  const World::Client client = world.start(invite, tcp_flow());
  EXPECT_EQ(world.answer(client, 180).kind, Kind::to_tu);
  EXPECT_TRUE(world.transactions.cancel(client.id, world.now));
  EXPECT_EQ(world.answer(client, 487).kind, Kind::to_tu);
  EXPECT_FALSE(world.transactions.contains(client.id));
  EXPECT_EQ(world.transactions.owner_of(client.id), 0U);
  EXPECT_FALSE(world.transactions.cancel(client.id, world.now));
  EXPECT_EQ(world.answer(client, 487).kind, Kind::stray);
  EXPECT_EQ(world.receive(response_text(world.wire.sent[1].bytes, 200)).kind, Kind::absorbed);
  EXPECT_EQ(world.transactions.live(), 0U);
  EXPECT_EQ(world.receive(response_text(world.wire.sent[1].bytes, 200)).kind, Kind::stray);
  // Never answered: it ends by its Timer F, and nobody is told.
  const World::Client other = world.start(invite, tcp_flow());
  EXPECT_EQ(world.answer(other, 180).kind, Kind::to_tu);
  EXPECT_TRUE(world.transactions.cancel(other.id, world.now));
  EXPECT_EQ(world.answer(other, 487).kind, Kind::to_tu);
  world.run_to(60'000);
  EXPECT_EQ(world.transactions.live(), 0U);
  EXPECT_TRUE(world.facts.empty());
}

// ---- What matches (17.1.3).

TEST(SipResponseMatch, R3261_2_GuessedBranchIsStray) {
  World world;
  const World::Client client = world.start(message);
  const std::string ok = response_text(client.bytes, 200);
  const std::size_t at = ok.find("z9hG4bK");
  // Every letter of shard, slot, generation and random part counts.
  for (std::size_t i = magic_cookie.size(); i < branch_bytes - 17; ++i) {
    std::string guessed = ok;
    guessed[at + i] = guessed[at + i] == 'a' ? 'b' : 'a';
    EXPECT_EQ(world.receive(guessed).kind, Kind::stray) << i;
  }
  EXPECT_EQ(world.metrics.get(core::Metric::sip_stray_responses), branch_bytes - 17 - magic_cookie.size());
  EXPECT_EQ(world.receive(ok).kind, Kind::to_tu);
  EXPECT_EQ(world.receive(response_text(request_text({}), 200)).kind, Kind::stray);
  EXPECT_EQ(world.receive(response_text(request_text({.via = "SIP/2.0/UDP h"}), 200)).kind, Kind::stray);
}

TEST(SipResponseMatch, MethodOfCSeqCounts) {
  World world;
  const World::Client client = world.start(message);
  std::string other = response_text(client.bytes, 200);
  other.replace(other.find("1 MESSAGE"), 9, "1 OPTIONS");
  EXPECT_EQ(world.receive(other).kind, Kind::stray);
  const World::Client call = world.start(invite);
  std::string cancelled = response_text(call.bytes, 200);
  cancelled.replace(cancelled.find("4711 INVITE"), 11, "4711 CANCEL");
  EXPECT_EQ(world.receive(cancelled).kind, Kind::stray);  // nothing was cancelled
}

TEST(SipResponseMatch, NotBeforeItWasSentAndNotAServer) {
  World world;
  const ClientTicket ticket = world.transactions.open_client(Method::message, udp_flow(), 1, 0);
  const std::string request =
      request_text({.via = "SIP/2.0/UDP us.example.net;branch=" + std::string(ticket.branch_text())});
  EXPECT_EQ(world.receive(response_text(request, 200)).kind, Kind::stray);
  world.transactions.discard(ticket.id);
  EXPECT_EQ(world.transactions.live(), 0U);

  const TransactionId server = world.open(request_text({}));
  Branch branch;
  write_branch({3, server, 0, 0}, branch);
  EXPECT_EQ(world
                .receive(response_text(request_text({.via = "SIP/2.0/UDP us.example.net;branch=" +
                                                            std::string(branch.data(), branch.size())}),
                                       200))
                .kind,
            Kind::stray);
}

// ---- Transport errors (17.1.4).

TEST(SipClientTransaction, WhatCannotBeSentEndsAtOnce) {
  World world;
  world.wire.dead = [](const Flow&) { return true; };
  for (const RequestFields& fields : {message, invite}) {
    const World::Client client = world.start(fields);
    EXPECT_FALSE(client.started);
    EXPECT_FALSE(world.transactions.contains(client.id));
  }
  world.run_to(60'000);
  EXPECT_TRUE(world.facts.empty());
  EXPECT_EQ(world.pool.live_blocks(), 0U);
}

TEST(SipClientTransaction, TransportErrorOfARepetition) {
  for (const int phase : {0, 1}) {
    World world;
    const World::Client plain = world.start(message);
    const World::Client call = world.start(invite);
    if (phase == 1) {
      EXPECT_EQ(world.answer(plain, 100).kind, Kind::to_tu);
      EXPECT_TRUE(world.transactions.cancel(call.id, world.now));
    }
    world.wire.dead = [](const Flow&) { return true; };
    world.run_to(60'000);
    EXPECT_EQ(world.take_log(), (Lines{"0 MESSAGE", "0 INVITE", "500 transport error", "500 transport error"}));
    EXPECT_EQ(world.transactions.live(), 0U);
  }
}

TEST(SipClientTransaction, AckThatCannotBeSent) {
  World world;
  const World::Client client = world.start(invite);
  world.wire.dead = [](const Flow&) { return true; };
  const ResponseMatch match = world.answer(client, 486);
  EXPECT_EQ(match.kind, Kind::to_tu);
  EXPECT_TRUE(match.transport_error);
  EXPECT_EQ(match.owner, 7U);
  EXPECT_EQ(world.transactions.live(), 0U);
}

TEST(SipClientTransaction, LostConnectionEndsItsRequestsOnly) {
  World world;
  const World::Client a = world.start(message, tcp_flow(1));
  const World::Client ringing = world.start(invite, tcp_flow(1));
  const World::Client other = world.start(message, tcp_flow(2));
  Flow reused = tcp_flow(1);
  reused.connection.generation = 3;
  const World::Client later = world.start(message, reused);
  Flow elsewhere = tcp_flow(1);
  elsewhere.shard = 4;
  const World::Client shard = world.start(message, elsewhere);
  const World::Client accepted = world.start(invite, tcp_flow(1));
  EXPECT_EQ(world.answer(ringing, 180).kind, Kind::to_tu);
  EXPECT_TRUE(world.transactions.cancel(ringing.id, world.now));
  EXPECT_EQ(world.answer(accepted, 200).kind, Kind::to_tu);
  const World::Client answered = world.start(message, tcp_flow(1));
  (void)world.take_log();
  world.transactions.flow_failed(tcp_flow(1));
  world.transactions.flow_failed(tcp_flow(1));
  world.transactions.flow_failed(tcp_flow(77));
  world.transactions.flow_failed(udp_flow());
  // What had arrived before is still read.
  EXPECT_EQ(world.answer(answered, 200).kind, Kind::to_tu);
  EXPECT_LE(world.transactions.next_deadline(), world.now);
  world.drain();
  EXPECT_EQ(world.take_log(), (Lines{"0 transport error", "0 transport error"}));
  EXPECT_FALSE(world.transactions.contains(a.id));
  EXPECT_FALSE(world.transactions.contains(ringing.id));
  for (const World::Client* const alive : {&other, &later, &shard, &accepted}) {
    EXPECT_TRUE(world.transactions.contains(alive->id));
  }
  EXPECT_EQ(world.transactions.live(), 4U);
}

}  // namespace
}  // namespace parley::tests
