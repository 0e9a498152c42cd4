// tools/parley-load/setup.cc - how a pair comes to be: connect, TLS, AUTH with digest (RFC 4976 5.1), or binding.
#include <openssl/rand.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tools/parley-load/worker.h"

namespace parley::load {
namespace {

std::string random_hex(size_t bytes) {
  std::array<unsigned char, 16> raw{};
  RAND_bytes(raw.data(), static_cast<int>(raw.size()));
  std::string out;
  static constexpr char kHex[] = "0123456789abcdef";
  for (size_t i = 0; i < bytes && i < raw.size(); ++i) {
    out.push_back(kHex[raw[i] >> 4]);
    out.push_back(kHex[raw[i] & 15]);
  }
  return out;
}

std::vector<std::string> split_path(std::string_view path) {
  std::vector<std::string> uris;
  while (!path.empty()) {
    const std::string_view uri = first_uri(path);
    if (!uri.empty()) uris.emplace_back(uri);
    path.remove_prefix(std::min(uri.size() + 1, path.size()));
  }
  return uris;
}

}  // namespace

void Worker::start_pair(Pair& pair) {
  ++started_;
  if (!context_.options.is_direct) return start_connect(pair.receiver);
  // The session-id is padded so that a SEND is about as long as one through a relay with its two URIs.
  const Address& at = context_.options.direct;
  const std::string host = at.host.find(':') != std::string::npos ? "[" + at.host + "]" : at.host;
  pair.receiver.session_id = std::to_string(pair.index) + "-" + random_hex(16) + std::string(40, 'p');
  pair.receiver.uri = "msrp://" + host + ":" + at.port + "/" + pair.receiver.session_id + ";tcp";
  start_connect(pair.sender);
}

void Worker::start_connect(Conn& conn) {
  conn.state = ConnState::connecting;
  const Options& o = context_.options;
  const Address& to = o.server_text.empty() ? o.direct : o.server;
  if (!conn.stream.connect(to, tls_)) return fail_setup(conn, std::strerror(errno));
  epoll_event event{.events = EPOLLOUT, .data = {.ptr = &conn}};
  conn.epoll_mask = event.events;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, conn.stream.fd(), &event);
}

void Worker::on_establish(Conn& conn) {
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &conn}};
  switch (conn.stream.establish()) {
    case Stream::Step::failed: return fail_setup(conn, conn.stream.failure());
    case Stream::Step::want_write: event.events = EPOLLOUT; break;
    case Stream::Step::want_read: break;
    case Stream::Step::done: established(conn); return update_interest(conn);
  }
  conn.epoll_mask = event.events;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, conn.stream.fd(), &event);
}

void Worker::established(Conn& conn) {
  if (conn.uri.empty()) {
    conn.session_id = random_hex(8);
    conn.uri = conn.stream.local_uri(conn.session_id);
    if (context_.options.websocket) conn.uri.replace(conn.uri.rfind(';'), std::string::npos, ";ws");
  }
  if (context_.options.websocket && conn.websocket == nullptr) {
    conn.state = ConnState::upgrading;
    conn.websocket = std::make_unique<WebSocket>();
    context_.batch.add(conn.websocket->ask(context_.options.server_text));
    return flush(conn);
  }
  if (context_.options.is_direct) {
    conn.state = ConnState::binding;
    write_binding(context_, *conn.pair);
    return flush(conn);
  }
  if (conn.role == Role::sender && !context_.options.auth_both) return connection_ready(conn);
  conn.state = ConnState::asking;
  send_auth(conn, {});
}

// What was read while the handshake is not done; the bytes of frames behind it come to the front.
bool Worker::take_websocket(Conn& conn, char* data, size_t& bytes) {
  if (!conn.websocket->open()) {
    std::string_view rest(data, bytes);
    std::string why;
    switch (conn.websocket->take_answer(rest, why)) {
      case WebSocket::Taken::more: bytes = 0; return true;
      case WebSocket::Taken::refused: connection_lost(conn, why); return false;
      case WebSocket::Taken::opened: break;
    }
    std::memmove(data, rest.data(), rest.size());
    bytes = rest.size();
    established(conn);
  }
  std::string pongs;
  const bool alive = conn.websocket->take(data, bytes, pongs);
  context_.batch.add(pongs);
  if (!alive) connection_lost(conn, "the server ended the WebSocket");
  return alive;
}

