// tests/core/websocket_story.h - what a reader of WebSocket frames told, one line an event; the pieces of a message are
// put together, so that the story does not depend on how the bytes were cut.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/websocket.h"

namespace parley::tests {

class WebSocketStory {
 public:
  explicit WebSocketStory(const core::WebSocketConfig& config) : reader_(config) {}

  // The bytes in a block that ends where they end.
  void feed(std::string_view bytes) {
    std::vector<char> block(bytes.begin(), bytes.end());
    std::span<char> rest(block);
    for (;;) {
      const bool was_over = reader_.over();
      const core::WebSocketEvent event = reader_.read(rest);
      if (event.kind == core::WebSocketEvent::Kind::none) break;
      CHECK(!was_over);
      tell(event, block);
    }
    CHECK(rest.empty());
  }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
  [[nodiscard]] const core::WebSocketReader& reader() const { return reader_; }

 private:
  void tell(const core::WebSocketEvent& event, const std::vector<char>& block) {
    using Kind = core::WebSocketEvent::Kind;
    const std::string bytes(event.bytes);
    switch (event.kind) {
      case Kind::none: break;
      case Kind::data:
        // Not a copy.
        CHECK(event.bytes.empty() || (event.bytes.data() >= block.data() &&
                                      event.bytes.data() + event.bytes.size() <= block.data() + block.size()));
        CHECK(event.ends_message || !event.bytes.empty());
        message_ += bytes;
        if (event.ends_message) {
          lines_.push_back((event.text ? "text " : "binary ") + message_);
          message_.clear();
        }
        break;
      case Kind::ping: lines_.push_back("ping " + bytes); break;
      case Kind::pong: lines_.push_back("pong " + bytes); break;
      case Kind::close: lines_.push_back("close " + std::to_string(event.code) + " " + bytes); break;
      case Kind::error:
        CHECK(event.code == core::close_code(event.fault));
        lines_.push_back("error " + std::to_string(event.code) + " " + std::string(core::to_string(event.fault)));
        break;
    }
  }

  core::WebSocketReader reader_;
  std::string message_;
  std::vector<std::string> lines_;
};

// A frame as a client sends it: masked.
inline std::string masked_frame(core::WebSocketOpcode opcode, std::string_view payload, bool fin = true,
                                core::WebSocketMask mask = {0x37, 0xfa, 0x21, 0x3d}) {
  const core::WebSocketHeader header({.opcode = opcode, .fin = fin, .payload_bytes = payload.size()}, mask);
  std::string bytes(payload);
  core::apply_mask(bytes, mask);
  return std::string(header.view()) + bytes;
}

inline std::string bare_frame(core::WebSocketOpcode opcode, std::string_view payload, bool fin = true) {
  const core::WebSocketHeader header({.opcode = opcode, .fin = fin, .payload_bytes = payload.size()});
  return std::string(header.view()) + std::string(payload);
}

}  // namespace parley::tests
