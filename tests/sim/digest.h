// tests/sim/digest.h - the client's side of digest authentication (RFC 7616), apart from core/digest.
#pragma once

#include <string>

namespace parley::sim {

// `algorithm`: "MD5" or "SHA-256".
std::string user_ha1(const std::string& algorithm, const std::string& user, const std::string& realm,
                     const std::string& secret);
// With qop=auth, for the request `method` `uri`.
struct DigestInput {
  const std::string& algorithm;
  const std::string& user;
  const std::string& realm;
  const std::string& secret;
  const std::string& nonce;
  const std::string& count;
  const std::string& cnonce;
  const std::string& method;
  const std::string& uri;
};
std::string digest_response(const DigestInput& in);
// The parameter of a Digest header, unquoted; empty when absent.
std::string digest_parameter(const std::string& header, const std::string& name);

}  // namespace parley::sim
