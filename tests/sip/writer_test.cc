// tests/sip/writer_test.cc - heads we write: byte for byte, never longer than counted, and read back by ourselves.
#include "sip/writer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/msrp/allocations.h"
#include "tests/msrp/blocks.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using Kind = HeaderEdit::Kind;

struct Message {
  explicit Message(std::string text) : bytes(std::move(text)) {
    EXPECT_EQ(parser.parse(bytes, {}), Progress::done) << bytes;
    EXPECT_EQ(parser.head().error, HeadError::none) << bytes;
  }
  [[nodiscard]] const Head& head() const { return parser.head(); }
  std::string bytes;
  HeadParser parser;
};

// Writes into memory that ends where the count said.
template <class Put>
std::string written(std::uint32_t size, const Put& put) {
  GuardedPages pages(size);
  const std::string_view room = pages.put(std::string(size, '?'));
  core::TextOut out(const_cast<char*>(room.data()));
  put(out);
  EXPECT_EQ(out.size(), size);
  const Message again{std::string(room)};
  EXPECT_EQ(again.head().length, size);
  EXPECT_TRUE(again.head().has_content_length);
  return std::string(room);
}

std::string respond(const Message& request, const ResponseText& text) {
  return written(response_bytes(request.head(), request.bytes, text),
                 [&](core::TextOut& out) { put_response(out, request.head(), request.bytes, text); });
}

std::string forward(const Message& message, const ForwardText& text) {
  return written(forward_bytes(message.head(), message.bytes, text),
                 [&](core::TextOut& out) { put_forward(out, message.head(), message.bytes, text); });
}

const std::string request =
    "MESSAGE sip:bob@example.org SIP/2.0\r\n"
    "v: SIP/2.0/UDP a.example.com:5070;rport;branch=z9hG4bK1, SIP/2.0/TCP b.example.com;branch=z9hG4bK0\r\n"
    "Via: SIP/2.0/TCP c.example.com\r\n"
    "Max-Forwards: 70\r\n"
    "X-Odd:\ta  b\r\n"
    "To: <sip:bob@example.org>\r\n"
    "f: \"A\" <sip:alice@example.com>;tag=7\r\n"
    "Subject: one\r\n"
    " two\r\n"
    "Route: <sip:p1;lr>, <sip:p2;lr>\r\n"
    "Route: <sip:p3;lr>\r\n"
    "Record-Route: <sip:r1;lr>\r\n"
    "i: call@a\r\n"
    "CSeq: 1 MESSAGE\r\n"
    "x-odd: second\r\n"
    "Timestamp: 54\r\n"
    "l: 2\r\n"
    "\r\n";

TEST(Writer, ARequestOfOurs) {
  const std::vector<HeaderText> headers = {{HeaderId::via, "SIP/2.0/TCP h;branch=z9hG4bKx"},
                                           {HeaderId::max_forwards, "70"},
                                           {HeaderId::other, "x", "P-Com.Thing"}};
  const RequestText text{.method = "OPTIONS", .uri = "sip:example.org", .headers = headers, .body_bytes = 1234567};
  EXPECT_EQ(written(request_bytes(text), [&](core::TextOut& out) { put_request(out, text); }),
            "OPTIONS sip:example.org SIP/2.0\r\n"
            "Via: SIP/2.0/TCP h;branch=z9hG4bKx\r\n"
            "Max-Forwards: 70\r\n"
            "P-Com.Thing: x\r\n"
            "Content-Length: 1234567\r\n\r\n");
}

