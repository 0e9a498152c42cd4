// core/datagram_io.h - moving datagrams between a UDP socket and a Pool, many per system call, never waiting;
// T-17: of any size.
//
// recvmmsg after readiness and sendmmsg at once, under both kinds of Proactor, rather than multishot recvmsg and
// sendmsg through io_uring: a UDP forwarder of one shard spent 6.8 us per pair of messages this way and 8.1 us that way
// (a completion and a header block per datagram cost more than the system calls they save).
//
// The local address is the socket's: one that is bound to "any" answers from whatever address the route says. Listeners
// that need better bind the address itself.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <vector>

#include "core/address.h"
#include "core/pool.h"
#include "core/time.h"

namespace parley::core {

// Of one system call: enough to make it cheap, few enough to stay in the first-level cache.
inline constexpr std::uint32_t datagrams_per_call = 64;

struct ReceivedDatagram {
  Slice slice;  // one reference; no_buffer: it was long and there was no memory for it
  Address source;
  std::uint16_t socket = 0;  // the caller's
};

class DatagramReader {
 public:
  DatagramReader();
  ~DatagramReader();
  DatagramReader(const DatagramReader&) = delete;
  DatagramReader& operator=(const DatagramReader&) = delete;

  // Adds up to `most` datagrams, 1 to datagrams_per_call; as many small blocks must be free. A datagram lies in a small
  // block, or, when longer, in an exact-size heap block. Their number, or -errno; fewer than `most`: the socket was
  // empty, or its next read says what is wrong.
  int read(int fd, std::uint32_t most, Pool& pool, std::vector<ReceivedDatagram>& out);

 private:
  [[nodiscard]] Slice keep(std::uint32_t at, std::uint32_t bytes, BufferId block, Pool& pool) const;

  // Where what is longer than a small block goes on; untouched pages cost nothing.
  static constexpr std::uint32_t overflow_bytes = 65536 - Pool::small_bytes;
  char* overflow_ = nullptr;
  std::array<::mmsghdr, datagrams_per_call> messages_{};
  std::array<::iovec, datagrams_per_call * 2> iovs_{};
  std::array<::sockaddr_storage, datagrams_per_call> sources_{};
};

// The datagrams of one turn for one socket.
class DatagramWriter {
 public:
  struct Outcome {
    std::uint32_t sent = 0;
    std::uint32_t no_room = 0;      // the kernel's queues are full
    std::uint32_t unreachable = 0;  // no way there
    std::uint32_t refused = 0;      // the kernel would not, and never will
  };

  [[nodiscard]] bool full() const { return count_ == datagrams_per_call; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  // Not when full. `bytes` stays valid until `send`.
  void add(const Address& to, char* bytes, std::uint32_t length);
  // All that was added, in order. What cannot leave now is dropped and does not hold up what follows.
  Outcome send(int fd);

 private:
  std::uint32_t count_ = 0;
  std::array<::mmsghdr, datagrams_per_call> messages_{};
  std::array<::iovec, datagrams_per_call> iovs_{};
  std::array<::sockaddr_storage, datagrams_per_call> targets_{};
};

// How long the datagram that was read last had waited in the kernel; zero when that is not known. The first call makes
// the kernel note arrivals, so it says something about what arrives from then on. Wall time: a clock that is set in
// between makes it wrong.
Duration datagram_age(int fd);

// Datagrams the kernel has dropped because this socket's receive buffer was full, modulo 2^32.
std::uint32_t datagrams_lost(int fd);

}  // namespace parley::core
