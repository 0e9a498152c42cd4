// core/loop_conn.cc - connection slots of the Loop: accept, connect, and the close protocol (U-3). See loop.h.
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/loop.h"
#include "core/socket.h"
#include "core/tls_conn.h"

namespace parley::core {
namespace {

constexpr Duration accept_back_off = 100ms;  // U-16
constexpr int refused_at_once_max = 64;

bool out_of_descriptors(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS; }

void set_nonblocking(int fd, bool on) {
  const int flags = ::fcntl(fd, F_GETFL);
  (void)::fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

ConnectError connect_error_of(int error) {
  switch (error) {
    case ECONNREFUSED: return ConnectError::refused;
    case ETIMEDOUT: return ConnectError::timeout;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRNOTAVAIL: return ConnectError::no_resources;
    default: return ConnectError::unreachable;
  }
}

}  // namespace

std::uint32_t Loop::new_conn() {
  if (free_conns_.empty()) {
    const auto first = static_cast<std::uint32_t>(conns_.size() * conns_per_chunk);
    conns_.push_back(std::make_unique<Conn[]>(conns_per_chunk));
    for (std::uint32_t i = conns_per_chunk; i > 0; --i) free_conns_.push_back(first + i - 1);
  }
  const std::uint32_t index = free_conns_.back();
  free_conns_.pop_back();
  ++live_conns_;
  return index;
}

Conn* Loop::find(ConnId id) {
  if (id.index >= conns_.size() * conns_per_chunk) return nullptr;
  Conn& c = conn(id.index);
  return c.generation == id.generation && c.known ? &c : nullptr;
}

Conn* Loop::find_op(const Completion& done) {
  if (done.index >= conns_.size() * conns_per_chunk) return nullptr;
  Conn& c = conn(done.index);
  return (c.generation & op_generation_mask) == done.generation && c.stage != Stage::vacant ? &c : nullptr;
}

void Loop::start_listeners() {
  const bool nonblocking = (proactor_->socket_flags() & SOCK_NONBLOCK) != 0;
  for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
    ListenerSlot& slot = listeners_[i];
    set_nonblocking(slot.listener.fd, nonblocking);
    proactor_->arm_accept({i, slot.generation}, slot.listener.fd);
    slot.armed = true;
  }
}

void Loop::stop_listeners() {
  if (!accepting_) return;
  accepting_ = false;
  for (std::uint32_t i = 0; i < listeners_.size(); ++i) {
    ListenerSlot& slot = listeners_[i];
    if (slot.armed) {
      proactor_->cancel({i, slot.generation}, Op::accept, slot.listener.fd);
    } else if (slot.listener.fd >= 0) {
      ::close(slot.listener.fd);
      slot.listener.fd = -1;
    }
  }
}

void Loop::on_accept(const Completion& done) {
  CHECK(done.index < listeners_.size());
  ListenerSlot& slot = listeners_[done.index];
  if (!done.more) slot.armed = false;
  if (done.result >= 0) admit(done.index, done.result);
  if (slot.armed) return;
  if (!accepting_) {  // cancelled: nothing of the kernel refers to it any more
    proactor_->forget(slot.listener.fd);
    ::close(slot.listener.fd);
    slot.listener.fd = -1;
    return;
  }
  if (done.result < 0 && out_of_descriptors(-done.result)) {
    metrics_.add(Metric::accept_no_descriptors);
    refuse_waiting(slot.listener.fd);
    arm_timer(TimerKind::accept_again, now_.mono + accept_back_off, done.index, 0);
    return;
  }
  proactor_->arm_accept({done.index, slot.generation}, slot.listener.fd);
  slot.armed = true;
}

// Out of descriptors: who waits in the backlog is closed with the spare ones, so that it learns of it (U-16).
void Loop::refuse_waiting(int listen_fd) {
  if (spare_fds_.empty()) return;
  ::close(spare_fds_.back());
  spare_fds_.pop_back();
  set_nonblocking(listen_fd, true);
  for (int i = 0; i < refused_at_once_max; ++i) {
    const int fd = ::accept4(listen_fd, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) break;
    ::close(fd);
  }
  set_nonblocking(listen_fd, (proactor_->socket_flags() & SOCK_NONBLOCK) != 0);
  const int spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (spare >= 0) spare_fds_.push_back(spare);
}

void Loop::admit(std::uint32_t listener, int fd) {
  if (!accepting_ || full()) {
    if (accepting_) metrics_.add(Metric::accept_refused_limit);
    ::close(fd);
    return;
  }
  std::unique_ptr<Address> source;
  if (config_.per_source_max > 0) {
    source = std::make_unique<Address>(unmapped(remote_address(fd)));
    if (is_loopback(*source)) {
      source.reset();
    } else if (!count_source(*source)) {
      metrics_.add(Metric::accept_refused_source);
      ::close(fd);
      return;
    }
  }
  metrics_.add(Metric::connections_accepted);
  metrics_.add(Metric::connections);
  const std::uint32_t index = new_conn();
  Conn& c = conn(index);
  c.fd = fd;
  c.accepted = true;
  c.listener = listeners_[listener].listener.id;
  c.transport = listeners_[listener].listener.transport;
  c.source = std::move(source);
  c.socket_dry = true;
  if (c.transport == Transport::tls) {
    start_tls(index, true);
  } else {
    announce_open(index, Input::Kind::opened);
  }
}

bool Loop::count_source(const Address& remote) {
  IpKey key{};
  std::memcpy(&key, remote.ip.data(), sizeof key);
  std::uint32_t& count = sources_[key];
  if (count >= config_.per_source_max) return false;
  ++count;
  return true;
}

void Loop::force_count_source(const Address& remote) {
  IpKey key{};
  std::memcpy(&key, remote.ip.data(), sizeof key);
  ++sources_[key];
}

void Loop::uncount_source(const Address& remote) {
  IpKey key{};
  std::memcpy(&key, remote.ip.data(), sizeof key);
  const auto found = sources_.find(key);
  if (found != sources_.end() && --found->second == 0) sources_.erase(found);
}

// Where all listeners that `to` could reach have one address, our own connections leave from there, as datagrams do: peers
// trust us by it. Else the kernel knows best.
std::optional<Address> Loop::source_toward(const Address& to) const {
  std::optional<Address> only;
  for (const Address& own : listening_at_) {
    if (own.family != to.family || is_loopback(own) != is_loopback(to)) continue;
    const bool link_local = own.family == Address::Family::v6 && own.ip[0] == 0xfe && (own.ip[1] & 0xc0) == 0x80;
    if (is_unspecified(own) || link_local || (only && only->ip != own.ip)) return std::nullopt;
    only = own;
  }
  return only;
}

void Loop::start_connects() {
  for (ConnectRequest& request : outbox_.connects()) start_connect(request);
}

void Loop::start_connect(ConnectRequest& request) {
  const auto fail = [&](ConnectError error) {
    Input input;
    input.kind = Input::Kind::connect_failed;
    input.token = request.token;
    input.connect_error = error;
    inputs_.push_back(std::move(input));
    metrics_.add(Metric::connect_failures);
  };
  if (running_ != Running::serving || full()) return fail(ConnectError::no_resources);
  if (request.tls && config_.client_tls == nullptr) return fail(ConnectError::tls_error);
  const int fd = dial_socket(request.address, source_toward(request.address), proactor_->socket_flags());
  if (fd < 0) return fail(connect_error_of(errno));
  metrics_.add(Metric::connections);
  const std::uint32_t index = new_conn();
  Conn& c = conn(index);
  c.fd = fd;
  c.stage = Stage::connecting;
  c.transport = request.tls ? Transport::tls : Transport::tcp;
  c.socket_dry = true;
  c.dial = std::make_unique<Dial>();
  c.dial->token = request.token;
  c.dial->tls_name = std::move(request.tls_name);
  c.dial->address_size = to_sockaddr(request.address, c.dial->address);
  c.connect_armed = true;
  proactor_->connect({index, c.generation}, fd, reinterpret_cast<const ::sockaddr*>(&c.dial->address),
                     c.dial->address_size);
  arm_timer(TimerKind::connect, now_.mono + config_.connect_timeout, index, c.generation);
}

void Loop::on_connect(std::uint32_t index, std::int32_t result) {
  Conn& c = conn(index);
  c.connect_armed = false;
  if (c.stage != Stage::connecting) {
    bury_if_over(index);
    return;
  }
  if (result < 0) {
    fail_connect(index, connect_error_of(-result));
    kill(index, false);
  } else if (c.transport == Transport::tls) {
    start_tls(index, false);
  } else {
    announce_open(index, Input::Kind::connected);
  }
}

void Loop::fail_connect(std::uint32_t index, ConnectError error) {
  Conn& c = conn(index);
  Input input;
  input.kind = Input::Kind::connect_failed;
  input.token = c.pipe != nullptr ? c.pipe->token : c.dial->token;
  input.connect_error = error;
  inputs_.push_back(std::move(input));
  metrics_.add(Metric::connect_failures);
}

void Loop::announce_open(std::uint32_t index, Input::Kind kind) {
  Conn& c = conn(index);
  c.stage = Stage::open;
  c.known = true;
  PeerInfo& peer = peers_.emplace_back();
  if (c.pipe != nullptr) {
    if (c.pipe->served != nullptr) peer = std::move(*std::exchange(c.pipe->served, nullptr));
    peer.from_shard = c.pipe->shard;
  } else {
    peer.listener = c.listener;
    peer.remote = remote_address(c.fd);
    peer.local = local_address(c.fd);
    if (c.tls != nullptr) peer.verified_names = c.tls->verified_names();
  }
  peer.transport = c.transport;
  Input input;
  input.kind = kind;
  input.conn = {index, c.generation};
  input.peer = &peer;
  if (kind == Input::Kind::connected) {
    input.token = c.pipe != nullptr ? c.pipe->token : c.dial->token;
    if (c.pipe == nullptr) metrics_.add(Metric::connections_dialled);
  }
  c.dial.reset();
  inputs_.push_back(std::move(input));
  if (c.fd >= 0) arm_recv(index);
}

void Loop::report_closed(std::uint32_t index, CloseReason reason) {
  Conn& c = conn(index);
  if (!c.known) return;
  if (c.pipe != nullptr && c.owed > 0) {  // what the other shard has still taken over
    Input sent;
    sent.kind = Input::Kind::sent;
    sent.conn = {index, c.generation};
    sent.count = std::exchange(c.owed, 0);
    inputs_.push_back(std::move(sent));
  }
  c.known = false;
  Input input;
  input.kind = Input::Kind::closed;
  input.conn = {index, c.generation};
  input.close_reason = reason;
  inputs_.push_back(std::move(input));
}

void Loop::end_conn(std::uint32_t index, CloseReason reason) {
  Conn& c = conn(index);
  const bool dialling = !c.accepted && (c.stage == Stage::connecting || c.stage == Stage::handshaking);
  if (dialling) {
    const ConnectError error = reason == CloseReason::timeout         ? ConnectError::timeout
                               : reason == CloseReason::tls_error     ? ConnectError::tls_error
                               : reason == CloseReason::shutting_down ? ConnectError::no_resources
                                                                      : ConnectError::refused;
    fail_connect(index, error);
  }
  report_closed(index, reason);
  kill(index, reason == CloseReason::timeout || reason == CloseReason::no_memory);
}

// Output close: what was sent leaves first, then FIN, then the peer's FIN for a bounded time.
void Loop::close_conn(std::uint32_t index) {
  Conn& c = conn(index);
  c.known = false;
  c.stage = Stage::flushing;
  set_paused(index, false);
  touch(index);
}

void Loop::after_flush(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.pipe != nullptr) {
    pipe_finish(index);
    return;
  }
  if (c.peer_fin) {
    kill(index, false);
    return;
  }
  (void)::shutdown(c.fd, SHUT_WR);
  c.stage = Stage::lingering;
  arm_recv(index);
  arm_timer(TimerKind::linger, now_.mono + config_.linger, index, c.generation);
}

