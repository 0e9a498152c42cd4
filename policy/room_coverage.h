// policy/room_coverage.h - which bytes of a message have come (R4975-7: chunks of any size, in any order, twice).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace parley::policy {

class RoomCoverage {
 public:
  // Bytes from `start` (counted from 1) on. False: more holes than are remembered; the message can not be followed.
  [[nodiscard]] bool add(std::uint64_t start, std::uint64_t length) {
    if (length == 0) return true;
    const std::uint64_t end = start + length;  // one past the last
    if (start <= next_) {
      if (end > next_) next_ = end;
    } else {
      std::size_t i = 0;
      while (i < count_ && later_[i].end < start) ++i;
      if (i < count_ && later_[i].start <= end) {
        if (start < later_[i].start) later_[i].start = start;
        if (end > later_[i].end) later_[i].end = end;
      } else {
        if (count_ == later_.size()) return false;
        for (std::size_t j = count_; j > i; --j) later_[j] = later_[j - 1];
        later_[i] = {start, end};
        ++count_;
      }
    }
    join();
    return true;
  }
  // Number of the first byte that has not come.
  [[nodiscard]] std::uint64_t next() const { return next_; }
  [[nodiscard]] bool whole(std::uint64_t total) const { return next_ > total; }

 private:
  struct Range {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
  };
  void join() {
    for (std::size_t i = 0; i + 1 < count_;) {
      if (later_[i].end >= later_[i + 1].start) {
        if (later_[i + 1].end > later_[i].end) later_[i].end = later_[i + 1].end;
        remove(i + 1);
      } else {
        ++i;
      }
    }
    while (count_ != 0 && later_[0].start <= next_) {
      if (later_[0].end > next_) next_ = later_[0].end;
      remove(0);
    }
  }
  void remove(std::size_t i) {
    for (; i + 1 < count_; ++i) later_[i] = later_[i + 1];
    --count_;
  }

  std::uint64_t next_ = 1;
  std::size_t count_ = 0;
  std::array<Range, 8> later_{};  // apart from each other, in order
};

}  // namespace parley::policy
