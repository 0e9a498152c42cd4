// tests/service/call_name_test.cc - names of calls in tags and Contacts. R3261-5.
#include "policy/call_name.h"

#include <gtest/gtest.h>

namespace parley::policy {
namespace {

const core::HashKey key{.low = 1, .high = 2};

TEST(CallName, R3261_5_SaysWhichShardsWhichCallItIs) {
  core::Random random(core::Seed{3});
  const CallName name{.shard = 513, .call = {70'000, 5}};
  const std::string text = make_call_name(name, key, random);
  EXPECT_EQ(text.size(), call_name_chars);
  const auto read = read_call_name(text, key);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->shard, 513);
  EXPECT_EQ(read->call, (core::SlotId{70'000, 5}));
  EXPECT_NE(make_call_name(name, key, random), text) << "one for each dialog";
}

TEST(CallName, R3261_5_OfOthersAndWithAChangeAnywhereItIsNone) {
  core::Random random(core::Seed{3});
  const std::string text = make_call_name({.shard = 1, .call = {7, 5}}, key, random);
  EXPECT_FALSE(read_call_name(text, core::HashKey{.low = 1, .high = 3}).has_value());
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : {'a', 'p', 'q', 'A', ' '}) {
      std::string other = text;
      if (other[i] == c) continue;
      other[i] = c;
      EXPECT_FALSE(read_call_name(other, key).has_value()) << other;
    }
  }
  for (const char* other : {"", "a", "0123456789abcdef"}) EXPECT_FALSE(read_call_name(other, key).has_value());
  EXPECT_FALSE(read_call_name(text + "a", key).has_value());
}

}  // namespace
}  // namespace parley::policy
