// tools/parley-load/sip_link.cc - many datagrams per system call; streams go through Batch.
#include "tools/parley-load/sip_link.h"

#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tools/parley-load/sip_text.h"

namespace parley::load {
namespace {

constexpr int kSocketBufferBytes = 8 * 1024 * 1024;  // a burst of all windows must fit: what is lost here is our fault

addrinfo* resolve_datagram(const Address& address, int family) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  return getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found) == 0 ? found : nullptr;
}

void widen(int fd, int option, int forced) {
  if (setsockopt(fd, SOL_SOCKET, forced, &kSocketBufferBytes, sizeof kSocketBufferBytes) != 0)
    setsockopt(fd, SOL_SOCKET, option, &kSocketBufferBytes, sizeof kSocketBufferBytes);
}

}  // namespace

Link::~Link() {
  if (socket >= 0) ::close(socket);
}

bool Link::open_datagrams(const Address& to, const Address* from) {
  datagrams = true;
  addrinfo* const remote = resolve_datagram(to, AF_UNSPEC);
  if (remote == nullptr) {
    errno = EADDRNOTAVAIL;
    return false;
  }
  socket = ::socket(remote->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  bool ok = socket >= 0;
  if (ok) {
    widen(socket, SO_RCVBUF, SO_RCVBUFFORCE);
    widen(socket, SO_SNDBUF, SO_SNDBUFFORCE);
  }
  if (ok && from != nullptr) {
    addrinfo* const local = resolve_datagram(*from, remote->ai_family);
    ok = local != nullptr && bind(socket, local->ai_addr, local->ai_addrlen) == 0;
    if (local != nullptr) freeaddrinfo(local);
  }
  ok = ok && connect(socket, remote->ai_addr, remote->ai_addrlen) == 0;
  freeaddrinfo(remote);
  return ok;
}

void Link::name_itself(Transport transport) {
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  getsockname(fd(), reinterpret_cast<sockaddr*>(&local), &size);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  getnameinfo(reinterpret_cast<sockaddr*>(&local), size, host.data(), host.size(), port.data(), port.size(),
              NI_NUMERICHOST | NI_NUMERICSERV);
  address = (local.ss_family == AF_INET6 ? "[" + std::string(host.data()) + "]" : std::string(host.data())) + ":" +
            port.data();
  if (websocket != nullptr) {  // a browser does not know its address (RFC 7118 section 5.3)
    for (char& c : address) c = c == '.' || c == ':' || c == '[' || c == ']' ? '-' : c;
    address = "c" + address + ".invalid";
  }
  static constexpr std::array<const char*, 5> kNames = {"UDP", "TCP", "TLS", "WS", "WSS"};
  const char* const name = kNames[static_cast<size_t>(transport)];
  via = "SIP/2.0/" + std::string(name) + " " + address + ";rport;branch=z9hG4bK";
}

SipOutput::SipOutput() : text_(kSipRoomBytes + 256 * 1024) {
  for (size_t i = 0; i < kBurst; ++i) headers_[i].msg_hdr.msg_iov = pieces_[i].data();
}

char* SipOutput::open(Link& link) {
  if (link_ != &link) {
    flush();
    link_ = &link;
  }
  if (!link.datagrams) {
    if (batch_.full()) flush();
    link_ = &link;
    return link.websocket == nullptr ? batch_.room() : text_.data();
  }
  if (count_ == kBurst || used_ + kSipRoomBytes > text_.size()) flush_datagrams();
  return text_.data() + used_;
}

void SipOutput::close(size_t head_bytes, std::string_view body, std::string_view tail) {
  const size_t bytes = head_bytes + body.size() + tail.size();
  if (link_->websocket != nullptr) {  // one message, one frame (RFC 7118 section 5.1)
    const core::WebSocketMask mask = next_mask();
    batch_.add(core::WebSocketHeader({.opcode = core::WebSocketOpcode::text, .payload_bytes = bytes}, mask).view());
    char* const at = batch_.room();
    SipText(at).put({text_.data(), head_bytes}).put(body).put(tail);
    core::apply_mask({at, bytes}, mask);
    batch_.wrote(bytes);
    return;
  }
  if (!link_->datagrams) {
    batch_.wrote(head_bytes);
    if (!body.empty()) batch_.add_fixed(body);
    if (!tail.empty()) batch_.add_fixed(tail);
    return;
  }
  std::array<iovec, 3>& pieces = pieces_[count_];
  size_t used = 0;
  pieces[used++] = {text_.data() + used_, head_bytes};
  for (const std::string_view part : {body, tail}) {
    if (!part.empty()) pieces[used++] = {const_cast<char*>(part.data()), part.size()};  // sendmmsg only reads it
  }
  headers_[count_].msg_hdr.msg_iovlen = used;
  used_ += head_bytes;
  ++count_;
}

void SipOutput::raw(Link& link, std::string_view bytes) {
  open(link);
  batch_.add(bytes);
}

// Masks protect proxies from scripts in a browser (RFC 6455 section 10.3); ours only have to differ.
core::WebSocketMask SipOutput::next_mask() {
  mask_state_ += 0x9e3779b97f4a7c15ULL;
  const uint64_t mixed = (mask_state_ ^ (mask_state_ >> 30)) * 0xbf58476d1ce4e5b9ULL;
  core::WebSocketMask mask;
  std::memcpy(mask.data(), &mixed, mask.size());
  return mask;
}

void SipOutput::flush() {
  Link* const link = link_;
  link_ = nullptr;
  if (link == nullptr) return;
  if (link->datagrams) {
    link_ = link;
    flush_datagrams();
    link_ = nullptr;
    return;
  }
  const bool waited = !link->backlog.empty();
  if (!batch_.flush(link->stream, link->backlog)) broken.push_back(link);
  if (!waited && !link->backlog.empty()) waiting.push_back(link);
}

void SipOutput::flush_datagrams() {
  size_t sent = 0;
  while (sent < count_) {
    const int taken = sendmmsg(link_->socket, headers_.data() + sent, static_cast<unsigned>(count_ - sent), 0);
    if (taken > 0) {
      sent += static_cast<size_t>(taken);
      continue;
    }
    if (errno == EINTR) continue;
    ++datagrams_dropped;  // lost as on any network: the transaction sends it again
    ++sent;
  }
  count_ = used_ = 0;
}

SipInput::SipInput(size_t datagram_bytes_max)
    : stride_((datagram_bytes_max / 128 * 2 + 3) * 64), bytes_(kBurst * stride_) {
  for (size_t i = 0; i < kBurst; ++i) {
    pieces_[i] = {bytes_.data() + i * stride_, stride_};
    headers_[i].msg_hdr.msg_iov = &pieces_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
}

size_t SipInput::receive(int socket) {
  const int count = recvmmsg(socket, headers_.data(), kBurst, MSG_DONTWAIT, nullptr);
  return count > 0 ? static_cast<size_t>(count) : 0;
}

}  // namespace parley::load
