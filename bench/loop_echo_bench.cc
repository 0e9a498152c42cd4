// bench/loop_echo_bench.cc - what the event loops cost: an echo Worker behind Loop on io_uring and on epoll, beside a
// plain epoll echo server that has no pool, no seam and no accounting.
//
// The time shown per iteration is the server thread's CPU time per message (not wall time). Arguments: connections,
// messages in flight per connection, bytes per message.
#include <benchmark/benchmark.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/loop.h"
#include "core/socket.h"

namespace {

using namespace parley::core;  // NOLINT: a benchmark's main file

constexpr int messages_per_iteration = 1000;

class EchoWorker final : public Worker {
 public:
  void step(std::span<const Input> batch, const Now&, Outbox& out) override {
    for (const Input& input : batch) {
      if (input.kind == Input::Kind::bytes) out.send(input.conn, input.slice);
      if (input.kind == Input::Kind::half_closed) out.close(input.conn);
    }
  }
};

// One thread that serves until told to stop.
class Server {
 public:
  virtual ~Server() = default;
  [[nodiscard]] virtual Address address() const = 0;
  [[nodiscard]] double cpu_seconds() {
    ::clockid_t clock{};
    ::timespec at{};
    ::pthread_getcpuclockid(thread_.native_handle(), &clock);
    ::clock_gettime(clock, &at);
    return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
  }

 protected:
  std::thread thread_;
};

class LoopServer final : public Server {
 public:
  explicit LoopServer(LoopKind kind) : pool_({}), mailboxes_(1) {
    const Listening listening = listen_tcp(*parse_address("127.0.0.1:0"), false);
    if (listening.fd < 0) std::abort();
    address_ = listening.bound;
    LoopConfig config;
    config.kind = kind;
    config.listeners.push_back({listening.fd, Transport::tcp, 0});
    loop_ = std::make_unique<Loop>(config, pool_, metrics_, worker_, mailboxes_);
    thread_ = std::thread([this] {
      const std::string error = loop_->run();
      if (!error.empty()) std::fprintf(stderr, "%s\n", error.c_str());
    });
  }
  ~LoopServer() override {
    loop_->stop();
    thread_.join();
  }
  [[nodiscard]] Address address() const override { return address_; }

 private:
  Pool pool_;
  Metrics metrics_;
  EchoWorker worker_;
  Mailboxes mailboxes_;
  Address address_;
  std::unique_ptr<Loop> loop_;
};

class PlainEpollServer final : public Server {
 public:
  PlainEpollServer() {
    const Listening listening = listen_tcp(*parse_address("127.0.0.1:0"), false);
    if (listening.fd < 0) std::abort();
    listen_fd_ = listening.fd;
    address_ = listening.bound;
    if (::pipe(stop_pipe_) != 0) std::abort();
    thread_ = std::thread([this] { serve(); });
  }
  ~PlainEpollServer() override {
    (void)!::write(stop_pipe_[1], "x", 1);
    thread_.join();
    ::close(stop_pipe_[0]);
    ::close(stop_pipe_[1]);
  }
  [[nodiscard]] Address address() const override { return address_; }

 private:
  void serve() {
    const int epoll = ::epoll_create1(0);
    const auto add = [&](int fd) {
      ::epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = fd;
      ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    };
    add(listen_fd_);
    add(stop_pipe_[0]);
    std::vector<char> buffer(65536);
    std::vector<int> open;
    ::epoll_event events[256];
    for (bool running = true; running;) {
      const int count = ::epoll_wait(epoll, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == stop_pipe_[0]) {
          running = false;
        } else if (fd == listen_fd_) {
          open.push_back(::accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK));
          add(open.back());
        } else {
          const ::ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
          if (got > 0) {
            (void)!::send(fd, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL);
          } else {
            ::epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nullptr);
          }
        }
      }
    }
    for (const int fd : open) ::close(fd);
    ::close(listen_fd_);
    ::close(epoll);
  }
  int listen_fd_ = -1;
  int stop_pipe_[2] = {-1, -1};
  Address address_;
};

