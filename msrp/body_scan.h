// msrp/body_scan.h - finds the end-line of a body that arrives in pieces (RFC 4975 section 7.1, R4975-3, T-65).
//
// The body ends only at CRLF, seven hyphens, the request's own transaction id, one of + $ # and CRLF. Everything else
// is data, look-alikes included. Candidates are found by a vectorised search for CR LF '-'; each is then compared in
// full. A candidate cut by the end of a piece is held back: its bytes are a prefix of a known string, so nothing is
// stored and the piece's buffer need not be kept.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "msrp/head.h"

namespace parley::msrp {

class BodyScan {
 public:
  // 2 CRLF + 7 hyphens + 32 id + flag + CR: the longest prefix that can be held back.
  static constexpr std::size_t held_bytes_max = 2 + 7 + 32 + 1 + 1;

  struct Result {
    std::uint32_t released = 0;  // bytes held back before that turn out to be body; they come first: see held()
    std::uint32_t body = 0;      // bytes of this piece, from its start, that are body
    std::uint32_t consumed = 0;  // bytes of this piece that are used up (body, held back, or end-line)
    bool ended = false;
    Flag flag = Flag::end;  // when ended
  };

  // `tid` as HeadParser accepts it: 4 to 32 bytes without CR and LF.
  void start(std::string_view tid);
  // When not ended, consumed == piece.size() and the bytes after `body` are held back. After the end: start() again.
  [[nodiscard]] Result feed(std::string_view piece);
  // The bytes that `released` counts: the first `released` of the string a held-back candidate consists of. Valid
  // until the next feed.
  [[nodiscard]] std::string_view released_bytes(const Result& result) const {
    return {released_.data(), result.released};
  }

 private:
  [[nodiscard]] bool fits(char c) const;
  [[nodiscard]] std::size_t match(std::string_view piece, std::size_t at);

  std::array<char, 2 + 7 + 32> pattern_{};  // CR LF ------- tid
  std::uint8_t pattern_size_ = 0;
  std::uint8_t held_ = 0;  // bytes of the candidate matched so far
  char held_flag_ = 0;
  std::array<char, held_bytes_max> released_{};
};

// Position of the first CR LF '-' at or after `from`, or bytes.size() if there is none that lies wholly inside; a
// trailing CR or CR LF is reported as its position too, since it may be the start of one. Picks AVX2 at run time where
// the machine has it.
[[nodiscard]] std::size_t find_crlf_dash(std::string_view bytes, std::size_t from);
// The plain twins, for tests and other machines.
[[nodiscard]] std::size_t find_crlf_dash_scalar(std::string_view bytes, std::size_t from);
[[nodiscard]] std::size_t find_crlf_dash_sse2(std::string_view bytes, std::size_t from);

}  // namespace parley::msrp
