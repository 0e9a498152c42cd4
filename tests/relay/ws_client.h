// tests/relay/ws_client.h - the client's side of RFC 6455 written by hand, sharing nothing with core/websocket.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace parley::testing {

inline const std::string ws_request =
    "GET / HTTP/1.1\r\nHost: relay.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: msrp\r\nSec-WebSocket-Version: 13\r\n\r\n";

enum WsOpcode : unsigned { ws_continuation = 0, ws_text = 1, ws_binary = 2, ws_close = 8, ws_ping = 9, ws_pong = 10 };

// One masked frame.
inline std::string ws_frame(unsigned opcode, std::string_view payload, bool fin = true) {
  static constexpr unsigned char mask[4] = {0x5a, 0x00, 0xff, 0x13};
  std::string frame(1, static_cast<char>((fin ? 0x80U : 0U) | opcode));
  const std::size_t size = payload.size();
  int bits = 0;
  if (size < 126) {
    frame += static_cast<char>(0x80U | size);
  } else {
    bits = size < 65536 ? 16 : 64;
    frame += static_cast<char>(0x80 | (bits == 16 ? 126 : 127));
  }
  for (bits -= 8; bits >= 0; bits -= 8) frame += static_cast<char>(size >> bits & 0xff);
  for (const unsigned char c : mask) frame += static_cast<char>(c);
  for (std::size_t i = 0; i < size; ++i)
    frame += static_cast<char>(static_cast<unsigned char>(payload[i]) ^ mask[i % 4]);
  return frame;
}

// A message in fragments of at most so many bytes.
inline std::string ws_fragments(unsigned opcode, std::string_view payload, std::size_t bytes) {
  std::string out;
  for (bool first = true;; first = false) {
    const std::string_view part = payload.substr(0, bytes);
    payload.remove_prefix(part.size());
    out += ws_frame(first ? opcode : unsigned{ws_continuation}, part, payload.empty());
    if (payload.empty()) return out;
  }
}

struct WsMessage {
  unsigned opcode = 0;
  unsigned frames = 0;
  std::string payload;
};

// What a server sent, in pieces of any size: data messages and control frames, each in order.
class WsReceived {
 public:
  void add(std::string_view bytes) {
    in_ += bytes;
    while (take_frame()) {
    }
  }
  // Nothing is incomplete.
  [[nodiscard]] bool at_rest() const { return in_.empty() && !open_; }
  [[nodiscard]] std::string all() const {
    std::string text;
    for (const WsMessage& message : messages) text += message.payload;
    return text;
  }

  std::vector<WsMessage> messages;
  std::vector<WsMessage> controls;
  std::string open_payload;  // of a message that has begun

 private:
  bool take_frame() {
    const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(in_[i]); };
    if (in_.size() < 2) return false;
    std::size_t at = 2;
    std::uint64_t size = byte(1);
    EXPECT_LT(size, 128U) << "a server does not mask";
    const std::size_t extended = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (in_.size() < at + extended) return false;
    if (extended != 0) {
      size = 0;
      for (; at < 2 + extended; ++at) size = size << 8 | byte(at);
      EXPECT_GT(size, extended == 2 ? 125U : 65535U) << "not the shortest form";
    }
    if (in_.size() < at + size) return false;
    const unsigned opcode = byte(0) & 0x0f;
    const bool fin = (byte(0) & 0x80) != 0;
    EXPECT_EQ(byte(0) & 0x70, 0);
    const std::string payload = in_.substr(at, size);
    in_.erase(0, at + size);
    if (opcode >= 8) {
      EXPECT_TRUE(fin);
      EXPECT_LE(size, 125U);
      controls.push_back({opcode, 1, payload});
      return true;
    }
    EXPECT_EQ(opcode == ws_continuation, open_);
    if (!open_) opcode_ = opcode;
    frames_ = open_ ? frames_ + 1 : 1;
    open_ = !fin;
    open_payload += payload;
    if (fin) messages.push_back({opcode_, frames_, std::exchange(open_payload, {})});
    return true;
  }

  std::string in_;
  bool open_ = false;
  unsigned opcode_ = 0;
  unsigned frames_ = 0;
};

}  // namespace parley::testing
