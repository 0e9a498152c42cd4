// tests/core/resolve_plan_test.cc - lots by weight (RFC 2782), and records in DNS messages.
#include "core/resolve_plan.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/dns_records.h"

namespace parley::core {
namespace {

ResolveTarget target(const std::string& name, std::uint16_t priority, std::uint16_t weight, std::uint16_t service = 0) {
  return {.name = name, .service = service, .priority = priority, .weight = weight};
}

std::string names(std::vector<ResolveTarget> targets, Random& random) {
  draw_order(targets, random);
  std::string text;
  for (const ResolveTarget& each : targets) text += each.name;
  return text;
}

TEST(ResolvePlan, R3263_2_service_goes_before_priority_goes_before_weight) {
  Random random(Seed{1});
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(names({target("d", 1, 60000, 1), target("c", 9, 60000), target("a", 1, 0), target("b", 2, 1)}, random),
              "abcd");
}

TEST(ResolvePlan, R3263_2_weights_are_shares) {
  Random random(Seed{2});
  std::map<std::string, int> orders;
  constexpr int rounds = 20'000;
  for (int i = 0; i < rounds; ++i)
    ++orders[names({target("a", 1, 600), target("b", 1, 300), target("c", 1, 100)}, random)];
  const auto share = [&](const std::string& first) {
    double sum = 0;
    for (const auto& [order, count] : orders) sum += order.starts_with(first) ? count : 0;
    return sum / rounds;
  };
  EXPECT_NEAR(share("a"), 0.6, 0.02);
  EXPECT_NEAR(share("b"), 0.3, 0.02);
  EXPECT_NEAR(share("c"), 0.1, 0.02);
  EXPECT_NEAR(share("ab"), 0.6 * 3 / 4, 0.02);
}

TEST(ResolvePlan, R3263_2_weight_zero_comes_last_but_not_never) {
  Random random(Seed{3});
  std::map<std::string, int> orders;
  for (int i = 0; i < 20'000; ++i) ++orders[names({target("a", 1, 9), target("z", 1, 0)}, random)];
  EXPECT_NEAR(orders["za"], 2'000, 200);  // RFC 2782: a number from 0 to 9 is drawn, the 0 is its own
  std::map<std::string, int> zeros;
  for (int i = 0; i < 2'000; ++i) ++zeros[names({target("a", 1, 0), target("b", 1, 0)}, random)];
  EXPECT_NEAR(zeros["ab"], 1'000, 150);
}

TEST(ResolvePlan, the_largest_weights_do_not_overflow) {
  Random random(Seed{4});
  std::vector<ResolveTarget> many(1000, target("a", 1, 65535));
  draw_order(many, random);
  EXPECT_EQ(many.size(), 1000U);
}

// Header, one question "a.b" SRV, then one answer.
std::string message(const std::string& answer, char answers = 1) {
  return std::string("\0\1\x85\x80\0\1\0", 7) + answers + std::string("\0\0\0\0", 4) +
         std::string("\1a\1b\0\0\x21\0\1", 9) + answer;
}
std::string srv_record(const std::string& ttl, const std::string& target_name = std::string("\1t\0", 3)) {
  const std::string data = std::string("\0\1\0\2\x13\xc4", 6) + target_name;
  return std::string("\xc0\x0c\0\x21\0\1", 6) + ttl + '\0' + static_cast<char>(data.size()) + data;
}
std::span<const unsigned char> bytes_of(const std::string& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

TEST(DnsRecords, the_least_time_to_live) {
  EXPECT_EQ(least_ttl_s(bytes_of(message(srv_record({"\0\0\1\0", 4})))), 256U);
  EXPECT_EQ(least_ttl_s(bytes_of(message(srv_record({"\0\0\1\0", 4}) + srv_record({"\0\0\0\7", 4}), 2))), 7U);
  EXPECT_EQ(least_ttl_s(bytes_of(message(srv_record({"\xff\xff\xff\xff", 4})))), 0xffffffffU);
  EXPECT_EQ(least_ttl_s(bytes_of(message("", 0))), std::nullopt);
}

TEST(DnsRecords, broken_messages_have_none) {
  const std::string whole = message(srv_record({"\0\0\1\0", 4}));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    (void)least_ttl_s(bytes_of(cut));
    EXPECT_TRUE(srv_records(bytes_of(cut)).targets.empty());
    EXPECT_TRUE(naptr_records(bytes_of(cut)).empty());
  }
  EXPECT_EQ(least_ttl_s(bytes_of(whole.substr(0, 20))), std::nullopt);
  EXPECT_EQ(least_ttl_s(bytes_of(message(std::string(40, '\x80')))), std::nullopt);
  ASSERT_EQ(srv_records(bytes_of(whole)).targets.size(), 1U);
  EXPECT_EQ(srv_records(bytes_of(whole)).targets[0].port, 5060);
  EXPECT_TRUE(srv_records(bytes_of(message(srv_record({"\0\0\1\0", 4}, std::string("\0", 1))))).refused);
}

}  // namespace
}  // namespace parley::core
