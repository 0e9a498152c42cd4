// sip/ws_conn.h - the WebSocket part of a connection: its upgrade, then its frames (RFC 7118, R7118-1).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/http_head.h"
#include "core/utf8.h"
#include "core/websocket.h"

namespace parley::sip {

struct WsConn {
  explicit WsConn(std::uint32_t message_bytes_max) : reader({.message_bytes_max = message_bytes_max}) {}

  // RFC 7118 section 5: text where the message is UTF-8, which many pages rely on, else binary.
  [[nodiscard]] static core::WebSocketHeader header_for(std::string_view text) {
    core::Utf8Check check;
    const bool readable = check.take(text) && check.whole();
    const auto opcode = readable ? core::WebSocketOpcode::text : core::WebSocketOpcode::binary;
    return core::WebSocketHeader({.opcode = opcode, .payload_bytes = text.size()});
  }

  struct Upgrading {  // until the request's head is whole
    core::HttpHeadReader reader{core::HttpHeadReader::Kind::request};
    std::string bytes;
  };
  std::unique_ptr<Upgrading> upgrading = std::make_unique<Upgrading>();
  core::WebSocketReader reader;
  std::vector<char> message;  // pieces of a message that came in more than one
};

}  // namespace parley::sip
