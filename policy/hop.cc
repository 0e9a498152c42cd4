// policy/hop.cc - see hop.h.
#include "policy/hop.h"

#include "core/text.h"

namespace parley::policy {

core::Transport transport_of(const sip::Uri& uri, bool& said) {
  said = true;
  const std::string_view name = sip::uri_parameter(uri, "transport");
  const bool secure = uri.scheme == sip::Scheme::sips;
  if (core::equal_ignore_case(name, "tls")) return core::Transport::tls;
  if (core::equal_ignore_case(name, "tcp")) return secure ? core::Transport::tls : core::Transport::tcp;
  if (core::equal_ignore_case(name, "udp")) return core::Transport::udp;
  if (core::equal_ignore_case(name, "ws")) return secure ? core::Transport::wss : core::Transport::ws;
  if (core::equal_ignore_case(name, "wss")) return core::Transport::wss;
  said = false;
  return secure ? core::Transport::tls : core::Transport::udp;
}

std::string_view host_of(const sip::Uri& uri) {
  const std::string_view maddr = sip::uri_parameter(uri, "maddr");
  return maddr.empty() ? uri.host : maddr;
}

bool literal_hop(std::string_view text, Hop& hop) {
  sip::Uri uri;
  if (!sip::parse_uri(text, uri)) return false;
  bool said = false;
  hop.transport = transport_of(uri, said);
  const std::uint16_t standard = hop.transport == core::Transport::tls ? 5061 : 5060;
  const std::string_view host = host_of(uri);
  const auto address = core::parse_ip(host, uri.has_port ? uri.port : standard);
  if (!address) return false;
  hop.address = *address;
  if (hop.transport == core::Transport::tls) hop.tls_name = std::string(uri.host);
  return true;
}

}  // namespace parley::policy
