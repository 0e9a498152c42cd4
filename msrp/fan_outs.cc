// msrp/fan_outs.cc - see fan_outs.h.
#include "msrp/fan_outs.h"

#include <cstring>

#include "core/check.h"
#include "core/id_text.h"

namespace parley::msrp {

namespace {
// Transaction ids of forwarded SENDs name slots below this bit (msrp/transactions.cc).
constexpr std::uint32_t fan_out_bit = 1U << 31;
constexpr std::uint32_t ring_start = 8;
}  // namespace

std::uint32_t FanOuts::create(std::uint32_t live_max, core::Instant due, std::array<char, tid_bytes>& tid) {
  if (live_ >= live_max) return FanOut::none;
  if (free_ == FanOut::none) {
    records_.emplace_back();
    free_ = static_cast<std::uint32_t>(records_.size() - 1);
  }
  const std::uint32_t slot = free_;
  FanOut& record = records_[slot];
  free_ = record.next;
  do {
    record.random = random_.next();
  } while (record.random == 0);
  record.due = due;
  record.unanswered = 0;
  record.prev = last_;
  record.next = FanOut::none;
  (last_ != FanOut::none ? records_[last_].next : first_) = slot;
  last_ = slot;
  ++live_;
  core::letters_encode32(fan_out_bit | slot, tid.data());
  core::letters_encode64(record.random, tid.data() + core::letters32_chars);
  return slot;
}

std::uint32_t FanOuts::find(std::string_view tid) const {
  if (tid.size() != tid_bytes) return FanOut::none;
  const auto name = core::letters_decode32(tid.data());
  if (!name || (*name & fan_out_bit) == 0) return FanOut::none;
  const std::uint32_t slot = *name & ~fan_out_bit;
  if (slot >= records_.size() || records_[slot].random == 0) return FanOut::none;
  std::array<char, core::letters64_chars> random;
  core::letters_encode64(records_[slot].random, random.data());
  const bool same = std::memcmp(random.data(), tid.data() + core::letters32_chars, random.size()) == 0;
  return same ? slot : FanOut::none;
}

void FanOuts::erase(std::uint32_t slot) {
  FanOut& record = records_[slot];
  CHECK(record.random != 0);
  (record.prev != FanOut::none ? records_[record.prev].next : first_) = record.next;
  (record.next != FanOut::none ? records_[record.next].prev : last_) = record.prev;
  record.random = 0;
  record.next = free_;
  free_ = slot;
  --live_;
}

void AnswerRing::grow() {
  const std::size_t more = entries_.empty() ? ring_start : entries_.size() * 2;
  std::vector<Entry> entries(more);
  for (std::uint32_t i = 0; i < size_; ++i) entries[i] = at(i);
  entries_ = std::move(entries);
  first_ = 0;
}

}  // namespace parley::msrp
