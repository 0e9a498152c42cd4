// tools/parley-load/test/sip_text_test.cc - SIP messages cut at every byte, and what is none.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tools/parley-load/sip_text.h"

namespace parley::load {
namespace {

constexpr std::string_view kMessage =
    "MESSAGE sip:bob@192.0.2.4:5062 SIP/2.0\r\nVia: SIP/2.0/TCP proxy.example;branch=z9hG4bKp1, SIP/2.0/TCP x\r\n"
    "v: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKa1\r\nMax-Forwards: 69\r\nf: <sip:alice@a.example>;tag=49583\r\n"
    "To : <sip:bob@b.example>\r\nCall-ID: 1-x@192.0.2.1\r\nCSEQ: 1 MESSAGE\r\nContent-Type: text/plain\r\n"
    "content-length:  18\r\n\r\nWatson, come here.";

TEST(SipText, AMessageOnAStreamIsReadWholeAndNeverHalf) {
  const std::string stream = std::string(kMessage) + "SIP/2.0 200 OK\r\n";
  SipMessage m;
  const char* why = "";
  for (size_t cut = 0; cut < kMessage.size(); ++cut)
    ASSERT_EQ(parse_sip(std::string_view(stream).substr(0, cut), false, m, &why), SipResult::more) << cut;
  ASSERT_EQ(parse_sip(stream, false, m, &why), SipResult::done) << why;
  EXPECT_EQ(m.size_bytes, kMessage.size());
  EXPECT_EQ(m.method, SipMethod::message);
  EXPECT_EQ(m.uri, "sip:bob@192.0.2.4:5062");
  EXPECT_EQ(m.via_count, 2U);
  EXPECT_EQ(branch_of(m), "z9hG4bKp1");
  EXPECT_EQ(m.from, "<sip:alice@a.example>;tag=49583");
  EXPECT_EQ(m.to, "<sip:bob@b.example>");
  EXPECT_EQ(m.call_id, "1-x@192.0.2.1");
  EXPECT_EQ(m.cseq, "1 MESSAGE");
  EXPECT_EQ(m.body, "Watson, come here.");
}

TEST(SipText, ADatagramIsWholeOrBad) {
  SipMessage m;
  const char* why = "";
  for (size_t cut = 0; cut < kMessage.size(); ++cut)
    ASSERT_EQ(parse_sip(kMessage.substr(0, cut), true, m, &why), SipResult::bad) << cut;
  ASSERT_EQ(parse_sip(kMessage, true, m, &why), SipResult::done) << why;
  std::string unsized(kMessage);
  unsized.erase(unsized.find("content-length"), 21);
  ASSERT_EQ(parse_sip(unsized, true, m, &why), SipResult::done) << why;
  EXPECT_EQ(m.body, "Watson, come here.");
  EXPECT_EQ(parse_sip(unsized, false, m, &why), SipResult::bad);
}

TEST(SipText, WhatIsNoMessageIsRefused) {
  const std::string good(kMessage);
  const auto changed = [&good](const std::string& from, const std::string& to) {
    std::string out = good;
    out.replace(out.find(from), from.size(), to);
    return out;
  };
  const std::vector<std::string> wrong = {
      "HTTP/1.1 200 OK\r\n\r\n",
      "SIP/2.0 2000 OK\r\n\r\n",
      "SIP/2.0 099 OK\r\n\r\n",
      changed("SIP/2.0\r\n", "SIP/3.0\r\n"),
      changed("f: <sip:alice@a.example>;tag=49583\r\n", ""),
      changed("1 MESSAGE\r\n", "1 MESSAGE\n"),
      changed("Max-Forwards: 69", "Max-Forwards 69"),
      changed("Max-Forwards: 69\r\n", "Max-Forwards: 69\r\n t: folded\r\n"),
      changed("Call-ID: 1-x@192.0.2.1\r\n", "Call-ID: 1-x@192.0.2.1\r\nCall-ID: 2\r\n"),
      changed("  18", "  1x"),
      changed("  18", "  -1"),
      "MESSAGE sip:bob@b.example SIP/2.0\r\nSubject: " + std::string(kSipHeadBytesMax, 'x')};
  for (const std::string& text : wrong) {
    SipMessage m;
    const char* why = "";
    EXPECT_EQ(parse_sip(text, false, m, &why), SipResult::bad) << text.substr(0, 60);
  }
}

TEST(SipText, TheRouteIsTheRecordReversed) {
  SipMessage m;
  const char* why = "";
  const std::string answer =
      "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\n"
      "Record-Route: <sip:p3;lr;x=\"a,b\">, <sip:p2;lr>;y\r\nRecord-Route: <sip:p1;lr>\r\nCall-ID: 1\r\nCSeq: 1 "
      "INVITE\r\n"
      "Contact: \"B\" <sip:b@192.0.2.4;x=y>;expires=3\r\nContent-Length: 0\r\n\r\n";
  ASSERT_EQ(parse_sip(answer, false, m, &why), SipResult::done) << why;
  EXPECT_EQ(m.status, 200U);
  EXPECT_EQ(uri_of(m.contact), "sip:b@192.0.2.4;x=y");
  EXPECT_EQ(uri_of("sip:b@192.0.2.4;expires=3"), "sip:b@192.0.2.4");
  EXPECT_EQ(routes_of(m), "Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>;y\r\nRoute: <sip:p3;lr;x=\"a,b\">\r\n");
}

TEST(SipText, IdsComeBackAsTheyWent) {
  std::array<char, 64> room{};
  const SipId id{.slot = 0xabc, .serial = 0x123456789aULL, .attempt = 255};
  SipText text(room.data());
  text.branch("0011aaff", id);
  EXPECT_EQ(text.view(), "0011aaff000abc123456789aff");
  SipId read;
  ASSERT_TRUE(take_sip_id(text.view(), "0011aaff", true, read));
  EXPECT_EQ(read.slot, id.slot);
  EXPECT_EQ(read.serial, id.serial);
  EXPECT_EQ(read.attempt, id.attempt);
  EXPECT_FALSE(take_sip_id(text.view(), "0011aafe", true, read));
  EXPECT_FALSE(take_sip_id(text.view().substr(0, 25), "0011aaff", true, read));
  EXPECT_FALSE(take_sip_id("0011aaff000abX123456789aff", "0011aaff", true, read));
}

TEST(SipText, AnAnswerCarriesWhatItMust) {
  SipMessage m;
  const char* why = "";
  ASSERT_EQ(parse_sip(kMessage, false, m, &why), SipResult::done);
  std::array<char, 1024> room{};
  SipText out(room.data());
  put_answer(out, m, "200 OK", "t1", "Allow: MESSAGE\r\n", "");
  EXPECT_EQ(out.view(),
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP proxy.example;branch=z9hG4bKp1, SIP/2.0/TCP x\r\n"
            "Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKa1\r\nFrom: <sip:alice@a.example>;tag=49583\r\n"
            "To: <sip:bob@b.example>;tag=t1\r\nCall-ID: 1-x@192.0.2.1\r\nCSeq: 1 MESSAGE\r\nAllow: MESSAGE\r\n"
            "Content-Length: 0\r\n\r\n");
}

}  // namespace
}  // namespace parley::load
