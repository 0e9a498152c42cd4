// msrp/frame_text.h - writes MSRP heads, end-lines, responses and reports into memory the caller reserved.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "msrp/head.h"

namespace parley::msrp {

// Appends to memory whose size the caller has computed; nothing is checked here, *_bytes_max below are the sizes.
class TextOut {
 public:
  explicit TextOut(char* at) : begin_(at), at_(at) {}
  TextOut& put(std::string_view text) {
    if (text.empty()) return *this;  // an empty view may point nowhere, which memcpy must not see
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }
  TextOut& put(char c) {
    *at_++ = c;
    return *this;
  }
  TextOut& number(std::uint64_t value) {
    at_ = std::to_chars(at_, at_ + 20, value).ptr;
    return *this;
  }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(at_ - begin_); }

 private:
  char* begin_;
  char* at_;
};

// "Byte-Range: s-e/t\r\n" with '*' for unknown values.
inline constexpr std::size_t range_line_bytes_max = 12 + 20 + 1 + 20 + 1 + 20 + 2;
void put_range_line(TextOut& out, std::uint64_t start, std::uint64_t end, std::uint64_t total);

// "MSRP tid METHOD\r\n"
inline constexpr std::size_t start_line_bytes_max = 5 + 32 + 1;  // and the method's name and CRLF
void put_request_line(TextOut& out, std::string_view tid, std::string_view method);

// "\r\n-------tid$\r\n" behind a body; without the first CRLF for a bodiless frame.
inline constexpr std::size_t end_line_bytes_max = 2 + 7 + 32 + 1 + 2;
void put_end_line(TextOut& out, std::string_view tid, Flag flag, bool after_body);

// What a SEND needs beside its paths, header lines and body.
inline constexpr std::size_t send_overhead_bytes = start_line_bytes_max + 6 + range_line_bytes_max + 2 + end_line_bytes_max;

// What is known of the whole message once a chunk of `length` bytes has ended with `flag`.
std::uint64_t total_after(const ByteRange& range, std::uint64_t length, Flag flag);

// The comment that goes with a status code in start lines and Status headers.
std::string_view reason_phrase(std::uint16_t status);

}  // namespace parley::msrp
