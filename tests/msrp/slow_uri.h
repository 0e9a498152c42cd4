// tests/msrp/slow_uri.h - a second reading of the MSRP-URI rule, cut by hand from the text and sharing nothing with
// msrp/.
#pragma once

#include <string>

namespace parley::tests {

struct SlowUri {
  bool ok = false;
  bool secure = false;
  std::string userinfo;
  std::string host;
  std::string port;  // as written
  std::string session_id;
  std::string transport;
};

SlowUri slow_uri(const std::string& text);

}  // namespace parley::tests
