// sip/sdp_reader.h - what the lines of a session description mean: the work behind the actions of sdp.rl.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sip/sdp.h"

namespace parley::sip {

// Lives for one parse_sdp call.
class SdpReader {
 public:
  SdpReader(std::string_view text, Sdp& out) : text_(text), out_(out) {}

  // Each is told of one line, when it is whole.
  [[nodiscard]] bool begin_line(char letter, std::uint32_t at);  // false: one section too many
  [[nodiscard]] bool origin(std::uint32_t end);                  // false: a second one
  void session_name(Span value);
  void time(Span value);
  void connection(std::uint32_t end);
  void media(std::uint32_t end, Span formats);
  void attribute(Span name, Span value);

  // The words of o=, c= and m= lines, as they come.
  void begin_words() { words_ = 0; }
  void add_word(Span word) { word_[words_++] = word; }
  // False past 65535.
  [[nodiscard]] bool add_port_digit(char digit);

  // After the last line. False when a line that must stand there does not.
  [[nodiscard]] bool finish();

 private:
  void check_order(char letter);
  void session_attribute(std::string_view name, Span value);
  void media_attribute(SdpMedia& media, std::string_view name, Span value);
  void keep(Span& span, bool& has, Span value);
  void keep(Span& span, Span value);
  void max_size(SdpMedia& media, Span value, bool right_name);
  void end_section(std::uint32_t at);
  [[nodiscard]] Span line_to(std::uint32_t end) const { return {line_, end - line_}; }
  [[nodiscard]] SdpMedia* media_now() { return out_.media_count == 0 ? nullptr : &out_.media[out_.media_count - 1U]; }

  std::string_view text_;
  Sdp& out_;
  std::uint32_t line_ = 0;
  std::uint32_t port_ = 0;
  std::uint8_t words_ = 0;
  std::array<Span, 6> word_;  // o= has six
  int rank_ = -1;             // of the last line within its section
  bool seen_name_ = false;
  bool max_size_named_ = false;  // by its right name (T-38)
};

}  // namespace parley::sip
