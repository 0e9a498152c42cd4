// sip/head.h - the head of a SIP request or response as offsets (RFC 3261 section 7).
//
//   INVITE sip:bob@example.com SIP/2.0 CRLF     start line: method and URI, or status and reason
//   Via: SIP/2.0/TCP a.example.com CRLF      |
//   Subject: two CRLF                        |   headers, in their order; a value may be folded over lines
//     lines CRLF                             |
//   CRLF                                         length ends here
//
// Every Span counts from the first byte of the start line, so the bytes may move between reads. Parsing needs no memory
// beyond this struct. What a value means is left to its reader (via.h, address.h, ...), which runs when it is asked
// for.
//
// A bad line does not stop the parser where the next one can still be found: a 400 needs the Via and the rest. Which
// answer a message deserves is said by verdict.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/text.h"
#include "sip/header_id.h"

namespace parley::sip {

using core::Span;

enum class Method : std::uint8_t {
  none,  // a response
  ack,
  bye,
  cancel,
  info,
  invite,
  message,
  notify,
  options,
  prack,
  publish,
  refer,
  register_,
  subscribe,
  update,
  other,
};
// Methods are case-sensitive and have no escapes.
[[nodiscard]] Method method_of(std::string_view name);

inline constexpr std::size_t headers_limit = 200;  // room in a Head; HeadLimits may set less

struct Header {
  HeaderId id = HeaderId::other;
  std::uint8_t next = 0;  // index of the next header with this id, 0 when this is the last one
  Span name;
  Span value;  // without white space and folds around it; may be empty
};

// What is wrong with a head. Only the last three keep it from being read to its end.
enum class HeadError : std::uint8_t {
  none,
  header_line,   // no name, no colon, or a control character
  request_line,  // a request for sure, but not in the form of one
  version,       // a request of another SIP version
  status_line,   // a response in bad form or of another version
  cut_short,     // a datagram that ends within its head
  not_sip,       // a first line that is neither
  too_long,
  too_many_headers,
};
[[nodiscard]] std::string_view to_string(HeadError error);

struct Head {
  std::uint32_t length = 0;  // bytes up to the body
  HeadError error = HeadError::none;
  Method method = Method::none;
  std::uint16_t status = 0;  // responses
  Span method_name;
  Span uri;
  Span reason;  // responses, may be empty

  // Content-Length: the number, when there is one and it can be believed.
  bool has_content_length = false;
  bool bad_content_length = false;  // no number, too large, or two different ones
  std::uint32_t content_length = 0;
  bool line_feeds_alone = false;  // some line ended with LF instead of CRLF (T-12)

  std::uint8_t header_count = 0;
  std::array<Header, headers_limit> headers;        // of which header_count are valid
  std::array<std::uint8_t, header_ids + 1> firsts;  // 1 + index of the first header of each id, 0 when absent

  [[nodiscard]] bool request() const { return method != Method::none; }
  // The first header of that kind and the one after `header`, or null.
  [[nodiscard]] const Header* first(HeaderId id) const {
    const std::uint8_t index = firsts[static_cast<std::size_t>(id)];
    return index == 0 ? nullptr : &headers[index - std::size_t{1}];
  }
  [[nodiscard]] const Header* next(const Header& header) const {
    return header.next == 0 ? nullptr : &headers[header.next];
  }
  // The first value of that kind; null data when absent, not null and empty for an empty header.
  [[nodiscard]] std::string_view value(HeaderId id, std::string_view bytes) const {
    const Header* const header = first(id);
    return header == nullptr ? std::string_view{} : header->value.of(bytes);
  }
};

struct HeadLimits {
  std::uint32_t head_bytes_max = 64 * 1024;   // as much as a datagram holds
  std::uint16_t headers_max = headers_limit;  // at most headers_limit
};
inline constexpr std::uint32_t content_length_max = (std::uint32_t{1} << 31) - 1;

enum class Progress : std::uint8_t { done, need_more, bad };

// Resumable: survives a cut at any byte without reading a byte twice. About 4 KiB; a connection needs one only between
// the first byte of a head and its last.
class HeadParser {
 public:
  HeadParser() { reset(); }
  void reset();

  // `bytes` is everything received of this message so far, from its first byte; it may hold more than the head. After
  // need_more, call again with the same bytes and more behind them (at another address if need be). bad: the end of the
  // head was not found and will not be. After done or bad, reset() before the next message.
  [[nodiscard]] Progress parse(std::string_view bytes, const HeadLimits& limits);

  // After need_more, when nothing more can come: `bytes` is a whole datagram. What was read becomes its head, with an
  // error; bad when not even the start line is there.
  [[nodiscard]] Progress end_of_datagram(std::string_view bytes, const HeadLimits& limits);

  [[nodiscard]] const Head& head() const { return head_; }
  // The first error's place.
  [[nodiscard]] std::uint32_t error_offset() const { return error_at_; }

 private:
  void note(HeadError error, std::uint32_t at);
  [[nodiscard]] bool fail(HeadError error, std::uint32_t at);
  void keep_method(const char* bytes, std::uint32_t end);
  void keep_version(const char* bytes, std::uint32_t end);
  [[nodiscard]] bool bad_start(const char* bytes, std::uint32_t lf);
  [[nodiscard]] static bool escaped(const char* bytes, std::uint32_t at);
  void end_line(const char* bytes, std::uint32_t lf);
  [[nodiscard]] bool keep_header(const char* bytes, const HeadLimits& limits);
  void keep_content_length(std::string_view value);

  int state_ = 0;
  std::uint32_t at_ = 0;         // next byte to read
  std::uint32_t mark_ = 0;       // start of the element being read
  std::uint32_t name_end_ = 0;   // of the header being read
  std::uint32_t value_ = 0;      // where its value starts, and
  std::uint32_t value_end_ = 0;  // where its last line ends
  std::uint32_t error_at_ = 0;
  bool line_bad_ = false;
  bool line_whole_ = false;  // its line end was read; it is kept when the next line turns out to be no fold
  bool done_ = false;
  bool stopped_ = false;
  std::array<std::uint8_t, header_ids + 1> lasts_;  // as firsts, for the last header of each id
  Head head_;
};

// CRLFs that stand before a message: keep-alives on streams (RFC 5626 section 3.5.1), padding in datagrams. A CR at the
// end is left for the next read.
struct LeadingLines {
  std::size_t bytes = 0;
  std::size_t lines = 0;
};
[[nodiscard]] LeadingLines leading_lines(std::string_view bytes);

}  // namespace parley::sip
