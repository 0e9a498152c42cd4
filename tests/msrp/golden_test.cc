// tests/msrp/golden_test.cc - every wire page, whole, at every cut in two and byte by byte, with and without a path
// memo.
#include <gtest/gtest.h>

#include <cctype>
#include <string>
#include <vector>

#include "tests/msrp/frame_reader.h"
#include "tests/msrp/golden_page.h"

namespace parley::tests {
namespace {

using Lines = std::vector<std::string>;

Lines play(std::string_view bytes, const std::vector<std::size_t>& cuts, const msrp::PathMemo* memo,
           std::size_t* memo_hits = nullptr) {
  FrameReader reader({}, memo);
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    reader.feed(bytes.substr(from, cut - from));
    from = cut;
  }
  reader.feed(bytes.substr(from));
  if (memo_hits != nullptr) *memo_hits = reader.memo_hits();
  Lines lines = reader.finish();
  if (!reader.broken().empty()) lines.push_back("broken promise: " + reader.broken());
  return lines;
}

std::vector<std::size_t> every_byte(std::size_t size) {
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < size; ++i) cuts.push_back(i);
  return cuts;
}

void play_at_every_cut(const GoldenPage& page, const msrp::PathMemo* memo) {
  ASSERT_EQ(play(page.bytes, {}, memo), page.events);
  for (std::size_t cut = 1; cut < page.bytes.size(); ++cut) {
    ASSERT_EQ(play(page.bytes, {cut}, memo), page.events) << "cut at " << cut;
  }
  ASSERT_EQ(play(page.bytes, every_byte(page.bytes.size()), memo), page.events) << "byte by byte";
}

msrp::PathMemo memo_of(const GoldenPage& page, FrameReader& reader) {
  reader.feed(page.bytes);
  return reader.memo_of_first();
}

class Golden : public testing::TestWithParam<GoldenPage> {};

TEST_P(Golden, ReadsAsThePageSays) { play_at_every_cut(GetParam(), nullptr); }

// Pages with at least one whole head.
class GoldenMemo : public testing::TestWithParam<GoldenPage> {};

TEST_P(GoldenMemo, ReadsTheSameAndJumps) {
  const GoldenPage& page = GetParam();
  FrameReader reader;
  const msrp::PathMemo memo = memo_of(page, reader);
  play_at_every_cut(page, &memo);
  std::size_t memo_hits = 0;
  (void)play(page.bytes, {}, &memo, &memo_hits);
  EXPECT_GE(memo_hits, 1U);
}

TEST_P(GoldenMemo, ReadsTheSameWithTheMemoOfAnotherSession) {
  const GoldenPage& page = GetParam();
  FrameReader reader;
  msrp::PathMemo memo = memo_of(page, reader);
  std::string other(memo.bytes);
  other[other.size() - 3] ^= 1;  // the last byte before CRLF
  memo.bytes = other;
  play_at_every_cut(page, &memo);
  std::size_t memo_hits = 0;
  (void)play(page.bytes, {}, &memo, &memo_hits);
  EXPECT_EQ(memo_hits, 0U);
}

std::vector<GoldenPage> pages_with_heads() {
  std::vector<GoldenPage> pages = read_golden_pages(GOLDEN_FOLDER);
  std::erase_if(pages, [](const GoldenPage& page) {
    FrameReader reader;
    return memo_of(page, reader).bytes.empty();
  });
  return pages;
}

std::string page_name(const testing::TestParamInfo<GoldenPage>& page) {
  std::string name = page.param.file + "_" + page.param.sentence;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Pages, Golden, testing::ValuesIn(read_golden_pages(GOLDEN_FOLDER)), page_name);
INSTANTIATE_TEST_SUITE_P(Pages, GoldenMemo, testing::ValuesIn(pages_with_heads()), page_name);

}  // namespace
}  // namespace parley::tests
