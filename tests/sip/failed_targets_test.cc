// tests/sip/failed_targets_test.cc - R3263-2: next hops that failed go behind the others, for a while.
#include "sip/failed_targets.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace parley::sip {
namespace {

using namespace std::chrono_literals;
using core::Instant;
using core::Transport;

FailedTargets::Target target(const std::string& address, Transport transport = Transport::udp) {
  return {*core::parse_address(address), transport};
}

class FailedTargetsTest : public testing::Test {
 protected:
  core::Metrics metrics_;
  FailedTargets failed_{metrics_, {.targets_max = 4}};
  Instant start_{1000s};
};

TEST_F(FailedTargetsTest, R3263_2_a_failed_target_is_avoided_for_30_s) {
  EXPECT_FALSE(failed_.avoid(target("192.0.2.1:5060"), start_));
  failed_.failed(target("192.0.2.1:5060"), start_);
  EXPECT_TRUE(failed_.avoid(target("192.0.2.1:5060"), start_ + 29s));
  EXPECT_FALSE(failed_.avoid(target("192.0.2.1:5060"), start_ + 30s));
  EXPECT_FALSE(failed_.avoid(target("192.0.2.1:5061"), start_));
  EXPECT_FALSE(failed_.avoid(target("192.0.2.2:5060"), start_));
  EXPECT_FALSE(failed_.avoid(target("192.0.2.1:5060", Transport::tcp), start_));
}

TEST_F(FailedTargetsTest, R3263_2_retry_after_says_how_long_within_reason) {
  failed_.failed(target("192.0.2.1:5060"), start_, 120s);
  EXPECT_TRUE(failed_.avoid(target("192.0.2.1:5060"), start_ + 119s));
  EXPECT_FALSE(failed_.avoid(target("192.0.2.1:5060"), start_ + 120s));
  failed_.failed(target("192.0.2.1:5060"), start_, 24h);
  EXPECT_FALSE(failed_.avoid(target("192.0.2.1:5060"), start_ + 300s));
  failed_.failed(target("192.0.2.1:5060"), start_, 5s);
  EXPECT_FALSE(failed_.avoid(target("192.0.2.1:5060"), start_ + 5s));
}

TEST_F(FailedTargetsTest, an_answer_ends_it) {
  failed_.failed(target("192.0.2.1:5060"), start_);
  failed_.answered(target("192.0.2.1:5060"));
  EXPECT_FALSE(failed_.avoid(target("192.0.2.1:5060"), start_));
  EXPECT_EQ(failed_.count(), 0U);
}

TEST_F(FailedTargetsTest, R3263_2_failed_ones_go_behind_the_others) {
  std::vector<core::ResolvedAddress> addresses;
  for (const char* each : {"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.1:4"})
    addresses.push_back({*core::parse_address(each), "example.org", Transport::udp});
  failed_.failed(target("192.0.2.1:1"), start_);
  failed_.failed(target("192.0.2.1:3"), start_);
  failed_.order(addresses, start_);
  std::string ports;
  for (const core::ResolvedAddress& each : addresses) ports += std::to_string(each.address.port);
  EXPECT_EQ(ports, "2413");
}

TEST_F(FailedTargetsTest, when_full_the_one_that_ends_first_goes) {
  for (int i = 1; i <= 4; ++i)
    failed_.failed(target("192.0.2.1:" + std::to_string(i)), start_ + std::chrono::seconds(10 - i));
  failed_.failed(target("192.0.2.1:5"), start_ + 10s);
  EXPECT_EQ(failed_.count(), 4U);
  EXPECT_FALSE(failed_.avoid(target("192.0.2.1:4"), start_ + 10s));
  EXPECT_TRUE(failed_.avoid(target("192.0.2.1:1"), start_ + 10s));
  EXPECT_TRUE(failed_.avoid(target("192.0.2.1:5"), start_ + 10s));
  // Known ones need no room; those whose time is over make some.
  failed_.failed(target("192.0.2.1:5"), start_ + 11s);
  EXPECT_EQ(failed_.count(), 4U);
  failed_.failed(target("192.0.2.1:6"), start_ + 100s);
  EXPECT_EQ(failed_.count(), 1U);
}

}  // namespace
}  // namespace parley::sip
