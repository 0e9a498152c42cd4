// tools/parleyd/flags_room.cc - the flags of rooms, the MSRP side of IM sessions, and the checks between them.
#include "tools/parleyd/flags_room.h"

namespace parley::parleyd {

using namespace std::chrono_literals;
using std::chrono::hours;
using std::chrono::minutes;

namespace {

void add_room_limits(FlagTable& flags, policy::RoomConfig& c) {
  flags.count("--rooms-max", c.rooms_max, 1, 10'000'000,
              "Rooms of IM sessions, per shard; a session without one is refused. Each costs about 1 KiB.");
  flags.count("--room-members-total-max", c.members_max, 2, 50'000'000,
              "Members of all rooms, per shard. Each costs about 1 KiB beside its connection.");
  flags.count("--room-members-max", c.members_per_room_max, 2, 1'000'000,
              "Members of one room; one more is refused with 486. Every message is written to each.");
  flags.count(
      "--room-messages-max", c.messages_max, 16, 10'000'000,
      "Messages of all rooms that have begun and are not over, per shard; one more is answered 413. Each costs about 1 "
      "KiB. A room has 64 of them at most.");
  flags.count("--room-messages-per-member-max", c.messages_per_member_max, 1, 64,
              "The same of one member, who sends them mixed.");
  flags.size("--cpim-head-max", c.cpim_head_bytes_max, 512, 64 * kib,
             "Longest head of a message/cpim; a longer one is answered 400. One that comes in pieces is held until it "
             "is whole.");
  flags.size("--room-message-bytes-max", c.message_bytes_max, 0, 1024 * gib,
             "Largest message of a room that says nothing about it; a larger one is stopped with 413. 0: any size.");
  flags.duration(
      "--room-message-timeout", c.message_timeout, 10s, hours(2),
      "A message without another chunk for this long is given up, and its receivers are told (RFC 7701 section 6.1).");
  flags.count("--room-recent-ids", c.recent_ids, 0, 10'000,
              "Finished messages of a room whose repetition is noticed and goes nowhere. Each costs 8 bytes. 0: none.");
}

void add_room_memory(FlagTable& flags, policy::RoomConfig& c) {
  flags.size(
      "--room-ring-bytes", c.ring_bytes, 0, gib,
      "What a room keeps of its last messages for members that are slow, lost or not there yet; messages above half of "
      "it are not kept. Taken as it is needed, counted by --heap-max. 0: such members miss what they miss.");
  flags.size("--one-to-one-ring-bytes", c.one_to_one_ring_bytes, 0, gib, "The same for sessions of two.");
  flags.duration(
      "--rejoin-window", c.rejoin_window, 1s, hours(24),
      "How long a message is kept, and the place of a member that was lost: coming back within it, it gets what it "
      "has missed. Raising it keeps rings of quiet rooms longer.");
  flags.count("--room-away-max", c.away_per_room_max, 0, 1'000'000, "Lost members of one room whose place is kept.");
  flags.duration("--room-lag-time", c.lag_time, 1s, hours(1),
                 "A member that is connected and behind for this long is closed. Its queue is --msrp-end-queue-max.");
  flags.count(
      "--room-answers-members-max", c.answers_members_max, 0, 1'000'000,
      "Rooms of up to that many members want a 200 for each copy, so that who comes back gets exactly what it missed. "
      "In larger ones, and of messages with Failure-Report: no, one copy in 128 is answered, and the first one when "
      "none was for a second: half as many frames, and who comes back gets again what it may have.");
  flags.size(
      "--room-hold-bytes", c.hold_high_bytes, kib, gib,
      "A receiver is slow when more than this waits for it. While half of a group is, the sender of a long message is "
      "not read. Below --msrp-end-queue-max.");
  flags.duration("--room-hold-time", c.hold_time, 0ms, hours(1),
                 "At most for this long; then the slow ones fall behind.");
  flags.duration("--sent-count-wait", c.count_wait, 1s, minutes(10),
                 "How long the answers of members are waited for where a sender asked how many got his message.");
  flags.duration("--nickname-hold", c.nickname_hold, 0ms, hours(24),
                 "How long the nickname of a member that was lost stays reserved for him.");
  flags.choice<bool>(
      "--room-report-missed", c.report_missed, {{"on", true}, {"off", false}},
      "A failure REPORT to the sender of a message in a group that a member will not get: it is slow or lost (408), or takes "
      "nothing that long (413). Senders of private messages and in sessions of two are always told.");
}

}  // namespace

void add_rooms(FlagTable& flags, Settings& s) {
  flags.group("Rooms");
  add_room_limits(flags, s.rooms);
  add_room_memory(flags, s.rooms);
}

void finish_rooms(const Settings& s) {
  const auto& c = s.rooms;
  if (c.hold_high_bytes >= s.relay.end_queue_bytes_max) {
    FlagTable::refuse("--room-hold-bytes", "must be below --msrp-end-queue-max");
  }
  if (c.members_per_room_max > c.members_max) {
    FlagTable::refuse("--room-members-max", "must not be above --room-members-total-max");
  }
}

}  // namespace parley::parleyd
