// core/session_table.cc - see session_table.h, where the argument for every memory order stands.
#include "core/session_table.h"

#include <sys/mman.h>

#include <type_traits>

#include "core/check.h"

// Where another thread may step in between. Nothing here; a test that includes this file defines it as a switch to
// another thread and so walks through interleavings that two free-running cores hardly ever meet.
#ifndef PARLEY_RACE_POINT
#define PARLEY_RACE_POINT() static_cast<void>(0)
#endif

namespace parley::core {

namespace {

constexpr std::uint64_t shard_mask = 0xffff;
constexpr std::uint64_t state_mask = 3ULL << 16;
constexpr std::uint64_t state_free = 0;
constexpr std::uint64_t state_busy = 1ULL << 16;
constexpr std::uint64_t state_live = 2ULL << 16;
constexpr std::uint64_t count_one = 1ULL << 18;
constexpr std::uint64_t count_mask = ~(count_one - 1);

std::uint64_t state_of(std::uint64_t tag) { return tag & state_mask; }

// Two rounds of a multiply-xorshift permutation (the finaliser of MurmurHash3 with a seed).
std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  x ^= x >> 33;
  return x;
}

// 32 random bits to 0 .. count-1 without a division.
std::uint32_t scale(std::uint64_t bits, std::uint32_t count) {
  return static_cast<std::uint32_t>((bits & 0xffffffffU) * count >> 32);
}

}  // namespace

SessionTable::SessionTable(std::uint32_t capacity, std::uint64_t seed) : seed_(seed) {
  static_assert(sizeof(Bucket) == 128);
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  static_assert(std::is_trivially_destructible_v<Bucket>);
  const std::uint64_t entries = std::uint64_t{capacity} * 2;
  bucket_count_ = static_cast<std::uint32_t>((entries + bucket_entries - 1) / bucket_entries);
  if (bucket_count_ < choices) bucket_count_ = choices;
  mapped_bytes_ = std::uint64_t{bucket_count_} * sizeof(Bucket);
  void* memory = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  // A random key would miss the TLB nearly always at 1 Mi keys; bench/session_table_bench shows what it saves. Where
  // the kernel says no, everything works the same.
  (void)::madvise(memory, mapped_bytes_, MADV_HUGEPAGE);
  // Random keys touch every page soon enough: they are taken now, so that no session pays a page fault (and a page) for
  // its entry. Kernels before 5.14 do not know the advice and fault later. Zeros are empty buckets already.
  (void)::madvise(memory, mapped_bytes_, MADV_POPULATE_WRITE);
  buckets_ = static_cast<Bucket*>(memory);
}

SessionTable::~SessionTable() { ::munmap(buckets_, mapped_bytes_); }

SessionTable::Choices SessionTable::buckets_of(std::uint64_t key) const {
  const std::uint64_t first = mix(key ^ seed_);
  const std::uint64_t second = mix(first + 0x9e3779b97f4a7c15ULL);
  return {{&buckets_[scale(first, bucket_count_)], &buckets_[scale(first >> 32, bucket_count_)],
           &buckets_[scale(second, bucket_count_)], &buckets_[scale(second >> 32, bucket_count_)]}};
}

std::optional<Place> SessionTable::lookup(std::uint64_t key) const {
  const Choices at = buckets_of(key);
  for (const Bucket* bucket : at.bucket) {
    for (const Entry& entry : bucket->entries) {
      PARLEY_RACE_POINT();
      // Settles most entries with one load. A key that is live throughout was stored before this lookup began.
      if (entry.key.load(std::memory_order_seq_cst) != key) continue;
      PARLEY_RACE_POINT();
      const std::uint64_t tag = entry.tag.load(std::memory_order_seq_cst);
      if (state_of(tag) != state_live) continue;
      PARLEY_RACE_POINT();
      const std::uint64_t entry_key = entry.key.load(std::memory_order_acquire);
      PARLEY_RACE_POINT();
      const std::uint64_t value = entry.value.load(std::memory_order_acquire);
      PARLEY_RACE_POINT();
      if (entry.tag.load(std::memory_order_relaxed) != tag || entry_key != key) continue;
      return Place{static_cast<std::uint16_t>(tag & shard_mask), static_cast<std::uint32_t>(value >> 32),
                   static_cast<std::uint32_t>(value)};
    }
  }
  return std::nullopt;
}

