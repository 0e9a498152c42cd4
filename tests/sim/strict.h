// tests/sim/strict.h - a small strict reader of MSRP, written from the ABNF of RFC 4975 section 9 for the tests alone.
//
// It shares nothing with msrp/: what both sides read alike because both come from one hand would go unseen. Whatever the
// relay sends to anybody passes through it, and any deviation ends the run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace parley::sim {

struct Frame {
  bool request = false;
  int status = 0;
  std::string tid, method, comment;
  std::vector<std::string> to_path, from_path;
  std::vector<std::pair<std::string, std::string>> headers;  // after From-Path, in order
  bool has_body = false;
  std::string body;
  char flag = '$';
  bool has_range = false;
  std::uint64_t start = 1;
  std::optional<std::uint64_t> end, total;  // nothing: '*'

  // The value of a header that may stand once; nullptr when it does not stand.
  [[nodiscard]] const std::string* header(std::string_view name) const;
};

class StrictReader {
 public:
  // Frames that became complete. After a violation nothing more comes.
  std::vector<Frame> feed(std::string_view bytes);
  [[nodiscard]] const std::string& violation() const { return violation_; }
  // Bytes of a frame that has not ended.
  [[nodiscard]] std::size_t pending() const { return buffer_.size() - used_; }

 private:
  enum class Step { need_more, frame, bad };
  Step next(Frame& frame);
  bool read_head(std::string_view head, Frame& frame);
  bool read_header(std::string_view line, Frame& frame);
  bool check(const Frame& frame);
  bool bad(std::string reason);

  std::string buffer_;
  std::size_t used_ = 0;       // frames before this are done
  std::size_t scan_from_ = 0;  // where the search for the end-line goes on
  bool in_body_ = false;
  std::size_t body_at_ = 0;
  Frame frame_;
  std::string violation_;
};

}  // namespace parley::sim
