// tools/parleyd/http_digest.cc - see http_digest.h.
#include "tools/parleyd/http_digest.h"

#include <utility>

#include "sip/header_lines.h"

namespace parley::parleyd {
namespace {

using core::Metric;

// What the judge looks at in a request: method, target, credentials. The header is the one with the index 0.
void put_head(const HttpAsked& asked, const std::string& credentials, std::string& bytes, sip::Head& head) {
  const auto place = [&bytes](const std::string& text) {
    const core::Span span{static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(text.size())};
    bytes.append(text);
    return span;
  };
  bytes.clear();
  head.method = sip::Method::other;
  head.method_name = place(asked.method);
  head.uri = place(asked.target);
  head.header_count = 1;
  head.headers[0] = {.id = sip::HeaderId::authorization, .next = 0, .name = {}, .value = place(credentials)};
  head.firsts.fill(0);
  head.firsts[static_cast<std::size_t>(sip::HeaderId::authorization)] = 1;
}

}  // namespace

HttpDigest::HttpDigest(sip::DigestAuthConfig config, std::string realm, const core::Seed& seed)
    : config_([&] {
        config.check_uri = true;  // byte for byte: a path is no SIP URI, so nothing else is equal
        config.accept_without_qop = false;
        return std::move(config);
      }()),
      realm_(std::move(realm)),
      random_(seed),
      digest_(config_, 0, random_, metrics_) {}

HttpSender HttpDigest::judge(const HttpAsked& asked, const core::Credentials& users, core::Instant now) {
  HttpSender sender;
  const std::string* const credentials = asked.header("Authorization");
  if (credentials == nullptr) return sender;
  const std::lock_guard lock(mutex_);
  std::string bytes;
  put_head(asked, *credentials, bytes, head_);
  const sip::DigestResult result = digest_.judge({.realm = realm_,
                                                  .users = users,
                                                  .header = sip::HeaderId::authorization,
                                                  .head = head_,
                                                  .bytes = bytes,
                                                  .source = asked.remote},
                                                 now);
  sender.verdict = result.verdict;
  if (result.verdict != sip::DigestVerdict::accepted) return sender;
  sender.user = result.user;
  sip::HeaderLines lines;
  digest_.put_info(sip::HeaderId::authentication_info, result, now, lines);
  for (const sip::HeaderText& line : lines.headers()) sender.info = line.value;
  return sender;
}

void HttpDigest::challenge(bool stale, core::Instant now, HttpAnswer& answer) {
  const std::lock_guard lock(mutex_);
  sip::HeaderLines lines;
  digest_.challenge(sip::HeaderId::www_authenticate, realm_, stale, now, lines);
  for (const sip::HeaderText& line : lines.headers()) answer.headers.emplace_back("WWW-Authenticate", line.value);
}

HttpDigestCounts HttpDigest::counts() const {
  return {.challenged = metrics_.get(Metric::sip_auth_challenges),
          .accepted = metrics_.get(Metric::sip_auth_accepted),
          .failed = metrics_.get(Metric::sip_auth_failed),
          .stale = metrics_.get(Metric::sip_auth_stale),
          .replayed = metrics_.get(Metric::sip_auth_replayed),
          .rate_limited = metrics_.get(Metric::sip_auth_rate_limited),
          .nonces_limit = metrics_.get(Metric::sip_auth_nonces_limit)};
}

}  // namespace parley::parleyd
