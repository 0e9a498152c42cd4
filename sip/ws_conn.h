// sip/ws_conn.h - the WebSocket part of a connection: its upgrade, then its frames (RFC 7118, R7118-1).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/websocket.h"
#include "core/websocket_server.h"

namespace parley::sip {

struct WsConn {
  explicit WsConn(std::uint32_t message_bytes_max) : reader({.message_bytes_max = message_bytes_max}) {}

  std::unique_ptr<core::WebSocketHandshake> handshake =
      std::make_unique<core::WebSocketHandshake>();  // until it is done
  core::WebSocketReader reader;
  std::vector<char> message;  // pieces of a message that came in more than one
};

}  // namespace parley::sip
