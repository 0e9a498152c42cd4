// tests/sip/digest_auth_test.cc - credentials of SIP requests: right ones, wrong ones, old ones and used ones.
#include "sip/digest_auth.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <set>
#include <string>

#include "core/digest_header.h"
#include "tests/sip/parsed.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using namespace std::chrono_literals;
using core::DigestAlgorithm;
using core::Instant;

constexpr std::string_view realm = "example.com";

struct Client {
  std::string user = "alice";
  std::string password = "secret";
  DigestAlgorithm algorithm = DigestAlgorithm::md5;
  std::string nonce;
  std::string qop = "auth";
  std::string uri = "sip:example.com";
  std::string method = "REGISTER";
  std::string cnonce = "0a4f113b";
  std::string realm_sent{realm};
};

class DigestAuthTest : public testing::Test {
 protected:
  DigestAuthTest() {
    source_ = *core::parse_ip("192.0.2.7", 5060);
    for (const char* name : {"alice", "bob", "Zo\xc3\xab %41", "alice@example.com"}) add_user(name, "secret");
    make(0);
  }

  void make(std::uint16_t shard) { auth_ = std::make_unique<DigestAuth>(config_, shard, random_, metrics_); }

  void add_user(const std::string& name, std::string_view password) {
    for (const DigestAlgorithm a : {DigestAlgorithm::md5, DigestAlgorithm::sha256, DigestAlgorithm::sha512_256}) {
      users_[name].ha1[a] = std::string(digest_.ha1(a, name, realm, password).view());
    }
  }

  std::vector<std::string> challenges(DigestAuth& auth, bool stale = false) {
    HeaderLines lines;
    auth.challenge(HeaderId::www_authenticate, realm, stale, now_, lines);
    std::vector<std::string> values;
    for (const HeaderText& h : lines.headers()) {
      EXPECT_EQ(h.id, HeaderId::www_authenticate);
      values.emplace_back(h.value);
    }
    return values;
  }

  std::string nonce_of(DigestAuth& auth) {
    const std::vector<std::string> values = challenges(auth);
    core::Challenge challenge;
    EXPECT_TRUE(core::parse_challenge(values.at(0), challenge));
    return std::string(challenge.nonce);
  }

  std::string authorization(const Client& c, std::uint32_t count) {
    char nc[9];
    std::snprintf(nc, sizeof nc, "%08x", count);
    const core::HexDigest ha1 = digest_.ha1(c.algorithm, c.user, realm, c.password);
    const core::HexDigest response = digest_.response(c.algorithm, {.ha1_hex = ha1.view(),
                                                                    .nonce = c.nonce,
                                                                    .nc = nc,
                                                                    .cnonce = c.cnonce,
                                                                    .qop = c.qop,
                                                                    .method = c.method,
                                                                    .uri = c.uri});
    std::string value = "Digest username=\"" + c.user + "\", realm=\"" + c.realm_sent + "\", nonce=\"" + c.nonce +
                        "\", uri=\"" + c.uri + "\", response=\"" + std::string(response.view()) +
                        "\", algorithm=" + std::string(core::to_string(c.algorithm));
    if (!c.qop.empty()) value += ", qop=" + c.qop + ", nc=" + std::string(nc) + ", cnonce=\"" + c.cnonce + "\"";
    return value;
  }

  DigestResult judge_value(DigestAuth& auth, const std::string& header_lines,
                           HeaderId header = HeaderId::authorization) {
    message_ = std::make_unique<Parsed>(
        "REGISTER sip:example.com SIP/2.0\n"
        "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\n"
        "From: <sip:alice@example.com>;tag=1\n"
        "To: <sip:alice@example.com>\n"
        "Call-ID: 1\nCSeq: 1 REGISTER\nMax-Forwards: 70\n" +
        header_lines + "Content-Length: 0\n\n");
    return auth.judge({.realm = realm,
                       .users = users_,
                       .header = header,
                       .head = message_->head(),
                       .bytes = message_->bytes(),
                       .source = source_},
                      now_);
  }
  DigestVerdict judge(const Client& client, std::uint32_t count) {
    return judge_value(*auth_, "Authorization: " + authorization(client, count) + "\n").verdict;
  }

  core::Random random_{core::Seed{7}};
  core::Metrics metrics_;
  core::Digest digest_;
  DigestAuthConfig config_;
  core::Credentials users_;
  core::Address source_;
  Instant now_{1h};
  std::unique_ptr<DigestAuth> auth_;
  std::unique_ptr<Parsed> message_;
};

