// sip/digest_auth.cc - see digest_auth.h.
#include "sip/digest_auth.h"

#include <algorithm>
#include <bit>
#include <chrono>

#include "core/check.h"
#include "core/host_text.h"
#include "core/id_text.h"
#include "core/text.h"
#include "sip/address.h"
#include "sip/uri.h"

namespace parley::sip {
namespace {

using core::DigestAlgorithm;
using core::Metric;

constexpr std::int64_t retransmission_ms = 32'000;  // 64*T1
constexpr std::int64_t hour_ms = 3'600'000;

std::int64_t ms_of(core::Instant now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

// Same user at the same host, whatever the scheme's security, port and parameters.
bool same_place(const Uri& a, const Uri& b) {
  if (same_uri(a, b)) return true;
  const auto is_sip = [](const Uri& uri) { return uri.scheme == Scheme::sip || uri.scheme == Scheme::sips; };
  return is_sip(a) && is_sip(b) && same_escaped(a.user, b.user) && core::same_host(a.host, b.host);
}

}  // namespace

DigestAuth::DigestAuth(const DigestAuthConfig& config, std::uint16_t shard, core::Random& random,
                       core::Metrics& metrics)
    : config_(&config), shard_(shard), random_(random), metrics_(metrics), rates_(random) {}

// The first half is 48 bits of time, the shard and the number; the second is their seal.
void DigestAuth::put_nonce(core::Instant now, NonceText& text, std::uint64_t request) {
  std::int64_t ms = ms_of(now);
  std::uint64_t low = 0;
  if (request != 0) {
    if (recent_.empty()) recent_.resize(recent_slots);
    Recent& recent = recent_[(request >> 1) % recent_slots];  // the lowest bit is set in all of them
    if (recent.request != request || ms - recent.issued_ms > retransmission_ms) recent = {request, next_number_++, ms};
    low = recent.number;
    ms = recent.issued_ms;
  } else {
    low = next_number_++;
  }
  const std::uint64_t high = static_cast<std::uint64_t>(ms) << 16 | shard_;
  core::id_encode128({high, low}, text.data());
  rotate(ms / hour_ms);
  seal(high, low, ms / hour_ms, text.data() + core::id128_chars);
}

void DigestAuth::seal(std::uint64_t high, std::uint64_t low, std::int64_t hour, char* out) const {
  const core::HashKey& key = keys_[static_cast<std::size_t>(hour & 1)];
  const core::Hash128 mac = core::KeyedHash(key).add(high).add(low).finish();
  core::id_encode128({mac.high, mac.low}, out);
}

void DigestAuth::rotate(std::int64_t hour) {
  const auto at = static_cast<std::size_t>(hour & 1);
  if (key_hours_[at] >= hour) return;
  keys_[at] = core::HashKey::make(random_);
  key_hours_[at] = hour;
}

bool DigestAuth::read_nonce(std::string_view text, core::Instant now, Nonce& nonce) {
  if (text.size() != nonce_chars) return false;
  const auto id = core::id_decode128(text.substr(0, core::id128_chars));
  if (!id) return false;
  const std::int64_t now_ms = ms_of(now);
  nonce = {.issued_ms = static_cast<std::int64_t>(id->high >> 16),
           .shard = static_cast<std::uint16_t>(id->high & 0xffff),
           .number = id->low};
  // A time to come is nobody's: it was never sealed.
  if (nonce.shard != shard_ || nonce.issued_ms > now_ms) return false;
  const auto life_ms = std::chrono::duration_cast<std::chrono::milliseconds>(config_->nonce_life).count();
  if (now_ms - nonce.issued_ms > std::min<std::int64_t>(life_ms, hour_ms)) return false;
  const std::int64_t hour = nonce.issued_ms / hour_ms;
  if (key_hours_[static_cast<std::size_t>(hour & 1)] != hour) return false;
  std::array<char, core::id128_chars> sealed;
  seal(id->high, id->low, hour, sealed.data());
  return core::equal_constant_time({sealed.data(), sealed.size()}, text.substr(core::id128_chars));
}

void DigestAuth::challenge(HeaderId header, std::string_view realm, bool stale, core::Instant now, HeaderLines& out,
                           std::uint64_t request) {
  NonceText nonce;
  put_nonce(now, nonce, request);
  const std::string_view text(nonce.data(), nonce.size());
  for (const DigestAlgorithm algorithm : config_->algorithms) {
    if (!digest_.available(algorithm)) continue;
    std::string& value = out.begin(header);
    value.append("Digest realm=\"").append(realm).append("\", nonce=\"").append(text);
    // Real clients were seen to need an opaque; it protects nothing here.
    value.append("\", opaque=\"").append(text.substr(core::id128_chars, 8)).append("\", qop=\"auth\", algorithm=");
    value.append(core::to_string(algorithm));
    if (stale) value.append(", stale=TRUE");
  }
  metrics_.add(Metric::sip_auth_challenges);
}

DigestResult DigestAuth::judge(const DigestQuestion& question, core::Instant now) {
  DigestResult result;
  for (const Header* line = question.head.first(question.header); line != nullptr; line = question.head.next(*line)) {
    core::Authorization a;
    // Other schemes and other realms are for others (RFC 3261 section 22.3).
    if (!core::parse_authorization(line->value.of(question.bytes), a) || a.realm != question.realm) continue;
    result = judge_one(question, a, now);
    break;
  }
  switch (result.verdict) {
    case DigestVerdict::accepted: metrics_.add(Metric::sip_auth_accepted); break;
    case DigestVerdict::no_credentials: break;
    case DigestVerdict::failed: metrics_.add(Metric::sip_auth_failed); break;
    case DigestVerdict::stale: metrics_.add(Metric::sip_auth_stale); break;
    case DigestVerdict::replayed: metrics_.add(Metric::sip_auth_replayed); break;
    case DigestVerdict::rate_limited: metrics_.add(Metric::sip_auth_rate_limited); break;
  }
  return result;
}

DigestResult DigestAuth::judge_one(const DigestQuestion& question, const core::Authorization& a, core::Instant now) {
  DigestResult result;
  // The first REGISTER of IMS clients names its user and has yet to be given a nonce (TS 24.229 section 5.1.1.2).
  if (a.nonce.empty() || a.response.empty()) return result;
  if (rates_.over(a.username, question.source, config_->failures, now)) {
    result.verdict = DigestVerdict::rate_limited;
    return result;
  }
  result.verdict = DigestVerdict::failed;
  const auto fail = [&] {
    rates_.count(a.username, question.source, now);
    return result;
  };
  const auto named = a.algorithm.empty() ? DigestAlgorithm::md5 : core::parse_digest_algorithm(a.algorithm);
  // A client may not choose an algorithm that was not offered (downgrade).
  if (!named || !digest_.available(*named)) return fail();
  if (std::find(config_->algorithms.begin(), config_->algorithms.end(), *named) == config_->algorithms.end()) {
    return fail();
  }
  const bool with_qop = !a.qop.empty();
  std::uint32_t count = 0;
  if (with_qop) {
    if (!core::equal_ignore_case(a.qop, "auth") || a.cnonce.empty() || !core::parse_nonce_count(a.nc, count)) {
      return fail();
    }
  } else if (!config_->accept_without_qop) {
    return fail();
  }
  if (!a.has_uri) return fail();

  // Unknown users cost the same arithmetic as known ones.
  static constexpr std::string_view no_ha1 = "00000000000000000000000000000000";
  std::string_view ha1 = no_ha1;
  bool known = false;
  if (const auto user = question.users.find(a.username); user != question.users.end()) {
    if (const auto hash = user->second.ha1.find(*named); hash != user->second.ha1.end()) {
      ha1 = hash->second;
      known = true;
    }
  }
  const core::DigestFields fields{.ha1_hex = ha1,
                                  .nonce = a.nonce,
                                  .nc = a.nc,
                                  .cnonce = a.cnonce,
                                  .qop = a.qop,
                                  .method = question.head.method_name.of(question.bytes),
                                  .uri = a.uri};
  const bool equal = core::equal_hex_constant_time(digest_.response(*named, fields), a.response);
  if (!equal || !known) return fail();
  // The password was right: whatever else is wrong is no guess, so it is not counted.
  if (config_->check_uri && !means_target(question, a.uri)) return result;

  Nonce nonce;
  const Use used = read_nonce(a.nonce, now, nonce) ? use(nonce, with_qop, count, now) : Use::stale;
  if (used != Use::fresh) {
    result.verdict = used == Use::used ? DigestVerdict::replayed : DigestVerdict::stale;
    return result;
  }
  result.verdict = DigestVerdict::accepted;
  result.user = a.username;
  if (with_qop && config_->authentication_info) {
    result.nonce_is_old = ms_of(now) - nonce.issued_ms >
                          std::chrono::duration_cast<std::chrono::milliseconds>(config_->nonce_life).count() / 2;
    result.rspauth = digest_.rspauth(*named, fields);
    result.cnonce = a.cnonce;
    result.nc = a.nc;
  }
  return result;
}

// An edge may have rewritten the request URI on the way; To is what its sender meant.
bool DigestAuth::means_target(const DigestQuestion& question, std::string_view uri) const {
  const std::string_view asked = question.head.uri.of(question.bytes);
  if (uri == asked) return true;
  Uri given;
  if (!parse_uri(uri, given)) return false;
  Uri target;
  if (parse_uri(asked, target) && same_place(given, target)) return true;
  Address to;
  return parse_address(question.head.value(HeaderId::to, question.bytes), to) && parse_uri(to.uri, target) &&
         same_place(given, target);
}

void DigestAuth::put_info(HeaderId header, const DigestResult& accepted, core::Instant now, HeaderLines& out) {
  if (accepted.verdict != DigestVerdict::accepted || accepted.nc.empty()) return;
  std::string& value = out.begin(header);
  if (accepted.nonce_is_old) {
    NonceText nonce;
    put_nonce(now, nonce);
    value.append("nextnonce=\"").append(nonce.data(), nonce.size()).append("\", ");
  }
  value.append("qop=auth, rspauth=\"").append(accepted.rspauth.view());
  value.append("\", cnonce=\"").append(accepted.cnonce).append("\", nc=").append(accepted.nc);
}

DigestAuth::Use DigestAuth::use(const Nonce& nonce, bool has_count, std::uint32_t count, core::Instant now) {
  if (Used* const known = find(nonce.number)) {
    // A client without counts does not know of replays: it gets a new nonce.
    if (!has_count || known->counts.used_up()) return Use::stale;
    return known->counts.use(count) ? Use::fresh : Use::used;
  }
  if (nonce.number <= given_up_) return Use::stale;
  if (ring_.empty()) {
    const std::uint32_t places = std::max<std::uint32_t>(config_->nonces_max, 1);
    ring_.resize(places);
    buckets_.resize(std::bit_ceil(places));
  }
  // Those whose life is over make room first, and for nothing: they are stale anyway.
  const auto life_ms = std::chrono::duration_cast<std::chrono::milliseconds>(config_->nonce_life).count();
  for (int i = 0; i < 2 && size_ != 0 && ms_of(now) - ring_[oldest_].issued_ms > life_ms; ++i) forget_oldest();
  if (size_ == ring_.size()) {
    metrics_.add(Metric::sip_auth_nonces_limit);
    forget_oldest();
  }
  const std::size_t at = (oldest_ + size_) % ring_.size();
  ++size_;
  std::uint32_t& first = buckets_[nonce.number & (buckets_.size() - 1)];
  ring_[at] = {.number = nonce.number, .issued_ms = nonce.issued_ms, .counts = {}, .next = first};
  first = static_cast<std::uint32_t>(at) + 1;
  if (has_count) return ring_[at].counts.use(count) ? Use::fresh : Use::used;
  ring_[at].counts.use_up();
  return Use::fresh;
}

DigestAuth::Used* DigestAuth::find(std::uint64_t number) {
  if (buckets_.empty()) return nullptr;
  // Numbers count up, so their lowest bits spread them.
  for (std::uint32_t at = buckets_[number & (buckets_.size() - 1)]; at != 0; at = ring_[at - 1].next) {
    if (ring_[at - 1].number == number) return &ring_[at - 1];
  }
  return nullptr;
}

// First used, first forgotten. All nonces issued before it that are not remembered go with it.
void DigestAuth::forget_oldest() {
  CHECK(size_ != 0);
  const Used& gone = ring_[oldest_];
  given_up_ = std::max(given_up_, gone.number);
  std::uint32_t* link = &buckets_[gone.number & (buckets_.size() - 1)];
  while (*link != oldest_ + 1) {
    CHECK(*link != 0);
    link = &ring_[*link - 1].next;
  }
  *link = gone.next;
  oldest_ = (oldest_ + 1) % ring_.size();
  --size_;
}

}  // namespace parley::sip
