// sip/multipart.h - the parts of a multipart body as offsets (RFC 2046 section 5.1, RFC 5621, RFC 4475
// section 3.1.1.11).
//
//   preamble, ignored
//   --boundary CRLF
//   Content-Type: application/sdp CRLF       headers   (with their line ends, without the blank line)
//   CRLF
//   v=0 ...                                  body      (any bytes, NUL too; without the CRLF before the next boundary)
//   CRLF --boundary-- epilogue, ignored
//
// Every Span counts from the body's first byte. A body whose first boundary line ends with LF alone is read with LF
// line ends throughout; otherwise LF is data. A boundary that never closes ends the last part at the body's end.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/text.h"

namespace parley::sip {

using core::Span;

// 16 parts: a session, a list, an icon, a first message and room for the unusual.
inline constexpr std::uint8_t multipart_parts_max = 16;
inline constexpr std::size_t boundary_bytes_max = 70;  // RFC 2046 section 5.1.1

struct Part {
  Span headers;
  Span body;
  // Values of the part's own headers, of each the first that is not empty; not present() when there is none.
  // Content-Type absent means text/plain.
  Span content_type;
  Span content_disposition;
  Span content_id;  // with its angle brackets, if any
  Span content_transfer_encoding;
};

struct Multipart {
  std::uint8_t count = 0;
  bool closed = false;  // the closing boundary was there
  std::array<Part, multipart_parts_max> parts;
};

enum class MultipartError : std::uint8_t {
  none,
  boundary,  // none in the Content-Type, or one longer than boundary_bytes_max
  no_part,   // no boundary line in the body
  headers,   // a part whose headers cannot be read or do not end
  too_many_parts,
};
std::string_view to_string(MultipartError error);

// `boundary` as find_param(..., "boundary") gives it.
[[nodiscard]] MultipartError parse_multipart(std::string_view body, std::string_view boundary, Multipart& out);

// The description in a body with that Content-Type: all of it, or its first part of type application/sdp. Empty: there
// is none.
[[nodiscard]] std::string_view sdp_in(std::string_view content_type, std::string_view body);

// Two Content-IDs, or one and what follows "cid:" in a URL, escapes undone: angle brackets do not count (R5368-1,
// T-50).
[[nodiscard]] bool same_content_id(std::string_view content_id, std::string_view other);

}  // namespace parley::sip
