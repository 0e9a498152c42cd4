// tools/parleyd/listeners.cc - sockets for the --msrp and --sip flags: one per shard and listener.
#include "tools/parleyd/listeners.h"

#include <netdb.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "core/socket.h"
#include "tools/parleyd/host_port.h"

namespace parley::parleyd {
namespace {

std::string flag_text(const ListenSpec& spec) {
  return std::string(name_of(spec.transport)) + ":" + spec.host + ":" + std::to_string(spec.port);
}

// WebSocket is spoken above the loops, over plain TCP or TLS.
core::Transport loop_transport(core::Transport transport) {
  if (transport == core::Transport::ws) return core::Transport::tcp;
  return transport == core::Transport::wss ? core::Transport::tls : transport;
}

// The kernel closes the sockets of a ring a moment after the process that had it is gone: who begins right behind one that
// was killed finds its ports taken for as long.
constexpr std::chrono::seconds taken_max{3};
constexpr std::chrono::milliseconds taken_look{20};

core::Listening bind_once(const core::Address& address, bool datagrams, bool shared) {
  return datagrams ? core::bind_udp(address, shared) : core::listen_tcp(address, shared);
}
core::Listening bind_until(std::chrono::steady_clock::time_point until, const core::Address& address, bool datagrams, bool shared) {
  core::Listening made = bind_once(address, datagrams, shared);
  while (made.taken && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(taken_look);
    made = bind_once(address, datagrams, shared);
  }
  return made;
}

// With SO_REUSEPORT a second parleyd of the same user would quietly take a share of the traffic: at a port that was asked
// for, and even at one that the kernel chose, for among such UDP sockets it gives a port out twice. A bind without it
// finds out, or finds one, first.
core::Listening bind_alone(std::chrono::steady_clock::time_point until, const core::Address& address, bool datagrams) {
  core::Listening alone = bind_until(until, address, datagrams, false);
  if (alone.fd >= 0) ::close(alone.fd);
  return alone;
}

// One listener on all shards; the error, or nothing. `id` names connections, `socket` datagrams.
std::string bind_one(std::chrono::steady_clock::time_point until, const ListenSpec& spec, std::uint16_t id, std::uint16_t socket,
                     std::uint32_t shards, std::vector<RelayListenerAt>& at, BoundListeners& bound) {
  const bool datagrams = spec.transport == core::Transport::udp;
  auto address = resolve_host(spec.host, spec.port);
  if (!address) return "'" + spec.host + "' has no address";
  const bool shared = shards > 1;
  if (shared) {
    const core::Listening alone = bind_alone(until, *address, datagrams);
    if (alone.fd < 0) return alone.error;
    address->port = alone.bound.port;
  }
  core::Address first;
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    const core::Listening listening = bind_until(until, *address, datagrams, shared);
    if (listening.fd < 0) return listening.error;
    if (datagrams) {
      bound.sockets_per_shard[shard].push_back({.fd = listening.fd, .id = socket});
    } else {
      bound.per_shard[shard].push_back({.fd = listening.fd, .transport = loop_transport(spec.transport), .id = id});
    }
    if (shard == 0) first = listening.bound;
    address->port = first.port;  // port 0 is chosen once
  }
  at.push_back({spec, first});
  return "";
}

}  // namespace

std::optional<core::Address> resolve_host(const std::string& host, std::uint16_t port) {
  if (const auto literal = core::parse_ip(host, port)) return literal;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return std::nullopt;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, ::freeaddrinfo);
  sockaddr_storage storage{};
  if (list->ai_addrlen > sizeof storage) return std::nullopt;
  std::memcpy(&storage, list->ai_addr, list->ai_addrlen);
  core::Address address = core::from_sockaddr(storage);
  address.port = port;
  return address;
}

namespace {

void close_all(BoundListeners& bound) {
  for (auto& listeners : bound.per_shard) {
    for (const core::Listener& listener : listeners) ::close(listener.fd);
    listeners.clear();
  }
  for (auto& sockets : bound.sockets_per_shard) {
    for (const core::DatagramSocket& socket : sockets) ::close(socket.fd);
    sockets.clear();
  }
}

}  // namespace

BoundListeners bind_listeners(const Settings& settings, std::uint32_t shards) {
  BoundListeners bound;
  bound.per_shard.resize(shards);
  bound.sockets_per_shard.resize(shards);
  const auto until = std::chrono::steady_clock::now() + taken_max;
  const auto bind_all = [&](const char* flag, const std::vector<ListenSpec>& specs, std::size_t first_id,
                            std::vector<RelayListenerAt>& at) {
    for (std::size_t i = 0; i < specs.size() && bound.error.empty(); ++i) {
      const std::string why = bind_one(until, specs[i], static_cast<std::uint16_t>(first_id + i), static_cast<std::uint16_t>(i),
                                       shards, at, bound);
      if (!why.empty()) bound.error = std::string(flag) + ": " + flag_text(specs[i]) + ": " + why;
    }
  };
  bind_all("--msrp", settings.msrp, 0, bound.at);
  bind_all("--sip", settings.sip_listeners, settings.msrp.size(), bound.sip);
  if (!bound.error.empty()) close_all(bound);
  return bound;
}

std::string to_string(const RelayListenerAt& listener) {
  return std::string(name_of(listener.spec.transport)) + ":" + core::to_string(listener.bound);
}

}  // namespace parley::parleyd
