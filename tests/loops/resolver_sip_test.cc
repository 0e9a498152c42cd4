// tests/loops/resolver_sip_test.cc - the next hop of a SIP request or response, found in DNS (RFC 3263).
#include <set>
#include <string>
#include <vector>

#include "tests/loops/resolver_fixture.h"

namespace parley::loops {
namespace {

using core::Transport;
using Lines = std::vector<std::string>;

struct Hop {
  std::uint16_t port = 0;
  bool secure = false;
  std::optional<Transport> transport{};
  bool websocket = false;
};

class ResolverSip : public ResolverTest {
 protected:
  Lines find(const std::string& host, Hop hop = {}) {
    if (!resolver_) {
      dns_.start();
      resolver_ = std::make_unique<Resolver>(mailboxes_,
                                             core::ResolverConfig{.servers = dns_.address(), .seed = core::Seed{7}});
    }
    const Resolution found = ask(*resolver_, {.host = host,
                                              .port = hop.port,
                                              .srv_service = {},
                                              .procedure = core::ResolveRequest::Procedure::sip,
                                              .secure = hop.secure,
                                              .transport = hop.transport,
                                              .websocket = hop.websocket});
    Lines lines;
    for (const core::ResolvedAddress& each : found.addresses) {
      lines.push_back(std::string(name_of(each.transport)) + " " + core::to_string(each.address));
      EXPECT_EQ(each.target, host) << "a certificate has to match what was asked for";
    }
    return lines;
  }
  void host(const std::string& name, char last) { dns_.hosts[name] = std::string("\x7f\x00\x00", 3) + last; }

