// msrp/byte_ledger.h - which bytes of one message are there: arrived, acknowledged or reported, in any order,
// overlapping or twice (R4975-7, R4975-10, T-64).
//
// A value. Ranges that touch are one; more than ranges_max with gaps between them are no message but an attack.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace parley::msrp {

class ByteLedger {
 public:
  static constexpr std::size_t ranges_max = 64;  // gaps of chunks under way over several connections; the rest is room

  // Bytes from `start`, counted from 1, up to and with `last`; none when last < start. False, and nothing added, when
  // there would be too many gaps.
  [[nodiscard]] bool add(std::uint64_t start, std::uint64_t last);
  // The bytes 1 to this number are all there.
  [[nodiscard]] std::uint64_t from_start() const { return count_ != 0 && ranges_[0].start == 1 ? ranges_[0].last : 0; }
  [[nodiscard]] bool has_all(std::uint64_t total) const { return from_start() >= total; }
  // The last byte that is there; 0: none.
  [[nodiscard]] std::uint64_t highest() const { return count_ == 0 ? 0 : ranges_[count_ - 1].last; }

 private:
  struct Range {
    std::uint64_t start = 0;
    std::uint64_t last = 0;
  };
  std::array<Range, ranges_max> ranges_{};  // in order, apart
  std::size_t count_ = 0;
};

}  // namespace parley::msrp
