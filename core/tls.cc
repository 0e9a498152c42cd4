// core/tls.cc - see tls.h.
#include "core/tls.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <cstring>

#include "core/check.h"

namespace parley::core {
namespace {

constexpr int verify_depth = 5;
constexpr long certificate_list_bytes_max = 16 * 1024;
constexpr long session_life_s = 3600;  // a resumed session is as old as its certificate check
constexpr char tls12_suites[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

std::string openssl_error(const std::string& what) {
  char text[256] = "unknown error";
  if (const unsigned long code = ::ERR_peek_last_error(); code != 0) ::ERR_error_string_n(code, text, sizeof text);
  ::ERR_clear_error();
  return what + ": " + text;
}

int set_mac(::EVP_MAC_CTX* mac, const TicketKeys::Key& key) {
  std::array<std::uint8_t, 32> bytes = key.mac;
  char digest[] = "SHA256";
  const ::OSSL_PARAM params[] = {::OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, bytes.data(), bytes.size()),
                                 ::OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 ::OSSL_PARAM_construct_end()};
  return ::EVP_MAC_CTX_set_params(mac, params);
}

// 1: use it; 2: use it and give out a new ticket; 0: unknown ticket, full handshake; -1: error.
int ticket_key(::SSL* ssl, unsigned char* name, unsigned char* iv, ::EVP_CIPHER_CTX* cipher, ::EVP_MAC_CTX* mac,
               int encrypt) {
  const auto* context = static_cast<const TlsContext*>(SSL_CTX_get_app_data(::SSL_get_SSL_CTX(ssl)));
  const TicketKeys& keys = context->tickets();
  if (encrypt == 1) {
    std::memcpy(name, keys.current.name.data(), keys.current.name.size());
    if (::RAND_bytes(iv, ::EVP_CIPHER_get_iv_length(::EVP_aes_256_cbc())) != 1) return -1;
    if (::EVP_EncryptInit_ex(cipher, ::EVP_aes_256_cbc(), nullptr, keys.current.cipher.data(), iv) != 1) return -1;
    return set_mac(mac, keys.current) == 1 ? 1 : -1;
  }
  const bool current = std::memcmp(name, keys.current.name.data(), keys.current.name.size()) == 0;
  if (!current && std::memcmp(name, keys.previous.name.data(), keys.previous.name.size()) != 0) return 0;
  const TicketKeys::Key& key = current ? keys.current : keys.previous;
  if (::EVP_DecryptInit_ex(cipher, ::EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv) != 1) return -1;
  if (set_mac(mac, key) != 1) return -1;
  return current ? 1 : 2;
}

TicketKeys::Key random_key() {
  TicketKeys::Key key;
  CHECK(::RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1);
  CHECK(::RAND_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) == 1);
  CHECK(::RAND_bytes(key.mac.data(), static_cast<int>(key.mac.size())) == 1);
  return key;
}

bool set_common(::SSL_CTX* context, const TlsConfig& config, std::string& error) {
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  ::SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_timeout(context, session_life_s);
  ::SSL_CTX_set_verify_depth(context, verify_depth);
  ::SSL_CTX_set_max_cert_list(context, certificate_list_bytes_max);
  if (::SSL_CTX_set_cipher_list(context, tls12_suites) != 1) {
    error = openssl_error("TLS suites");
    return false;
  }
  if (!config.certificate_file.empty()) {
    if (::SSL_CTX_use_certificate_chain_file(context, config.certificate_file.c_str()) != 1) {
      error = openssl_error(config.certificate_file);
      return false;
    }
    if (::SSL_CTX_use_PrivateKey_file(context, config.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
        ::SSL_CTX_check_private_key(context) != 1) {
      error = openssl_error(config.key_file);
      return false;
    }
  }
  if (!config.ca_file.empty() && ::SSL_CTX_load_verify_file(context, config.ca_file.c_str()) != 1) {
    error = openssl_error(config.ca_file);
    return false;
  }
  return true;
}

}  // namespace

std::shared_ptr<const TicketKeys> TicketKeys::create() {
  auto keys = std::make_shared<TicketKeys>();
  keys->current = random_key();
  keys->previous = random_key();  // matches nothing
  return keys;
}

std::shared_ptr<const TicketKeys> TicketKeys::rotate(const TicketKeys& old) {
  auto keys = std::make_shared<TicketKeys>();
  keys->current = random_key();
  keys->previous = old.current;
  return keys;
}

std::shared_ptr<TlsContext> TlsContext::server(const TlsConfig& config, std::string& error) {
  std::shared_ptr<TlsContext> made(new TlsContext(::SSL_CTX_new(::TLS_server_method())));
  ::SSL_CTX* context = made->context_;
  CHECK(context != nullptr);
  if (config.certificate_file.empty()) {
    error = "a TLS server needs a certificate";
    return nullptr;
  }
  if (!set_common(context, config, error)) return nullptr;
  if (!config.ca_file.empty()) {
    // Asked, not demanded: clients have none, other relays show theirs. A bad one ends the handshake.
    ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    STACK_OF(X509_NAME)* names = ::SSL_load_client_CA_file(config.ca_file.c_str());
    if (names == nullptr) {
      error = openssl_error(config.ca_file);
      return nullptr;
    }
    ::SSL_CTX_set_client_CA_list(context, names);
  }
  constexpr unsigned char id_context[] = "parley";  // resumption with client certificates needs one
  ::SSL_CTX_set_session_id_context(context, id_context, sizeof id_context - 1);
  ::SSL_CTX_set_num_tickets(context, 1);
  ::SSL_CTX_set_max_early_data(context, 0);
  made->tickets_ = config.tickets != nullptr ? config.tickets : TicketKeys::create();
  SSL_CTX_set_app_data(context, made.get());
  ::SSL_CTX_set_tlsext_ticket_key_evp_cb(context, ticket_key);
  return made;
}

std::shared_ptr<TlsContext> TlsContext::client(const TlsConfig& config, std::string& error) {
  std::shared_ptr<TlsContext> made(new TlsContext(::SSL_CTX_new(::TLS_client_method())));
  ::SSL_CTX* context = made->context_;
  CHECK(context != nullptr);
  if (!set_common(context, config, error)) return nullptr;
  if (config.ca_file.empty() && ::SSL_CTX_set_default_verify_paths(context) != 1) {
    error = openssl_error("system trust store");
    return nullptr;
  }
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_app_data(context, made.get());
  return made;
}

TlsContext::~TlsContext() { ::SSL_CTX_free(context_); }

}  // namespace parley::core
