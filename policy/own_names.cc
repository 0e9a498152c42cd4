// policy/own_names.cc - see own_names.h.
#include "policy/own_names.h"

#include "core/text_out.h"

namespace parley::policy {

namespace {

std::string_view via_name(core::Transport transport) {
  switch (transport) {
    case core::Transport::tcp: return "TCP";
    case core::Transport::tls: return "TLS";
    case core::Transport::ws: return "WS";
    case core::Transport::wss: return "WSS";
    default: return "UDP";
  }
}

void put_host_port(std::string& out, const sip::Listener& listener) {
  out.append(listener.host).append(":");
  put_number(out, listener.port);
}

}  // namespace

void put_number(std::string& out, std::uint32_t number) {
  char digits[20];
  core::TextOut text(digits);
  text.number(number);
  out.append(digits, text.size());
}

void put_via(std::string& out, core::Transport transport, const sip::Listener& listener, std::string_view branch) {
  out.append("SIP/2.0/").append(via_name(transport)).append(" ");
  put_host_port(out, listener);
  out.append(";branch=").append(branch);
}

std::string_view uri_transport(core::Transport transport) {
  switch (transport) {
    case core::Transport::tcp: return ";transport=tcp";
    case core::Transport::tls: return ";transport=tls";
    case core::Transport::ws:
    case core::Transport::wss: return ";transport=ws";
    default: return {};
  }
}

void put_listener_uri(std::string& out, core::Transport transport, const sip::Listener& listener, std::string_view user,
                      bool secure) {
  out.append(secure ? "sips:" : "sip:");
  if (!user.empty()) out.append(user).append("@");
  put_host_port(out, listener);
  if (!secure || transport != core::Transport::tls) out.append(uri_transport(transport));
}

}  // namespace parley::policy
