// tests/sim/sip/agent_test.cc - what a user agent of the simulator demands of a server that is played by hand, and what it
// lets pass.
#include "tests/sim/sip/agent.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace parley::sim::sip {
namespace {

const core::Address server_udp = *core::parse_ip("127.0.0.1", 5060);
const core::Address own = *core::parse_ip("127.0.2.0", 6000);

struct Played final : DatagramEnd {
  Played(std::uint64_t seed, const AgentTraits& traits)
      : world(seed, quiet(), false), agent(world, place, book, 0, "user0", own, server_udp, traits) {
    book.role = Role::b2bua;
    book.timers = true;
    world.net.datagrams.attach(server_udp, this);
  }
  static Faults quiet() {
    Faults faults;
    faults.quiet = true;
    return faults;
  }
  ~Played() { world.net.datagrams.detach(server_udp, this); }
  Played(const Played&) = delete;
  Played& operator=(const Played&) = delete;

  void on_datagram(const core::Address&, const core::Address&, std::string_view bytes) override {
    Message m;
    EXPECT_EQ(read(bytes, m), "");
    got.push_back(m);
  }
  void send(const Message& m) { world.net.datagrams.send(server_udp, own, write(m)); }
  void pass(Duration time) { world.run_until(world.agenda.now() + time); }
  // How many there were since the last time.
  std::size_t take(int status) {
    std::size_t count = 0;
    for (const Message& m : got) count += !m.request && m.status == status;
    got.clear();
    return count;
  }
  // Of a call to it, and what belongs to that.
  Message request(const std::string& method, const std::string& branch, unsigned number, const std::string& to_tag = {}) const {
    Message m;
    m.request = true;
    m.method = method;
    m.uri = "sip:user0@" + core::to_string(own);
    m.add("Via", "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK" + branch);
    m.add("Max-Forwards", "69");
    m.add("From", from);
    m.add("To", to + (to_tag.empty() ? "" : ";tag=" + to_tag));
    m.add("Call-ID", call_id);
    m.add("CSeq", std::to_string(number) + " " + method);
    m.add("Contact", "<sip:leg@127.0.0.1:5060>");
    if (to_tag.empty() || method == "ACK") m.add("Subject", "lie");  // of nobody
    return m;
  }
  Message response(const Message& of, int status, const std::string& tag) {
    Message m;
    m.status = status;
    m.reason = "Whatever";
    for (const char* name : {"Via", "From", "To", "Call-ID", "CSeq"}) m.add(name, of.value(name));
    m.fields[0].second += "=" + std::to_string(own.port);  // rport
    if (status > 100) m.fields[2].second += ";tag=" + tag;
    m.add("Contact", "<sip:leg@127.0.0.1:5060>");
    m.add("Organization", "other");
    book.passed["other"] = {m, 1, world.agenda.now(), 0, {}, of.value("Subject")};
    return m;
  }

  Book book;
  World world;
  Place place;
  Agent agent;
  std::vector<Message> got;
  std::string call_id = "leg1", from = "<sip:user1@sim.example>;tag=leg", to = "<sip:user0@sim.example>";
};

// It answers an INVITE twice, and differently. The ACK to the refusal is no ACK to the 2xx: RFC 3261 sections 13.3.1.4 and
// 17.1.1.3.
TEST(SimSipAgent, R3261_2_an_ack_to_a_refusal_does_not_acknowledge_a_2xx) {
  AgentTraits traits;
  traits.late_ok_permille = 1000;
  Played played(1, traits);
  played.send(played.request("INVITE", "one", 1));
  played.pass(2s);
  std::string tag;
  for (const Message& m : played.got) tag = tag_of(m.value("To"));
  ASSERT_EQ(played.take(486), 1U);
  played.send(played.request("ACK", "one", 1, tag));
  played.pass(10s);
  EXPECT_GT(played.take(200), 2U);
  played.send(played.request("ACK", "two", 1, tag));
  played.pass(1ms);
  (void)played.take(200);
  played.pass(10s);
  EXPECT_EQ(played.take(200), 0U);
}

TEST(SimSipAgent, R3261_8_an_ack_has_the_number_of_an_invite) {
  Played played(1, {});
  played.send(played.request("INVITE", "one", 1));
  played.pass(2s);
  std::string tag;
  for (const Message& m : played.got) tag = tag_of(m.value("To"));
  played.send(played.request("ACK", "two", 7, tag));
  played.pass(100ms);
  EXPECT_NE(played.world.journal.failure().find("an ACK for nothing"), std::string::npos);
}

// A caller that has acknowledged what it had not got knows nothing of the session that stands for the server, which may
// refresh it and is told so. Where it has not, or no 2xx was sent, there is none.
TEST(SimSipAgent, R4028_3_what_was_acknowledged_blind_may_be_refreshed_and_gets_481) {
  std::size_t blind = 0;
  for (std::uint64_t seed = 1; seed < 30; ++seed) {
    for (const bool answered : {true, false}) {
      AgentTraits traits;
      traits.timer = true;
      traits.rude_permille = 1000;
      Played played(seed, traits);
      played.agent.call("user1");
      played.pass(1ms);
      ASSERT_EQ(played.got.size(), 1U);
      const Message invite = played.got[0];
      played.send(played.response(invite, 180, "leg"));
      played.pass(40s);
      ASSERT_FALSE(played.world.journal.failed()) << played.world.journal.failure();
      bool acknowledged = false;
      for (const Message& m : played.got) acknowledged = acknowledged || m.method == "ACK";
      blind += acknowledged;
      if (answered) played.book.accepted.insert(branch_of(invite));  // and lost
      played.got.clear();
      played.call_id = invite.value("Call-ID");
      played.from = invite.value("To") + ";tag=leg";
      played.to = without_parameter(invite.value("From"), "tag");
      Message refresh = played.request("INVITE", "three", 1, tag_of(invite.value("From")));
      refresh.add("Session-Expires", "90;refresher=uac");
      refresh.add("Supported", "timer");
      played.send(refresh);
      played.pass(100ms);
      EXPECT_EQ(played.world.journal.failed(), !(acknowledged && answered)) << seed << " " << played.world.journal.failure();
      EXPECT_EQ(played.take(481), acknowledged && answered ? 1U : 0U) << seed;
    }
  }
  EXPECT_GT(blind, 4U);
}

}  // namespace
}  // namespace parley::sim::sip
