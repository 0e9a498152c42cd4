// sip/transport_ws.cc - WebSocket connections (RFC 7118): one SIP message in one WebSocket message. See transport.h.
#include <utility>

#include "sip/transport.h"

namespace parley::sip {

using core::Metric;
using core::WebSocketEvent;

const Received* Transport::next_of_ws() {
  for (;;) {
    Connection* const c = connections_.get(cursor_.connection);
    if (c == nullptr || cursor_.size == 0) return nullptr;
    if (c->state == State::upgrading) {
      upgrade(*c);
      continue;
    }
    std::span<char> rest(cursor_.at, cursor_.size);
    const WebSocketEvent event = c->ws->reader.read(rest);
    cursor_.at = rest.data();
    cursor_.size = rest.size();
    switch (event.kind) {
      case WebSocketEvent::Kind::none: cursor_.size = 0; return nullptr;
      case WebSocketEvent::Kind::data:
        if (const Received* const message = ws_data(*c, event)) return message;
        continue;
      case WebSocketEvent::Kind::ping:
        count(Metric::sip_keep_alives);
        if (c->queued_bytes < config_->queue_bytes_max) (void)write(*c, core::WebSocketControl::pong(event.bytes).view());
        continue;
      case WebSocketEvent::Kind::pong: continue;
      case WebSocketEvent::Kind::close: ws_end(*c, event.code, Metric::sip_ws_closed); return nullptr;
      case WebSocketEvent::Kind::error: ws_end(*c, event.code, Metric::sip_ws_faults); return nullptr;
    }
  }
}

void Transport::upgrade(Connection& c) {
  scratch_.clear();
  const auto result = c.ws->handshake->take(cursor_.rest(), "sip", config_->ws, scratch_);
  cursor_.skip(result.used);
  if (result.outcome == core::WebSocketHandshake::Outcome::need_more) return;
  (void)write(c, scratch_);
  if (result.outcome == core::WebSocketHandshake::Outcome::refused) {
    close_now(c, Metric::sip_ws_refused);
    return;
  }
  c.ws->handshake.reset();
  c.state = State::open;
}

const Received* Transport::ws_data(Connection& c, const WebSocketEvent& event) {
  std::vector<char>& kept = c.ws->message;
  if (!event.ends_message) {
    if (metrics_.get(Metric::sip_partial_bytes) + event.bytes.size() > config_->partial_bytes_max) {
      ws_end(c, core::websocket_code::too_big, Metric::sip_partial_limit);
      return nullptr;
    }
    if (c.begun == core::Instant{}) c.begun = now_.mono;
    kept.insert(kept.end(), event.bytes.begin(), event.bytes.end());
    metrics_.add(Metric::sip_partial_bytes, event.bytes.size());
    arm(c);
    return nullptr;
  }
  std::string_view whole = event.bytes;
  if (!kept.empty()) {
    kept.insert(kept.end(), event.bytes.begin(), event.bytes.end());
    handled_ = std::make_unique<Partial>();
    handled_->bytes = std::move(kept);
    kept = {};
    metrics_.sub(Metric::sip_partial_bytes, handled_->bytes.size() - event.bytes.size());
    whole = {handled_->bytes.data(), handled_->bytes.size()};
  }
  const LeadingLines lead = leading_lines(whole);
  whole.remove_prefix(lead.bytes);
  if (whole.empty()) {  // RFC 7118 section 6: CRLF keep-alives may come here too
    count(Metric::sip_keep_alives);
    if (lead.lines >= 2) (void)send(flow_of(c), "\r\n");
    return nullptr;
  }
  c.begun = {};
  return parse_whole(flow_of(c), whole, false);
}

// A close frame is answered with one, and so is what breaks the protocol.
void Transport::ws_end(Connection& c, std::uint16_t code, Metric why) {
  (void)write(c, core::WebSocketControl::close(code).view());
  close_now(c, why);
}

}  // namespace parley::sip
