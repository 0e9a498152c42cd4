// core/digest_client.cc - see digest_client.h.
#include "core/digest_client.h"

#include <array>

#include "core/digest_header.h"
#include "core/id_text.h"

namespace parley::core {

std::optional<DigestAnswer> choose_challenge(std::span<const std::string_view> values, const Digest& digest) {
  for (const std::string_view value : values) {
    Challenge challenge;
    if (!parse_challenge(value, challenge) || challenge.nonce.empty()) continue;
    const auto algorithm =
        challenge.algorithm.empty() ? std::optional(DigestAlgorithm::md5) : parse_digest_algorithm(challenge.algorithm);
    if (!algorithm || !digest.available(*algorithm)) continue;
    if (!challenge.qop.empty() && !offers_qop(challenge, "auth")) continue;
    return DigestAnswer{.realm = std::string(challenge.realm),
                        .nonce = std::string(challenge.nonce),
                        .opaque = std::string(challenge.opaque),
                        .has_opaque = challenge.has_opaque,
                        .qop = !challenge.qop.empty(),
                        .stale = challenge.stale,
                        .algorithm = *algorithm,
                        .count = 0};
  }
  return std::nullopt;
}

std::string put_credentials(DigestAnswer& answer, const DigestLogin& login, std::string_view method,
                            std::string_view uri, Digest& digest, Random& random) {
  constexpr std::string_view hex = "0123456789abcdef";
  ++answer.count;
  std::array<char, 8> nc{};
  for (std::size_t i = 0; i < nc.size(); ++i) nc[i] = hex[(answer.count >> (28 - 4 * i)) & 15];
  std::array<char, letters64_chars> cnonce{};
  letters_encode64(random.next(), cnonce.data());
  const HexDigest ha1 = digest.ha1(answer.algorithm, login.user, answer.realm, login.password);
  DigestFields fields{.ha1_hex = ha1.view(), .nonce = answer.nonce, .method = method, .uri = uri};
  if (answer.qop) {
    fields.nc = {nc.data(), nc.size()};
    fields.cnonce = {cnonce.data(), cnonce.size()};
    fields.qop = "auth";
  }
  const HexDigest response = digest.response(answer.algorithm, fields);

  std::string out = "Digest username=\"";
  out.append(login.user).append("\", realm=\"").append(answer.realm);
  out.append("\", nonce=\"").append(answer.nonce);
  out.append("\", uri=\"").append(uri);
  out.append("\", response=\"").append(response.view());
  out.append("\", algorithm=").append(to_string(answer.algorithm));
  if (answer.has_opaque) out.append(", opaque=\"").append(answer.opaque).append("\"");
  if (answer.qop)
    out.append(", qop=auth, nc=").append(fields.nc).append(", cnonce=\"").append(fields.cnonce).append("\"");
  return out;
}

}  // namespace parley::core