// The owner's own view: nobody else changes this key, so what is seen here stays.
SessionTable::Entry* SessionTable::find_own(std::uint64_t key, const Choices& at) const {
  for (Bucket* bucket : at.bucket) {
    for (Entry& entry : bucket->entries) {
      if (entry.key.load(std::memory_order_acquire) != key) continue;
      PARLEY_RACE_POINT();
      const std::uint64_t tag = entry.tag.load(std::memory_order_acquire);
      // The first look at the key may have shown what an earlier insert left behind; this one is not older than `live`.
      if (state_of(tag) == state_live && entry.key.load(std::memory_order_acquire) == key) return &entry;
    }
  }
  return nullptr;
}

unsigned SessionTable::taken(const Bucket& bucket) {
  unsigned count = 0;
  for (const Entry& entry : bucket.entries) {
    if (state_of(entry.tag.load(std::memory_order_relaxed)) != state_free) ++count;
  }
  return count;
}

bool SessionTable::claim(Bucket& bucket, std::uint64_t key, const Place& place) {
  for (Entry& entry : bucket.entries) {
    std::uint64_t tag = entry.tag.load(std::memory_order_relaxed);
    if (state_of(tag) != state_free) continue;
    const std::uint64_t count = (tag & count_mask) + count_one;
    PARLEY_RACE_POINT();
    if (!entry.tag.compare_exchange_strong(tag, count | state_busy, std::memory_order_seq_cst,
                                           std::memory_order_relaxed)) {
      continue;  // another insert was faster
    }
    PARLEY_RACE_POINT();
    entry.key.store(key, std::memory_order_seq_cst);
    PARLEY_RACE_POINT();
    entry.value.store(std::uint64_t{place.slot} << 32 | place.generation, std::memory_order_release);
    PARLEY_RACE_POINT();
    entry.tag.store(count | state_live | place.shard, std::memory_order_seq_cst);
    PARLEY_RACE_POINT();
    return true;
  }
  return false;
}

SessionTable::Insert SessionTable::insert(std::uint64_t key, const Place& place) {
  CHECK(key != 0);
  const Choices at = buckets_of(key);
  if (find_own(key, at) != nullptr) return Insert::exists;
  // The emptier of the first two buckets: with it a half-full table overflows far more rarely than with the first that
  // has room. The other two are for the rare key whose first two are full.
  const bool swapped = taken(*at.bucket[1]) < taken(*at.bucket[0]);
  for (const unsigned choice : {swapped ? 1U : 0U, swapped ? 0U : 1U, 2U, 3U}) {
    if (claim(*at.bucket[choice], key, place)) return Insert::done;
  }
  return Insert::full;
}

bool SessionTable::erase(std::uint64_t key) {
  if (key == 0) return false;
  Entry* entry = find_own(key, buckets_of(key));
  if (entry == nullptr) return false;
  const std::uint64_t tag = entry->tag.load(std::memory_order_relaxed);
  entry->tag.store((tag & count_mask) | state_free, std::memory_order_seq_cst);
  return true;
}

bool SessionTable::erase(std::uint64_t key, const Place& place) {
  if (key == 0) return false;
  const std::uint64_t value = std::uint64_t{place.slot} << 32 | place.generation;
  for (Bucket* bucket : buckets_of(key).bucket) {
    for (Entry& entry : bucket->entries) {
      if (entry.key.load(std::memory_order_acquire) != key) continue;
      const std::uint64_t tag = entry.tag.load(std::memory_order_acquire);
      if (state_of(tag) != state_live || (tag & shard_mask) != place.shard) continue;
      // Its own entry keeps still; in that of another at least one of these differs, now or before.
      if (entry.value.load(std::memory_order_acquire) != value || entry.key.load(std::memory_order_acquire) != key)
        continue;
      if (entry.tag.load(std::memory_order_relaxed) != tag) continue;
      entry.tag.store((tag & count_mask) | state_free, std::memory_order_seq_cst);
      return true;
    }
  }
  return false;
}

std::uint64_t SessionTable::count() const {
  std::uint64_t live = 0;
  for (std::uint32_t b = 0; b < bucket_count_; ++b) {
    for (const Entry& entry : buckets_[b].entries) {
      if (state_of(entry.tag.load(std::memory_order_relaxed)) == state_live) ++live;
    }
  }
  return live;
}

}  // namespace parley::core
