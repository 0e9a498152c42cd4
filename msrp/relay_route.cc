// msrp/relay_route.cc - who may send what where (RFC 4976 sections 6.2, 6.3 and 6.4).
//
// For each of our URIs at the front of To-Path, in turn, one of two must hold (section 6.4): the next hop is the hop back
// to the client that got the URI, or the previous hop is that client. "That client" is the connection the AUTH came
// on (R4976-5), or any connection of the relay it came through; text in From-Path is never proof.
#include <algorithm>

#include "core/digest.h"
#include "core/id_text.h"
#include "msrp/relay.h"

namespace parley::msrp {

using core::Metric;

namespace {
constexpr std::size_t kept_path_max = 512;
}  // namespace

Route* Relay::make_route() {
  if (free_routes_.empty()) {
    routes_.push_back(std::make_unique<Route>());
    return routes_.back().get();
  }
  Route* route = free_routes_.back();
  free_routes_.pop_back();
  return route;
}

void Relay::release(Route* route) {
  if (route == nullptr || --route->refs != 0) return;
  if (Conn* source = conns_.get(route->source)) --source->route_count;
  // Long paths are rare; what they took goes back.
  for (std::string* text : {&route->in_paths, &route->out_paths, &route->own_last, &route->response_paths, &route->report_paths,
                            &route->relay}) {
    if (text->capacity() > kept_path_max) std::string().swap(*text);
  }
  free_routes_.push_back(route);
}

bool Relay::route_valid(const Route& route) {
  if (live(route.dest) == nullptr) return false;
  for (std::size_t i = 0; i < route.session_count; ++i) {
    if (!sessions_.contains(route.sessions[i])) return false;
  }
  // What its shard would refuse is not answered with 200 here first.
  return route.away_key == 0 || table_.lookup(route.away_key).has_value();
}

Relay::Resolved Relay::resolve(Conn& conn, const Frame& frame, std::string_view to_path) {
  const Head& head = frame.head;
  const bool is_send = head.method == Method::send;
  const std::string_view from_path = frame(head.from_path);
  // What the parser jumped over are the paths of the first.
  const bool first = head.paths_from_memo && conn.ends == nullptr && to_path.data() == frame.bytes.data() + head.to_path.offset;
  for (std::size_t i = 0; i < conn.routes.size() && conn.routes[i] != nullptr; ++i) {
    Route* route = conn.routes[i];
    const bool same = (i == 0 && first) || (route->to_path() == to_path && route->from_path() == from_path);
    if (!same) continue;
    if (!route_valid(*route) || (is_send && !route->peer_bound)) break;
    if (i != 0) {
      std::rotate(conn.routes.begin(), conn.routes.begin() + static_cast<std::ptrdiff_t>(i),
                  conn.routes.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    }
    return {Refusal::none, route, 0};
  }
  Resolved resolved = resolve_anew(conn, to_path, from_path, is_send);
  if (resolved.route != nullptr) {
    // A stale twin goes first, then the least recently used.
    auto slot = std::find_if(conn.routes.begin(), conn.routes.end(), [&](const Route* r) {
      return r != nullptr && r->to_path() == to_path && r->from_path() == from_path;
    });
    if (slot == conn.routes.end()) slot = conn.routes.end() - 1;
    release(*slot);
    std::rotate(conn.routes.begin(), slot, slot + 1);
    conn.routes[0] = resolved.route;
    ++resolved.route->refs;
  }
  return resolved;
}

Relay::Resolved Relay::resolve_anew(Conn& conn, std::string_view to_path, std::string_view from_path,
                                    bool is_send) {
  std::array<SessionHandle, 4> passed;
  std::array<std::string_view, 4> own_uris;
  std::uint8_t passed_count = 0;
  std::string_view rest = to_path;
  Conn* dest = nullptr;
  bool transit = false;
  bool peer_bound = true;
  std::uint64_t away_key = 0;

  const bool secure = conn.transport == core::Transport::tls || conn.transport == core::Transport::wss;

  while (dest == nullptr) {
    const PathSplit path = split_path(rest);
    Uri uri;
    if (!parse_uri(path.first, uri)) return {Refusal::bad_path, nullptr, 0};
    // The shard that sent it here has looked.
    const bool ours = (conn.kind == Conn::Kind::pipe_in && passed_count == 0) || is_us(conn, uri);
    if (!ours) {
      // From another shard back to the client whose pipe this is.
      if (passed_count == 0 && conn.kind == Conn::Kind::pipe_out) {
        dest = live(conn.pipe_of);
        transit = true;
        if (dest == nullptr) return {Refusal::unreachable, nullptr, 0};
        break;
      }
      // Our own URIs in front were the sender's: they let it out, policy decides how far.
      if (passed_count == 0) return {Refusal::foreign, nullptr, 0};
      Refusal refusal = Refusal::none;
      Session& session = *sessions_.get(passed[passed_count - 1U]);
      dest = hop_from_owner(session, uri, refusal);
      if (dest == nullptr) return {refusal, nullptr, 0};
      break;
    }
    if (uri.session_id.empty()) {
      return {path.rest.empty() && passed_count == 0 ? Refusal::for_us : Refusal::unknown_session, nullptr, 0};
    }
    if (!conn.is_pipe() && passed_count == 0) {
      // Nobody but ourselves comes from one of our sessions.
      Uri claimed;
      if (!parse_uri(split_path(from_path).first, claimed)) return {Refusal::bad_path, nullptr, 0};
      const auto from = core::id_decode128(claimed.session_id);
      if (from && is_us(conn, claimed) && table_.lookup(from->high)) return {Refusal::not_authorised, nullptr, 0};
    }
    // What was handed out for TLS is not served in clear.
    if (uri.secure && !secure && !conn.is_pipe() && passed_count == 0) return {Refusal::not_authorised, nullptr, 0};
    const auto id = core::id_decode128(uri.session_id);
    const auto place = id ? table_.lookup(id->high) : std::nullopt;
    if (!place) return {Refusal::unknown_session, nullptr, 0};
    if (place->shard != shard_) {
      // Before its first request is acted on, a connection moves once to where its session lives. A relay's carries
      // other sessions too and has its pipes.
      if (is_send && passed_count == 0 && conn.kind == Conn::Kind::accepted && !conn.relay_peer && !conn.proven &&
          conn.written == 0 && !draining_) {
        return {Refusal::elsewhere, nullptr, place->shard};
      }
      dest = pipe_to(conn, place->shard);
      if (dest == nullptr) return {Refusal::unknown_session, nullptr, 0};
      transit = passed_count == 0;
      away_key = id->high;
      break;
    }
    if ((place->slot & end_slot_bit) != 0) {
      // Nothing passes a session that ends here. Before it there may be the session of a client of ours.
      if (!path.rest.empty()) return {Refusal::unknown_session, nullptr, 0};
      Ends::Paths paths{to_path, from_path, {}, {}};
      if (passed_count == 1) {
        paths.via = own_uris[0];
        paths.via_session = passed[0];
      }
      return resolve_end(conn, uri, paths, is_send);
    }
    Session* session = find_session(uri);
    if (session == nullptr) return {Refusal::unknown_session, nullptr, 0};
    const bool from_owner = passed_count == 0 && owns(conn, *session);
    if (path.rest.empty()) {
      return {from_owner && passed_count == 0 ? Refusal::for_us : Refusal::unknown_session, nullptr, 0};
    }
    if (passed_count == passed.size()) return {Refusal::bad_path, nullptr, 0};
    passed[passed_count] = session->self;
    own_uris[passed_count++] = path.first;
    rest = path.rest;

    Uri next;
    if (!parse_uri(split_path(rest).first, next)) return {Refusal::bad_path, nullptr, 0};
    const bool next_is_us = is_us(conn, next);
    if (!next_is_us && is_hop_to_owner(*session, next)) {
      if (passed_count == 1 && !from_owner) {
        if (is_send) {
          const Refusal bound = bind_peer(*session, conn, from_path);
          if (bound != Refusal::none) return {bound, nullptr, 0};
        } else {
          peer_bound = false;
        }
      }
      dest = live(session->owner);
      if (dest == nullptr) return {Refusal::unknown_session, nullptr, 0};
      break;
    }
    // Neither towards the owner nor from it: section 6.4 says no.
    if (!from_owner && passed_count == 1) return {Refusal::not_authorised, nullptr, 0};
    // A second URI of ours is reached from ourselves, so only the way to its owner is left.
    if (passed_count > 1) return {Refusal::not_authorised, nullptr, 0};
  }

  if (path_length(rest) > path_uris_max || path_length(from_path) + passed_count > path_uris_max) {
    return {Refusal::bad_path, nullptr, 0};
  }
  if (conn.route_count >= (conn.relay_peer ? config_->routes_per_relay_max : config_->routes_per_connection_max)) {
    count(Metric::relay_routes_limit);
    return {Refusal::no_resources, nullptr, 0};
  }
  ++conn.route_count;
  Route* route = make_route();
  route->refs = 0;
  route->transit = transit;
  route->peer_bound = peer_bound;
  route->source = conn.self;
  route->dest = dest->self;
  route->sessions = passed;
  route->session_count = passed_count;
  route->away_key = away_key;
  const std::string* relay = name_in(conn, split_path(from_path).first);
  route->relay.assign(relay != nullptr ? *relay : std::string_view());
  route->in_paths.assign(to_path).append("\r\nFrom-Path: ").append(from_path).append("\r\n");
  route->to_length = static_cast<std::uint32_t>(to_path.size());
  route->from_length = static_cast<std::uint32_t>(from_path.size());
  route->out_paths.assign("To-Path: ").append(rest).append("\r\nFrom-Path: ");
  for (std::size_t i = passed_count; i-- > 0;) route->out_paths.append(own_uris[i]).append(" ");  // R4976-8
  route->out_paths.append(from_path).append("\r\n");
  route->own_last.assign(passed_count == 0 ? split_path(from_path).first : own_uris[passed_count - 1U]);
  const std::string_view own_first = split_path(to_path).first;
  route->response_paths.assign("To-Path: ").append(split_path(from_path).first);
  route->response_paths.append("\r\nFrom-Path: ").append(own_first).append("\r\n");
  route->report_paths.assign("To-Path: ").append(from_path);
  route->report_paths.append("\r\nFrom-Path: ").append(own_first).append("\r\n");
  return {Refusal::none, route, 0};
}

Relay::Resolved Relay::resolve_end(Conn& conn, const Uri& uri, const Ends::Paths& paths, bool is_send) {
  Resolved resolved;
  switch (ends_.arrive(conn, uri, paths, is_send, resolved.end)) {
    case Ends::Arrival::here: break;
    case Ends::Arrival::unknown: resolved.refusal = Refusal::unknown_session; break;
    case Ends::Arrival::elsewhere: resolved.refusal = Refusal::bound_elsewhere; break;
    case Ends::Arrival::early: resolved.refusal = Refusal::early; break;
  }
  return resolved;
}

bool Relay::is_us(const Conn& conn, const Uri& uri) const {
  bool port_known = !uri.has_port;
  bool host_known = false;
  for (const RelayListener& listener : config_->listeners) {
    port_known |= uri.port == listener.port || uri.port == listener.bound_port;
    host_known |= equal_ignore_case(uri.host, listener.host);
  }
  if (!port_known) return false;
  if (host_known) return true;
  for (const std::string& domain : config_->domains) {
    if (equal_ignore_case(uri.host, domain)) return true;
  }
  if (conn.local.family == core::Address::Family::none) return false;
  const auto literal = core::parse_ip(uri.host, 0);
  return literal && literal->family == conn.local.family && literal->ip == conn.local.ip;
}

// A URI is the one we handed out only when all of it is (R4975-13): scheme, host, port, transport, and the secret id.
Session* Relay::find_session(const Uri& uri) {
  const auto id = core::id_decode128(uri.session_id);
  if (!id) return nullptr;
  const auto place = table_.lookup(id->high);
  if (!place || place->shard != shard_) return nullptr;
  Session* session = sessions_.get({place->slot, place->generation});
  if (session == nullptr || !core::equal_constant_time(session->id, uri.session_id)) return nullptr;
  Uri own;
  return parse_uri(session->uri, own) && same_uri(own, uri) ? session : nullptr;
}

bool Relay::owns(const Conn& conn, const Session& session) const {
  if (session.owner == conn.self) return true;
  if (session.owner_relay.empty() || conn.names == nullptr) return false;
  return std::find(conn.names->begin(), conn.names->end(), session.owner_relay) != conn.names->end();
}

// The next hop back is known by its authority; clients use URIs with other session-ids for other sessions.
bool Relay::is_hop_to_owner(const Session& session, const Uri& hop) const {
  Uri owner;
  if (!parse_uri(split_path(session.client_path).first, owner)) return false;
  owner.session_id = hop.session_id;
  return same_uri(owner, hop);
}

// Who sends to a session from where is the way back to it; the first connection keeps the URI while it lives (R4975-12),
// and no longer: a peer that comes back on a new one is not locked out (T-69).
Relay::Refusal Relay::bind_peer(Session& session, Conn& conn, std::string_view from_path) {
  const std::string_view uri = split_path(from_path).first;
  // One of our own URIs is found by its session. Requests from it may come over several pipes: what its owner sends
  // takes one, a report about what it was sent comes back on another.
  Uri parsed;
  if (conn.is_pipe() && parse_uri(uri, parsed) && is_us(conn, parsed)) return Refusal::none;
  for (Session::Peer& peer : session.peers) {
    if (peer.uri != uri) continue;
    Conn* bound = live(peer.conn);
    if (bound == nullptr) peer.conn = conn.self;
    // A relay may use several. What goes to it keeps to the first while that lives, and so keeps its order.
    return bound == nullptr || bound == &conn || same_relay(*bound, conn) ? Refusal::none : Refusal::bound_elsewhere;
  }
  if (session.peers.size() >= config_->peers_per_session_max) {
    std::erase_if(session.peers, [&](const Session::Peer& peer) { return live(peer.conn) == nullptr; });
    if (session.peers.size() >= config_->peers_per_session_max) {
      count(Metric::relay_peers_limit);
      return Refusal::no_resources;
    }
  }
  session.peers.push_back({std::string(uri), conn.self});
  return Refusal::none;
}

// The owner sends out through its session: to a peer that is connected, or to one we may dial.
Conn* Relay::hop_from_owner(Session& session, const Uri& hop, Refusal& refusal) {
  for (const Session::Peer& peer : session.peers) {
    Uri uri;
    if (!parse_uri(peer.uri, uri) || !same_uri(uri, hop)) continue;
    if (Conn* conn = live(peer.conn)) return conn;
  }
  refusal = Refusal::unreachable;
  return dial(session.dials, hop);
}

}  // namespace parley::msrp
