// tests/loops/real_harness.cc - see real_harness.h.
#include "tests/loops/real_harness.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <future>
#include <utility>

#include "core/socket.h"

namespace parley::loops {
namespace {

constexpr auto patience = std::chrono::seconds(20);  // a failing scene ends; a passing one never waits for it
constexpr int full_after_ms = 100;                   // a socket that takes nothing for so long is taken for full

core::Address loopback() { return *core::parse_address("127.0.0.1:0"); }

int connect_to(const core::Address& to) {
  ::sockaddr_storage storage;
  const ::socklen_t size = core::to_sockaddr(to, storage);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_GE(fd, 0);
  EXPECT_EQ(::connect(fd, reinterpret_cast<const ::sockaddr*>(&storage), size), 0);
  return fd;
}

class SocketListener final : public FarListener {
 public:
  SocketListener() : listening_(core::listen_tcp(loopback(), false)) { EXPECT_GE(listening_.fd, 0); }
  ~SocketListener() override { ::close(listening_.fd); }
  [[nodiscard]] core::Address address() const override { return listening_.bound; }
  std::unique_ptr<FarEnd> accept() override {
    return std::make_unique<SocketEnd>(::accept4(listening_.fd, nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  core::Listening listening_;
};

class UdpEnd final : public FarSocket {
 public:
  explicit UdpEnd(std::vector<core::Address> to) : bound_(core::bind_udp(loopback(), false)), to_(std::move(to)) {
    EXPECT_GE(bound_.fd, 0) << bound_.error;
  }
  ~UdpEnd() override { ::close(bound_.fd); }
  [[nodiscard]] core::Address address() const override { return bound_.bound; }
  void send(std::string_view bytes, std::uint16_t socket) override {
    ::sockaddr_storage storage;
    const ::socklen_t size = core::to_sockaddr(to_.at(socket), storage);
    const ::ssize_t sent =
        ::sendto(bound_.fd, bytes.data(), bytes.size(), 0, reinterpret_cast<const ::sockaddr*>(&storage), size);
    EXPECT_EQ(sent, static_cast<::ssize_t>(bytes.size())) << "errno " << errno;
  }
  std::optional<std::string> receive() override {
    ::pollfd watched{bound_.fd, POLLIN, 0};
    if (::poll(&watched, 1, 20'000) != 1) return std::nullopt;
    std::string bytes(65536, '\0');
    const ::ssize_t got = ::recv(bound_.fd, bytes.data(), bytes.size(), 0);
    if (got < 0) return std::nullopt;
    bytes.resize(static_cast<std::size_t>(got));
    return bytes;
  }

 private:
  core::Listening bound_;
  std::vector<core::Address> to_;
};

}  // namespace

SocketEnd::SocketEnd(int fd) : fd_(fd) {
  const ::timeval limit{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

SocketEnd::~SocketEnd() {
  if (fd_ >= 0) ::close(fd_);
}

void SocketEnd::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ::ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) {
      ADD_FAILURE() << "send: errno " << errno;
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::size_t SocketEnd::send_until_full(std::size_t most) {
  const std::string block = pattern(65536, 3);
  std::size_t total = 0;
  while (total < most) {
    const ::ssize_t sent = ::send(fd_, block.data(), std::min(block.size(), most - total), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      total += static_cast<std::size_t>(sent);
      continue;
    }
    ::pollfd watched{fd_, POLLOUT, 0};
    if (::poll(&watched, 1, full_after_ms) == 0) break;
  }
  return total;
}

std::string SocketEnd::receive(std::size_t bytes) {
  std::string got(bytes, '\0');
  std::size_t have = 0;
  while (have < bytes) {
    const ::ssize_t count = ::recv(fd_, got.data() + have, bytes - have, 0);
    if (count < 0 && errno == EINTR) continue;  // a socket with a time-out is not restarted by the kernel
    if (count <= 0) break;
    have += static_cast<std::size_t>(count);
  }
  got.resize(have);
  return got;
}

End SocketEnd::receive_end(std::string* rest) {
  std::vector<char> buffer(65536);
  for (;;) {
    const ::ssize_t count = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) return End::fin;
    if (count < 0) return errno == ECONNRESET ? End::reset : End::none;
    if (rest != nullptr) rest->append(buffer.data(), static_cast<std::size_t>(count));
  }
}

void SocketEnd::half_close() { ::shutdown(fd_, SHUT_WR); }

void SocketEnd::reset() {
  const ::linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(std::exchange(fd_, -1));
}

RealHarness::RealHarness(core::LoopKind kind, SceneSetup setup) : mailboxes_(setup.shards) {
  const core::Listening listening = core::listen_tcp(loopback(), false);
  EXPECT_GE(listening.fd, 0) << listening.error;
  address_ = listening.bound;
  for (std::uint32_t i = 0; i < setup.shards; ++i) {
    auto& shard = *shards_.emplace_back(std::make_unique<Shard>());
    shard.pool = std::make_unique<core::Pool>(setup.pool);
    shard.worker = std::make_unique<ScriptWorker>(*shard.pool, setup.reaction);
    shard.worker->on_step = [this, each = &shard] {
      std::shared_future<void> stall;
      {
        const std::lock_guard lock(mutex_);
        ++changes_;
        stall = each->stall;
      }
      changed_.notify_all();
      if (stall.valid()) stall.wait();
    };
    core::LoopConfig config = setup.config;
    config.shard = i;
    config.kind = kind;
    const core::Transport transport = config.server_tls != nullptr ? core::Transport::tls : core::Transport::tcp;
    for (std::uint16_t id = 0; id < setup.sockets; ++id) {
      const core::Listening socket = core::bind_udp(i == 0 ? loopback() : udp_addresses_[id], setup.shards > 1);
      EXPECT_GE(socket.fd, 0) << socket.error;
      if (i == 0) udp_addresses_.push_back(socket.bound);
      config.sockets.push_back({socket.fd, id});
    }
    if (i == 0) config.listeners = {{listening.fd, transport, 7}};
    shard.loop = std::make_unique<core::Loop>(config, *shard.pool, shard.metrics, *shard.worker, mailboxes_);
  }
  for (auto& shard : shards_) {
    shard->thread = std::thread([this, each = shard.get()] {
      std::string error = each->loop->run();
      {
        const std::lock_guard lock(mutex_);
        each->error = std::move(error);
        each->ended = true;
        ++changes_;
      }
      changed_.notify_all();
    });
  }
}

RealHarness::~RealHarness() {
  for (const std::string& text : end()) ADD_FAILURE() << text;
}

std::vector<std::string> RealHarness::end() {
  std::vector<std::string> wrong;
  for (auto& shard : shards_) {
    if (!shard->thread.joinable()) continue;
    shard->loop->stop();
    shard->thread.join();
  }
  for (const int fd : silent_fds_) ::close(fd);
  silent_fds_.clear();
  for (auto& shard : shards_) {
    if (!shard->error.empty()) wrong.push_back("run: " + shard->error);
    for (const std::string& text : shard->worker->violations()) wrong.push_back("contract: " + text);
    shard->loop.reset();
    if (shard->pool->live_blocks() != 0)
      wrong.push_back("blocks leaked: " + std::to_string(shard->pool->live_blocks()));
    if (shard->pool->heap_bytes() != 0) wrong.push_back("heap bytes leaked");
    const std::uint64_t open = shard->metrics.get(core::Metric::connections);
    if (open != 0) wrong.push_back("connections leaked: " + std::to_string(open));
  }
  shards_.clear();
  return wrong;
}

std::unique_ptr<FarEnd> RealHarness::connect() { return std::make_unique<SocketEnd>(connect_to(address_)); }
std::unique_ptr<FarListener> RealHarness::listen() { return std::make_unique<SocketListener>(); }

core::Address RealHarness::refusing_address() {
  const core::Listening listening = core::listen_tcp(loopback(), false);
  ::close(listening.fd);
  return listening.bound;
}

core::Address RealHarness::silent_address() {
  // A full backlog drops further connects without an answer.
  ::sockaddr_storage storage;
  ::socklen_t size = core::to_sockaddr(loopback(), storage);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::bind(fd, reinterpret_cast<const ::sockaddr*>(&storage), size);
  ::listen(fd, 0);
  silent_fds_.push_back(fd);
  const core::Address address = core::local_address(fd);
  size = core::to_sockaddr(address, storage);
  for (int i = 0; i < 4; ++i) {
    const int filler = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)::connect(filler, reinterpret_cast<const ::sockaddr*>(&storage), size);
    silent_fds_.push_back(filler);
  }
  ::pollfd first{silent_fds_[silent_fds_.size() - 4], POLLOUT, 0};
  (void)::poll(&first, 1, 1000);
  return address;
}

std::unique_ptr<FarSocket> RealHarness::far_socket() { return std::make_unique<UdpEnd>(udp_addresses_); }

core::Address RealHarness::closed_udp_address() {
  const core::Listening bound = core::bind_udp(loopback(), false);
  ::close(bound.fd);
  return bound.bound;
}

void RealHarness::command(std::function<void(core::Outbox&)> what, std::uint32_t shard) {
  bool done = false;
  start_command(
      [&](core::Outbox& out) {
        what(out);
        done = true;
      },
      shard);
  EXPECT_TRUE(wait([&] {
    const std::lock_guard lock(mutex_);
    return done || shards_[shard]->ended;
  }));
}

void RealHarness::start_command(std::function<void(core::Outbox&)> what, std::uint32_t shard) {
  shards_[shard]->worker->enqueue(std::move(what));
  shards_[shard]->loop->post(core::AdminRequest{});
}

// Behind a step, not in one: others may look at the Worker meanwhile.
void RealHarness::while_stalled(const std::function<void()>& what, std::uint32_t shard) {
  std::promise<void> done;
  {
    const std::lock_guard lock(mutex_);
    shards_[shard]->stall = done.get_future().share();
  }
  start_command([](core::Outbox&) {}, shard);
  what();
  {
    const std::lock_guard lock(mutex_);
    shards_[shard]->stall = {};
  }
  done.set_value();
}

bool RealHarness::wait(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + patience;
  std::unique_lock lock(mutex_);
  for (;;) {
    const std::uint64_t seen = changes_;
    lock.unlock();
    bool holds = false;
    {
      std::vector<std::unique_lock<std::recursive_mutex>> locks;
      for (auto& shard : shards_) locks.emplace_back(shard->worker->mutex());
      holds = condition();
    }
    lock.lock();
    if (holds) return true;
    if (std::chrono::steady_clock::now() > until) return false;
    // Counters may change without a step; look again soon.
    changed_.wait_for(lock, std::chrono::milliseconds(20), [&] { return changes_ != seen; });
  }
}

std::uint64_t RealHarness::metric(core::Metric metric, std::uint32_t shard) {
  return shards_[shard]->metrics.get(metric);
}

bool RealHarness::ended(std::uint32_t shard) {
  return wait([&] {
    const std::lock_guard lock(mutex_);
    return shards_[shard]->ended;
  });
}

}  // namespace parley::loops
