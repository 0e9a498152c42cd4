// msrp/relay_auth.cc - AUTH (RFC 4976 sections 5.1 and 6.3) and the life of the sessions it creates.
#include <algorithm>
#include <charconv>

#include "core/check.h"
#include "core/id_text.h"
#include "msrp/relay.h"

namespace parley::msrp {

using core::Metric;

namespace {

// Nonces kept per connection. A client uses one or two; a relay's connection carries many clients' challenges.
constexpr std::size_t client_nonces_max = 16;
constexpr std::size_t relay_nonces_max = 1024;

}  // namespace

// R4976-1: the relay's own name, possibly with userinfo and without port, and no session-id.
bool Relay::wants_auth_here(const Conn& conn, const Frame& frame) {
  const PathSplit path = split_path(frame(frame.head.to_path));
  Uri uri;
  if (!path.rest.empty() || !parse_uri(path.first, uri) || !is_us(conn, uri)) return false;
  if (uri.session_id.empty()) return true;
  const Session* session = find_session(uri);  // a refresh may name the session itself
  return session != nullptr && owns(conn, *session);
}

void Relay::on_auth(Conn& conn, const Frame& frame) {
  const Head& head = frame.head;
  // R4976-1: not in clear over a network, unless the operator says so. Names on a pipe are those of a TLS connection: a
  // relay may refresh a session over any of its connections (R4976-5).
  const bool secure = conn.transport == core::Transport::tls || conn.transport == core::Transport::wss ||
                      (conn.is_pipe() && conn.names != nullptr);
  const bool permitted = secure || config_->plain_auth == PlainAuth::always ||
                         (config_->plain_auth == PlainAuth::loopback && core::is_loopback(conn.remote));
  // A relay that showed a certificate must be the one that the path says (RFC 4976 section 6.3, R4976-14).
  const bool honest = conn.names == nullptr || name_in(conn, split_path(frame(head.from_path)).first) != nullptr;
  if (!permitted || !honest) {
    count(Metric::auth_forbidden);
    respond_plain(conn, frame, 403, {});
    if (!permitted) close(conn);
    return;
  }
  const std::size_t nonces_max = conn.relay_peer ? relay_nonces_max : client_nonces_max;
  const auto challenge = [&](bool stale) {
    std::string headers;
    auth_.put_challenges(*config_, conn.nonces, nonces_max, stale, now_.mono, headers);
    respond_plain(conn, frame, 401, headers);
  };
  if (!head.authorization.present()) {
    count(Metric::auth_challenges);
    challenge(false);
    return;
  }
  const AuthResult result = auth_.judge(*config_, frame(head.authorization), last_of_path(frame(head.to_path)),
                                        conn.nonces, conn.relay_peer ? core::Address{} : conn.remote, now_.mono);
  switch (result.verdict) {
    case AuthVerdict::failed:
      count(Metric::auth_failed);
      challenge(false);
      auth_failed(conn);
      return;
    case AuthVerdict::stale:
      count(Metric::auth_stale);
      challenge(true);
      return;
    case AuthVerdict::replayed:
      count(Metric::auth_replayed);
      challenge(true);
      if (++conn.replays > 1 && !conn.relay_peer) close(conn);
      return;
    case AuthVerdict::rate_limited:
      count(Metric::auth_rate_limited);
      respond_plain(conn, frame, 403, {});
      close(conn);
      return;
    case AuthVerdict::accepted: break;
  }
  std::uint32_t expires_s = config_->expires_default_s;
  if (head.expires.present()) {
    const std::string_view text = frame(head.expires);
    std::uint64_t asked = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), asked);
    if (parsed.ptr != text.data() + text.size() || (parsed.ec != std::errc{} && parsed.ec != std::errc::result_out_of_range)) {
      respond_plain(conn, frame, 400, {});
      return;
    }
    if (parsed.ec == std::errc::result_out_of_range) asked = ~std::uint64_t{0};
    if (asked < config_->expires_min_s ||  // R4976-4
        asked > config_->expires_max_s) {
      count(Metric::auth_interval);
      const bool low = asked < config_->expires_min_s;
      std::string header(low ? "Min-Expires: " : "Max-Expires: ");
      header += std::to_string(low ? config_->expires_min_s : config_->expires_max_s);
      header += "\r\n";
      respond_plain(conn, frame, 423, header);
      return;
    }
    expires_s = static_cast<std::uint32_t>(asked);
  }
  grant(conn, frame, result.user, result.authentication_info, expires_s);
}

