// policy/own_names.h - how this server names itself in what it writes: Via and the URIs of its listeners.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/seam.h"
#include "sip/transport_config.h"

namespace parley::policy {

void put_number(std::string& out, std::uint32_t number);

// The value of a Via for a request that leaves by `transport`; `listener` is who its response comes back to.
void put_via(std::string& out, core::Transport transport, const sip::Listener& listener, std::string_view branch);

// What a URI has to say for this transport: ";transport=tcp", nothing for UDP (RFC 7118 section 5.2: ws for both).
[[nodiscard]] std::string_view uri_transport(core::Transport transport);

// "sip:user@host:port;transport=tcp", without a user when that is empty. `secure`: sips, which needs no transport
// where that is TLS.
void put_listener_uri(std::string& out, core::Transport transport, const sip::Listener& listener, std::string_view user,
                      bool secure = false);

}  // namespace parley::policy
