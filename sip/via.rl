// sip/via.rl - one via-parm of a Via header (RFC 3261 section 25.1).
#include <cstddef>

#include "core/text.h"
#include "sip/params.h"
#include "sip/via.h"

namespace parley::sip {
namespace {

using Byte = unsigned char;
using core::between;

%%{
  machine sip_via;
  include sip_grammar "sip/grammar.rli";
  alphtype unsigned char;

  action protocol { protocol = p; }
  action protocol_end { protocol_end = p; }
  action version { version = p; }
  action version_end { version_end = p; }
  action transport { transport = p; }
  action transport_end { transport_end = p; }
  action host { host_start = p; }
  action host_end { host_end = p; }
  action port { port_start = p; }
  action port_end { port_end = p; }
  action params { if (params == nullptr) params = p; }
  action params_end { params_end = p; }
  action comma { comma = true; fbreak; }

  sent_protocol = token >protocol %protocol_end SLASH token >version %version_end SLASH
                  token >transport %transport_end;
  sent_by = host >host %host_end (COLON port >port %port_end)?;
  params_marked = (SWS (";" >params) SWS generic_param %params_end)*;
  main := SWS sent_protocol LWS sent_by params_marked SWS ("," @comma)?;
  write data noerror noentry;
}%%

}  // namespace

bool take_via(std::string_view& rest, Via& via) {
  const Byte* const start = reinterpret_cast<const Byte*>(rest.data());
  const Byte* p = start;
  const Byte* const pe = p + rest.size();
  const Byte* const eof = pe;
  const Byte *protocol = nullptr, *protocol_end = nullptr, *version = nullptr, *version_end = nullptr,
             *transport = nullptr, *transport_end = nullptr, *host_start = nullptr, *host_end = nullptr,
             *port_start = nullptr, *port_end = nullptr, *params = nullptr, *params_end = nullptr;
  bool comma = false;
  int cs = 0;
  %% write init;
  %% write exec;
  if (cs < sip_via_first_final || (comma && p == pe)) return false;
  via = {.protocol = between(protocol, protocol_end),
         .version = between(version, version_end),
         .transport = between(transport, transport_end),
         .host = between(host_start, host_end),
         .has_port = port_start != nullptr,
         .port = 0,
         .params = between(params, params_end)};
  for (const char digit : between(port_start, port_end)) via.port = static_cast<std::uint16_t>(via.port * 10 + (digit - '0'));
  rest.remove_prefix(static_cast<std::size_t>(p - start));
  return true;
}

std::string_view via_received(const Via& via) {
  std::string_view received = param_value(via.params, "received");
  if (received.size() > 2 && received.front() == '[' && received.back() == ']') {
    received = received.substr(1, received.size() - 2);
  }
  return received;
}

}  // namespace parley::sip
