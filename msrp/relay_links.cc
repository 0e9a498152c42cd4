// msrp/relay_links.cc - the ways to other relays and to other shards: dialling, pipes, and which connection of a relay to take.
//
// A relay's sessions belong to all of its connections (R4976-5), and these may be on any shard. So each connection whose
// certificate names a relay opens a pipe to every other shard as soon as it is up: there the pipe stands for it, under the
// same names. A shard takes a connection of its own where it has one, and a pipe otherwise.
#include <algorithm>

#include "msrp/relay.h"

namespace parley::msrp {

using core::Metric;

// --- the connections of a relay ---------------------------------------------------------------------------------------

// Who is behind a connection that has come up.
void Relay::know_peer(Conn& conn, core::ConnId id, const core::PeerInfo& peer) {
  conn.id = id;
  conn.transport = peer.transport;
  conn.remote = peer.remote;
  conn.local = peer.local;
  conn.listener = peer.listener;
  if (id.index >= by_loop_index_.size()) by_loop_index_.resize(id.index + 64);
  by_loop_index_[id.index] = conn.self;
  if (conn.kind == Conn::Kind::accepted && config_->listeners[peer.listener].websocket) {
    // The loop knows TCP and TLS. Relays do not speak WebSocket to each other (RFC 7977 section 5.1): what a client's
    // certificate says makes it none.
    conn.transport = peer.transport == core::Transport::tls ? core::Transport::wss : core::Transport::ws;
    return;
  }
  if (peer.verified_names.empty()) return;
  conn.names = std::make_unique<std::vector<std::string>>(peer.verified_names);
  for (const std::string& name : *conn.names) relays_.emplace(name, conn.self);
}

void Relay::forget_names(const Conn& conn) {
  if (conn.names == nullptr) return;
  for (const std::string& name : *conn.names) {
    const auto [from, to] = relays_.equal_range(name);
    for (auto it = from; it != to; ++it) {
      if (it->second != conn.self) continue;
      relays_.erase(it);
      break;
    }
  }
}

// A live connection of that relay: one of this shard, or else one of another shard by its pipe.
Conn* Relay::link_to(std::string_view relay) {
  Conn* through = nullptr;
  const auto [from, to] = relays_.equal_range(relay);
  for (auto it = from; it != to; ++it) {
    Conn* conn = live(it->second);
    if (conn == nullptr) continue;
    if (!conn->is_pipe()) return conn;
    if (through == nullptr) through = conn;
  }
  return through;
}

// The verified name of `conn` that is the host of `uri`, or nullptr.
const std::string* Relay::name_in(const Conn& conn, std::string_view uri) {
  Uri parsed;
  if (conn.names == nullptr || !parse_uri(uri, parsed)) return nullptr;
  const auto found = std::find_if(conn.names->begin(), conn.names->end(),
                                  [&](const std::string& name) { return equal_ignore_case(name, parsed.host); });
  return found == conn.names->end() ? nullptr : &*found;
}

// Connections of one relay, as far as certificates say. One that was dialled in clear has shown none.
bool Relay::same_relay(const Conn& a, const Conn& b) {
  if (!a.relay_peer || !b.relay_peer) return false;
  if (a.names == nullptr || b.names == nullptr) return true;
  return std::any_of(a.names->begin(), a.names->end(), [&](const std::string& name) {
    return std::find(b.names->begin(), b.names->end(), name) != b.names->end();
  });
}

// Where a report about a request goes: back over its connection or, when that has gone, over another one of the relay
// that it came from.
Conn* Relay::way_back(const Route& route) {
  Conn* conn = live(route.source);
  return conn != nullptr || route.relay.empty() ? conn : link_to(route.relay);
}

// --- pipes ------------------------------------------------------------------------------------------------------------

void Relay::open_pipes(Conn& conn) {
  if (conn.names == nullptr || conn.is_pipe()) return;
  for (std::uint32_t shard = 0; shard < shard_count_; ++shard) {
    if (shard != shard_) (void)pipe_to(conn, shard);
  }
}

// What came over a pipe may go on to a third shard, when both of its first two URIs are ours.
Conn* Relay::pipe_to(Conn& conn, std::uint32_t shard) {
  if (conn.kind == Conn::Kind::pipe_out || shard >= shard_count_) return nullptr;
  auto known = std::find_if(conn.pipes.begin(), conn.pipes.end(), [&](const auto& pipe) { return pipe.first == shard; });
  if (known == conn.pipes.end()) {
    known = conn.pipes.insert(known, {shard, {}});
  } else if (Conn* pipe = live(known->second)) {
    return pipe;
  }
  Conn* pipe = make_conn(Conn::Kind::pipe_out);
  known->second = pipe->self;
  pipe->state = Conn::State::dialling;
  pipe->transport = core::Transport::pipe;
  pipe->pipe_of = conn.self;
  pipe->dialled = std::make_unique<Dialled>();
  pipe->dialled->token = next_token_++;
  dials_.emplace(pipe->dialled->token, pipe->self);
  core::PeerInfo served;
  served.remote = conn.remote;
  served.local = conn.local;
  served.listener = conn.listener;
  served.relay_peer = conn.relay_peer;
  // Each shard knows a relay's connection by one pipe, its own.
  if (conn.names != nullptr && !conn.is_pipe()) served.verified_names = *conn.names;
  out_->open_pipe(pipe->dialled->token, shard, std::move(served));
  return pipe;
}

// The connection it serves is gone. What it had sent still arrives, and the other shard reports what becomes of it.
void Relay::leave_pipe(Conn& pipe) {
  for (std::uint32_t slot = pipe.tx_first; slot != Transaction::none && pipe.open_chunk == nullptr;) {
    const Transaction& t = transactions_.at(slot);
    const std::uint32_t next = t.next;
    if (t.is_send && !t.end.valid()) settle(pipe, slot);
    slot = next;
  }
  close(pipe);
}

// --- dialling --------------------------------------------------------------------------------------------------------

const RelayPeer* Relay::configured_peer(std::string_view host, std::uint16_t port) const {
  for (const RelayPeer& peer : config_->relay_peers) {
    if (equal_ignore_case(peer.host, host) && (peer.port == 0 || port == 0 || peer.port == port)) return &peer;
  }
  return nullptr;
}

bool Relay::dial_allowed(const core::Address& address) const {
  if (core::is_unspecified(address) || address.port == 0) return false;
  const auto inside = [&](const core::Cidr& block) { return core::contains(block, address); };
  return std::any_of(config_->dial_allow.begin(), config_->dial_allow.end(), inside);
}

// A live or dialling connection to the next hop, or nullptr when policy, limits or the name forbid one.
Conn* Relay::dial(DialBudget& budget, const Uri& next_hop) {
  // Nobody connects to a WebSocket client (RFC 7977 section 5.1); other transports than TCP are not known here.
  if (!equal_ignore_case(next_hop.transport, "tcp")) {
    count(Metric::relay_dial_refused);
    return nullptr;
  }
  std::string host(next_hop.host);
  std::transform(host.begin(), host.end(), host.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
  std::string key(next_hop.secure ? "msrps " : "msrp ");
  key += host;
  key += ':';
  key += std::to_string(next_hop.port);
  if (const auto link = links_.find(key); link != links_.end()) {
    if (Conn* conn = live(link->second)) return conn;
  }
  // Without a connection of its own a shard dials one before it goes through another shard.
  Conn* through = next_hop.secure ? link_to(host) : nullptr;
  if (through != nullptr && !through->is_pipe()) return through;
  const bool peer = configured_peer(host, next_hop.port) != nullptr;
  const auto literal = core::parse_ip(next_hop.host, next_hop.has_port ? next_hop.port : std::uint16_t{2855});
  // Without a policy that could allow it, a name is not even looked up.
  const bool allowed = peer || (literal ? dial_allowed(*literal) : !config_->dial_allow.empty());
  if (!allowed) {
    if (through == nullptr) count(Metric::relay_dial_refused);
    return through;
  }
  // A next hop that refused a moment ago is not asked again for every request, nor by one session without end.
  if (const auto failed = failed_dials_.find(key); failed != failed_dials_.end() && failed->second > now_.mono) {
    if (through == nullptr) count(Metric::relay_dials_put_off);
    return through;
  }
  if (now_.mono - budget.window >= std::chrono::seconds(1)) {
    budget.window = now_.mono;
    budget.dials = 0;
  }
  if (++budget.dials > config_->dials_per_session_per_second || dials_.size() >= config_->dials_max) {
    count(Metric::relay_dials_limit);
    return through;
  }
  Conn* conn = make_conn(Conn::Kind::dialled);
  conn->state = Conn::State::dialling;
  conn->relay_peer = peer;
  conn->transport = next_hop.secure ? core::Transport::tls : core::Transport::tcp;
  conn->dialled = std::make_unique<Dialled>();
  conn->dialled->tls = next_hop.secure;
  conn->dialled->link_key = key;
  conn->dialled->host = host;
  links_.insert_or_assign(key, conn->self);
  conn->dialled->token = next_token_++;
  dials_.emplace(conn->dialled->token, conn->self);
  if (literal) {
    core::Resolution resolution{conn->dialled->token, {{*literal, host}}};
    on_resolved(resolution);
    return live(conn->self);
  }
  out_->resolve({conn->dialled->token, host, next_hop.port, next_hop.secure ? "_msrps._tcp" : "_msrp._tcp"});
  return conn;
}

void Relay::on_resolved(const core::Resolution& resolution) {
  const auto found = dials_.find(resolution.token);
  Conn* conn = found == dials_.end() ? nullptr : live(found->second);
  if (conn == nullptr) return;
  dials_.erase(found);
  for (const core::ResolvedAddress& candidate : resolution.addresses) {
    const core::Address address = core::unmapped(candidate.address);
    const auto inside = [&](const core::Cidr& block) { return core::contains(block, address); };
    const bool denied = std::any_of(config_->dial_deny.begin(), config_->dial_deny.end(), inside);
    const bool ourselves = std::any_of(config_->listeners.begin(), config_->listeners.end(), [&](const RelayListener& l) {
      return l.bound == address ||
             (core::is_unspecified(l.bound) && l.bound.port == address.port && core::is_loopback(address));
    });
    if (denied || ourselves || core::is_unspecified(address) || (!conn->relay_peer && !dial_allowed(address))) {
      count(Metric::relay_dial_refused);
      continue;
    }
    conn->dialled->addresses.push_back({address, candidate.target});
  }
  // Tried from the back.
  std::reverse(conn->dialled->addresses.begin(), conn->dialled->addresses.end());
  try_next_address(*conn);
}

void Relay::try_next_address(Conn& conn) {
  if (conn.dialled->addresses.empty()) {
    count(Metric::connect_failures);
    remember_failed_dial(conn.dialled->link_key);
    forget(conn);
    return;
  }
  core::ResolvedAddress target = std::move(conn.dialled->addresses.back());
  conn.dialled->addresses.pop_back();
  conn.dialled->token = next_token_++;
  dials_.emplace(conn.dialled->token, conn.self);
  out_->connect({conn.dialled->token, target.address, conn.dialled->tls, conn.dialled->tls ? conn.dialled->host : std::string()});  // R4976-14
}

void Relay::remember_failed_dial(const std::string& link_key) {
  if (failed_dials_.size() >= config_->failed_dials_max) {
    std::erase_if(failed_dials_, [&](const auto& entry) { return entry.second <= now_.mono; });
    if (failed_dials_.size() >= config_->failed_dials_max) {
      count(Metric::relay_failed_dials_limit, failed_dials_.size());
      failed_dials_.clear();
    }
  }
  failed_dials_.insert_or_assign(link_key, now_.mono + config_->dial_retry_after);
}

}  // namespace parley::msrp
