// tests/policy/own_message_test.cc - what a MESSAGE that is written here says, line by line (RFC 3261 section 8.1.1).
#include "policy/own_message.h"

#include <gtest/gtest.h>

namespace parley::policy {
namespace {

using sip::HeaderId;

TEST(OwnMessage, RFC3261_8_1_1_OpensWithItsLinesInOrderAndEndsWithThoseOfItsFunction) {
  OwnMessage message;
  message.begin({.uri = "sip:bob@example.org",
                 .from = "<sip:us@example.org>",
                 .from_tag = 1,
                 .call_id = "id@example.org",
                 .user_agent = "IM-serv/OMA1.0",
                 .asserted = "<sip:us@example.org>"});
  message.add(HeaderId::content_type, "text/plain");
  Errand errand;
  message.put("hi", errand);
  EXPECT_EQ(errand.text,
            "MESSAGE sip:bob@example.org SIP/2.0\r\nMax-Forwards: 70\r\nFrom: <sip:us@example.org>;tag=aaaaaaaabaaaaaaa\r\n"
            "To: <sip:bob@example.org>\r\nCall-ID: id@example.org\r\nCSeq: 1 MESSAGE\r\nUser-Agent: IM-serv/OMA1.0\r\n"
            "P-Asserted-Identity: <sip:us@example.org>\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(errand.method, sip::Method::message);
  EXPECT_FALSE(errand.in_dialog);
  EXPECT_TRUE(errand.from_trusted);
}

TEST(OwnMessage, OMA_DEF_8_WhatWasStoredIsFromWhomItCame) {
  OwnMessage message;
  const OwnMessage::Opening opening{.uri = "tel:+1555",
                                    .from_tag = 2,
                                    .call_id = "id",
                                    .cseq = 3,
                                    .user_agent = "x",
                                    .asserted = "<sip:us@example.org>"};
  const std::string opened = "Max-Forwards: 70\r\nTo: <tel:+1555>\r\nCall-ID: id\r\nCSeq: 3 MESSAGE\r\nUser-Agent: x\r\n"
                             "P-Asserted-Identity: <sip:us@example.org>\r\n";
  Errand errand;
  message.begin(opening);
  message.add(HeaderId::subject, "gone");
  for (const std::string from : {"\"A\" <sip:alice@example.org>", "<sip:carol@example.org>"}) {
    message.begin(opening);
    const std::string stored = "From: " + from + "\r\nX-Own: 1\r\n";
    message.add_stored(stored);
    message.put({}, errand);
    EXPECT_EQ(errand.text, "MESSAGE tel:+1555 SIP/2.0\r\n" + opened + "From: " + from +
                               ";tag=aaaaaaaacaaaaaaa\r\nX-Own: 1\r\nContent-Length: 0\r\n\r\n");
  }
}

}  // namespace
}  // namespace parley::policy
