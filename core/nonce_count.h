// core/nonce_count.h - which nonce counts of one nonce were used (RFC 7616 section 3.4, parameter nc): each once, in
// nearly any order.
//
// Requests may pass each other on their way, so a count is not refused for being lower than one seen before, only for
// having been used or for being too far behind to be known.
#pragma once

#include <cstdint>
#include <string_view>

namespace parley::core {

class NonceCounts {
 public:
  static constexpr std::uint32_t window = 64;

  // True once for each count, which must not be 0. Counts `window` or more behind the highest are used up.
  [[nodiscard]] bool use(std::uint32_t nc) {
    if (nc > top_) {
      const std::uint32_t step = nc - top_;
      seen_ = step >= window ? 1 : (seen_ << step) | 1;
      top_ = nc;
      return true;
    }
    const std::uint32_t behind = top_ - nc;
    if (behind >= window || ((seen_ >> behind) & 1) != 0) return false;
    seen_ |= std::uint64_t{1} << behind;
    return true;
  }
  // No count is left.
  void use_up() {
    top_ = 0xffffffffU;
    seen_ = ~std::uint64_t{0};
  }
  [[nodiscard]] bool used_up() const { return top_ == 0xffffffffU && seen_ == ~std::uint64_t{0}; }

 private:
  std::uint32_t top_ = 0;   // highest count seen
  std::uint64_t seen_ = 0;  // bit n: top_ - n was used
};

// Exactly eight hex digits, not all zero.
[[nodiscard]] bool parse_nonce_count(std::string_view text, std::uint32_t& value);

}  // namespace parley::core
