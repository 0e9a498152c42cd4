// tests/loops/tls_end.h - a far end that speaks TLS through OpenSSL's own socket code, blocking.
#pragma once

#include <cerrno>
#include <openssl/ssl.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "tests/loops/certificates.h"
#include "tests/loops/real_harness.h"

namespace parley::loops {

struct TlsEndOptions {
  bool server = false;
  int min_version = TLS1_2_VERSION;
  int max_version = TLS1_3_VERSION;
  const Identity* identity = nullptr;
  std::string ca_file{};  // trusted; a server then asks for a client certificate
  ::SSL_SESSION* resume = nullptr;
};

class TlsEnd {
 public:
  TlsEnd(std::unique_ptr<FarEnd> below, const TlsEndOptions& options) : below_(std::move(below)) {
    context_ = ::SSL_CTX_new(options.server ? ::TLS_server_method() : ::TLS_client_method());
    ::SSL_CTX_set_security_level(context_, 0);  // so that old versions can be tried at all
    ::SSL_CTX_set_cipher_list(context_, "ALL:@SECLEVEL=0");
    ::SSL_CTX_set_min_proto_version(context_, options.min_version);
    ::SSL_CTX_set_max_proto_version(context_, options.max_version);
    if (options.identity != nullptr) {
      ::SSL_CTX_use_certificate_chain_file(context_, options.identity->certificate_file.c_str());
      ::SSL_CTX_use_PrivateKey_file(context_, options.identity->key_file.c_str(), SSL_FILETYPE_PEM);
    }
    if (!options.ca_file.empty()) {
      ::SSL_CTX_load_verify_file(context_, options.ca_file.c_str());
      ::SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    }
    ssl_ = ::SSL_new(context_);
    ::SSL_set_fd(ssl_, static_cast<SocketEnd&>(*below_).fd());
    if (options.resume != nullptr) ::SSL_set_session(ssl_, options.resume);
    ok_ = done([&] { return options.server ? ::SSL_accept(ssl_) : ::SSL_connect(ssl_); });
  }
  ~TlsEnd() {
    ::SSL_free(ssl_);
    ::SSL_CTX_free(context_);
  }
  TlsEnd(const TlsEnd&) = delete;
  TlsEnd& operator=(const TlsEnd&) = delete;

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] ::SSL* ssl() const { return ssl_; }
  [[nodiscard]] FarEnd& below() const { return *below_; }
  bool send(std::string_view bytes) {
    std::size_t written = 0;
    return done([&] { return ::SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written); }) && written == bytes.size();
  }
  std::string receive(std::size_t bytes) {
    std::string got(bytes, '\0');
    std::size_t have = 0;
    std::size_t count = 0;
    while (have < bytes && done([&] { return ::SSL_read_ex(ssl_, got.data() + have, bytes - have, &count); })) have += count;
    got.resize(have);
    return got;
  }
  // The peer's close_notify was the end.
  bool ends_properly() {
    char byte = 0;
    std::size_t count = 0;
    return !done([&] { return ::SSL_read_ex(ssl_, &byte, 1, &count); }) && ::SSL_get_shutdown(ssl_) == SSL_RECEIVED_SHUTDOWN;
  }

 private:
  // A socket with a time-out is not restarted by the kernel after a signal; OpenSSL then asks to be called again.
  template <typename Call>
  bool done(Call&& call) {
    for (;;) {
      errno = 0;
      const int result = call();
      if (result == 1) return true;
      const int error = ::SSL_get_error(ssl_, result);
      if (errno != EINTR || (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)) return false;
    }
  }

  std::unique_ptr<FarEnd> below_;
  ::SSL_CTX* context_ = nullptr;
  ::SSL* ssl_ = nullptr;
  bool ok_ = false;
};

}  // namespace parley::loops
