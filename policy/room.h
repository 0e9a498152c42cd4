// policy/room.h - the MSRP switch: what one member of a room sends, the others get (RFC 7701; OMA-MSRP, OMA-SES-13,
// OMA-ALIAS, OMA-DR).
//
// One Rooms per shard, used by its thread alone. A room lives on one shard, which is what orders its messages. A member
// is one end session of MSRP (msrp/ends.h), so a user with two devices is two members. The focus (policy/focus.h) opens
// and ends rooms, lets members in and out and owns their SIP dialogs; what happens on the media comes up to it as
// RoomFacts.
//
//   begin(now)                       at the start of each step
//   open(), join(), leave(), end()   by the focus
//   on_fact()                        each fact of msrp::Ends, whose token is used up; false when it is no member's
//   expire()                         after all facts of the step: timers, members that catch up
//   next_fact()                      until false; views in a fact are valid until the next call of anything here
//   next_deadline()                  when step has to be called again
//
// How messages are kept apart and in order: a message is *committed* when its last byte has gone out to the members,
// and gets the room's next number. All members see last bytes in that order. A member that is slow or lost is *behind*:
// its position is a number, and what has higher ones comes from the room's ring, whole and in order, before anything
// new.
//
// Members on several shards. A room lives on one shard, which knows all members; the MSRP session of a member may be on
// another one (far_legs.h), which writes to it. For the room that is a leg like others, with one difference: that a copy
// could not be written may come late, as the fact `unsent` (room_late.cc), and then the member is behind from there on.
//
// Who comes back goes on where it was: behind what it is certain to have got. Certain is what it has answered, and with
// that all that was written before on the same connection; what the kernel has taken, or the peer's kernel has, may never
// have been read. So
//   - copies in a group are answered, and where the sender's Failure-Report (no) or --room-answers-members-max says that
//     they are not, one now and then is (RoomConfig::answers_members_max): that bounds what is sent again. Between
//     two the sender's header is copied (OMA-MSRP-5), and a copy of which he wants to hear nothing is delivered when it
//     is written.
//   - it misses nothing that the ring has, in order. What it had read when its connection broke and its answer was lost
//     comes twice, with the Message-ID that it had. Nobody can know better than its own answers; a receiver that drops
//     Message-IDs it knows has each message once. What was too long for the ring and not answered it misses: that is
//     counted, and reported to its sender (room_late.cc).
//   - a device that joins while it is in (its old connection may be broken without a sign) stands behind its old self,
//     which goes on until the new session is connected and then hands its place over: answers on their way are still
//     heard, and nothing falls between.
//
// How big it may get: RoomConfig. A message that goes straight through costs nothing that stays but its place in the
// ring; a message in pieces costs one record, however many members there are; each member carries three 64-bit sets
// over the room's (at most 64) open messages.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/slot_map.h"
#include "core/time.h"
#include "policy/message_trace.h"
#include "policy/room_config.h"

namespace parley::msrp {
struct EndFact;
}