TEST_F(DigestAuthTest, R3261_17_OneChallengePerAlgorithmInOrder) {
  config_.algorithms = {DigestAlgorithm::sha512_256, DigestAlgorithm::sha256, DigestAlgorithm::md5};
  const auto values = challenges(*auth_, true);
  ASSERT_EQ(values.size(), 3U);
  std::set<std::string> nonces;
  const char* const names[] = {"SHA-512-256", "SHA-256", "MD5"};
  for (std::size_t i = 0; i < 3; ++i) {
    core::Challenge challenge;
    ASSERT_TRUE(core::parse_challenge(values[i], challenge)) << values[i];
    EXPECT_EQ(challenge.realm, realm);
    EXPECT_EQ(challenge.algorithm, names[i]);
    EXPECT_TRUE(challenge.stale);
    EXPECT_TRUE(core::offers_qop(challenge, "auth"));
    nonces.emplace(challenge.nonce);
  }
  EXPECT_EQ(nonces.size(), 1U);
  EXPECT_NE(nonce_of(*auth_), *nonces.begin());
  EXPECT_EQ(challenges(*auth_).at(0).find("stale"), std::string::npos);
}

TEST_F(DigestAuthTest, R3261_17_RightCredentialsAreAcceptedByEachAlgorithm) {
  config_.algorithms = {DigestAlgorithm::sha512_256, DigestAlgorithm::sha256, DigestAlgorithm::md5};
  for (const DigestAlgorithm algorithm : config_.algorithms) {
    Client client{.algorithm = algorithm, .nonce = nonce_of(*auth_)};
    const DigestResult result = judge_value(*auth_, "Authorization: " + authorization(client, 1) + "\n");
    EXPECT_EQ(result.verdict, DigestVerdict::accepted);
    EXPECT_EQ(result.user, "alice");
    client.password = "wrong";
    EXPECT_EQ(judge(client, 2), DigestVerdict::failed);
  }
}

TEST_F(DigestAuthTest, R3261_17_AnAlgorithmThatWasNotOfferedIsRefused) {
  config_.algorithms = {DigestAlgorithm::sha256};
  EXPECT_EQ(judge({.algorithm = DigestAlgorithm::md5, .nonce = nonce_of(*auth_)}, 1), DigestVerdict::failed);
  EXPECT_EQ(judge({.algorithm = DigestAlgorithm::sha256, .nonce = nonce_of(*auth_)}, 1), DigestVerdict::accepted);
}

TEST_F(DigestAuthTest, R3261_17_OtherRealmsAndSchemesAreForOthers) {
  const std::string nonce = nonce_of(*auth_);
  EXPECT_EQ(judge_value(*auth_, "").verdict, DigestVerdict::no_credentials);
  // RFC 4475 section 3.3.7: an unknown scheme is as none.
  EXPECT_EQ(judge_value(*auth_, "Authorization: NoOneKnowsThisScheme opaque-data=here\n").verdict,
            DigestVerdict::no_credentials);
  EXPECT_EQ(judge_value(*auth_, "Authorization: Digest username=\"x\n").verdict, DigestVerdict::no_credentials);
  Client foreign{.nonce = nonce, .realm_sent = "elsewhere.net"};
  EXPECT_EQ(judge(foreign, 1), DigestVerdict::no_credentials);
  const std::string both = "Authorization: " + authorization(foreign, 1) + "\nAuthorization: Basic QWxhZGRpbg==\n" +
                           "Authorization: " + authorization({.nonce = nonce}, 1) + "\n";
  EXPECT_EQ(judge_value(*auth_, both).verdict, DigestVerdict::accepted);
  // The other header is another question.
  EXPECT_EQ(judge_value(*auth_, both, HeaderId::proxy_authorization).verdict, DigestVerdict::no_credentials);
}

TEST_F(DigestAuthTest, AUserWithoutANonceHasNotGuessed) {
  const std::string line = "Authorization: Digest username=\"alice\", realm=\"example.com\", uri=\"sip:example.com\"";
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(judge_value(*auth_, line + ", nonce=\"\", response=\"\"\n").verdict, DigestVerdict::no_credentials);
  }
  EXPECT_EQ(judge({.nonce = nonce_of(*auth_)}, 1), DigestVerdict::accepted);
}

