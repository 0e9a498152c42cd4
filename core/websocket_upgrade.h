// core/websocket_upgrade.h - the handshake of WebSocket, both sides (RFC 6455 section 4, R7118-1).
//
// Values in, text out. A server reads a head (http_head.h), asks judge_upgrade, and sends write_upgrade or
// write_refusal; whether the Origin is welcome and the target known it decides itself, in between. Extensions are never
// agreed on, so all frames are plain. What stands behind the head in the bytes is the first frame.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/check.h"
#include "core/http_head.h"

namespace parley::core {

// Why no WebSocket comes out of a request, or of the answer to ours.
enum class UpgradeFault : std::uint8_t {
  none,
  not_http,
  too_long,
  http_version,       // below 1.1
  method,             // not GET
  body,               // a request that announces one: its bytes would be taken for frames
  host,               // none, or two
  no_upgrade,         // plain HTTP
  websocket_version,  // not 13
  key,                // none, two, or not 16 bytes in base64
  origin,             // two of them
  subprotocol,        // the wanted one is not offered (or, for a client, not chosen)
  status,             // client: something else than 101
  accept,             // client: not the proof for our key
  extensions,         // client: some that we did not ask for
};
[[nodiscard]] std::string_view to_string(UpgradeFault fault);

// Views into the head's bytes.
struct Upgrade {
  UpgradeFault fault = UpgradeFault::none;
  std::string_view target = {};  // path and query, or a whole URI, as sent
  std::string_view host = {};
  std::string_view origin = {};  // null data when there is none: no browser
  std::string_view key = {};
  std::string_view subprotocol = {};
};

// `progress` and `reader` after a read that did not ask for more. Subprotocols are compared exactly ("sip", "msrp").
[[nodiscard]] Upgrade judge_upgrade(HttpProgress progress, const HttpHead& head, std::string_view bytes LIFETIME_BOUND,
                                    std::string_view subprotocol);
// Appends the 101 answer. A page's Origin, which the caller has let in, is named (RFC 7977 section 7).
void write_upgrade(std::string& to, const Upgrade& upgrade);
// Appends an answer after which the connection is to be closed: 400, 405, 426 (with the version that we speak), 431 or
// 505 by the fault.
void write_refusal(std::string& to, UpgradeFault fault);
// The same with a status of the caller's, such as 403 for an Origin, 404 for a target, 503. `reason` is one line.
void write_refusal(std::string& to, std::uint16_t status, std::string_view reason);

// What a client sends as its key, and what the server proves it with: base64, 24 and 28 characters.
class WebSocketKey {
 public:
  explicit WebSocketKey(std::span<const std::uint8_t, 16> random);
  [[nodiscard]] std::string_view view() const LIFETIME_BOUND { return {chars_.data(), chars_.size()}; }

 private:
  std::array<char, 24> chars_;
};
using WebSocketAccept = std::array<char, 28>;
[[nodiscard]] WebSocketAccept websocket_accept(std::string_view key);

struct UpgradeAsk {
  std::string_view target = "/";
  std::string_view host = {};  // with the port, unless it is the scheme's own
  std::string_view subprotocol = {};
  std::string_view origin = {};  // empty: none
  std::string_view key = {};
};
void write_upgrade_request(std::string& to, const UpgradeAsk& ask);
// Of what the server answered to `ask`; `progress` and `head` of a reader of answers.
[[nodiscard]] UpgradeFault check_upgrade_answer(HttpProgress progress, const HttpHead& head, std::string_view bytes,
                                                const UpgradeAsk& ask);

}  // namespace parley::core
