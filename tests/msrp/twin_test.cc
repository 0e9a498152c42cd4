// tests/msrp/twin_test.cc - the head parser and the slow reader agree on generated and damaged heads.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "msrp/head.h"
#include "msrp/uri.h"
#include "tests/msrp/blocks.h"
#include "tests/msrp/frame_reader.h"
#include "tests/msrp/head_source.h"
#include "tests/msrp/slow_head.h"

namespace parley::tests {
namespace {

using namespace parley::msrp;

constexpr std::size_t heads = 100'000;
constexpr std::size_t head_bytes_max = 500;  // some of the heads are longer
constexpr std::size_t headers_max = 8;

// The parser's outcome over pieces of random size, each time with all bytes in a fresh block.
Progress parse_in_pieces(HeadParser& parser, const std::string& bytes, HeadSource& source) {
  const HeadLimits limits{.head_bytes_max = head_bytes_max, .headers_max = headers_max};
  parser.reset();
  Progress progress = Progress::need_more;
  for (std::size_t size = source.one_in(2) ? bytes.size() : 0; progress == Progress::need_more;) {
    const ExactBlock block(std::string_view(bytes).substr(0, size));
    progress = parser.parse(block.view(), limits, nullptr);
    if (size == bytes.size()) break;
    size = std::min(bytes.size(), size + 1 + source.below(60));
  }
  return progress;
}

std::string only(const SlowHead& slow, const std::string& name) {
  const auto found = slow.values.find(name);
  return found == slow.values.end() ? "" : found->second.front();
}

void expect_same_fields(const Head& head, const std::string& bytes, const SlowHead& slow) {
  EXPECT_EQ(head.length, slow.length);
  EXPECT_EQ(head.tid.of(bytes), slow.tid);
  EXPECT_EQ(head.method == Method::response, slow.response);
  EXPECT_EQ(head.status, slow.status);
  EXPECT_EQ(head.method_name.of(bytes), slow.method);
  EXPECT_EQ(head.method == Method::send, slow.method == "SEND");
  EXPECT_EQ(head.method == Method::report, slow.method == "REPORT");
  EXPECT_EQ(head.method == Method::auth, slow.method == "AUTH");
  EXPECT_EQ(head.method == Method::nickname, slow.method == "NICKNAME");
  EXPECT_EQ(head.comment.of(bytes), slow.comment);
  EXPECT_EQ(head.to_path.of(bytes), slow.to_path);
  EXPECT_EQ(head.from_path.of(bytes), slow.from_path);
  EXPECT_EQ(head.headers.of(bytes), slow.headers);
  EXPECT_EQ(head.message_id.of(bytes), only(slow, "message-id"));
  EXPECT_EQ(head.byte_range.of(bytes), only(slow, "byte-range"));
  EXPECT_EQ(head.has_range, slow.values.count("byte-range") != 0);
  EXPECT_EQ(head.byte_range_line.of(bytes), slow.range_line);
  EXPECT_EQ(head.range.start, slow.range[0]);
  EXPECT_EQ(head.range.end, slow.range[1]);
  EXPECT_EQ(head.range.total, slow.range[2]);
  EXPECT_EQ(head.success_report.of(bytes), only(slow, "success-report"));
  EXPECT_EQ(head.failure_report.of(bytes), only(slow, "failure-report"));
  EXPECT_EQ(head.report_status.of(bytes), only(slow, "status"));
  EXPECT_EQ(head.content_type.of(bytes), only(slow, "content-type"));
  EXPECT_EQ(head.expires.of(bytes), only(slow, "expires"));
  EXPECT_EQ(head.min_expires.of(bytes), only(slow, "min-expires"));
  EXPECT_EQ(head.max_expires.of(bytes), only(slow, "max-expires"));
  EXPECT_EQ(head.use_path.of(bytes), only(slow, "use-path"));
  EXPECT_EQ(head.authorization.of(bytes), only(slow, "authorization"));
  EXPECT_EQ(head.authentication_info.of(bytes), only(slow, "authentication-info"));
  EXPECT_EQ(head.use_nickname.of(bytes), only(slow, "use-nickname"));
  EXPECT_EQ(head.success, equal_ignore_case(only(slow, "success-report"), "yes"));
  EXPECT_EQ(head.failure == FailureReport::no, equal_ignore_case(only(slow, "failure-report"), "no"));
  EXPECT_EQ(head.failure == FailureReport::partial, equal_ignore_case(only(slow, "failure-report"), "partial"));
  std::size_t count = 0;
  for (const auto& [name, values] : slow.values) count += values.size();
  EXPECT_EQ(head.header_count, count);
  EXPECT_EQ(head.has_body, slow.has_body);
  if (!head.has_body) {
    EXPECT_EQ(static_cast<char>(head.flag), slow.flag);
  }
  const auto challenges = slow.values.find("www-authenticate");
  const std::size_t challenge_count = challenges == slow.values.end() ? 0 : challenges->second.size();
  ASSERT_EQ(head.www_authenticate_count, std::min<std::size_t>(challenge_count, Head::www_authenticate_max));
  for (std::size_t i = 0; i < head.www_authenticate_count; ++i) {
    EXPECT_EQ(head.www_authenticate[i].of(bytes), challenges->second[i]);
  }
}

// What head.h promises about a path: its URIs can be read one by one.
void expect_readable_path(std::string_view path) {
  Uri uri;
  std::size_t count = 0;
  for (PathSplit split = split_path(path);; split = split_path(split.rest)) {
    ++count;
    EXPECT_TRUE(parse_uri(split.first, uri)) << split.first;
    if (split.rest.empty()) {
      EXPECT_EQ(split.first, last_of_path(path));
      break;
    }
  }
  EXPECT_EQ(count, path_length(path));
}

TEST(HeadTwin, AgreesOnAHundredThousandHeads) {
  HeadSource source(20261);
  HeadParser parser;
  std::map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < heads; ++i) {
    const std::string bytes = source.head();
    SCOPED_TRACE("head " + std::to_string(i) + ": " + escaped(bytes));
    const Progress progress = parse_in_pieces(parser, bytes, source);
    const SlowHead slow = slow_head(bytes, head_bytes_max, headers_max);
    if (slow.inside_path && progress == Progress::bad) {
      ASSERT_EQ(parser.error() == HeadError::path || parser.error() == HeadError::too_long, true);
      ++seen["bad before the path was whole"];
      continue;
    }
    switch (progress) {
      case Progress::done:
        ++seen[parser.head().has_body ? "done with body" : "done without body"];
        ASSERT_EQ(slow.outcome, SlowHead::Outcome::done) << slow.error;
        expect_same_fields(parser.head(), bytes, slow);
        expect_readable_path(parser.head().to_path.of(bytes));
        expect_readable_path(parser.head().from_path.of(bytes));
        break;
      case Progress::need_more:
        ++seen["need more"];
        ASSERT_EQ(slow.outcome, SlowHead::Outcome::need_more) << slow.error;
        break;
      case Progress::bad:
        ++seen[std::string(to_string(parser.error()))];
        ASSERT_EQ(slow.outcome, SlowHead::Outcome::bad) << to_string(parser.error());
        ASSERT_EQ(to_string(parser.error()), slow.error);
        break;
    }
    if (HasFailure()) break;
  }
  // The source reaches every outcome often enough for agreement to mean something.
  for (const char* outcome : {"done with body", "done without body"}) EXPECT_GE(seen[outcome], heads / 20) << outcome;
  for (const char* outcome : {"need more", "start_line", "tid_length", "path", "header_syntax", "duplicate",
                              "byte_range", "content_type", "end_line", "too_long", "too_many_headers"}) {
    EXPECT_GE(seen[outcome], heads / 2000) << outcome;
  }
  for (const auto& [outcome, count] : seen) RecordProperty(outcome, std::to_string(count));
}

}  // namespace
}  // namespace parley::tests
