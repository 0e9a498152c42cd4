// tools/parleyd/http_digest.h - who sends an HTTP request, by Digest (RFC 7616), with the users, nonces and limits that
// SIP has (sip/digest_auth.h, which does the work). By any thread, one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "core/credentials.h"
#include "core/metrics.h"
#include "core/random.h"
#include "sip/digest_auth.h"
#include "sip/head.h"
#include "tools/parleyd/http_server.h"

namespace parley::parleyd {

struct HttpSender {
  sip::DigestVerdict verdict = sip::DigestVerdict::no_credentials;
  std::string user;  // accepted
  std::string info;  // accepted: value of Authentication-Info; may be empty
};

// For reports.
struct HttpDigestCounts {
  std::uint64_t challenged = 0;
  std::uint64_t accepted = 0;
  std::uint64_t failed = 0;
  std::uint64_t stale = 0;
  std::uint64_t replayed = 0;
  std::uint64_t rate_limited = 0;
  std::uint64_t nonces_limit = 0;
};

class HttpDigest {
 public:
  HttpDigest(sip::DigestAuthConfig config, std::string realm, const core::Seed& seed);

  [[nodiscard]] HttpSender judge(const HttpAsked& asked, const core::Credentials& users, core::Instant now);
  // Adds one WWW-Authenticate for each algorithm.
  void challenge(bool stale, core::Instant now, HttpAnswer& answer);
  [[nodiscard]] HttpDigestCounts counts() const;  // by any thread

 private:
  const sip::DigestAuthConfig config_;
  const std::string realm_;
  core::Metrics metrics_;
  std::mutex mutex_;  // of what follows
  core::Random random_;
  sip::DigestAuth digest_;
  sip::Head head_{};  // scratch: about 4 KiB
};

}  // namespace parley::parleyd
