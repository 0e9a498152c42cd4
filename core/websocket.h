// core/websocket.h - WebSocket frames in and out, without I/O (RFC 6455 sections 5 to 8, R7118-1).
//
// A reader takes what a connection brought, in pieces of any size, and tells in order what it found:
//
//   data               some bytes of a message, unmasked where they lay; the last ones of a message say so
//   ping, pong, close  control frames, also between the frames of a message
//   error              the peer broke the protocol or a limit; send a close frame with `code`, then close
//
// One reader per connection; above the seam; nothing is allocated, data is never copied. A message may come in several
// frames and a frame in many pieces. Control payloads (at most 125 bytes) are gathered in the reader. No extension is
// spoken, so reserved bits are errors. The handshake is in websocket_upgrade.h.
//
// The protocols above frame themselves: "one SIP or MSRP message in one WebSocket message" (RFC 7118 5.1, RFC 7977 5.1)
// is what a sender does; a receiver that feeds a stream parser does not need the borders.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/check.h"
#include "core/utf8.h"

namespace parley::core {

inline constexpr std::size_t websocket_control_bytes_max = 125;  // RFC 6455 5.5
inline constexpr std::size_t websocket_header_bytes_max = 14;    // a server's own have at most 10: no mask

namespace websocket_code {  // RFC 6455 7.4.1
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t going_away = 1001;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unacceptable = 1003;
inline constexpr std::uint16_t none_given = 1005;  // never on the wire
inline constexpr std::uint16_t bad_text = 1007;
inline constexpr std::uint16_t policy = 1008;
inline constexpr std::uint16_t too_big = 1009;
}  // namespace websocket_code

// Whether a close frame may carry it: those of RFC 6455 7.4 and its registry, and 3000 to 4999.
[[nodiscard]] bool is_close_code(std::uint16_t code);

enum class WebSocketOpcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

enum class WebSocketFault : std::uint8_t {
  none,
  reserved_bits,
  opcode,              // one that is not defined
  mask,                // a client's frame without, or a server's with one
  length_form,         // a length in more bytes than it needs, or with its highest bit set
  control_length,      // a control frame above 125 bytes
  control_fragmented,  // a control frame that is not the last of its message
  lone_continuation,   // no message to continue
  message_within,      // a new message before the last one ended
  close_payload,       // one byte, or a code that may not be sent
  utf8,                // in a text message or in the reason of a close
  message_bytes,       // more than message_bytes_max
  frames,              // more than frames_max small ones
};
[[nodiscard]] std::string_view to_string(WebSocketFault fault);
// 1002, 1007 or 1009
[[nodiscard]] std::uint16_t close_code(WebSocketFault fault);

struct WebSocketEvent {
  enum class Kind : std::uint8_t { none, data, ping, pong, close, error };
  Kind kind = Kind::none;     // none: all bytes are used up
  bool text = false;          // data: of a text message
  bool ends_message = false;  // data: these are its last bytes, possibly none
  WebSocketFault fault = WebSocketFault::none;
  std::uint16_t code = 0;  // close: the peer's (1005: it gave none); error: the one to answer with
  // data: in the caller's memory. ping, pong: the payload, close: the reason; in the reader, until its next call.
  std::string_view bytes{};
};

struct WebSocketConfig {
  enum class Side : std::uint8_t { server, client };
  Side side = Side::server;                             // who reads: a server wants masked frames, a client wants none
  bool check_utf8 = true;                               // of text messages
  std::uint32_t frames_max = 16;                        // of one message; who needs more sends a byte at a time
  std::uint64_t small_frame_bytes = ~std::uint64_t{0};  // only shorter ones count: long ones bring what they cost
  std::uint64_t message_bytes_max = 64 * 1024;  // of all its frames; as much as a SIP message on a stream may have
};

class WebSocketReader {
 public:
  explicit WebSocketReader(const WebSocketConfig& config) : config_(config) {}

  // Takes bytes from the front of `rest`, up to the next thing to tell. Call until it says `none`; `rest` is empty
  // then. After `close` or `error` it is over: whatever follows is dropped.
  [[nodiscard]] WebSocketEvent read(std::span<char>& rest) LIFETIME_BOUND;

