// core/tls_conn.cc - see tls_conn.h.
#include "core/tls_conn.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

#include "core/address.h"
#include "core/check.h"
#include "core/tls.h"

namespace parley::core {
namespace {

constexpr std::uint32_t key_updates_max = 32;  // in one window: each costs us a key derivation and maybe an answer
constexpr Duration key_update_window = 60s;
constexpr int names_max = 100;

// T-76: only dNSNames count, never the subject. A dNSName as hosts have it; anything else (NUL in particular) is not a
// name we would compare with.
bool plausible_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  return std::all_of(name.begin(), name.end(), [](char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' || ch == '.' || ch == '_' || ch == '*';
  });
}

// Emptying OpenSSL's error queue costs as much as a small record; it nearly always is empty.
void clear_errors() {
  if (::ERR_peek_error() != 0) ::ERR_clear_error();
}

}  // namespace

// The BIO below a TlsConn: reads from its input view, writes to its sink.
struct TlsBio {
  static int read(::BIO* bio, char* to, int room) {
    auto* conn = static_cast<TlsConn*>(::BIO_get_data(bio));
    ::BIO_clear_retry_flags(bio);
    if (conn->input_.empty()) {
      ::BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t bytes = std::min(conn->input_.size(), static_cast<std::size_t>(room));
    std::memcpy(to, conn->input_.data(), bytes);
    conn->input_.remove_prefix(bytes);
    return static_cast<int>(bytes);
  }
  static int write(::BIO* bio, const char* from, int bytes) {
    auto* conn = static_cast<TlsConn*>(::BIO_get_data(bio));
    ::BIO_clear_retry_flags(bio);
    if (conn->sink_ == nullptr || !conn->sink_->take(from, static_cast<std::size_t>(bytes))) {
      conn->sink_failed_ = true;
      return -1;
    }
    conn->cipher_waiting_ += static_cast<std::uint64_t>(bytes);
    return bytes;
  }
  static long control(::BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
  static ::BIO_METHOD* method() {
    static ::BIO_METHOD* const made = [] {
      ::BIO_METHOD* m = ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "parley");
      CHECK(m != nullptr);
      ::BIO_meth_set_read(m, read);
      ::BIO_meth_set_write(m, write);
      ::BIO_meth_set_ctrl(m, control);
      return m;
    }();
    return made;
  }
  static void on_message(int outgoing, int, int content, const void* bytes, std::size_t size, ::SSL* ssl, void*) {
    if (outgoing != 0 || content != SSL3_RT_HANDSHAKE || size == 0) return;
    if (*static_cast<const unsigned char*>(bytes) == SSL3_MT_KEY_UPDATE) {
      ++static_cast<TlsConn*>(SSL_get_app_data(ssl))->key_updates_;
    }
  }
};

std::unique_ptr<TlsConn> TlsConn::create(const std::shared_ptr<TlsContext>& context, bool server,
                                         const std::string& server_name) {
  std::unique_ptr<TlsConn> made(new TlsConn());
  made->context_ = context;
  made->ssl_ = ::SSL_new(context->get());
  ::BIO* bio = ::BIO_new(TlsBio::method());
  if (made->ssl_ == nullptr || bio == nullptr) {
    ::BIO_free(bio);
    return nullptr;
  }
  ::BIO_set_data(bio, made.get());
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(made->ssl_, bio, bio);
  SSL_set_app_data(made->ssl_, made.get());
  ::SSL_set_msg_callback(made->ssl_, TlsBio::on_message);
  if (server) {
    ::SSL_set_accept_state(made->ssl_);
    return made;
  }
  ::SSL_set_connect_state(made->ssl_);
  if (server_name.empty()) return nullptr;  // nobody to compare the certificate with
  ::X509_VERIFY_PARAM* check = ::SSL_get0_param(made->ssl_);
  ::X509_VERIFY_PARAM_set_hostflags(check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  const bool literal = parse_ip(server_name, 0).has_value();  // a literal has no SNI (RFC 6066 section 3)
  const int set = literal ? ::X509_VERIFY_PARAM_set1_ip_asc(check, server_name.c_str())
                          : ::X509_VERIFY_PARAM_set1_host(check, server_name.data(), server_name.size());
  if (set != 1) return nullptr;
  if (!literal) (void)::SSL_set_tlsext_host_name(made->ssl_, server_name.c_str());
  return made;
}

TlsConn::~TlsConn() {
  if (ssl_ != nullptr) ::SSL_free(ssl_);
}

TlsResult TlsConn::result_of(int rc) {
  switch (::SSL_get_error(ssl_, rc)) {
    case SSL_ERROR_NONE: return TlsResult::ok;
    case SSL_ERROR_WANT_READ: return TlsResult::more;
    case SSL_ERROR_ZERO_RETURN: return TlsResult::closed;
    default: break;
  }
  broken_ = true;
  const long verdict = ::SSL_get_verify_result(ssl_);
  name_mismatch_ = verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;
  clear_errors();
  return TlsResult::failed;
}

TlsResult TlsConn::handshake(CipherSink& sink) {
  sink_ = &sink;
  clear_errors();
  const TlsResult result = result_of(::SSL_do_handshake(ssl_));
  sink_ = nullptr;
  return sink_failed_ ? TlsResult::failed : result;
}

TlsResult TlsConn::read(CipherSink& sink, char* to, std::size_t room, std::size_t& bytes, Instant now) {
  sink_ = &sink;
  clear_errors();
  bytes = 0;
  TlsResult result = result_of(::SSL_read_ex(ssl_, to, room, &bytes) == 1 ? 1 : 0);
  // Known without asking once more, which would cost a record buffer and an error.
  if (result == TlsResult::ok && input_.empty() && ::SSL_has_pending(ssl_) != 1) result = TlsResult::more;
  sink_ = nullptr;
  if (sink_failed_ || too_many_key_updates(now)) {
    broken_ = true;
    return TlsResult::failed;
  }
  return result;
}

TlsResult TlsConn::write(CipherSink& sink, const char* from, std::size_t bytes) {
  if (broken_) return TlsResult::failed;
  sink_ = &sink;
  clear_errors();
  std::size_t written = 0;
  const TlsResult result = result_of(::SSL_write_ex(ssl_, from, bytes, &written) == 1 ? 1 : 0);
  sink_ = nullptr;
  if (result != TlsResult::ok || written != bytes || sink_failed_) return TlsResult::failed;
  plain_waiting_ += bytes;
  return TlsResult::ok;
}

void TlsConn::close_notify(CipherSink& sink) {
  if (broken_ || (::SSL_get_shutdown(ssl_) & SSL_SENT_SHUTDOWN) != 0 || ::SSL_is_init_finished(ssl_) != 1) return;
  sink_ = &sink;
  clear_errors();
  (void)::SSL_shutdown(ssl_);
  clear_errors();
  sink_ = nullptr;
}

bool TlsConn::too_many_key_updates(Instant now) {
  if (key_updates_ == 0) return false;
  if (now - key_update_window_ > key_update_window) {
    key_update_window_ = now;
    key_updates_ = 1;
  }
  return key_updates_ > key_updates_max;
}

bool TlsConn::resumed() const { return ::SSL_session_reused(ssl_) == 1; }

bool TlsConn::holds_part_of_record() const { return ::SSL_has_pending(ssl_) == 1; }

std::vector<std::string> TlsConn::verified_names() const {
  std::vector<std::string> names;
  ::X509* certificate = ::SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr || ::SSL_get_verify_result(ssl_) != X509_V_OK) return names;
  auto* all = static_cast<::GENERAL_NAMES*>(::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  const int count = std::min(sk_GENERAL_NAME_num(all), names_max);
  for (int i = 0; i < count; ++i) {
    const ::GENERAL_NAME* entry = sk_GENERAL_NAME_value(all, i);
    if (entry->type != GEN_DNS) continue;
    const auto* bytes = reinterpret_cast<const char*>(::ASN1_STRING_get0_data(entry->d.dNSName));
    std::string name(bytes, static_cast<std::size_t>(::ASN1_STRING_length(entry->d.dNSName)));
    for (char& ch : name) {
      if (ch >= 'A' && ch <= 'Z') ch = static_cast<char>(ch - 'A' + 'a');
    }
    if (plausible_name(name)) names.push_back(std::move(name));
  }
  ::GENERAL_NAMES_free(all);
  return names;
}

std::uint64_t TlsConn::plain_for(std::uint64_t cipher_bytes) {
  if (cipher_bytes >= cipher_waiting_) {
    const std::uint64_t all = plain_waiting_;
    plain_waiting_ = 0;
    cipher_waiting_ = 0;
    return all;
  }
  const std::uint64_t share = plain_waiting_ * cipher_bytes / cipher_waiting_;  // both stay far below 32 bits
  plain_waiting_ -= share;
  cipher_waiting_ -= cipher_bytes;
  return share;
}

}  // namespace parley::core
