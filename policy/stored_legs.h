// policy/stored_legs.h - legs of rooms that are no MSRP sessions but messages of the store: one that is being stored
// (OMA-LRG-4), one that is sent out of it (OMA-DEF-8, OMA-DEF-13), or all that a record of a user's history has, one after
// the other (OMA-HIS-5). A room of kind `distribution` sees one kind of leg.
//
//   stored_legs.cc        what they have in common, and what keeps
//   stored_legs_give.cc   what gives a message
//   stored_records.cc     what gives a record
//
// A leg that keeps takes what a fan-out gives it, in any order, and writes it in blocks; a leg that gives reads blocks
// and says them as facts. No more than window_bytes of one message are in memory: a sender that is faster than the disk
// is held (RoomLegs::hold), and nothing is read from the disk that its receiver has no room for. Of a record there is one
// page, of page_bytes and one message. What a leg has stored is answered with 200, as the last piece of a message is by
// any leg, when its row can not be lost any more.
//
// One per shard, used by its thread alone. Also the door for facts: next_fact() until false, after all else.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/metrics.h"
#include "core/pool.h"
#include "core/seam.h"
#include "core/slot_map.h"
#include "policy/room_legs.h"

namespace parley::policy {

// Such ends have handles that no others have (far_legs.h).
inline constexpr std::uint32_t stored_leg_bit = 1U << 30;
[[nodiscard]] constexpr bool is_stored(msrp::EndHandle end) {
  return (end.index & (stored_leg_bit | 1U << 31)) == stored_leg_bit;
}
[[nodiscard]] constexpr std::uint32_t stored_slot(msrp::EndHandle end) { return end.index & ~stored_leg_bit; }

class StoredLegs final : public RoomLegs {
 public:
  static constexpr std::uint32_t block_bytes = 128 * 1024;    // of one write or read
  static constexpr std::uint32_t window_bytes = 512 * 1024;   // of one message that wait for the disk, or came from it
  static constexpr std::uint32_t piece_bytes = 64 * 1024;     // that goes out at one time
  static constexpr std::uint32_t pieces_max = 8;              // without an answer
  static constexpr std::uint32_t beginning_bytes = 8 * 1024;  // that stand in the row
  static constexpr std::uint32_t page_count = 64;             // messages of a record that are read at one time
  static constexpr std::uint32_t page_bytes = 128 * 1024;

  struct Parts {
    core::Pool& pool;
    core::Metrics& metrics;
    RoomLegs& others;
  };
  explicit StoredLegs(const Parts& parts);
  ~StoredLegs() override;
  void begin(core::Outbox& out) {
    out_ = &out;
    ready_.insert(ready_.end(), stalled_.begin(), stalled_.end());
    stalled_.clear();
  }

  // A message that is to be stored: its row, but for what its bytes say. `bytes_max`: it may have so many.
  struct Keep {
    core::DeferredRow row;
    // Of the INVITE that brings it. An MSRP Message-ID is the only one in its session alone: where the message has none
    // of its own (imdn), these say which it is.
    std::string call_id;
    std::string from_tag;
    std::uint64_t bytes_max = 0;
    std::uint32_t count_max = 0;  // of PutDeferred
    std::uint64_t user_bytes_max = 0;
    std::uint64_t owner = 0;
    bool refused = false;  // none of it is kept: it is read for what its sender wants to hear of that
  };
  // Messages that are being stored or sent: so many, and owners of one user, who sends them or is sent them.
  struct Limits {
    std::uint32_t legs = 0;
    std::uint32_t per_user = 0;
  };
  // Not valid(): there are too many.
  [[nodiscard]] msrp::EndHandle keep(Keep what, const Limits& limits);
  // A message that is sent: large, or one of a row alone. It begins when the room lets it.
  [[nodiscard]] msrp::EndHandle give(const core::DeferredRow& row, std::uint64_t owner, const Limits& limits);
  // All messages of a record, in their order; what its receiver does not take is passed over. Over when he has answered
  // the last one. `open_max`: messages of one sender that its room takes at one time.
  [[nodiscard]] msrp::EndHandle give_record(core::HistoryRecordRow row, std::uint64_t owner, const Limits& limits,
                                            std::uint32_t open_max);

  // What has become of a leg, once: 200, or why not; 0: its sender gave it up. Of one that keeps with its row, `kept`
  // when that is stored.
  struct Over {
    msrp::EndHandle end;
    std::uint64_t owner = 0;
    std::uint16_t status = 0;
    bool kept = false;
    bool lost = false;  // its sender sent it, and it is not stored
    bool duplicate = false;
    core::DeferredRow row{};
  };
  [[nodiscard]] bool next_over(Over& over);

  [[nodiscard]] bool next_fact(msrp::EndFact& fact);
  // There are some for the next step.
  [[nodiscard]] bool has_facts() const { return !facts_.empty() || !ready_.empty(); }
  void on_stored(const core::StoreResult& result);
  // Each fact of another leg, before its room has it.
  void on_other_fact(const msrp::EndFact& fact) {
    if (giving_ != 0) look_at(fact);
  }
  [[nodiscard]] std::uint32_t live() const { return legs_.size(); }
  // For tests: messages of records that are in memory.
  [[nodiscard]] std::size_t page_messages();

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
  [[nodiscard]] bool outrun() const override { return others_.outrun(); }

