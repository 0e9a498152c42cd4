// tests/relay/fixture.h - frames written by hand, and the two set-ups most tests of the relay begin with.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/relay/driver.h"

namespace parley::testing {

inline std::string header(const std::string& frame, const std::string& name) {
  const std::size_t at = frame.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t from = at + name.size() + 4;
  return frame.substr(from, frame.find("\r\n", from) - from);
}

// One frame's transaction id as it went out.
inline std::string tid_of(const std::string& frame) { return text_between(frame, "MSRP ", " "); }

inline std::string ok(const std::string& tid, const std::string& to, const std::string& from) {
  return "MSRP " + tid + " 200 OK\r\nTo-Path: " + to + "\r\nFrom-Path: " + from + "\r\n-------" + tid + "$\r\n";
}

class RelayTest : public ::testing::Test {
 protected:
  explicit RelayTest(std::shared_ptr<const msrp::RelayConfig> config = default_config(), std::uint32_t shards = 1)
      : relay(std::move(config), {.small_count = 64, .large_count = 8, .arena_count = 16, .heap_bytes_max = 64 << 20}, {.count = shards}) {}

  std::string auth_frame(const std::string& tid, const std::string& own, const std::string& extra) {
    return "MSRP " + tid + " AUTH\r\nTo-Path: msrp://127.0.0.1:2855;tcp\r\nFrom-Path: " + own + "\r\n" + extra +
           "-------" + tid + "$\r\n";
  }

  std::string credentials(const std::string& user, const std::string& challenge, const std::string& nc = "00000001") {
    core::Digest digest;
    const std::string nonce = text_between(challenge, "nonce=\"", "\"");
    const auto ha1 = digest.ha1(core::DigestAlgorithm::sha256, user, "example.com", "secret");
    const auto response = digest.response(core::DigestAlgorithm::sha256,
                                          {ha1.view(), nonce, nc, "cafe", "auth", "AUTH", "msrp://127.0.0.1:2855;tcp"});
    return "Authorization: Digest username=\"" + user + "\", realm=\"example.com\", nonce=\"" + nonce +
           "\", qop=auth, nc=" + nc + ", cnonce=\"cafe\", algorithm=SHA-256, response=\"" +
           std::string(response.view()) + "\"\r\n";
  }

  // The URI handed out.
  std::string authenticate(core::ConnId conn, const std::string& user, const std::string& own) {
    relay.send(conn, auth_frame("aut1", own, ""));
    const std::string challenge = relay.take(conn);
    EXPECT_TRUE(challenge.starts_with("MSRP aut1 401 ")) << challenge;
    relay.send(conn, auth_frame("aut2", own, credentials(user, challenge)));
    const std::string granted = relay.take(conn);
    EXPECT_TRUE(granted.starts_with("MSRP aut2 200 ")) << granted;
    return header(granted, "Use-Path");
  }

  static std::string send_frame(const std::string& tid, const std::string& to, const std::string& from,
                                const std::string& headers, const std::string& body, char flag = '$') {
    return "MSRP " + tid + " SEND\r\nTo-Path: " + to + "\r\nFrom-Path: " + from + "\r\n" + headers +
           "Content-Type: text/plain\r\n\r\n" + body + "\r\n-------" + tid + flag + "\r\n";
  }

  Harness relay;
  const std::string a_uri = "msrp://a.example.net:7777/aaa;tcp";
  const std::string b_uri = "msrp://b.example.net:8888/bbb;tcp";
};

// Bob has a session; a, without AUTH, may send to it.
class CallerAndBob : public RelayTest {
 protected:
  using RelayTest::RelayTest;

  // One SEND from a to bob.
  [[nodiscard]] std::string to_bob(const std::string& tid, const std::string& headers, const std::string& body,
                                   char flag = '$') const {
    return send_frame(tid, use_b + " " + b_uri, a_uri, headers, body, flag);
  }

  const core::ConnId a = relay.open();
  const core::ConnId b = relay.open();
  const std::string use_b = authenticate(b, "bob", b_uri);
};

// Both have a session; what one sends passes both.
class AliceAndBob : public CallerAndBob {
 protected:
  const std::string use_a = authenticate(a, "alice", a_uri);
  const std::string path_to_b = use_a + " " + use_b + " " + b_uri;
  const std::string path_to_a = use_b + " " + use_a + " " + a_uri;
};

}  // namespace parley::testing
