// core/epoll_proactor.h - the Proactor on epoll, for hosts that forbid io_uring.
//
// Imitates completions: readiness makes one recv into a pool block, sends run at once. Interest is dropped lazily (a
// ready descriptor nobody waits for is masked then, not when its receive ends), so that the common pattern "receive,
// arm again" costs no epoll_ctl.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/proactor.h"

namespace parley::core {

class EpollProactor final : public Proactor {
 public:
  static std::unique_ptr<EpollProactor> create(Pool& pool, int wake_event, std::string& error);
  ~EpollProactor() override;

  [[nodiscard]] int socket_flags() const override;
  void arm_accept(OpKey key, int fd) override;
  void arm_recv(OpKey key, int fd, BlockClass cls, bool repeat, bool drained) override;
  void send(OpKey key, int fd, const ::msghdr* message) override;
  void arm_writable(OpKey key, int fd) override;
  void arm_readable(OpKey key, int fd) override;
  void watch_hang_up(OpKey, int) override {}
  void connect(OpKey key, int fd, const ::sockaddr* address, ::socklen_t size) override;
  void cancel(OpKey key, Op op, int fd) override;
  void forget(int fd) override;
  void wait(bool sleep, Duration timeout, std::vector<Completion>& out) override;
  [[nodiscard]] std::uint32_t receive_buffers(BlockClass cls) const override;
  [[nodiscard]] std::uint32_t lent() const override { return 0; }
  [[nodiscard]] std::uint64_t overflows() const override { return 0; }
  [[nodiscard]] int wake_fd() const override { return wake_event_; }
  [[nodiscard]] int ring_fd() const override { return -1; }
  void wake_shard(int ring, int event) override;
  [[nodiscard]] std::string features() const override { return "epoll"; }

 private:
  struct Watched {
    OpKey key;
    std::uint32_t registered = 0;  // epoll events asked for; 0: not in the set
    BlockClass cls = BlockClass::small;
    bool accept = false;
    bool recv = false;
    bool repeat = false;
    bool connect = false;
    bool writable = false;
    bool readable = false;
  };

  EpollProactor(Pool& pool, int epoll, int wake_event) : pool_(pool), epoll_(epoll), wake_event_(wake_event) {}
  Watched& watch(OpKey key, int fd);
  void want(int fd, std::uint32_t events);
  void set_events(int fd, std::uint32_t events);
  void finish(const Watched& watched, Op op, std::int32_t result);
  void ready(int fd, std::uint32_t events);
  void ready_accept(int fd, Watched& watched);
  void ready_recv(int fd, Watched& watched);

  Pool& pool_;
  int epoll_;
  int wake_event_;
  std::vector<Watched> watched_;     // by descriptor
  std::vector<Completion> pending_;  // made outside wait
};

}  // namespace parley::core
