// core/uring_proactor.cc - see uring_proactor.h.
#include "core/uring_proactor.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "core/check.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define PARLEY_POISON(at, bytes) ASAN_POISON_MEMORY_REGION(at, bytes)
#define PARLEY_UNPOISON(at, bytes) ASAN_UNPOISON_MEMORY_REGION(at, bytes)
#else
#define PARLEY_POISON(at, bytes) (void)0
#define PARLEY_UNPOISON(at, bytes) (void)0
#endif

namespace parley::core {
namespace {

constexpr unsigned sq_entries = 512;
constexpr unsigned cq_entries = 8192;  // at least 8 x SQ (U-8): a multishot operation completes more than once
static_assert(cq_entries >= 8 * sq_entries);
constexpr std::uint32_t small_target_first = 256;  // 1 MiB: fits the second-level cache
constexpr std::uint32_t large_target_first = 8;    // 512 KiB
constexpr std::uint64_t waits_between_looks = 4096;
constexpr std::uint16_t buffer_ids_max = 65535;  // a provided buffer's id has 16 bits

// Low byte of user_data. The receive's group is part of it, so that -ENOBUFS names the group that ran dry.
enum class Tag : std::uint8_t {
  accept = 1,
  recv_small,
  recv_large,
  send,
  connect,
  writable,
  readable,
  hang_up,
  cancel,
  wake_poll,
  wake_message,
  wake_sent
};

constexpr std::uint64_t user_data(OpKey key, Tag tag) {
  return std::uint64_t{key.index} << 32 | std::uint64_t{key.generation & op_generation_mask} << 8 |
         static_cast<std::uint64_t>(tag);
}

bool opcodes_present(::io_uring& ring) {
  ::io_uring_probe* probe = ::io_uring_get_probe_ring(&ring);
  if (probe == nullptr) return false;
  bool all = true;
  for (const int op : {IORING_OP_ACCEPT, IORING_OP_RECV, IORING_OP_SENDMSG, IORING_OP_CONNECT, IORING_OP_POLL_ADD,
                       IORING_OP_ASYNC_CANCEL, IORING_OP_MSG_RING}) {
    all = all && ::io_uring_opcode_supported(probe, op) != 0;
  }
  ::io_uring_free_probe(probe);
  return all;
}

std::string errno_text(const char* call, int error) { return std::string(call) + ": " + std::strerror(error); }

}  // namespace

std::string uring_missing() {
  // A ring of its own with the real flags and a real buffer ring: the only probe that cannot be wrong.
  Pool pool({.small_count = 8, .large_count = 2, .arena_count = 1, .heap_bytes_max = 0});
  std::string error;
  (void)UringProactor::create(pool, -1, error);
  return error;
}

std::unique_ptr<UringProactor> UringProactor::create(Pool& pool, int wake_event, std::string& error,
                                                     std::uint32_t small_kept, Duration gather) {
  std::unique_ptr<UringProactor> made(new UringProactor(pool, wake_event, small_kept, gather));
  error = made->open();
  if (!error.empty()) return nullptr;
  return made;
}

std::string UringProactor::open() {
  ::io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = cq_entries;
  if (const int rc = ::io_uring_queue_init_params(sq_entries, &ring_, &params); rc < 0) {
    return errno_text("io_uring_setup", -rc);
  }
  open_ = true;
  constexpr unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP | IORING_FEAT_FAST_POLL;
  if ((params.features & needed) != needed) return "io_uring: the kernel lacks features of Linux 6.1";
  if (!opcodes_present(ring_)) return "io_uring: the kernel lacks operations of Linux 6.1";
  if (pool_.total(BlockClass::small) + pool_.total(BlockClass::large) > buffer_ids_max) {
    return "io_uring: more receive buffers than 16 bits can name";
  }
  is_lent_.resize(std::size_t{pool_.total(BlockClass::small)} + pool_.total(BlockClass::large));
  if (!open_group(groups_[0], BlockClass::small, 0, small_target_first)) return "io_uring: no provided buffer rings";
  if (!open_group(groups_[1], BlockClass::large, 1, large_target_first)) return "io_uring: no provided buffer rings";
  (void)::io_uring_register_ring_fd(&ring_);  // saves the descriptor look-up; enter works without it
  arm_wake();
  return {};
}

bool UringProactor::open_group(Group& group, BlockClass cls, std::uint16_t id, std::uint32_t first_target) {
  group.cls = cls;
  group.id = id;
  group.count = pool_.total(cls);
  group.entries = std::bit_ceil(std::max(group.count, 1U));
  group.reserve = group.count / 4 + (cls == BlockClass::small ? small_kept_ : 0);
  group.target_min = std::min(first_target, group.count - group.reserve);
  group.target = group.target_min;
  const std::size_t bytes = group.entries * sizeof(::io_uring_buf);
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  group.ring = static_cast<::io_uring_buf_ring*>(memory);
  ::io_uring_buf_reg reg{};
  reg.ring_addr = reinterpret_cast<std::uint64_t>(memory);
  reg.ring_entries = group.entries;
  reg.bgid = id;
  if (::io_uring_register_buf_ring(&ring_, &reg, 0) != 0) return false;
  ::io_uring_buf_ring_init(group.ring);
  refill(group);
  group.least_left = group.lent;
  return true;
}

UringProactor::~UringProactor() {
  if (open_) ::io_uring_queue_exit(&ring_);
  for (BufferId id = 0; id < is_lent_.size(); ++id) {
    if (is_lent_[id] == 0) continue;
    PARLEY_UNPOISON(pool_.data(id), pool_.size(id));
    pool_.release(id);
  }
  for (Group& group : groups_) {
    if (group.ring != nullptr) ::munmap(group.ring, group.entries * sizeof(::io_uring_buf));
  }
}

int UringProactor::socket_flags() const { return SOCK_CLOEXEC; }

::io_uring_sqe* UringProactor::sqe() {
  ::io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
  while (entry == nullptr) {  // full: hand over what there is, the kernel takes all of it (U-9)
    const int rc = ::io_uring_submit(&ring_);
    CHECK(rc >= 0 || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY);
    entry = ::io_uring_get_sqe(&ring_);
  }
  return entry;
}

void UringProactor::arm_wake() {
  if (wake_event_ < 0) return;
  ::io_uring_sqe* entry = sqe();
  ::io_uring_prep_poll_multishot(entry, wake_event_, POLLIN);
  entry->user_data = user_data({}, Tag::wake_poll);
  wake_armed_ = true;
}

void UringProactor::arm_accept(OpKey key, int fd) {
  ::io_uring_sqe* entry = sqe();
  ::io_uring_prep_multishot_accept(entry, fd, nullptr, nullptr, SOCK_CLOEXEC);
  entry->user_data = user_data(key, Tag::accept);
}

void UringProactor::arm_recv(OpKey key, int fd, BlockClass cls, bool repeat, bool drained) {
  const bool small = cls == BlockClass::small;
  ::io_uring_sqe* entry = sqe();
  ::io_uring_prep_recv(entry, fd, nullptr, 0, 0);
  if (repeat) entry->ioprio |= IORING_RECV_MULTISHOT;
  if (drained) entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = groups_[small ? 0 : 1].id;
  entry->user_data = user_data(key, small ? Tag::recv_small : Tag::recv_large);
}

void UringProactor::send(OpKey key, int fd, const ::msghdr* message) {
  ::io_uring_sqe* entry = sqe();
  // DONTWAIT: done, in part or not at all, before enter returns. WAITALL: a part counts as a failure, so that exactly
  // the sends that need attention complete. The memory is therefore free after enter, whether or not there is a
  // completion; that is why skipping it is allowed here (U-20).
  ::io_uring_prep_sendmsg(entry, fd, message, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_WAITALL);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = user_data(key, Tag::send);
}

void UringProactor::arm_writable(OpKey key, int fd) {
  ::io_uring_sqe* entry = sqe();
  ::io_uring_prep_poll_add(entry, fd, POLLOUT);
  entry->user_data = user_data(key, Tag::writable);
}

void UringProactor::arm_readable(OpKey key, int fd) {
  ::io_uring_sqe* entry = sqe();
  ::io_uring_prep_poll_add(entry, fd, POLLIN);
  entry->user_data = user_data(key, Tag::readable);
}

void UringProactor::watch_hang_up(OpKey key, int fd) {
  ::io_uring_sqe* entry = sqe();
  ::io_uring_prep_poll_add(entry, fd, 0);  // errors and hang-ups are reported without being asked for
  entry->user_data = user_data(key, Tag::hang_up);
}

void UringProactor::connect(OpKey key, int fd, const ::sockaddr* address, ::socklen_t size) {
  ::io_uring_sqe* entry = sqe();
  ::io_uring_prep_connect(entry, fd, address, size);
  entry->user_data = user_data(key, Tag::connect);
}

void UringProactor::cancel(OpKey key, Op op, int) {
  const auto cancel_tag = [&](Tag tag) {
    ::io_uring_sqe* entry = sqe();
    ::io_uring_prep_cancel64(entry, user_data(key, tag), IORING_ASYNC_CANCEL_ALL);
    entry->flags |= IOSQE_CQE_SKIP_SUCCESS;  // owns no memory; the target's own completion is what counts (U-6)
    entry->user_data = user_data(key, Tag::cancel);
  };
  switch (op) {
    case Op::accept: cancel_tag(Tag::accept); break;
    case Op::connect: cancel_tag(Tag::connect); break;
    case Op::writable: cancel_tag(Tag::writable); break;
    case Op::readable: cancel_tag(Tag::readable); break;
    case Op::hung_up: cancel_tag(Tag::hang_up); break;
    case Op::recv:  // which group is not remembered; the miss answers -ENOENT
      cancel_tag(Tag::recv_small);
      cancel_tag(Tag::recv_large);
      break;
    default: break;
  }
}

void UringProactor::refill(Group& group) {
  const int mask = static_cast<int>(group.entries) - 1;
  int added = 0;
  while (group.lent < group.target && pool_.free_count(group.cls) > group.reserve) {
    const BufferId id = pool_.take(group.cls);
    CHECK(is_lent_[id] == 0);
    is_lent_[id] = 1;
    PARLEY_POISON(pool_.data(id), pool_.size(id));
    ::io_uring_buf_ring_add(group.ring, pool_.data(id), pool_.size(id), static_cast<unsigned short>(id), mask, added);
    ++added;
    ++group.lent;
  }
  if (added > 0) ::io_uring_buf_ring_advance(group.ring, added);
}

void UringProactor::shrink_targets() {
  for (Group& group : groups_) {
    // What is lent already stays lent; it is only not replaced.
    if (group.least_left > group.target / 4 * 3) group.target = std::max(group.target / 2, group.target_min);
    group.least_left = group.lent;
  }
}

std::uint32_t UringProactor::receive_buffers(BlockClass cls) const {
  const Group& group = groups_[cls == BlockClass::small ? 0 : 1];
  const std::uint32_t spare = pool_.free_count(cls);
  const std::uint32_t room = group.target > group.lent ? group.target - group.lent : 0;
  return group.lent + std::min(room, spare > group.reserve ? spare - group.reserve : 0);
}

void UringProactor::wait(bool sleep, Duration timeout, std::vector<Completion>& out) {
  for (Group& group : groups_) refill(group);
  if (!wake_armed_) arm_wake();
  enter(sleep && ::io_uring_cq_ready(&ring_) == 0, timeout);
  reap(out);
  // Until every entry is with the kernel, a send may not have run; until the overflow list is empty, its failure may
  // not be visible.
  while (::io_uring_sq_ready(&ring_) > 0 || ::io_uring_cq_has_overflow(&ring_)) {
    if (::io_uring_cq_has_overflow(&ring_)) ++overflows_;
    enter(false, {});
    reap(out);
  }
  for (Group& group : groups_) group.least_left = std::min(group.least_left, group.lent);
  if (++waits_ % waits_between_looks == 0) shrink_targets();
}

void UringProactor::enter(bool sleep, Duration timeout) {
  int rc = 0;
  if (!sleep) {
    rc = ::io_uring_submit_and_get_events(&ring_);  // a deferred ring shows nothing without entering (U-7)
  } else {
    const auto sleep_for = [this](Duration longest, unsigned many) {
      const std::int64_t ns = std::max<std::int64_t>(longest.count(), 0);
      ::__kernel_timespec spec{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
      ::io_uring_cqe* ignored = nullptr;
      return ::io_uring_submit_and_wait_timeout(&ring_, &ignored, many, &spec, nullptr);
    };
    rc = gather_.on() ? sleep_for(std::min(timeout, gather_.time()), Gather::many) : sleep_for(timeout, 1);
    if (gather_.on() && timeout > gather_.time() && ::io_uring_cq_ready(&ring_) == 0) rc = sleep_for(timeout - gather_.time(), 1);
    if (!gather_.off()) gather_.slept(::io_uring_cq_ready(&ring_), Instant(std::chrono::steady_clock::now().time_since_epoch()));
  }
  CHECK(rc >= 0 || rc == -ETIME || rc == -EINTR || rc == -EAGAIN || rc == -EBUSY);
}

void UringProactor::reap(std::vector<Completion>& out) {
  unsigned head = 0;
  unsigned seen = 0;
  ::io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(&ring_, head, cqe) {
    translate(*cqe, out);
    ++seen;
  }
  ::io_uring_cq_advance(&ring_, seen);
}

void UringProactor::translate(const ::io_uring_cqe& cqe, std::vector<Completion>& out) {
  const auto tag = static_cast<Tag>(cqe.user_data & 0xff);
  Completion done;
  done.index = static_cast<std::uint32_t>(cqe.user_data >> 32);
  done.generation = static_cast<std::uint32_t>(cqe.user_data >> 8) & op_generation_mask;
  done.result = cqe.res;
  done.more = (cqe.flags & IORING_CQE_F_MORE) != 0;
  switch (tag) {
    case Tag::accept: done.op = Op::accept; break;
    case Tag::send: done.op = Op::send; break;
    case Tag::connect: done.op = Op::connect; break;
    case Tag::writable: done.op = Op::writable; break;
    case Tag::readable: done.op = Op::readable; break;
    case Tag::hang_up:
      if (cqe.res <= 0) return;
      done.op = Op::hung_up;
      break;
    case Tag::recv_small:
    case Tag::recv_large: {
      done.op = Op::recv;
      done.non_empty = (cqe.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
      Group& group = groups_[tag == Tag::recv_small ? 0 : 1];
      if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {  // also possible with res <= 0 (U-12)
        const BufferId id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
        CHECK(id < is_lent_.size());
        CHECK(is_lent_[id] == 1);
        is_lent_[id] = 0;
        PARLEY_UNPOISON(pool_.data(id), pool_.size(id));
        --group.lent;
        if (cqe.res > 0) {
          gather_.received(static_cast<std::uint64_t>(cqe.res));
          done.buffer = id;
        } else {
          pool_.release(id);
        }
      }
      if (cqe.res == -ENOBUFS) group.target = std::min(group.target * 2, group.count - group.reserve);
      break;
    }
    case Tag::wake_poll: {
      if (!done.more) wake_armed_ = false;
      std::uint64_t count = 0;
      (void)!::read(wake_event_, &count, sizeof count);
      done.op = Op::wake;
      break;
    }
    case Tag::wake_message: done.op = Op::wake; break;
    case Tag::wake_sent:  // only failures complete: the ring is gone or full; index carries the event descriptor
      wake_from_outside(static_cast<int>(done.index));
      return;
    case Tag::cancel: return;
    default: return;
  }
  out.push_back(done);
}

void UringProactor::wake_shard(int ring, int event) {
  if (ring < 0) {
    wake_from_outside(event);
    return;
  }
  ::io_uring_sqe* entry = sqe();
  ::io_uring_prep_msg_ring(entry, ring, 0, user_data({}, Tag::wake_message), 0);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
  entry->user_data = user_data({static_cast<std::uint32_t>(event), 0}, Tag::wake_sent);
}

std::string UringProactor::features() const {
  ::utsname host{};
  (void)::uname(&host);
  return std::string("io_uring on Linux ") + host.release +
         ": single_issuer defer_taskrun submit_all multishot_accept multishot_recv buffer_rings cqe_skip msg_ring";
}

}  // namespace parley::core
