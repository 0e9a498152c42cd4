// tests/msrp/frame_reader.h - turns a byte stream in pieces into lines of text that tell what the parsers saw.
//
// The lines are the same whatever the pieces, or the parsers are wrong: body bytes are joined, and what is still open
// at the end is told by finish().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "msrp/body_scan.h"
#include "msrp/head.h"

namespace parley::tests {

class FrameReader {
 public:
  // `memo` is offered with the first piece of every frame; its bytes must outlive the reader.
  explicit FrameReader(const msrp::HeadLimits& limits = {}, const msrp::PathMemo* memo = nullptr)
      : limits_(limits), memo_(memo) {}

  void feed(std::string_view piece);
  std::vector<std::string> finish();

  [[nodiscard]] std::size_t memo_hits() const { return memo_hits_; }
  // Bytes from To-Path's value to the CRLF behind From-Path's, of the first frame with a whole head; empty if none.
  [[nodiscard]] const std::string& first_paths() const { return first_paths_; }
  [[nodiscard]] msrp::PathMemo memo_of_first() const;
  // What the parsers promised and did not keep (sizes that do not add up); empty when all is well.
  [[nodiscard]] const std::string& broken() const { return broken_; }

 private:
  std::string_view feed_head(std::string_view piece);
  std::string_view feed_body(std::string_view piece);
  void tell_head(std::string_view bytes);
  void tell_end(msrp::Flag flag);

  const msrp::HeadLimits limits_;
  const msrp::PathMemo* const memo_;
  enum class In { head, body, bad } in_ = In::head;
  msrp::HeadParser parser_;
  msrp::BodyScan scan_;
  std::string frame_;  // the head's bytes so far
  std::string body_;
  bool fresh_ = true;  // no byte of this frame was parsed yet
  std::size_t memo_hits_ = 0;
  std::string first_paths_;
  msrp::PathMemo first_memo_;
  std::vector<std::string> lines_;
  std::string broken_;
};

// Bytes as one line: printable ASCII as it is, the rest and '\' escaped.
std::string escaped(std::string_view bytes);

}  // namespace parley::tests