TEST_F(DigestAuthTest, R3261_17_NoNonceCountCountsTwiceInAnyOrder) {
  const Client client{.nonce = nonce_of(*auth_)};
  for (const std::uint32_t count : {3U, 1U, 2U, 10U, 9U}) {
    EXPECT_EQ(judge(client, count), DigestVerdict::accepted) << count;
    EXPECT_EQ(judge(client, count), DigestVerdict::replayed) << count;
  }
  EXPECT_EQ(judge(client, 500), DigestVerdict::accepted);
  EXPECT_EQ(judge(client, 500 - core::NonceCounts::window), DigestVerdict::replayed);
  EXPECT_EQ(judge(client, 500 - core::NonceCounts::window + 1), DigestVerdict::accepted);
  EXPECT_EQ(judge(client, 0xffffffffU), DigestVerdict::accepted);
  EXPECT_EQ(judge(client, 0xffffffffU), DigestVerdict::replayed);
  EXPECT_EQ(judge(client, 0), DigestVerdict::failed);
  EXPECT_EQ(auth_->remembered(), 1U);
}

TEST_F(DigestAuthTest, R3261_17_NoncesNeedNoMemoryBeforeTheyAreUsed) {
  for (int i = 0; i < 1000; ++i) (void)nonce_of(*auth_);
  EXPECT_EQ(auth_->remembered(), 0U);
  const Client wrong{.password = "guess", .nonce = nonce_of(*auth_)};
  EXPECT_EQ(judge(wrong, 1), DigestVerdict::failed);
  EXPECT_EQ(auth_->remembered(), 0U);
}

TEST_F(DigestAuthTest, ForgedNoncesAreStaleAndNeverAccepted) {
  const std::string good = nonce_of(*auth_);
  // Every character changed, one at a time: time, shard, number and seal.
  for (std::size_t i = 0; i < good.size(); ++i) {
    Client client{.nonce = good};
    client.nonce[i] = client.nonce[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(judge(client, 1), DigestVerdict::stale) << i;
  }
  for (const std::string& nonce : {std::string(), std::string("x"), good + "A", good.substr(1), std::string(44, 'A'),
                                   std::string(44, '.'), std::string(20'000, 'A')}) {
    const Client client{.nonce = nonce};
    EXPECT_NE(judge(client, 1), DigestVerdict::accepted) << nonce.size();
  }
  // A wrong password with a forged nonce is a failure, not stale: stale says that the password was right.
  const Client guess{.password = "guess", .nonce = std::string(44, 'A')};
  EXPECT_EQ(judge(guess, 1), DigestVerdict::failed);
}

TEST_F(DigestAuthTest, ANonceFromTheFutureIsStale) {
  const std::string nonce = nonce_of(*auth_);
  now_ -= 10s;
  EXPECT_EQ(judge({.nonce = nonce}, 1), DigestVerdict::stale);
  now_ += 10s;
  EXPECT_EQ(judge({.nonce = nonce}, 1), DigestVerdict::accepted);
}

TEST_F(DigestAuthTest, R3261_17_OldNoncesAreStale) {
  const Client client{.nonce = nonce_of(*auth_)};
  now_ += config_.nonce_life;
  EXPECT_EQ(judge(client, 1), DigestVerdict::accepted);
  now_ += 1ms;
  EXPECT_EQ(judge(client, 2), DigestVerdict::stale);
}

TEST_F(DigestAuthTest, KeysLiveForTwoHoursAndNoLonger) {
  config_.nonce_life = 24h;
  now_ = Instant(2h - 1s);
  const Client client{.nonce = nonce_of(*auth_)};
  now_ = Instant(2h + 1s);
  (void)nonce_of(*auth_);
  EXPECT_EQ(judge(client, 1), DigestVerdict::accepted);
  now_ = Instant(3h - 1s);
  EXPECT_EQ(judge(client, 2), DigestVerdict::accepted);
  now_ = Instant(3h);
  EXPECT_EQ(judge(client, 3), DigestVerdict::stale);
  // The key of two hours later is another one, though it lies in the same place.
  now_ = Instant(4h - 1s);
  (void)nonce_of(*auth_);
  EXPECT_EQ(judge(client, 4), DigestVerdict::stale);
  now_ = Instant(2h);
  EXPECT_EQ(judge(client, 5), DigestVerdict::stale);
}

TEST_F(DigestAuthTest, ANonceOfAnotherShardIsStale) {
  DigestAuth other(config_, 1, random_, metrics_);
  EXPECT_EQ(judge({.nonce = nonce_of(other)}, 1), DigestVerdict::stale);
  // Even one that calls itself this shard, as after a restart with other keys.
  DigestAuth restarted(config_, 0, random_, metrics_);
  EXPECT_EQ(judge({.nonce = nonce_of(restarted)}, 1), DigestVerdict::stale);
}

TEST_F(DigestAuthTest, WhatIsForgottenIsStaleAndNeverReplayable) {
  config_.nonces_max = 8;
  make(0);
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) clients.push_back({.nonce = nonce_of(*auth_)});
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < clients.size(); ++i) order.push_back(i * 7 % clients.size());
  std::size_t accepted = 0;
  for (const std::size_t i : order) accepted += judge(clients[i], 1) == DigestVerdict::accepted ? 1U : 0U;
  EXPECT_LE(auth_->remembered(), 8U);
  EXPECT_GE(accepted, 8U);
  for (int round = 0; round < 3; ++round) {
    for (const Client& client : clients) {
      const DigestVerdict verdict = judge(client, 1);
      EXPECT_TRUE(verdict == DigestVerdict::replayed || verdict == DigestVerdict::stale);
    }
  }
  EXPECT_EQ(judge({.nonce = nonce_of(*auth_)}, 1), DigestVerdict::accepted);
  EXPECT_GT(metrics_.get(core::Metric::sip_auth_nonces_limit), 0U);
}

TEST_F(DigestAuthTest, ManyNoncesInAndOutOfMemoryKeepTheirCounts) {
  config_.nonces_max = 64;
  make(0);
  std::vector<std::pair<Client, std::uint32_t>> used;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    Client client{.nonce = nonce_of(*auth_)};
    const std::uint32_t count = 1 + static_cast<std::uint32_t>(random_.uniform(100));
    ASSERT_EQ(judge(client, count), DigestVerdict::accepted);
    used.emplace_back(std::move(client), count);
    const auto& [old, old_count] = used[random_.uniform(used.size())];
    ASSERT_NE(judge(old, old_count), DigestVerdict::accepted);
    now_ += 1s;
  }
}

