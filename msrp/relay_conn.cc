// msrp/relay_conn.cc - the relay's connections: their life, their timers, and how slow receivers hold their senders back.
#include <algorithm>

#include "core/check.h"
#include "msrp/relay.h"

namespace parley::msrp {

namespace {
// How often a draining shard without sessions looks whether the others have any.
constexpr core::Duration drain_look = std::chrono::milliseconds(250);
}  // namespace

using core::Metric;
using Lane = core::Outbox::Lane;

Relay::Relay(const Parts& parts)
    : shard_(parts.shard),
      shard_count_(parts.shard_count),
      pool_(parts.pool),
      metrics_(parts.metrics),
      table_(parts.table),
      random_(parts.random),
      config_(parts.config),
      auth_(parts.random),
      conns_(1U << 20),
      sessions_(parts.config->sessions_max),
      transactions_(parts.random),
      ends_(*this, parts.random, parts.config->ends_max) {}

Relay::~Relay() {
  conns_.for_each([this](core::SlotId, Conn& conn) { wheel_.cancel(conn.timer); });
  sessions_.for_each([this](core::SlotId, Session& session) {
    wheel_.cancel(session.timer);
    table_.erase(session.key);
  });
  for (auto& in : inbounds_) wheel_.cancel(in->timer);
}

void Relay::begin(const core::Now& now, core::Outbox& out) {
  out_ = &out;
  now_ = now;
}

void Relay::take(std::span<const core::Input> batch) {
  for (const core::Input& input : batch) {
    using Kind = core::Input::Kind;
    switch (input.kind) {
      case Kind::bytes:
        if (Conn* conn = find(input.conn)) {
          on_bytes(*conn, input.slice);
        } else {
          // Given away earlier in this batch: what came behind follows it.
          for (core::HandOver& given : out_->hand_overs()) {
            if (given.conn == input.conn) given.unused.append(pool_.view(input.slice));
          }
        }
        break;
      case Kind::sent:
        if (Conn* conn = find(input.conn)) on_sent(*conn, input.count);
        break;
      case Kind::opened: on_opened(input, input.peer->transport == core::Transport::pipe ? Conn::Kind::pipe_in : Conn::Kind::accepted); break;
      case Kind::connected: on_connected(input); break;
      case Kind::connect_failed: on_connect_failed(input); break;
      case Kind::half_closed:
        if (Conn* conn = find(input.conn)) on_half_closed(*conn);
        break;
      case Kind::closed:
        if (Conn* conn = find(input.conn)) forget(*conn);
        break;
      case Kind::resolved: on_resolved(*input.resolution); break;
      case Kind::admin: on_admin(*input.admin); break;
      case Kind::reload: break;  // see reload()
      case Kind::drain: on_drain(); break;
      case Kind::datagram:
      case Kind::mail:
      case Kind::stored: break;  // MSRP has none of these
    }
  }
  run_timers();
  end_failed();
}

void Relay::run_timers() {
  expire_transactions();
  ends_.expire_fan_outs();
  while (core::Timer* timer = wheel_.expire_one(now_.mono)) {
    switch (timer->kind) {
      case timer_conn:
        if (Conn* conn = live(core::SlotId::unpack(timer->owner))) on_conn_timer(*conn);
        break;
      case timer_session:
        if (Session* session = sessions_.get(core::SlotId::unpack(timer->owner))) {
          end_session(*session, SessionEnd::expired);
        }
        break;
      case timer_end: ends_.on_timer(core::SlotId::unpack(timer->owner)); break;
      case timer_inbound: on_inbound_timer(*inbounds_[timer->owner]); break;
      default: CHECK(false);
    }
  }
}

void Relay::end_failed() {
  // Ending one may leave another without memory for its report: the list may grow while it is worked off.
  for (std::size_t i = 0; i < failed_.size(); ++i) {
    Conn* conn = conns_.get(failed_[i]);
    if (conn == nullptr || conn->state == Conn::State::closed) continue;
    if (conn->state == Conn::State::open) out_->abort(conn->id);
    forget(*conn);
  }
  failed_.clear();
}

void Relay::finish() {
  end_failed();
  for (const ConnHandle handle : dead_) conns_.erase(handle);
  dead_.clear();
  metrics_.set(Metric::relay_sessions, sessions_.size());
  metrics_.set(Metric::relay_transactions, transactions_.outside());
  metrics_.set(Metric::msrp_ends, ends_.live());
  deadline_ = std::min({wheel_.next_deadline(), transactions_.next_due(), ends_.next_due()});
  if (ends_.finish()) deadline_ = now_.mono;  // facts of connections that have just failed
  if (draining_) {
    // Sessions go on until their clients end them; how long that may take is the loop's and the operator's decision.
    bool busy = transactions_.live() != 0 || !sessions_.empty() || ends_.live() != 0;
    conns_.for_each([&](core::SlotId, Conn& conn) { busy |= conn.inbound != nullptr || conn.waiting_bytes() != 0; });
    // A shard without sessions may still carry what belongs to another's: peers that are connected here, pipes. The
    // loop would end them, so it goes when the last session of the process has gone; nobody tells us, we look.
    if (!busy && table_.count() != 0) {
      busy = true;
      deadline_ = std::min(deadline_, now_.mono + drain_look);
    }
    drained_ = !busy;
  }
  out_ = nullptr;
}

// --- life ------------------------------------------------------------------------------------------------------------

Conn* Relay::find(core::ConnId id) {
  if (id.index >= by_loop_index_.size()) return nullptr;
  Conn* conn = conns_.get(by_loop_index_[id.index]);
  return conn != nullptr && conn->id == id && !conn->gone() ? conn : nullptr;
}

Conn* Relay::live(ConnHandle handle) {
  Conn* conn = conns_.get(handle);
  return conn != nullptr && !conn->gone() ? conn : nullptr;
}

Conn* Relay::make_conn(Conn::Kind kind) {
  const ConnHandle handle = conns_.emplace();
  CHECK(handle.valid());  // the loop's own limit is far below the map's
  Conn* conn = conns_.get(handle);
  conn->self = handle;
  conn->kind = kind;
  conn->timer.kind = timer_conn;
  conn->timer.owner = handle.packed();
  conn->opened_at = conn->last_used = now_.mono;
  return conn;
}

void Relay::on_opened(const core::Input& input, Conn::Kind kind) {
  Conn* conn = make_conn(kind);
  know_peer(*conn, input.conn, *input.peer);
  // A certificate that chained to the trusted CA makes the peer a relay (RFC 4976 section 6.1). Of a pipe the shard that
  // opened it says what it serves.
  conn->relay_peer = conn->is_pipe() ? input.peer->relay_peer : conn->names != nullptr;
  if (conn->transport == core::Transport::ws || conn->transport == core::Transport::wss) open_ws(*conn);
  if (!conn->is_pipe()) arm_conn_timer(*conn);
  open_pipes(*conn);
}

void Relay::on_connected(const core::Input& input) {
  const auto found = dials_.find(input.token);
  Conn* conn = found == dials_.end() ? nullptr : live(found->second);
  if (found != dials_.end()) dials_.erase(found);
  if (conn == nullptr) {
    out_->close(input.conn);
    return;
  }
  conn->state = Conn::State::open;
  conn->proven = true;  // we chose it
  conn->last_used = now_.mono;
  know_peer(*conn, input.conn, *input.peer);
  if (std::string& backlog = conn->dialled->backlog; !backlog.empty()) {
    if (!out_->write(conn->id, Lane::forward, backlog)) {
      count(Metric::relay_no_memory);
      close(*conn);
      return;
    }
    backlog = {};
  }
  if (conn->dialled->close_when_up) {
    leave_pipe(*conn);
    return;
  }
  if (!conn->is_pipe()) arm_conn_timer(*conn);
  open_pipes(*conn);
}

void Relay::on_connect_failed(const core::Input& input) {
  const auto found = dials_.find(input.token);
  if (found == dials_.end()) return;
  Conn* conn = live(found->second);
  dials_.erase(found);
  if (conn == nullptr) return;
  if (conn->is_pipe()) {
    forget(*conn);
  } else {
    try_next_address(*conn);
  }
}

void Relay::on_half_closed(Conn& conn) {
  // The peer sends no more: a frame cut short is aborted towards its receiver, and there is nobody left to answer us,
  // so the connection ends when what it was sent has left.
  close(conn);
}

void Relay::prove(Conn& conn) {
  if (conn.proven) return;
  conn.proven = true;
  conn.misses = 0;
}

void Relay::close(Conn& conn) {
  if (conn.state == Conn::State::closed) return;
  // A frame that is open towards it ends properly before the connection does.
  if (conn.open_chunk != nullptr && conn.state == Conn::State::open && !conn.failed) end_chunk(*conn.open_chunk, conn, Flag::more);
  if (conn.ws != nullptr) say_goodbye(conn);
  if (conn.state == Conn::State::open) out_->close(conn.id);
  forget(conn);
}

void Relay::forget(Conn& conn) {
  if (conn.state == Conn::State::closed) return;
  const bool was_used = conn.state == Conn::State::open || conn.written != 0;
  conn.state = Conn::State::closed;
  wheel_.cancel(conn.timer);
  drop_partial(conn);
  if (conn.inbound != nullptr) abort_inbound(*conn.inbound);
  if (Inbound* in = conn.open_chunk) {
    conn.open_chunk = nullptr;
    in->open = false;
    in->discard = true;
    if (in->transaction != Transaction::none) {  // reported with the others below
      Transaction& t = transactions_.at(in->transaction);
      t.start = in->range.start + in->chunk_start;
      t.length = in->emitted - in->chunk_start;
      t.total = in->range.total;
      t.has_body = true;
      in->transaction = Transaction::none;
    }
  }
  while (conn.tx_first != Transaction::none) {
    Transaction& t = transactions_.at(conn.tx_first);
    if (t.end.valid()) {
      settle_end(conn, conn.tx_first, 408);
      continue;
    }
    report_transaction(t, 408);
    settle(conn, conn.tx_first);
  }
  if (conn.ends != nullptr) ends_.on_gone(conn);
  while (conn.first_session != nullptr) orphan_session(*conn.first_session);
  release_held(conn);
  for (Route*& route : conn.routes) {
    release(route);
    route = nullptr;
  }
  for (const auto& [shard, handle] : conn.pipes) {
    Conn* pipe = live(handle);
    if (pipe == nullptr) continue;
    if (pipe->state == Conn::State::dialling && !pipe->dialled->backlog.empty()) {
      pipe->dialled->close_when_up = true;
    } else {
      leave_pipe(*pipe);
    }
  }
  if (conn.dialled != nullptr) {
    const auto link = links_.find(conn.dialled->link_key);
    if (link != links_.end() && link->second == conn.self) links_.erase(link);
    dials_.erase(conn.dialled->token);
  }
  forget_names(conn);
  dead_.push_back(conn.self);
  if (conn.kind == Conn::Kind::pipe_out && was_used) {
    // What was in the pipe is not known to have arrived: its sender must see that, so its connection ends too.
    if (Conn* local = live(conn.pipe_of)) close(*local);
  }
}

// --- flow control ----------------------------------------------------------------------------------------------------

bool Relay::is_slow(const Conn& dest) const {
  if (dest.waiting_bytes() > config_->watermark_high_bytes) return true;
  return !dest.is_pipe() && dest.tx_count >= config_->transactions_per_connection_max;
}

// R4976-12: reading from a sender stops while its receiver is slow.
void Relay::hold_if_slow(Conn& source, Conn& dest) {
  // Between relays a connection carries other sessions too: it is not held back, its slow session is bounded instead.
  if (dest.gone() || !is_slow(dest) || source.relay_peer || source.state != Conn::State::open) return;
  (void)hold_until_read(source, dest);
}

// False when it is held for this receiver already.
bool Relay::hold_until_read(Conn& source, Conn& dest) {
  if (std::find(dest.held_sources.begin(), dest.held_sources.end(), source.self) != dest.held_sources.end()) return false;
  dest.held_sources.push_back(source.self);
  stop_reading(source);
  count(Metric::relay_paused);
  return true;
}

// Answers and reports are written to the sender itself. One that sends and does not read would make us keep them. What
// others send it stops at the watermark, so several times that is its own doing; at the watermark itself it is not yet
// held back, or a client that writes before it reads would wait for ever.
void Relay::hold_if_not_reading(Conn& conn) {
  if (conn.gone() || conn.waiting_bytes() <= std::uint64_t{config_->watermark_high_bytes} * 4) return;
  if (conn.relay_peer || conn.kind == Conn::Kind::pipe_out) {
    // Its connection serves many: it is not held back. What it does not read for so long it will not read. Of a pipe only
    // the end that was opened is held: would both be, neither would read the other any more.
    if (conn.waiting_bytes() <= std::uint64_t{config_->shared_queue_bytes_max} * 8) return;
    count(Metric::relay_shared_overrun);
    close(conn);
    return;
  }
  if (conn.self_held) return;
  conn.self_held = true;
  stop_reading(conn);
  count(Metric::relay_paused);
}

// Its answers are not read any more either, so nobody is held back for these.
void Relay::stop_reading(Conn& source) {
  if (++source.pausers != 1) return;
  out_->pause(source.id);
  release_if_read(source);
}

void Relay::release_one(Conn& source) {
  if (--source.pausers != 0) return;
  source.last_used = source.released_at = now_.mono;
  if (source.head_since != core::Instant{}) source.head_since = now_.mono;
  if (source.ws != nullptr) {
    source.ws->heard = now_.mono;
    source.ws->pinged_at = {};
  }
  if (source.inbound != nullptr) {
    source.inbound->window_start = source.inbound->last_bytes = now_.mono;
    source.inbound->window_received = 0;
  }
  if (!source.is_pipe()) arm_conn_timer(source);
  out_->resume(source.id);
}

void Relay::release_held(Conn& dest) {
  for (const ConnHandle handle : dest.held_sources) {
    if (Conn* source = live(handle)) release_one(*source);
  }
  dest.held_sources.clear();
}

// Its kernel has taken what waited, and it answers.
void Relay::release_if_read(Conn& dest) {
  if (dest.held_sources.empty() || dest.state == Conn::State::closed) return;
  if (dest.waiting_bytes() > config_->watermark_low_bytes) return;
  if (dest.tx_count > config_->transactions_per_connection_max / 2) return;
  if (dest.ends != nullptr && !ends_.answers(dest)) return;
  release_held(dest);
}

bool Relay::overrun(const Conn& source, const Conn& dest) {
  if (!source.relay_peer) return false;
  if (dest.waiting_bytes() <= config_->shared_queue_bytes_max &&
      (dest.is_pipe() || dest.tx_count < config_->transactions_per_connection_max)) {
    return false;
  }
  count(Metric::relay_shared_overrun);
  return true;
}

void Relay::on_sent(Conn& conn, std::uint64_t count) {
  conn.accepted += count;
  CHECK(conn.accepted <= conn.written);
  for (std::uint32_t slot; (slot = transactions_.first_accepted(conn)) != Transaction::none;) {
    if (conn.is_pipe() && transactions_.at(slot).is_send) {
      // Another shard has it and reports what becomes of it.
      if (transactions_.at(slot).end.valid()) {
        settle_end(conn, slot, 200);
      } else {
        settle(conn, slot);
      }
    } else {
      transactions_.arm(conn, slot, now_.mono + config_->response_timeout);
    }
  }
  if (conn.ends != nullptr && (conn.ends_full || now_.mono - conn.waiting_since > Ends::blocked_after)) ends_.on_sent(conn);
  if (conn.self_held && conn.waiting_bytes() <= config_->watermark_high_bytes) {
    conn.self_held = false;
    release_one(conn);
  }
  release_if_read(conn);
}

// --- writing ---------------------------------------------------------------------------------------------------------

void Relay::begin_frame(Conn& conn) {
  if (conn.open_chunk == nullptr) return;
  count(Metric::relay_interrupts);
  end_chunk(*conn.open_chunk, conn, Flag::more);
}

// Ended when the step is: callers up the stack still use it and what hangs on it.
void Relay::out_of_memory(Conn& conn) {
  count(Metric::relay_no_memory);
  conn.failed = true;
  failed_.push_back(conn.self);
}

// To a connection that is being set up, into its backlog; what is owed to one that is being given up goes nowhere.
char* Relay::reserve_elsewhere(Conn& conn, Lane lane, std::size_t bytes) {
  if (conn.state == Conn::State::dialling && !conn.failed) {
    backlog_mark_ = conn.dialled->backlog.size();
    conn.dialled->backlog.resize(backlog_mark_ + bytes);
    return conn.dialled->backlog.data() + backlog_mark_;
  }
  if (conn.writable() && conn.ws != nullptr) {
    if (char* at = reserve_ws(conn, lane, bytes)) return at;
  } else if (conn.writable()) {
    out_of_memory(conn);
  }
  if (sink_.size() < bytes) sink_.resize(bytes);
  return sink_.data();
}

void Relay::commit_elsewhere(Conn& conn, Lane lane, std::uint32_t used, Piece piece) {
  if (conn.failed || conn.state == Conn::State::closed) return;
  if (conn.state == Conn::State::open) {
    commit_ws(conn, lane, used, piece);
    return;
  }
  conn.dialled->backlog.resize(backlog_mark_ + used);
  wrote(conn, used);
}

void Relay::write_copy(Conn& conn, Lane lane, std::string_view bytes, Piece::Kind kind) {
  if (bytes.empty()) return;
  char* at = reserve(conn, lane, bytes.size());
  std::memcpy(at, bytes.data(), bytes.size());
  commit(conn, lane, static_cast<std::uint32_t>(bytes.size()), {.kind = kind});
}

void Relay::write_shared(Conn& conn, core::Slice slice, Piece::Kind kind) {
  if (!conn.writable()) {
    write_copy(conn, Lane::forward, pool_.view(slice), kind);
    return;
  }
  if (conn.ws != nullptr && kind == Piece::Kind::continues) {
    announce_shared(conn, slice.length);
    if (conn.failed) return;
  }
  out_->send(conn.id, slice);
  wrote(conn, slice.length);
}

// --- timers ----------------------------------------------------------------------------------------------------------

void Relay::arm_conn_timer(Conn& conn) {
  core::Instant due = conn.proven ? conn.last_used + config_->idle : conn.opened_at + config_->probation;
  if (conn.serves_ends()) due = std::max(due, now_.mono + config_->idle);  // as long as its sessions live
  if (conn.pausers != 0) due = now_.mono + config_->idle;  // held back: looked at again when it is released
  if (conn.head_since != core::Instant{} && conn.pausers == 0) due = std::min(due, conn.head_since + config_->head_timeout);
  if (conn.ws != nullptr) due = std::min(due, ws_ping_due(conn));
  conn.timer_due = due;
  wheel_.arm(conn.timer, due);
}

// R4976-13: 30 s to prove itself, an hour without use.
void Relay::on_conn_timer(Conn& conn) {
  if (conn.state != Conn::State::open) return;
  if (conn.head_since != core::Instant{} && conn.pausers == 0 && now_.mono - conn.head_since >= config_->head_timeout) {
    count(Metric::msrp_head_too_slow);
    close(conn);
  } else if (!conn.proven && now_.mono - conn.opened_at >= config_->probation) {
    count(Metric::probation_closed);
    close(conn);
  } else if (conn.proven && conn.pausers == 0 && !conn.serves_ends() && now_.mono - conn.last_used >= config_->idle) {
    count(Metric::idle_closed);
    if (conn.ws != nullptr) conn.ws->close_code = core::websocket_code::going_away;
    close(conn);
  } else if (conn.ws == nullptr || keep_ws_alive(conn)) {
    arm_conn_timer(conn);
  }
}

void Relay::expire_transactions() {
  for (std::uint32_t slot; (slot = transactions_.first_due(now_.mono)) != Transaction::none;) {
    Transaction& t = transactions_.at(slot);
    Conn* conn = conns_.get(t.conn);
    CHECK(conn != nullptr);  // forget() settles everything of a connection
    // While its own sending is held back its answers are not read: silence proves nothing until it had its time again.
    const core::Instant heard_since = conn->pausers != 0 ? now_.mono : conn->released_at;
    if (heard_since + config_->response_timeout > now_.mono && heard_since != core::Instant{}) {
      transactions_.postpone(slot, now_.mono + config_->response_timeout);
      continue;
    }
    count(Metric::relay_response_timeouts);
    // Failure-Report: partial asks for error answers only; silence is none (R4975-8).
    if (t.end.valid() && t.failure == FailureReport::yes) {
      settle_end(*conn, slot, 408);
      continue;
    }
    if (!t.is_send || t.failure == FailureReport::yes) report_transaction(t, 408);
    settle(*conn, slot);
  }
}

void Relay::on_drain() { draining_ = true; }

}  // namespace parley::msrp
