// core/http_head.h - the head of an HTTP/1 request or answer as offsets (RFC 9112 sections 2 to 5).
//
//   GET /chat HTTP/1.1 CRLF          start line: method and target, or status
//   Host: server.example.com CRLF  | headers, in their order
//   CRLF                             length ends here
//
// For the handshake of WebSocket (websocket_upgrade.h), so it is strict: lines end in CRLF, nothing is folded, no white
// space stands before a colon. Offsets count from the first byte, so the bytes may move between reads. No memory is
// taken beyond this struct; what a header means is its reader's business.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/text.h"

namespace parley::core {

// Browsers send about 15 headers and cookies; more than this is somebody who tries how much we hold.
inline constexpr std::uint32_t http_head_bytes_max = 8 * 1024;
inline constexpr std::size_t http_headers_max = 64;

struct HttpHeader {
  Span name;
  Span value;  // without white space around it; may be empty
};

struct HttpHead {
  std::uint32_t length = 0;  // up to and with the empty line
  Span method;               // requests
  Span target;               // requests
  std::uint16_t status = 0;  // answers
  std::uint8_t version = 0;  // 11: HTTP/1.1
  std::uint8_t header_count = 0;
  std::array<HttpHeader, http_headers_max> headers;  // of which header_count are valid

  // How often a header is there, and the first one's value (null data when it is not).
  struct Found {
    std::size_t count = 0;
    std::string_view value;
  };
  [[nodiscard]] Found find(std::string_view name, std::string_view bytes) const;
  // Whether `element` is in the comma-separated list that all headers of this name make together (RFC 9110 5.6.1).
  // Without regard to case, or exactly. Where it was found, or null data.
  enum class Case : std::uint8_t { ignored, exact };
  [[nodiscard]] std::string_view list_element(std::string_view name, std::string_view element, Case compare,
                                              std::string_view bytes) const;
};

enum class HttpProgress : std::uint8_t {
  done,
  need_more,
  bad,       // not HTTP
  too_long,  // more bytes or headers than we take
};

// Resumable: survives a cut at any byte without reading a byte twice. About 1 KiB; needed only until the head is read.
class HttpHeadReader {
 public:
  enum class Kind : std::uint8_t { request, answer };
  explicit HttpHeadReader(Kind kind);

  // `bytes` is everything received so far, from the first byte; it may hold more than the head. After need_more, call
  // again with the same bytes and more behind them. Anything else stays what it is.
  [[nodiscard]] HttpProgress read(std::string_view bytes);
  [[nodiscard]] const HttpHead& head() const { return head_; }

 private:
  [[nodiscard]] bool keep_header(const char* bytes, std::uint32_t value_end);

  HttpProgress progress_ = HttpProgress::need_more;
  int state_ = 0;
  std::uint32_t at_ = 0;        // next byte to read
  std::uint32_t mark_ = 0;      // start of the element being read
  std::uint32_t name_end_ = 0;  // of the header being read, whose name starts at mark_
  std::uint32_t value_ = 0;     // where its value starts
  HttpHead head_;
};

}  // namespace parley::core
