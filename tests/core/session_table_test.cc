// tests/core/session_table_test.cc - what the table promises one thread: finds, refuses, fills, forgets.
#include "core/session_table.h"

#include <gtest/gtest.h>

#include <unordered_map>
#include <vector>

#include "core/random.h"

namespace parley::core {
namespace {

using Insert = SessionTable::Insert;

Place place_of(std::uint64_t number) {
  return {static_cast<std::uint16_t>(number >> 3), static_cast<std::uint32_t>(number * 0x9e3779b1U),
          static_cast<std::uint32_t>(number) | 1};
}

TEST(SessionTable, finds_what_was_inserted_with_every_bit_of_its_place) {
  SessionTable table(1000, 1);
  const Place places[] = {{0, 0, 0}, {0xffff, 0xffffffff, 0xffffffff}, {1, 2, 3}, {0x8000, 0x80000000, 0x80000001}};
  const std::uint64_t keys[] = {1, 2, ~0ULL, 1ULL << 63};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(table.lookup(keys[i]), std::nullopt);
    EXPECT_EQ(table.insert(keys[i], places[i]), Insert::done);
  }
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(table.lookup(keys[i]), places[i]);
  EXPECT_EQ(table.count(), 4U);
}

TEST(SessionTable, who_erases_by_place_takes_only_his_own) {
  SessionTable table(10, 1);
  EXPECT_EQ(table.insert(5, place_of(1)), Insert::done);
  EXPECT_FALSE(table.erase(5, place_of(2)));
  EXPECT_FALSE(table.erase(6, place_of(1)));
  EXPECT_FALSE(table.erase(0, place_of(1)));
  EXPECT_EQ(table.lookup(5), place_of(1));
  EXPECT_TRUE(table.erase(5, place_of(1)));
  EXPECT_FALSE(table.erase(5, place_of(1)));
  EXPECT_EQ(table.insert(5, place_of(2)), Insert::done);
  EXPECT_EQ(table.lookup(5), place_of(2));
}

TEST(SessionTable, an_existing_key_keeps_its_place) {
  SessionTable table(10, 1);
  EXPECT_EQ(table.insert(5, place_of(1)), Insert::done);
  EXPECT_EQ(table.insert(5, place_of(2)), Insert::exists);
  EXPECT_EQ(table.lookup(5), place_of(1));
  EXPECT_TRUE(table.erase(5));
  EXPECT_FALSE(table.erase(5));
  EXPECT_EQ(table.lookup(5), std::nullopt);
  EXPECT_EQ(table.insert(5, place_of(2)), Insert::done);
  EXPECT_EQ(table.lookup(5), place_of(2));
}

TEST(SessionTable, key_0_is_never_there) {
  SessionTable table(10, 1);
  EXPECT_EQ(table.lookup(0), std::nullopt);
  EXPECT_FALSE(table.erase(0));
}

TEST(SessionTable, holds_its_capacity_whatever_the_keys) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    SessionTable table(65536, seed * 0x1234567);
    for (std::uint64_t i = 1; i <= 65536; ++i) {
      // Counting keys, keys that differ in the high bits only, multiples.
      const std::uint64_t key = seed % 4 == 0 ? i : seed % 4 == 1 ? i << 47 : seed % 4 == 2 ? i * 4096 : i * i + seed;
      ASSERT_EQ(table.insert(key, place_of(i)), Insert::done) << seed << ' ' << i;
    }
    EXPECT_EQ(table.count(), 65536U);
  }
}

TEST(SessionTable, a_full_table_refuses_without_harm_and_takes_keys_again_after_an_erase) {
  SessionTable table(2, 9);  // 4 buckets, 20 entries
  std::vector<std::uint64_t> held;
  std::uint64_t refused = 0;
  for (std::uint64_t key = 1; key <= 200; ++key) {
    const Insert answer = table.insert(key, place_of(key));
    if (answer == Insert::done) held.push_back(key);
    if (answer != Insert::full) continue;
    refused = key;
    EXPECT_EQ(table.lookup(key), std::nullopt);
  }
  EXPECT_LE(held.size(), 20U);
  EXPECT_GE(held.size(), 18U);
  ASSERT_NE(refused, 0U);
  EXPECT_EQ(table.count(), held.size());
  for (const std::uint64_t key : held) EXPECT_EQ(table.lookup(key), place_of(key));
  for (const std::uint64_t key : held) EXPECT_TRUE(table.erase(key));
  EXPECT_EQ(table.count(), 0U);
  EXPECT_EQ(table.insert(refused, place_of(1)), Insert::done);
}

TEST(SessionTable, agrees_with_a_map_over_random_operations) {
  Random random(Seed{3});
  SessionTable table(500, random.next());
  std::unordered_map<std::uint64_t, std::uint64_t> model;
  for (std::uint64_t i = 1; i <= 200'000; ++i) {
    const std::uint64_t key = 1 + random.uniform(800);
    switch (random.uniform(3)) {
      case 0: {
        const Insert answer = table.insert(key, place_of(i));
        ASSERT_NE(answer, Insert::full);
        ASSERT_EQ(answer == Insert::done, model.emplace(key, i).second);
        break;
      }
      case 1: ASSERT_EQ(table.erase(key), model.erase(key) == 1); break;
      default: {
        const auto known = model.find(key);
        const std::optional<Place> found = table.lookup(key);
        ASSERT_EQ(found.has_value(), known != model.end());
        if (found) {
          ASSERT_EQ(*found, place_of(known->second));
        }
      }
    }
  }
  EXPECT_EQ(table.count(), model.size());
}

}  // namespace
}  // namespace parley::core