namespace parley::policy {

class RoomLegs;

using RoomHandle = core::SlotId;
using MemberHandle = core::SlotId;
using RoomEnd = core::SlotId;  // msrp::EndHandle

enum class RoomKind : std::uint8_t {
  group,       // RFC 7701: message/cpim only, From checked, To is the room or one member
  one_to_one,  // what one sends the other gets as it is, REPORTs included
  exchange,    // one_to_one for a file or a large message: direction and one message matter, no ring
  distribution,  // a file or a large message for several, streamed: what its sender writes goes to all others as it is,
                 // when all of them are connected. The room answers for them as a group does (OMA-FT-7, OMA-LRG-3).
};

struct RoomTraits {
  RoomKind kind = RoomKind::group;
  std::string identity;                       // session identity: "To" of what is for all
  std::vector<std::string> other_identities;  // e.g. the group's URI; equal to `identity` as "To"
  std::string wrapped_types = "*";            // types a group lets through, as in a=accept-wrapped-types
  std::uint64_t message_bytes_max = 0;        // a=max-size; 0: RoomConfig's
  std::uint32_t members_max = 0;              // 0: RoomConfig's
  bool nicknames = true;                      // the policy of RFC 7701 section 7
  bool private_messages = true;               // and of section 6.2
  bool recorded = false;                      // `recorded` facts for the history, see set_recorded()
  std::vector<std::string> reserved_nicknames;
  core::Duration idle{};    // `idle` fact after that long without a message; zero: never
  std::uint64_t owner = 0;  // the focus's number, in facts
};

// Who joins, and what his description says.
struct Member {
  std::string uri;                      // AO-IMA: sip, sips or tel
  std::vector<std::string> other_uris;  // by which he is known, too (tel beside sip)
  std::string display_name;             // the alias of an anonymous one
  std::uint32_t anonymous_number = 0;   // not 0: others see sip:anonymousN@anonymous.invalid (OMA-ALIAS-3)
  std::string device;                   // +sip.instance or what else tells his devices apart; may be empty
  RoomEnd end;                          // Rooms closes it when he leaves
  std::string accept_types = "*";       // of his a= lines
  std::string accept_wrapped_types = "*";
  std::uint64_t message_bytes_max = 0;  // his a=max-size; 0: any
  bool may_send = true;                 // direction, and what the focus grants
  bool may_receive = true;
  bool private_messages = true;  // his a=chatroom has `private-messages`
  bool judged = false;           // what its messages say of their sender was asked when they came (OMA-DEF-8)
  bool may_ask_count = false;    // an IM server of ours: Include-Sent-Count is heard (DEC-11)
  std::uint64_t owner = 0;       // the focus's number, in facts
};

enum class JoinResult : std::uint8_t {
  joined,
  rejoined,      // a member came back, lost or not: what it missed comes first
  alias_in_use,  // 403 with Warning 399 (OMA-ALIAS-2)
  no_cpim,       // 488: accept-types of a group member must name message/cpim (RFC 7701 section 5.2)
  room_full,     // 486
  no_room,       // 503: a limit of the shard; or the room is gone
};

enum class LeaveReason : std::uint8_t {
  departed,  // for good
  lost,      // its place is kept for --rejoin-window
};

struct RoomFact {
  enum class Kind : std::uint8_t {
    connected,  // member: its MSRP session is bound, or bound again
    lost,  // member: its connection is gone. It stays until leave(), and is served again when it or a new path connects
    failed,     // member: nothing connected in time, `status` says why; nothing but leave() is left
    nickname,   // member, nickname: reserved (the prepared form), or removed when empty
    lagging,    // member: its queue is full; it is behind now
    recovered,  // member: it has caught up
    missed,     // member, count: messages it will not get, because it was behind for too long
    too_slow,   // member: behind for --room-lag-time; its end is closed, the focus ends the dialog
    idle,       // room: no message for RoomTraits::idle
    delivered,  // member (the sender; not valid() when he has left), message_id, count: people reached, where the count
                // was asked for (OMA-DR-3); in an exchange: the other one has taken it all; in a distribution: when all
                // have answered its last piece
    recorded,  // room, member (the sender), a piece of a message for the history
    replaced,  // member: its device has joined again and is connected; it is in no more and its end is closed
  };
  Kind kind = Kind::idle;
  RoomHandle room;
  MemberHandle member;
  std::uint64_t room_owner = 0;
  std::uint64_t member_owner = 0;
  std::string nickname;
  std::uint16_t status = 0;
  std::uint64_t count = 0;
  std::string message_id;  // the sender's
  // recorded: pieces of one message have one `message`; `first` carries its head. Of a whole one, first and last are
  // set.
  std::uint64_t message = 0;
  MemberHandle to;           // private: the member it goes to; else not valid()
  std::string content_type;  // first
  bool first = false;
  bool last = false;
  bool aborted = false;  // last: it was not completed and counts for nothing
  core::Slice body;      // one reference, dropped by the next next_fact()
};

struct RoomCounts {
  std::uint32_t members = 0;
  std::uint32_t away = 0;
  std::uint64_t messages = 0;  // committed
  std::uint64_t bytes = 0;     // that came in
  std::uint64_t refused = 0;   // messages answered with an error
  std::uint64_t missed = 0;    // copies
  core::Instant last_message{};
};

class Rooms {
 public:
  struct Parts {
    core::Pool& pool;
    core::Metrics& metrics;
    core::Random& random;
    RoomLegs& legs;
    std::shared_ptr<const RoomConfig> config;
  };
  explicit Rooms(const Parts& parts);
  ~Rooms();
  Rooms(const Rooms&) = delete;
  Rooms& operator=(const Rooms&) = delete;

