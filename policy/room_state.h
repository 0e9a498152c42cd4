// policy/room_state.h - what Rooms remembers: rooms, members, open messages; and the parts of its work by file. See
// room.h.
//
//   rooms.cc             open, end; which facts go where; time
//   room_members.cc      join, change, leave
//   room_return.cc       a device that is still in and joins again
//   room_receive.cc      a SEND: gathered, begun, ended
//   room_judge.cc        whether it may go where its head says
//   room_send.cc         who gets what; commits; one-to-one
//   room_catch_up.cc     members that are behind; holding senders back
//   room_reports.cc      answers and REPORTs; counts
//   room_late.cc         what is known late: legs that did not get what they were given
//   room_distribution.cc a file or a large message for several
//   room_post.cc         what does not come by MSRP
//   room_nickname.cc     NICKNAME and aliases
//   room_admin.cc        what operators ask
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/keyed_hash.h"
#include "core/timer_wheel.h"
#include "policy/cpim.h"
#include "policy/far_legs.h"
#include "policy/room.h"
#include "policy/room_coverage.h"
#include "policy/room_legs.h"
#include "policy/room_ring.h"

namespace parley::policy {

inline constexpr core::Duration stall_look = std::chrono::seconds(1);  // how often who takes nothing is looked for

inline constexpr unsigned room_slots = 64;  // open messages of one room: a bit in the sets of its legs

// What a fan-out looks at, for each member; one after the other in memory.
struct RoomLeg {
  msrp::EndHandle end;
  MemberHandle member;
  std::uint64_t later = 0;     // open messages that it gets as a whole when they are committed
  std::uint64_t never = 0;     // and those that it does not get: another type, somebody else's, refused by it
  std::uint64_t awaiting = 0;  // counted messages that it has not answered
  std::uint64_t reached = 0;   // and those that it has
  std::uint64_t got = 0;       // the first number that was sent and not answered; as `sent` when all is answered
  std::uint64_t sent = 0;      // one past the last number that was sent
  std::uint32_t number = 0;    // of the member, in this room; the same when it comes back
  std::uint32_t user = 0;
  bool live = false;  // connected and not behind
  bool receives = true;
  bool any_type = true;
  bool any_size = true;
  std::uint32_t copies = 0; // messages written
};

struct RoomUser {
  std::string key;                 // how others see him: aor_key of his URI, or the anonymous URI
  std::uint64_t hash = 0;          // of it: what outlives his place here
  std::vector<MemberHandle> legs;  // empty: the place is free
};

struct RoomNickname {
  std::string owner;  // aor_key of the real user
  std::string shown;  // as he wrote it
  std::uint32_t legs = 0;
  core::Instant until{};  // legs == 0: reserved up to then
};

// A member that was lost and may come back.
// Numbers that were committed while a member took nothing (OMA-CONF-5): they are not owed to it. `to` is past the last one.
struct RoomPause {
  std::uint64_t from = 0;
  std::uint64_t to = ~std::uint64_t{0};
};

struct RoomAway {
  std::string owner;  // aor_key of the real user
  std::string device;
  std::string nickname_key;
  std::uint32_t number = 0;
  std::uint64_t next = 0;
  std::uint64_t joined = 0;
  std::vector<RoomPause> pauses;
  core::Instant until{};
};

struct RoomMember {
  RoomHandle room;
  MemberHandle self;
  std::uint32_t index = 0;  // of its leg
  std::uint64_t messages_in = 0;
  Member about;
  std::string own_key;    // aor_key of the real user
  std::string shown_uri;  // how others see him
  std::string from_line;  // the From that stands for it, where one has to be written
  std::string nickname_key;
  std::vector<core::SlotId> begun;  // its open messages
  core::SlotId current;             // the one that its SEND under way belongs to
  bool discarding = false;          // the rest of its SEND under way is of no use
  bool connected = false;
  bool was_connected = false;
  bool behind = false;
  bool lagging = false;          // told
  bool held = false;             // by us, for slow receivers
  bool alone = false;            // held since there is nobody to send to
  std::uint64_t next = 0;        // behind: the first number it has to get
  std::vector<RoomPause> pauses;  // not behind what it is certain to have; the last one may be open
  std::uint64_t missed = 0;      // not told yet
  core::Instant behind_since{};  // connected and behind
  bool cut = false;              // in a distribution: it lacks a piece of what is under way
  core::Instant heard{};         // in a distribution: when it last took something, or nothing waited for it
  core::Instant held_since{};
  core::Instant no_hold_until{};
  std::uint64_t joined = 0;  // serial number
  std::uint32_t behind_index = 0;
  MemberHandle before;  // of the same device, whose place it takes when it is connected
  MemberHandle after;   // and who waits for that
  core::Timer timer;    // lag, hold
};

struct RoomMessage {
  enum class State : std::uint8_t {
    gathering,  // its CPIM head is not whole
    open,
    discarded,  // a repetition: is taken and goes nowhere
    counting,   // committed; answers come in
  };
  RoomHandle room;
  core::SlotId self;
  unsigned slot = 0;
  State state = State::gathering;
  MemberHandle sender;
  std::uint32_t sender_number = 0;
  std::uint32_t to_user = 0;  // private: place of the user plus one; it is his as long as his hash stands there
  std::uint64_t serial = 0;   // in the order in which messages began and members joined
  std::uint64_t id = 0;       // of the Message-ID that the members see
  std::uint64_t number = 0;   // counting: its commit
  std::array<char, msrp::message_id_bytes_max> message_id{};  // the sender's
  std::uint8_t message_id_length = 0;
  msrp::FailureReport failure = msrp::FailureReport::yes;
  bool success = false;
  bool count = false;       // members' answers are counted
  bool tell_count = false;  // and the sender is told
  std::uint16_t refusal = 0;  // in a distribution: what a receiver has answered
  bool answers = false;  // members are asked for a 200
  bool sent_some = false;
  bool missed = false;     // somebody did not and will not get it
  bool too_large = false;  // for somebody who would get it: R4975-15
  bool keep = true;
  bool passing = false;                            // is-composing: not kept, not counted, not a message (R3994-1)
  bool ended = false;                              // '$' has come
  bool kept_whole = false;                         // committed, and in the ring
  bool recorded = false;                           // the history has its beginning
  std::uint64_t delta = 0;                         // how much longer than theirs our head is, modulo 2^64
  std::uint64_t total = msrp::ByteRange::unknown;  // the sender's
  std::uint64_t next_out = 1;                      // number of the first byte not given to the members, as they count
  RoomCoverage coverage;
  CpimParser parser;
  core::BufferId held = core::no_buffer;  // bytes that wait: the head, or less than a chunk should have
  std::uint32_t held_used = 0;
  std::uint64_t held_start = 1;  // as the members count
  RoomGathered kept;
  std::uint32_t kept_headers = 0;
  RoomRing::About about;
  std::string type;        // content type
  std::string headers;     // header lines of its chunks
  std::string reply_head;  // private: From and To, for REPORTs
  std::uint64_t repeat_key = 0;
  std::uint64_t awaited = 0;  // members whose answer is open
  std::uint64_t reached = 0;  // users that have got it
  core::Timer timer;
};

[[nodiscard]] inline std::string_view message_id_of(const RoomMessage& message) {
  return {message.message_id.data(), message.message_id_length};
}

// A message that went by in a room of two and whose answer is awaited (for REPORTs).
struct RoomPassed {
  MemberHandle sender;
  std::array<char, msrp::message_id_bytes_max> message_id{};
  std::uint8_t message_id_length = 0;
  msrp::ByteRange range;
  std::uint64_t number = 0;  // its commit, where it is the last chunk
  bool last = false;
};

// A message that is not in the ring, and that legs which it was written to may turn out not to have got.
struct RoomUnkept {
  std::uint64_t number = 0;
  RoomRing::About about;
  MemberHandle sender;
  std::string message_id;
  std::uint64_t total = 0;
  msrp::FailureReport failure = msrp::FailureReport::yes;
  std::string reply_head;
  std::string type;
  std::vector<std::uint32_t> without;  // numbers of members that it was not written to, or that are counted already
  bool reported = false;
};

// Of two, whose message it was, for REPORTs.
struct RoomSaid {
  std::uint64_t id = 0;  // hash of its Message-ID
  std::uint32_t sender = 0;
};

struct Room {
  Room(core::Pool& pool, std::uint32_t ring_bytes) : ring(pool, ring_bytes) {}
  RoomHandle self;
  RoomTraits traits;
  std::vector<std::string> identity_keys;
  std::vector<RoomLeg> legs;
  std::vector<RoomUser> users;
  std::map<std::string, std::uint32_t, std::less<>> users_by_key;
  std::map<std::string, RoomNickname, std::less<>> nicknames;  // by their PRECIS key
  std::vector<std::string> reserved;
  std::uint32_t names_held = 0;  // nicknames of nobody who is here
  std::deque<RoomAway> away;
  std::vector<MemberHandle> behind;
  std::array<char, 17> id_prefix{};
  std::uint64_t head = 0;  // number of the next commit
  std::uint64_t early =
      ~std::uint64_t{0};  // in a room of two: the first number that was sent when nobody else was there
  std::uint64_t serial = 0;
  std::uint64_t next_id = 1;
  std::uint32_t next_number = 1;
  std::uint64_t slots = 0;             // in use
  std::uint64_t counting = 0;          // of them: committed, counted
  std::vector<core::SlotId> messages;  // by slot
  std::vector<std::uint64_t> recent;   // a circle
  std::size_t recent_at = 0;
  struct {
    std::uint64_t number = 0;
    core::Instant at{};
  } probed;  // the last message to all whose copies are answered
  RoomRing ring;
  std::uint32_t far_legs = 0;        // on other shards
  std::deque<RoomUnkept> unkept;     // only when there are such
  std::vector<RoomSaid> said;        // of two: a circle
  std::size_t said_at = 0;
  RoomCounts counts;
  core::Timer idle;
  core::Timer ring_age;
};

// The room answers its senders itself, and counts; in others what receivers say is passed on.
[[nodiscard]] inline bool switches(const Room& room) {
  return room.traits.kind == RoomKind::group || room.traits.kind == RoomKind::distribution;
}

struct Rooms::State {
  using Sent = msrp::Ends::Sent;
  using NotSent = msrp::Ends::NotSent;
  enum class TimerKind : std::uint32_t { room_idle, room_age, message, member };

