// tests/sim/websocket.h - the client's side of RFC 6455 and RFC 7977, sharing nothing with core/websocket.
//
// A client puts it between its frames and its stream: what it writes is wrapped in messages and fragments whose borders
// have nothing to do with its frames (T-77), what it reads must be one whole MSRP frame in each message.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "tests/sim/rng.h"

namespace parley::sim {

class WebSocketClient {
 public:
  WebSocketClient(std::uint64_t seed, std::uint32_t number) : rng_(seed, 5000 + number) {}

  // The answer to the handshake has come: frames may go.
  [[nodiscard]] bool open() const { return open_; }
  // Bytes that go before all others: the handshake, answers to pings, the end's echo. Empty: none.
  [[nodiscard]] std::string take_owed() { return std::exchange(owed_, {}); }
  [[nodiscard]] bool owes() const { return !owed_.empty(); }
  [[nodiscard]] std::string wrap(std::string_view bytes);
  // What no server may take.
  [[nodiscard]] std::string broken_frame();

  // The bytes of MSRP in what came.
  [[nodiscard]] std::string feed(std::string_view bytes);
  [[nodiscard]] const std::string& violation() const { return violation_; }

 private:
  std::string frame(std::uint8_t first, std::string_view payload);
  bool take_answer();
  bool take_frame(std::string& out);
  void end_message();
  void wrong(const char* what) {
    if (violation_.empty()) violation_ = what;
  }

  Rng rng_;
  bool open_ = false;
  std::string owed_ = "GET /chat HTTP/1.1\r\nHost: sim.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, msrp\r\n"
                      "Sec-WebSocket-Version: 13\r\n\r\n";
  bool sending_ = false;  // a message of ours has begun
  std::string in_;
  bool receiving_ = false;
  std::string message_;
  std::string violation_;
};

}  // namespace parley::sim
