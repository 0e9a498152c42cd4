// msrp/byte_ledger.cc - see byte_ledger.h.
#include "msrp/byte_ledger.h"

#include <algorithm>

namespace parley::msrp {

bool ByteLedger::add(std::uint64_t start, std::uint64_t last) {
  if (last < start || start == 0) return true;
  // Ranges from `first` up to `end` touch the new one and become part of it.
  std::size_t first = 0;
  while (first < count_ && ranges_[first].last + 1 < start) ++first;
  std::size_t end = first;
  while (end < count_ && ranges_[end].start <= last + 1) {
    start = std::min(start, ranges_[end].start);
    last = std::max(last, ranges_[end].last);
    ++end;
  }
  auto* const ranges = ranges_.data();
  if (first == end) {
    if (count_ == ranges_max) return false;
    std::copy_backward(ranges + first, ranges + count_, ranges + count_ + 1);
    ++count_;
  } else if (end - first > 1) {
    std::copy(ranges + end, ranges + count_, ranges + first + 1);
    count_ -= end - first - 1;
  }
  ranges_[first] = {start, last};
  return true;
}

}  // namespace parley::msrp
