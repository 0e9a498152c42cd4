// msrp/auth.cc - see auth.h.
#include "msrp/auth.h"

#include <algorithm>

#include "core/digest_header.h"
#include "core/id_text.h"
#include "msrp/uri.h"

namespace parley::msrp {

void Auth::put_challenges(const RelayConfig& config, std::vector<NonceState>& nonces, std::size_t nonces_max, bool stale,
                          core::Instant now, std::string& headers) {
  NonceState nonce;
  core::id_encode128({random_.next(), random_.next()}, nonce.text.data());
  nonce.issued = now;
  if (nonces.size() >= nonces_max) nonces.erase(nonces.begin());
  nonces.push_back(nonce);
  const std::string_view text(nonce.text.data(), nonce.text.size());
  for (const core::DigestAlgorithm algorithm : config.algorithms) {
    if (!digest_.available(algorithm)) continue;
    headers += "WWW-Authenticate: Digest realm=\"";
    headers += config.realm;
    headers += "\", nonce=\"";
    headers += text;
    // Real clients were seen to need an opaque; it protects nothing here.
    headers += "\", opaque=\"";
    headers += text.substr(0, 8);
    headers += "\", qop=\"auth\", algorithm=";
    headers += core::to_string(algorithm);
    if (stale) headers += ", stale=TRUE";
    headers += "\r\n";
  }
}

AuthResult Auth::judge(const RelayConfig& config, std::string_view authorization, std::string_view request_uri,
                       std::vector<NonceState>& nonces, const core::Address& source, core::Instant now) {
  AuthResult result;
  core::Authorization a;
  if (!core::parse_authorization(authorization, a)) return result;
  const core::FailureLimits limits{.user_per_minute = config.auth_failures_user_per_minute,
                                   .source_per_minute = config.auth_failures_source_per_minute};
  if (rates_.over(a.username, source, limits, now)) {
    result.verdict = AuthVerdict::rate_limited;
    return result;
  }
  const auto fail = [&] {
    rates_.count(a.username, source, now);
    result.verdict = AuthVerdict::failed;
    return result;
  };

  const auto algorithm = a.algorithm.empty() ? core::DigestAlgorithm::md5
                                             : core::parse_digest_algorithm(a.algorithm).value_or(core::DigestAlgorithm::md5);
  if (!a.algorithm.empty() && !core::parse_digest_algorithm(a.algorithm)) return fail();
  // A client may not choose an algorithm that was not offered (downgrade).
  if (std::find(config.algorithms.begin(), config.algorithms.end(), algorithm) == config.algorithms.end()) return fail();
  std::uint32_t nc = 0;
  if (!equal_ignore_case(a.qop, "auth") || a.cnonce.empty() || !core::parse_nonce_count(a.nc, nc)) return fail();
  if (a.realm != config.realm) return fail();
  // A uri parameter is not in the grammar of RFC 4976 but in most clients: it must name what the request names.
  if (a.has_uri && a.uri != request_uri) {
    Uri given;
    Uri asked;
    if (!parse_uri(a.uri, given) || !parse_uri(request_uri, asked) || !same_uri(given, asked)) return fail();
  }

  // Unknown users cost the same arithmetic as known ones.
  static constexpr std::string_view no_ha1 = "00000000000000000000000000000000";
  std::string_view ha1 = no_ha1;
  bool known = false;
  if (const auto user = config.users.find(a.username); user != config.users.end()) {
    if (const auto hash = user->second.ha1.find(algorithm); hash != user->second.ha1.end()) {
      ha1 = hash->second;
      known = true;
    }
  }
  core::DigestFields fields{ha1, a.nonce, a.nc, a.cnonce, a.qop, "AUTH", a.has_uri ? a.uri : request_uri};
  const bool equal = core::equal_hex_constant_time(digest_.response(algorithm, fields), a.response);
  if (!equal || !known) return fail();

  const auto nonce = std::find_if(nonces.begin(), nonces.end(), [&](const NonceState& n) {
    return std::string_view(n.text.data(), n.text.size()) == a.nonce;
  });
  if (nonce == nonces.end() || now - nonce->issued > config.nonce_life) {
    result.verdict = AuthVerdict::stale;
    return result;
  }
  if (!nonce->counts.use(nc)) {
    result.verdict = AuthVerdict::replayed;
    return result;
  }

  result.verdict = AuthVerdict::accepted;
  result.user = a.username;
  const core::HexDigest proof = digest_.rspauth(algorithm, fields);
  result.authentication_info.reserve(160);
  result.authentication_info.append("rspauth=\"").append(proof.view());
  result.authentication_info.append("\", cnonce=\"").append(a.cnonce);
  result.authentication_info.append("\", nc=").append(a.nc).append(", qop=auth");
  return result;
}

}  // namespace parley::msrp