  // A close or an error was told.
  [[nodiscard]] bool over() const { return state_ == State::over; }
  // Bytes of a message or frame have come whose end has not: what a time-out of the caller's may ask.
  [[nodiscard]] bool within_message() const { return message_open_ || state_ != State::header || header_size_ != 0; }

 private:
  enum class State : std::uint8_t { header, data, control, over };
  [[nodiscard]] WebSocketFault take_header_byte(std::uint8_t byte);
  [[nodiscard]] WebSocketFault check_opcode(std::uint8_t byte) const;
  [[nodiscard]] WebSocketFault check_length_byte(std::uint8_t byte);
  [[nodiscard]] WebSocketFault begin_frame();
  [[nodiscard]] WebSocketEvent take_data(std::span<char>& rest);
  [[nodiscard]] WebSocketEvent take_control(std::span<char>& rest);
  [[nodiscard]] WebSocketEvent end_control();
  [[nodiscard]] WebSocketEvent fail(WebSocketFault fault);
  [[nodiscard]] bool masked() const { return config_.side == WebSocketConfig::Side::server; }
  [[nodiscard]] std::span<char> unmasked(std::span<char>& rest);

  WebSocketConfig config_;
  State state_ = State::header;
  WebSocketOpcode opcode_ = WebSocketOpcode::continuation;  // of the frame being read
  bool fin_ = false;
  bool message_open_ = false;  // a message has begun and not ended
  bool text_ = false;          // of the message that is open or being read
  std::uint8_t header_size_ = 0;
  std::uint8_t header_need_ = 2;
  std::uint8_t control_size_ = 0;
  std::uint32_t frames_ = 0;            // small ones of this message
  std::uint64_t message_bytes_ = 0;     // of this message, as its headers announced
  std::uint64_t frame_left_ = 0;        // bytes of this frame still to come
  std::array<std::uint8_t, 4> mask_{};  // turned so that its first byte is for the next byte of the payload
  Utf8Check utf8_;
  std::array<std::uint8_t, websocket_header_bytes_max> header_{};
  std::array<char, websocket_control_bytes_max> control_{};
};

// ---- frames out. A server's are unmasked; a client masks with four unpredictable bytes, new ones for each frame.

using WebSocketMask = std::array<std::uint8_t, 4>;

// XORs the payload of a frame in place; `bytes` begins `offset` bytes into it.
void apply_mask(std::span<char> bytes, const WebSocketMask& mask, std::uint64_t offset = 0);

struct WebSocketFrame {
  WebSocketOpcode opcode = WebSocketOpcode::binary;
  bool fin = true;  // the last or only frame of its message
  std::uint64_t payload_bytes = 0;
};

class WebSocketHeader {
 public:
  explicit WebSocketHeader(const WebSocketFrame& frame) : WebSocketHeader(frame, nullptr) {}
  WebSocketHeader(const WebSocketFrame& frame, const WebSocketMask& mask) : WebSocketHeader(frame, &mask) {}
  [[nodiscard]] std::string_view view() const LIFETIME_BOUND { return {bytes_.data(), size_}; }

 private:
  WebSocketHeader(const WebSocketFrame& frame, const WebSocketMask* mask);
  std::array<char, websocket_header_bytes_max> bytes_;
  std::uint8_t size_ = 0;
};

// A whole close, ping or pong frame.
class WebSocketControl {
 public:
  // `code` 1005 or 0 gives an empty payload: how a close without a code is answered. A reason that does not fit is cut
  // between characters.
  [[nodiscard]] static WebSocketControl close(std::uint16_t code, std::string_view reason = {},
                                              const WebSocketMask* mask = nullptr);
  // At most 125 bytes.
  [[nodiscard]] static WebSocketControl ping(std::string_view payload, const WebSocketMask* mask = nullptr);
  [[nodiscard]] static WebSocketControl pong(std::string_view payload, const WebSocketMask* mask = nullptr);
  [[nodiscard]] std::string_view view() const LIFETIME_BOUND { return {bytes_.data(), size_}; }

 private:
  WebSocketControl(WebSocketOpcode opcode, std::string_view payload, const WebSocketMask* mask);
  std::array<char, websocket_control_bytes_max + 6> bytes_;
  std::uint8_t size_ = 0;
};

}  // namespace parley::core
