// sip/response_route.h - where the response to a request goes, for server transactions and stateless answers alike
// (R3261-13; RFC 3261 section 18.2.2, RFC 3581 section 4).
#pragma once

#include <array>
#include <cstdint>

#include "sip/flow.h"
#include "sip/via.h"
#include "sip/writer.h"

namespace parley::sip {

// The port of sent-by, or the one its transport has by default: 5060, 5061 for TLS, 80 and 443 for WebSocket.
[[nodiscard]] std::uint16_t sent_by_port(const Via& via);

// Streams: the connection the request came by. Datagrams: the address it came from, at its port when the topmost Via
// has rport, otherwise at the port of sent-by. `maddr` is not honoured: it would let a sender aim our responses at
// others.
[[nodiscard]] Flow response_flow(const Received& request);

// When that connection is gone: a new one to the address the request came from, at the port of sent-by. The Flow's
// connection is not valid(): it has to be opened. No flow at all (port 0) for datagrams, which have no connection, and
// for WebSocket, whose clients can not be called.
[[nodiscard]] Flow second_response_flow(const Flow& flow, std::uint16_t sent_by_port);

// What the topmost Via of a request gets before it is copied into a response or forwarded: `received` when sent-by is
// not the source address, and always beside rport. `flow` is the request's or its response_flow; `room` holds the
// address.
using ReceivedText = std::array<char, 48>;
[[nodiscard]] ViaStamp via_stamp(const Via& via, const Flow& flow, ReceivedText& room);

}  // namespace parley::sip