  explicit State(const Parts& parts);
  ~State();

  // rooms.cc
  [[nodiscard]] Joined join(Room& room, const Member& about);
  void leave(RoomMember& member, LeaveReason reason);
  void end(Room& room);
  void describe(Room& room, RoomMember& member);
  void place(RoomMember& member);
  void pause(Room& room, RoomMember& member, bool receives);
  void take_user(Room& room, RoomMember& member);
  void drop_user(Room& room, RoomMember& member);
  void on_connected(Room& room, RoomMember& member);
  void on_gone(Room& room, RoomMember& member, RoomFact::Kind kind, std::uint16_t status);
  void go_down(Room& room, RoomMember& member, bool lost);
  // `uncertain`: until it is answered, or one behind it in a group is, where not all are. Else it counts as delivered when it
  // is written, but what is unanswered before it does not.
  static void note_sent(RoomLeg& leg, std::uint64_t number, bool uncertain) {
    const bool all_answered = leg.got >= leg.sent;
    leg.sent = number + 1;
    if (all_answered) leg.got = uncertain ? number : leg.sent;
    ++leg.copies;
  }
  void update_alone(Room& room);
  [[nodiscard]] RoomMember* member_of(msrp::EndHandle end);
  [[nodiscard]] MemberHandle& place_of(msrp::EndHandle end);
  RoomFact& tell(RoomFact::Kind kind, const Room& room, const RoomMember* member);
  void on_timer(core::Timer& timer);
  void expire_away(Room& room);
  void expire_names(Room& room);
  [[nodiscard]] std::uint64_t bytes_max(const Room& room) const;

