// policy/media_pair.h - the messages of IM sessions that go through this server: what one end sends the other one gets
// (SEED4-6.1.1-1, SEED4-6.1.1.2.2-10 to -12, SEED4-6.1.2.2.3-8, SEED4-6.1.2.2.5-2, SEED4-6.1.2.2.5-4, DEC-11; RFC
// 4975).
//
// One per shard, used by its thread alone; at most MediaConfig::pairs_max pairs. A pair is two MSRP sessions that end
// here (msrp/ends.h), one for each leg of a call. Bytes pass as they come; a SEND is answered here as a hop does and
// what the other side says against it later is reported. What comes while the other side is not there yet, or does not
// take more, is kept up to kept_bytes_max, and its sender is held back. A NICKNAME is answered by the other side (RFC
// 7701 section 7).
//
//   open()                    two sessions, for the descriptions of both legs
//   connect()                 a leg's peer is known, or has another path
//   name()                    what stands for the other side toward a leg's peer, and what it is
//   on_fact()                 of msrp::Ends; false when it is of no pair
//   record()                  what passes is told to whoever records it (history_recorder.h)
//   tell_parties()            whose it is, for operators who look for a message (pager_trace.h)
//   release(), close()        a leg, both
//   next_fact()               a pair can not go on
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/slot_map.h"
#include "msrp/ends.h"
#include "policy/history_recorder.h"
#include "policy/media_config.h"
#include "policy/pager_trace.h"

namespace parley::policy {

using PairId = core::SlotId;
enum class Side : std::uint8_t { a, b };  // as the legs of a call
[[nodiscard]] constexpr Side other(Side side) { return side == Side::a ? Side::b : Side::a; }
// Of the talk that a pair is recorded in.
[[nodiscard]] constexpr std::uint64_t party_of(Side side) { return side == Side::a ? 1 : 2; }

struct PairFact {
  std::uint64_t owner = 0;
  PairId pair{};
};

class MediaPairs {
 public:
  MediaPairs(const MediaConfig& config, core::Pool& pool, core::Metrics& metrics, msrp::Ends& ends)
      : config_(config), pool_(pool), metrics_(metrics), ends_(ends), pairs_(config.pairs_max) {}
  ~MediaPairs();
  MediaPairs(const MediaPairs&) = delete;
  MediaPairs& operator=(const MediaPairs&) = delete;

  // Not valid(): a limit. `owner` comes back in facts. A message longer than bytes_max, 0: none, is refused with 413
  // where it first shows (OMA-POL-3).
  [[nodiscard]] PairId open(bool secure, std::uint64_t owner, std::uint64_t bytes_max = 0);
  // For a=path on that leg; empty when it is released.
  [[nodiscard]] std::string_view uri(PairId pair, Side side) const;
  // SEED4-6.1.2.2.3-8. False: that path is none.
  bool connect(PairId pair, Side side, const msrp::EndPeer& peer);
  // The peer of `side` calls the other one by `user`, that of a Contact of ours; what message/cpim from it is addressed
  // to that goes on to `uri`, which is how the other one calls itself (SEED4-6.1.1.2.2-7a, SEED4-6.1.2.2.2-8a).
  void name(PairId pair, Side side, std::string_view user, std::string_view uri);
  // Reports of what side a sent are asked for with the number of recipients, and kept from it unless it asked for them.
  void count_recipients(PairId pair);
  // Null: nobody records.
  void use_recorder(HistoryRecorder* recorder) { recorder_ = recorder; }
  // Null: nobody looks for messages.
  void use_trace(PagerTrace* trace) { trace_ = trace; }
  // Before what happens in a step.
  void begin(const core::Now& now) { wall_ms_ = now.wall_ms; }
  // Of both legs, and the Call-ID of the first one: what a message is found by and shown with.
  struct Parties {
    std::string a;
    std::string b;
    std::string call_id;
  };
  void tell_parties(PairId pair, const Parties& parties);
  // What either side sends from now on, as it sends it; not valid(): no more (OMA-HIS-3).
  void record(PairId pair, TalkId talk);
  // SEED4-6.1.2.2.5-2, SEED4-6.1.2.2.5-4: that leg's session is no more.
  void release(PairId pair, Side side);
  void close(PairId pair);

  [[nodiscard]] bool on_fact(msrp::EndFact& fact);
  [[nodiscard]] bool next_fact(PairFact& fact);

  [[nodiscard]] const MediaConfig& config() const { return config_; }
  [[nodiscard]] std::uint32_t live() const { return pairs_.size(); }

