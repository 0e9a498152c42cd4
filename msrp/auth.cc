// msrp/auth.cc - see auth.h.
#include "msrp/auth.h"

#include <algorithm>
#include <charconv>

#include "core/digest_header.h"
#include "core/id_text.h"
#include "msrp/uri.h"

namespace parley::msrp {

namespace {

// How far behind the highest nonce count a request may come and still be new: pipelined requests may pass each other.
constexpr std::uint32_t nc_window = 64;

std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  return x ^ (x >> 33);
}

bool parse_nc(std::string_view text, std::uint32_t& value) {
  if (text.size() != 8) return false;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size() && value != 0;
}

enum class NonceCount : std::uint8_t { fresh, used };

NonceCount use_count(NonceState& nonce, std::uint32_t nc) {
  if (nc > nonce.nc_top) {
    const std::uint32_t step = nc - nonce.nc_top;
    nonce.nc_seen = step >= nc_window ? 1 : (nonce.nc_seen << step) | 1;
    nonce.nc_top = nc;
    return NonceCount::fresh;
  }
  const std::uint32_t behind = nonce.nc_top - nc;
  if (behind >= nc_window || ((nonce.nc_seen >> behind) & 1) != 0) return NonceCount::used;
  nonce.nc_seen |= std::uint64_t{1} << behind;
  return NonceCount::fresh;
}

}  // namespace

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
  const auto minute = std::chrono::duration_cast<std::chrono::minutes>(now.time_since_epoch()).count();
  // Loopback is the operator's own machine (an edge proxy, a test): locking it out would lock out everybody behind it.
  const bool rated = source.family != core::Address::Family::none && !core::is_loopback(source);
  if (rated && (over(user_rate(a.username), config.auth_failures_user_per_minute, minute) ||
                over(source_rate(source), config.auth_failures_source_per_minute, minute))) {
    result.verdict = AuthVerdict::rate_limited;
    return result;
  }
  const auto fail = [&] {
    if (rated) {
      count(user_rate(a.username), minute);
      count(source_rate(source), minute);
    }
    result.verdict = AuthVerdict::failed;
    return result;
  };

  const auto algorithm = a.algorithm.empty() ? core::DigestAlgorithm::md5
                                             : core::parse_digest_algorithm(a.algorithm).value_or(core::DigestAlgorithm::md5);
  if (!a.algorithm.empty() && !core::parse_digest_algorithm(a.algorithm)) return fail();
  // A client may not choose an algorithm that was not offered (downgrade).
  if (std::find(config.algorithms.begin(), config.algorithms.end(), algorithm) == config.algorithms.end()) return fail();
  std::uint32_t nc = 0;
  if (!equal_ignore_case(a.qop, "auth") || a.cnonce.empty() || !parse_nc(a.nc, nc)) return fail();
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
  if (use_count(*nonce, nc) == NonceCount::used) {
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

bool Auth::over(const Rate& rate, std::uint32_t limit, std::int64_t minute) const {
  return limit != 0 && rate.minute == minute && rate.failures >= limit;
}

void Auth::count(Rate& rate, std::int64_t minute) {
  if (rate.minute != minute) rate = {minute, 0};
  ++rate.failures;
}

Auth::Rate& Auth::user_rate(std::string_view user) {
  if (user_rates_.empty()) {
    user_rates_.resize(rate_slots);
    rate_seed_ = random_.next();
  }
  std::uint64_t h = rate_seed_;
  for (const char c : user) h = mix(h ^ static_cast<unsigned char>(c));
  return user_rates_[h % rate_slots];
}

Auth::Rate& Auth::source_rate(const core::Address& source) {
  if (source_rates_.empty()) {
    source_rates_.resize(rate_slots);
    if (rate_seed_ == 0) rate_seed_ = random_.next();
  }
  // One IPv4 address or one IPv6 /64 is one source.
  const std::size_t bytes = source.family == core::Address::Family::v4 ? 4 : 8;
  std::uint64_t h = rate_seed_;
  for (std::size_t i = 0; i < bytes; ++i) h = mix(h ^ source.ip[i]);
  return source_rates_[h % rate_slots];
}

}  // namespace parley::msrp
