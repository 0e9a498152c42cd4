// policy/far_legs.h - the legs of rooms on this shard whose MSRP sessions are on other shards, beside those that are
// here: a room (room.h) sees one kind.
//
// A room lives on one shard, its home, which knows all members and orders all messages. A leg's MSRP session may be on
// any shard: its end is opened there, connections come to it there, the kernel is written to there. Between the two
// goes mail (leg_post.h).
//   - A fan-out is one record for each shard, whatever the number of its legs: header lines and body, once, and the
//     legs' names; a leg costs home 8 bytes to write, and where answers are asked for 8 bytes to read.
//   - All that happens on such a session comes home as the fact that it is there; home judges and answers.
//   - Order and exactness are those of the one stream of mail for each shard: what a member gets is what home wrote
//     between its join and its leave, and nothing in that stream is lost.
//   - What could not be written there - the leg's queue was full, its connection had gone - comes home late. From then
//     on (`stopped`) the other shard writes nothing to this leg, home gives it nothing (send() says `full`) and says so
//     in the stream (`noted`); by then all that was on its way has been seen and dropped, the fact `unsent` names the
//     first of it, and the room takes it from there, from its ring.
//   - A shard that has more than LegPost::window_bytes unread gets nothing more, its legs are `full`; at half of it
//     outrun() says that senders are to be held. In the same way the other shard stops reading members that send
//     faster than home reads.
//
// One per shard, used by its thread alone. Also the door for facts: next_fact() until false, after each batch of mail
// and after what else happens in a step.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/slot_map.h"
#include "core/time.h"
#include "policy/leg_post.h"
#include "policy/room_legs.h"

namespace parley::policy {

// Ends on other shards have handles that no end here has.
inline constexpr std::uint32_t far_leg_bit = 1U << 31;
inline constexpr std::uint32_t far_leg_slots = 1U << 22;  // of one home
inline constexpr std::uint32_t far_leg_shards = 1U << 9;
[[nodiscard]] constexpr bool is_far(msrp::EndHandle end) { return (end.index & far_leg_bit) != 0; }
[[nodiscard]] constexpr std::uint32_t far_slot(msrp::EndHandle end) { return end.index & (far_leg_slots - 1); }
[[nodiscard]] constexpr std::uint32_t far_shard(msrp::EndHandle end) {
  return (end.index & ~far_leg_bit) / far_leg_slots;
}

class FarLegs final : public RoomLegs {
 public:
  FarLegs(RoomLegs& near, LegPost& post, core::Metrics& metrics);

  void begin(const core::Now& now) { now_ = now.mono; }

  // --- life, as msrp::Ends has it

  // Not valid(): there are as many as can be named. `uri` with its session-id leads to that shard already.
  [[nodiscard]] msrp::EndHandle open(std::uint32_t shard, std::string_view session_id, std::string_view uri);
  [[nodiscard]] bool has_place() const { return far_.size() < far_leg_slots; }
  [[nodiscard]] std::string_view uri(msrp::EndHandle end) const;
  bool connect(msrp::EndHandle end, const msrp::EndPeer& peer, bool change);

  // --- RoomLegs: of both kinds

  void close(msrp::EndHandle end) override;
  void answer(msrp::EndHandle end, msrp::EndToken& token, std::uint16_t status) override;
  msrp::Ends::Sent send(msrp::EndHandle end, const msrp::EndSend& message) override;
  void fan_out(std::span<const msrp::EndHandle> ends, const msrp::EndSend& message,
               std::vector<msrp::Ends::NotSent>& not_sent) override;
  void report(msrp::EndHandle end, std::string_view message_id, const msrp::ByteRange& range, std::uint16_t status,
              std::string_view headers) override;
  [[nodiscard]] std::uint64_t waiting_bytes(msrp::EndHandle end) const override;
  void hold(msrp::EndHandle end) override;
  void release(msrp::EndHandle end) override;
  [[nodiscard]] bool outrun() const override;

  // --- what happened

  // A record that came home. What facts come of it next_fact() gives, before the next record is read.
  void on_record(const LegPost::Incoming& record);
  [[nodiscard]] bool next_fact(msrp::EndFact& fact);

 private:
  struct Far {
    std::string uri;
    std::uint32_t in_flight = 0;  // bytes of send() that are not known to be written
    std::uint32_t waiting = 0;    // as the other shard says; 0 when little
    bool stopped = false;         // up to `dropped`
    bool full = false;            // its queue is; up to `writable`
    bool told_full = false;       // and the room knows
    core::Instant tried{};        // full: when something was written last
  };
  // A leg that sends on its own is given so much before it is heard of.
  static constexpr std::uint32_t in_flight_bytes_max = 64 * 1024;
  // One that is full and is not heard of is tried again, as rooms do with all that are behind.
  static constexpr core::Duration try_again = std::chrono::seconds(1);

  [[nodiscard]] Far* get(msrp::EndHandle end);
  [[nodiscard]] const Far* get(msrp::EndHandle end) const { return const_cast<FarLegs*>(this)->get(end); }
  [[nodiscard]] static msrp::EndHandle handle(std::uint32_t shard, core::SlotId slot);
  // Whether something may be written now; if not it will be `writable`.
  [[nodiscard]] bool may_write(msrp::EndHandle end, Far& far, std::uint64_t bytes);
  void put_send(std::uint32_t shard, LegRecord kind, msrp::EndHandle to, std::span<const msrp::EndHandle> legs,
                const msrp::EndSend& message);
  void put_simple(LegRecord kind, msrp::EndHandle end);
  void mark(Far& far, bool stopped, bool full);
  void tell_writable(msrp::EndHandle end, Far& far);
  void read_fact(const LegPost::Incoming& record, msrp::EndFact& fact);

  RoomLegs& near_;
  LegPost& post_;
  core::Metrics& metrics_;
  core::Instant now_{};
  core::SlotMap<Far> far_;
  std::uint32_t marked_ = 0;  // that are stopped or full
  struct Split {
    std::vector<msrp::EndHandle> legs;         // of the fan-out at hand
    std::vector<msrp::EndHandle> wait_for_it;  // told `full` because the shard has too much
    bool full = false;
  };
  std::vector<Split> shards_;
  std::vector<msrp::EndHandle> near_legs_;
  std::deque<msrp::EndHandle> writable_;
  LegPost::Incoming record_;       // whose facts are given out
  std::uint64_t record_left_ = 0;  // of them
  msrp::Head head_;
  std::string scratch_;
};

}  // namespace parley::policy
