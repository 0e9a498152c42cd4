// tools/parley-load/test/measure_test.cc - the histogram's error bound and the pattern's power to tell bodies apart.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tools/parley-load/histogram.h"
#include "tools/parley-load/options.h"
#include "tools/parley-load/pattern.h"

namespace parley::load {
namespace {

TEST(Histogram, PercentilesAreWithinTheirErrorBound) {
  Histogram h;
  for (uint64_t i = 1; i <= 100000; ++i) h.record(i * 997);
  for (const double fraction : {0.001, 0.5, 0.9, 0.99, 0.999}) {
    const double exact = fraction * 100000 * 997;
    EXPECT_GE(static_cast<double>(h.percentile_ns(fraction)), exact * 0.999);
    EXPECT_LE(static_cast<double>(h.percentile_ns(fraction)), exact * 1.017);
  }
  EXPECT_EQ(h.percentile_ns(1.0), 100000U * 997);
  EXPECT_EQ(h.max_ns(), 100000U * 997);
}

TEST(Histogram, MergingIsTheSameAsRecordingTogether) {
  Histogram a;
  Histogram b;
  Histogram both;
  for (uint64_t i = 0; i < 1000; ++i) {
    (i % 3 == 0 ? a : b).record(i * i);
    both.record(i * i);
  }
  a.merge(b);
  EXPECT_EQ(a.count(), both.count());
  for (const double fraction : {0.0, 0.25, 0.5, 0.99})
    EXPECT_EQ(a.percentile_ns(fraction), both.percentile_ns(fraction));
  Histogram huge;
  huge.record(UINT64_MAX);
  EXPECT_EQ(huge.count(), 1U);  // beyond the last bucket: counted there, not past the array
  EXPECT_EQ(huge.max_ns(), UINT64_MAX);
}

std::string body(const Pattern& pattern, uint64_t seed, size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += pattern.piece(seed, out.size(), bytes - out.size());
  return out;
}

TEST(Pattern, ABodyAgreesWithItselfFromAnyOffset) {
  for (const Content content : {Content::letters, Content::lines}) {
    const Pattern pattern(content);
    const std::string text = body(pattern, message_seed(7, 3), 400000);
    for (const size_t at : {0U, 1U, 16380U, 16381U, 131072U, 399999U})
      EXPECT_EQ(pattern.first_difference(message_seed(7, 3), at, std::string_view(text).substr(at)), text.size() - at);
  }
}

TEST(Pattern, EveryChangedByteIsSeenAndShiftedOrForeignBodiesToo) {
  const Pattern pattern(Content::lines);
  const uint64_t seed = message_seed(1, 1);
  std::string text = body(pattern, seed, 3000);
  for (size_t i = 0; i < text.size(); ++i) {
    text[i] = static_cast<char>(text[i] ^ 1);
    ASSERT_EQ(pattern.first_difference(seed, 0, text), i);
    text[i] = static_cast<char>(text[i] ^ 1);
  }
  EXPECT_LT(pattern.first_difference(seed, 1, text), 20U);
  EXPECT_LT(pattern.first_difference(message_seed(1, 2), 0, text), 20U);
  EXPECT_LT(pattern.first_difference(message_seed(2, 1), 0, text), 20U);
}

TEST(Pattern, LettersHoldNoLineEndAndLinesDo) {
  const std::string letters = body(Pattern(Content::letters), 5, 20000);
  EXPECT_EQ(letters.find_first_of("\r-"), std::string::npos);
  const std::string lines = body(Pattern(Content::lines), 5, 20000);
  EXPECT_NE(lines.find("\r\n-------foreign-end$\r\n"), std::string::npos);
}

TEST(Options, ASizeDistributionIsKept) {
  Options options;
  options.pairs = 1;
  options.direct_text = "127.0.0.1:0";
  options.sizes_text = "100:0.7,1024:0.2,10000:0.1";
  ASSERT_EQ(finish_options(options), "");
  int small = 0;
  int large = 0;
  for (uint64_t i = 0; i < 10000; ++i) {
    small += options.message_bytes(3, i) == 100;
    large += options.message_bytes(3, i) == 10000;
  }
  EXPECT_NEAR(small, 7000, 200);
  EXPECT_NEAR(large, 1000, 120);
}

}  // namespace
}  // namespace parley::load
