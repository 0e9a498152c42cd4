// core/tls.h - TLS contexts: certificates, trust, protocol options, ticket keys. Built by main, swapped while running.
//
// TLS 1.2 and later with AEAD suites, no renegotiation, no compression, no early data, one ticket, no server-side
// session cache. A context is immutable once built; connections keep the one they began with.
#pragma once

#include <openssl/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

namespace parley::core {

// Keys that encrypt session tickets; shared by all shards and kept over certificate reloads, so that clients resume
// wherever they come back. Rotate every 12 hours or so: tickets of the previous key still work.
struct TicketKeys {
  struct Key {
    std::array<std::uint8_t, 16> name{};
    std::array<std::uint8_t, 32> cipher{};
    std::array<std::uint8_t, 32> mac{};
  };
  Key current;
  Key previous;
  static std::shared_ptr<const TicketKeys> create();
  static std::shared_ptr<const TicketKeys> rotate(const TicketKeys& old);
};

struct TlsConfig {
  std::string certificate_file;  // PEM chain; empty only for clients
  std::string key_file;
  std::string ca_file;  // trust for the other side. Servers without one ask for no client certificate
  std::shared_ptr<const TicketKeys> tickets;  // servers; empty: keys of its own
};

class TlsContext {
 public:
  // nullptr and `error` (which file, why) when anything is wrong.
  static std::shared_ptr<TlsContext> server(const TlsConfig& config, std::string& error);
  static std::shared_ptr<TlsContext> client(const TlsConfig& config, std::string& error);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] ::SSL_CTX* get() const { return context_; }
  [[nodiscard]] const TicketKeys& tickets() const { return *tickets_; }

 private:
  explicit TlsContext(::SSL_CTX* context) : context_(context) {}
  ::SSL_CTX* context_;
  std::shared_ptr<const TicketKeys> tickets_;
};

}  // namespace parley::core
