// msrp/relay_ws.cc - connections of WebSocket clients (RFC 7977, R7977-1, T-77): handshake, frames in and out,
// keep-alive.
//
// All of it stands between the loop's bytes and the relay's frames; sessions, routes and chunks do not know it.
#include <array>
#include <cstring>
#include <string>

#include "core/check.h"
#include "msrp/relay.h"

namespace parley::msrp {

using core::Metric;
using core::WebSocketEvent;
using Lane = core::Outbox::Lane;

namespace {

Metric counter_of(core::WebSocketRefusal refusal) {
  switch (refusal) {
    case core::WebSocketRefusal::version: return Metric::msrp_ws_refused_version;
    case core::WebSocketRefusal::subprotocol: return Metric::msrp_ws_refused_subprotocol;
    case core::WebSocketRefusal::path: return Metric::msrp_ws_refused_path;
    case core::WebSocketRefusal::origin: return Metric::msrp_ws_refused_origin;
    case core::WebSocketRefusal::none:
    case core::WebSocketRefusal::request: break;
  }
  return Metric::msrp_ws_refused_request;
}

// Of the header of a frame with so many bytes.
std::size_t header_bytes(std::uint64_t payload_bytes) {
  if (payload_bytes <= core::websocket_control_bytes_max) return 2;
  return payload_bytes <= 0xffff ? 4 : 10;
}

constexpr std::size_t header_bytes_max = 10;  // a server's: no mask

}  // namespace

void Relay::open_ws(Conn& conn) {
  conn.ws = std::make_unique<WsConn>(config_->ws_small_frames_max);
  conn.head_since = conn.ws->heard = now_.mono;  // the handshake has the time a head has
}

void Relay::on_ws_bytes(Conn& conn, core::Slice slice) {
  WsConn& ws = *conn.ws;
  ws.heard = now_.mono;
  ws.pinged_at = {};
  char* const base = pool_.at(slice);
  std::span<char> rest(base, slice.length);
  if (ws.handshake != nullptr && !take_handshake(conn, rest)) return;
  while (conn.writable()) {
    const WebSocketEvent event = ws.reader.read(rest);
    switch (event.kind) {
      case WebSocketEvent::Kind::none: return;
      case WebSocketEvent::Kind::data:
        conn.last_used = now_.mono;
        if (event.bytes.empty()) break;
        consume_all(conn, slice.part(static_cast<std::uint32_t>(event.bytes.data() - base),
                                     static_cast<std::uint32_t>(event.bytes.size())));
        break;
      case WebSocketEvent::Kind::ping:
        conn.last_used = now_.mono;
        write_unframed(conn, core::WebSocketControl::pong(event.bytes).view());
        break;
      case WebSocketEvent::Kind::pong: break;  // no use, only life: an idle connection is idle however we ping it
      case WebSocketEvent::Kind::close: end_ws(conn, event.code, Metric::msrp_ws_closed_peer); return;
      case WebSocketEvent::Kind::error:
        end_ws(
            conn, event.code,
            event.fault == core::WebSocketFault::frames ? Metric::msrp_ws_frames_limit : Metric::msrp_ws_closed_fault);
        return;
    }
  }
}

// True when it is done; `rest` is then what came behind it.
bool Relay::take_handshake(Conn& conn, std::span<char>& rest) {
  std::string answer;
  const auto result = conn.ws->handshake->take({rest.data(), rest.size()}, "msrp", config_->ws, answer);
  rest = rest.subspan(result.used);
  if (result.outcome == core::WebSocketHandshake::Outcome::need_more) return false;
  write_unframed(conn, answer);
  if (result.outcome == core::WebSocketHandshake::Outcome::refused) {
    count(counter_of(result.refusal));
    close(conn);
    return false;
  }
  conn.ws->handshake.reset();
  conn.head_since = {};
  count(Metric::msrp_ws_upgraded);
  if (conn.state == Conn::State::open) arm_conn_timer(conn);
  return true;
}

// A close frame is answered with one, and so is what breaks the protocol (RFC 6455 sections 5.5.1 and 7.1.7).
void Relay::end_ws(Conn& conn, std::uint16_t code, Metric why) {
  count(why);
  conn.ws->close_code = code;
  close(conn);
}

void Relay::say_goodbye(Conn& conn) {
  if (conn.ws->handshake == nullptr) write_unframed(conn, core::WebSocketControl::close(conn.ws->close_code).view());
}

// RFC 7977 section 6. False when the peer has answered none and its connection was ended.
bool Relay::keep_ws_alive(Conn& conn) {
  WsConn& ws = *conn.ws;
  if (now_.mono < ws_ping_due(conn)) return true;
  if (ws.pinged_at != core::Instant{}) {
    ws.close_code = core::websocket_code::going_away;
    count(Metric::msrp_ws_closed_silent);
    close(conn);
    return false;
  }
  if (conn.waiting_bytes() != 0) {
    ws.heard = now_.mono;  // --writer-timeout watches what it does not take
    return true;
  }
  ws.pinged_at = now_.mono;
  write_unframed(conn, core::WebSocketControl::ping({}).view());
  return true;
}

// When its silence is to be looked at; never while it is not read.
core::Instant Relay::ws_ping_due(const Conn& conn) const {
  const WsConn& ws = *conn.ws;
  if (ws.handshake != nullptr || conn.pausers != 0 || config_->ws_ping == core::Duration::zero()) return core::never;
  return (ws.pinged_at != core::Instant{} ? ws.pinged_at : ws.heard) + config_->ws_ping;
}

// --- writing ---------------------------------------------------------------------------------------------------------

// What is no part of an MSRP frame: the handshake's answer, and control frames, which may stand between the fragments
// of a message (RFC 6455 section 5.4).
void Relay::write_unframed(Conn& conn, std::string_view bytes) {
  if (conn.gone()) return;
  if (!out_->write(conn.id, Lane::back, bytes)) {
    out_of_memory(conn);
    return;
  }
  wrote(conn, bytes.size());
}

// The header stands right before its payload and is as short as it can be (RFC 6455 section 5.2): room is left for what
// `bytes` would need, and commit_ws moves the payload in the few cases in which that was not what it took.
char* Relay::reserve_ws(Conn& conn, Lane lane, std::size_t bytes) {
  char* const base = out_->reserve(lane, static_cast<std::uint32_t>(bytes + header_bytes_max));
  if (base == nullptr) {
    out_of_memory(conn);
    return nullptr;
  }
  ws_base_ = base;
  ws_room_ = header_bytes(bytes);
  return base + ws_room_;
}

void Relay::commit_ws(Conn& conn, Lane lane, std::uint32_t used, Piece piece) {
  char* const payload = ws_base_ + ws_room_;
  std::size_t header_size = 0;
  if (piece.kind != Piece::Kind::inside) {
    core::WebSocketFrame frame{.opcode = core::WebSocketOpcode::continuation, .fin = true, .payload_bytes = used};
    switch (piece.kind) {
      case Piece::Kind::whole:
        frame.opcode = piece.binary ? core::WebSocketOpcode::binary : core::websocket_opcode_for({payload, used});
        frame.payload_bytes += piece.follows;
        break;
      case Piece::Kind::begins:  // what will come is not known: binary can hold it
        frame.opcode = core::WebSocketOpcode::binary;
        frame.fin = false;
        break;
      case Piece::Kind::continues: frame.fin = false; break;
      default: break;
    }
    const core::WebSocketHeader header(frame);
    header_size = header.view().size();
    if (header_size != ws_room_) std::memmove(ws_base_ + header_size, payload, used);
    std::memcpy(ws_base_, header.view().data(), header_size);
  } else {
    std::memmove(ws_base_, payload, used);
  }
  out_->commit(conn.id, lane, static_cast<std::uint32_t>(header_size) + used);
  wrote(conn, header_size + used);
}

// The fragment's header goes to the arena, behind what is there already, and its payload by reference.
void Relay::announce_shared(Conn& conn, std::uint32_t bytes) {
  const core::WebSocketHeader header(
      {.opcode = core::WebSocketOpcode::continuation, .fin = false, .payload_bytes = bytes});
  if (!out_->write(conn.id, Lane::forward, header.view())) {
    out_of_memory(conn);
    return;
  }
  wrote(conn, header.view().size());
}

bool Relay::is_ws(ConnHandle handle) {
  const Conn* conn = live(handle);
  return conn != nullptr && conn->ws != nullptr;
}

// For a frame whose body goes by reference and is all there: one WebSocket frame around head, body and end-line.
Piece Relay::around(const Conn& dest, core::Slice body) {
  if (dest.ws == nullptr) return {};
  return {.binary = core::websocket_opcode_for(pool_.view(body)) == core::WebSocketOpcode::binary,
          .follows = body.length + end_line_bytes(tid_bytes)};
}

}  // namespace parley::msrp