TEST(Writer, R3261_13_AResponseCopiesAndStamps) {
  const Message message(request);
  const std::vector<HeaderText> headers = {{HeaderId::server, "parley"}};
  EXPECT_EQ(
      respond(message,
              {.status = 404, .to_tag = "t9", .stamp = {.received = "2001:db8::1", .rport = 4711}, .headers = headers}),
      "SIP/2.0 404 Not Found\r\n"
      "Via: SIP/2.0/UDP a.example.com:5070;rport=4711;branch=z9hG4bK1;received=2001:db8::1, SIP/2.0/TCP "
      "b.example.com;branch=z9hG4bK0\r\n"
      "Via: SIP/2.0/TCP c.example.com\r\n"
      "From: \"A\" <sip:alice@example.com>;tag=7\r\n"
      "To: <sip:bob@example.org>;tag=t9\r\n"
      "Call-ID: call@a\r\n"
      "CSeq: 1 MESSAGE\r\n"
      "Server: parley\r\n"
      "Content-Length: 0\r\n\r\n");
}

TEST(Writer, R3261_13_WithoutAStampTheViaStaysAsItStands) {
  const std::string text = respond(Message(request), {.status = 100, .copy_timestamp = true});
  EXPECT_NE(text.find("Via: SIP/2.0/UDP a.example.com:5070;rport;branch=z9hG4bK1, SIP/2.0/TCP"), std::string::npos);
  EXPECT_NE(text.find("To: <sip:bob@example.org>\r\n"), std::string::npos);
  EXPECT_NE(text.find("Timestamp: 54\r\n"), std::string::npos);
  EXPECT_EQ(text.find("Record-Route"), std::string::npos);
}

TEST(Writer, ATagThatIsThereStaysAndRecordRouteIsCopiedWhenAsked) {
  std::string tagged = request;
  tagged.replace(tagged.find("To: <sip:bob@example.org>"), 25, "To: sip:bob@example.org;tag=old");
  const std::string text =
      respond(Message(tagged), {.status = 200, .reason = "Fine", .to_tag = "new", .copy_record_route = true});
  EXPECT_TRUE(text.starts_with("SIP/2.0 200 Fine\r\n"));
  EXPECT_NE(text.find("To: sip:bob@example.org;tag=old\r\n"), std::string::npos);
  EXPECT_NE(text.find("Record-Route: <sip:r1;lr>\r\n"), std::string::npos);
}

TEST(Writer, R3261_10_ForwardingKeepsAllInOrder) {
  const std::vector<HeaderEdit> edits = {
      {Kind::prepend, {HeaderId::via, "SIP/2.0/TLS p;branch=z9hG4bKp"}},
      {Kind::replace, {HeaderId::max_forwards, "69"}},
      {Kind::pop, {HeaderId::route}},
      {Kind::prepend, {HeaderId::record_route, "<sip:p;lr>"}},
      {Kind::append, {HeaderId::p_asserted_identity, "<sip:alice@example.com>"}},
  };
  EXPECT_EQ(forward(Message(request),
                    {.uri = "sip:bob@192.0.2.4", .stamp = {.received = "192.0.2.1"}, .edits = edits, .body_bytes = 2}),
            "MESSAGE sip:bob@192.0.2.4 SIP/2.0\r\n"
            "Via: SIP/2.0/TLS p;branch=z9hG4bKp\r\n"
            "v: SIP/2.0/UDP a.example.com:5070;rport;branch=z9hG4bK1;received=192.0.2.1, SIP/2.0/TCP "
            "b.example.com;branch=z9hG4bK0\r\n"
            "Via: SIP/2.0/TCP c.example.com\r\n"
            "Max-Forwards: 69\r\n"
            "X-Odd: a  b\r\n"
            "To: <sip:bob@example.org>\r\n"
            "f: \"A\" <sip:alice@example.com>;tag=7\r\n"
            "Subject: one two\r\n"
            "Route: <sip:p2;lr>\r\n"
            "Route: <sip:p3;lr>\r\n"
            "Record-Route: <sip:p;lr>\r\n"
            "Record-Route: <sip:r1;lr>\r\n"
            "i: call@a\r\n"
            "CSeq: 1 MESSAGE\r\n"
            "x-odd: second\r\n"
            "Timestamp: 54\r\n"
            "P-Asserted-Identity: <sip:alice@example.com>\r\n"
            "Content-Length: 2\r\n\r\n");
}

