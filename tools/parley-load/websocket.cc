// tools/parley-load/websocket.cc - see websocket.h.
#include "tools/parley-load/websocket.h"

#include <openssl/rand.h>

#include <array>
#include <cstring>
#include <span>

#include "core/websocket_upgrade.h"

namespace parley::load {

std::string WebSocket::ask(const std::string& host) {
  std::array<uint8_t, 16> random{};
  RAND_bytes(random.data(), static_cast<int>(random.size()));
  key_ = core::WebSocketKey(random).view();
  std::string request;
  core::write_upgrade_request(request, {.host = host, .subprotocol = "msrp", .key = key_});
  return request;
}

WebSocket::Taken WebSocket::take_answer(std::string_view& data, std::string& why) {
  const size_t before = answer_.size();
  answer_ += data;
  core::HttpHeadReader reader(core::HttpHeadReader::Kind::answer);
  const core::HttpProgress progress = reader.read(answer_);
  if (progress == core::HttpProgress::need_more) {
    data = {};
    return Taken::more;
  }
  const auto fault = core::check_upgrade_answer(progress, reader.head(), answer_, {.subprotocol = "msrp", .key = key_});
  if (fault != core::UpgradeFault::none) {
    why = "WebSocket refused: " + answer_.substr(0, answer_.find('\r'));
    return Taken::refused;
  }
  data.remove_prefix(reader.head().length - before);
  answer_ = {};
  open_ = true;
  return Taken::opened;
}

bool WebSocket::take(char* data, size_t& bytes, std::string& pongs) {
  static constexpr core::WebSocketMask kNoMask{};  // to the server it is a mask like any other
  std::span<char> rest(data, bytes);
  char* to = data;
  for (;;) {
    const core::WebSocketEvent event = reader_.read(rest);
    switch (event.kind) {
      case core::WebSocketEvent::Kind::none: bytes = static_cast<size_t>(to - data); return true;
      case core::WebSocketEvent::Kind::data:
        std::memmove(to, event.bytes.data(), event.bytes.size());
        to += event.bytes.size();
        break;
      case core::WebSocketEvent::Kind::ping: pongs += core::WebSocketControl::pong(event.bytes, &kNoMask).view(); break;
      case core::WebSocketEvent::Kind::pong: break;
      case core::WebSocketEvent::Kind::close:
      case core::WebSocketEvent::Kind::error: bytes = static_cast<size_t>(to - data); return false;
    }
  }
}

}  // namespace parley::load
