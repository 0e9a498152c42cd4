// tools/parley/network.cc - see network.h.
#include "tools/parley/network.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>

#include "core/socket.h"

namespace parley::client {

namespace {

struct ServerName {
  core::Transport transport = core::Transport::udp;
  std::string host;  // without brackets
  std::uint16_t port = 5060;
  bool good = false;
};

// "udp:HOST", "tls:[::1]:5061"
ServerName read_server(std::string_view text) {
  ServerName name;
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  if (colon == std::string_view::npos) return name;
  if (kind == "tcp") {
    name.transport = core::Transport::tcp;
  } else if (kind == "tls") {
    name.transport = core::Transport::tls;
    name.port = 5061;
  } else if (kind != "udp") {
    return name;
  }
  std::string_view rest = text.substr(colon + 1);
  std::size_t end = rest.find(':');
  if (rest.starts_with('[')) {
    const std::size_t bracket = rest.find(']');
    if (bracket == std::string_view::npos) return name;
    name.host = rest.substr(1, bracket - 1);
    end = bracket + 1 < rest.size() ? bracket + 1 : std::string_view::npos;
    if (end != std::string_view::npos && rest[end] != ':') return name;
  } else {
    name.host = rest.substr(0, end);
  }
  if (end != std::string_view::npos) {
    const std::string_view port = rest.substr(end + 1);
    const auto read = std::from_chars(port.data(), port.data() + port.size(), name.port);
    if (read.ec != std::errc{} || read.ptr != port.data() + port.size() || name.port == 0) return name;
  }
  name.good = !name.host.empty();
  return name;
}

std::optional<core::Address> look_up(const std::string& host, std::uint16_t port) {
  if (const auto literal = core::parse_ip(host, port)) return literal;
  ::addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  ::addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0 || found == nullptr) return std::nullopt;
  ::sockaddr_storage storage{};
  __builtin_memcpy(&storage, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  core::Address address = core::from_sockaddr(storage);
  address.port = port;
  return address;
}

// The one that the kernel would send from; nothing is sent for it.
core::Address own_address(const core::Address& to) {
  ::sockaddr_storage storage{};
  const ::socklen_t size = core::to_sockaddr(to, storage);
  const int fd = ::socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  core::Address own;
  if (fd >= 0 && ::connect(fd, reinterpret_cast<const ::sockaddr*>(&storage), size) == 0) own = core::local_address(fd);
  if (fd >= 0) ::close(fd);
  own.port = 0;
  return own;
}

}  // namespace

Network open_network(const Settings& settings) {
  Network network;
  const auto fail = [&](int status, std::string why) {
    network.exit = status;
    network.error = std::move(why);
    return network;
  };
  const ServerName name = read_server(settings.server);
  if (!name.good) return fail(exit_usage, "--server: '" + settings.server + "' is not udp|tcp|tls:HOST[:PORT]");
  const auto address = look_up(name.host, name.port);
  if (!address) return fail(exit_unreachable, "--server: " + name.host + " has no address");
  network.server.transport = name.transport;
  network.server.address = *address;
  network.server.tls_name = settings.tls_name.empty() ? name.host : settings.tls_name;

  if (!settings.bind.empty()) {
    const auto own = core::parse_ip(settings.bind, 0);
    if (!own) return fail(exit_usage, "--bind: '" + settings.bind + "' is no address");
    network.own = *own;
  } else {
    network.own = own_address(*address);
    if (network.own.family == core::Address::Family::none) return fail(exit_unreachable, "no way to the server");
  }
  network.host = core::ip_to_string(network.own);
  if (network.own.family == core::Address::Family::v6 && !network.host.starts_with('['))
    network.host = "[" + network.host + "]";

  core::Address at = network.own;
  at.port = settings.msrp_port;
  const core::Listening msrp = core::listen_tcp(at, false);
  if (msrp.fd < 0) return fail(exit_usage, "MSRP: " + msrp.error);
  network.msrp_port = msrp.bound.port;
  network.listeners.push_back({msrp.fd, core::Transport::tcp, 0});

  // Large requests come by TCP to the port of the datagrams (RFC 3261 section 18.1.1), which may be taken for one of
  // them.
  constexpr int tries_max = 20;
  core::Listening udp;
  core::Listening tcp;
  for (int i = 0; i < tries_max; ++i) {
    at.port = 0;
    tcp = core::listen_tcp(at, false);
    if (tcp.fd < 0) return fail(exit_unreachable, "SIP: " + tcp.error);
    at.port = tcp.bound.port;
    udp = core::bind_udp(at, false);
    if (udp.fd >= 0) break;
    ::close(tcp.fd);
    tcp.fd = -1;
  }
  if (udp.fd < 0) return fail(exit_unreachable, "SIP: " + udp.error);
  network.sip_port = udp.bound.port;

  auto transport = std::make_shared<sip::TransportConfig>();
  transport->listener_base = 1;
  transport->listeners = {{core::Transport::udp, network.host, udp.bound.port, udp.bound},
                          {core::Transport::tcp, network.host, tcp.bound.port, tcp.bound},
                          {core::Transport::tls, network.host, tcp.bound.port, tcp.bound}};
  transport->connections_max = 64;
  transport->dials_max = 16;
  network.sockets.push_back({udp.fd, 0});
  network.listeners.push_back({tcp.fd, core::Transport::tcp, 2});  // listener_base and its place above
  network.transport = transport;
  return network;
}

}  // namespace parley::client
