// core/proactor.h - what differs between io_uring and epoll: operations go in, completions come out.
//
// One Proactor per shard, used by that shard's thread alone. The rules both kinds keep:
//  - Everything asked for between two waits reaches the kernel in the next wait, in order.
//  - `send` never outlives the next wait: when wait returns, the bytes are in the kernel or they are not. A full send
//    leaves no completion; a short or failed one leaves exactly one with the bytes taken or -errno. So the loop owns
//    every byte again after each wait, and no operation on a connection that is being closed can touch memory.
//  - accept, recv, connect, writable and readable end with exactly one completion without `more`, cancelled or not; only then may
//    the descriptor be closed (U-1, U-3).
//  - Keys carry a generation, so a completion of an older use of a slot is recognisable (U-4). Cancelling is by key,
//    never by descriptor (U-5).
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/pool.h"
#include "core/time.h"

namespace parley::core {

enum class Op : std::uint8_t { none, accept, recv, send, connect, writable, readable, hung_up, wake };

// Names the user of an operation: a connection or listener slot in one life.
struct OpKey {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // low 24 bits count
};
inline constexpr std::uint32_t op_generation_mask = 0xffffffU;

struct Completion {
  Op op = Op::none;
  bool more = false;       // the operation stays armed
  bool non_empty = false;  // recv: the socket is known to hold more
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  std::int32_t result = 0;      // bytes, a new descriptor, or -errno
  BufferId buffer = no_buffer;  // recv: one reference, owned by whoever handles the completion
};

// Completions one wait may hand out: bounds a turn (U-15).
inline constexpr std::size_t completions_per_turn = 256;

class Proactor {
 public:
  virtual ~Proactor() = default;

  // Flags for accept4 and socket: io_uring wants blocking descriptors (it waits by itself), epoll non-blocking ones.
  [[nodiscard]] virtual int socket_flags() const = 0;
  virtual void arm_accept(OpKey key, int fd) = 0;  // stays armed
  // Receives into a pool block of class small or large. `repeat` stays armed until it fails; without it one completion
  // follows. `drained` says that the socket was empty a moment ago, so trying at once would be wasted.
  virtual void arm_recv(OpKey key, int fd, BlockClass cls, bool repeat, bool drained) = 0;
  // `message` and all it points to stay valid until the next wait returns.
  virtual void send(OpKey key, int fd, const ::msghdr* message) = 0;
  virtual void arm_writable(OpKey key, int fd) = 0;
  // For UDP sockets, which the loop reads by itself; at once when something is there. Their keys are their own.
  virtual void arm_readable(OpKey key, int fd) = 0;
  // A repeating receive of io_uring does not see a reset that came together with bytes (the kernel counts two wake-ups as
  // one and asks only whether bytes are left): Op::hung_up follows once, and the next receive says what it was. Ended by
  // cancel, without a completion of its own. Epoll's receives see it.
  virtual void watch_hang_up(OpKey key, int fd) = 0;
  // `address` stays valid until the completion.
  virtual void connect(OpKey key, int fd, const ::sockaddr* address, ::socklen_t size) = 0;
  // Makes the operation end soon, with its own completion; harmless when it has ended.
  virtual void cancel(OpKey key, Op op, int fd) = 0;
  // Before close(fd), when no operation is outstanding.
  virtual void forget(int fd) = 0;

  // Hands everything to the kernel and adds at most completions_per_turn completions. With `sleep` it waits for a
  // completion or `timeout`, whichever is first; without it never sleeps. Adds a single Op::wake after wake_shard,
  // wake_from_outside.
  virtual void wait(bool sleep, Duration timeout, std::vector<Completion>& out) = 0;
  // Blocks of this class that a receive may take.
  [[nodiscard]] virtual std::uint32_t receive_buffers(BlockClass cls) const = 0;
  // Blocks lent to the kernel, out of Pool::live_blocks.
  [[nodiscard]] virtual std::uint32_t lent() const = 0;
  [[nodiscard]] virtual std::uint64_t overflows() const = 0;

  // The descriptor by which others wake this loop; set once, before threads start.
  [[nodiscard]] virtual int wake_fd() const = 0;
  // -1, or the descriptor of a ring that can be sent a message.
  [[nodiscard]] virtual int ring_fd() const = 0;
  // Wakes another shard's loop from this shard's thread; `ring` and `event` are what that loop's functions returned.
  virtual void wake_shard(int ring, int event) = 0;
  // One printable line: what is in use.
  [[nodiscard]] virtual std::string features() const = 0;
};

// Wakes a loop from any thread.
void wake_from_outside(int event_fd);

}  // namespace parley::core