  // room_return.cc
  [[nodiscard]] RoomMember* same_device(const Room& room, const Member& about);
  void stand_behind(Room& room, RoomMember& before, RoomMember& member, RoomLeg& leg, std::string& nickname);
  void replace_before(Room& room, RoomMember& member);
  [[nodiscard]] bool probe_due(const Room& room) const;
  [[nodiscard]] bool hand_over(Room& room, RoomMember& member);

  // room_receive.cc
  void on_piece(Room& room, RoomMember& member, msrp::EndFact& fact);
  struct Gathered {
    std::uint16_t status = 0;  // not 0: what the SEND is answered with, and what counts it
    core::Metric metric = core::Metric::room_bad_cpim;
  };
  [[nodiscard]] RoomMessage* begin_message(Room& room, RoomMember& member, const msrp::EndFact& fact);
  void start_message(Room& room, RoomMessage& message, const RoomMember* sender, msrp::FailureReport failure,
                     std::string_view message_id);
  [[nodiscard]] RoomMessage* open_message(Room& room, RoomMember& member);
  void take_bare_composing(Room& room, RoomMember& member, msrp::EndFact& fact);
  [[nodiscard]] RoomMessage* find_begun(RoomMember& member, std::string_view message_id);
  void take_piece(Room& room, RoomMember& member, RoomMessage& message, msrp::EndFact& fact);
  [[nodiscard]] Gathered gather_head(Room& room, RoomMember& member, RoomMessage& message, std::uint64_t start,
                                     core::Slice body, bool complete);
  enum class SaidFrom : std::uint8_t { himself, write, another };
  [[nodiscard]] static SaidFrom judge_from(const Room& room, const RoomMember& member, const CpimHead& head,
                                           std::string_view bytes);
  void put_from(const RoomMember& member, RoomMessage& message, const CpimHead& head, std::string_view bytes);
  [[nodiscard]] Gathered judge(Room& room, RoomMember& member, RoomMessage& message, const CpimHead& head,
                               std::string_view bytes);
  [[nodiscard]] bool hold_bytes(RoomMessage& message, std::string_view bytes);
  void pass_piece(Room& room, RoomMessage& message, std::uint64_t start, std::string_view first, core::Slice body,
                  bool last);
  void refuse(Room& room, RoomMember& member, msrp::EndFact& fact, std::uint16_t status, core::Metric metric);
  void abort(Room& room, RoomMessage& message);
  void forget(Room& room, RoomMessage& message);

