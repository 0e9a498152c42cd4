// tools/parley-load/stream.cc - sockets and OpenSSL, non-blocking.
#include "tools/parley-load/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace parley::load {
namespace {

constexpr size_t kTlsReadAheadBytes = 128 * 1024;  // several 16 KiB records per system call

addrinfo* resolve(const Address& address, bool passive) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0);
  addrinfo* found = nullptr;
  return getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found) == 0 ? found : nullptr;
}

void no_delay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

bool parse_address(const std::string& text, Address& address) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon + 1 == text.size()) return false;
  address.host = text.substr(0, colon);
  address.port = text.substr(colon + 1);
  if (address.host.size() >= 2 && address.host.front() == '[' && address.host.back() == ']')
    address.host = address.host.substr(1, address.host.size() - 2);
  return !address.host.empty() && address.port.find_first_not_of("0123456789") == std::string::npos;
}

TlsContext::TlsContext(const std::string& ca_file, bool insecure, bool many_idle)
    : context_(SSL_CTX_new(TLS_client_method())) {
  if (context_ == nullptr) throw std::runtime_error("cannot set up TLS");
  SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (many_idle) {
    SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS);  // idle connections are many; their buffers are not needed
  } else {
    SSL_CTX_set_read_ahead(context_, 1);
    SSL_CTX_set_default_read_buffer_len(context_, kTlsReadAheadBytes);
  }
  if (!insecure) {
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    const int loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context_)
                                       : SSL_CTX_load_verify_locations(context_, ca_file.c_str(), nullptr);
    if (loaded != 1) throw std::runtime_error("cannot read the CA certificates " + ca_file);
  }
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

bool Stream::connect(const Address& address, const TlsContext* tls) {
  addrinfo* found = resolve(address, false);
  if (found == nullptr) {
    errno = EADDRNOTAVAIL;
    return false;
  }
  fd_ = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const bool started = fd_ >= 0 && (::connect(fd_, found->ai_addr, found->ai_addrlen) == 0 || errno == EINPROGRESS);
  freeaddrinfo(found);
  if (!started) return false;
  no_delay(fd_);
  if (tls != nullptr) {
    ssl_ = SSL_new(tls->get());
    if (ssl_ == nullptr || SSL_set_fd(ssl_, fd_) != 1) {
      errno = ENOMEM;
      return false;
    }
    SSL_set_connect_state(ssl_);
    in6_addr raw{};
    const bool is_ip =
        inet_pton(AF_INET, address.host.c_str(), &raw) == 1 || inet_pton(AF_INET6, address.host.c_str(), &raw) == 1;
    if (is_ip) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), address.host.c_str());
    } else {
      SSL_set_tlsext_host_name(ssl_, address.host.c_str());
      SSL_set1_host(ssl_, address.host.c_str());
    }
  }
  return true;
}

void Stream::acknowledge_what_is_read() {
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void Stream::adopt(int fd) {
  fd_ = fd;
  connected_ = true;
  no_delay(fd_);
}

Stream::Step Stream::establish() {
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      errno = error;
      return Step::failed;
    }
    connected_ = true;
  }
  if (ssl_ == nullptr) return Step::done;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) return Step::done;
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: return Step::want_read;
    case SSL_ERROR_WANT_WRITE: return Step::want_write;
    default: return Step::failed;
  }
}

ssize_t Stream::read(char* to, size_t bytes) {
  if (ssl_ == nullptr) {
    const ssize_t got = recv(fd_, to, bytes, 0);
    if (got > 0) return got;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    return -1;
  }
  // All records that are here are taken at once: a frame must not wait in OpenSSL's buffer, which epoll cannot see.
  size_t total = 0;
  while (total < bytes) {
    size_t got = 0;
    ERR_clear_error();
    if (SSL_read_ex(ssl_, to + total, bytes - total, &got) == 1) {
      total += got;
      continue;
    }
    const int reason = SSL_get_error(ssl_, 0);
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) break;
    return total > 0 ? static_cast<ssize_t>(total) : -1;
  }
  return static_cast<ssize_t>(total);
}

ssize_t Stream::writev(const iovec* pieces, int count) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces);  // sendmsg only reads them
  message.msg_iovlen = static_cast<size_t>(count);
  const ssize_t taken = sendmsg(fd_, &message, MSG_NOSIGNAL);
  if (taken >= 0) return taken;
  return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

ssize_t Stream::tls_write(const char* data, size_t bytes) {
  size_t taken = 0;
  ERR_clear_error();
  if (SSL_write_ex(ssl_, data, bytes, &taken) == 1) return static_cast<ssize_t>(taken);
  const int reason = SSL_get_error(ssl_, 0);
  return reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE ? 0 : -1;
}

void Stream::close() {
  if (ssl_ != nullptr) {
    SSL_set_quiet_shutdown(ssl_, 1);
    SSL_free(ssl_);
    ssl_ = nullptr;
  }
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Stream::swap(Stream& other) {
  std::swap(fd_, other.fd_);
  std::swap(ssl_, other.ssl_);
  std::swap(connected_, other.connected_);
}

std::string Stream::local_uri(const std::string& session_id) const {
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  getsockname(fd_, reinterpret_cast<sockaddr*>(&local), &size);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  getnameinfo(reinterpret_cast<sockaddr*>(&local), size, host.data(), host.size(), port.data(), port.size(),
              NI_NUMERICHOST | NI_NUMERICSERV);
  const std::string name = local.ss_family == AF_INET6 ? "[" + std::string(host.data()) + "]" : host.data();
  return std::string(is_tls() ? "msrps://" : "msrp://") + name + ":" + port.data() + "/" + session_id + ";tcp";
}

std::string Stream::failure() const {
  const unsigned long code = ERR_peek_last_error();
  if (ssl_ == nullptr || code == 0) return std::strerror(errno);
  const long verify = SSL_get_verify_result(ssl_);
  if (verify != X509_V_OK) return std::string("TLS: ") + X509_verify_cert_error_string(verify);
  const char* reason = ERR_reason_error_string(code);
  return std::string("TLS: ") + (reason != nullptr ? reason : "handshake failed");
}

int listen_on(Address& address) {
  addrinfo* found = resolve(address, true);
  if (found == nullptr) return -1;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool listening = fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0;
  freeaddrinfo(found);
  if (!listening) {
    if (fd >= 0) ::close(fd);
    return -1;
  }
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size);
  const uint16_t port = local.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&local)->sin6_port
                                                    : reinterpret_cast<sockaddr_in*>(&local)->sin_port;
  address.port = std::to_string(ntohs(port));
  return fd;
}

}  // namespace parley::load
