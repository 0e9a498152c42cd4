// sip/writer.h - SIP heads into memory the caller reserved: requests and responses of our own, and messages that go on.
//
// The *_bytes functions run the same code and count. Only heads are written: the body follows, Content-Length says its
// size and is always ours. Values may come from a peer with folds in them; what is written has none (T-12), so no value
// can begin a line of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/text_out.h"
#include "sip/head.h"

namespace parley::sip {

// A header to write: a known one by its id, any other by `name`.
struct HeaderText {
  HeaderId id = HeaderId::other;
  std::string_view value{};
  std::string_view name{};
};

struct RequestText {
  std::string_view method;
  std::string_view uri;
  std::span<const HeaderText> headers{};
  std::uint32_t body_bytes = 0;
};
[[nodiscard]] std::uint32_t request_bytes(const RequestText& text);
void put_request(core::TextOut& out, const RequestText& text);
// With its body, and nothing else, into `out`.
void put_request(RequestText text, std::string_view body, std::string& out);

// What the receiver adds to the topmost Via (R3261-13): `received` when it is not empty, rport=N where rport was asked
// for.
struct ViaStamp {
  std::string_view received{};  // an address without brackets
  std::uint16_t rport = 0;      // 0: leave as it stands
};

// A response to `request`, whose bytes are `bytes`: its Via, From, To, Call-ID and CSeq as they stand.
struct ResponseText {
  std::uint16_t status = 0;
  std::string_view reason{};       // empty: reason_phrase
  std::string_view to_tag{};       // goes behind a To without one
  bool copy_record_route = false;  // dialog-creating responses (RFC 3261 section 12.1.1)
  bool copy_timestamp = false;     // 100 (RFC 3261 section 8.2.6.1)
  ViaStamp stamp{};
  std::span<const HeaderText> headers{};
  std::uint32_t body_bytes = 0;
};
[[nodiscard]] std::uint32_t response_bytes(const Head& request, std::string_view bytes, const ResponseText& text);
// At least as much, without writing it once to count.
[[nodiscard]] std::uint32_t response_bytes_max(const Head& request, std::string_view bytes, const ResponseText& text);
void put_response(core::TextOut& out, const Head& request, std::string_view bytes, const ResponseText& text);

// What changes in a message that goes on; everything else stays as it was and where it was.
struct HeaderEdit {
  enum class Kind : std::uint8_t {
    prepend,  // a line before the first header of that name, at the top when there is none
    replace,  // the first one's value; further ones go; behind all headers when there is none
    remove,   // all of that name
    pop,      // the first item of the first one, with the line when it was the only item
    append,   // a line behind all headers
  };
  Kind kind = Kind::remove;
  HeaderText header;  // remove and pop need no value
};

// The body is not looked at: it passes byte for byte (R3862-3).
struct ForwardText {
  std::string_view uri{};  // the new request URI; empty: the same
  ViaStamp stamp{};        // of the Via that was topmost when it came
  std::span<const HeaderEdit> edits{};
  std::uint32_t body_bytes = 0;
};
[[nodiscard]] std::uint32_t forward_bytes(const Head& head, std::string_view bytes, const ForwardText& text);
[[nodiscard]] std::uint32_t forward_bytes_max(const Head& head, std::string_view bytes, const ForwardText& text);
void put_forward(core::TextOut& out, const Head& head, std::string_view bytes, const ForwardText& text);

}  // namespace parley::sip
