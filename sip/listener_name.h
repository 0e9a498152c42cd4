// sip/listener_name.h - what a listener is called where it has to be found again by another process.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/address.h"
#include "sip/transport_config.h"

namespace parley::sip {

// "udp 192.0.2.1:5060"
[[nodiscard]] std::string listener_name(const Listener& listener);

// The listener that `name` was, else, unless it has to be the same, one of the same transport for the same kind of
// address; end: none.
[[nodiscard]] std::span<const Listener>::iterator find_listener(std::string_view name, core::Address::Family family,
                                                                std::span<const Listener> listeners, bool same);

}  // namespace parley::sip
