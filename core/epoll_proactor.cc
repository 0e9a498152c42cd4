// core/epoll_proactor.cc - see epoll_proactor.h.
#include "core/epoll_proactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "core/check.h"

namespace parley::core {
namespace {
constexpr int accepts_per_event = 16;
}  // namespace

void wake_from_outside(int event_fd) {
  const std::uint64_t one = 1;
  (void)!::write(event_fd, &one, sizeof one);  // cannot fill up: a reader resets it
}

std::unique_ptr<EpollProactor> EpollProactor::create(Pool& pool, int wake_event, std::string& error) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) {
    error = std::string("epoll_create1: ") + std::strerror(errno);
    return nullptr;
  }
  std::unique_ptr<EpollProactor> made(new EpollProactor(pool, epoll, wake_event));
  ::epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_event;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, wake_event, &event) != 0) {
    error = std::string("epoll_ctl: ") + std::strerror(errno);
    return nullptr;
  }
  return made;
}

EpollProactor::~EpollProactor() {
  for (const Completion& done : pending_) {
    if (done.buffer != no_buffer) pool_.release(done.buffer);
  }
  ::close(epoll_);
}

int EpollProactor::socket_flags() const { return SOCK_CLOEXEC | SOCK_NONBLOCK; }

EpollProactor::Watched& EpollProactor::watch(OpKey key, int fd) {
  const auto at = static_cast<std::size_t>(fd);
  if (at >= watched_.size()) watched_.resize(std::max(at + 1, watched_.size() * 2));
  watched_[at].key = key;
  return watched_[at];
}

void EpollProactor::set_events(int fd, std::uint32_t events) {
  Watched& watched = watched_[static_cast<std::size_t>(fd)];
  if (watched.registered == events) return;
  ::epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  // Without any wish the descriptor leaves the set: EPOLLHUP and EPOLLERR cannot be masked.
  const int operation = watched.registered == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  CHECK(::epoll_ctl(epoll_, operation, fd, &event) == 0);
  watched.registered = events;
}

void EpollProactor::want(int fd, std::uint32_t events) {
  set_events(fd, watched_[static_cast<std::size_t>(fd)].registered | events);
}

void EpollProactor::arm_accept(OpKey key, int fd) {
  watch(key, fd).accept = true;
  want(fd, EPOLLIN);
}

void EpollProactor::arm_recv(OpKey key, int fd, BlockClass cls, bool repeat, bool) {
  Watched& watched = watch(key, fd);
  watched.recv = true;
  watched.repeat = repeat;
  watched.cls = cls;
  want(fd, EPOLLIN);
}

void EpollProactor::arm_writable(OpKey key, int fd) {
  watch(key, fd).writable = true;
  want(fd, EPOLLOUT);
}

void EpollProactor::arm_readable(OpKey key, int fd) {
  watch(key, fd).readable = true;
  want(fd, EPOLLIN);
}

