// core/tls_conn.h - one TLS connection: ciphertext in, plaintext out, and back, without a socket.
//
// OpenSSL reads straight from the receive buffer and writes to the loop's cipher block; nothing of it is kept here
// between calls. Between calls an idle connection holds the SSL object and no record buffers
// (SSL_MODE_RELEASE_BUFFERS).
#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"

namespace parley::core {

class TlsContext;

// Where OpenSSL puts ciphertext. The loop's implementation writes to pool memory.
struct CipherSink {
  virtual ~CipherSink() = default;
  virtual bool take(const char* bytes, std::size_t size) = 0;  // false: no memory
};

enum class TlsResult : std::uint8_t {
  ok,      // progress; for read: `bytes` were produced, and there may be more
  more,    // needs ciphertext; what was produced is in `bytes`
  closed,  // close_notify
  failed,
};

class TlsConn {
 public:
  // `server_name` is SNI and the dNSName the certificate must carry; client side only.
  static std::unique_ptr<TlsConn> create(const std::shared_ptr<TlsContext>& context, bool server,
                                         const std::string& server_name);
  ~TlsConn();
  TlsConn(const TlsConn&) = delete;
  TlsConn& operator=(const TlsConn&) = delete;

  // Ciphertext for the calls that follow; returns nothing of it once input_left() is 0.
  void set_input(std::string_view ciphertext) { input_ = ciphertext; }
  [[nodiscard]] std::size_t input_left() const { return input_.size(); }

  TlsResult handshake(CipherSink& sink);
  TlsResult read(CipherSink& sink, char* to, std::size_t room, std::size_t& bytes, Instant now);
  TlsResult write(CipherSink& sink, const char* from, std::size_t bytes);
  void close_notify(CipherSink& sink);

  [[nodiscard]] bool resumed() const;
  [[nodiscard]] std::vector<std::string> verified_names() const;
  // After a failure nothing more is asked of OpenSSL.
  [[nodiscard]] bool broken() const { return broken_; }
  // The rest of a record that has begun will complete it: more plaintext than ciphertext may come.
  [[nodiscard]] bool holds_part_of_record() const;
  // The handshake failed because the peer's certificate has another name.
  [[nodiscard]] bool name_mismatch() const { return name_mismatch_; }

  // How many plaintext bytes count as sent when `cipher_bytes` more have left: in proportion, exact when all have.
  [[nodiscard]] std::uint64_t plain_for(std::uint64_t cipher_bytes);

 private:
  friend struct TlsBio;
  TlsConn() = default;
  TlsResult result_of(int rc);
  [[nodiscard]] bool too_many_key_updates(Instant now);

  ::SSL* ssl_ = nullptr;
  std::shared_ptr<TlsContext> context_;
  std::string_view input_;
  CipherSink* sink_ = nullptr;
  std::uint64_t plain_waiting_ = 0;
  std::uint64_t cipher_waiting_ = 0;
  std::uint32_t key_updates_ = 0;  // in this window, counted by the message callback
  Instant key_update_window_{};
  bool broken_ = false;  // OpenSSL may not be asked for anything but its end
  bool name_mismatch_ = false;
  bool sink_failed_ = false;
};

}  // namespace parley::core