void Relay::auth_failed(Conn& conn) {
  // Between relays failures belong to the clients behind them (RFC 4976 section 6.3).
  if (conn.relay_peer || ++conn.auth_failures < config_->auth_failures_max) return;
  count(Metric::auth_closed);
  close(conn);
}

// A session is reached at the listener its client uses. Peers of a WebSocket client, and of a relay that we dialled, come
// by TCP or TLS, as secure as it did, to a listener of the same name where there is one (RFC 7977 section 8.1); without
// any, only other WebSocket clients of this relay can reach it.
std::string Relay::uri_for(const Conn& conn, std::string_view session_id) const {
  const auto& listeners = config_->listeners;
  const bool secure = conn.transport == core::Transport::tls || conn.transport == core::Transport::wss;
  const RelayListener* named = &listeners[conn.listener];
  if (conn.kind == Conn::Kind::dialled || conn.ws != nullptr) {
    const auto serves = [&](const RelayListener& l) { return l.secure == secure && !l.websocket; };
    auto found = std::find_if(listeners.begin(), listeners.end(),
                              [&](const RelayListener& l) { return serves(l) && l.host == named->host; });
    if (found == listeners.end() || conn.ws == nullptr) found = std::find_if(listeners.begin(), listeners.end(), serves);
    if (found != listeners.end()) {
      named = &*found;
    } else if (conn.ws == nullptr) {
      named = &listeners.back();
    }
  }
  return uri_at(*named, session_id);
}

std::string Relay::uri_at(const RelayListener& listener, std::string_view session_id) {
  std::string uri(listener.secure ? "msrps://" : "msrp://");
  uri.append(listener.host).append(":").append(std::to_string(listener.port)).append("/").append(session_id);
  return uri.append(listener.websocket ? ";ws" : ";tcp");
}

