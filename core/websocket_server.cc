// core/websocket_server.cc - see websocket_server.h.
#include "core/websocket_server.h"

#include <algorithm>

#include "core/utf8.h"

namespace parley::core {
namespace {

// Of "/chat?a=b" or "wss://host/chat?a=b" (RFC 9112 section 3.2).
std::string_view path_of(std::string_view target) {
  if (const std::size_t scheme = target.find("://"); !target.starts_with('/') && scheme != std::string_view::npos) {
    const std::size_t path = target.find('/', scheme + 3);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  return target.substr(0, target.find('?'));
}

bool among(std::string_view one, const std::vector<std::string>& list) {
  return list.empty() || std::find(list.begin(), list.end(), one) != list.end();
}

WebSocketRefusal refusal_of(UpgradeFault fault) {
  switch (fault) {
    case UpgradeFault::none: return WebSocketRefusal::none;
    case UpgradeFault::no_upgrade:
    case UpgradeFault::websocket_version: return WebSocketRefusal::version;
    case UpgradeFault::subprotocol: return WebSocketRefusal::subprotocol;
    default: return WebSocketRefusal::request;
  }
}

}  // namespace

WebSocketHandshake::Result WebSocketHandshake::take(std::string_view bytes, std::string_view subprotocol,
                                                    const WebSocketWelcome& welcome, std::string& answer) {
  const std::size_t before = bytes_.size();
  // One byte more than a head may have, so that the reader sees that it is too long.
  bytes_.append(
      bytes.substr(0, http_head_bytes_max + std::size_t{1} - std::min<std::size_t>(before, http_head_bytes_max)));
  const HttpProgress progress = reader_.read(bytes_);
  if (progress == HttpProgress::need_more) return {.used = bytes_.size() - before};
  const Upgrade asked = judge_upgrade(progress, reader_.head(), bytes_, subprotocol);
  Result result{.outcome = Outcome::refused, .used = bytes.size()};
  if (asked.fault != UpgradeFault::none) {
    result.refusal = refusal_of(asked.fault);
    write_refusal(answer, asked.fault);
  } else if (!among(path_of(asked.target), welcome.paths)) {
    result.refusal = WebSocketRefusal::path;
    write_refusal(answer, 404, "Not Found");
  } else if (asked.origin.data() != nullptr && !among(asked.origin, welcome.origins)) {
    result.refusal = WebSocketRefusal::origin;
    write_refusal(answer, 403, "Origin not allowed");
  } else {
    result = {.outcome = Outcome::accepted, .used = reader_.head().length - before};
    write_upgrade(answer, asked);
  }
  return result;
}

WebSocketOpcode websocket_opcode_for(std::string_view first, std::string_view second) {
  Utf8Check check;
  const bool readable = check.take(first) && check.take(second) && check.whole();
  return readable ? WebSocketOpcode::text : WebSocketOpcode::binary;
}

}  // namespace parley::core