TEST(Writer, ReplaceRemoveAndPrependByAnyName) {
  const std::vector<HeaderEdit> edits = {
      {Kind::replace, {HeaderId::other, "new", "X-ODD"}},
      {Kind::remove, {HeaderId::route}},
      {Kind::remove, {HeaderId::other, "", "Absent"}},
      {Kind::replace, {HeaderId::expires, "60"}},
      {Kind::prepend, {HeaderId::path, "<sip:p;lr>"}},
      {Kind::prepend, {HeaderId::other, "first", "x-odd"}},
      {Kind::pop, {HeaderId::via}},
  };
  const std::string text = forward(Message(request), {.edits = edits});
  EXPECT_TRUE(
      text.starts_with("MESSAGE sip:bob@example.org SIP/2.0\r\nPath: <sip:p;lr>\r\n"
                       "v: SIP/2.0/TCP b.example.com;branch=z9hG4bK0\r\nVia: SIP/2.0/TCP c.example.com\r\n"))
      << text;
  EXPECT_NE(text.find("x-odd: first\r\nX-Odd: new\r\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("second"), std::string::npos);
  EXPECT_EQ(text.find("Route: <sip:p"), std::string::npos);
  EXPECT_TRUE(text.ends_with("Timestamp: 54\r\nExpires: 60\r\nContent-Length: 0\r\n\r\n"));
}

TEST(Writer, AResponseGoesOnWithoutOurVia) {
  const Message message(
      "SIP/2.0 486 Busy  Here\r\nVia: SIP/2.0/TCP p;branch=z9hG4bKp\r\nVia: SIP/2.0/UDP a\r\nTo: sip:b;tag=1\r\n"
      "Content-Length: 10\r\n\r\n");
  const std::vector<HeaderEdit> edits = {{Kind::pop, {HeaderId::via}}};
  EXPECT_EQ(forward(message, {.edits = edits, .body_bytes = 10}),
            "SIP/2.0 486 Busy  Here\r\nVia: SIP/2.0/UDP a\r\nTo: sip:b;tag=1\r\nContent-Length: 10\r\n\r\n");
}

TEST(Writer, T_12_FoldsWithLineFeedAloneDoNotGoOn) {
  const Message message("BYE sip:a SIP/2.0\nSubject: a\n \n\tb\nVia: SIP/2.0/UDP h\n ;rport\nContent-Length:0\n\n");
  const std::string text = forward(message, {.stamp = {.rport = 9}});
  EXPECT_NE(text.find("Subject: a b\r\n"), std::string::npos) << text;
  EXPECT_NE(text.find("Via: SIP/2.0/UDP h;rport=9\r\n"), std::string::npos) << text;
}

TEST(Writer, AValueCannotBeginALineOfItsOwn) {
  const std::vector<HeaderText> headers = {{HeaderId::subject, "x\r\nInjected: y\r\n\r\nbody\n"}};
  const RequestText text{.method = "INFO", .uri = "sip:a", .headers = headers};
  EXPECT_EQ(written(request_bytes(text), [&](core::TextOut& out) { put_request(out, text); }),
            "INFO sip:a SIP/2.0\r\nSubject: x Injected: y body\r\nContent-Length: 0\r\n\r\n");
}

TEST(Writer, WritingAllocatesNothing) {
  const Message message(request);
  const std::vector<HeaderEdit> edits = {{Kind::pop, {HeaderId::route}}};
  std::string room(4096, ' ');
  const ForwardText text{.edits = edits};
  const std::size_t before = allocations;
  core::TextOut out(room.data());
  put_forward(out, message.head(), message.bytes, text);
  EXPECT_EQ(forward_bytes(message.head(), message.bytes, text), out.size());
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace parley::tests
