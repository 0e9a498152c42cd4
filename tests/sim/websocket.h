// tests/sim/websocket.h - the client's side of RFC 6455, RFC 7977 and RFC 7118, sharing nothing with core/websocket.
//
// A client puts it between its frames and its stream. Of MSRP, what it writes is wrapped in messages and fragments whose
// borders have nothing to do with its frames (T-77), and what it reads must be one whole frame in each message. Of SIP a
// message is one message both ways (RFC 7118 section 5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/rng.h"

namespace parley::sim {

class WebSocketClient {
 public:
  enum class Speaks : std::uint8_t { msrp, sip };
  WebSocketClient(std::uint64_t seed, std::uint32_t number, Speaks speaks = Speaks::msrp)
      : rng_(seed, 5000 + number), speaks_(speaks) {
    if (speaks == Speaks::sip) owed_.replace(owed_.find("msrp"), 4, "sip");
  }

  // The answer to the handshake has come: frames may go.
  [[nodiscard]] bool open() const { return open_; }
  // Bytes that go before all others: the handshake, answers to pings, the end's echo. Empty: none.
  [[nodiscard]] std::string take_owed() { return std::exchange(owed_, {}); }
  [[nodiscard]] bool owes() const { return !owed_.empty(); }
  [[nodiscard]] std::string wrap(std::string_view bytes);
  // One message of SIP.
  [[nodiscard]] std::string wrap_message(std::string_view bytes);
  // What no server may take.
  [[nodiscard]] std::string broken_frame();

  // The bytes of MSRP in what came.
  [[nodiscard]] std::string feed(std::string_view bytes);
  // Those of SIP that were whole.
  [[nodiscard]] std::vector<std::string> take_messages() { return std::exchange(messages_, {}); }
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
  Speaks speaks_;
  bool open_ = false;
  std::string owed_ = "GET /chat HTTP/1.1\r\nHost: sim.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, msrp\r\n"
                      "Sec-WebSocket-Version: 13\r\n\r\n";
  bool sending_ = false;  // a message of ours has begun
  std::string in_;
  bool receiving_ = false;
  std::string message_;
  std::vector<std::string> messages_;
  std::string violation_;
};

}  // namespace parley::sim
