// tests/msrp/head_test.cc - HeadParser's promises that wire pages cannot show: limits, memory, resuming, reuse, memo.
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "msrp/head.h"
#include "tests/msrp/allocations.h"
#include "tests/msrp/blocks.h"

namespace parley::tests {
namespace {

using namespace parley::msrp;

constexpr std::string_view paths =
    "msrp://bob.example.com:8888/9di4eae923wzd;tcp\r\nFrom-Path: msrp://alicepc.example.com:7777/iau39soe2843z;tcp\r\n";

std::string send(std::string_view headers, std::string_view tid = "d93kswow") {
  return "MSRP " + std::string(tid) + " SEND\r\nTo-Path: " + std::string(paths) + std::string(headers);
}

const std::string whole =
    send("Message-ID: 12339sdqwer\r\nByte-Range: 1-16/16\r\nX: \xc3\xa4\tb\r\nContent-Type: text/plain\r\n\r\n");
const std::string bodiless = send("Message-ID: 12339sdqwer\r\n-------d93kswow$\r\n");

PathMemo memo_of_paths() {
  PathMemo memo;
  memo.bytes = paths;
  memo.to_path_length = static_cast<std::uint32_t>(paths.find('\r'));
  memo.from_path_length =
      static_cast<std::uint32_t>(paths.size() - memo.to_path_length - std::string_view("\r\nFrom-Path: \r\n").size());
  return memo;
}

TEST(Head, R4975_2_SpansCountFromTheFirstByte) {
  HeadParser parser;
  ASSERT_EQ(parser.parse(whole, {}, nullptr), Progress::done);
  const Head& head = parser.head();
  EXPECT_EQ(head.tid.of(whole), "d93kswow");
  EXPECT_EQ(head.method_name.of(whole), "SEND");
  EXPECT_EQ(head.to_path.of(whole), "msrp://bob.example.com:8888/9di4eae923wzd;tcp");
  EXPECT_EQ(head.from_path.of(whole), "msrp://alicepc.example.com:7777/iau39soe2843z;tcp");
  EXPECT_EQ(head.byte_range_line.of(whole), "Byte-Range: 1-16/16\r\n");
  EXPECT_EQ(head.headers.offset + head.headers.length, whole.size() - 2);
  EXPECT_EQ(head.length, whole.size());
  EXPECT_FALSE(head.expires.present());
}

TEST(Head, ReadsNothingBehindTheInput) {
  GuardedPages pages(4096);
  for (const std::string& frame : {whole, bodiless}) {
    for (std::size_t size = 0; size <= frame.size(); ++size) {
      HeadParser parser;
      EXPECT_EQ(parser.parse(pages.put(std::string_view(frame).substr(0, size)), {}, nullptr),
                size == frame.size() ? Progress::done : Progress::need_more);
      const PathMemo memo = memo_of_paths();
      parser.reset();
      EXPECT_EQ(parser.parse(pages.put(std::string_view(frame).substr(0, size)), {}, &memo),
                size == frame.size() ? Progress::done : Progress::need_more);
    }
  }
}

TEST(Head, ResumesWithoutReadingAByteTwice) {
  HeadParser parser;
  std::string bytes;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    bytes += whole[i];
    const Progress expected = i + 1 == whole.size() ? Progress::done : Progress::need_more;
    ASSERT_EQ(parser.parse(bytes, {}, nullptr), expected) << i;
    // Start line, paths and values may be looked at again (the id is compared, numbers are not): spoil what must not
    // be.
    const std::size_t x = whole.find("X: ");
    if (i >= x + 2 && i < x + 6) bytes[i] = '\0';
  }
}

TEST(Head, EmptyInputNeedsMore) {
  HeadParser parser;
  EXPECT_EQ(parser.parse({}, {}, nullptr), Progress::need_more);
  EXPECT_EQ(parser.parse(bodiless, {}, nullptr), Progress::done);
}

TEST(Head, LimitsMayBeLoweredWhileAHeadIsBeingRead) {
  const std::string_view part = std::string_view(whole).substr(0, 100);
  HeadParser parser;
  ASSERT_EQ(parser.parse(part, {}, nullptr), Progress::need_more);
  EXPECT_EQ(parser.parse(whole, {.head_bytes_max = 99}, nullptr), Progress::bad);
  EXPECT_EQ(parser.error(), HeadError::too_long);
  std::string many = "MSRP abcd SEND\r\nTo-Path: msrp://a:1/b;tcp\r\nFrom-Path: msrp://a:1/b;tcp\r\nX: a\r\nX: b\r\n";
  parser.reset();
  ASSERT_EQ(parser.parse(many, {}, nullptr), Progress::need_more);
  many += "X: c\r\n";
  EXPECT_EQ(parser.parse(many, {.headers_max = 1}, nullptr), Progress::bad);
  EXPECT_EQ(parser.error(), HeadError::too_many_headers);
}

TEST(Head, AHeadOfTheLimitIsTakenAndOneByteMoreIsNot) {
  for (const std::string& frame : {whole, bodiless}) {
    HeadParser parser;
    const auto size = static_cast<std::uint32_t>(frame.size());
    const std::string more = frame + "behind";
    EXPECT_EQ(parser.parse(more, {.head_bytes_max = size}, nullptr), Progress::done);
    parser.reset();
    EXPECT_EQ(parser.parse(more, {.head_bytes_max = size - 1}, nullptr), Progress::bad);
    EXPECT_EQ(parser.error(), HeadError::too_long);
    EXPECT_EQ(parser.error_offset(), size - 1);
    parser.reset();  // the limit holds without a byte behind it, too: a peer that sends no more must not be waited for
    EXPECT_EQ(parser.parse(std::string_view(frame).substr(0, size - 1), {.head_bytes_max = size - 1}, nullptr),
              Progress::bad);
    EXPECT_EQ(parser.error(), HeadError::too_long);
  }
}

TEST(Head, AnErrorBeforeTheLimitIsToldAsItIs) {
  HeadParser parser;
  EXPECT_EQ(parser.parse("MSRP abcd SEND\n", {.head_bytes_max = 15}, nullptr), Progress::bad);
  EXPECT_EQ(parser.error(), HeadError::start_line);
}

TEST(Head, HeadersUpToTheLimit) {
  std::string headers;
  for (int i = 0; i < 64; ++i) headers += "X-" + std::to_string(i) + ": y\r\n";
  HeadParser parser;
  const std::string full = send(headers + "-------d93kswow$\r\n");
  EXPECT_EQ(parser.parse(full, {}, nullptr), Progress::done);
  EXPECT_EQ(parser.head().header_count, 64);
  parser.reset();
  const std::string over = send(headers + "X-64: y\r\n-------d93kswow$\r\n");
  EXPECT_EQ(parser.parse(over, {}, nullptr), Progress::bad);
  EXPECT_EQ(parser.error(), HeadError::too_many_headers);
}

TEST(Head, MoreChallengesThanPlacesStayInTheHeaders) {
  std::string headers;
  for (int i = 0; i < 6; ++i) headers += "WWW-Authenticate: Digest realm=\"" + std::to_string(i) + "\"\r\n";
  const std::string frame = send(headers + "-------d93kswow$\r\n");
  HeadParser parser;
  ASSERT_EQ(parser.parse(frame, {}, nullptr), Progress::done);
  EXPECT_EQ(parser.head().www_authenticate_count, Head::www_authenticate_max);
  EXPECT_EQ(parser.head().www_authenticate[3].of(frame), "Digest realm=\"3\"");
  EXPECT_EQ(parser.head().headers.of(frame), headers);
}

TEST(Head, StaysDoneAndStaysBadUntilReset) {
  HeadParser parser;
  ASSERT_EQ(parser.parse(bodiless, {}, nullptr), Progress::done);
  EXPECT_EQ(parser.parse(bodiless + bodiless, {}, nullptr), Progress::done);
  EXPECT_EQ(parser.head().length, bodiless.size());
  parser.reset();
  ASSERT_EQ(parser.parse("x", {}, nullptr), Progress::bad);
  EXPECT_EQ(parser.parse(bodiless, {}, nullptr), Progress::bad);
  parser.reset();
  EXPECT_EQ(parser.parse(bodiless, {}, nullptr), Progress::done);
}

TEST(Head, NothingOfOneFrameIsSeenInTheNext) {
  HeadParser used;
  ASSERT_EQ(
      used.parse(
          send("Message-ID: 1\r\nByte-Range: 5-6/7\r\nSuccess-Report: yes\r\nFailure-Report: no\r\nContent-ID: a\r\n"
               "Content-Type: a/b\r\n\r\n"),
          {}, nullptr),
      Progress::done);
  used.reset();
  ASSERT_EQ(used.parse(bodiless, {}, nullptr), Progress::done);
  EXPECT_FALSE(used.head().has_range);
  EXPECT_EQ(used.head().range.start, 1U);
  EXPECT_EQ(used.head().range.total, ByteRange::unknown);
  EXPECT_FALSE(used.head().success);
  EXPECT_EQ(used.head().failure, FailureReport::yes);
  EXPECT_FALSE(used.head().content_type.present());
  EXPECT_FALSE(used.head().has_body);
  EXPECT_EQ(used.head().header_count, 1);
}

TEST(Head, ACopyGoesOnWhereTheOriginalStood) {
  HeadParser parser;
  ASSERT_EQ(parser.parse(std::string_view(whole).substr(0, 100), {}, nullptr), Progress::need_more);
  HeadParser copy = parser;
  EXPECT_EQ(copy.parse(whole, {}, nullptr), Progress::done);
}

TEST(Head, TheMemoJumpsAndGivesTheSameHead) {
  const PathMemo memo = memo_of_paths();
  HeadParser with;
  HeadParser without;
  ASSERT_EQ(with.parse(whole, {}, &memo), Progress::done);
  ASSERT_EQ(without.parse(whole, {}, nullptr), Progress::done);
  EXPECT_TRUE(with.head().paths_from_memo);
  EXPECT_FALSE(without.head().paths_from_memo);
  EXPECT_EQ(with.head().to_path.of(whole), without.head().to_path.of(whole));
  EXPECT_EQ(with.head().from_path.of(whole), without.head().from_path.of(whole));
  EXPECT_EQ(with.head().headers.of(whole), without.head().headers.of(whole));
}

TEST(Head, AMemoThatIsAPrefixOfTheRealPathDoesNotMatch) {
  const PathMemo memo = memo_of_paths();
  const std::string longer =
      "MSRP abcd SEND\r\nTo-Path: " + std::string(paths.substr(0, paths.size() - 2)) + ";x=y\r\n-------abcd$\r\n";
  HeadParser parser;
  ASSERT_EQ(parser.parse(longer, {}, &memo), Progress::done);
  EXPECT_FALSE(parser.head().paths_from_memo);
  EXPECT_TRUE(parser.head().from_path.of(longer).ends_with(";x=y"));
}

TEST(Head, TheMemoDoesNotJumpOverTheLimit) {
  const PathMemo memo = memo_of_paths();
  HeadParser parser;
  EXPECT_EQ(parser.parse(whole, {.head_bytes_max = 60}, &memo), Progress::bad);
  EXPECT_EQ(parser.error(), HeadError::too_long);
  EXPECT_EQ(parser.error_offset(), 60U);
}

TEST(Head, T66_EveryLengthOfTransactionId) {
  for (std::size_t length = 1; length <= 40; ++length) {
    const std::string tid(length, 'a');
    HeadParser parser;
    const Progress progress = parser.parse(send("-------" + tid + "$\r\n", tid), {}, nullptr);
    if (length >= 4 && length <= 32) {
      EXPECT_EQ(progress, Progress::done) << length;
    } else {
      EXPECT_EQ(progress, Progress::bad) << length;
      EXPECT_EQ(parser.error(), HeadError::tid_length) << length;
    }
  }
}

TEST(Head, AnyByteInAnyPlaceOfAHeadGetsAnAnswer) {
  HeadParser parser;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    for (int byte = 0; byte < 256; ++byte) {
      damaged[at] = static_cast<char>(byte);
      parser.reset();
      if (parser.parse(damaged, {}, nullptr) == Progress::bad) {
        EXPECT_NE(parser.error(), HeadError::none);
        EXPECT_LT(parser.error_offset(), damaged.size());
      }
    }
  }
}

TEST(Head, AllocatesNothing) {
  const PathMemo memo = memo_of_paths();
  const std::size_t before = allocations;
  HeadParser parser;
  const bool done = parser.parse(whole, {}, nullptr) == Progress::done;
  parser.reset();
  const bool done_again = parser.parse(whole, {}, &memo) == Progress::done;
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(done && done_again);
  ::operator delete(::operator new(1));
  EXPECT_EQ(allocations, before + 1) << "the counter itself";
}

TEST(Head, EveryErrorHasItsOwnName) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(HeadError::too_many_headers); ++i)
    names.insert(to_string(static_cast<HeadError>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(HeadError::too_many_headers) + 1);
}

}  // namespace
}  // namespace parley::tests
