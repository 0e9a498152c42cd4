// tests/msrp/body_scan_test.cc - the end-line search against plain searching, at every cut and over every alignment.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "msrp/body_scan.h"
#include "tests/msrp/allocations.h"
#include "tests/msrp/blocks.h"

namespace parley::tests {
namespace {

using namespace parley::msrp;

struct Outcome {
  std::string body;
  bool ended = false;
  char flag = 0;
  std::size_t consumed = 0;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << "body of " << outcome.body.size() << ", ended " << outcome.ended << ", flag " << outcome.flag
             << ", consumed " << outcome.consumed;
}

// By std::string::find: what RFC 4975 section 7.1 says in one sentence.
Outcome plain(const std::string& bytes, const std::string& tid) {
  Outcome best;
  std::size_t first = std::string::npos;
  for (const char flag : {'+', '$', '#'}) {
    const std::string end_line = "\r\n-------" + tid + flag + "\r\n";
    const std::size_t at = bytes.find(end_line);
    if (at >= first) continue;
    first = at;
    best = {.body = bytes.substr(0, at), .ended = true, .flag = flag, .consumed = at + end_line.size()};
  }
  return best;
}

Outcome scan(const std::string& bytes, const std::string& tid, const std::vector<std::size_t>& cuts) {
  BodyScan scan;
  scan.start(tid);
  Outcome outcome;
  for (std::size_t i = 0; i <= cuts.size() && !outcome.ended; ++i) {
    const std::size_t from = i == 0 ? 0 : cuts[i - 1];
    const std::size_t to = i == cuts.size() ? bytes.size() : cuts[i];
    const ExactBlock block(std::string_view(bytes).substr(from, to - from));
    const BodyScan::Result result = scan.feed(block.view());
    outcome.body += scan.released_bytes(result);
    outcome.body += block.view().substr(0, result.body);
    outcome.consumed += result.consumed;
    outcome.ended = result.ended;
    if (result.ended) outcome.flag = static_cast<char>(result.flag);
    EXPECT_TRUE(result.ended || result.consumed == block.view().size());
  }
  return outcome;
}

std::vector<std::size_t> every_byte(const std::string& bytes) {
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < bytes.size(); ++i) cuts.push_back(i);
  return cuts;
}

TEST(BodyScan, R4975_3_EveryCutInTwoAndThree) {
  const std::string tid = "abcd";
  const std::string bytes =
      "a\r\n-------abcd$\r\r\n-------abce$\r\n\r\n-------abcd-\r\n-------abcd$x\r\n-------abcd#\r\nnext";
  const Outcome expected = plain(bytes, tid);
  ASSERT_EQ(expected.flag, '#');
  ASSERT_EQ(scan(bytes, tid, {}), expected);
  for (std::size_t a = 0; a <= bytes.size(); ++a) {
    for (std::size_t b = a; b <= bytes.size(); ++b) ASSERT_EQ(scan(bytes, tid, {a, b}), expected) << a << ' ' << b;
  }
  EXPECT_EQ(scan(bytes, tid, every_byte(bytes)), expected);
}

TEST(BodyScan, R4975_3_HoldsBackOnlyAPrefixOfTheEndLine) {
  const std::string tid(32, 'x');
  const std::string end_line = "\r\n-------" + tid + "$\r\n";
  ASSERT_EQ(end_line.size() - 1, BodyScan::held_bytes_max);
  for (std::size_t held = 0; held < end_line.size(); ++held) {
    BodyScan scan;
    scan.start(tid);
    const std::string first = "body" + end_line.substr(0, held);
    BodyScan::Result result = scan.feed(first);
    EXPECT_EQ(result.body, 4U) << held;
    EXPECT_EQ(result.consumed, first.size());
    EXPECT_EQ(result.released, 0U);
    result = scan.feed("!");
    EXPECT_EQ(scan.released_bytes(result), end_line.substr(0, held));
    EXPECT_EQ(result.body, 1U);
    result = scan.feed(end_line);
    EXPECT_TRUE(result.ended);
    EXPECT_EQ(result.body, 0U);
    EXPECT_EQ(result.released, 0U);
  }
}

TEST(BodyScan, R4975_3_AFailedEndLineEndsWithTheStartOfTheNext) {
  for (const char* end_line :
       {"\r\n-------tid0$\r\r\n-------tid0$\r\n", "\r\r\n-------tid0$\r\n", "\r\n\r\n-------tid0$\r\n",
        "\r\n-------tid0\r\n-------tid0$\r\n", "\r\n---\r\n-------tid0$\r\n", "\r\n-\r\r\n-------tid0+\r\n"}) {
    const std::string bytes = end_line;
    const Outcome expected = plain(bytes, "tid0");
    ASSERT_TRUE(expected.ended);
    EXPECT_EQ(scan(bytes, "tid0", {}), expected);
    EXPECT_EQ(scan(bytes, "tid0", every_byte(bytes)), expected);
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) EXPECT_EQ(scan(bytes, "tid0", {cut}), expected) << cut;
  }
}