 private:
  // A SEND, or a piece of one, that waits for the other side.
  struct Kept {
    std::string headers;
    std::string message_id;
    msrp::FailureReport failure = msrp::FailureReport::yes;
    std::uint64_t mark = 0;
    std::uint64_t start = 1;
    std::uint64_t total = msrp::ByteRange::unknown;
    msrp::Flag flag = msrp::Flag::end;
    bool has_body = true;
    std::uint64_t trace = 0;  // its record in trace_
    std::string body{};
  };
  // A SEND of ours that the other side has not answered.
  struct Sent {
    std::uint64_t mark = 0;
    std::string message_id;
    std::uint64_t start = 1;
    std::uint64_t bytes = 0;
    bool last = false;  // of its message
    std::uint64_t trace = 0;  // its record in trace_
  };
  struct Asked {  // a message whose report comes with a count
    std::string message_id;
    bool by_sender = false;
  };
  struct Shifted {  // a message whose head has another length on the other side: its numbers move
    std::string message_id;
    std::uint64_t delta = 0;  // modulo 2^64
  };
  // A NICKNAME that the other side has not answered.
  struct Nickname {
    msrp::EndToken token;
    std::string value;  // of Use-Nickname
    std::uint64_t mark = 0;
    bool sent = false;
  };
  // From one side to the other one.
  struct Direction {
    std::deque<Kept> kept;
    std::uint64_t kept_bytes = 0;
    bool held = false;     // its sender is not read
    bool refused = false;  // of the SEND at hand the rest is of no use
    std::deque<Sent> sent;
    std::string user, uri;         // see name(); empty: nothing is written anew
    bool gathers = false;          // `head` is the beginning of a message/cpim, whose head is not whole yet
    std::string head;
    std::deque<Shifted> shifted;   // at most reports_max
    std::vector<Nickname> nicknames;
    std::uint64_t traced = 0;      // the last one, in trace_,
    std::uint64_t at_hand = 0;     // and that of which the last piece was
  };
  struct Leg {
    msrp::EndHandle end{};
    bool asked = false;  // connect() was called
    bool connected = false;
    Direction out;  // from this leg to the other one
  };
  struct Pair {
    PairId self{};
    std::uint64_t owner = 0;
    std::uint64_t bytes_max = 0;
    std::array<Leg, 2> legs;
    bool counts = false;
    TalkId talk{};  // valid(): somebody records it
    Parties parties;
    std::deque<Asked> asked;
    std::uint64_t marks = 0;
    bool told = false;  // that it can not go on
    [[nodiscard]] Leg& leg(Side side) { return legs[side == Side::a ? 0 : 1]; }
    [[nodiscard]] const Leg& leg(Side side) const { return legs[side == Side::a ? 0 : 1]; }
  };

  // Of its session with msrp::Ends.
  [[nodiscard]] static std::uint64_t owner_of(PairId pair, Side side);
  void on_piece(Pair& pair, Side from, msrp::EndFact& fact);
  void put_headers(Pair& pair, Side from, const msrp::EndFact& fact);
  // media_pair_names.cc
  [[nodiscard]] bool readdress(Pair& pair, Side from, const msrp::EndFact& fact, msrp::EndSend& message);
  [[nodiscard]] static std::uint64_t delta_of(const Direction& way, std::string_view message_id);
  [[nodiscard]] static msrp::ByteRange as_sent(const Direction& way, std::string_view message_id,
                                               msrp::ByteRange range);
  void on_answered(Pair& pair, Side by, const msrp::EndFact& fact);
  void on_report(Pair& pair, Side by, const msrp::EndFact& fact);
  // `trace` is the record of the message.
  [[nodiscard]] msrp::Ends::Sent send(Pair& pair, Side from, const msrp::EndSend& message, std::string_view message_id,
                                      std::uint64_t trace);
  [[nodiscard]] bool keep(Pair& pair, Side from, const msrp::EndSend& message, std::string_view message_id);
  void flush(Pair& pair, Side from);
  void on_nickname(Pair& pair, Side from, msrp::EndFact& fact);
  void flush_nicknames(Pair& pair, Side from);
  void refuse(Pair& pair, Side from, msrp::EndFact& fact);
  void abort(Pair& pair, Side from, std::string_view message_id, std::uint64_t start);
  void hold(Pair& pair, Side side, bool on);
  void fail(Pair& pair);
  void tell_recorder(const Pair& pair, Side from, const msrp::EndFact& fact);
  void forget_recorded(const Pair& pair, Side from, std::string_view message_id);
  // media_pair_trace.cc
  [[nodiscard]] bool traces() const { return trace_ != nullptr && trace_->on(); }
  [[nodiscard]] std::uint64_t traced(const Pair& pair, Side from, std::string_view message_id) const;
  void trace_piece(Pair& pair, Side from, const msrp::EndFact& fact);
  void trace_sent(const Pair& pair, Side from, const msrp::EndSend& message, std::uint64_t number);
  void trace_answered(const Sent& sent, std::uint16_t status);
  void trace_reported(const Pair& pair, Side from, const msrp::EndFact& fact);
  void trace_refused(const Pair& pair, Side from, std::string_view message_id, std::uint16_t status);
  void trace_lost(const Pair& pair, Side from);
  void trace_closed(const Pair& pair);

  const MediaConfig config_;
  core::Pool& pool_;
  core::Metrics& metrics_;
  msrp::Ends& ends_;
  HistoryRecorder* recorder_ = nullptr;
  PagerTrace* trace_ = nullptr;
  std::int64_t wall_ms_ = 0;
  core::SlotMap<Pair> pairs_;
  std::deque<PairFact> facts_;  // at most one for each pair
  std::string headers_;         // scratch
  std::string prefix_;          // scratch
};

}  // namespace parley::policy
