// Frames out of a stream, cut anywhere.
#include "msrp/frame_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace parley::tests {
namespace {

using msrp::FramePiece;

struct Frame {
  std::string tid, body;
  char flag = 0;
  bool operator==(const Frame&) const = default;
};
std::vector<Frame> read(const std::vector<std::string>& pieces, bool& bad) {
  std::vector<Frame> frames;
  msrp::FrameStream stream;
  bad = false;
  for (const std::string& piece : pieces) {
    stream.take(piece);
    for (;;) {
      const FramePiece got = stream.next();
      if (got.kind == FramePiece::Kind::need_more) break;
      if (got.kind == FramePiece::Kind::bad) {
        bad = true;
        return frames;
      }
      if (got.first) frames.push_back({std::string(got.head->tid.of(got.head_bytes)), {}, 0});
      frames.back().body += got.body;
      if (got.last) frames.back().flag = static_cast<char>(got.flag);
    }
  }
  return frames;
}

const std::string two =
    "MSRP aaaa1111 SEND\r\nTo-Path: msrp://a:1/x;tcp\r\nFrom-Path: msrp://b:1/y;tcp\r\nMessage-ID: m\r\n"
    "Byte-Range: 1-*/*\r\nContent-Type: text/plain\r\n\r\nab\r\n-------aaaa1112$\r\n-------aaaa1111%\r\n"
    "-------aaaa1111+\r\n"
    "MSRP bbbb2222 200 OK\r\nTo-Path: msrp://a:1/x;tcp\r\nFrom-Path: msrp://b:1/y;tcp\r\n-------bbbb2222$\r\n";
const std::vector<Frame> expected = {{"aaaa1111", "ab\r\n-------aaaa1112$\r\n-------aaaa1111%", '+'},
                                     {"bbbb2222", "", '$'}};

TEST(FrameStream, R4975_3_T_65_the_same_frames_wherever_the_bytes_are_cut) {
  for (std::size_t i = 0; i <= two.size(); ++i) {
    for (std::size_t k = i; k <= two.size(); k += 7) {
      bool bad = false;
      EXPECT_EQ(read({two.substr(0, i), two.substr(i, k - i), two.substr(k)}, bad), expected) << i << ' ' << k;
      EXPECT_FALSE(bad);
    }
  }
  std::vector<std::string> bytes;
  for (const char c : two) bytes.emplace_back(1, c);
  bool bad = false;
  EXPECT_EQ(read(bytes, bad), expected);
}

TEST(FrameStream, R4975_4_an_empty_body_is_one) {
  bool bad = false;
  const auto frames = read({"MSRP aaaa1111 SEND\r\nTo-Path: msrp://a:1/x;tcp\r\nFrom-Path: msrp://b:1/y;tcp\r\n"
                            "Content-Type: text/plain\r\n\r\n\r\n-------aaaa1111$\r\n"},
                           bad);
  EXPECT_EQ(frames, (std::vector<Frame>{{"aaaa1111", "", '$'}}));
}

TEST(FrameStream, T_66_what_is_no_frame_ends_it) {
  bool bad = false;
  (void)read({"HTTP/1.1 200 OK\r\n\r\n"}, bad);
  EXPECT_TRUE(bad);
  (void)read({std::string(100'000, 'x')}, bad);
  EXPECT_TRUE(bad);
}

}  // namespace
}  // namespace parley::tests