TEST_F(DigestAuthTest, R3261_17_WithoutQopByKnobAndThenOnce) {
  Client client{.nonce = nonce_of(*auth_), .qop = ""};
  EXPECT_EQ(judge(client, 1), DigestVerdict::failed);
  config_.accept_without_qop = true;
  EXPECT_EQ(judge(client, 1), DigestVerdict::accepted);
  EXPECT_EQ(judge(client, 1), DigestVerdict::stale);
  client.qop = "auth";
  EXPECT_EQ(judge(client, 1), DigestVerdict::stale);
  client.nonce = nonce_of(*auth_);
  client.qop = "auth-int";
  EXPECT_EQ(judge(client, 1), DigestVerdict::failed);
}

TEST_F(DigestAuthTest, R3261_17_UriIsComparedLooselyAndHashedAsItStands) {
  for (const char* uri : {"sip:example.com", "sip:EXAMPLE.com:5060", "sips:example.com;transport=tls",
                          "sip:alice@example.com", "sip:alice@example.com;user=phone"}) {
    EXPECT_EQ(judge({.nonce = nonce_of(*auth_), .uri = uri}, 1), DigestVerdict::accepted) << uri;
  }
  const auto failures = [this] { return metrics_.get(core::Metric::sip_auth_failed); };
  for (const char* uri : {"sip:bob@example.com", "sip:example.org", "tel:+1", "", "*", "no uri"}) {
    const auto before = failures();
    EXPECT_EQ(judge({.nonce = nonce_of(*auth_), .uri = uri}, 1), DigestVerdict::failed) << uri;
    EXPECT_EQ(failures(), before + 1);
  }
  // What an edge does to the request URI is not the client's fault: the operator may look away.
  config_.check_uri = false;
  EXPECT_EQ(judge({.nonce = nonce_of(*auth_), .uri = "sip:10.0.0.1"}, 1), DigestVerdict::accepted);
  // But the hash is over the parameter: one that was changed on the way does not fit.
  std::string value = authorization({.nonce = nonce_of(*auth_)}, 1);
  value.replace(value.find("uri=\"sip:example.com"), 20, "uri=\"sip:example.org");
  EXPECT_EQ(judge_value(*auth_, "Authorization: " + value + "\n").verdict, DigestVerdict::failed);
  EXPECT_EQ(judge({.nonce = nonce_of(*auth_), .method = "INVITE"}, 1), DigestVerdict::failed);
}

