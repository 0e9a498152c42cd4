// sip/flow.h - where a SIP message came from and where one goes to, and a message as it was received.
//
// Values. A Flow stays comparable and printable after what it names has gone; sending on it then fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/address.h"
#include "core/seam.h"
#include "core/slot_map.h"
#include "sip/head.h"
#include "sip/verdict.h"

namespace parley::sip {

// A way to one peer: a connection of some shard, or an address that datagrams go to from one of our sockets.
struct Flow {
  core::Transport transport = core::Transport::udp;  // udp, tcp, tls, ws or wss
  std::uint16_t shard = 0;     // whose connection it is; of a datagram: the shard that received it
  std::uint16_t listener = 0;  // SIP listener: that accepted the connection, or whose socket a datagram came by and goes out
  core::SlotId connection;     // streams: the transport's name for it, in `shard`
  core::Address remote;

  [[nodiscard]] bool reliable() const { return transport != core::Transport::udp; }
  bool operator==(const Flow&) const = default;
};

// One message, read to its end. Everything points into memory that stays only while the message is handled.
struct Received {
  Flow flow;
  const Head& head;
  std::string_view bytes;  // from the first byte of the start line to the last of the body
  std::string_view body;
  const Verdict& verdict;
  const Essentials& essentials;  // what stands behind a mistake is missing

  // A dialog that it makes has to stay secure (RFC 3261 section 12.1.1).
  [[nodiscard]] bool secure() const {
    return essentials.uri.scheme == Scheme::sips &&
           (flow.transport == core::Transport::tls || flow.transport == core::Transport::wss);
  }
};

// What transactions send with. Implemented by the transport, and by tests.
class Wire {
 public:
  virtual ~Wire() = default;
  // One whole message. The bytes are taken over (copied) before this returns. False: the flow is known to be dead, or no
  // memory; nothing was sent. True promises nothing: a connection may still fail, of which the transport tells later.
  [[nodiscard]] virtual bool send(const Flow& flow, std::string_view message) = 0;
  // A connection to `to`, whose own is not valid(), for the response to a request whose connection is gone (R3263-3).
  // `host` is what a certificate has to match. Nothing where none can be made or none may.
  [[nodiscard]] virtual std::optional<Flow> reopen(const Flow& to, std::string_view host) = 0;
};

}  // namespace parley::sip
