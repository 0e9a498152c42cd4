// msrp/ends.cc - the life of sessions that end here: opened, bound to a connection, left (RFC 4975 sections 5.4 and 8).
#include "msrp/ends.h"

#include <algorithm>

#include "core/check.h"
#include "core/digest.h"
#include "core/id_text.h"
#include "msrp/links.h"

namespace parley::msrp {

using core::Metric;
using Lane = core::Outbox::Lane;

Ends::Ends(Relay& relay, core::Random& random, std::uint32_t ends_max)
    : links_(std::make_unique<Links>(relay)), ends_(ends_max), fan_outs_(random) {}

Ends::~Ends() {
  ends_.for_each([this](EndHandle, End& end) {
    links_->cancel(end.timer);
    links_->table().erase(end.key);
  });
  EndFact fact;
  while (next_fact(fact)) {
  }
}

// --- open, connect, close --------------------------------------------------------------------------------------------

// Whoever connects by WebSocket is reached like a relay's client: by a listener that is not, where there is one.
const RelayListener* Ends::listener_for(bool secure) const {
  const auto& listeners = links_->config().listeners;
  auto found = std::find_if(listeners.begin(), listeners.end(),
                            [&](const RelayListener& l) { return l.secure == secure && !l.websocket; });
  if (found == listeners.end()) {
    found = std::find_if(listeners.begin(), listeners.end(), [&](const RelayListener& l) { return l.secure == secure; });
  }
  return found == listeners.end() ? nullptr : &*found;
}

EndHandle Ends::open(bool secure, std::uint64_t owner) {
  const RelayListener* const named = listener_for(secure);
  if (named == nullptr || links_->draining()) return {};
  const EndHandle handle = ends_.emplace();
  if (!handle.valid()) {
    links_->count(Metric::msrp_ends_limit);
    return {};
  }
  End& end = *ends_.get(handle);
  const core::Id128 id{links_->random().next() | 1, links_->random().next()};  // key 0 is reserved in the table
  const core::Place place{static_cast<std::uint16_t>(links_->shard()), handle.index | end_slot_bit, handle.generation};
  if (links_->table().insert(id.high, place) != core::SessionTable::Insert::done) {
    ends_.erase(handle);
    links_->count(Metric::msrp_ends_limit);
    return {};
  }
  end.self = handle;
  end.owner = owner;
  end.key = id.high;
  end.id.resize(core::id128_chars);
  core::id_encode128(id, end.id.data());
  end.uri = links_->uri_for(*named, end.id);
  end.timer.kind = timer_end;
  end.timer.owner = handle.packed();
  links_->count(Metric::msrp_ends_opened);
  return handle;
}

bool Ends::name_elsewhere(bool secure, std::uint32_t shard, Name& name) {
  const RelayListener* const listener = listener_for(secure);
  if (listener == nullptr || links_->draining()) return false;
  const core::Id128 id{links_->random().next() | 1, links_->random().next()};
  const core::Place place{static_cast<std::uint16_t>(shard), named_end_slot, 0};
  if (links_->table().insert(id.high, place) != core::SessionTable::Insert::done) {
    links_->count(Metric::msrp_ends_limit);
    return false;
  }
  name.id.resize(core::id128_chars);
  core::id_encode128(id, name.id.data());
  name.uri = links_->uri_for(*listener, name.id);
  return true;
}

// The key stands in the table already, by who has named it; from now on it is ours.
EndHandle Ends::make_named(std::uint64_t key, std::string_view id) {
  const EndHandle handle = ends_.emplace();
  if (!handle.valid()) {
    links_->count(Metric::msrp_ends_limit);
    return {};
  }
  End& end = *ends_.get(handle);
  end.self = handle;
  end.named = true;
  end.key = key;
  end.id.assign(id);
  end.timer.kind = timer_end;
  end.timer.owner = handle.packed();
  named_[key] = handle;
  links_->count(Metric::msrp_ends_opened);
  return handle;
}

EndHandle Ends::open_named(std::string_view id, std::string_view uri) {
  const auto key = core::id_decode128(id);
  if (!key) return {};
  const auto early = named_.find(key->high);
  EndHandle handle;
  if (early != named_.end() && ends_.get(early->second)->id == id) {
    handle = early->second;
    links_->cancel(ends_.get(handle)->timer);
  } else if (!links_->draining()) {
    handle = make_named(key->high, id);
  }
  if (!handle.valid()) {
    links_->table().erase(key->high);
    return {};
  }
  ends_.get(handle)->uri.assign(uri);
  return handle;
}

std::string_view Ends::uri(EndHandle handle) const {
  const End* end = ends_.get(handle);
  return end != nullptr ? std::string_view(end->uri) : std::string_view();
}

std::uint64_t Ends::owner(EndHandle handle) const {
  const End* end = ends_.get(handle);
  return end != nullptr ? end->owner : 0;
}

void Ends::set_owner(EndHandle handle, std::uint64_t owner) {
  if (End* end = ends_.get(handle)) end->owner = owner;
}

bool Ends::connected(EndHandle handle) const {
  const End* end = ends_.get(handle);
  return end != nullptr && end->state == End::State::connected;
}

bool Ends::connect(EndHandle handle, const EndPeer& peer) {
  End* end = ends_.get(handle);
  if (end == nullptr || path_length(peer.path) == 0 || path_length(peer.path) > path_uris_max) return false;
  for (PathSplit path = split_path(peer.path);; path = split_path(path.rest)) {
    Uri uri;
    if (!parse_uri(path.first, uri)) return false;
    if (path.rest.empty()) break;
  }
  end->peer = peer;
  end->out_paths.assign("To-Path: ").append(peer.path).append("\r\nFrom-Path: ").append(end->uri).append("\r\n");
  end->state = End::State::waiting;
  links_->arm(end->timer, links_->now().mono + links_->config().end_timeout);
  let_early_go(*end);
  // A peer that came although we are to connect is as good.
  if (peer.we_connect && end->state == End::State::waiting && !dial(*end)) fail(*end, 408);
  return true;
}

bool Ends::change_peer(EndHandle handle, const EndPeer& peer) {
  End* end = ends_.get(handle);
  if (end == nullptr) return false;
  if (end->state == End::State::connected && end->peer.path == peer.path) {
    end->peer = peer;
    return true;
  }
  // What was written and not answered may not have come: it is as if the connection had gone.
  if (end->state == End::State::connected) {
    lose(*end);
  } else {
    leave(*end);
  }
  end->state = End::State::opened;
  return connect(handle, peer);
}

void Ends::close(EndHandle handle) {
  End* end = ends_.get(handle);
  if (end == nullptr) return;
  links_->cancel(end->timer);
  links_->table().erase(end->key);
  if (end->named) named_.erase(end->key);
  end->state = End::State::failed;
  let_early_go(*end);
  leave(*end);
  ends_.erase(handle);
}

// --- binding ---------------------------------------------------------------------------------------------------------

End* Ends::find(const Uri& uri) {
  const auto id = core::id_decode128(uri.session_id);
  const auto place = id ? links_->table().lookup(id->high) : std::nullopt;
  if (!place || place->shard != links_->shard() || (place->slot & end_slot_bit) == 0) return nullptr;
  if (place->slot == named_end_slot) {
    End* const named = find_named(id->high, uri.session_id);
    // Who has named it has yet to say by which URI.
    if (named == nullptr || named->uri.empty()) return named;
    Uri own;
    return parse_uri(named->uri, own) && same_uri(own, uri) ? named : nullptr;
  }
  End* end = ends_.get({place->slot & ~end_slot_bit, place->generation});
  if (end == nullptr || !core::equal_constant_time(end->id, uri.session_id)) return nullptr;
  Uri own;
  return parse_uri(end->uri, own) && same_uri(own, uri) ? end : nullptr;
}

// Who comes faster than the word of the shard that has named the session waits, as for his SDP (T-70).
End* Ends::find_named(std::uint64_t key, std::string_view id) {
  const auto found = named_.find(key);
  if (found == named_.end()) {
    const EndHandle handle = make_named(key, id);
    End* const end = ends_.get(handle);
    if (end != nullptr) links_->arm(end->timer, links_->now().mono + links_->config().end_timeout);
    return end;
  }
  End* const end = ends_.get(found->second);
  return core::equal_constant_time(end->id, id) ? end : nullptr;
}

// The text of From-Path proves nothing, the secret id in To-Path does; but one session has one peer (R4975-12).
bool Ends::came_from_peer(const End& end, std::string_view from_path) const {
  if (end.peer.path == from_path) return true;
  Uri a;
  Uri b;
  if (end.peer.loose) {
    return parse_uri(last_of_path(end.peer.path), a) && parse_uri(last_of_path(from_path), b) && a.session_id == b.session_id;
  }
  PathSplit known = split_path(end.peer.path);
  PathSplit given = split_path(from_path);
  while (true) {
    if (!parse_uri(known.first, a) || !parse_uri(given.first, b) || !same_uri(a, b)) return false;
    if (known.rest.empty() || given.rest.empty()) return known.rest.empty() && given.rest.empty();
    known = split_path(known.rest);
    given = split_path(given.rest);
  }
}

End* Ends::known(Conn& conn, const Head& head, std::string_view bytes) const {
  if (conn.ends == nullptr || conn.ends->recent == nullptr) return nullptr;
  End* end = conn.ends->recent;
  const bool same = end->in_to() == head.to_path.of(bytes) && end->in_from() == head.from_path.of(bytes);
  if (!same || end->state != End::State::connected) return nullptr;
  return !end->through_relay || links_->has_session(end->via_session) ? end : nullptr;
}

Ends::Arrival Ends::arrive(Conn& conn, const Uri& uri, const Paths& paths, bool is_send, End*& found) {
  End* end = find(uri);
  if (end == nullptr || end->state == End::State::failed) return Arrival::unknown;
  if (end->state == End::State::opened) {
    found = end;
    return is_send ? Arrival::early : Arrival::unknown;
  }
  // Our own relay session that it passed was the peer's first hop.
  const std::string from_path = paths.via.empty() ? std::string(paths.from)
                                                  : std::string(paths.via).append(" ").append(paths.from);
  if (!came_from_peer(*end, from_path)) {
    links_->count(Metric::msrp_ends_wrong_peer);
    return Arrival::unknown;
  }
  if (end->conn != &conn) {
    // The first SEND on a connection binds it; while that lives no other is taken (R4975-12, T-69). A relay may use
    // several. One that we are still dialling has bound nothing: both sides connect (T-40).
    if (end->state == End::State::connected) {
      if (!links_->same_relay(*end->conn, conn)) return Arrival::elsewhere;
    } else {
      if (!is_send) return Arrival::unknown;
      if (end->conn != nullptr) leave(*end);
      link(*end, conn);
    }
  }
  end->in_paths.assign(paths.to).append("\r\nFrom-Path: ").append(paths.from).append("\r\n");
  end->in_to_length = static_cast<std::uint32_t>(paths.to.size());
  end->in_from_length = static_cast<std::uint32_t>(paths.from.size());
  end->response_paths.assign("To-Path: ").append(split_path(paths.from).first).append("\r\nFrom-Path: ");
  end->response_paths.append(split_path(paths.to).first).append("\r\n");  // as the peer spells it (T-72)
  end->via.assign(paths.via);
  end->via_session = paths.via_session;
  end->through_relay = !end->via.empty();
  if (!end->via.empty()) {
    const std::string_view rest = split_path(end->peer.path).rest;
    end->out_paths.assign("To-Path: ").append(rest).append("\r\nFrom-Path: ").append(end->via).append(" ").append(end->uri).append("\r\n");
  }
  if (end->state != End::State::connected) become_connected(*end);
  if (end->conn == &conn) conn.ends->recent = end;
  found = end;
  return Arrival::here;
}

void Ends::become_connected(End& end) {
  end.state = End::State::connected;
  end.bind_slot = Transaction::none;
  links_->cancel(end.timer);
  links_->prove(*end.conn);
  end.chunk_max = end.conn->ws != nullptr ? links_->config().ws_chunk_bytes : links_->piece_bytes(*end.conn);
  links_->count(Metric::msrp_ends_connected);
  add_fact(EndFact::Kind::connected, end.self);
}

bool Ends::dial(End& end) {
  Uri uri;
  if (!parse_uri(split_path(end.peer.path).first, uri)) return false;
  const std::string elsewhere = "msrp://" + end.peer.address + "/x;tcp";
  if (!uri.secure && !end.peer.address.empty() && !parse_uri(elsewhere, uri)) return false;  // OMA-MSRP-2, OMA-X-1
  Conn* conn = links_->dial(end.dials, uri);
  if (conn == nullptr) return false;
  link(end, *conn);
  end.state = End::State::binding;
  // The active side sends at once; without a body it only binds (R6135-1, RFC 4975 section 5.4; OMA-MSRP-3, OMA-X-3).
  std::array<char, tid_bytes> tid;
  const std::uint32_t slot = links_->transactions().create(*conn, links_->config().transactions_max, tid);
  if (slot == Transaction::none) {
    links_->count(Metric::relay_transactions_limit);
    return false;
  }
  links_->transactions().at(slot).end = end.self;
  links_->transactions().at(slot).binds = true;
  end.bind_slot = slot;
  const std::string_view tid_text(tid.data(), tid.size());
  links_->begin_frame(*conn);
  TextOut out(links_->reserve(*conn, Lane::forward, 2 * send_overhead_bytes + end.out_paths.size()));
  put_request_line(out, tid_text, "SEND");
  out.put(end.out_paths).put("Message-ID: ").put(tid_text).put("\r\n");  // some want one on everything (T-71)
  put_end_line(out, tid_text, Flag::end, false);
  links_->commit(*conn, Lane::forward, out.size());
  if (!conn->gone()) links_->transactions().at(slot).out_offset = conn->written;
  return true;
}

// --- connections -----------------------------------------------------------------------------------------------------

void Ends::link(End& end, Conn& conn) {
  if (conn.ends == nullptr) conn.ends = std::make_unique<ConnEnds>();
  ConnEnds& on = *conn.ends;
  end.conn = &conn;
  end.prev = nullptr;
  end.next = on.first;
  if (on.first != nullptr) on.first->prev = &end;
  on.first = &end;
  ++on.count;
  end.told_full = false;
  if (end.holds != 0) stop_reading(end);
}

void Ends::unlink(End& end) {
  ConnEnds& on = *end.conn->ends;
  go_on_reading(end);
  if (on.recent == &end) on.recent = nullptr;
  (end.prev != nullptr ? end.prev->next : on.first) = end.next;
  if (end.next != nullptr) end.next->prev = end.prev;
  --on.count;
  // What it still owes answers to is nobody's.
  for (std::uint32_t left = on.ring.size(); left-- > 0;) {
    const AnswerRing::Entry entry = on.ring.at(left);
    if (entry.record == FanOut::none || entry.end != end.self) continue;
    fan_outs_.settle(entry.record);
    on.ring.remove(left);
  }
  end.conn = nullptr;
  end.bind_slot = Transaction::none;
}

// Off its connection, which ends when it serves nothing else (RFC 4975 section 5.4).
void Ends::leave(End& end) {
  Conn* conn = end.conn;
  if (conn == nullptr) return;
  drop_rest(*conn, end.self);
  unlink(end);
  const bool used = conn->ends->count != 0 || conn->session_count != 0 || conn->route_count != 0 || conn->relay_peer;
  if (conn->is_pipe() || conn->gone()) return;
  if (used) {
    links_->release_held(*conn);  // for whom the others on it are slow will be held for them
    links_->arm_timer(*conn);  // idleness counts again
  } else {
    links_->close(*conn);
  }
}

void Ends::fail(End& end, std::uint16_t status) {
  if (end.state == End::State::failed) return;
  links_->count(Metric::msrp_ends_failed);
  links_->cancel(end.timer);
  leave(end);
  end.state = End::State::failed;
  add_fact(EndFact::Kind::failed, end.self).fact.status = status;
}

// Nobody will answer what went to many and to this one.
void Ends::tell_unanswered(const End& end) {
  AnswerRing& ring = end.conn->ends->ring;
  for (std::uint32_t i = 0; i < ring.size(); ++i) {
    const AnswerRing::Entry& entry = ring.at(i);
    if (entry.record == FanOut::none || entry.end != end.self) continue;
    EndFact& fact = add_fact(EndFact::Kind::answered, end.self).fact;
    fact.mark = fan_outs_.at(entry.record).mark;
    fact.status = 408;
  }
}

// Its way is no more: the peer may come again.
void Ends::lose(End& end) {
  tell_unanswered(end);
  leave(end);
  end.state = End::State::lost;
  add_fact(EndFact::Kind::closed, end.self);
}

void Ends::on_gone(Conn& conn) {
  ConnEnds& on = *conn.ends;
  if (End* early = ends_.get(on.early_end)) early->early = {};
  while (on.first != nullptr) {
    End& end = *on.first;
    const bool was_connected = end.state == End::State::connected;
    tell_unanswered(end);
    unlink(end);
    if (was_connected) {
      end.state = End::State::lost;
      add_fact(EndFact::Kind::closed, end.self);
    } else {
      fail(end, 408);
    }
  }
}

void Ends::on_timer(EndHandle handle) {
  End* end = ends_.get(handle);
  if (end == nullptr) return;
  links_->count(Metric::msrp_ends_timeouts);
  fail(*end, 408);
}

// --- a peer that was faster than its SDP (T-70) -----------------------------------------------------------------------

bool Ends::wait_for_peer(Conn& conn, End& end, std::string_view bytes) {
  if (links_->live(end.early) != nullptr || conn.is_pipe()) return false;
  if (conn.ends == nullptr) conn.ends = std::make_unique<ConnEnds>();
  if (ends_.contains(conn.ends->early_end)) return false;
  conn.ends->early_end = end.self;
  end.early = conn.self;
  links_->count(Metric::msrp_ends_early);
  links_->pause(conn);
  keep_early(conn, bytes);
  return true;
}

void Ends::keep_early(Conn& conn, std::string_view bytes) {
  std::string& early = conn.ends->early;
  if (early.size() + bytes.size() > links_->config().end_early_bytes_max) {
    links_->count(Metric::msrp_ends_early_limit);
    links_->close(conn);
    return;
  }
  early.append(bytes);
}

void Ends::let_early_go(End& end) {
  Conn* conn = links_->live(std::exchange(end.early, {}));
  if (conn == nullptr) return;
  conn->ends->early_end = {};
  const std::string bytes = std::exchange(conn->ends->early, {});
  links_->go_on(*conn);
  const core::BufferId block = links_->pool().take_heap(static_cast<std::uint32_t>(bytes.size()));
  if (block == core::no_buffer) {
    links_->out_of_memory(*conn);
    return;
  }
  std::copy(bytes.begin(), bytes.end(), links_->pool().data(block));
  in_early_ = true;
  links_->consume(*conn, {block, 0, static_cast<std::uint32_t>(bytes.size())});
  in_early_ = false;
  links_->pool().release(block);
}

// --- holding a peer back ----------------------------------------------------------------------------------------------

bool Ends::is_shared(const Conn& conn) const {
  return conn.relay_peer || conn.kind == Conn::Kind::pipe_out || conn.session_count != 0 || (conn.ends != nullptr && conn.ends->count > 1);
}

void Ends::hold(EndHandle handle) {
  End* end = ends_.get(handle);
  if (end == nullptr) return;
  ++end->holds;
  if (end->conn != nullptr) stop_reading(*end);
}

void Ends::release(EndHandle handle) {
  End* end = ends_.get(handle);
  if (end == nullptr || end->holds == 0) return;
  if (--end->holds == 0) go_on_reading(*end);
}

void Ends::stop_reading(End& end) {
  Conn& conn = *end.conn;
  if (end.pauses || conn.state != Conn::State::open || is_shared(conn)) return;
  end.pauses = true;
  links_->count(Metric::msrp_ends_held);
  links_->pause(conn);
}

void Ends::go_on_reading(End& end) {
  if (!std::exchange(end.pauses, false)) return;
  if (!end.conn->gone()) links_->go_on(*end.conn);
}

// A connection that relays for others, too, has answers outstanding that are not the sessions' here.
// Of one that is not read itself nobody knows: would two be held for each other's answers, neither would ever be read.
bool Ends::answers(const Conn& conn) const {
  if (conn.pausers != 0) return true;
  const std::uint32_t most = links_->config().end_unanswered_max / 2;
  return (is_shared(conn) || conn.tx_count <= most) && conn.ends->ring.size() <= most;
}

bool Ends::is_slow(const Conn& conn) const {
  return conn.waiting_bytes() > links_->config().end_queue_bytes_max / 2 || !answers(conn);
}

bool Ends::hold_while_slow(EndHandle source_end, EndHandle slow_end) {
  const End* source = ends_.get(source_end);
  End* slow = ends_.get(slow_end);
  if (source == nullptr || slow == nullptr || source->conn == nullptr || slow->conn == nullptr) return false;
  Conn& from = *source->conn;
  Conn& to = *slow->conn;
  if (to.waiting_bytes() <= links_->config().end_queue_bytes_max / 2 || from.gone() || is_shared(from)) return false;
  return links_->hold_until_read(from, to);
}

// False: it can not be held back, or not for what is unanswered, so limits are what bounds it.
bool Ends::pace(EndHandle source, Conn& slow) {
  const End* const end = ends_.get(source);
  if (end == nullptr || end->conn == nullptr || end->conn->gone() || is_shared(*end->conn)) return false;
  if (is_slow(slow)) (void)links_->hold_until_read(*end->conn, slow);
  return slow.pausers == 0 || slow.tx_count + slow.ends->ring.size() < links_->config().end_unanswered_max;
}

Ends::Remote Ends::remote(EndHandle handle) const {
  const End* end = ends_.get(handle);
  return end == nullptr || end->conn == nullptr ? Remote{} : Remote{end->conn->transport, end->conn->remote};
}

std::uint64_t Ends::waiting_bytes(EndHandle handle) const {
  const End* end = ends_.get(handle);
  return end != nullptr && end->conn != nullptr ? end->conn->waiting_bytes() : 0;
}

}  // namespace parley::msrp
