// core/spsc_ring.h - a bounded queue between exactly two threads: one pushes, one pops, neither ever waits.
//
// Each side owns one position and keeps a copy of the other's, which it reads again only when the copy says full or
// empty: a busy ring moves one cache line per batch, not two per item. Positions only grow (64 bits never wrap) and are
// published with release, read with acquire; an item is touched by one side at a time. Waking the other side is not
// done here.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/check.h"

namespace parley::core {

template <typename T>
class SpscRing {
 public:
  // Holds at least `capacity` items (rounded up to a power of two). All memory is taken here.
  explicit SpscRing(std::size_t capacity) : items_(std::bit_ceil(capacity)), mask_(items_.size() - 1) {
    CHECK(capacity > 0);
  }
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;

  [[nodiscard]] std::size_t capacity() const { return items_.size(); }

  // The pushing thread only. False: full, and `item` is untouched.
  [[nodiscard]] bool try_push(T&& item) {
    if (room(1) == 0) return false;
    items_[producer_.at & mask_] = std::move(item);
    publish_push(1);
    return true;
  }
  [[nodiscard]] bool try_push(const T& item) {
    T copy(item);
    return try_push(std::move(copy));
  }
  // Moves as many items from the front of `batch` as fit and says how many; they become visible together.
  std::size_t push_batch(std::span<T> batch) {
    const std::size_t count = std::min(room(batch.size()), batch.size());
    for (std::size_t i = 0; i < count; ++i) items_[(producer_.at + i) & mask_] = std::move(batch[i]);
    if (count != 0) publish_push(count);
    return count;
  }
  // In place: fills the next free item by `fill(T&)` without a temporary (large records). False: full, `fill` not
  // called.
  template <typename Fill>
  [[nodiscard]] bool try_emplace(Fill&& fill) {
    if (room(1) == 0) return false;
    std::forward<Fill>(fill)(items_[producer_.at & mask_]);
    publish_push(1);
    return true;
  }

  // The popping thread only. False: empty, and `item` is untouched.
  [[nodiscard]] bool try_pop(T& item) {
    if (waiting(1) == 0) return false;
    item = std::move(items_[consumer_.at & mask_]);
    publish_pop(1);
    return true;
  }
  // Moves up to out.size() items to the front of `out` and says how many.
  std::size_t pop_batch(std::span<T> out) {
    const std::size_t count = std::min(waiting(out.size()), out.size());
    for (std::size_t i = 0; i < count; ++i) out[i] = std::move(items_[(consumer_.at + i) & mask_]);
    if (count != 0) publish_pop(count);
    return count;
  }
  // In place: `use(T&)` for up to `max` items, whose places are given back together afterwards.
  template <typename Use>
  std::size_t consume(std::size_t max, Use&& use) {
    const std::size_t count = std::min(waiting(max), max);
    for (std::size_t i = 0; i < count; ++i) use(items_[(consumer_.at + i) & mask_]);
    if (count != 0) publish_pop(count);
    return count;
  }
  // The popping thread's view; what is pushed meanwhile may be missed.
  [[nodiscard]] bool empty() const { return consumer_.at == pushed_.load(std::memory_order_acquire); }

 private:
  // Free places, as far as the pusher needs to know: reads the other side's line only when fewer than `wanted` are
  // known.
  std::size_t room(std::size_t wanted) {
    if (items_.size() - (producer_.at - producer_.seen) < wanted) {
      producer_.seen = popped_.load(std::memory_order_acquire);
    }
    return items_.size() - static_cast<std::size_t>(producer_.at - producer_.seen);
  }
  std::size_t waiting(std::size_t wanted) {
    if (consumer_.seen - consumer_.at < wanted) consumer_.seen = pushed_.load(std::memory_order_acquire);
    return static_cast<std::size_t>(consumer_.seen - consumer_.at);
  }
  void publish_push(std::size_t count) {
    producer_.at += count;
    pushed_.store(producer_.at, std::memory_order_release);
  }
  void publish_pop(std::size_t count) {
    consumer_.at += count;
    popped_.store(consumer_.at, std::memory_order_release);
  }

  struct Side {
    std::uint64_t at = 0;    // this side's own position
    std::uint64_t seen = 0;  // the other side's, when last looked at
  };

  // Two lines apart where the processor prefetches lines in pairs.
  static constexpr std::size_t apart_bytes = 128;

  std::vector<T> items_;
  std::size_t mask_;
  alignas(apart_bytes) std::atomic<std::uint64_t> pushed_{0};  // written by the pusher
  Side producer_;
  alignas(apart_bytes) std::atomic<std::uint64_t> popped_{0};  // written by the popper
  Side consumer_;
};

}  // namespace parley::core
