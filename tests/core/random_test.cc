// tests/core/random_test.cc - the generator replays by seed, is ChaCha20, and is even.
#include "core/random.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <vector>

#include "core/entropy.h"

namespace parley::core {
namespace {

Seed seed_of(std::uint8_t first) {
  Seed seed{};
  seed[0] = first;
  return seed;
}

TEST(Random, the_same_seed_gives_the_same_numbers_and_another_seed_others) {
  Random a(seed_of(1));
  Random b(seed_of(1));
  Random c(seed_of(2));
  bool differs = false;
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t value = a.next();
    EXPECT_EQ(value, b.next());
    differs = differs || value != c.next();
  }
  EXPECT_TRUE(differs);
}

// RFC 8439 A.1 test vector 1 is the keystream of the zero key and nonce: bytes 32.. are the first numbers, because the
// first 32 become the next key.
TEST(Random, numbers_are_the_chacha20_keystream_after_the_next_key) {
  constexpr std::array<std::uint8_t, 32> expected = {0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48, 0x8d, 0x77, 0x24, 0xe0,
                                                     0x3f, 0xb8, 0xd8, 0x4a, 0x37, 0x6a, 0x43, 0xb8, 0xf4, 0x15, 0x18,
                                                     0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86};
  Random random(Seed{});
  std::array<std::uint8_t, 32> got{};
  random.fill(got);
  EXPECT_EQ(got, expected);
}

TEST(Random, no_number_repeats_across_refills) {
  Random random(seed_of(3));
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 20000; ++i) EXPECT_TRUE(seen.insert(random.next()).second);
}

TEST(Random, fill_takes_any_length) {
  Random whole(seed_of(4));
  Random pieces(seed_of(4));
  std::vector<std::uint8_t> a(10000);
  std::vector<std::uint8_t> b(10000);
  whole.fill(a);
  std::size_t at = 0;
  for (std::size_t size = 0; at < b.size(); ++size) {
    const std::size_t count = std::min(size, b.size() - at);
    pieces.fill(std::span(b).subspan(at, count));
    at += count;
  }
  EXPECT_EQ(a, b);
}

TEST(Random, uniform_reaches_every_value_about_equally) {
  Random random(seed_of(5));
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[random.uniform(7)];
  for (const int count : counts) {
    EXPECT_GT(count, 9500);
    EXPECT_LT(count, 10500);
  }
  for (int i = 0; i < 100; ++i) EXPECT_EQ(random.uniform(1), 0U);
}

// With n = 3 * 2^62 plain `next() % n` would give values below 2^62 half of the time.
TEST(Random, uniform_is_unbiased_for_large_ranges) {
  Random random(seed_of(6));
  constexpr std::uint64_t n = 3ULL << 62;
  int low = 0;
  for (int i = 0; i < 30000; ++i) low += random.uniform(n) < (1ULL << 62) ? 1 : 0;
  EXPECT_GT(low, 9500);
  EXPECT_LT(low, 10500);
}

TEST(Random, a_fork_is_a_generator_of_its_own) {
  Random parent(seed_of(7));
  Random child(parent.fork());
  EXPECT_NE(parent.next(), child.next());
}

TEST(Entropy, two_system_seeds_differ) { EXPECT_NE(system_seed(), system_seed()); }

}  // namespace
}  // namespace parley::core
