// msrp/fan_outs.h - SENDs that went to many legs at once and are not answered by all of them yet.
//
// All legs get one transaction id (ids belong to a hop, RFC 4975 section 7.1.1): 8 letters that name a record here, 16
// random ones. Each leg's connection remembers the records it owes an answer to, in the order they were sent, in a small
// ring: an answer usually meets the first entry. There is one deadline per record and none per leg.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "core/time.h"
#include "msrp/head.h"
#include "msrp/relay_types.h"

namespace parley::msrp {

struct FanOut {
  static constexpr std::uint32_t none = 0xffffffffU;

  std::uint64_t random = 0;  // 0: free
  std::uint64_t mark = 0;
  core::Instant due{};
  std::uint32_t unanswered = 0;  // legs
  std::uint32_t prev = none;     // in the order they fall due
  std::uint32_t next = none;     // also links the free list
  FailureReport failure = FailureReport::yes;
  bool tell_200 = false;
};

class FanOuts {
 public:
  explicit FanOuts(core::Random& random) : random_(random) {}

  // A new record and the id of its SENDs; `none` when `live_max` exist.
  [[nodiscard]] std::uint32_t create(std::uint32_t live_max, core::Instant due, std::array<char, tid_bytes>& tid);
  [[nodiscard]] FanOut& at(std::uint32_t slot) { return records_[slot]; }
  // The record that this transaction id names, or none.
  [[nodiscard]] std::uint32_t find(std::string_view tid) const;
  // One leg less; without any the record is gone.
  void settle(std::uint32_t slot, std::uint32_t legs = 1) {
    FanOut& record = records_[slot];
    record.unanswered -= legs;
    if (record.unanswered == 0) erase(slot);
  }
  // Of the oldest record.
  [[nodiscard]] core::Instant next_due() const { return first_ == FanOut::none ? core::never : records_[first_].due; }
  [[nodiscard]] std::uint32_t live() const { return live_; }

 private:
  void erase(std::uint32_t slot);

  core::Random& random_;
  std::vector<FanOut> records_;
  std::uint32_t free_ = FanOut::none;
  std::uint32_t first_ = FanOut::none;
  std::uint32_t last_ = FanOut::none;
  std::uint32_t live_ = 0;
};

// What one connection owes answers to.
class AnswerRing {
 public:
  struct Entry {
    std::uint32_t record = FanOut::none;  // none: answered out of order; never the first's
    EndHandle end;
  };

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] Entry& at(std::uint32_t i) { return entries_[(first_ + i) & (entries_.size() - 1)]; }
  void push(Entry entry) {
    if (size_ == entries_.size()) grow();
    entries_[(first_ + size_++) & (entries_.size() - 1)] = entry;
  }
  // Where the entry of that record is; size() when there is none.
  [[nodiscard]] std::uint32_t find(std::uint32_t record) {
    std::uint32_t i = 0;
    while (i < size_ && at(i).record != record) ++i;
    return i;
  }
  void remove(std::uint32_t i) {
    at(i).record = FanOut::none;
    while (size_ != 0 && at(0).record == FanOut::none) {
      first_ = (first_ + 1) & static_cast<std::uint32_t>(entries_.size() - 1);
      --size_;
    }
  }

 private:
  void grow();

  std::vector<Entry> entries_;  // a power of two of them
  std::uint32_t first_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace parley::msrp
