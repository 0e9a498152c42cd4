// sip/transport.cc - what comes in by kind, sending, timers. See transport.h.
#include "sip/transport.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "sip/stun.h"

namespace parley::sip {

using core::Metric;
using Lane = core::Outbox::Lane;

Transport::Transport(const Parts& parts)
    : shard_(parts.shard),
      pool_(parts.pool),
      metrics_(parts.metrics),
      config_(parts.config),
      connections_(parts.config->connections_max) {}

Transport::~Transport() {
  connections_.for_each([this](core::SlotId, Connection& c) { wheel_.cancel(c.timer); });
}

void Transport::begin(const core::Now& now, core::Outbox& out) {
  now_ = now;
  out_ = &out;
}

void Transport::end() {
  settle_last();
  while (core::Timer* timer = wheel_.expire_one(now_.mono)) {
    Connection* const c = connections_.get(core::SlotId::unpack(timer->owner));
    CHECK(c != nullptr);
    on_timer(*c);
  }
}

// --- what comes in

void Transport::take(const core::Input& input) {
  using Kind = core::Input::Kind;
  settle_last();
  cursor_ = {};
  service_mail_.reset();
  switch (input.kind) {
    case Kind::opened: on_opened(input); return;
    case Kind::connected: on_connected(input); return;
    case Kind::connect_failed: on_connect_failed(input); return;
    case Kind::datagram:
      cursor_.kind = Cursor::Kind::datagram;
      cursor_.at = pool_.at(input.slice);
      cursor_.size = input.slice.length;
      cursor_.flow = {.transport = core::Transport::udp,
                      .shard = static_cast<std::uint16_t>(shard_),
                      .listener = input.socket,
                      .connection = {},
                      .remote = *input.source};
      return;
    case Kind::mail: on_mail(input); return;
    default: break;
  }
  Connection* const c = find(input.conn);
  if (c == nullptr) return;
  switch (input.kind) {
    case Kind::bytes: on_bytes(input); return;
    case Kind::half_closed: on_half_closed(*c); return;
    case Kind::closed: on_closed(*c); return;
    case Kind::sent:
      c->queued_bytes -= std::min(c->queued_bytes, input.count);
      if (c->paused && c->queued_bytes < config_->queue_bytes_max / 4) {
        c->paused = false;
        out_->resume(c->conn);
      }
      return;
    default: return;
  }
}

void Transport::on_opened(const core::Input& input) {
  CHECK(input.peer->listener >= config_->listener_base);
  const auto listener = static_cast<std::uint16_t>(input.peer->listener - config_->listener_base);
  CHECK(listener < config_->listeners.size());
  Connection* const c = make(config_->listeners[listener].transport, listener);
  if (c == nullptr || draining_) {
    if (c != nullptr) {
      forget(*c);
    } else {
      count(Metric::sip_connections_limit);
    }
    out_->close(input.conn);
    return;
  }
  c->conn = input.conn;
  c->remote = input.peer->remote;
  if (!input.peer->verified_names.empty()) {
    c->verified_names = std::make_unique<std::vector<std::string>>(input.peer->verified_names);
  }
  if (by_conn_.size() <= input.conn.index) by_conn_.resize(input.conn.index + std::size_t{1});
  by_conn_[input.conn.index] = c->self;
  c->begun = now_.mono;
  if (c->transport == core::Transport::ws || c->transport == core::Transport::wss) {
    c->state = State::upgrading;
    c->ws = std::make_unique<WsConn>(config_->stream_message_bytes_max);
  }
  arm(*c);
}

void Transport::on_bytes(const core::Input& input) {
  Connection& c = *find(input.conn);
  c.last_used = c.last_heard = now_.mono;
  cursor_.kind = c.ws != nullptr ? Cursor::Kind::ws : Cursor::Kind::stream;
  cursor_.connection = c.self;
  cursor_.at = pool_.at(input.slice);
  cursor_.size = input.slice.length;
}

// Responses to what was asked may still be read; requests to it would not be answered.
void Transport::on_half_closed(Connection& c) {
  drop_partial(c);
  if (c.ws != nullptr || c.unanswered == 0) {
    close_now(c);
    return;
  }
  c.begun = {};
  c.half_closed = true;
  c.last_used = now_.mono;
  gone_.push_back(flow_of(c));
  if (c.target != nullptr) dialled_.erase(key_of(*std::exchange(c.target, nullptr)));
  arm(c);
}

void Transport::on_closed(Connection& c) {
  gone_.push_back(flow_of(c));
  forget(c);
}

void Transport::on_mail(const core::Input& input) {
  ShardMail mail;
  if (!read_mail(pool_.view(input.slice), mail)) return;
  switch (mail.kind) {
    case MailKind::send:
      if (!send(mail.flow, mail.payload)) {
        put_mail(scratch_, MailKind::flow_gone, mail.flow, {});
        out_->mail(input.from_shard, scratch_);
      }
      return;
    case MailKind::received:
      cursor_.kind = Cursor::Kind::mail;
      cursor_.flow = mail.flow;
      cursor_.at = pool_.at(input.slice) + (input.slice.length - mail.payload.size());
      cursor_.size = mail.payload.size();
      return;
    case MailKind::flow_gone: gone_.push_back(mail.flow); return;
    case MailKind::service: service_mail_ = mail.payload; return;
  }
}

const Received* Transport::next() {
  settle_last();
  switch (cursor_.kind) {
    case Cursor::Kind::none: return nullptr;
    case Cursor::Kind::stream: return next_of_stream();
    case Cursor::Kind::ws: return next_of_ws();
    case Cursor::Kind::datagram: return next_datagram();
    case Cursor::Kind::mail: return next_mail();
  }
  return nullptr;
}

const Received* Transport::next_datagram() {
  std::string_view bytes = cursor_.rest();
  cursor_.kind = Cursor::Kind::none;
  const Flow flow = cursor_.flow;
  std::array<char, stun_response_bytes_max> room;
  const bool stun = looks_like_stun(bytes);
  const std::string_view answer = stun ? stun_response(bytes, flow.remote, room) : std::string_view{};
  if (!answer.empty()) {
    count(Metric::sip_keep_alives);
    (void)send_datagram(flow, answer);
    return nullptr;
  }
  if (stun || bytes.empty()) {
    count(Metric::sip_others);
    count(Metric::sip_not_sip);
    return nullptr;
  }
  bytes.remove_prefix(leading_lines(bytes).bytes);
  if (bytes.empty() || bytes == "\r") {
    count(Metric::sip_keep_alives);
    return nullptr;
  }
  return parse_whole(flow, bytes, false);
}

const Received* Transport::next_mail() {
  if (cursor_.size == 0) return nullptr;
  const std::string_view bytes = cursor_.rest();
  cursor_.size = 0;
  return parse_whole(cursor_.flow, bytes, false);
}

// Bytes that are one message, whatever its Content-Length says.
const Received* Transport::parse_whole(const Flow& flow, std::string_view bytes, bool stream) {
  parser_.reset();
  Progress progress = parser_.parse(bytes, config_->head);
  if (progress == Progress::need_more) progress = parser_.end_of_datagram(bytes, config_->head);
  (void)progress;  // what is wrong stands in the head, and judge sees it
  return deliver(flow, parser_.head(), bytes, stream);
}

const Received* Transport::deliver(const Flow& flow, const Head& head, std::string_view bytes, bool stream) {
  const std::size_t behind = head.length == 0 ? 0 : bytes.size() - head.length;
  const Carrier carrier{.stream = stream, .body_bytes = behind};
  verdict_ = judge(head, head.length == 0 ? bytes : bytes.substr(0, head.length), carrier, essentials_);
  std::string_view body;
  if (head.length != 0) body = bytes.substr(head.length, std::min(body_length(head, carrier), behind));
  const std::string_view whole = head.length == 0 ? bytes : bytes.substr(0, head.length + body.size());
  if (cursor_.kind != Cursor::Kind::mail) {  // that was counted where it arrived
    count(head.error == HeadError::not_sip ? Metric::sip_others
          : head.request()                 ? Metric::sip_requests
                                           : Metric::sip_responses);
  }
  if (head.request() && head.method != Method::ack) {
    if (Connection* const c = find(flow)) ++c->unanswered;
  }
  received_.emplace(Received{flow, head, whole, body, verdict_, essentials_});
  if (verdict_.lost_in_stream) ending_.push_back(flow.connection);
  return &*received_;
}

// The message that was delivered last is handled: what it showed may go.
void Transport::settle_last() {
  received_.reset();
  handled_.reset();
  for (const core::SlotId id : ending_) {
    Connection* const c = connections_.get(id);
    if (c == nullptr) continue;
    if (c->half_closed) {
      close_now(*c);
    } else {
      close_now(*c, Metric::sip_framing_lost);
    }
  }
  ending_.clear();
}

bool Transport::next_gone(Flow& flow) {
  if (gone_.empty()) return false;
  flow = gone_.front();
  gone_.pop_front();
  return true;
}

// --- sending

bool Transport::send(const Flow& flow, std::string_view message) {
  if (!flow.reliable()) return send_datagram(flow, message);
  if (flow.shard != shard_) {
    put_mail(scratch_, MailKind::send, flow, message);
    out_->mail(flow.shard, scratch_);
    return true;
  }
  Connection* const c = find(flow);
  if (c == nullptr) return false;
  switch (c->state) {
    case State::dialling:
      if (c->waiting->size() + message.size() > config_->dial_waiting_bytes_max) {
        count(Metric::sip_queue_limit);
        return false;
      }
      c->waiting->append(message);
      return true;
    case State::upgrading: return false;  // nobody has asked for anything yet
    case State::open: break;
  }
  if (c->queued_bytes + message.size() > config_->queue_bytes_max) {
    count(Metric::sip_queue_limit);
    return false;
  }
  note_answer(*c, message);
  if (c->ws == nullptr) return write(*c, message);
  const core::WebSocketHeader header({.opcode = core::websocket_opcode_for(message), .payload_bytes = message.size()});
  if (!write(*c, header.view())) return false;
  if (write(*c, message)) return true;
  close_now(*c);  // a frame without its payload: nothing that follows could be read
  return false;
}

// The last answer that a connection waited for whose peer has nothing more to say.
void Transport::note_answer(Connection& c, std::string_view message) {
  constexpr std::string_view start = "SIP/2.0 ";
  const bool final = message.starts_with(start) && message.size() > start.size() && message[start.size()] >= '2';
  if (!final || c.unanswered == 0) return;
  --c.unanswered;
  if (c.half_closed && c.unanswered == 0) ending_.push_back(c.self);
}

bool Transport::write(Connection& c, std::string_view bytes) {
  if (!out_->write(c.conn, Lane::forward, bytes)) {
    count(Metric::sip_no_memory);
    return false;
  }
  c.queued_bytes += bytes.size();
  c.last_used = now_.mono;
  hold_back(c);
  return true;
}

// Who does not read what we answer is not read either.
void Transport::hold_back(Connection& c) {
  if (c.paused || c.queued_bytes <= config_->queue_bytes_max / 2) return;
  c.paused = true;
  out_->pause(c.conn);
}

bool Transport::send_datagram(const Flow& flow, std::string_view message) {
  constexpr std::size_t datagram_bytes_max = 65'507;
  if (message.size() > datagram_bytes_max || flow.listener >= config_->listeners.size()) return false;
  const auto bytes = static_cast<std::uint32_t>(message.size());
  char* const at = out_->reserve(Lane::forward, bytes);
  if (at == nullptr) {
    count(Metric::sip_no_memory);
    return false;
  }
  std::memcpy(at, message.data(), bytes);
  out_->commit_datagram(flow.listener, flow.remote, Lane::forward, bytes);
  return true;
}

void Transport::pass_on(std::uint32_t shard, const Received& message) {
  put_mail(scratch_, MailKind::received, message.flow, message.bytes);
  out_->mail(shard, scratch_);
}

void Transport::send_mail(std::uint32_t shard, std::string_view payload, bool kept) {
  put_mail(scratch_, MailKind::service, {}, payload);
  out_->mail(shard, scratch_, kept);
}

// --- connections

Transport::Connection* Transport::make(core::Transport transport, std::uint16_t listener) {
  const core::SlotId id = connections_.emplace();
  if (!id.valid()) return nullptr;
  Connection& c = *connections_.get(id);
  c.self = id;
  c.transport = transport;
  c.listener = listener;
  c.last_used = c.last_heard = now_.mono;
  c.timer.owner = id.packed();
  count(Metric::sip_connections);
  return &c;
}

Transport::Connection* Transport::find(core::ConnId conn) {
  if (conn.index >= by_conn_.size()) return nullptr;
  Connection* const c = connections_.get(by_conn_[conn.index]);
  return c != nullptr && c->conn == conn ? c : nullptr;
}

Transport::Connection* Transport::find(const Flow& flow) {
  return flow.shard == shard_ && flow.reliable() ? connections_.get(flow.connection) : nullptr;
}
const Transport::Connection* Transport::find(const Flow& flow) const { return const_cast<Transport*>(this)->find(flow); }

Flow Transport::flow_of(const Connection& c) const {
  return {.transport = c.transport,
          .shard = static_cast<std::uint16_t>(shard_),
          .listener = c.listener,
          .connection = c.self,
          .remote = c.remote};
}

void Transport::close_now(Connection& c, Metric why) {
  count(why);
  close_now(c);
}

void Transport::close_now(Connection& c) {
  if (c.conn.valid()) out_->close(c.conn);
  gone_.push_back(flow_of(c));
  forget(c);
}

void Transport::close(const Flow& flow) {
  if (Connection* const c = find(flow)) close_now(*c);
}

void Transport::forget(Connection& c) {
  drop_partial(c);
  if (c.ws != nullptr) metrics_.sub(Metric::sip_partial_bytes, c.ws->message.size());
  wheel_.cancel(c.timer);
  if (c.target != nullptr) dialled_.erase(key_of(*c.target));
  if (c.token != 0) dials_.erase(c.token);
  metrics_.sub(Metric::sip_connections);
  connections_.erase(c.self);
}

void Transport::keep_until(const Flow& flow, core::Instant until, core::Duration silence_max) {
  Connection* const c = find(flow);
  if (c == nullptr) return;
  c->keep_until = std::max(c->keep_until, until);
  if (silence_max != core::Duration{}) c->silence_max = silence_max;
  c->proven = true;
  arm(*c);
}

void Transport::prove(const Flow& flow) {
  Connection* const c = find(flow);
  if (c == nullptr || c->proven) return;
  c->proven = true;
  arm(*c);
}

bool Transport::proven(const Flow& flow) const {
  const Connection* const c = find(flow);
  return c != nullptr && c->proven;
}

void Transport::find_idle_strangers(core::Duration silence, std::vector<Flow>& out) {
  constexpr std::uint32_t at_a_time = 64;
  connections_.sweep(strangers_at_, at_a_time, [&](core::SlotId, const Connection& c) {
    if (c.proven || c.dialled || c.verified_names != nullptr || c.partial != nullptr) return;
    if (c.unanswered != 0 || c.queued_bytes != 0 || now_.mono - c.last_used < silence) return;
    if (c.ws != nullptr && !c.ws->message.empty()) return;
    if (c.state == State::open || c.state == State::upgrading) out.push_back(flow_of(c));
  });
}

bool Transport::established(const Flow& flow) const {
  const Connection* const c = flow.reliable() ? find(flow) : nullptr;
  return c != nullptr && c->state == State::open;
}

bool Transport::accepted(const Flow& flow) const {
  if (!flow.reliable()) return false;
  const Connection* const c = find(flow);
  return c == nullptr || !c->dialled;
}

std::span<const std::string> Transport::verified_names(const Flow& flow) const {
  const Connection* const c = find(flow);
  if (c == nullptr || c->verified_names == nullptr) return {};
  return *c->verified_names;
}

void Transport::drain() { draining_ = true; }

// --- time

// When a connection on which nothing more happens ends.
core::Instant Transport::quiet_end(const Connection& c) const {
  if (c.half_closed) return c.last_used + config_->half_closed;
  core::Instant end = std::max(c.last_used + config_->idle, c.keep_until);
  if (c.silence_max != core::Duration{}) end = std::min(end, c.last_heard + c.silence_max);
  return end;
}

void Transport::arm(Connection& c) {
  core::Instant due = quiet_end(c);
  if (c.begun != core::Instant{}) {
    const bool first = !c.proven && c.partial == nullptr;
    due = std::min(due, c.begun + (first ? config_->first_message : config_->message_timeout));
  }
  // One that is armed earlier looks again then.
  if (!c.timer.armed() || c.timer.due() > due) wheel_.arm(c.timer, due);
}

void Transport::on_timer(Connection& c) {
  if (c.state == State::dialling) return;  // the loop has a timer for that
  if (c.begun != core::Instant{}) {
    const bool first = !c.proven && c.partial == nullptr;
    if (now_.mono >= c.begun + (first ? config_->first_message : config_->message_timeout)) {
      close_now(c, Metric::sip_message_timeout);
      return;
    }
  }
  if (now_.mono >= quiet_end(c)) {
    close_now(c, Metric::sip_idle_closed);
    return;
  }
  arm(c);
}

}  // namespace parley::sip
