// tests/sip/parsed.h - a message written in a test, read to its end.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "sip/head.h"
#include "sip/verdict.h"

namespace parley::tests {

// Of whatever verdict. Lines may end with LF alone. An empty line is added when there is none.
class Parsed {
 public:
  explicit Parsed(std::string_view text) {
    for (const char c : text) {
      if (c == '\n' && !bytes_.ends_with('\r')) bytes_.push_back('\r');
      bytes_.push_back(c);
    }
    if (bytes_.find("\r\n\r\n") == std::string::npos) bytes_.append("\r\n");
    EXPECT_EQ(parser_.parse(bytes_, {}), sip::Progress::done) << bytes_;
    verdict_ = sip::judge(head(), bytes_, {.stream = true}, essentials_);
  }
  Parsed(const Parsed&) = delete;
  Parsed& operator=(const Parsed&) = delete;

  [[nodiscard]] const sip::Head& head() const { return parser_.head(); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] const sip::Essentials& essentials() const { return essentials_; }
  [[nodiscard]] const sip::Verdict& verdict() const { return verdict_; }

 private:
  std::string bytes_;
  sip::HeadParser parser_;
  sip::Essentials essentials_;
  sip::Verdict verdict_;
};

}  // namespace parley::tests
