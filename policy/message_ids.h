// policy/message_ids.h - ids of what is stored: they grow with time, and no two of the at most 256 shards make the same.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/check.h"

namespace parley::policy {

class MessageIds {
 public:
  // Milliseconds, then the shard, then a number: below 2^63 until the year 2109.
  static constexpr unsigned shard_bits = 8;
  static constexpr unsigned number_bits = 13;

  explicit MessageIds(std::uint32_t shard) : shard_(shard) { CHECK(shard < (1U << shard_bits)); }

  // Who has made it.
  [[nodiscard]] static std::uint32_t shard_of(std::uint64_t id) {
    return static_cast<std::uint32_t>(id >> number_bits) & ((1U << shard_bits) - 1);
  }

  // Every id from now on is above that one, which an earlier process has made, whatever the clock says.
  void begin_after(std::uint64_t id) { last_ = std::max(last_, id >> (shard_bits + number_bits) << number_bits | number_mask); }

  [[nodiscard]] std::uint64_t next(std::int64_t wall_ms) {
    last_ = std::max(last_ + 1, static_cast<std::uint64_t>(std::max<std::int64_t>(wall_ms, 0)) << number_bits);
    return (last_ >> number_bits << shard_bits | shard_) << number_bits | (last_ & number_mask);
  }

 private:
  static constexpr std::uint64_t number_mask = (1U << number_bits) - 1;
  std::uint64_t shard_;
  std::uint64_t last_ = 0;  // milliseconds and number
};

}  // namespace parley::policy
