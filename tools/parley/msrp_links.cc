// tools/parley/msrp_links.cc - connections of MSRP sessions, and the relay's AUTH. See msrp_client.h.
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "msrp/frame_text.h"
#include "msrp/uri.h"
#include "tools/parley/msrp_client.h"

namespace parley::client {

namespace {

constexpr std::uint16_t default_port = 2855;  // RFC 4975 section 6
constexpr std::uint8_t refusals_max = 2;      // of our credentials by a relay

std::string place_of(const msrp::Uri& uri) {
  return std::string(uri.secure ? "msrps://" : "msrp://") + std::string(uri.host) + ":" +
         std::to_string(uri.has_port ? uri.port : default_port);
}

}  // namespace

MsrpClient::Link* MsrpClient::link(std::uint64_t key) {
  const auto found = links_.find(key);
  return found == links_.end() ? nullptr : &found->second;
}

bool MsrpClient::owns(core::ConnId conn) const {
  const auto found = by_conn_.find(conn.index);
  if (found == by_conn_.end()) return false;
  const auto at = links_.find(found->second);
  return at != links_.end() && at->second.conn == conn;
}

std::uint64_t MsrpClient::dial(std::string_view text) {
  msrp::Uri uri;
  if (!msrp::parse_uri(text, uri) || links_.size() >= config_.connections_max) return 0;
  const std::uint16_t port = uri.has_port ? uri.port : default_port;
  if (port == 9 || port == 0) return 0;  // T-39
  const std::uint64_t key = next_link_++;
  Link& fresh = links_[key];
  fresh.to = place_of(uri);
  fresh.host = uri.host;
  fresh.secure = uri.secure;
  fresh.due = now_.mono + config_.connect_timeout;
  if (const auto ip = core::parse_ip(uri.host, port)) {
    fresh.addresses.push_back(*ip);
    dial_next(key, fresh);
    return key;
  }
  fresh.token = next_token_++;
  by_token_[fresh.token] = key;
  core::ResolveRequest ask;
  ask.token = fresh.token;
  ask.host = uri.host;
  ask.port = uri.has_port ? uri.port : 0;
  ask.srv_service = uri.secure ? "_msrps._tcp" : "_msrp._tcp";
  out_->resolve(std::move(ask));
  return key;
}

void MsrpClient::dial_next(std::uint64_t key, Link& link) {
  const core::Address address = link.addresses.front();
  link.addresses.erase(link.addresses.begin());
  link.token = next_token_++;
  by_token_[link.token] = key;
  std::string name = link.host;
  if (name.starts_with('[')) name = name.substr(1, name.size() - 2);
  out_->connect({link.token, address, link.secure, name});
}

void MsrpClient::take(const core::Input& input) {
  using Kind = core::Input::Kind;
  const auto by_token = [&](std::uint64_t token) -> std::uint64_t {
    const auto found = by_token_.find(token);
    if (found == by_token_.end()) return 0;
    const std::uint64_t key = found->second;
    by_token_.erase(found);
    return key;
  };
  switch (input.kind) {
    case Kind::opened: {
      if (links_.size() >= config_.connections_max) {
        out_->abort(input.conn);
        return;
      }
      const std::uint64_t key = next_link_++;
      Link& fresh = links_[key];
      fresh.conn = input.conn;
      fresh.open = true;
      fresh.due = now_.mono + config_.bind_timeout;
      by_conn_[input.conn.index] = key;
      return;
    }
    case Kind::connected: {
      const std::uint64_t key = by_token(input.token);
      Link* const up = link(key);
      if (up == nullptr) {  // given up meanwhile
        out_->close(input.conn);
        return;
      }
      up->conn = input.conn;
      up->open = true;
      up->token = 0;
      up->due = core::never;
      up->used = true;
      by_conn_[input.conn.index] = key;
      link_up(key, *up);
      return;
    }
    case Kind::connect_failed: {
      const std::uint64_t key = by_token(input.token);
      Link* const down = link(key);
      if (down == nullptr) return;
      if (!down->addresses.empty()) {
        dial_next(key, *down);
      } else {
        link_lost(key, 408);
      }
      return;
    }
    case Kind::resolved: {
      const std::uint64_t key = by_token(input.resolution->token);
      Link* const asked = link(key);
      if (asked == nullptr) return;
      constexpr std::size_t tries_max = 8;
      for (const core::ResolvedAddress& found : input.resolution->addresses) {
        if (asked->addresses.size() < tries_max) asked->addresses.push_back(found.address);
      }
      if (asked->addresses.empty()) {
        link_lost(key, 408);
      } else {
        dial_next(key, *asked);
      }
      return;
    }
    default: break;
  }
  const auto found = by_conn_.find(input.conn.index);
  if (found == by_conn_.end()) return;
  const std::uint64_t key = found->second;
  Link* const at = link(key);
  if (at == nullptr || !(at->conn == input.conn)) return;
  switch (input.kind) {
    case Kind::sent: at->queued -= std::min(at->queued, input.count); return;
    case Kind::half_closed:
      out_->close(at->conn);
      link_lost(key, 408);
      return;
    case Kind::closed: link_lost(key, 408); return;
    default: return;
  }
}

void MsrpClient::take_bytes(core::ConnId conn, std::string_view bytes) {
  const auto found = by_conn_.find(conn.index);
  if (found != by_conn_.end() && owns(conn)) read(found->second, bytes);
}

void MsrpClient::link_up(std::uint64_t key, Link&) {
  std::vector<std::uint32_t> waiting;
  for (const auto& [number, session] : sessions_) {
    if (session.link == key) waiting.push_back(number);
  }
  for (const std::uint32_t number : waiting) {
    Session* const session = find(number);
    if (session == nullptr) continue;
    if (session->state == State::asking) {
      ask_relay(*session);
    } else if (session->state == State::connecting) {
      send_bind(*session);
      came_up(*session);
    }
  }
}

// Its sessions end with it (R4975-12); one that has another place to try goes there.
void MsrpClient::link_lost(std::uint64_t key, std::uint16_t status) {
  const auto found = links_.find(key);
  if (found == links_.end()) return;
  Link lost = std::move(found->second);
  links_.erase(found);
  if (lost.open) {
    out_->close(lost.conn);
    by_conn_.erase(lost.conn.index);
  }
  by_token_.erase(lost.token);
  if (key == relay_link_) relay_link_ = 0;
  for (auto& [number, session] : sessions_) {
    if (session.link != key) continue;
    session.link = 0;
    if (session.state == State::connecting && !session.fallback.empty()) {
      const std::string place = std::exchange(session.fallback, {});
      session.link = dial(place);
      if (session.link != 0) continue;
    }
    fail(session, status);
  }
}

void MsrpClient::write(Link& to, std::string_view bytes) {
  if (!to.open) return;
  if (out_->write(to.conn, core::Outbox::Lane::back, bytes)) to.queued += bytes.size();
}

// R4976-1 to -4: the URI asked for is the relay's, byte for byte what the digest is of.
void MsrpClient::ask_relay(Session& session) {
  Link* const to = link(session.link);
  if (to == nullptr || !to->open) return;
  std::string tid = make_tid();
  std::string text = "MSRP " + tid + " AUTH\r\nTo-Path: " + config_.relay + "\r\nFrom-Path: " + session.uri + "\r\n";
  if (session.challenge) {
    text += "Authorization: " +
            core::put_credentials(*session.challenge, {config_.user, config_.password}, "AUTH", config_.relay, digest_,
                                  random_) +
            "\r\n";
  }
  text += "-------" + tid + "$\r\n";
  note_chunk(*to, std::move(tid), {.kind = Chunk::Kind::auth, .session = session.number});
  write(*to, text);
}

void MsrpClient::on_auth_response(Session& session, const msrp::Head& head, std::string_view bytes) {
  if (head.status == 401) {
    std::array<std::string_view, msrp::Head::www_authenticate_max> values;
    for (std::size_t i = 0; i < head.www_authenticate_count; ++i) values[i] = head.www_authenticate[i].of(bytes);
    auto challenge = core::choose_challenge({values.data(), head.www_authenticate_count}, digest_);
    // A nonce that is only old is no refusal (R4976-2), but a relay that finds all of them old is not worth more.
    const bool again = challenge && session.refusals < (challenge->stale ? 2 * refusals_max : refusals_max);
    if (!again || (session.challenge && !challenge->stale && session.refusals > 0)) {
      fail(session, 401);
      return;
    }
    ++session.refusals;
    session.challenge = std::move(challenge);
    ask_relay(session);
    return;
  }
  if (head.status != 200 || !head.use_path.present()) {
    fail(session, head.status == 200 ? 400 : head.status);
    return;
  }
  session.refusals = 0;
  std::uint32_t seconds = 0;
  const std::string_view expires = head.expires.of(bytes);
  if (std::from_chars(expires.data(), expires.data() + expires.size(), seconds).ec == std::errc{} && seconds != 0) {
    session.refresh = now_.mono + std::chrono::seconds(seconds) * 4 / 5;
  }
  if (session.state != State::asking) return;  // a refresh: the URI is in use
  session.use_path = head.use_path.of(bytes);
  session.state = State::idle;
  tell(MsrpFact::Kind::ready, session);
}

void MsrpClient::connect(std::uint32_t number, const MsrpPeer& peer) {
  Session* const session = find(number);
  if (session == nullptr || session->state == State::dead || session->state == State::asking) return;
  std::string to_path = session->use_path.empty() ? peer.path : session->use_path + " " + peer.path;
  const bool same = to_path == session->to_path;
  session->to_path = std::move(to_path);
  if (session->state == State::up) {
    if (!same) send_bind(*session);  // the peer's path is another one now
    return;
  }
  if (session->state == State::connecting && same) return;
  session->state = State::connecting;
  if (session->behind_relay) {  // R6135-1: always by the relay's connection
    send_bind(*session);
    came_up(*session);
    return;
  }
  if (const Link* const there = link(session->link); there != nullptr) {
    if (there->open) came_up(*session);  // T-70: it was here before its answer
    return;
  }
  session->peer_path = peer.path;
  msrp::Uri uri;
  const std::string_view first = msrp::split_path(peer.path).first;
  if (!peer.address.empty() && peer.port != 0 && msrp::parse_uri(first, uri)) {
    const bool v6 = peer.address.find(':') != std::string::npos;
    session->fallback = std::string(uri.secure ? "msrps://" : "msrp://") + (v6 ? "[" : "") + peer.address +
                        (v6 ? "]:" : ":") + std::to_string(peer.port) + "/x;tcp";
  }
  if (peer.we_connect) {
    go_there(*session);
  } else {
    session->come = now_.mono + config_.come_timeout;
  }
}

void MsrpClient::go_there(Session& session) {
  session.come = core::never;
  session.link = dial(msrp::split_path(session.peer_path).first);
  if (session.link == 0 && !session.fallback.empty()) session.link = dial(std::exchange(session.fallback, {}));
  if (session.link == 0) fail(session, 408);
}

}  // namespace parley::client
