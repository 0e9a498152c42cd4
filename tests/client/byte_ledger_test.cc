// Which bytes of a message are there, against a plain set of them.
#include "msrp/byte_ledger.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace parley::tests {
namespace {

using msrp::ByteLedger;

TEST(ByteLedger, R4975_7_any_order_overlapping_and_twice) {
  std::mt19937 random(7);
  for (int run = 0; run < 500; ++run) {
    ByteLedger ledger;
    std::set<std::uint64_t> plain;
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t start = 1 + random() % 40;
      const std::uint64_t last = start - 1 + random() % 8;
      ASSERT_TRUE(ledger.add(start, last));
      for (std::uint64_t at = start; at <= last; ++at) plain.insert(at);
      std::uint64_t from_start = 0;
      while (plain.contains(from_start + 1)) ++from_start;
      ASSERT_EQ(ledger.from_start(), from_start);
      ASSERT_EQ(ledger.highest(), plain.empty() ? 0 : *plain.rbegin());
    }
  }
}

TEST(ByteLedger, T_64_nothing_is_all_of_an_empty_message) {
  ByteLedger ledger;
  EXPECT_TRUE(ledger.add(1, 0));
  EXPECT_TRUE(ledger.has_all(0));
  EXPECT_FALSE(ledger.has_all(1));
}

TEST(ByteLedger, too_many_gaps_are_refused_and_change_nothing) {
  ByteLedger ledger;
  for (std::uint64_t i = 0; i < ByteLedger::ranges_max; ++i) ASSERT_TRUE(ledger.add(2 + 2 * i, 2 + 2 * i));
  EXPECT_FALSE(ledger.add(1000, 1000));
  EXPECT_EQ(ledger.highest(), 2 * ByteLedger::ranges_max);
  EXPECT_TRUE(ledger.add(1, 1000));  // what closes them is welcome
  EXPECT_TRUE(ledger.has_all(1000));
}

TEST(ByteLedger, the_highest_numbers_there_are) {
  constexpr std::uint64_t top = (std::uint64_t{1} << 63) - 1;
  ByteLedger ledger;
  EXPECT_TRUE(ledger.add(top, top));
  EXPECT_TRUE(ledger.add(1, top));
  EXPECT_TRUE(ledger.has_all(top));
}

}  // namespace
}  // namespace parley::tests
