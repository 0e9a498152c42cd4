// core/session_table.h - who owns a key: one fixed-size index for the whole process, read by all shards without
// waiting.
//
// 64-bit keys (half of a session-id, a dialog, a room) to a Place. Every operation is wait-free: it looks at
// no more than 4 buckets of 5 entries, never retries and never waits for another thread. The table is an index, not an
// authority: the owner checks the full id and the generation.
//
// Who may call: lookup - any thread. insert, erase - the key's owner, so that writes to ONE key never overlap and each
// happens after the one before it. Writes to different keys may overlap freely. Several who insert one key without
// knowing of each other take it out by key and place: each its own entry, and meanwhile a lookup finds one of them.
//
// How. An entry is {tag, key, value}. The tag holds a state (free, busy, live), how often the entry was taken so far,
// and the shard. A key never moves while it is live.
//   insert: tag free -> busy (compare-and-swap: only one wins; the loser tries the next entry), key and value written,
//           tag -> live with the count one higher. The store of `live` is when the key appears.
//   erase:  tag live -> free, the count kept. That store is when the key goes.
//   lookup: for each entry: tag, key, value, tag again. Both tags live and equal, and the key right: found.
//
// Why it is linearizable (each key is a register of its own; linearizability composes):
//   Tag values do not come back: the count grows with every insert into the entry and has 46 bits; one lookup would
//   have to be held up across 7 * 10^13 inserts into one entry to see one twice. Found: key and value are stored with
//   release after `busy` and read with acquire before the second tag. Had either been written by a later insert, that
//   insert's `busy` would be visible to the second read and the tags would differ. So both belong to the first tag's
//   insert, and the key was live with this value when the first tag was read: the lookup takes effect there. Not found:
//   had the key been live during the whole lookup it would have stood in one entry, untouched, and reading that entry
//   gives two equal tags and the key - found. So at some instant of the lookup the key was not live, and the lookup
//   takes effect there. The stores of key and tag and the lookup's first loads of both are sequentially consistent, so
//   an insert or erase that has returned is seen by every lookup that starts later in real time. insert's answer `full`
//   has no effect and depends on other keys; it is the one answer this argument leaves out.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace parley::core {

// Where a key's object lives: shard, and SlotId in it.
struct Place {
  std::uint16_t shard = 0;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  bool operator==(const Place&) const = default;
};

class SessionTable {
 public:
  enum class Insert : std::uint8_t {
    done,
    exists,  // the key is live; nothing was changed
    full,    // all entries this key may use are taken; nothing was changed
  };

  // Room for `capacity` keys, 51 bytes each, taken now. At `capacity` keys the table is half full and an insert finds
  // no place with a chance below one in a million; it is `capacity` that the owners' limits have to add up to. `seed`
  // keeps those who can choose keys from choosing them for one bucket.
  SessionTable(std::uint32_t capacity, std::uint64_t seed);
  ~SessionTable();
  SessionTable(const SessionTable&) = delete;
  SessionTable& operator=(const SessionTable&) = delete;

  // Key 0 is reserved: it is never found, and must not be inserted.
  [[nodiscard]] std::optional<Place> lookup(std::uint64_t key) const;
  [[nodiscard]] Insert insert(std::uint64_t key, const Place& place);
  // False when the key is not there.
  bool erase(std::uint64_t key);
  // Only the entry that holds this place, which nobody else inserts or erases.
  bool erase(std::uint64_t key, const Place& place);

  // Keys that are live, counted by walking over everything: for tests and the admin side.
  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] std::uint64_t memory_bytes() const { return mapped_bytes_; }

 private:
  static constexpr unsigned bucket_entries = 5;
  static constexpr unsigned choices = 4;

  struct Entry {
    std::atomic<std::uint64_t> tag;  // bits 0-15 shard, 16-17 state, 18-63 count
    std::atomic<std::uint64_t> key;
    std::atomic<std::uint64_t> value;  // slot << 32 | generation
  };
  // Two cache lines, which the processor fetches as a pair. All zero bytes are an empty bucket.
  struct alignas(128) Bucket {
    Entry entries[bucket_entries];
  };
  struct Choices {
    Bucket* bucket[choices];
  };

  [[nodiscard]] Choices buckets_of(std::uint64_t key) const;
  [[nodiscard]] Entry* find_own(std::uint64_t key, const Choices& at) const;
  static bool claim(Bucket& bucket, std::uint64_t key, const Place& place);
  static unsigned taken(const Bucket& bucket);

  Bucket* buckets_ = nullptr;
  std::uint32_t bucket_count_;
  std::uint64_t mapped_bytes_;
  std::uint64_t seed_;
};

}  // namespace parley::core
