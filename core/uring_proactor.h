// core/uring_proactor.h - the Proactor on io_uring (Linux 6.1 and later).
//
// A ring with SINGLE_ISSUER and DEFER_TASKRUN, multishot accept, receives into two rings of provided buffers (4 KiB
// multishot, 64 KiB one at a time, which bounds what one connection may take per turn), sends that finish inside the
// enter call that submits them, and messages between rings to wake another shard.
//
// Lent buffers: the kernel takes buffers of a ring first-in first-out, so lending all of them would drag every receive
// through all of the cache. Each ring holds `target` buffers; the target doubles when a receive finds none and halves
// after seconds in which most stayed unused.
#pragma once

#include <liburing.h>

#include <memory>
#include <string>
#include <vector>

#include "core/gather.h"
#include "core/proactor.h"

namespace parley::core {

// Empty when this host can run UringProactor; otherwise what is missing ("io_uring_setup: Operation not permitted").
std::string uring_missing();

class UringProactor final : public Proactor {
 public:
  // Must be constructed on the thread that uses it (SINGLE_ISSUER). nullptr and `error` when the host cannot.
  // `small_kept`: small blocks that others need and that are never lent. `gather`: of Gather.
  static std::unique_ptr<UringProactor> create(Pool& pool, int wake_event, std::string& error,
                                               std::uint32_t small_kept = 0, Duration gather = {});
  ~UringProactor() override;

  [[nodiscard]] int socket_flags() const override;
  void arm_accept(OpKey key, int fd) override;
  void arm_recv(OpKey key, int fd, BlockClass cls, bool repeat, bool drained) override;
  void send(OpKey key, int fd, const ::msghdr* message) override;
  void arm_writable(OpKey key, int fd) override;
  void arm_readable(OpKey key, int fd) override;
  void watch_hang_up(OpKey key, int fd) override;
  void connect(OpKey key, int fd, const ::sockaddr* address, ::socklen_t size) override;
  void cancel(OpKey key, Op op, int fd) override;
  void forget(int) override {}
  void wait(bool sleep, Duration timeout, std::vector<Completion>& out) override;
  [[nodiscard]] std::uint32_t receive_buffers(BlockClass cls) const override;
  [[nodiscard]] std::uint32_t lent() const override { return groups_[0].lent + groups_[1].lent; }
  [[nodiscard]] std::uint64_t overflows() const override { return overflows_; }
  [[nodiscard]] int wake_fd() const override { return wake_event_; }
  [[nodiscard]] int ring_fd() const override { return ring_.ring_fd; }
  void wake_shard(int ring, int event) override;
  [[nodiscard]] std::string features() const override;

 private:
  struct Group {
    ::io_uring_buf_ring* ring = nullptr;
    std::uint32_t entries = 0;
    BlockClass cls = BlockClass::small;
    std::uint16_t id = 0;
    std::uint32_t count = 0;    // blocks of this class in the pool
    std::uint32_t reserve = 0;  // never lent: plaintext of TLS connections is written there; small_kept
    std::uint32_t target = 0;
    std::uint32_t target_min = 0;
    std::uint32_t lent = 0;
    std::uint32_t least_left = 0;  // since the last look
  };

  UringProactor(Pool& pool, int wake_event, std::uint32_t small_kept, Duration gather)
      : pool_(pool), wake_event_(wake_event), small_kept_(small_kept), gather_(gather) {}
  [[nodiscard]] std::string open();
  [[nodiscard]] bool open_group(Group& group, BlockClass cls, std::uint16_t id, std::uint32_t first_target);
  ::io_uring_sqe* sqe();
  void arm_wake();
  void refill(Group& group);
  void shrink_targets();
  void enter(bool sleep, Duration timeout);
  void reap(std::vector<Completion>& out);
  void translate(const ::io_uring_cqe& cqe, std::vector<Completion>& out);

  Pool& pool_;
  int wake_event_;
  std::uint32_t small_kept_;
  ::io_uring ring_{};
  bool open_ = false;
  bool wake_armed_ = false;
  Group groups_[2];
  std::vector<std::uint8_t> is_lent_;  // by BufferId: a block is lent once (U-11)
  std::uint64_t overflows_ = 0;
  std::uint64_t waits_ = 0;
  Gather gather_;
};

}  // namespace parley::core
