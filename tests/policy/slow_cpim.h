// tests/policy/slow_cpim.h - a second reader of message/cpim heads that shares nothing with the first: whole lines,
// copies, one pass for each question.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace parley::tests {

struct SlowCpim {
  std::size_t headers_length = 0;
  std::size_t length = 0;
  std::size_t headers = 0;  // of the first block
  std::string from, to, from_line;
  int from_count = 0, to_count = 0, cc_count = 0;
  std::string date_time, content_type, imdn_message_id, disposition_notification;
};

// Nothing when the whole message has no head that can be read.
[[nodiscard]] std::optional<SlowCpim> slow_cpim(std::string_view message);

}  // namespace parley::tests
