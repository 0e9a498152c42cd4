// msrp/frame_text.h - writes MSRP heads, end-lines, responses and reports into memory the caller reserved.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/text_out.h"
#include "msrp/head.h"

namespace parley::msrp {

// *_bytes_max below are the sizes it must be given.
using core::TextOut;

// "Byte-Range: s-e/t\r\n" with '*' for unknown values.
inline constexpr std::size_t range_line_bytes_max = 12 + 20 + 1 + 20 + 1 + 20 + 2;
void put_range_line(TextOut& out, std::uint64_t start, std::uint64_t end, std::uint64_t total);

// "MSRP tid METHOD\r\n"
inline constexpr std::size_t start_line_bytes_max = 5 + 32 + 1;  // and the method's name and CRLF
void put_request_line(TextOut& out, std::string_view tid, std::string_view method);

// "\r\n-------tid$\r\n" behind a body; without the first CRLF for a bodiless frame.
inline constexpr std::size_t end_line_bytes_max = 2 + 7 + 32 + 1 + 2;
constexpr std::uint32_t end_line_bytes(std::uint32_t tid_size) { return 2 + 7 + tid_size + 1 + 2; }  // behind a body
void put_end_line(TextOut& out, std::string_view tid, Flag flag, bool after_body);

// What a SEND needs beside its paths, header lines and body.
inline constexpr std::size_t send_overhead_bytes = start_line_bytes_max + 6 + range_line_bytes_max + 2 + end_line_bytes_max;

// R4975-5: what a Byte-Range may not say. The end is a hint (T-59, T-61), but it may not contradict start or total.
[[nodiscard]] bool range_contradicts_itself(const ByteRange& range);

// What is known of the whole message once a chunk of `length` bytes has ended with `flag`.
std::uint64_t total_after(const ByteRange& range, std::uint64_t length, Flag flag);

// The comment that goes with a status code in start lines and Status headers.
std::string_view reason_phrase(std::uint16_t status);

}  // namespace parley::msrp
