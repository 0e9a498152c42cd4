// tools/parley-load/pattern.h - message bodies that can be made and checked at memcpy speed: a rotation of one fixed
// text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace parley::load {

enum class Content {
  letters,  // base64-like: neither CR nor '-'
  lines,    // CRLF every 61 bytes, '-' every 23, and now and then an end-line of a foreign transaction
};

// Where in the rotation a message starts; two messages that get mixed up differ from their first bytes on.
uint64_t message_seed(uint32_t pair, uint64_t number);

class Pattern {
 public:
  explicit Pattern(Content content);

  // At most kPieceBytesMax bytes of the body from `offset` on, contiguous in memory for as long as the pattern lives.
  std::string_view piece(uint64_t seed, uint64_t offset, size_t bytes) const;
  // Index of the first byte that differs from the body at `offset`, or data.size() when all agree.
  size_t first_difference(uint64_t seed, uint64_t offset, std::string_view data) const;

  static constexpr size_t kPieceBytesMax = 128 * 1024;  // larger than any read or write of one turn needs in one piece
  static constexpr size_t kPeriodBytes = 16381;         // a prime below 16 KiB: the text stays in the first-level cache

 private:
  std::vector<char> text_;
};

}  // namespace parley::load
