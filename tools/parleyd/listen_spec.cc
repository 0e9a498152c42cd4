// tools/parleyd/listen_spec.cc - see listen_spec.h.
#include "tools/parleyd/listen_spec.h"

#include <optional>
#include <string_view>

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/host_port.h"

namespace parley::parleyd {
namespace {

std::optional<core::Transport> transport_named(std::string_view name, bool udp_too) {
  if (name == "tcp") return core::Transport::tcp;
  if (name == "tls") return core::Transport::tls;
  if (name == "ws") return core::Transport::ws;
  if (name == "wss") return core::Transport::wss;
  if (name == "udp" && udp_too) return core::Transport::udp;
  return std::nullopt;
}

}  // namespace

ListenSpec parse_listen_spec(const char* flag, const std::string& text, bool udp_too) {
  const auto colon = text.find(':');
  const std::string kind = text.substr(0, colon);
  const auto transport = transport_named(kind, udp_too);
  if (colon == std::string::npos || !transport) {
    FlagTable::refuse(flag,
                      "'" + text + "' does not start with " + (udp_too ? "udp:, " : "") + "tcp:, tls:, ws: or wss:");
  }
  const auto at = parse_host_port(std::string_view(text).substr(colon + 1));
  if (!at || !at->port) FlagTable::refuse(flag, "'" + text + "' is not " + kind + ":HOST:PORT");
  return {*transport, at->host, *at->port};
}

}  // namespace parley::parleyd