TEST_F(DigestAuthTest, OddUserNames) {
  for (const char* user : {"Zo\xc3\xab %41", "alice@example.com"}) {
    EXPECT_EQ(judge({.user = user, .nonce = nonce_of(*auth_)}, 1), DigestVerdict::accepted) << user;
  }
  for (const std::string& user :
       {std::string("ALICE"), std::string("alice "), std::string(""), std::string("al\\\"ice"), std::string("alice%00"),
        std::string(10'000, 'a'), std::string("*")}) {
    const DigestVerdict verdict = judge({.user = user, .nonce = nonce_of(*auth_)}, 1);
    EXPECT_NE(verdict, DigestVerdict::accepted) << user;
  }
}

TEST_F(DigestAuthTest, GuessesAreLimitedPerUserAndMinute) {
  const std::string nonce = nonce_of(*auth_);
  for (std::uint32_t i = 0; i < config_.failures.user_per_minute; ++i) {
    EXPECT_EQ(judge({.password = "guess", .nonce = nonce}, 1), DigestVerdict::failed);
  }
  EXPECT_EQ(judge({.nonce = nonce}, 1), DigestVerdict::rate_limited);
  EXPECT_EQ(judge({.user = "bob", .nonce = nonce}, 1), DigestVerdict::accepted);
  now_ += 1min;
  EXPECT_EQ(judge({.nonce = nonce}, 2), DigestVerdict::accepted);
  // Loopback is never locked out.
  source_ = *core::parse_ip("127.0.0.1", 5060);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(judge({.password = "guess", .nonce = nonce}, 1), DigestVerdict::failed);
  EXPECT_EQ(judge({.nonce = nonce}, 3), DigestVerdict::accepted);
}

TEST_F(DigestAuthTest, GuessesAreLimitedPerSource) {
  const std::string nonce = nonce_of(*auth_);
  for (std::uint32_t i = 0; i < config_.failures.source_per_minute; ++i) {
    EXPECT_EQ(judge({.user = "user" + std::to_string(i), .nonce = nonce}, 1), DigestVerdict::failed);
  }
  EXPECT_EQ(judge({.nonce = nonce}, 1), DigestVerdict::rate_limited);
  source_ = *core::parse_ip("192.0.2.8", 5060);
  EXPECT_EQ(judge({.nonce = nonce}, 1), DigestVerdict::accepted);
}

TEST_F(DigestAuthTest, AuthenticationInfoProvesThePasswordAndRenewsTheNonce) {
  Client client{.nonce = nonce_of(*auth_)};
  const auto info = [&](std::uint32_t count) {
    const DigestResult result = judge_value(*auth_, "Authorization: " + authorization(client, count) + "\n");
    EXPECT_EQ(result.verdict, DigestVerdict::accepted);
    HeaderLines lines;
    auth_->put_info(HeaderId::authentication_info, result, now_, lines);
    return lines.headers().empty() ? std::string() : std::string(lines.headers()[0].value);
  };
  core::AuthenticationInfo read;
  const std::string first = info(1);
  ASSERT_TRUE(core::parse_authentication_info(first, read));
  const core::HexDigest ha1 = digest_.ha1(client.algorithm, client.user, realm, client.password);
  const core::HexDigest expected = digest_.rspauth(client.algorithm, {.ha1_hex = ha1.view(),
                                                                      .nonce = client.nonce,
                                                                      .nc = "00000001",
                                                                      .cnonce = client.cnonce,
                                                                      .qop = "auth",
                                                                      .uri = client.uri});
  EXPECT_EQ(read.rspauth, expected.view());
  EXPECT_EQ(read.nc, "00000001");
  EXPECT_TRUE(read.nextnonce.empty());
  now_ += config_.nonce_life / 2 + 1s;
  const std::string later = info(2);
  ASSERT_TRUE(core::parse_authentication_info(later, read));
  client.nonce = std::string(read.nextnonce);
  EXPECT_EQ(judge(client, 1), DigestVerdict::accepted);
  config_.authentication_info = false;
  EXPECT_EQ(info(2), "");
}

}  // namespace
}  // namespace parley::tests
