// policy/room_config.h - what an operator decides about rooms, as one immutable value per reload.
//
// Shared read-only by all shards; numbers are per shard where nothing else is said. The flags that fill it stand in
// tools/parleyd/flags_room.cc.
#pragma once

#include <cstdint>

#include "core/time.h"

namespace parley::policy {

struct RoomConfig {
  std::uint32_t rooms_max = 100'000;    // about 600 bytes each
  std::uint32_t members_max = 400'000;  // of all rooms, about 400 bytes each
  std::uint32_t members_per_room_max = 10'000;
  std::uint32_t messages_max = 16'384;        // begun and not over, of all rooms, about 400 bytes each
  std::uint32_t messages_per_member_max = 8;  // begun by one member and not over
  std::uint32_t away_per_room_max = 10'000;   // members that were lost and may come back, about 150 bytes each

  std::uint32_t cpim_head_bytes_max = 8 * 1024;  // of a message/cpim head that comes in pieces: held until it is whole
  std::uint64_t message_bytes_max = 0;           // of a message where the room says nothing; 0: any
  core::Duration message_timeout = std::chrono::seconds(540);  // without a chunk (RFC 7701 section 6.1)
  core::Duration count_wait = std::chrono::seconds(30);  // for the members' answers before a count is sent (OMA-DR-3)

  // What a room keeps for members that are slow, or lost and come back.
  std::uint32_t ring_bytes = 256 * 1024;            // of each group that carries messages
  std::uint32_t one_to_one_ring_bytes = 64 * 1024;  // the same for rooms of two
  core::Duration rejoin_window = std::chrono::minutes(5);
  core::Duration lag_time = std::chrono::seconds(60);  // behind for longer: closed
  std::uint32_t lag_low_bytes = 64 * 1024;             // less than this waits for a member: it may catch up
  // Waiting for a receiver: the sender of a long message is held back (not read), by half of a group or by one of two.
  std::uint32_t hold_high_bytes = 192 * 1024;
  core::Duration hold_time = std::chrono::seconds(10);  // at most, in a group; then the slow ones are left behind
  // Rooms of up to that many members ask each of them for a 200 to each copy, so that who comes back gets exactly what
  // it missed. In larger ones, and in groups where the sender said Failure-Report: no, one copy in 128 is answered, and
  // the first one when none was for a second: what was written after that one is sent again.
  std::uint32_t answers_members_max = 10'000;
  std::uint32_t recent_ids = 64;  // finished messages per room whose repetition is noticed, 8 bytes each
  core::Duration nickname_hold = std::chrono::seconds(30);  // reserved for who was lost (RFC 7701 section 11)
  bool report_missed = true;                                // a failure REPORT when a member missed a message
};

}  // namespace parley::policy