 private:
  // What is left of a record that is being sent; the message that goes now is that of its leg.
  struct Record {
    core::HistoryRecordRow row;
    std::deque<core::HistoryMessageRow> page;
    std::uint32_t after = 0;  // number of the last one that was read
    bool more = true;         // the store may have others
    bool asked = false;       // them
    std::uint32_t open_max = 1;
    std::string current;      // Message-ID of the one that goes now
    std::vector<std::string> open;  // of those that have not come to their end
    std::uint64_t taken = 0;
    std::uint16_t refusal = 0;  // of those that were not; 0: none
  };
  struct Leg {
    core::SlotId self;
    std::uint64_t owner = 0;
    std::string share;  // in shares_
    core::DeferredRow row;
    bool gives = false;
    bool over = false;    // told
    bool closed = false;  // by its room; it stays for what the store has yet to say
    // keeps
    std::string call_id;
    std::string from_tag;
    std::uint64_t bytes_max = 0;
    std::uint32_t count_max = 0;
    std::uint64_t user_bytes_max = 0;
    std::string block;              // not given to the store yet
    std::uint64_t block_start = 1;  // number of its first byte
    std::uint64_t in_flight = 0;    // bytes that the store has not answered
    std::uint32_t writes = 0;
    std::uint64_t mark = 0;  // of what came last
    bool refused = false;    // as in Keep
    bool ended = false;      // all of it has come
    bool settling = false;   // it is being synced, or its row put
    msrp::EndHandle held;    // whom the room passes on, not read for our sake
    // gives
    std::uint64_t given = 0;   // bytes
    std::uint64_t asked = 0;   // of the store
    std::uint64_t loaded = 0;  // bytes in `blocks` and on their way
    std::deque<std::string> blocks;
    std::size_t used = 0;  // of the first one
    std::uint32_t holds = 0;
    bool begun = false;  // its room knows that it is there
    std::uint32_t unanswered = 0;
    std::vector<msrp::EndHandle> to;  // who gets it
    std::unique_ptr<Record> record;   // gives: null: it is one message
  };
  enum class Asked : std::uint8_t { write, sync, put, read, page };
  struct Waiting {
    core::SlotId leg;
    Asked what = Asked::write;
    std::uint64_t bytes = 0;
  };
  struct Fact {
    msrp::EndFact fact;
    msrp::Head head;
    std::string text;
  };

  [[nodiscard]] msrp::EndHandle add(Leg leg, const Limits& limits);
  void leave_share(const Leg& leg);
  [[nodiscard]] static msrp::EndHandle handle(core::SlotId slot) {
    return {slot.index | stored_leg_bit, slot.generation};
  }
  [[nodiscard]] Leg* get(msrp::EndHandle end);
  [[nodiscard]] const Leg* get(msrp::EndHandle end) const { return const_cast<StoredLegs*>(this)->get(end); }
  void ask(Leg& leg, Asked what, std::uint64_t bytes, core::StoreOp op);
  void tell(Leg& leg, std::uint16_t status, bool duplicate = false);

  void take(Leg& leg, const msrp::EndSend& message);
  void put_bytes(Leg& leg, std::string_view bytes);
  void write_block(Leg& leg);
  void pace(Leg& leg, msrp::EndHandle source);
  void let_go_on(Leg& leg);
  void settle(Leg& leg);
  static void read_beginning(Leg& leg);
  void look_into(Leg& leg, const msrp::EndSend& message);
  void put_row(Leg& leg);
  void answered(Leg& leg, std::uint16_t status, std::uint64_t mark);
  void fail(Leg& leg, std::uint16_t status);
  void begin_anew(Leg& leg);
  void on_put(Leg& leg, core::StoreResult::Status status);
  void forget(Leg& leg);

  void look_at(const msrp::EndFact& fact);
  void pump(Leg& leg);
  void read_ahead(Leg& leg);
  [[nodiscard]] bool has_room(const Leg& leg) const;
  void give_piece(Leg& leg);
  void on_read(Leg& leg, const core::StoreResult& result, std::uint64_t bytes);

  [[nodiscard]] bool next_message(Leg& leg);
  void read_page(Leg& leg);
  void on_page(Leg& leg, const core::StoreResult& result);
  void on_end(Leg& leg, std::string_view message_id, std::uint16_t status);
  void look_at_end(Leg& leg);

  // The value of that header line, as a Span of `lines`.
  [[nodiscard]] static core::Span line_value(std::string_view lines, std::string_view name);
  // The Message-ID of what has none of its sender.
  [[nodiscard]] static std::string own_id(const core::DeferredRow& row);

  core::Pool& pool_;
  core::Metrics& metrics_;
  RoomLegs& others_;
  core::Digest digest_;
  core::Outbox* out_ = nullptr;
  core::SlotMap<Leg> legs_;
  std::map<std::string, std::map<std::uint64_t, std::uint32_t>> shares_;  // by user and owner: legs
  std::uint32_t giving_ = 0;
  std::uint32_t records_ = 0;
  std::uint64_t numbers_ = 0;
  std::map<std::uint64_t, Waiting> waiting_;
  std::deque<Fact> facts_;
  Fact told_;
  std::deque<Over> overs_;
  std::vector<core::SlotId> ready_;  // that give, and may go on
  std::vector<core::SlotId> stalled_;  // likewise, but for what the kernel has yet to send: looked at each step
  std::vector<msrp::EndHandle> other_ends_;
};

}  // namespace parley::policy
