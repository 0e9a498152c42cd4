// tools/parley-load/stream.h - one non-blocking TCP connection, with TLS on it or without.
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace parley::load {

struct Address {
  std::string host;
  std::string port;
};
// HOST:PORT or [V6]:PORT.
bool parse_address(const std::string& text, Address& address);

class TlsContext {
 public:
  // Throws std::runtime_error. An empty ca_file with insecure=false trusts the system's roots.
  TlsContext(const std::string& ca_file, bool insecure, bool many_idle);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  SSL_CTX* get() const { return context_; }

 private:
  SSL_CTX* context_;
};

class Stream {
 public:
  Stream() = default;
  ~Stream() { close(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  enum class Step : uint8_t { done, want_read, want_write, failed };
  // Starts a connection; `tls` may be null. Returns false with errno set.
  bool connect(const Address& address, const TlsContext* tls);
  void adopt(int fd);
  // Finishes connect and handshake; call again when the socket is ready for what was wanted.
  Step establish();
  // > 0 bytes, 0 nothing now, -1 closed by the peer or broken.
  ssize_t read(char* to, size_t bytes);
  // Bytes taken (0: nothing now), -1 broken. Plain only.
  ssize_t writev(const iovec* pieces, int count);
  // The same over TLS; after 0 the same bytes must come again.
  ssize_t tls_write(const char* data, size_t bytes);
  // What is read is acknowledged then, until something is written behind it. A socket that wrote shortly after it was connected
  // acknowledges every second segment instead, while the peer's sendmsg is still under way and on the peer's time.
  void acknowledge_what_is_read();
  void close();
  void swap(Stream& other);

  int fd() const { return fd_; }
  bool is_tls() const { return ssl_ != nullptr; }
  std::string local_uri(const std::string& session_id) const;
  std::string failure() const;  // why the last step failed

 private:
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
};

// Listening socket for the direct mode; the port chosen when `address.port` is "0" is written back. -1 on failure.
int listen_on(Address& address);

}  // namespace parley::load