  // room_send.cc
  void begin_legs(Room& room, RoomMessage& message);
  [[nodiscard]] std::span<const MemberHandle> private_legs(const Room& room, const RoomMessage& message) const;
  void choose_legs(Room& room, RoomMessage& message, std::uint64_t number, bool last);
  [[nodiscard]] msrp::EndSend make_send(const Room& room, RoomMessage& message, std::uint64_t start,
                                        std::string_view prefix, core::Slice body, msrp::Flag flag);
  void send_chunk(Room& room, RoomMessage& message, std::uint64_t start, std::string_view prefix, core::Slice body,
                  msrp::Flag flag);
  void commit(Room& room, RoomMessage& message, std::uint64_t start, std::string_view prefix, core::Slice body);
  void keep_piece(Room& room, RoomMessage& message, std::uint64_t start, std::string_view prefix, core::Slice body);
  void note_not_sent(Room& room, RoomMessage& message, std::uint64_t number);
  void owe_later(Room& room, RoomMessage& message, std::uint64_t number);
  void miss(Room& room, RoomMessage& message, RoomMember& member);
  void put_headers(const Room& room, RoomMessage& message);
  void copy_headers(const Room& room, RoomMessage& message, const msrp::EndFact& fact);
  [[nodiscard]] bool takes(const Room& room, const RoomMember& member, std::string_view type) const;
  [[nodiscard]] bool too_large_for_all(const Room& room, const RoomMember& sender, std::uint32_t to_user,
                                       std::uint64_t bytes) const;
  void note_too_large(Room& room, RoomMessage& message, std::uint64_t number, std::uint64_t bytes);
  [[nodiscard]] std::uint16_t takers(const Room& room, const RoomMember& sender, std::string_view type,
                                     std::uint64_t bytes) const;
  [[nodiscard]] bool anybody_takes(const Room& room, const RoomMember& sender, std::string_view type) const;
  void record(Room& room, RoomMessage& message, std::string_view prefix, core::Slice body, bool last, bool aborted);

  // room_distribution.cc
  void begin_distribution(const Room& room);
  void not_delivered(Room& room, RoomLeg& leg, const msrp::EndFact& fact);
  void hold_until_all_there(Room& room);
  void set_alone(RoomLeg& leg, bool alone);
  void drop_stalled(Room& room);
  void refused_by(Room& room, RoomMessage& message, std::uint16_t status);
  [[nodiscard]] bool nobody_left(const Room& room, const RoomMessage& message) const;
  void give_up(Room& room);
  void report_distribution(Room& room, const RoomMessage& message, const RoomMember& sender);

