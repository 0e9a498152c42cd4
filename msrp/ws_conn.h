// msrp/ws_conn.h - the WebSocket part of a connection, and how frames are put into WebSocket messages (RFC 7977).
//
//   in:  the bytes of all messages, unmasked where they lie, are one stream for the reader of frames. Borders say
//   nothing:
//        peers put two frames into a message or one into several, and a message may be larger than memory (T-77).
//   out: one MSRP frame in one message (section 5.1). A frame that is there in one piece leaves as one WebSocket frame;
//   one
//        that is cut through leaves in WebSocket fragments, as its length is not known when it begins.
#pragma once

#include <cstdint>
#include <memory>

#include "core/time.h"
#include "core/websocket.h"
#include "core/websocket_server.h"

namespace parley::msrp {

// A long frame of a fragmented message costs what its bytes cost; only shorter ones are counted.
inline constexpr std::uint64_t ws_small_frame_bytes = 1024;

struct WsConn {
  explicit WsConn(std::uint32_t small_frames_max)
      : reader({.check_utf8 = false,  // "The content of text frames MUST be interpreted as binary" (section 4.2)
                .frames_max = small_frames_max,
                .small_frame_bytes = ws_small_frame_bytes,
                .message_bytes_max = ~std::uint64_t{0} >> 1}) {}

  std::unique_ptr<core::WebSocketHandshake> handshake =
      std::make_unique<core::WebSocketHandshake>();  // until it is done
  core::WebSocketReader reader;
  std::uint16_t close_code = core::websocket_code::policy;  // what is said when we end the connection
  core::Instant heard{};                                    // when anything came last
  core::Instant pinged_at{};                                // a ping of ours has had no echo; Instant{}: none is out
};

// Where bytes that are written stand in the message that carries their frame. Other transports have no messages.
struct Piece {
  enum class Kind : std::uint8_t {
    whole,      // all of the frame, but for `follows`
    inside,     // of what was announced by `follows`
    begins,     // of a frame whose length is not known
    continues,  // it
    ends,       // it
  };
  Kind kind = Kind::whole;
  bool binary = false;        // whole: what follows is not UTF-8
  std::uint32_t follows = 0;  // whole: bytes of the frame that are written next, as `inside`
};

}  // namespace parley::msrp
