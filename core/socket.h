// core/socket.h - the few things done to a socket besides moving bytes: addresses, options, listening.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>

#include "core/address.h"

namespace parley::core {

::socklen_t to_sockaddr(const Address& address, ::sockaddr_storage& out);
Address from_sockaddr(const ::sockaddr_storage& in);
Address local_address(int fd);
Address remote_address(int fd);

struct Listening {
  int fd = -1;
  Address bound;      // the real port when 0 was asked for
  std::string error;  // when fd is -1
  bool taken = false;  // and it is that somebody else has the port
};
// A listening TCP socket. Accepted sockets inherit its options: TCP_NODELAY, keep-alive, TCP_USER_TIMEOUT. With
// `share_port` each shard binds its own socket to one port (SO_REUSEPORT) and the kernel spreads connections by hash:
// no shard is woken for another's connection, which a shared descriptor with N armed accepts would do.
Listening listen_tcp(const Address& address, bool share_port);

// A UDP socket for DatagramSocket. With `reuse_port` each shard binds its own to one port and the kernel spreads sources
// by hash. Its buffers hold a burst that comes while a shard is busy; errors that ICMP reports do not end up in it.
Listening bind_udp(const Address& address, bool reuse_port);

// An outgoing socket with the same options, bound to `source` (its port does not count) where there is one; -1 and errno on
// failure. `flags` as for socket(2).
int dial_socket(const Address& address, const std::optional<Address>& source, int flags);

}  // namespace parley::core
