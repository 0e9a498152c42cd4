// core/digest_client.h - what a client answers to Digest challenges (RFC 7616 section 3.4, RFC 8760 section 2.4, RFC
// 4976 section 5.1): the other side of credentials that servers judge.
//
// Values: a DigestAnswer is what a client remembers of one realm's challenge, so that later requests carry credentials
// at once. Nothing is sent and nothing is stored here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/digest.h"
#include "core/random.h"

namespace parley::core {

struct DigestAnswer {
  std::string realm;
  std::string nonce;
  std::string opaque;
  bool has_opaque = false;
  bool qop = false;  // the challenge offers qop=auth; else the form of RFC 2617 3.2.2.1
  bool stale = false;
  DigestAlgorithm algorithm = DigestAlgorithm::md5;
  std::uint32_t count = 0;  // of uses of this nonce
};

// The first of these WWW-Authenticate or Proxy-Authenticate values that can be answered: a server lists what it likes
// best first (RFC 8760 section 2.4). Nothing: no Digest, an algorithm that is not here, or a qop without "auth".
[[nodiscard]] std::optional<DigestAnswer> choose_challenge(std::span<const std::string_view> values,
                                                           const Digest& digest);

struct DigestLogin {
  std::string_view user;
  std::string_view password;
};
// The value of Authorization or Proxy-Authorization, one more use of the nonce. User names and realms with '"' or '\'
// do not exist (digest_header.h).
[[nodiscard]] std::string put_credentials(DigestAnswer& answer, const DigestLogin& login, std::string_view method,
                                          std::string_view uri, Digest& digest, Random& random);

}  // namespace parley::core
