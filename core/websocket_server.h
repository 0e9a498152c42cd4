// core/websocket_server.h - what a server of WebSocket does before and beside the frames, whichever protocol it speaks
// inside them: the handshake over bytes that come in pieces, whom to let in, text or binary (RFC 6455 sections 4.2, 5.6
// and 10.2, R7118-1, R7977-1, X-26).
//
// Values in, text out; no I/O. About 10 KiB while a handshake lasts, so connections keep it behind a pointer and drop
// it afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/http_head.h"
#include "core/websocket.h"
#include "core/websocket_upgrade.h"

namespace parley::core {

// Whom to let in.
struct WebSocketWelcome {
  // That a browser's page may come from, compared exactly; empty: any. Who names none is no browser, and let in.
  std::vector<std::string> origins;
  std::vector<std::string> paths;  // of the request's target, without its query; empty: any
};

// Why nobody was let in, as far as operators need to know.
enum class WebSocketRefusal : std::uint8_t {
  none,
  request,      // 400, 405, 431 or 505: no handshake that can be read
  version,      // 426: plain HTTP, or a version of WebSocket other than 13
  subprotocol,  // 400: the protocol spoken here is not offered
  path,         // 404
  origin,       // 403
};

class WebSocketHandshake {
 public:
  enum class Outcome : std::uint8_t { need_more, accepted, refused };
  struct Result {
    Outcome outcome = Outcome::need_more;
    std::size_t used = 0;  // of the bytes given; accepted: what follows are frames
    WebSocketRefusal refusal = WebSocketRefusal::none;
  };

  // The next bytes of the connection. Unless more are needed, `answer` is what to send, and it is over: after a refusal
  // the connection is to be closed.
  [[nodiscard]] Result take(std::string_view bytes, std::string_view subprotocol, const WebSocketWelcome& welcome,
                            std::string& answer);

 private:
  HttpHeadReader reader_{HttpHeadReader::Kind::request};
  std::string bytes_;
};

// How a message is sent: as text where it is UTF-8, which many pages rely on, else as binary (RFC 7118 section 5, RFC
// 7977 section 4.2). The views are one message together.
[[nodiscard]] WebSocketOpcode websocket_opcode_for(std::string_view first, std::string_view second = {});

}  // namespace parley::core