// R4976-3: Use-Path, Expires, Authentication-Info. R4976-4: the same client again refreshes what it has.
void Relay::grant(Conn& conn, const Frame& frame, const std::string& user, std::string_view info,
                  std::uint32_t expires_s) {
  const Head& head = frame.head;
  const std::string_view client_path = frame(head.from_path);
  Uri to;
  Session* session = nullptr;
  if (parse_uri(frame(head.to_path), to) && !to.session_id.empty()) {
    session = find_session(to);
    if (session != nullptr && session->user != user) {
      count(Metric::auth_forbidden);
      respond_plain(conn, frame, 403, {});
      return;
    }
  } else {
    // The same client URI again is a refresh and keeps its URI; another one is another session of this connection.
    for (Session* s = conn.first_session; s != nullptr && session == nullptr; s = s->next) {
      if (s->client_path == client_path && s->user == user) session = s;
    }
  }
  if (session == nullptr) {
    const bool room = conn.session_count < config_->sessions_per_connection_max && !draining_;
    const SessionHandle handle = room ? sessions_.emplace() : SessionHandle{};
    if (!handle.valid()) {
      count(Metric::relay_sessions_limit);
      respond_plain(conn, frame, 403, {});
      return;
    }
    session = sessions_.get(handle);
    session->self = handle;
    // 128 random bits (R4975-16, R4976-5).
    const core::Id128 id{random_.next() | 1, random_.next()};  // key 0 is reserved in the table
    session->key = id.high;
    const core::Place place{static_cast<std::uint16_t>(shard_), handle.index, handle.generation};
    if (table_.insert(session->key, place) != core::SessionTable::Insert::done) {
      sessions_.erase(handle);
      count(Metric::relay_sessions_limit);
      respond_plain(conn, frame, 403, {});
      return;
    }
    session->id.resize(core::id128_chars);
    core::id_encode128(id, session->id.data());
    session->number = (std::uint64_t{shard_} << 48) | next_session_number_++;
    session->timer.kind = timer_session;
    session->timer.owner = handle.packed();
    session->user = user;
    session->client_path = client_path;
    session->created = now_.mono;
    if (const std::string* relay = name_in(conn, split_path(client_path).first)) session->owner_relay = *relay;
    link_session(conn, *session);
    session->uri = uri_for(conn, session->id);
    count(Metric::relay_sessions_created);
  }
  prove(conn);
  conn.auth_failures = 0;
  session->expires = now_.mono + std::chrono::seconds(expires_s);
  wheel_.arm(session->timer, session->expires);
  count(Metric::auth_accepted);

  // R4976-6: the relays between the client and us come first, nearest to the client first.
  std::vector<std::string_view> between;
  for (PathSplit path = split_path(client_path); !path.rest.empty(); path = split_path(path.rest)) {
    between.push_back(path.first);
  }
  std::string headers = "Use-Path: ";
  for (auto it = between.rbegin(); it != between.rend(); ++it) headers.append(*it).append(" ");
  headers.append(session->uri).append("\r\nExpires: ").append(std::to_string(expires_s));
  headers.append("\r\nAuthentication-Info: ").append(info).append("\r\n");
  respond_plain(conn, frame, 200, headers);
}

void Relay::link_session(Conn& conn, Session& session) {
  session.owner = conn.self;
  session.prev = nullptr;
  session.next = conn.first_session;
  if (conn.first_session != nullptr) conn.first_session->prev = &session;
  conn.first_session = &session;
  ++conn.session_count;
}

void Relay::unlink_session(Session& session) {
  Conn& conn = *conns_.get(session.owner);
  if (session.prev != nullptr) {
    session.prev->next = session.next;
  } else {
    conn.first_session = session.next;
  }
  if (session.next != nullptr) session.next->prev = session.prev;
  --conn.session_count;
}

// Its connection is gone. A client's URI dies with it; a relay's lives on any other connection of that relay (R4976-5).
void Relay::orphan_session(Session& session) {
  if (!session.owner_relay.empty()) {
    if (Conn* conn = link_to(session.owner_relay)) {
      unlink_session(session);
      link_session(*conn, session);
      return;
    }
  }
  end_session(session, SessionEnd::connection);
}

void Relay::end_session(Session& session, SessionEnd why) {
  std::string_view reason = "connection";
  switch (why) {
    case SessionEnd::expired:
      count(Metric::relay_sessions_expired);
      reason = "expired";
      break;
    case SessionEnd::connection: count(Metric::relay_sessions_closed); break;
    case SessionEnd::kicked:
      count(Metric::relay_sessions_kicked);
      reason = "kicked";
      break;
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now_.mono - session.created).count();
  std::string line = "session_ended number=" + std::to_string(session.number);
  line.append(" user=").append(session.user).append(" seconds=").append(std::to_string(seconds));
  line.append(" chunks_in=").append(std::to_string(session.messages_in));
  line.append(" chunks_out=").append(std::to_string(session.messages_out));
  line.append(" bytes_in=").append(std::to_string(session.bytes_in));
  line.append(" bytes_out=").append(std::to_string(session.bytes_out)).append(" reason=").append(reason);
  out_->log(core::LogRecord::Level::info, std::move(line));

  wheel_.cancel(session.timer);
  table_.erase(session.key);
  unlink_session(session);
  sessions_.erase(session.self);
}

}  // namespace parley::msrp
