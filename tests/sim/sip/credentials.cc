// tests/sim/sip/credentials.cc - see credentials.h.
#include "tests/sim/sip/credentials.h"

#include <cstdio>

#include "tests/sim/digest.h"

namespace parley::sim::sip {

bool Credentials::answer(Message& request, const Message& challenge, const std::string& cnonce) {
  const bool proxy = challenge.status == 407;
  std::string chosen;
  for (const std::string& one : challenge.values(proxy ? "Proxy-Authenticate" : "WWW-Authenticate")) {
    if (digest_parameter(one, "algorithm") == algorithm_) chosen = one;
  }
  if (chosen.empty()) return false;
  challenge_ = chosen;
  add(request, proxy ? "Proxy-Authorization" : "Authorization", cnonce);
  return true;
}

void Credentials::add(Message& request, const char* header, const std::string& cnonce) {
  const std::string algorithm = digest_parameter(challenge_, "algorithm");
  const std::string nonce = digest_parameter(challenge_, "nonce");
  count_ = nonce == nonce_ ? count_ + 1 : 1;
  nonce_ = nonce;
  char count[9];
  std::snprintf(count, sizeof count, "%08x", count_);
  const std::string realm = digest_parameter(challenge_, "realm");
  const std::string response = digest_response({.algorithm = algorithm,
                                                .user = user_,
                                                .realm = realm,
                                                .secret = user_ + "-secret",
                                                .nonce = nonce,
                                                .count = count,
                                                .cnonce = cnonce,
                                                .method = request.method,
                                                .uri = request.uri});
  request.add(header, "Digest username=\"" + user_ + "\", realm=\"" + realm + "\", nonce=\"" + nonce + "\", uri=\"" +
                          request.uri + "\", response=\"" + response + "\", algorithm=" + algorithm + ", cnonce=\"" +
                          cnonce + "\", qop=auth, nc=" + count);
}

}  // namespace parley::sim::sip
