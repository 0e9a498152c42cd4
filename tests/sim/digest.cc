// tests/sim/digest.cc - see digest.h.
#include "tests/sim/digest.h"

#include <openssl/evp.h>

namespace parley::sim {
namespace {

std::string hash(const std::string& algorithm, const std::string& text) {
  static const EVP_MD* const md5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  unsigned char raw[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), raw, &size, algorithm == "SHA-256" ? sha256 : md5, nullptr);
  std::string hex;
  for (unsigned n = 0; n < size; ++n) {
    hex += "0123456789abcdef"[raw[n] >> 4];
    hex += "0123456789abcdef"[raw[n] & 15];
  }
  return hex;
}

}  // namespace

std::string user_ha1(const std::string& algorithm, const std::string& user, const std::string& realm,
                     const std::string& secret) {
  return hash(algorithm, user + ":" + realm + ":" + secret);
}

std::string digest_response(const DigestInput& in) {
  const std::string ha1 = user_ha1(in.algorithm, in.user, in.realm, in.secret);
  const std::string ha2 = hash(in.algorithm, in.method + ":" + in.uri);
  return hash(in.algorithm, ha1 + ":" + in.nonce + ":" + in.count + ":" + in.cnonce + ":auth:" + ha2);
}

std::string digest_parameter(const std::string& header, const std::string& name) {
  std::size_t at = 0;
  while ((at = header.find(name + "=", at)) != std::string::npos) {
    if (at == 0 || header[at - 1] == ' ' || header[at - 1] == ',') {
      at += name.size() + 1;
      if (at < header.size() && header[at] == '"') {
        const std::size_t end = header.find('"', at + 1);
        return header.substr(at + 1, end - at - 1);
      }
      return header.substr(at, header.find_first_of(", ", at) - at);
    }
    ++at;
  }
  return {};
}

}  // namespace parley::sim
