// policy/room_ring.h - what a room keeps of its last messages, for members that are behind.
//
// One per room; heap blocks of the shard's pool, at most `bytes_max` of them, entries included. A message that is there
// as a whole is copied into a segment that it shares with others; one that comes in pieces is gathered in a block of
// its own and becomes an entry when it is complete. Segments are used again in turn, so in steady state nothing is
// allocated. What is too large leaves a gap: an entry without bytes.
//
// Numbers are those of the room's commits: each commit adds one entry, and the oldest ones leave when there is no room
// for a new one, or by age.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/pool.h"
#include "core/time.h"
#include "msrp/head.h"

namespace parley::policy {

// A message that is being gathered.
struct RoomGathered {
  core::BufferId block = core::no_buffer;
  std::uint32_t used = 0;
  [[nodiscard]] bool present() const { return block != core::no_buffer; }
};

class RoomRing {
 public:
  // What an entry is besides its bytes.
  struct About {
    std::uint32_t sender = 0;       // number of the member it is from; it does not get it again
    std::uint64_t to_user = 0;      // hash of the user's key; 0: everybody
    std::uint32_t type_offset = 0;  // of its content type, counted in the body (cpim) or in the header lines
    std::uint32_t type_length = 0;
    bool type_in_body = false;
    std::uint32_t id_offset = 0;  // of the Message-ID in the header lines
    std::uint32_t id_length = 0;
    msrp::FailureReport failure = msrp::FailureReport::yes;  // as the header lines say
    // Who is to be told when it leaves and somebody has not got it: the sender's Message-ID, which stands behind the
    // body, and the length of the message as the sender counts. 0: nobody.
    std::uint8_t own_id_length = 0;
    std::uint64_t own_total = 0;
    core::Instant at{};
  };
  struct Entry {
    std::uint64_t number = 0;
    About about;
    core::Slice bytes;  // header lines, then the body; no block: a gap
    std::uint32_t headers_length = 0;
  };

  // An entry that has left.
  struct Left {
    std::uint64_t number = 0;
    About about;
    std::string type;    // of its content
    std::string own_id;  // as in About
    std::string head;    // private: the beginning of its body, with its CPIM head
  };

  RoomRing(core::Pool& pool, std::uint32_t bytes_max) : pool_(pool), bytes_max_(bytes_max) {}
  ~RoomRing() { clear(); }
  RoomRing(const RoomRing&) = delete;
  RoomRing& operator=(const RoomRing&) = delete;

  [[nodiscard]] bool off() const { return bytes_max_ == 0; }
  // A message above this leaves a gap.
  [[nodiscard]] std::uint32_t message_bytes_max() const { return bytes_max_ / 2; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t entries() const { return count_; }

  // Appends to what is being gathered, which is begun when it has no block; `expected` bytes will come, 0: not known.
  // False: no room, and `gathered` is dropped.
  bool gather(RoomGathered& gathered, std::uint64_t expected, std::string_view first, std::string_view second);
  void drop(RoomGathered& gathered);

  // The next number's entry. `number` grows by one from call to call. False: it became a gap.
  bool add(std::uint64_t number, const About& about, std::string_view headers, std::string_view prefix,
           std::string_view body, std::string_view own_id = {});
  // The same of a gathered one, whose bytes begin with its `headers_length` header lines and end with its own_id; nothing
  // gathered is a gap.
  bool add(std::uint64_t number, const About& about, std::uint32_t headers_length, RoomGathered& gathered);

  // The first number that is still here; `next` when nothing is.
  [[nodiscard]] std::uint64_t oldest(std::uint64_t next) const { return count_ == 0 ? next : at(0).number; }
  // nullptr when it is not here (any more). Valid until the next call of anything but this.
  [[nodiscard]] const Entry* find(std::uint64_t number) const;

  // Entries from that number on that have an own_id are noted in left() when they leave; ~0: none.
  void note_from(std::uint64_t number) { note_from_ = number; }
  [[nodiscard]] std::uint64_t noted_from() const { return note_from_; }
  [[nodiscard]] std::vector<Left>& left() { return left_; }

  // Drops what is older.
  void expire(core::Instant before);
  // When the oldest entry was added; never without one.
  [[nodiscard]] core::Instant oldest_at() const { return count_ == 0 ? core::never : at(0).about.at; }
  void clear();

 private:
  struct Segment {
    core::BufferId block = core::no_buffer;
    std::uint32_t used = 0;
    std::uint32_t entries = 0;
  };
  static constexpr std::uint32_t entry_bytes = sizeof(Entry);
  static constexpr std::uint32_t segment_bytes_min = 1024;  // the first; each one is twice as long as the one before
  static constexpr std::uint32_t segment_bytes_max = 16 * 1024;

  [[nodiscard]] const Entry& at(std::size_t i) const { return entries_[(first_ + i) % entries_.size()]; }
  [[nodiscard]] bool make_room(std::uint64_t bytes);
  [[nodiscard]] core::BufferId take_block(std::uint32_t bytes);
  void give_block(core::BufferId block);
  [[nodiscard]] bool open_segment(std::uint32_t bytes);
  [[nodiscard]] bool turn_first_segment(std::uint32_t bytes);
  [[nodiscard]] bool make_entry_room();
  void push(const Entry& entry);
  void note(const Entry& entry);
  void drop_first();
  void pop();

  core::Pool& pool_;
  std::uint32_t bytes_max_;
  std::uint64_t bytes_ = 0;     // of blocks, and entries
  std::vector<Entry> entries_;  // a circle
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::vector<Segment> segments_;  // oldest first; a handful
  std::uint64_t note_from_ = ~std::uint64_t{0};
  std::vector<Left> left_;
};

}  // namespace parley::policy
