// tools/parley-load/histogram.h - latency counts in log-linear buckets: 64 per octave, so a percentile is off by at
// most 1.6 %.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace parley::load {

class Histogram {
 public:
  void record(uint64_t ns) {
    ++buckets_[index_of(ns)];
    ++count_;
    sum_ns_ += ns;
    if (ns > max_ns_) max_ns_ = ns;
  }
  void merge(const Histogram& other);

  uint64_t count() const { return count_; }
  uint64_t max_ns() const { return max_ns_; }
  double mean_ns() const { return count_ == 0 ? 0.0 : static_cast<double>(sum_ns_) / static_cast<double>(count_); }
  // The smallest bucket bound below which at least `fraction` of the records lie (never above the exact maximum).
  uint64_t percentile_ns(double fraction) const;

 private:
  static constexpr unsigned kSubBits = 6;   // 64 buckets per octave
  static constexpr unsigned kOctaves = 40;  // 2^45 ns = 9.7 hours: longer than any run
  static constexpr size_t kBuckets = (kOctaves + 1) << kSubBits;

  static size_t index_of(uint64_t ns) {
    if (ns < (1U << kSubBits)) return static_cast<size_t>(ns);
    const unsigned shift = static_cast<unsigned>(std::bit_width(ns)) - 1 - kSubBits;
    const size_t index = ((static_cast<size_t>(shift) + 1) << kSubBits) + ((ns >> shift) & ((1U << kSubBits) - 1));
    return index < kBuckets ? index : kBuckets - 1;
  }
  static uint64_t upper_bound_ns(size_t index);

  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  uint64_t sum_ns_ = 0;
  uint64_t max_ns_ = 0;
};

}  // namespace parley::load
