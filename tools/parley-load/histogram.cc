// tools/parley-load/histogram.cc - merging and reading of the latency counts.
#include "tools/parley-load/histogram.h"

#include <algorithm>
#include <cmath>

namespace parley::load {

void Histogram::merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

uint64_t Histogram::percentile_ns(double fraction) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += buckets_[i];
    if (seen >= wanted && seen > 0) return std::min(upper_bound_ns(i), max_ns_);
  }
  return max_ns_;
}

uint64_t Histogram::upper_bound_ns(size_t index) {
  if (index < (1U << kSubBits)) return index;
  const size_t shift = (index >> kSubBits) - 1;
  const uint64_t mantissa = (index & ((1U << kSubBits) - 1)) | (1U << kSubBits);
  return ((mantissa + 1) << shift) - 1;
}

}  // namespace parley::load
