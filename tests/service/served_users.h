// tests/service/served_users.h - users whom the participating functions serve: alice proves herself with a password,
// bob is registered and publishes settings, and a trusted peer sends for others.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "policy/user_key.h"
#include "tests/service/proxy_world.h"
#include "tests/service/publisher.h"

namespace parley::tests {

inline constexpr const char* alice_at = "127.0.0.1:40001";
inline constexpr const char* bob_at = "127.0.0.1:40002";

std::string chat_sdp(const std::string& lines = "a=accept-types:message/cpim text/plain\r\n");
std::string file_sdp(const std::string& selector = "name:\"a.txt\" type:text/plain size:100");
inline const std::string sdp_type = "Content-Type: application/sdp\r\n";
inline const std::string text_type = "Content-Type: text/plain\r\n";

struct Participating : testing::Test {
  void make(const std::function<void(policy::SipConfig&)>& change = {}, std::uint32_t shards = 1);
  void SetUp() override;

  void enrol(const std::string& user, const std::string& contact);
  void allow(const std::string& rules);
  static std::string rule(const std::string& conditions, const std::string& handling);

  // From alice's device, who proves herself, or himself as another user; what came of it.
  std::vector<SipWorld::Sent> from_alice(Says says, const std::string& user = "alice");
  // From the trusted peer, who needs no proof and for whom nobody is served.
  std::vector<SipWorld::Sent> from_peer(Says says);
  static std::string only(const std::vector<SipWorld::Sent>& sent);
  static Says message(const std::string& lines = text_type, const std::string& body = "hello");
  static Says invite(const std::string& lines, const std::string& body);

  std::shared_ptr<policy::SipConfig> config;
  std::shared_ptr<policy::Documents> documents;
  std::unique_ptr<SipWorld> world;
  std::unique_ptr<Publisher> bob;
  int requests = 0;
};

}  // namespace parley::tests