  void begin(const core::Now& now);
  void reload(std::shared_ptr<const RoomConfig> config);

  // Not valid() at --rooms-max.
  [[nodiscard]] RoomHandle open(RoomTraits traits);
  // Everybody's end is closed, after what waits for it; open messages are aborted.
  void end(RoomHandle room);
  // Turns the history's facts on or off, from the next message on.
  void set_recorded(RoomHandle room, bool recorded);

  struct Joined {
    JoinResult result = JoinResult::no_room;
    MemberHandle member;     // valid() when joined or rejoined
    std::string nickname{};  // rejoined: what it has
  };
  [[nodiscard]] Joined join(RoomHandle room, const Member& member);
  // After a re-INVITE: everything but uri, device and end may have changed.
  [[nodiscard]] JoinResult change(MemberHandle member, const Member& now);
  void leave(MemberHandle member, LeaveReason reason);
  // A text from the room itself to one member of a group or, when `to` is not valid(), to all (RFC 7701 section 11).
  // `content_type` is one line.
  void say(RoomHandle room, MemberHandle to, std::string_view content_type, std::string_view text);
  // What a member sent as a MESSAGE to the session identity (OMA-SES-10): goes to the others as if sent by MSRP. 200: it
  // was given to somebody, or is kept for somebody (OMA-PAG-1). 415: none of them takes that type; 413: nor that size;
  // 480: nobody is there and nothing is kept.
  [[nodiscard]] std::uint16_t post(MemberHandle from, std::string_view content_type, std::string_view body);
  // Whether receivers of a message that has come to its end have still to say that they have it.
  [[nodiscard]] bool delivering(RoomHandle room) const;
  // Begun and not over, of one member.
  [[nodiscard]] std::uint32_t messages_per_member_max() const;
  // What they take, as in Accept of that 415.
  [[nodiscard]] std::string types_of_others(MemberHandle from) const;

  // What a=chatroom of our descriptions says: "" when it is to be left out, else "nickname private-messages" and so on.
  [[nodiscard]] std::string chatroom_tokens(RoomHandle room) const;

  [[nodiscard]] bool on_fact(msrp::EndFact& fact);
  void expire();
  [[nodiscard]] bool next_fact(RoomFact& fact);
  [[nodiscard]] core::Instant next_deadline() const;

  // For operators. How many of the last messages are remembered, of all rooms; 0: none.
  void keep_trace(std::uint32_t messages);
  // Those with this Message-ID, the newest first; at most `limit`.
  void trace(std::string_view message_id, std::size_t limit, std::vector<TracedMessage>& found) const;
  struct MemberState {
    std::uint32_t number = 0;  // in its room; 0: there is no such member
    bool connected = false;
    bool live = false;         // connected, and gets messages as they come
    bool held = false;         // it is not read, since others are slow or not there
    std::uint64_t behind = 0;  // messages
    std::uint64_t messages_in = 0;
    std::uint64_t messages_out = 0;  // copies written
    std::uint64_t waiting_bytes = 0;
  };
  [[nodiscard]] MemberState state_of(MemberHandle member) const;

  [[nodiscard]] RoomCounts counts(RoomHandle room) const;
  [[nodiscard]] std::uint32_t rooms() const;
  [[nodiscard]] std::uint32_t members() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace parley::policy
