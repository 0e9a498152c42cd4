// tests/sip/head_test.cc - limits of heads, datagrams that end early, order of headers, and that nothing is allocated.
#include "sip/head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sip/verdict.h"
#include "tests/msrp/allocations.h"
#include "tests/sip/message_reader.h"

namespace parley::sip {
namespace {

const std::string start = "MESSAGE sip:b@h SIP/2.0\r\n";
const std::string basics =
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: 1\r\nCSeq: 1 MESSAGE\r\n";

std::string last_line(const std::string& bytes) { return tests::datagram_lines(bytes).back(); }

std::string verdict(const std::string& bytes, const HeadLimits& limits = {}) {
  std::vector<std::string> lines = tests::datagram_lines(bytes, limits);
  if (lines.back().starts_with("body: ")) lines.pop_back();
  return lines.back();
}

std::string many_headers(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += "X: y\r\n";
  return text;
}

TEST(SipHead, HeaderLimit) {
  EXPECT_EQ(verdict(start + basics + many_headers(headers_limit - 5) + "\r\n"), "accept");
  EXPECT_EQ(verdict(start + basics + many_headers(headers_limit - 4) + "\r\n"), "513 Too Many Header Fields");
  const HeadLimits limits{.headers_max = 7};
  EXPECT_EQ(verdict(start + basics + many_headers(2) + "\r\n", limits), "accept");
  EXPECT_EQ(verdict(start + basics + many_headers(3) + "\r\n", limits), "513 Too Many Header Fields");
}

TEST(SipHead, LengthLimit) {
  const std::string whole = start + basics + "\r\n";
  HeadLimits limits{.head_bytes_max = static_cast<std::uint32_t>(whole.size())};
  EXPECT_EQ(verdict(whole, limits), "accept");
  --limits.head_bytes_max;
  EXPECT_EQ(verdict(whole, limits), "513 Message Too Large");
}

TEST(SipHead, LengthLimitIsMetAtTheSameByteWhenTrickled) {
  const HeadLimits limits{.head_bytes_max = 100};
  const std::string bytes = start + basics;
  HeadParser parser;
  for (std::size_t i = 1; i < 100; ++i) ASSERT_EQ(parser.parse(bytes.substr(0, i), limits), Progress::need_more) << i;
  EXPECT_EQ(parser.parse(bytes.substr(0, 100), limits), Progress::bad);
  EXPECT_EQ(parser.head().error, HeadError::too_long);
  EXPECT_EQ(parser.error_offset(), 100U);
}

TEST(SipHead, DatagramThatEndsEarly) {
  EXPECT_EQ(verdict(start + basics), "400 Head Cut Short");
  EXPECT_EQ(tests::datagram_lines(start + basics).size(), 7U);  // the last line counts
  EXPECT_EQ(verdict(start + basics + "X: half"), "400 Head Cut Short");
  EXPECT_EQ(tests::datagram_lines(start + basics + "X: half").size(), 7U);
  EXPECT_EQ(verdict(start), "drop: Head Cut Short");  // nobody to answer
  EXPECT_EQ(verdict("MESSAGE sip:b@h SIP/2.0"), "drop: Not SIP");
  EXPECT_EQ(verdict(""), "drop: Not SIP");
}

// R3261-12: surplus is no body, a deficit is an error; without Content-Length the rest is the body.
TEST(SipHead, R3261_12_DatagramBodies) {
  EXPECT_EQ(last_line(start + basics + "Content-Length: 2\r\n\r\nabc"), "body: ab");
  EXPECT_EQ(last_line(start + basics + "\r\nabc"), "body: abc");
  EXPECT_EQ(verdict(start + basics + "Content-Length: 4\r\n\r\nabc"), "400 Body Shorter Than Content-Length");
  EXPECT_EQ(last_line(start + basics + "l: 3\r\nContent-Length: 03\r\n\r\nabc"), "body: abc");
}

TEST(SipHead, AckAndResponsesAreNeverAnswered) {
  EXPECT_EQ(verdict("ACK sip:b@h SIP/2.0\r\n" + basics + "\r\n"), "drop: CSeq Does Not Match The Method");
  EXPECT_EQ(verdict("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\n\r\n"), "drop: Missing From");
  EXPECT_EQ(verdict("SIP/2.0 700 OK\r\n" + basics + "\r\n"), "drop: Bad Status-Line");
  EXPECT_EQ(verdict("SIP/3.0 200 OK\r\n" + basics + "\r\n"), "drop: Bad Status-Line");
  EXPECT_EQ(verdict("MESSAGE sip:b@h SIP/2.0\r\nFrom: <sip:a@h>\r\n\r\n"), "drop: Bad Via");
}

TEST(SipHead, HeadersOfOneKindAreLinkedInOrder) {
  const std::string bytes = start + "v: one\r\nX: a\r\nVIA: two\r\nx: b\r\nVia: three\r\n\r\n";
  HeadParser parser;
  ASSERT_EQ(parser.parse(bytes, {}), Progress::done);
  const Head& head = parser.head();
  std::string vias;
  for (const Header* via = head.first(HeaderId::via); via != nullptr; via = head.next(*via))
    vias += via->value.of(bytes);
  EXPECT_EQ(vias, "onetwothree");
  EXPECT_EQ(head.value(HeaderId::session_expires, bytes), "a");
  EXPECT_EQ(head.value(HeaderId::to, bytes).data(), nullptr);
}

TEST(SipHead, ReusedParserRemembersNothing) {
  HeadParser parser;
  ASSERT_EQ(parser.parse(start + basics + "Content-Length: x\r\n\r\n", {}), Progress::done);
  EXPECT_TRUE(parser.head().bad_content_length);
  parser.reset();
  const std::string second = "SIP/2.0 200 OK\n\n";
  ASSERT_EQ(parser.parse(second, {}), Progress::done);
  EXPECT_FALSE(parser.head().bad_content_length);
  EXPECT_TRUE(parser.head().line_feeds_alone);
  EXPECT_EQ(parser.head().method, Method::none);
  EXPECT_EQ(parser.head().first(HeaderId::via), nullptr);
}

TEST(SipHead, JudgingAllocatesNothing) {
  const std::string bytes = start + basics + "m: <sip:a@h>;x=\"y\", sip:c@d\r\n\r\n";
  const std::size_t before = tests::allocations;
  HeadParser parser;
  Essentials essentials;
  ASSERT_EQ(parser.parse(bytes, {}), Progress::done);
  const Verdict verdict = judge(parser.head(), bytes, {.stream = true, .body_bytes = 0}, essentials);
  EXPECT_EQ(tests::allocations, before);
  EXPECT_EQ(verdict.kind, Verdict::Kind::accept);
  EXPECT_EQ(essentials.from_tag, "1");
  EXPECT_EQ(essentials.to_tag.data(), nullptr);
  EXPECT_EQ(essentials.uri.host, "h");
}

TEST(SipHead, WhatIsWrittenHereIsReadBeforeItHasItsVia) {
  const std::string lines = basics.substr(basics.find("From:"));
  const auto read = [](const std::string& bytes, bool via_later, Essentials& essentials) {
    HeadParser parser;
    EXPECT_EQ(parser.parse(bytes, {}), Progress::done);
    const Verdict verdict = judge(parser.head(), bytes, {.via_later = via_later}, essentials);
    return std::string(verdict.kind == Verdict::Kind::accept ? "accept" : verdict.reason);
  };
  Essentials e;
  const std::string ours = start + lines + "Max-Forwards: 7\r\n\r\n";
  EXPECT_EQ(read(ours, true, e), "accept");
  EXPECT_EQ(std::string(e.from.uri) + " " + std::string(e.from_tag), "sip:a@h 1");
  EXPECT_EQ(std::string(e.to.uri) + " " + std::string(e.call_id), "sip:b@h 1");
  EXPECT_EQ(e.cseq.number, 1U);
  EXPECT_EQ(e.max_forwards, 7U);
  EXPECT_EQ(e.uri.user, "b");
  EXPECT_EQ(read(ours, false, e), "Bad Via") << "nobody else may lack it";
  EXPECT_EQ(e.from.uri, "");
  const std::string sent = start + basics + "\r\n";
  EXPECT_EQ(read(sent, true, e), "accept");
  EXPECT_EQ(e.via.host, "h") << "what has one is known by it";
  EXPECT_EQ(read(start + "Via: x\r\n" + lines + "\r\n", true, e), "Bad Via");
  EXPECT_EQ(read(start + "\r\n", true, e), "Missing From");
}

TEST(SipHead, LeadingLines) {
  EXPECT_EQ(leading_lines("\r\n\r\nX").bytes, 4U);
  EXPECT_EQ(leading_lines("\r\n\r\nX").lines, 2U);
  EXPECT_EQ(leading_lines("\r\n\r").bytes, 2U);
  EXPECT_EQ(leading_lines("\n\r\n").lines, 2U);
  EXPECT_EQ(leading_lines("\rX").bytes, 0U);
  EXPECT_EQ(leading_lines("").lines, 0U);
}

}  // namespace
}  // namespace parley::sip
