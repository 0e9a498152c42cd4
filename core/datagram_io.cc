// core/datagram_io.cc - see datagram_io.h.
#include "core/datagram_io.h"

#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/check.h"
#include "core/socket.h"

namespace parley::core {
namespace {

constexpr std::size_t overflow_total(std::uint32_t each) { return std::size_t{datagrams_per_call} * each; }

}  // namespace

DatagramReader::DatagramReader() {
  void* memory =
      ::mmap(nullptr, overflow_total(overflow_bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  overflow_ = static_cast<char*>(memory);
  for (std::size_t i = 0; i < datagrams_per_call; ++i) {
    iovs_[i * 2].iov_len = Pool::small_bytes;
    iovs_[i * 2 + 1] = {overflow_ + i * overflow_bytes, overflow_bytes};
    ::msghdr& header = messages_[i].msg_hdr;
    header.msg_name = &sources_[i];
    header.msg_iov = &iovs_[i * 2];
    header.msg_iovlen = 2;
  }
}

DatagramReader::~DatagramReader() { ::munmap(overflow_, overflow_total(overflow_bytes)); }

int DatagramReader::read(int fd, std::uint32_t most, Pool& pool, std::vector<ReceivedDatagram>& out) {
  CHECK(most > 0 && most <= datagrams_per_call);
  std::array<BufferId, datagrams_per_call> blocks;
  for (std::uint32_t i = 0; i < most; ++i) {
    blocks[i] = pool.take(BlockClass::small);
    CHECK(blocks[i] != no_buffer);
    iovs_[i * 2].iov_base = pool.data(blocks[i]);
    messages_[i].msg_hdr.msg_namelen = sizeof(::sockaddr_storage);
  }
  int count = -1;
  do {
    count = ::recvmmsg(fd, messages_.data(), most, MSG_DONTWAIT, nullptr);
  } while (count < 0 && errno == EINTR);
  const int result = count < 0 ? -errno : count;
  for (std::uint32_t i = 0; i < most; ++i) {
    if (result > 0 && i < static_cast<std::uint32_t>(result)) {
      out.push_back({keep(i, messages_[i].msg_len, blocks[i], pool), from_sockaddr(sources_[i])});
    } else {
      pool.release(blocks[i]);
    }
  }
  return result;
}

// Passes on the reference to `block`, or gives it back.
Slice DatagramReader::keep(std::uint32_t at, std::uint32_t bytes, BufferId block, Pool& pool) const {
  if (bytes <= Pool::small_bytes) return {block, 0, bytes};
  const BufferId exact = pool.take_heap(bytes);
  if (exact != no_buffer) {
    std::memcpy(pool.data(exact), pool.data(block), Pool::small_bytes);
    std::memcpy(pool.data(exact) + Pool::small_bytes, iovs_[at * 2 + 1].iov_base, bytes - Pool::small_bytes);
  }
  pool.release(block);
  return {exact, 0, exact == no_buffer ? 0 : bytes};
}

void DatagramWriter::add(const Address& to, char* bytes, std::uint32_t length) {
  CHECK(!full());
  iovs_[count_] = {bytes, length};
  ::msghdr& header = messages_[count_].msg_hdr;
  header.msg_name = &targets_[count_];
  header.msg_namelen = to_sockaddr(to, targets_[count_]);
  header.msg_iov = &iovs_[count_];
  header.msg_iovlen = 1;
  ++count_;
}

// sendmmsg stops at the first datagram that fails and says so only when that is the first one it tries: so each failure
// costs one more call, which starts with the culprit.
DatagramWriter::Outcome DatagramWriter::send(int fd) {
  Outcome outcome;
  bool tried = false;
  for (std::uint32_t at = 0; at < count_;) {
    const int sent = ::sendmmsg(fd, &messages_[at], count_ - at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      at += static_cast<std::uint32_t>(sent);
      outcome.sent += static_cast<std::uint32_t>(sent);
      tried = false;
      continue;
    }
    if (errno == EINTR) continue;
    const bool no_room = errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM;
    if (!no_room && !tried) {
      tried = true;  // the error may have waited in the socket because of an earlier datagram; asking took it out
      continue;
    }
    switch (errno) {
      case EAGAIN:
      case ENOBUFS:
      case ENOMEM: ++outcome.no_room; break;
      case ENETUNREACH:
      case EHOSTUNREACH:
      case ENETDOWN:
      case EHOSTDOWN:
      case EADDRNOTAVAIL:
      case ECONNREFUSED: ++outcome.unreachable; break;
      default: ++outcome.refused; break;
    }
    ++at;
    tried = false;
  }
  count_ = 0;
  return outcome;
}

Duration datagram_age(int fd) {
  ::timespec arrived{};
  ::timespec now{};
  if (::ioctl(fd, SIOCGSTAMPNS, &arrived) != 0 || ::clock_gettime(CLOCK_REALTIME, &now) != 0) return {};
  const auto ns = [](const ::timespec& at) { return std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec; };
  return Duration{std::max<std::int64_t>(ns(now) - ns(arrived), 0)};
}

std::uint32_t datagrams_lost(int fd) {
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  ::socklen_t size = sizeof info;
  if (::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info.data(), &size) != 0) return 0;
  return info[SK_MEMINFO_DROPS];
}

}  // namespace parley::core
