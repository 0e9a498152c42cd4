// tests/fuzz/msrp_head_fuzz.cc - one head: whole and byte by byte, with and without memo, against the slow reader.
//
// Input: one byte that chooses the limits, then the bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "msrp/head.h"
#include "msrp/uri.h"
#include "tests/fuzz/cost.h"
#include "tests/msrp/blocks.h"
#include "tests/msrp/slow_head.h"

namespace {

using namespace parley::msrp;
using parley::tests::ExactBlock;
using parley::tests::SlowHead;

Progress parse(HeadParser& parser, std::string_view bytes, const HeadLimits& limits, const PathMemo* memo) {
  return parley::tests::without_memory(bytes.size(), [&] { return parser.parse(bytes, limits, memo); });
}

// The time that each piece takes must not grow with what came before.
Progress trickle(HeadParser& parser, std::string_view bytes, const HeadLimits& limits) {
  parley::tests::GrowingBlock growing(bytes);
  const parley::tests::NoMemory measured(bytes.size());
  Progress progress = parser.parse({}, limits, nullptr);
  for (std::size_t i = 1; i <= bytes.size() && progress == Progress::need_more; ++i)
    progress = parser.parse(growing.first(i), limits, nullptr);
  return progress;
}

void check_path(std::string_view path) {
  CHECK(path_length(path) >= 1);
  CHECK(path_length(path) <= path_uris_max);
  for (PathSplit split = split_path(path);; split = split_path(split.rest)) {
    Uri uri;
    CHECK(parse_uri(split.first, uri));
    CHECK(split.first.size() <= uri_bytes_max);
    if (split.rest.empty()) return;
  }
}

void check_same(const HeadParser& a, const HeadParser& b, std::string_view bytes) {
  CHECK(a.error() == b.error());
  if (a.error() != HeadError::none) {
    CHECK(a.error_offset() == b.error_offset());
    return;
  }
  CHECK(a.head().length == b.head().length);
  CHECK(a.head().tid.of(bytes) == b.head().tid.of(bytes));
  CHECK(a.head().to_path.of(bytes) == b.head().to_path.of(bytes));
  CHECK(a.head().from_path.of(bytes) == b.head().from_path.of(bytes));
  CHECK(a.head().headers.of(bytes) == b.head().headers.of(bytes));
  CHECK(a.head().message_id.of(bytes) == b.head().message_id.of(bytes));
  CHECK(a.head().range.total == b.head().range.total);
  CHECK(a.head().flag == b.head().flag);
  CHECK(a.head().has_body == b.head().has_body);
}

void check_against_slow(const HeadParser& parser, Progress progress, std::string_view bytes, const HeadLimits& limits) {
  const SlowHead slow = parley::tests::slow_head(std::string(bytes), limits.head_bytes_max, limits.headers_max);
  if (slow.inside_path && progress == Progress::bad) return;  // the slow reader judges whole paths only
  CHECK((progress == Progress::done) == (slow.outcome == SlowHead::Outcome::done));
  CHECK((progress == Progress::bad) == (slow.outcome == SlowHead::Outcome::bad));
  if (progress == Progress::bad) {
    CHECK(to_string(parser.error()) == slow.error);
  } else if (progress == Progress::done) {
    CHECK(parser.head().length == slow.length);
    CHECK(parser.head().tid.of(bytes) == slow.tid);
    CHECK(parser.head().headers.of(bytes) == slow.headers);
    CHECK(parser.head().range.end == slow.range[1]);
    CHECK(parser.head().has_body == slow.has_body);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const HeadLimits limits{.head_bytes_max = data[0] % 4 == 0 ? std::uint32_t{data[0]} * 8 : 16 * 1024,
                          .headers_max = static_cast<std::uint16_t>(data[0] % 8 == 1 ? 2 : 64)};
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const ExactBlock whole(input);
  const std::string_view bytes = whole.view();

  HeadParser parser;
  const Progress progress = parse(parser, bytes, limits, nullptr);

  HeadParser trickled;
  CHECK(trickle(trickled, bytes, limits) == progress);
  check_same(parser, trickled, bytes);
  check_against_slow(parser, progress, bytes, limits);
  if (progress != Progress::done) return 0;

  const Head& head = parser.head();
  CHECK(head.length <= bytes.size());
  CHECK(head.tid.length >= tid_bytes_min);
  CHECK(head.tid.length <= tid_bytes_max);
  check_path(head.to_path.of(bytes));
  check_path(head.from_path.of(bytes));

  const std::string paths(bytes.substr(head.to_path.offset, head.headers.offset - head.to_path.offset));
  const PathMemo memo{.bytes = paths, .to_path_length = head.to_path.length, .from_path_length = head.from_path.length};
  HeadParser jumping;
  CHECK(parse(jumping, bytes, limits, &memo) == Progress::done);
  CHECK(jumping.head().paths_from_memo);
  check_same(parser, jumping, bytes);
  return 0;
}
