// tests/sim/websocket.cc - see websocket.h.
#include "tests/sim/websocket.h"

#include <algorithm>

namespace parley::sim {
namespace {

constexpr std::uint8_t fin = 0x80;
constexpr std::uint8_t opcode_close = 8;
constexpr std::uint8_t opcode_ping = 9;
constexpr std::uint8_t opcode_pong = 10;

}  // namespace

std::string WebSocketClient::frame(std::uint8_t first, std::string_view payload) {
  std::string out(1, static_cast<char>(first));
  const std::size_t size = payload.size();
  const std::size_t extended = size < 126 ? 0 : size < 65536 ? 2 : 8;
  out += static_cast<char>(0x80U | (extended == 0 ? size : extended == 2 ? 126 : 127));
  for (std::size_t n = extended; n-- > 0;) out += static_cast<char>(size >> (8 * n) & 0xff);
  const std::uint64_t mask = rng_.next();
  for (int n = 0; n < 4; ++n) out += static_cast<char>(mask >> (8 * n) & 0xff);
  for (std::size_t n = 0; n < size; ++n) out += static_cast<char>(payload[n] ^ static_cast<char>(mask >> (8 * (n % 4)) & 0xff));
  return out;
}

std::string WebSocketClient::wrap(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    if (rng_.coin(1, 40)) out += frame(fin | opcode_ping, "still there");
    const std::string_view part = bytes.substr(0, rng_.coin(1, 2) ? bytes.size() : rng_.scaled(1, bytes.size()));
    bytes.remove_prefix(part.size());
    const bool last = rng_.coin(2, 3);
    // Text whatever it holds: it is interpreted as binary (RFC 7977 section 4.2).
    const std::uint8_t opcode = sending_ ? 0 : static_cast<std::uint8_t>(rng_.between(1, 2));
    out += frame(static_cast<std::uint8_t>(opcode | (last ? fin : 0)), part);
    sending_ = !last;
  }
  return out;
}

std::string WebSocketClient::wrap_message(std::string_view bytes) {
  std::string out;
  auto opcode = static_cast<std::uint8_t>(rng_.between(1, 2));
  do {
    const std::string_view part = bytes.substr(0, rng_.coin(2, 3) ? bytes.size() : rng_.scaled(1, bytes.size()));
    bytes.remove_prefix(part.size());
    out += frame(static_cast<std::uint8_t>(opcode | (bytes.empty() ? fin : 0)), part);
    opcode = 0;
    if (rng_.coin(1, 40)) out += frame(fin | opcode_ping, "still there");
  } while (!bytes.empty());
  return out;
}

std::string WebSocketClient::broken_frame() {
  std::string bytes = frame(fin | 2, "broken");
  switch (rng_.next() % 4) {
    case 0: bytes[1] = static_cast<char>(bytes[1] & 0x7f); break;  // not masked
    case 1: bytes[0] = static_cast<char>(bytes[0] | 0x40); break;
    case 2: bytes[0] = static_cast<char>(fin | 5); break;
    default: bytes = frame(opcode_ping, "cut"); break;
  }
  return bytes;
}

std::string WebSocketClient::feed(std::string_view bytes) {
  std::string out;
  in_ += bytes;
  if (!open_ && !take_answer()) return out;
  while (violation_.empty() && take_frame(out)) {
  }
  return out;
}

bool WebSocketClient::take_answer() {
  const std::size_t end = in_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string head = in_.substr(0, end + 2);
  in_.erase(0, end + 4);
  const char* const protocol = speaks_ == Speaks::sip ? "sip" : "msrp";
  if (!head.starts_with("HTTP/1.1 101 ") ||
      head.find(std::string("\r\nSec-WebSocket-Protocol: ") + protocol + "\r\n") == std::string::npos ||
      head.find("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") == std::string::npos) {
    wrong("the handshake is answered wrongly");
  }
  open_ = true;
  return true;
}

bool WebSocketClient::take_frame(std::string& out) {
  const auto byte = [this](std::size_t n) { return static_cast<std::uint8_t>(in_[n]); };
  if (in_.size() < 2) return false;
  std::uint64_t size = byte(1);
  const std::size_t extended = size == 126 ? 2 : size == 127 ? 8 : 0;
  if (in_.size() < 2 + extended) return false;
  if (size > 127 || (byte(0) & 0x70) != 0) wrong("a masked frame, or one of an extension");
  if (extended != 0) {
    size = 0;
    for (std::size_t n = 0; n < extended; ++n) size = size << 8 | byte(2 + n);
    if (size < (extended == 2 ? 126U : 65536U)) wrong("a length in too many bytes");
  }
  if (in_.size() < 2 + extended + size) return false;
  const std::uint8_t opcode = byte(0) & 0x0f;
  const bool last = (byte(0) & fin) != 0;
  const std::string payload = in_.substr(2 + extended, size);
  in_.erase(0, 2 + extended + size);
  if (opcode >= opcode_close) {
    if (!last || size > 125 || opcode > opcode_pong) wrong("a bad control frame");
    if (opcode == opcode_ping) owed_ += frame(fin | opcode_pong, payload);
    return true;
  }
  if ((opcode == 0) != receiving_ || opcode > 2) wrong("an opcode out of place");
  receiving_ = !last;
  message_ += payload;
  out += payload;
  if (last) end_message();
  return true;
}

// RFC 7977 section 5.1.
void WebSocketClient::end_message() {
  if (speaks_ == Speaks::sip) return messages_.push_back(std::exchange(message_, {}));
  const std::size_t tid_end = message_.find(' ', 5);
  if (!message_.starts_with("MSRP ") || tid_end == std::string::npos) {
    wrong("a message that begins no frame");
  } else {
    const std::string end_line = "-------" + message_.substr(5, tid_end - 5);
    if (message_.size() < end_line.size() + 3 || message_.compare(message_.size() - end_line.size() - 3, end_line.size(), end_line) != 0) {
      wrong("a message that ends no frame");
    }
  }
  message_.clear();
}

}  // namespace parley::sim