void Worker::send_auth(Conn& conn, const std::string& authorization) {
  const Options& o = context_.options;
  const std::string tid = "Lauth" + std::to_string(1000 + auth_number_++);
  std::string text = "MSRP " + tid + " AUTH\r\nTo-Path: " + o.relay_uri + "\r\nFrom-Path: " + conn.uri + "\r\n";
  if (o.expires_s > 0) text += "Expires: " + std::to_string(o.expires_s) + "\r\n";
  if (!authorization.empty()) text += "Authorization: " + authorization + "\r\n";
  context_.batch.begin_message();
  context_.batch.add(text + "-------" + tid + "$\r\n");
  context_.batch.end_message();
  flush(conn);
}

void Worker::on_setup_answer(Conn& conn, const Head& head) {
  const Options& o = context_.options;
  if (conn.state == ConnState::binding) {
    if (head.code != 200) return fail_setup(conn, "binding was answered " + std::to_string(head.code));
    return connection_ready(conn);
  }
  if (head.code == 401 && conn.state == ConnState::asking) {
    const auto chosen = choose_challenge({head.challenges.begin(), head.challenges.begin() + head.challenge_count});
    if (!chosen) return fail_setup(conn, "401 without a challenge we can answer");
    conn.state = ConnState::answering;
    const Credentials& user = o.users[conn.pair->index % o.users.size()];
    return send_auth(conn, authorization(*chosen, user, "AUTH", o.relay_uri, random_hex(8), 1));
  }
  if (head.code != 200) return fail_setup(conn, "AUTH was answered " + std::to_string(head.code));
  conn.use_path = split_path(head.use_path);
  if (conn.use_path.empty()) return fail_setup(conn, "AUTH was answered 200 without Use-Path");
  uint64_t expires_s = 0;
  if (parse_number(head.expires, expires_s)) expires_min_s_ = std::min(expires_min_s_, expires_s);
  connection_ready(conn);
}

void Worker::on_accept(Conn& listener) {
  for (;;) {
    const int fd = accept4(listener.stream.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    Conn& conn = accepted_.emplace_back();
    conn.role = Role::receiver;
    conn.state = ConnState::binding;
    conn.stream.adopt(fd);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &conn}};
    conn.epoll_mask = event.events;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
}

// The first frame on an accepted connection says by its To-Path which pair's receiver this is.
void Worker::on_binding(Conn& conn, const Head& head) {
  Pair* found = nullptr;
  for (const auto& pair : pairs_) {
    if (pair->receiver.uri == head.to_path) found = pair.get();
  }
  if (found == nullptr || found->receiver.state != ConnState::unused) {
    conn.stream.close();
    conn.state = ConnState::closed;
    return;
  }
  Conn& mine = found->receiver;
  mine.stream.swap(conn.stream);
  conn.state = ConnState::closed;
  mine.state = ConnState::ready;
  mine.epoll_mask = EPOLLIN;
  epoll_event event{.events = EPOLLIN, .data = {.ptr = &mine}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, mine.stream.fd(), &event);
  on_send_head(context_, mine, head);
  on_send_end(context_, mine, head.flag);
  flush(mine);
}

void Worker::connection_ready(Conn& conn) {
  conn.state = ConnState::ready;
  Pair& pair = *conn.pair;
  if (conn.role == Role::receiver && !pair.idle) return start_connect(pair.sender);
  if (pair.idle) {
    ++ready_;
    return;
  }
  prepare_sender(context_.options, pair);
  first_message_.push_back(&pair);
  make_dirty(context_, pair);
}

void Worker::fail_setup(const Conn& conn, const std::string& why) {
  if (!setup_error_.empty()) return;
  setup_error_ = std::string(conn.role == Role::sender ? "sender" : "receiver") +
                 (conn.pair != nullptr ? " of pair " + std::to_string(conn.pair->index) : "") + ": " + why;
}

}  // namespace parley::load
