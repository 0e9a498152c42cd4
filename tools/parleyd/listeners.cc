// tools/parleyd/listeners.cc - sockets for the --msrp flags: one per shard and listener.
#include "tools/parleyd/listeners.h"

#include <netdb.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <utility>

#include "core/socket.h"
#include "tools/parleyd/host_port.h"

namespace parley::parleyd {
namespace {

std::string flag_text(const ListenSpec& spec) {
  return std::string(spec.transport == core::Transport::tls ? "tls:" : "tcp:") + spec.host + ":" +
         std::to_string(spec.port);
}

// With SO_REUSEPORT a second parleyd of the same user would quietly take a share of the connections. A bind without it
// finds out first.
std::string taken(const core::Address& address) {
  const core::Listening alone = core::listen_tcp(address, false);
  if (alone.fd >= 0) ::close(alone.fd);
  return alone.error;
}

// One listener on all shards; the error, or nothing.
std::string bind_one(const ListenSpec& spec, std::uint16_t id, std::uint32_t shards, BoundListeners& bound) {
  auto address = resolve_host(spec.host, spec.port);
  if (!address) return "'" + spec.host + "' has no address";
  const bool shared = shards > 1;
  if (shared && spec.port != 0) {
    if (const std::string error = taken(*address); !error.empty()) return error;
  }
  core::Address first;
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    const core::Listening listening = core::listen_tcp(*address, shared);
    if (listening.fd < 0) return listening.error;
    bound.per_shard[shard].push_back({.fd = listening.fd, .transport = spec.transport, .id = id});
    if (shard == 0) first = listening.bound;
    address->port = first.port;  // port 0 is chosen once
  }
  bound.at.push_back({spec, first});
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

BoundListeners bind_listeners(const Settings& settings, std::uint32_t shards) {
  BoundListeners bound;
  bound.per_shard.resize(shards);
  for (std::size_t i = 0; i < settings.msrp.size(); ++i) {
    const std::string why = bind_one(settings.msrp[i], static_cast<std::uint16_t>(i), shards, bound);
    if (why.empty()) continue;
    bound.error = "--msrp: " + flag_text(settings.msrp[i]) + ": " + why;
    for (auto& listeners : bound.per_shard) {
      for (const core::Listener& listener : listeners) ::close(listener.fd);
      listeners.clear();
    }
    break;
  }
  return bound;
}

std::string to_string(const RelayListenerAt& listener) {
  return std::string(listener.spec.transport == core::Transport::tls ? "tls:" : "tcp:") +
         core::to_string(listener.bound);
}

}  // namespace parley::parleyd
