// sip/cseq.h - CSeq, Call-ID and plain numbers in header values (RFC 3261 section 25.1).
#pragma once

#include <cstdint>
#include <string_view>

#include "sip/head.h"

namespace parley::sip {

struct CSeq {
  std::uint32_t number = 0;
  Method method = Method::other;
  std::string_view method_name;
};

inline constexpr std::uint32_t cseq_max = (std::uint32_t{1} << 31) - 1;  // RFC 3261 section 8.1.1.5

// False also for a number above cseq_max.
[[nodiscard]] bool parse_cseq(std::string_view value, CSeq& cseq);

// word ["@" word]
[[nodiscard]] bool valid_call_id(std::string_view value);

// 1*DIGIT up to `max`, leading zeros allowed (T-12).
[[nodiscard]] bool parse_number(std::string_view value, std::uint64_t max, std::uint64_t& number);

}  // namespace parley::sip
