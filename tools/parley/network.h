// tools/parley/network.h - what the client needs of the machine before it runs: where the server is, which address of
// ours leads there, sockets.
#pragma once

#include <string>

#include "core/loop.h"
#include "sip/transport.h"
#include "tools/parley/settings.h"

namespace parley::client {

struct Network {
  std::string error{};  // not empty: nothing else counts
  int exit = 0;         // with error
  sip::Destination server{};
  core::Address own;           // without port
  std::string host{};          // of URIs: IPv6 in brackets
  std::uint16_t sip_port = 0;  // of our Contact
  std::uint16_t msrp_port = 0;
  std::shared_ptr<const sip::TransportConfig> transport{};
  std::vector<core::Listener> listeners{};  // id 0: MSRP; from transport->listener_base on: SIP
  std::vector<core::DatagramSocket> sockets{};
};
[[nodiscard]] Network open_network(const Settings& settings);

}  // namespace parley::client
