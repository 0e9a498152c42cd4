// tests/fuzz/msrp_stream_fuzz.cc - a stream of frames cut anywhere tells the same story; the vector searches agree.
//
// Input: one byte n, n distances between cuts (a byte each), then the stream.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "msrp/body_scan.h"
#include "tests/fuzz/cost.h"
#include "tests/msrp/blocks.h"
#include "tests/msrp/frame_reader.h"

namespace {

using namespace parley::msrp;
using parley::tests::FrameReader;

// Byte by byte is quadratic in the head; longer inputs are cut less.
constexpr std::size_t trickled_bytes_max = 4096;

std::vector<std::string> finish(FrameReader& reader) {
  CHECK(reader.broken().empty());
  return reader.finish();
}

std::vector<std::string> play_evenly(std::string_view stream, std::size_t piece_bytes, const PathMemo* memo) {
  FrameReader reader({}, memo);
  for (std::size_t at = 0; at < stream.size(); at += piece_bytes) reader.feed(stream.substr(at, piece_bytes));
  return finish(reader);
}

void check_searches(std::string_view stream) {
  const parley::tests::ExactBlock block(stream);
  const parley::tests::NoMemory measured(3 * stream.size());
  for (std::size_t at = 0; at < stream.size();) {
    const std::size_t found = find_crlf_dash(block.view(), at);
    CHECK(found == find_crlf_dash_scalar(block.view(), at));
    CHECK(found == find_crlf_dash_sse2(block.view(), at));
    at = found + 1;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t cuts = std::min<std::size_t>(data[0] % 32, size - 1);
  const std::string_view stream(reinterpret_cast<const char*>(data + 1 + cuts), size - 1 - cuts);

  FrameReader whole;
  whole.feed(stream);
  const std::vector<std::string> story = finish(whole);
  const PathMemo memo = whole.memo_of_first();

  FrameReader cut;
  std::size_t at = 0;
  for (std::size_t i = 0; i < cuts && at < stream.size(); ++i) {
    cut.feed(stream.substr(at, data[1 + i]));
    at += std::min<std::size_t>(data[1 + i], stream.size() - at);
  }
  cut.feed(stream.substr(at));
  CHECK(finish(cut) == story);

  CHECK(play_evenly(stream, stream.size() <= trickled_bytes_max ? 1 : 61, nullptr) == story);
  if (!memo.bytes.empty()) CHECK(play_evenly(stream, stream.size() + 1, &memo) == story);
  check_searches(stream);
  return 0;
}