  // room_catch_up.cc
  void fall_behind(Room& room, RoomLeg& leg, std::uint64_t number);
  void catch_up(Room& room, RoomMember& member);
  [[nodiscard]] bool replay(Room& room, RoomMember& member, RoomLeg& leg, const RoomRing::Entry& entry);
  [[nodiscard]] core::SlotId keep_passed(const Room& room, std::uint32_t sender, std::string_view message_id,
                                         const msrp::ByteRange& range, std::uint64_t number);
  void become_live(Room& room, RoomMember& member);
  void stop_being_behind(Room& room, RoomMember& member);
  [[nodiscard]] bool concerns(const Room& room, const RoomLeg& leg, const RoomMember& member,
                              const RoomRing::About& about, std::string_view type, std::uint64_t number) const;
  void hold_for_slow(Room& room, RoomMessage& message);
  void hold_sender(RoomMember& sender);
  [[nodiscard]] bool receivers_slow(const Room& room) const;
  [[nodiscard]] std::uint32_t slow_legs(const Room& room, std::uint32_t& live) const;
  void arm_member(RoomMember& member);
  void on_member_timer(Room& room, RoomMember& member);

  // room_reports.cc
  void on_answered(Room& room, RoomMember& member, const msrp::EndFact& fact);
  void on_report(Room& room, RoomMember& member, const msrp::EndFact& fact);
  void report_whole(Room& room, RoomMessage& message);
  void report_count(Room& room, RoomMessage& message);
  [[nodiscard]] bool report_failure(Room& room, RoomMessage& message, std::uint16_t status);
  [[nodiscard]] RoomMember* sender_of(const Room& room, const RoomMessage& message);
  void note_said(Room& room, const RoomMember& sender, std::string_view message_id);
  void pass_report(Room& room, const RoomMember& member, const msrp::EndFact& fact);
  void put_wrapper(std::string_view reply_head);
  [[nodiscard]] bool hears_of_misses(const Room& room, const RoomMessage& message) const;
  void tell_left(Room& room);
  void owe_from(Room& room, RoomMember& member, std::uint64_t number);
  [[nodiscard]] bool user_reached(const Room& room, std::uint32_t user, unsigned slot) const;
  void leg_done(Room& room, RoomMessage& message, RoomLeg& leg, bool reached);

  // room_late.cc
  void note_unkept(Room& room, const RoomMessage& message, std::uint64_t number);
  void note_written(Room& room, const RoomMessage& message, std::uint64_t number, std::uint64_t bytes);
  void miss_unkept(Room& room, RoomMember& member, std::uint64_t from, std::uint64_t to, bool report);
  void on_unsent(Room& room, RoomMember& member, std::uint64_t mark);
  void report_unkept(Room& room, RoomUnkept& note);

  // room_post.cc
  void send_own(Room& room, const RoomMember* sender, std::uint32_t to_user, std::string_view to_uri,
                std::string_view content_type, std::string_view content);

  // room_admin.cc
  void keep_record(const Room& room, const RoomMessage& message, std::uint64_t number, std::uint64_t bytes);

  // room_nickname.cc
  void on_nickname(Room& room, RoomMember& member, msrp::EndFact& fact);
  [[nodiscard]] std::uint16_t take_nickname(Room& room, RoomMember& member, std::string_view text, std::string& shown);
  void drop_nickname(Room& room, RoomMember& member, bool hold);

  core::Pool& pool;
  core::Metrics& metrics;
  core::Random& random;
  RoomLegs& legs;
  std::shared_ptr<const RoomConfig> config;
  core::Now now{};
  core::TimerWheel wheel;
  core::HashKey hash_key;

  core::SlotMap<Room> rooms;
  core::SlotMap<RoomMember> members;
  core::SlotMap<RoomMessage> messages;
  core::SlotMap<RoomPassed> passed;
  std::vector<MemberHandle> by_end;  // by EndHandle::index
  std::vector<MemberHandle> by_far;  // those on other shards, by their slot
  std::vector<MemberHandle> by_stored;  // the same of messages of the store (stored_legs.h)
  std::deque<RoomFact> facts;
  MessageTrace trace;
  core::Slice told_body;  // of the fact that was fetched last

  // Scratch, kept and reused.
  RoomMessage whole;  // one that comes and goes in one piece
  std::vector<msrp::EndHandle> ends;
  std::vector<NotSent> not_sent;
  std::vector<MemberHandle> catching_up;
  std::string report_headers;
  std::string new_head;
  std::string prepared;
};

}  // namespace parley::policy
