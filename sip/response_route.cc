// sip/response_route.cc - see response_route.h.
#include "sip/response_route.h"

#include <algorithm>

#include "core/text.h"
#include "sip/params.h"

namespace parley::sip {
namespace {

// Most Vias without it do not hold its letters either.
bool has_rport(const Via& via) {
  for (std::size_t at = 0; (at = via.params.find_first_of("pP", at)) != std::string_view::npos; ++at) {
    if (!core::equal_ignore_case(via.params.substr(at, 4), "port")) continue;
    return param_value(via.params, "rport").data() != nullptr;
  }
  return false;
}

}  // namespace

std::uint16_t sent_by_port(const Via& via) {
  if (via.has_port && via.port != 0) return via.port;
  const auto is = [&](std::string_view transport) { return core::equal_ignore_case(via.transport, transport); };
  if (is("TLS")) return 5061;  // RFC 3261 section 18.2.2
  if (is("WS")) return 80;     // RFC 7118 section 5
  if (is("WSS")) return 443;
  return 5060;
}

Flow response_flow(const Received& request) {
  Flow flow = request.flow;
  const Via& via = request.essentials.via;
  if (!flow.reliable() && !has_rport(via)) flow.remote.port = sent_by_port(via);
  return flow;
}

Flow second_response_flow(const Flow& flow, std::uint16_t port) {
  Flow second = flow;
  second.connection = {};
  const bool can_dial = flow.transport == core::Transport::tcp || flow.transport == core::Transport::tls;
  second.remote.port = can_dial ? port : std::uint16_t{0};
  return second;
}

ViaStamp via_stamp(const Via& via, const Flow& flow, ReceivedText& room) {
  ViaStamp stamp;
  const bool rport = has_rport(via);
  if (rport) stamp.rport = flow.remote.port;
  core::Address source = core::unmapped(flow.remote);
  source.port = 0;
  const std::string_view text = core::ip_text(source, room);
  if (rport) {
    stamp.received = text;
  } else if (via.host != text) {  // perhaps only spelled otherwise
    const auto sent_by = core::parse_ip(via.host, 0);
    if (!sent_by || core::unmapped(*sent_by) != source) stamp.received = text;
  }
  return stamp;
}

}  // namespace parley::sip