void EpollProactor::send(OpKey key, int fd, const ::msghdr* message) {
  std::size_t total = 0;
  for (std::size_t i = 0; i < message->msg_iovlen; ++i) total += message->msg_iov[i].iov_len;
  ::ssize_t taken = -1;
  do {
    taken = ::sendmsg(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (taken < 0 && errno == EINTR);
  if (taken >= 0 && static_cast<std::size_t>(taken) == total) return;
  Completion done;
  done.op = Op::send;
  done.index = key.index;
  done.generation = key.generation & op_generation_mask;
  done.result = taken < 0 ? -errno : static_cast<std::int32_t>(taken);
  pending_.push_back(done);
}

void EpollProactor::connect(OpKey key, int fd, const ::sockaddr* address, ::socklen_t size) {
  Watched& watched = watch(key, fd);
  const int rc = ::connect(fd, address, size);
  if (rc == 0 || errno != EINPROGRESS) {
    finish(watched, Op::connect, rc == 0 ? 0 : -errno);
    return;
  }
  watched.connect = true;
  want(fd, EPOLLOUT);
}

void EpollProactor::finish(const Watched& watched, Op op, std::int32_t result) {
  Completion done;
  done.op = op;
  done.index = watched.key.index;
  done.generation = watched.key.generation & op_generation_mask;
  done.result = result;
  pending_.push_back(done);
}

void EpollProactor::cancel(OpKey key, Op op, int fd) {
  const auto at = static_cast<std::size_t>(fd);
  if (at >= watched_.size() || watched_[at].key.index != key.index) return;
  Watched& watched = watched_[at];
  bool* armed = nullptr;
  switch (op) {
    case Op::accept: armed = &watched.accept; break;
    case Op::recv: armed = &watched.recv; break;
    case Op::connect: armed = &watched.connect; break;
    case Op::writable: armed = &watched.writable; break;
    case Op::readable: armed = &watched.readable; break;
    default: return;
  }
  if (!*armed) return;
  *armed = false;
  finish(watched, op, -ECANCELED);
}

void EpollProactor::forget(int fd) {
  const auto at = static_cast<std::size_t>(fd);
  if (at >= watched_.size()) return;
  set_events(fd, 0);
  watched_[at] = {};
}

void EpollProactor::wait(bool sleep, Duration timeout, std::vector<Completion>& out) {
  std::array<::epoll_event, completions_per_turn> events;
  int wait_ms = 0;
  if (sleep && pending_.empty()) {
    const std::int64_t ns = std::max<std::int64_t>(timeout.count(), 0);
    wait_ms = static_cast<int>(std::min<std::int64_t>((ns + 999'999) / 1'000'000, 60'000));  // late by 1 ms at most
  }
  const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms);
  for (int i = 0; i < count; ++i)
    ready(events[static_cast<std::size_t>(i)].data.fd, events[static_cast<std::size_t>(i)].events);
  out.insert(out.end(), pending_.begin(), pending_.end());
  pending_.clear();
}

void EpollProactor::ready(int fd, std::uint32_t events) {
  if (fd == wake_event_) {
    std::uint64_t count = 0;
    (void)!::read(fd, &count, sizeof count);
    Completion done;
    done.op = Op::wake;
    pending_.push_back(done);
    return;
  }
  Watched& watched = watched_[static_cast<std::size_t>(fd)];
  const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (watched.connect && (broken || (events & EPOLLOUT) != 0)) {
    int error = 0;
    ::socklen_t size = sizeof error;
    (void)::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    watched.connect = false;
    finish(watched, Op::connect, -error);
  }
  if (watched.writable && (broken || (events & EPOLLOUT) != 0)) {
    watched.writable = false;
    finish(watched, Op::writable, 0);
  }
  const bool readable = broken || (events & EPOLLIN) != 0;
  const bool read_wanted = watched.accept || watched.recv || watched.readable;
  if (readable && watched.readable) {
    watched.readable = false;
    finish(watched, Op::readable, 0);
  }
  if (readable && watched.accept) ready_accept(fd, watched);
  if (readable && watched.recv) ready_recv(fd, watched);
  std::uint32_t wanted = watched.registered;
  if (!watched.connect && !watched.writable) wanted &= ~static_cast<std::uint32_t>(EPOLLOUT);
  if (readable && !read_wanted) wanted &= ~static_cast<std::uint32_t>(EPOLLIN);
  const bool any = watched.accept || watched.recv || watched.connect || watched.writable || watched.readable;
  if (broken && !any) wanted = 0;
  set_events(fd, wanted);
}

void EpollProactor::ready_accept(int fd, Watched& watched) {
  for (int i = 0; i < accepts_per_event; ++i) {
    const int accepted = ::accept4(fd, nullptr, nullptr, socket_flags());
    if (accepted < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)) return;
    Completion done;
    done.op = Op::accept;
    done.index = watched.key.index;
    done.generation = watched.key.generation & op_generation_mask;
    done.result = accepted < 0 ? -errno : accepted;
    done.more = accepted >= 0;
    pending_.push_back(done);
    if (accepted < 0) {
      watched.accept = false;
      return;
    }
  }
}

void EpollProactor::ready_recv(int fd, Watched& watched) {
  Completion done;
  done.op = Op::recv;
  done.index = watched.key.index;
  done.generation = watched.key.generation & op_generation_mask;
  const BufferId block = receive_buffers(watched.cls) > 0 ? pool_.take(watched.cls) : no_buffer;
  if (block == no_buffer) {
    done.result = -ENOBUFS;
  } else {
    const ::ssize_t got = ::recv(fd, pool_.data(block), pool_.size(block), MSG_DONTWAIT);
    if (got <= 0) {
      const int error = got < 0 ? errno : 0;
      pool_.release(block);
      if (error == EAGAIN || error == EINTR) return;
      done.result = -error;
    } else {
      done.result = static_cast<std::int32_t>(got);
      done.buffer = block;
      done.non_empty = got == static_cast<::ssize_t>(pool_.size(block));
      done.more = watched.repeat;
    }
  }
  if (!done.more) watched.recv = false;
  pending_.push_back(done);
}

std::uint32_t EpollProactor::receive_buffers(BlockClass cls) const {
  const std::uint32_t spare = pool_.free_count(cls);
  const std::uint32_t reserve = pool_.total(cls) / 4;  // plaintext of TLS connections is written there
  return spare > reserve ? spare - reserve : 0;
}

void EpollProactor::wake_shard(int, int event) { wake_from_outside(event); }

}  // namespace parley::core
