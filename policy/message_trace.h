// policy/message_trace.h - the last messages that went through the rooms of a shard, for operators who look for one of
// them: what became of it, never what it says.
//
// A circle of `capacity` records, about 250 bytes each; the oldest makes room for a new one. A message costs one record
// when it is committed and one look-up for each answer of a member; fan-outs are counted, not followed. Core-local.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/slot_map.h"
#include "msrp/head.h"

namespace parley::policy {

inline constexpr std::size_t shown_id_bytes_max = 48;  // of the Message-ID that a group's members see

struct TracedMessage {
  std::array<char, msrp::message_id_bytes_max> id{};     // the sender's
  std::array<char, shown_id_bytes_max> shown{};          // the members' in a group
  std::uint8_t id_length = 0;
  std::uint8_t shown_length = 0;
  bool to_one = false;           // private
  core::SlotId room;
  std::uint64_t room_owner = 0;  // RoomTraits::owner
  std::uint64_t number = 0;      // its commit
  std::int64_t wall_ms = 0;
  std::uint64_t bytes = 0;
  std::uint32_t sender = 0;      // number of the member; 0: the room itself
  std::uint32_t legs = 0;        // members it was for
  std::uint32_t delivered = 0;   // of them: it was written to
  std::uint32_t behind = 0;      // it was not, as they were behind: they get it later, or miss it
  std::uint32_t answered = 0;    // 200
  std::uint32_t failed = 0;      // another status, or no answer in time

  [[nodiscard]] std::string_view message_id() const { return {id.data(), id_length}; }
  [[nodiscard]] std::string_view shown_id() const { return {shown.data(), shown_length}; }
};

class MessageTrace {
 public:
  // Forgets what was kept, when that changes. 0: nothing is kept.
  void set_capacity(std::uint32_t capacity);
  [[nodiscard]] bool on() const { return !records_.empty(); }

  void add(const TracedMessage& message);
  // The message with that number of a room; null when it is not kept (any more).
  [[nodiscard]] TracedMessage* find(core::SlotId room, std::uint64_t number);

  void answered(core::SlotId room, std::uint64_t number, bool ok);
  // A member was written to that was behind.
  void caught_up(core::SlotId room, std::uint64_t number);

  // Those with that Message-ID, the sender's or the members', the newest first.
  template <typename Visit>
  void for_each(std::string_view message_id, Visit&& visit) const {
    for (std::uint32_t i = 0; i < used_; ++i) {
      const TracedMessage& each = records_[(next_ + records_.size() - 1 - i) % records_.size()].message;
      if (each.message_id() == message_id || each.shown_id() == message_id) visit(each);
    }
  }

 private:
  static constexpr std::uint32_t none = 0xffffffffU;
  struct Record {
    TracedMessage message;
    std::uint32_t next = none;  // with the same hash
  };
  [[nodiscard]] std::uint32_t& head(core::SlotId room, std::uint64_t number);

  std::vector<Record> records_;
  std::vector<std::uint32_t> heads_;
  std::uint32_t next_ = 0;
  std::uint32_t used_ = 0;
};

}  // namespace parley::policy
