// policy/guest_legs.h - MSRP sessions on this shard that are legs of rooms on other shards: the other side of far_legs.h,
// where it is said what passes between the two.
//
// One per shard, used by its thread alone. It does what the mail says and tells what happens; it knows no rooms.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/time.h"
#include "policy/leg_post.h"
#include "policy/room_legs.h"
#include "policy/session_media.h"

namespace parley::policy {

class GuestLegs {
 public:
  // `slow_bytes`: a leg with more than that waiting is slow (RoomConfig::hold_high_bytes).
  GuestLegs(RoomLegs& legs, SessionMedia& media, LegPost& post, std::uint32_t slow_bytes)
      : legs_(legs), media_(media), post_(post), slow_bytes_(slow_bytes), homes_(post.shards()) {}

  void begin(const core::Now& now) { now_ = now.mono; }
  void reload(std::uint32_t slow_bytes) { slow_bytes_ = slow_bytes; }
  // A record for a leg here.
  void on_record(const LegPost::Incoming& record);
  [[nodiscard]] static bool is_for_us(LegRecord kind) { return kind <= LegRecord::noted; }
  // False when it is no guest's.
  [[nodiscard]] bool on_fact(msrp::EndFact& fact);
  // What has changed without a fact; when the step ends.
  void expire();
  [[nodiscard]] core::Instant next_deadline() const;
  [[nodiscard]] std::uint32_t live() const { return live_; }

 private:
  struct Guest {
    msrp::EndHandle far;  // as its home names it; not valid(): nobody
    msrp::EndHandle end;
    bool stopped = false;
    bool dropped = false;            // something, since then
    std::uint64_t dropped_mark = 0;  // the first last chunk
    std::uint32_t taken = 0;         // not told yet
    std::uint32_t waiting = 0;       // told
    bool held = false;               // as home does not read as fast
  };
  struct Home {
    std::vector<Guest> guests;  // by the slot in its name
    std::vector<std::uint32_t> held;
    std::vector<std::uint32_t> taken;
    std::vector<std::uint32_t> slow;
  };
  static constexpr core::Duration slow_look = std::chrono::milliseconds(20);

  [[nodiscard]] Guest* find(std::uint32_t home, msrp::EndHandle far);
  [[nodiscard]] Guest* guest_of(msrp::EndHandle end, std::uint32_t& home);
  void open(const LegPost::Incoming& record);
  void close(std::uint32_t home, Guest& guest);
  void send(const LegPost::Incoming& record);
  void fan_out(const LegPost::Incoming& record);
  [[nodiscard]] msrp::EndSend read_send(LegReader<LegSend>& in);
  void drop(Guest& guest, std::uint64_t mark);
  void stop(std::uint32_t home, Guest& guest, LegStop why);
  void note_not_sent(std::uint32_t home, Guest& guest, msrp::Ends::Sent why, std::uint64_t mark);
  void tell_failed(std::uint32_t home, msrp::EndHandle far, std::uint16_t status);
  void look_for_slow(std::uint32_t home);

  RoomLegs& legs_;
  SessionMedia& media_;
  LegPost& post_;
  std::uint32_t slow_bytes_;
  std::vector<Home> homes_;  // by shard
  struct Place {
    std::uint32_t home = 0;
    msrp::EndHandle far;
  };
  std::vector<Place> by_end_;  // by EndHandle::index
  std::uint32_t live_ = 0;
  core::Instant now_{};
  core::Instant next_look_ = core::never;  // at those who are slow
  std::vector<msrp::EndHandle> ends_;
  std::vector<msrp::Ends::NotSent> not_sent_;
  std::string token_;
};

}  // namespace parley::policy
