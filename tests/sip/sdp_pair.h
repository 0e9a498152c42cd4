// tests/sip/sdp_pair.h - a description and its text, for tests of what compares two of them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "sip/sdp.h"

namespace parley::tests {

struct ReadSdp {
  explicit ReadSdp(std::string bytes) : text(std::move(bytes)) { EXPECT_TRUE(parse_sdp(text, {}, sdp).ok()) << text; }
  std::string text;
  sip::Sdp sdp;
};

// `sections` behind a usual session part, with this o= version.
inline ReadSdp sdp_with(const std::string& sections, const std::string& version = "1") {
  return ReadSdp("v=0\r\no=- 7 " + version + " IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" + sections);
}

}  // namespace parley::tests
