// core/slot_map.h - objects named by (index, generation): a stale name finds nothing instead of somebody else.
//
// Owned by one shard. Memory grows in chunks up to `capacity` and is kept, so addresses are stable and nothing is
// allocated once a chunk exists (reserve() makes them at start). A generation is odd while the slot is live. Freed
// slots are reused last in, first out. A slot whose generation has run through 32 bits is never used again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "core/check.h"

namespace parley::core {

struct SlotId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // even: names nothing
  bool operator==(const SlotId&) const = default;
  [[nodiscard]] bool valid() const { return (generation & 1) != 0; }
  [[nodiscard]] std::uint64_t packed() const { return std::uint64_t{generation} << 32 | index; }
  static SlotId unpack(std::uint64_t value) {
    return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32)};
  }
};

template <typename T, std::uint32_t chunk_slots = 256>
class SlotMap {
 public:
  explicit SlotMap(std::uint32_t capacity) : capacity_(capacity) {
    CHECK(capacity < no_slot);
    chunks_.reserve((std::size_t{capacity} + chunk_slots - 1) / chunk_slots);
  }
  ~SlotMap() { clear(); }
  SlotMap(const SlotMap&) = delete;
  SlotMap& operator=(const SlotMap&) = delete;

  // An id that is not valid() when the map holds `capacity` objects.
  template <typename... Args>
  [[nodiscard]] SlotId emplace(Args&&... args) {
    std::uint32_t index = free_head_;
    if (index != no_slot) {
      free_head_ = slot(index).next_free;
    } else {
      if (fresh_ == capacity_) return {};
      if (fresh_ / chunk_slots == chunks_.size()) chunks_.push_back(std::make_unique<Chunk>());
      index = fresh_++;
    }
    Slot& s = slot(index);
    ::new (static_cast<void*>(s.storage)) T(std::forward<Args>(args)...);
    ++s.generation;
    ++chunks_[index / chunk_slots]->live;
    ++size_;
    return {index, s.generation};
  }

  // False when the id is stale.
  bool erase(SlotId id) {
    Slot* s = find(id);
    if (s == nullptr) return false;
    // Dead first: what the destructor looks up by this id it no longer finds.
    ++s->generation;
    s->object()->~T();
    --chunks_[id.index / chunk_slots]->live;
    --size_;
    if (s->generation != 0) {  // 0: all 2^31 generations were used, an old id could fit again
      s->next_free = free_head_;
      free_head_ = id.index;
    }
    return true;
  }

  // nullptr when the id is stale.
  [[nodiscard]] T* get(SlotId id) {
    Slot* s = find(id);
    return s == nullptr ? nullptr : s->object();
  }
  [[nodiscard]] const T* get(SlotId id) const { return const_cast<SlotMap*>(this)->get(id); }
  // For whoever will soon get() many.
  void prefetch(SlotId id) const {
    if (id.index >= fresh_) return;
    const Slot& s = chunks_[id.index / chunk_slots]->slots[id.index % chunk_slots];
    __builtin_prefetch(s.storage);
    __builtin_prefetch(&s.generation);
  }
  [[nodiscard]] bool contains(SlotId id) const { return get(id) != nullptr; }

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  // Makes the memory for `count` objects now.
  void reserve(std::uint32_t count) {
    if (count > capacity_) count = capacity_;
    while (chunks_.size() * chunk_slots < count) chunks_.push_back(std::make_unique<Chunk>());
  }

  void clear() {
    for_each([this](SlotId id, T&) { erase(id); });
  }

  // Live objects by index. `visit(SlotId, T&)` may erase any object, its own included, and add some (those may or may
  // not be visited). Chunks without live objects are skipped.
  template <typename Visit>
  void for_each(Visit&& visit) {
    for (std::size_t c = 0; c < chunks_.size(); ++c) {
      for (std::uint32_t i = 0; i < chunk_slots && chunks_[c]->live != 0; ++i) {
        Slot& s = chunks_[c]->slots[i];
        if ((s.generation & 1) == 0) continue;
        visit(SlotId{static_cast<std::uint32_t>(c) * chunk_slots + i, s.generation}, *s.object());
      }
    }
  }

  // The same for the next `slots` indices from `cursor` on, which moves along and begins anew at the end: a look around
  // that costs the same however many there are. `visit` erases nothing and adds nothing.
  template <typename Visit>
  void sweep(std::uint32_t& cursor, std::uint32_t slots, Visit&& visit) {
    for (std::uint32_t n = 0; n < slots && n < fresh_; ++n, ++cursor) {
      if (cursor >= fresh_) cursor = 0;
      Slot& s = slot(cursor);
      if ((s.generation & 1) != 0) visit(SlotId{cursor, s.generation}, *s.object());
    }
  }

 private:
  static constexpr std::uint32_t no_slot = 0xffffffffU;

  struct Slot {
    alignas(T) unsigned char storage[sizeof(T)];
    std::uint32_t generation = 0;
    std::uint32_t next_free = no_slot;
    T* object() { return std::launder(reinterpret_cast<T*>(storage)); }
  };
  struct Chunk {
    Slot slots[chunk_slots];
    std::uint32_t live = 0;
  };

  Slot& slot(std::uint32_t index) { return chunks_[index / chunk_slots]->slots[index % chunk_slots]; }
  Slot* find(SlotId id) {
    if (id.index >= fresh_ || !id.valid()) return nullptr;
    Slot& s = slot(id.index);
    return s.generation == id.generation ? &s : nullptr;
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint32_t capacity_;
  std::uint32_t fresh_ = 0;  // slots from here on were never used
  std::uint32_t free_head_ = no_slot;
  std::uint32_t size_ = 0;
};

}  // namespace parley::core
