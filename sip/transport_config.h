// sip/transport_config.h - what an operator decides about SIP transports, as one immutable value per reload.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/address.h"
#include "core/seam.h"
#include "core/time.h"
#include "core/websocket_server.h"
#include "sip/head.h"

namespace parley::sip {

// A listener as it is named in Via, Contact and Record-Route.
struct Listener {
  core::Transport transport = core::Transport::udp;
  std::string host;        // advertised: a name or a literal, IPv6 in brackets, lower case
  std::uint16_t port = 0;  // advertised
  core::Address bound;
};

struct TransportConfig {
  std::vector<Listener> listeners;     // index: Flow::listener; Input::socket of datagrams
  std::uint16_t listener_base = 0;     // PeerInfo::listener of the first one: other roles' listeners come before
  std::vector<core::Cidr> dial_deny;   // where nothing ever goes
  core::WebSocketWelcome ws;           // who may come by WebSocket

  HeadLimits head{.head_bytes_max = 16 * 1024, .headers_max = 128};  // Kamailio's sanity checks ask for 8 KiB
  std::uint32_t stream_message_bytes_max = 256 * 1024;  // a message over a stream; a datagram has 65,535
  std::uint64_t partial_bytes_max = 64 << 20;           // of all messages that are incomplete, per shard
  std::uint32_t queue_bytes_max = 1024 * 1024;          // written to a connection that does not take it: then sends fail
  std::uint32_t dial_waiting_bytes_max = 256 * 1024;    // waiting for a connection to come up
  std::uint32_t dials_max = 500;
  std::uint32_t connections_max = 1'000'000;            // the loop's own limit is met first
  core::Duration first_message = std::chrono::seconds(10);  // from accept to a complete head, or WebSocket upgrade
  core::Duration message_timeout = std::chrono::seconds(30);  // a message that has begun must be complete
  core::Duration half_closed = std::chrono::seconds(32);  // 64*T1: as long as a response may take
  core::Duration idle = std::chrono::seconds(120);      // of a connection that no binding relies on
};

}  // namespace parley::sip
