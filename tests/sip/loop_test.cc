// tests/sip/loop_test.cc - loops and spirals (RFC 5393 section 4.2).
#include "sip/loop.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "sip/branch.h"

namespace parley::tests {
namespace {

using namespace parley::sip;

constexpr std::uint64_t seed = 4711;
constexpr std::array own = {SentBy{"p.example.com", 0}, SentBy{"[2001:db8::1]", 5070}};

struct Request {
  explicit Request(std::string text) : bytes(std::move(text)) { EXPECT_EQ(parser.parse(bytes, {}), Progress::done); }
  [[nodiscard]] std::uint64_t hash() const { return loop_hash(seed, parser.head(), bytes); }
  [[nodiscard]] Passage passage() const { return check_loop(parser.head(), bytes, hash(), own); }
  std::string bytes;
  HeadParser parser;
};

std::string text(const std::string& via, const std::string& rest = "", const std::string& uri = "sip:a@p.example.com") {
  return "INVITE " + uri + " SIP/2.0\r\n" + via + "Call-ID: 1\r\nCSeq: 7 INVITE\r\n" + rest + "\r\n";
}

// The request as it was when this element forked it, and its Via.
std::string own_via(const std::string& sent_by, const Request& before) {
  Branch branch;
  write_branch({.shard = 3, .transaction = {1, 1}, .random = 5, .loop_hash = before.hash()}, branch);
  return "Via: SIP/2.0/TLS x.example.com;branch=z9hG4bKq, SIP/2.0/UDP " + sent_by +
         ";branch=" + std::string(branch.data(), branch.size()) + ";received=192.0.2.1\r\n";
}

TEST(Loop, R3261_10_TheSameAgainIsALoop) {
  const Request before(text("Via: SIP/2.0/UDP c;branch=z9hG4bK1\r\n"));
  EXPECT_EQ(before.passage(), Passage::first);
  EXPECT_EQ(Request(text(own_via("P.example.com", before))).passage(), Passage::loop);
  EXPECT_EQ(Request(text(own_via("[2001:DB8::1]:5070", before))).passage(), Passage::loop);
  // RFC 5393 section 4.2.1: not the method.
  std::string other = text(own_via("p.example.com", before));
  other.replace(0, 6, "REFER ");
  other.erase(5, 1);
  EXPECT_EQ(Request(other).passage(), Passage::loop);
  EXPECT_EQ(Request(text(own_via("p.example.com", before), "Max-Forwards: 3\r\nMax-Breadth: 1\r\n")).passage(),
            Passage::loop);
}

TEST(Loop, R3261_10_WhatRoutesDifferentlyIsASpiral) {
  const Request before(text("Via: SIP/2.0/UDP c;branch=z9hG4bK1\r\n"));
  const std::string via = own_via("p.example.com", before);
  EXPECT_EQ(Request(text(via, "", "sip:b@p.example.com")).passage(), Passage::spiral);
  for (const char* line : {"Route: <sip:q.example.com;lr>\r\n", "Proxy-Require: x\r\n", "Accept-Contact: *;audio\r\n",
                           "Proxy-Authorization: Digest x=1\r\n", "Reject-Contact: *;audio\r\n"}) {
    EXPECT_EQ(Request(text(via, line)).passage(), Passage::spiral) << line;
  }
  // A value does not lend its end to the next one.
  EXPECT_NE(Request(text("", "Route: <sip:a;lr>\r\nRoute: <sip:b;lr>\r\n")).hash(),
            Request(text("", "Route: <sip:a;lr>\r\nProxy-Require: <sip:b;lr>\r\n")).hash());
  EXPECT_NE(Request(text("", "Route: ab\r\nRoute: c\r\n")).hash(),
            Request(text("", "Route: a\r\nRoute: bc\r\n")).hash());
}

TEST(Loop, R3261_10_ViasOfOthersAndWithoutAHashSayNothing) {
  const Request before(text("Via: SIP/2.0/UDP c;branch=z9hG4bK1\r\n"));
  EXPECT_EQ(Request(text(own_via("p.example.com:5060", before))).passage(), Passage::first);
  EXPECT_EQ(Request(text(own_via("q.example.com", before))).passage(), Passage::first);
  EXPECT_EQ(Request(text("Via: SIP/2.0/UDP p.example.com;branch=z9hG4bKabc\r\n")).passage(), Passage::spiral);
  EXPECT_EQ(Request(text("Via: SIP/2.0/UDP p.example.com\r\n")).passage(), Passage::spiral);
  EXPECT_EQ(
      Request(text("Via: %%%\r\nVia: SIP/2.0/UDP q;x=\"y,\";branch=\r\n" + own_via("p.example.com", before))).passage(),
      Passage::loop);
}

}  // namespace
}  // namespace parley::tests
