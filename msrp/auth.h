// msrp/auth.h - judging AUTH credentials (RFC 4976 sections 5.1, 6.3 and 9.1; RFC 7616): nonces, digests, failure rates.
//
// Knows users and nonces, not connections: the relay passes in the nonces it keeps for one. A nonce is random, lives for
// RelayConfig::nonce_life, is valid on the connection it was given to and for each nonce count once.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/address.h"
#include "core/failure_rates.h"
#include "core/random.h"
#include "core/time.h"
#include "msrp/relay_config.h"
#include "msrp/relay_types.h"

namespace parley::msrp {

enum class AuthVerdict : std::uint8_t {
  accepted,
  failed,        // wrong user, password or realm, or a header that is no credential
  stale,         // right form, but the nonce is old, unknown here, or from another connection
  replayed,      // the nonce count was used before
  rate_limited,  // user or network failed too often lately
};

struct AuthResult {
  AuthVerdict verdict = AuthVerdict::failed;
  std::string user;
  std::string authentication_info;  // header value, when accepted
};

class Auth {
 public:
  explicit Auth(core::Random& random) : random_(random), rates_(random) {}

  // Appends one WWW-Authenticate line per configured algorithm, with a fresh nonce that is added to `nonces`
  // (R4976-2). `nonces_max` keeps the list short: the oldest goes.
  void put_challenges(const RelayConfig& config, std::vector<NonceState>& nonces, std::size_t nonces_max, bool stale,
                      core::Instant now, std::string& headers);

  // `request_uri` is the rightmost To-Path URI byte for byte (R4976-2).
  [[nodiscard]] AuthResult judge(const RelayConfig& config, std::string_view authorization, std::string_view request_uri,
                                 std::vector<NonceState>& nonces, const core::Address& source, core::Instant now);

 private:
  core::Random& random_;
  core::Digest digest_;
  core::FailureRates rates_;
};

}  // namespace parley::msrp