TEST(BodyScan, T65_AFlagThatIsPartOfTheIdIsNotTheFlag) {
  const std::string bytes = "\r\n-------abc+\r\n-------abc++\r\n";
  EXPECT_EQ(scan(bytes, "abc+", {}), plain(bytes, "abc+"));
  EXPECT_EQ(scan(bytes, "abc+", every_byte(bytes)).flag, '+');
}

TEST(BodyScan, T65_RandomLookAlikesInRandomPieces) {
  std::mt19937_64 random(4975);
  static const std::vector<std::string> splinters{"\r",
                                                  "\n",
                                                  "\r\n",
                                                  "-",
                                                  "-------",
                                                  "\r\n-------",
                                                  "tid0",
                                                  "$",
                                                  "+",
                                                  "#",
                                                  "\r\n-------tid0",
                                                  "\r\n-------tid0$",
                                                  "\r\n-------tid0$\r",
                                                  "tid01",
                                                  "x",
                                                  std::string(70, 'y'),
                                                  std::string(33, '\r')};
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (auto n = random() % 12; n > 0; --n) bytes += splinters[random() % splinters.size()];
    bytes += "\r\n-------tid0+\r\nnext";
    std::vector<std::size_t> cuts;
    for (std::size_t at = random() % 9; at < bytes.size(); at += random() % (round % 3 == 0 ? 60 : 6))
      cuts.push_back(at);
    const Outcome expected = plain(bytes, "tid0");
    ASSERT_EQ(scan(bytes, "tid0", cuts), expected);
    ASSERT_EQ(scan(bytes, "tid0", {}), expected);
  }
}

TEST(BodyScan, StartsAgainAfterAnEnd) {
  BodyScan scan;
  for (const char* tid : {"abcd", "abcdefgh", "wxyz"}) {
    scan.start(tid);
    const std::string bytes = "x\r\n-------" + std::string(tid) + "$\r\n";
    EXPECT_TRUE(scan.feed(bytes).ended);
  }
  scan.start("abcd");
  (void)scan.feed("\r\n---");  // given up in the middle
  scan.start("wxyz");
  const BodyScan::Result result = scan.feed("----wxyz$\r\n");
  EXPECT_FALSE(result.ended);
  EXPECT_EQ(result.released, 0U);
}

TEST(BodyScan, AnEmptyPieceChangesNothing) {
  BodyScan scan;
  scan.start("abcd");
  (void)scan.feed("a\r\n-------ab");
  EXPECT_EQ(scan.feed({}).consumed, 0U);
  EXPECT_TRUE(scan.feed("cd#\r\n").ended);
}

using Find = std::size_t (*)(std::string_view, std::size_t);

class FindCrlfDash : public testing::TestWithParam<Find> {};

TEST_P(FindCrlfDash, FindsItAtEveryOffsetOfEverySize) {
  GuardedPages pages(4096);
  for (std::size_t size = 0; size <= 300; ++size) {
    const std::string_view empty = pages.put(std::string(size, 'x'));
    ASSERT_EQ(GetParam()(empty, 0), size);
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, '\r');  // each of the three alone everywhere: CR, then LF, then '-'
      for (std::size_t i = 0; i < size; ++i) text[i] = i % 3 == 0 ? '-' : i % 3 == 1 ? '\n' : 'x';
      const std::string mark = std::string("\r\n-").substr(0, std::min<std::size_t>(3, size - at));
      text.replace(at, mark.size(), mark);
      const std::string_view view = pages.put(text);
      ASSERT_EQ(GetParam()(view, 0), at) << size;
      ASSERT_EQ(GetParam()(view, at), at) << size;
      ASSERT_EQ(GetParam()(view, at + 1), size) << size << ' ' << at;
    }
  }
}

TEST_P(FindCrlfDash, AgreesWithTheScalarTwinOnDenseText) {
  std::mt19937_64 random(1);
  GuardedPages pages(4096);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 400, 'x');
    const auto density = 1 + random() % 40;
    for (char& c : text) {
      if (random() % density == 0) c = "\r\n-\r\n-x"[random() % 7];
    }
    const std::string_view view = pages.put(text);
    for (std::size_t at = 0; at < view.size();) {
      const std::size_t found = GetParam()(view, at);
      ASSERT_EQ(found, find_crlf_dash_scalar(view, at));
      at = found + 1;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, FindCrlfDash,
                         testing::Values(&find_crlf_dash, &find_crlf_dash_scalar, &find_crlf_dash_sse2));

TEST(BodyScan, AllocatesNothing) {
  const std::size_t before = allocations;
  BodyScan scan;
  scan.start("abcd");
  const BodyScan::Result first = scan.feed("body\r\n-------abcd$\r");
  const BodyScan::Result second = scan.feed("x\r\n-------abcd$\r\n");
  const bool as_expected = first.body == 4 && second.released == 15 && second.ended;
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(as_expected);
}

}  // namespace
}  // namespace parley::tests
