// core/socket.cc - see socket.h.
#include "core/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace parley::core {
namespace {

constexpr int backlog = 4096;          // the usual net.core.somaxconn: a burst of connects must not be refused
constexpr int keepalive_idle_s = 120;  // a peer that vanished without a word is noticed within 4 minutes
constexpr int keepalive_interval_s = 30;
constexpr int keepalive_probes = 4;
constexpr unsigned user_timeout_ms = 30'000;  // bytes that stay unacknowledged end the connection

// The kernel counts a request of 500 bytes as 1.3 KB and doubles the number: some 6,000 of them, 100 ms at 60,000 a
// second.
constexpr int udp_receive_bytes = 4 << 20;
constexpr int udp_send_bytes = 1 << 20;  // a turn's answers, where a network card takes its time

bool can_set_int(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}
void set_int(int fd, int level, int option, int value) { (void)can_set_int(fd, level, option, value); }

void set_tcp_options(int fd) {
  set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_idle_s);
  set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive_interval_s);
  set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive_probes);
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
}

int family_of(const Address& address) { return address.family == Address::Family::v6 ? AF_INET6 : AF_INET; }

}  // namespace

::socklen_t to_sockaddr(const Address& address, ::sockaddr_storage& out) {
  out = {};
  if (address.family == Address::Family::v6) {
    ::sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&v6.sin6_addr, address.ip.data(), 16);
    std::memcpy(&out, &v6, sizeof v6);
    return sizeof v6;
  }
  ::sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(address.port);
  std::memcpy(&v4.sin_addr, address.ip.data(), 4);
  std::memcpy(&out, &v4, sizeof v4);
  return sizeof v4;
}

Address from_sockaddr(const ::sockaddr_storage& in) {
  Address address;
  if (in.ss_family == AF_INET6) {
    ::sockaddr_in6 v6{};
    std::memcpy(&v6, &in, sizeof v6);
    address.family = Address::Family::v6;
    address.port = ntohs(v6.sin6_port);
    std::memcpy(address.ip.data(), &v6.sin6_addr, 16);
  } else if (in.ss_family == AF_INET) {
    ::sockaddr_in v4{};
    std::memcpy(&v4, &in, sizeof v4);
    address.family = Address::Family::v4;
    address.port = ntohs(v4.sin_port);
    std::memcpy(address.ip.data(), &v4.sin_addr, 4);
  }
  return address;
}

Address local_address(int fd) {
  ::sockaddr_storage storage{};
  ::socklen_t size = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<::sockaddr*>(&storage), &size) != 0) return {};
  return from_sockaddr(storage);
}

Address remote_address(int fd) {
  ::sockaddr_storage storage{};
  ::socklen_t size = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<::sockaddr*>(&storage), &size) != 0) return {};
  return from_sockaddr(storage);
}

Listening listen_tcp(const Address& address, bool share_port) {
  Listening made;
  const auto failed = [&](const char* call) {
    made.error = std::string(call) + ": " + std::strerror(errno);
    made.taken = errno == EADDRINUSE;
    if (made.fd >= 0) ::close(made.fd);
    made.fd = -1;
    return made;
  };
  made.fd = ::socket(family_of(address), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made.fd < 0) return failed("socket");
  set_int(made.fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (share_port) set_int(made.fd, SOL_SOCKET, SO_REUSEPORT, 1);
  // "[::]" means IPv6 alone; who wants both names both, so that an address has one listener.
  if (address.family == Address::Family::v6) set_int(made.fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  set_tcp_options(made.fd);
  ::sockaddr_storage storage;
  const ::socklen_t size = to_sockaddr(address, storage);
  if (::bind(made.fd, reinterpret_cast<const ::sockaddr*>(&storage), size) != 0) return failed("bind");
  if (::listen(made.fd, backlog) != 0) return failed("listen");
  made.bound = local_address(made.fd);
  return made;
}

Listening bind_udp(const Address& address, bool reuse_port) {
  Listening made;
  const auto failed = [&](const char* call) {
    made.error = std::string(call) + ": " + std::strerror(errno);
    made.taken = errno == EADDRINUSE;
    if (made.fd >= 0) ::close(made.fd);
    made.fd = -1;
    return made;
  };
  made.fd = ::socket(family_of(address), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made.fd < 0) return failed("socket");
  if (reuse_port) set_int(made.fd, SOL_SOCKET, SO_REUSEPORT, 1);
  // An ICMP error names a datagram that left long ago; the next send or receive would fail for it.
  set_int(made.fd, IPPROTO_IP, IP_RECVERR, 0);
  if (address.family == Address::Family::v6) {
    set_int(made.fd, IPPROTO_IPV6, IPV6_RECVERR, 0);
    set_int(made.fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  }
  // Past net.core.rmem_max where we may (CAP_NET_ADMIN), up to it where we may not.
  if (!can_set_int(made.fd, SOL_SOCKET, SO_RCVBUFFORCE, udp_receive_bytes)) {
    set_int(made.fd, SOL_SOCKET, SO_RCVBUF, udp_receive_bytes);
  }
  if (!can_set_int(made.fd, SOL_SOCKET, SO_SNDBUFFORCE, udp_send_bytes)) {
    set_int(made.fd, SOL_SOCKET, SO_SNDBUF, udp_send_bytes);
  }
  ::sockaddr_storage storage;
  const ::socklen_t size = to_sockaddr(address, storage);
  if (::bind(made.fd, reinterpret_cast<const ::sockaddr*>(&storage), size) != 0) return failed("bind");
  made.bound = local_address(made.fd);
  return made;
}

int dial_socket(const Address& address, const std::optional<Address>& source, int flags) {
  const int fd = ::socket(family_of(address), SOCK_STREAM | flags, 0);
  if (fd < 0) return fd;
  set_tcp_options(fd);
  if (!source) return fd;
  Address from = *source;
  from.port = 0;
  // The port is chosen when it is known whom it connects to: one port serves many peers.
  const int on = 1;
  (void)::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  ::sockaddr_storage storage;
  const ::socklen_t size = to_sockaddr(from, storage);
  if (::bind(fd, reinterpret_cast<const ::sockaddr*>(&storage), size) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

}  // namespace parley::core
