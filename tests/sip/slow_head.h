// tests/sip/slow_head.h - reads a SIP head a second time, by splitting lines: slow, and with nothing in common with the
// parser it is compared with.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace parley::tests {

struct SlowSipHead {
  enum class Outcome { need_more, done, not_sip } outcome = Outcome::need_more;
  std::size_t length = 0;
  std::string error = "none";  // as to_string(HeadError) has it; limits are not looked at
  std::string method;          // requests in good form
  std::string uri;
  int status = 0;  // responses in good form
  std::vector<std::pair<std::string, std::string>> headers;
};

SlowSipHead slow_sip_head(const std::string& bytes);

}  // namespace parley::tests
