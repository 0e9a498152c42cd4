// policy/own_message.h - a MESSAGE that is written here, as text: its request line, the lines that open it in their order
// (RFC 3261 section 8.1.1, RFC 3428 section 4), and behind them what only its function knows. Its Via comes with the hop
// it takes.
//
// A value of the user agent that sends it; one is kept and used again. What is named in begin() and add() stays the
// caller's, and has to be there until put().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/errand.h"
#include "sip/writer.h"

namespace parley::policy {

class OwnMessage {
 public:
  struct Opening {
    std::string_view uri;       // request URI, and To
    std::string_view from{};    // without its tag; empty: it is among the stored lines
    std::uint64_t from_tag = 0;
    std::string_view call_id;
    std::uint64_t cseq = 1;
    std::string_view user_agent;
    std::string_view asserted;  // value of P-Asserted-Identity: who answers for it
  };
  // Forgets what was written before.
  void begin(const Opening& opening);
  void add(sip::HeaderId id, std::string_view value) { lines_.push_back({.id = id, .value = value}); }
  // As carried_lines.h has them. A From among them gets the tag.
  void add_stored(std::string_view lines);
  [[nodiscard]] std::vector<sip::HeaderText>& lines() { return lines_; }
  // What is the same in the errand of each: our word is good for who sends it.
  void put(std::string_view body, Errand& errand) const;

 private:
  std::string uri_;
  std::string to_;
  std::string from_;
  std::string tag_;  // ";tag=..."
  std::string cseq_;
  std::vector<sip::HeaderText> lines_;
};

}  // namespace parley::policy