// Keeps `window` messages in flight on each connection.
class Client {
 public:
  Client(const Address& to, int connections, int window, int bytes)
      : message_(static_cast<std::size_t>(window) * static_cast<std::size_t>(bytes), 'm'),
        bytes_(static_cast<std::size_t>(bytes)),
        buffer_(1 << 20) {
    epoll_ = ::epoll_create1(0);
    ::sockaddr_storage storage;
    const ::socklen_t size = to_sockaddr(to, storage);
    for (int i = 0; i < connections; ++i) {
      const int fd = dial_socket(to, std::nullopt, 0);
      if (::connect(fd, reinterpret_cast<const ::sockaddr*>(&storage), size) != 0) std::abort();
      ::epoll_event event{};
      event.events = EPOLLIN;
      event.data.u32 = static_cast<std::uint32_t>(i);
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
      fds_.push_back(fd);
      partial_.push_back(0);
    }
    for (const int fd : fds_) put(fd, static_cast<std::size_t>(window));
  }
  ~Client() {
    for (const int fd : fds_) ::close(fd);
    ::close(epoll_);
  }
  void run(std::size_t messages) {
    ::epoll_event events[256];
    for (std::size_t done = 0; done < messages;) {
      const int count = ::epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < count; ++i) {
        const std::uint32_t at = events[i].data.u32;
        const ::ssize_t got = ::recv(fds_[at], buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN) continue;
        if (got <= 0) std::abort();
        partial_[at] += static_cast<std::size_t>(got);
        const std::size_t whole = partial_[at] / bytes_;
        partial_[at] %= bytes_;
        done += whole;
        if (whole > 0) put(fds_[at], whole);
      }
    }
  }

 private:
  void put(int fd, std::size_t messages) {
    for (std::size_t left = messages * bytes_; left > 0;) {
      const ::ssize_t sent = ::send(fd, message_.data(), std::min(left, message_.size()), MSG_NOSIGNAL);
      if (sent <= 0) std::abort();
      left -= static_cast<std::size_t>(sent);
    }
  }
  int epoll_ = -1;
  std::string message_;
  std::size_t bytes_;
  std::vector<char> buffer_;
  std::vector<int> fds_;
  std::vector<std::size_t> partial_;
};

void measure(benchmark::State& state, Server& server) {
  Client client(server.address(), static_cast<int>(state.range(0)), static_cast<int>(state.range(1)),
                static_cast<int>(state.range(2)));
  client.run(messages_per_iteration);
  for (auto _ : state) {
    const double before = server.cpu_seconds();
    client.run(messages_per_iteration);
    state.SetIterationTime((server.cpu_seconds() - before) / messages_per_iteration);
  }
}

void BM_loop_uring(benchmark::State& state) {
  if (const std::string missing = loop_unavailable(LoopKind::uring); !missing.empty()) {
    state.SkipWithError(missing.c_str());
    return;
  }
  LoopServer server(LoopKind::uring);
  measure(state, server);
}
void BM_loop_epoll(benchmark::State& state) {
  LoopServer server(LoopKind::epoll);
  measure(state, server);
}
void BM_plain_epoll(benchmark::State& state) {
  PlainEpollServer server;
  measure(state, server);
}

void shapes(benchmark::internal::Benchmark* bench) {
  bench->UseManualTime()->Unit(benchmark::kMicrosecond)->Iterations(100)->ArgNames({"conns", "w", "bytes"});
  for (const int bytes : {100, 1024, 10240}) {
    for (const int window : {1, 16}) bench->Args({50, window, bytes});
  }
  bench->Args({50, 1, 65536});
}
BENCHMARK(BM_plain_epoll)->Apply(shapes);
BENCHMARK(BM_loop_epoll)->Apply(shapes);
BENCHMARK(BM_loop_uring)->Apply(shapes);

}  // namespace
