// tests/core/units_test.cc - durations and sizes: what is read, what is refused, and printing that reads back.
#include "core/units.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/random.h"

namespace parley::core {
namespace {

TEST(Units, durations) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("30s"), 30s);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("1h"), 1h);
  EXPECT_EQ(parse_duration("7d"), 168h);
  EXPECT_EQ(parse_duration("0"), 0ms);
  EXPECT_EQ(parse_duration("0s"), 0ms);
  for (const char* text : {"", "30", "s", "-1s", "+1s", " 1s", "1 s", "1s ", "1S", "1.5s", "1e3s", "0x10s", "1sec",
                           "1us", "9223372036855ms", "106752d", "18446744073709551616ms", "1s1s"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
  EXPECT_TRUE(parse_duration("9223372036854ms"));
}

TEST(Units, sizes) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("64KiB"), 65536U);
  EXPECT_EQ(parse_size("1MiB"), 1048576U);
  EXPECT_EQ(parse_size("1GB"), 1000000000U);
  EXPECT_EQ(parse_size("2GiB"), 2147483648U);
  EXPECT_EQ(parse_size("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(parse_size("16777215TiB"), 16777215ULL << 40);
  for (const char* text : {"", "KiB", "-1", "+1", "1k", "1K", "1kib", "1 KiB", "1KiB ", "1.5MiB", "0x40", "1MiBs",
                           "16777216TiB", "18446744073709551616"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(Units, print_in_the_largest_whole_unit) {
  EXPECT_EQ(duration_to_string(500ms), "500ms");
  EXPECT_EQ(duration_to_string(1500ms), "1500ms");
  EXPECT_EQ(duration_to_string(90s), "90s");
  EXPECT_EQ(duration_to_string(2h), "2h");
  EXPECT_EQ(duration_to_string(0s), "0");
  EXPECT_EQ(size_to_string(65536), "64KiB");
  EXPECT_EQ(size_to_string(1000000), "1MB");
  EXPECT_EQ(size_to_string(1001), "1001B");
  EXPECT_EQ(size_to_string(0), "0");
}

TEST(Units, what_is_printed_reads_back) {
  Random random(Seed{});
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t bytes = random.next() >> random.uniform(64);
    EXPECT_EQ(parse_size(size_to_string(bytes)), bytes);
    const auto ms = std::chrono::milliseconds(random.next() >> (21 + random.uniform(43)));
    EXPECT_EQ(parse_duration(duration_to_string(ms)), Duration(ms));
  }
}

}  // namespace
}  // namespace parley::core
