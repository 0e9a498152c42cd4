// tests/sim/sip/message_test.cc - the simulator's own reader of SIP: what it must complain about, or nobody would.
#include "tests/sim/sip/message.h"

#include <gtest/gtest.h>

#include <string>

namespace parley::sim::sip {
namespace {

const std::string good =
    "MESSAGE sip:bob@127.0.0.2:5070 SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKone\r\n"
    "Via: SIP/2.0/TCP 127.0.0.3:6000;branch=z9hG4bKtwo;rport=6000;received=127.0.0.3\r\n"
    "Max-Forwards: 69\r\n"
    "From: \"A, B\" <sip:alice@example.org>;tag=1\r\n"
    "To: <sip:bob@example.org>\r\n"
    "Call-ID: c\r\n"
    "CSeq: 7 MESSAGE\r\n"
    "Record-Route: <sip:a@127.0.0.1:5060;lr>, <sip:b@127.0.0.1:5060;transport=tcp;lr>\r\n"
    "Content-Length: 5\r\n\r\nhello";

std::string with(const std::string& from, const std::string& to) {
  std::string text = good;
  text.replace(text.find(from), from.size(), to);
  return text;
}
std::string complaint(const std::string& text) {
  Message m;
  return read(text, m);
}

TEST(SimMessage, ReadsWhatIsGood) {
  Message m;
  EXPECT_EQ(read(good, m), "");
  EXPECT_EQ(m.values("Via").size(), 2U);
  EXPECT_EQ(m.values("Record-Route").at(1), "<sip:b@127.0.0.1:5060;transport=tcp;lr>");
  EXPECT_EQ(branch_of(m), "z9hG4bKone");
  EXPECT_EQ(cseq_number(m), 7U);
  EXPECT_EQ(tag_of(m.value("From")), "1");
  EXPECT_EQ(m.body, "hello");
  EXPECT_EQ(without_parameter(m.values("Via").at(1), "received"),
            "SIP/2.0/TCP 127.0.0.3:6000;branch=z9hG4bKtwo;rport=6000");
  UriParts uri;
  ASSERT_TRUE(read_uri("sip:b@127.0.0.1:5070;transport=tcp;lr", uri));
  EXPECT_EQ(uri.user + uri.host + uri.transport + std::to_string(uri.port), "b127.0.0.1tcp5070");
  EXPECT_TRUE(uri.lr);
  Message again;
  EXPECT_EQ(read(write(m), again), "");
  EXPECT_EQ(again.fields, m.fields);
}

TEST(SimMessage, ComplainsAboutTheRest) {
  const std::pair<const char*, const char*> wrong[] = {
      {"MESSAGE sip", "MESSAGE  sip"},
      {"SIP/2.0\r\n", "SIP/2.1\r\n"},
      {"Max-Forwards: 69", "Max-Forwards:69"},
      {"Max-Forwards: 69", "Max-Forwards: 69 "},
      {"Max-Forwards: 69", "Max-Forwards: 269"},
      {"Max-Forwards: 69\r\n", ""},
      {"Call-ID: c\r\n", ""},
      {"Call-ID: c\r\n", "Call-ID: c\r\nCall-ID: c\r\n"},
      {"Call-ID: c\r\n", "i: c\r\n"},
      {"Call-ID: c\r\n", "Call-ID: \x01\r\n"},
      {"7 MESSAGE", "7 INVITE"},
      {"7 MESSAGE", "x MESSAGE"},
      {"branch=z9hG4bKone", "branch=one"},
      {"SIP/2.0/UDP", "SIP/2.0/UTP"},
      {"127.0.0.1:5060;branch", "127.0.0.1:;branch"},
      {">;tag=1", ">"},
      {">;tag=1", ">;tag="},
      {"<sip:bob@example.org>", "<bob@example.org>"},
      {"Content-Length: 5", "Content-Length: 4"},
      {"Content-Length: 5", "Content-Length: 6"},
      {"Content-Length: 5\r\n", ""},
  };
  for (const auto& [from, to] : wrong) EXPECT_NE(complaint(with(from, to)), "") << from << " -> " << to;
  EXPECT_NE(complaint("SIP/2.0 200\r\n" + good.substr(good.find("Via"))), "") << "no reason phrase";
}

TEST(SimMessage, FindsMessagesInAStream) {
  std::size_t skip = 0;
  std::string wrong;
  const std::string two = "\r\n\r\n" + good + good;
  EXPECT_EQ(first_message(two, skip, wrong), good.size());
  EXPECT_EQ(skip, 4U);
  for (std::size_t cut = 0; cut < good.size(); ++cut) EXPECT_EQ(first_message(good.substr(0, cut), skip, wrong), 0U);
  EXPECT_EQ(wrong, "");
  EXPECT_EQ(first_message(with("Content-Length: 5\r\n", ""), skip, wrong), 0U);
  EXPECT_NE(wrong, "");
}

}  // namespace
}  // namespace parley::sim::sip
