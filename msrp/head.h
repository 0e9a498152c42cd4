// msrp/head.h - the head of an MSRP request or response as offsets (RFC 4975 section 9).
//
//   MSRP a786hjs2 SEND CRLF                          start line: tid, method or status
//   To-Path: msrp://... msrp://... CRLF              to_path    (the value)
//   From-Path: msrp://... CRLF                       from_path  (the value)
//   Message-ID: 87652491 CRLF                   |
//   Byte-Range: 1-25/25 CRLF                     |   headers    (all lines after From-Path, with their CRLFs)
//   Content-Type: text/plain CRLF               |
//   CRLF                                             only when a body follows; length ends here
//   -------a786hjs2$ CRLF                            bodiless: the end-line is part of the head; length ends here
//
// Every Span counts from the first byte of the start line, so the bytes may move between reads. Parsing needs no
// memory beyond this struct. Limits are the caller's (`HeadLimits`); nothing here grows.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/text.h"

namespace parley::msrp {

using core::Span;

enum class Method : std::uint8_t { response, send, report, auth, nickname, other };
enum class FailureReport : std::uint8_t { yes, no, partial };  // absent means yes (R4975-8)
enum class Flag : char { more = '+', end = '$', abort = '#' };

// Byte-Range: start-end/total. `unknown` stands for '*'.
struct ByteRange {
  static constexpr std::uint64_t unknown = ~std::uint64_t{0};
  std::uint64_t start = 1;
  std::uint64_t end = unknown;
  std::uint64_t total = unknown;
};

struct Head {
  std::uint32_t length = 0;  // bytes up to the body, or the whole frame when it has no body
  Method method = Method::response;
  std::uint16_t status = 0;  // responses: 3 digits
  Span tid;
  Span method_name;  // requests
  Span comment;      // responses, may be empty
  Span to_path;
  Span from_path;
  Span headers;

  // Known headers: the value's Span without white space around it, not present() when absent or empty. A second
  // occurrence is a bad head. Message-ID is checked (1 to 128 visible characters) and Byte-Range is; the others are
  // text.
  Span message_id;
  Span byte_range;
  Span success_report;
  Span failure_report;
  Span report_status;  // "Status:"
  Span content_type;
  Span expires;
  Span min_expires;
  Span max_expires;
  Span use_path;
  Span authorization;
  Span authentication_info;
  Span use_nickname;
  static constexpr std::uint8_t www_authenticate_max = 4;
  Span www_authenticate[www_authenticate_max];  // one per algorithm is usual; further ones stay in `headers` only
  std::uint8_t www_authenticate_count = 0;
  std::uint16_t header_count = 0;  // lines after From-Path

