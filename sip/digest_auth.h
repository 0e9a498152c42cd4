// sip/digest_auth.h - whether a request's credentials prove its user (RFC 3261 section 22, RFC 7616, RFC 8760).
//
// One per shard, used by its thread alone. Issuing a nonce takes no memory: it names its time, its shard and its number
// under a keyed hash whose key lives for an hour and is kept for one more. Only a nonce that was used with a right password
// is remembered, for the nonce counts that are used up. The memory is bounded: what is given up early takes all older
// nonces with it, which are stale from then on. So no count is ever accepted twice.
//
// ACK and CANCEL cannot be challenged (RFC 3261 section 22.1): their caller never asks.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/credentials.h"
#include "core/digest.h"
#include "core/digest_header.h"
#include "core/failure_rates.h"
#include "core/keyed_hash.h"
#include "core/metrics.h"
#include "core/nonce_count.h"
#include "core/random.h"
#include "core/time.h"
#include "sip/head.h"
#include "sip/header_lines.h"

namespace parley::sip {

struct DigestAuthConfig {
  // One challenge each, in this order; a client takes the first it knows (RFC 8760 section 2.4). Others are refused.
  std::vector<core::DigestAlgorithm> algorithms = {core::DigestAlgorithm::sha256, core::DigestAlgorithm::md5};
  core::Duration nonce_life = std::chrono::minutes(10);  // at most an hour, as long as an old key lives
  std::uint32_t nonces_max = 65'536;                     // in use per shard, 40 bytes each; older ones become stale
  bool accept_without_qop = false;  // clients of RFC 2069: no nonce count, so each nonce of theirs works once
  // The uri parameter must mean the request's target: same user and host, or To's. Off: anything goes. What is hashed
  // is the parameter in either case.
  bool check_uri = true;
  bool authentication_info = true;
  core::FailureLimits failures;
};

enum class DigestVerdict : std::uint8_t {
  accepted,
  no_credentials,  // none for this realm that could be read: challenge
  failed,          // wrong user or password, an algorithm that was not offered, a uri of something else: challenge
  stale,           // right password, but the nonce is old, from another shard or forged: challenge with stale
  replayed,        // right password, but that nonce count was used before: challenge with stale
  rate_limited,    // user or network failed too often in this minute: refuse, 403
};

struct DigestResult {
  DigestVerdict verdict = DigestVerdict::no_credentials;
  std::string_view user;  // accepted: as the client wrote it, in the message's bytes
  // For put_info().
  bool nonce_is_old = false;
  core::HexDigest rspauth;
  std::string_view cnonce;
  std::string_view nc;
};

// What the credentials are judged by, and for which request. Views need to live during the call only.
struct DigestQuestion {
  std::string_view realm;
  const core::Credentials& users;             // of that realm
  HeaderId header = HeaderId::authorization;  // or proxy_authorization
  const Head& head;
  std::string_view bytes;
  core::Address source;  // for the failure rate; none for an edge proxy that speaks for many
};

class DigestAuth {
 public:
  // `config` must live until another one is set.
  DigestAuth(const DigestAuthConfig& config, std::uint16_t shard, core::Random& random, core::Metrics& metrics);
  void set_config(const DigestAuthConfig& config) { config_ = &config; }

  // Appends one challenge per algorithm, with one nonce. `header`: www_authenticate or proxy_authenticate.
  // `request` names the request by a hash of what its retransmissions repeat: they get the same nonce, as long as too many
  // others do not come in between (RFC 3261 section 8.2.7: without a transaction the answers must be equal). Its lowest bit
  // only tells it from 0: no matter.
  void challenge(HeaderId header, std::string_view realm, bool stale, core::Instant now, HeaderLines& out,
                 std::uint64_t request = 0);

  [[nodiscard]] DigestResult judge(const DigestQuestion& question, core::Instant now);

  // Appends what proves to the client that we know its password, too (RFC 7616 section 3.5); with a fresh nonce when
  // the used one will not live much longer. Nothing for a client without qop. `header`: authentication_info or
  // proxy_authentication_info.
  void put_info(HeaderId header, const DigestResult& accepted, core::Instant now, HeaderLines& out);

  // Nonces that are remembered.
  [[nodiscard]] std::size_t remembered() const { return size_; }

 private:
  static constexpr std::size_t nonce_chars = 44;
  using NonceText = std::array<char, nonce_chars>;
  struct Nonce {
    std::int64_t issued_ms = 0;  // of Instant
    std::uint16_t shard = 0;
    std::uint64_t number = 0;  // counts up by one for each nonce of this shard
  };
  // One nonce that was used: a place in a ring, oldest first, and in a chain of its bucket.
  struct Used {
    std::uint64_t number = 0;
    std::int64_t issued_ms = 0;
    core::NonceCounts counts;
    std::uint32_t next = 0;
  };
  enum class Use : std::uint8_t { fresh, used, stale };

  void put_nonce(core::Instant now, NonceText& text, std::uint64_t request = 0);
  [[nodiscard]] bool read_nonce(std::string_view text, core::Instant now, Nonce& nonce);
  void seal(std::uint64_t high, std::uint64_t low, std::int64_t hour, char* out) const;
  void rotate(std::int64_t hour);
  [[nodiscard]] Use use(const Nonce& nonce, bool has_count, std::uint32_t count, core::Instant now);
  [[nodiscard]] Used* find(std::uint64_t number);
  void forget_oldest();
  [[nodiscard]] DigestResult judge_one(const DigestQuestion& question, const core::Authorization& a, core::Instant now);
  [[nodiscard]] bool means_target(const DigestQuestion& question, std::string_view uri) const;

  const DigestAuthConfig* config_;
  std::uint16_t shard_;
  core::Random& random_;
  core::Metrics& metrics_;
  core::Digest digest_;
  core::FailureRates rates_;
  std::array<core::HashKey, 2> keys_{};  // by the lowest bit of the hour they seal in
  std::array<std::int64_t, 2> key_hours_{-1, -1};
  std::uint64_t next_number_ = 1;
  // The nonces of the last challenges, a place for each hash: retransmissions come within 32 s, most within 4.
  struct Recent {
    std::uint64_t request = 0;
    std::uint64_t number = 0;
    std::int64_t issued_ms = 0;
  };
  static constexpr std::size_t recent_slots = 4096;
  std::vector<Recent> recent_;
  std::uint64_t given_up_ = 0;  // nonces up to this number are stale unless they are remembered

  std::vector<Used> ring_;              // nonces_max, made at the first success
  std::vector<std::uint32_t> buckets_;  // 1 + index in ring_, 0: empty
  std::size_t oldest_ = 0;
  std::size_t size_ = 0;
};

}  // namespace parley::sip
