// tools/parley-load/websocket.h - the WebSocket part of an MSRP connection (RFC 7977): its handshake, then frames taken
// off what is read. Frames that are sent are made by Batch::begin_message and end_message.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/websocket.h"

namespace parley::load {

class WebSocket {
 public:
  // The handshake's request.
  std::string ask(const std::string& host);
  bool open() const { return open_; }

  enum class Taken : uint8_t { more, opened, refused };
  // Of the answer to the handshake; `data` gives up what belongs to it.
  Taken take_answer(std::string_view& data, std::string& why);
  // Moves the bytes of messages to the front of `data`; how many they are. Pings are answered in `pongs`. False: over.
  bool take(char* data, size_t& bytes, std::string& pongs);

 private:
  bool open_ = false;
  std::string key_;
  std::string answer_;
  core::WebSocketReader reader_{{.side = core::WebSocketConfig::Side::client,
                                 .check_utf8 = false,
                                 .frames_max = UINT32_MAX,
                                 .message_bytes_max = UINT64_MAX >> 1}};
};

}  // namespace parley::load
