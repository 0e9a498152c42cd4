// tests/sip/message_reader.h - turns a stream of SIP messages, fed in any pieces, into lines that tests compare.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sip/head.h"
#include "sip/verdict.h"

namespace parley::tests {

// The lines of one head: start line, then each header by its full name, or as it stands when it is not known.
std::vector<std::string> head_lines(const sip::Head& head, std::string_view bytes);

// "accept", "400 Bad From", "drop: Bad CSeq"; with " and close" when the stream is lost.
std::string verdict_line(const sip::Verdict& verdict);

class MessageReader {
 public:
  explicit MessageReader(const sip::HeadLimits& limits = {}) : limits_(limits) {}
  // Each piece is shown to the parser in a fresh block that ends where the bytes end.
  void feed(std::string_view bytes);
  // What was read so far, and whether something is missing.
  std::vector<std::string> finish();

 private:
  bool read_one();
  void take(std::size_t bytes);

  sip::HeadLimits limits_;
  sip::HeadParser parser_;
  std::string bytes_;
  std::size_t leading_lines_ = 0;
  bool in_head_ = false;
  bool lost_ = false;
  std::vector<std::string> lines_;
};

// The same for one datagram.
std::vector<std::string> datagram_lines(std::string_view bytes, const sip::HeadLimits& limits = {});

}  // namespace parley::tests
