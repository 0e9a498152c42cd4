// tests/sip/sip_message.h - a message as a test writes it, read the way a server reads it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "sip/head.h"
#include "sip/verdict.h"

namespace parley::tests {

// Lines may end with LF alone in the text given; what is parsed has CRLF.
class SipMessage {
 public:
  explicit SipMessage(const std::string& text) {
    for (const char c : text) {
      if (c == '\n' && (bytes.empty() || bytes.back() != '\r')) bytes += '\r';
      bytes += c;
    }
    EXPECT_EQ(parser_.parse(bytes, {}), sip::Progress::done) << bytes;
    const sip::Verdict verdict = sip::judge(head(), bytes, {.stream = true}, essentials);
    EXPECT_EQ(verdict.kind, sip::Verdict::Kind::accept) << verdict.reason << '\n' << bytes;
  }
  SipMessage(const SipMessage&) = delete;
  SipMessage& operator=(const SipMessage&) = delete;

  [[nodiscard]] const sip::Head& head() const { return parser_.head(); }
  [[nodiscard]] std::string_view value(sip::HeaderId id) const { return head().value(id, bytes); }

  std::string bytes;
  sip::Essentials essentials;

 private:
  sip::HeadParser parser_;
};

}  // namespace parley::tests