  Span byte_range_line;  // the whole line with CRLF: what a relay replaces when it re-chunks
  bool has_range = false;
  ByteRange range;
  FailureReport failure = FailureReport::yes;
  bool success = false;  // Success-Report: yes
  bool has_body = false;
  Flag flag = Flag::end;  // bodiless only; with a body the flag comes at its end
  bool paths_from_memo = false;
};

enum class HeadError : std::uint8_t {
  none,
  start_line,     // not MSRP, bad transaction id or method
  tid_length,     // transaction id shorter than 4 or longer than 32: no legal response can be built (T-66)
  path,           // To-Path / From-Path missing, misplaced, not URIs, too many or too long ones
  header_syntax,  // includes folding (R4976-15), control characters and an unusable Message-ID
  duplicate,      // a header that may stand once stands twice
  byte_range,     // not 1*DIGIT "-" (1*DIGIT / "*") "/" (1*DIGIT / "*"), or past 2^63-1
  content_type,   // a header after Content-Type, MIME headers without a body, a body without Content-Type
  end_line,       // bodiless frame whose end-line does not carry the transaction id
  too_long,
  too_many_headers,
};
std::string_view to_string(HeadError error);

struct HeadLimits {
  std::uint32_t head_bytes_max = 16 * 1024;  // a whole head, end-line included when there is no body
  std::uint16_t headers_max = 64;            // lines after From-Path; RFC 4975 and 4976 define 15 of them
};

// Limits of the grammar itself, not for the operator to move.
inline constexpr std::uint32_t tid_bytes_min = 4;  // RFC 4975 section 9, `ident`
inline constexpr std::uint32_t tid_bytes_max = 32;
inline constexpr std::uint32_t message_id_bytes_max = 128;  // `ident` allows 32; real clients send UUIDs and more
inline constexpr std::uint32_t uri_bytes_max = 512;         // a 255-byte host name and as much again
inline constexpr std::uint32_t path_uris_max = 8;           // two ends and six relays

// Paths that came before on this connection. When the To-Path value starts with exactly these bytes, the grammar
// machine jumps over both lines: a session repeats them in every request.
struct PathMemo {
  std::string_view bytes;  // To-Path value CRLF "From-Path: " value CRLF
  std::uint32_t to_path_length = 0;
  std::uint32_t from_path_length = 0;
};

enum class Progress : std::uint8_t { done, need_more, bad };

// Resumable: survives a cut at any byte without reading a byte twice.
class HeadParser {
 public:
  // Which known header the line being read holds.
  enum class Field : std::uint8_t {
    unknown,
    path,  // To-Path or From-Path again
    mime,  // Content-ID and the like: goes with a body only
    message_id,
    byte_range,
    success_report,
    failure_report,
    report_status,
    content_type,
    expires,
    min_expires,
    max_expires,
    use_path,
    authorization,
    authentication_info,
    use_nickname,
    www_authenticate,
  };

  HeadParser();
  void reset();

  // `bytes` is everything received of this frame so far, from its first byte; it may hold more than the head. After
  // need_more, call again with the same bytes and more behind them (at another address if need be); `memo` may only be
  // given on the first call for a frame. After done or bad, reset() before the next frame.
  [[nodiscard]] Progress parse(std::string_view bytes, const HeadLimits& limits, const PathMemo* memo);

  [[nodiscard]] const Head& head() const { return head_; }
  // After bad.
  [[nodiscard]] HeadError error() const { return error_; }
  [[nodiscard]] std::uint32_t error_offset() const { return at_; }
  // The start line is good and whole: where the frame ends can be found by its transaction id.
  [[nodiscard]] bool framed() const { return expect_ != HeadError::start_line; }

 private:
  constexpr explicit HeadParser(int start) : state_(start) {}
  [[nodiscard]] bool fail(HeadError error);
  [[nodiscard]] bool keep_tid(std::uint32_t end);
  [[nodiscard]] bool keep_uri(std::uint32_t end);
  void keep_usual_send(std::uint32_t method, std::uint32_t to_path);
  void keep_memo(const PathMemo& memo, std::uint32_t value);
  void keep_paths(std::uint32_t next);
  void keep_name(const char* bytes, std::uint32_t colon);
  [[nodiscard]] std::uint32_t usual_name(const unsigned char* p, const unsigned char* end);
  [[nodiscard]] const unsigned char* add_digits(const unsigned char* p, const unsigned char* end);
  [[nodiscard]] bool keep_header(const char* bytes, std::uint32_t lf, const HeadLimits& limits);
  [[nodiscard]] bool keep_once(Span& span, Span value);
  [[nodiscard]] bool end_line_byte(const char* bytes, std::uint32_t position);
  [[nodiscard]] bool end_line_whole(std::uint32_t position);
  [[nodiscard]] bool keep_body(std::uint32_t lf);
  void finish(std::uint32_t next);

  int state_ = 0;
  std::uint32_t at_ = 0;      // next byte to read
  std::uint32_t mark_ = 0;    // start of the element being read
  std::uint32_t line_ = 0;    // start of the header line being read
  std::uint64_t number_ = 0;  // the number being read; in a path, its URIs so far
  HeadError error_ = HeadError::none;
  HeadError expect_ = HeadError::start_line;  // what a byte that the grammar does not allow here means
  Field field_ = Field::unknown;
  bool mime_ = false;  // a header that goes with a body was seen
  bool done_ = false;
  Head head_;
};

}  // namespace parley::msrp
