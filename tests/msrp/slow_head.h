// tests/msrp/slow_head.h - a second reading of the head grammar (RFC 4975 section 9), sharing no code with msrp/.
//
// One character at a time with a cursor and std::string, written from the ABNF; slow and plain on purpose.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace parley::tests {

struct SlowHead {
  enum class Outcome { done, need_more, bad } outcome = Outcome::need_more;
  std::string error;         // when bad: the name of the HeadError
  bool inside_path = false;  // the input stopped in a path, which is judged only when it is whole

  std::size_t length = 0;
  bool response = false;
  std::string tid, method, comment, to_path, from_path, headers;
  int status = 0;
  std::map<std::string, std::vector<std::string>> values;  // by lower-case name, in order
  std::string range_line;
  std::uint64_t range[3] = {1, ~0ULL, ~0ULL};
  bool has_body = false;
  char flag = '$';
};

SlowHead slow_head(const std::string& bytes, std::size_t bytes_max, std::size_t headers_max);

}  // namespace parley::tests