void Loop::kill(std::uint32_t index, bool reset) {
  Conn& c = conn(index);
  if (c.stage == Stage::dying) return;
  c.known = false;
  c.stage = Stage::dying;
  set_paused(index, false);
  if (c.pipe != nullptr) {
    Mail mail;
    mail.kind = Mail::Kind::abort;
    mail.to = c.pipe->peer;
    if (c.pipe->peer.valid()) send_mail(c.pipe->shard, mail);
    for (const Slice& slice : c.pipe->held) pool_.release(slice.buffer);
    c.pipe->held.clear();
  }
  drop_nodes(c);
  drop_backlog(c);
  if (c.fd >= 0) {
    if (reset) {
      const ::linger at_once{.l_onoff = 1, .l_linger = 0};
      (void)::setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    } else {
      (void)::shutdown(c.fd, SHUT_RDWR);  // ends a receive; close alone would leave it, and the socket, alive
    }
    const OpKey key{index, c.generation};
    if (c.recv_armed) proactor_->cancel(key, Op::recv, c.fd);
    if (c.writable_armed) proactor_->cancel(key, Op::writable, c.fd);
    if (c.hang_up_watched) proactor_->cancel(key, Op::hung_up, c.fd);
    if (c.connect_armed) proactor_->cancel(key, Op::connect, c.fd);
  }
  bury_if_over(index);
}

void Loop::bury_if_over(std::uint32_t index) {
  Conn& c = conn(index);
  if (c.stage != Stage::dying || c.outstanding()) return;
  if (c.fd >= 0) {
    proactor_->forget(c.fd);
    ::close(c.fd);
    metrics_.sub(Metric::connections);
  }
  if (c.source != nullptr) uncount_source(*c.source);
  if (c.transport == Transport::pipe) --live_pipes_;
  const std::uint32_t generation = c.generation + 1;
  const bool touched = c.touched;
  c = Conn();
  c.generation = generation;
  c.touched = touched;  // touched_ still names the slot; flush() finds nothing to do
  free_conns_.push_back(index);
  --live_conns_;
}

}  // namespace parley::core