  std::unique_ptr<Resolver> resolver_;
};

TEST_F(ResolverSip, R3263_1_a_number_needs_no_dns) {
  EXPECT_EQ(find("192.0.2.7"), Lines{"udp 192.0.2.7:5060"});
  EXPECT_EQ(find("[2001:db8::1]"), Lines{"udp [2001:db8::1]:5060"});
  EXPECT_EQ(find("192.0.2.7", {.secure = true}), Lines{"tls 192.0.2.7:5061"});
  EXPECT_EQ(find("192.0.2.7", {.port = 7000}), Lines{"udp 192.0.2.7:7000"});
  EXPECT_EQ(find("192.0.2.7", {.port = 7000, .secure = true}), Lines{"tls 192.0.2.7:7000"});
  EXPECT_EQ(find("192.0.2.7", {.transport = Transport::tcp}), Lines{"tcp 192.0.2.7:5060"});
  EXPECT_EQ(find("192.0.2.7", {.secure = true, .transport = Transport::tcp}), Lines{"tls 192.0.2.7:5061"});
  EXPECT_EQ(find("192.0.2.7", {.transport = Transport::ws}), Lines{"ws 192.0.2.7:80"});
  EXPECT_EQ(find("192.0.2.7", {.secure = true, .transport = Transport::ws}), Lines{"wss 192.0.2.7:443"});
  EXPECT_EQ(dns_.questions(), 0);
}

TEST_F(ResolverSip, R3263_1_sips_does_not_go_over_udp) {
  host("a.example.org", 2);
  EXPECT_EQ(find("192.0.2.7", {.secure = true, .transport = Transport::udp}), Lines{});
  EXPECT_EQ(find("a.example.org", {.secure = true, .transport = Transport::udp}), Lines{});
}

TEST_F(ResolverSip, R3263_1_a_port_needs_addresses_alone) {
  host("a.example.org", 2);
  dns_.services["_sip._udp.a.example.org"] = {{1, 1, 9, "b.example.org"}};
  EXPECT_EQ(find("a.example.org", {.port = 7000}), Lines{"udp 127.0.0.2:7000"});
  EXPECT_EQ(find("a.example.org", {.port = 7000, .secure = true}), Lines{"tls 127.0.0.2:7000"});
  EXPECT_EQ(find("a.example.org", {.port = 7000, .transport = Transport::tcp}), Lines{"tcp 127.0.0.2:7000"});
}

// RFC 3263 section 4.1, its example.
TEST_F(ResolverSip, R3263_1_naptr_chooses_the_transport) {
  dns_.naptrs["example.com"] = {{50, 50, "s", "SIPS+D2T", "", "_sips._tcp.example.com"},
                                {90, 50, "s", "SIP+D2T", "", "_sip._tcp.example.com"},
                                {100, 50, "s", "SIP+D2U", "", "_sip._udp.example.com"}};
  dns_.services["_sip._tcp.example.com"] = {{1, 1, 5060, "server1.example.com"}, {2, 1, 5062, "server2.example.com"}};
  dns_.services["_sips._tcp.example.com"] = {{1, 1, 5061, "server1.example.com"}};
  dns_.services["_sip._udp.example.com"] = {{1, 1, 5064, "server2.example.com"}};
  host("server1.example.com", 1);
  host("server2.example.com", 2);
  EXPECT_EQ(find("example.com"),
            (Lines{"tls 127.0.0.1:5061", "tcp 127.0.0.1:5060", "tcp 127.0.0.2:5062", "udp 127.0.0.2:5064"}));
  EXPECT_EQ(find("example.com", {.secure = true}), Lines{"tls 127.0.0.1:5061"});
  // A transport that is given needs no NAPTR.
  EXPECT_EQ(find("example.com", {.transport = Transport::udp}), Lines{"udp 127.0.0.2:5064"});
}

TEST_F(ResolverSip, R3263_1_preference_orders_records_of_one_order) {
  dns_.naptrs["example.com"] = {{10, 20, "S", "sip+d2t", "", "tcp.elsewhere.org"},
                                {10, 10, "s", "SIP+D2U", "", "udp.elsewhere.org"}};
  dns_.services["tcp.elsewhere.org"] = {{1, 1, 1, "a.example.com"}};
  dns_.services["udp.elsewhere.org"] = {{1, 1, 2, "a.example.com"}};
  host("a.example.com", 1);
  EXPECT_EQ(find("example.com"), (Lines{"udp 127.0.0.1:2", "tcp 127.0.0.1:1"}));
}

TEST_F(ResolverSip, R3263_1_records_that_are_not_for_us_are_left_out) {
  dns_.naptrs["example.com"] = {{1, 1, "u", "E2U+sip", "!^.*$!sip:a@example.com!", ""},
                                {2, 1, "s", "SIP+D2S", "", "sctp.example.com"},
                                {3, 1, "a", "SIP+D2T", "", "a.example.com"},
                                {4, 1, "s", "SIP+D2W", "", "ws.example.com"},
                                {5, 1, "s", "SIP+D2U", "", "udp.example.com"}};
  dns_.services["ws.example.com"] = {{1, 1, 8080, "a.example.com"}};
  dns_.services["udp.example.com"] = {{1, 1, 5062, "a.example.com"}};
  host("a.example.com", 1);
  EXPECT_EQ(find("example.com"), Lines{"udp 127.0.0.1:5062"});
  EXPECT_EQ(find("example.com", {.websocket = true}), (Lines{"ws 127.0.0.1:8080", "udp 127.0.0.1:5062"}));
}

TEST_F(ResolverSip, R3263_1_sips_with_no_tls_in_naptr_asks_for_sips_services) {
  dns_.naptrs["example.com"] = {{5, 1, "s", "SIP+D2U", "", "_sip._udp.example.com"}};
  dns_.services["_sips._tcp.example.com"] = {{1, 1, 5063, "a.example.com"}};
  host("a.example.com", 1);
  EXPECT_EQ(find("example.com", {.secure = true}), Lines{"tls 127.0.0.1:5063"});
}

TEST_F(ResolverSip, R3263_1_without_naptr_each_service_is_asked_for) {
  dns_.services["_sip._udp.example.com"] = {{1, 1, 5060, "a.example.com"}};
  dns_.services["_sip._tcp.example.com"] = {{1, 1, 5062, "b.example.com"}};
  dns_.services["_sips._tcp.example.com"] = {{1, 1, 5061, "b.example.com"}};
  host("a.example.com", 1);
  host("b.example.com", 2);
  EXPECT_EQ(find("example.com"), (Lines{"udp 127.0.0.1:5060", "tcp 127.0.0.2:5062", "tls 127.0.0.2:5061"}));
  EXPECT_EQ(find("example.com", {.secure = true}), Lines{"tls 127.0.0.2:5061"});
}

TEST_F(ResolverSip, R3263_1_without_naptr_and_srv_the_name_itself) {
  host("example.com", 9);
  EXPECT_EQ(find("example.com"), Lines{"udp 127.0.0.9:5060"});
  EXPECT_EQ(find("example.com", {.secure = true}), Lines{"tls 127.0.0.9:5061"});
  EXPECT_EQ(find("example.com", {.transport = Transport::tcp}), Lines{"tcp 127.0.0.9:5060"});
  EXPECT_EQ(find("example.com", {.transport = Transport::tls}), Lines{"tls 127.0.0.9:5061"});
  EXPECT_EQ(find("example.com", {.transport = Transport::wss}), Lines{"wss 127.0.0.9:443"});
}

TEST_F(ResolverSip, the_transport_that_naptr_named_holds_without_srv) {
  dns_.naptrs["example.com"] = {{5, 1, "s", "SIPS+D2T", "", "_sips._tcp.example.com"}};
  host("example.com", 9);
  EXPECT_EQ(find("example.com"), Lines{"tls 127.0.0.9:5061"});
}

TEST_F(ResolverSip, a_refused_service_is_no_reason_to_try_the_name) {
  dns_.services["_sip._udp.example.com"] = {{0, 0, 0, "."}};
  host("example.com", 9);
  EXPECT_EQ(find("example.com", {.transport = Transport::udp}), Lines{});
  EXPECT_EQ(find("nowhere.example.com"), Lines{});
}

// A response whose connection is gone: the transport is the Via's.
TEST_F(ResolverSip, R3263_3_responses_go_where_sent_by_says) {
  dns_.services["_sip._tcp.example.com"] = {{1, 1, 5062, "b.example.com"}};
  dns_.services["_sips._tcp.example.com"] = {{1, 1, 5063, "b.example.com"}};
  host("b.example.com", 2);
  host("example.com", 9);
  EXPECT_EQ(find("192.0.2.1", {.port = 5066, .transport = Transport::tcp}), Lines{"tcp 192.0.2.1:5066"});
  EXPECT_EQ(find("192.0.2.1", {.transport = Transport::tls}), Lines{"tls 192.0.2.1:5061"});
  EXPECT_EQ(find("example.com", {.port = 5066, .transport = Transport::tls}), Lines{"tls 127.0.0.9:5066"});
  EXPECT_EQ(find("example.com", {.transport = Transport::tcp}), Lines{"tcp 127.0.0.2:5062"});
  EXPECT_EQ(find("example.com", {.transport = Transport::tls}), Lines{"tls 127.0.0.2:5063"});
}

TEST_F(ResolverSip, R3263_2_priorities_hold_and_weights_are_drawn_for_each_answer) {
  dns_.services["_sip._udp.example.com"] = {
      {1, 50, 1, "a.example.com"}, {1, 50, 2, "a.example.com"}, {2, 1, 3, "a.example.com"}};
  host("a.example.com", 1);
  std::set<std::string> firsts;
  for (int i = 0; i < 50; ++i) {
    const Lines lines = find("example.com", {.transport = Transport::udp});
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(lines[2], "udp 127.0.0.1:3");
    firsts.insert(lines[0]);
  }
  EXPECT_EQ(firsts, (std::set<std::string>{"udp 127.0.0.1:1", "udp 127.0.0.1:2"}));
  EXPECT_EQ(dns_.questions(), 7) << "once for SRV, once for A and AAAA of each target";
}

TEST_F(ResolverSip, absent_names_are_kept_as_such) {
  EXPECT_EQ(find("nowhere.example.com"), Lines{});
  const int before = dns_.questions();
  EXPECT_EQ(find("nowhere.example.com"), Lines{});
  EXPECT_EQ(dns_.questions(), before);
}

TEST_F(ResolverSip, the_shortest_time_to_live_counts) {
  dns_.services["_sip._udp.example.com"] = {{1, 1, 1, "a.example.com"}};
  dns_.srv_ttl_s = 1;
  host("a.example.com", 1);
  EXPECT_EQ(find("example.com", {.transport = Transport::udp}).size(), 1U);
  const int before = dns_.questions();
  std::this_thread::sleep_for(1100ms);
  EXPECT_EQ(find("example.com", {.transport = Transport::udp}).size(), 1U);
  EXPECT_GT(dns_.questions(), before);
}

TEST_F(ResolverSip, an_answer_has_8_targets_at_most) {
  for (unsigned i = 0; i < 12; ++i) dns_.services["_sip._udp.example.com"].push_back({1, 1, 100 + i, "a.example.com"});
  host("a.example.com", 1);
  EXPECT_EQ(find("example.com", {.transport = Transport::udp}).size(), 8U);
}

}  // namespace
}  // namespace parley::loops
