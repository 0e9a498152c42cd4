// policy/cpim.h - message/cpim (RFC 3862) with the headers of RFC 5438, as offsets into the message; R3862-1, R3862-2,
// R3862-6.
//
//   From: Alice <sip:alice@example.com> CRLF      from, from_uri, from_line   |
//   To: <sip:room@example.com> CRLF               to, to_uri                  |  message headers
//   NS: imdn <urn:ietf:params:imdn> CRLF                                      |
//   imdn.Message-ID: 34jk324j CRLF                imdn_message_id             |
//   CRLF                                          headers_length ends here
//   Content-Type: text/plain CRLF                 content_type                |  headers of the content
//   CRLF                                          length ends here
//   Hello
//
// Reading is tolerant (T-78, T-79): LF alone, names in any case, white space, no Content-Type, no blank line between
// the two blocks or behind the second, `imdn.` without NS. Nothing that passes is ever rewritten but a From line, by
// the room, where an alias asks for it. Parsing needs no memory beyond this struct.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/text.h"

namespace parley::policy {

using core::Span;

struct CpimHead {
  std::uint32_t length = 0;          // bytes up to the content
  std::uint32_t headers_length = 0;  // up to the headers of the content
  std::uint16_t header_count = 0;

  // Values without white space around them; of headers that stand more than once, the first. Not present() when absent.
  Span from;
  Span from_line;  // with its line end: what is replaced where an alias is shown
  Span from_uri;   // without the angle brackets
  Span to;
  Span to_uri;
  std::uint16_t from_count = 0;
  std::uint16_t to_count = 0;
  std::uint16_t cc_count = 0;
  Span date_time;
  Span subject;
  bool requires_unknown = false;  // a Require names what is not known here

  // urn:ietf:params:imdn, whatever its prefix is.
  Span imdn_message_id;
  Span disposition_notification;
  Span original_to;
  Span imdn_record_route;

  // Of the content.
  Span content_type;  // absent: text/plain is meant (T-78)
  Span content_disposition;
  Span content_transfer_encoding;
};

enum class CpimError : std::uint8_t {
  none,
  header_syntax,     // a line of the first block is no header, or holds a control character
  too_many_headers,  // more than cpim_headers_max
  too_long,
  cut,  // the message ends before its first blank line
};
[[nodiscard]] std::string_view to_string(CpimError error);

inline constexpr std::uint16_t cpim_headers_max = 64;  // of both blocks; RFC 3862 and 5438 define 12
inline constexpr std::size_t cpim_namespaces_max =
    8;  // declared ones that are remembered; headers of others are unknown

// Resumable: survives a cut at any byte without reading a byte twice.
class CpimParser {
 public:
  enum class Progress : std::uint8_t { done, need_more, bad };

  CpimParser() { reset(); }
  void reset();

  // `bytes` is all of the message that has come so far, from its first byte; it may hold more than the head. `whole`:
  // it is all there will be. After need_more, call again with the same bytes and more behind them, at another address
  // if need be.
  [[nodiscard]] Progress parse(std::string_view bytes, bool whole, std::uint32_t head_bytes_max);

  [[nodiscard]] const CpimHead& head() const { return head_; }
  [[nodiscard]] CpimError error() const { return error_; }  // after bad

 private:
  enum class Space : std::uint8_t { cpim, imdn, other };
  struct Prefix {
    Span name;
    Space space = Space::other;
  };
  [[nodiscard]] bool fail(CpimError error);
  [[nodiscard]] bool keep_header(std::string_view bytes, std::uint32_t line_feed);
  void keep_content_header(std::string_view bytes);
  void keep_namespace(std::string_view bytes, Span value);
  void keep_cpim(std::string_view bytes, std::string_view name, Span value, std::uint32_t line_feed);
  void keep_imdn(std::string_view name, Span value);
  void keep_mime(std::string_view name, Span value);
  [[nodiscard]] Space space_of(std::string_view bytes, std::string_view& name) const;
  [[nodiscard]] bool knows(std::string_view bytes, std::string_view name) const;
  [[nodiscard]] Span value_of(std::string_view bytes, std::uint32_t end) const;

  int state_ = 0;
  std::uint32_t at_ = 0;    // next byte to read
  std::uint32_t line_ = 0;  // start of the line being read
  std::uint32_t name_end_ = 0;
  std::uint32_t value_ = 0;      // behind the colon
  std::uint32_t value_end_ = 0;  // of a header of the content that may go on in the next line; 0: there is none
  bool content_seen_ = false;    // a header of the content stood in the first block
  bool done_ = false;
  CpimError error_ = CpimError::none;
  Space default_space_ = Space::cpim;
  std::uint8_t prefix_count_ = 0;
  Prefix prefixes_[cpim_namespaces_max];
  CpimHead head_;
};

// [ Formal-name ] "<" URI ">", or a URI alone, which RFC 3862 does not have.
struct CpimAddress {
  std::string_view name;  // as it stands, without quotes, escapes not undone
  std::string_view uri;
};
[[nodiscard]] bool parse_cpim_address(std::string_view value, CpimAddress& out);

// [ Name-prefix ] "<" URI ">"; white space between the two is taken (T-79).
[[nodiscard]] bool parse_cpim_namespace(std::string_view value, std::string_view& prefix, std::string_view& uri);

// RFC 3862 section 2.3. An escape of half a surrogate pair becomes U+FFFD.
void append_unescaped(std::string& out, std::string_view value);
void append_escaped(std::string& out, std::string_view text);

// Straight lines of our own heads. Names are escaped; URIs are given as they are to stand, without control characters.
void append_cpim_address(std::string& out, std::string_view header, std::string_view name, std::string_view uri);
struct CpimText {
  std::string_view from_name;
  std::string_view from_uri;
  std::string_view to_uri;
  std::int64_t wall_ms = 0;
  std::string_view content_type;
};
void append_cpim_head(std::string& out, const CpimText& text);

// "2009-03-02T15:02:31Z" (RFC 3339).
void append_date_time(std::string& out, std::int64_t wall_ms);

}  // namespace parley::policy
