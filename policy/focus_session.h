// policy/focus_session.h - a session of the controlling function, and those who take part in it: each of them is one
// dialog of the focus (RFC 4353 section 4.2, RFC 4579).
//
// Plain state, owned by Focus (focus.h), which knows what happens to it; the rules stand in sip/ (invite_usage.h,
// session_changes.h, session_timer.h, reliable_provisional.h). Core-local.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/pool.h"
#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "msrp/ends.h"
#include "policy/conference_info.h"
#include "policy/documents.h"
#include "policy/history_recorder.h"
#include "policy/resource_list.h"
#include "policy/room.h"
#include "policy/ways.h"
#include "sip/dialog.h"
#include "sip/early_dialogs.h"
#include "sip/invite_usage.h"
#include "sip/kept_bytes.h"
#include "sip/reliable_provisional.h"
#include "sip/session_changes.h"
#include "sip/session_timer.h"
#include "sip/transactions.h"

namespace parley::policy {

enum class SessionKind : std::uint8_t {
  one_to_one,
  adhoc,        // begun at the factory, with a list or without
  prearranged,  // of a group that invites its members
  chat_room,    // of a group that is joined
};

// A request of ours that has not come to its end.
struct FocusRequest {
  enum class Kind : std::uint8_t {
    invite,    // that makes the dialog
    refresh,   // re-INVITE or UPDATE for the session timer
    bye,
    farewell,  // BYE to a fork that came too late
    notify,    // of a REFER
  };
  Kind kind = Kind::bye;
  std::uint32_t number = 0;
  sip::Method method = sip::Method::other;
  std::uint32_t cseq = 0;
  sip::TimerAsk asked{};
  bool sdp = false;
  bool final = false;  // its final response has come, or none will
};

// What a peer's description says of the MSRP session that we took.
struct MediaTerms {
  std::uint8_t section = 0;  // its place among the m= lines
  bool secure = false;
  std::string path;
  bool we_connect = false;
  bool loose = false;  // msrp-cema or msrp-acm (T-43)
  std::string address;  // msrp::EndPeer::address
  std::string accept_types;
  std::string accept_wrapped_types;
  std::uint64_t message_bytes_max = 0;
  bool may_send = true;  // as the peer sees it
  bool may_receive = true;
  bool private_messages = false;
  std::string file_section;  // lines of a=file-*, i= (OMA-FT-5); empty: no file
};

// A recipient who can not be reached: his copy of a large message is stored (OMA-LRG-4).
struct StoredCopy {
  std::string aor;
  std::uint64_t id = 0;  // of its row
  std::int64_t arrived_ms = 0;
  bool tried = false;        // devices of his are there and did not answer
  std::uint64_t asked = 0;   // whether the store has room for it; 0: that has been answered
  msrp::EndHandle end;       // the leg that keeps it
  std::uint64_t bytes_max = 0;
};

// A message that is sent out of the store: pushed (OMA-DEF-8) or fetched (OMA-DEF-13); or a record of a history that is
// fetched (OMA-HIS-5).
struct StoredMessage {
  std::uint64_t id = 0;
  bool record = false;
  std::string aor;   // whose it is, when he fetches it
  core::SlotId box;  // of who pushes it, and its number there; not valid(): it is fetched
  std::uint32_t number = 0;
  std::string asserts;       // P-Asserted-Identity of what delivers it
  std::uint64_t asked = 0;   // for its row
  msrp::EndHandle end;       // the leg that gives it
  std::uint16_t status = 0;  // what has become of it; 0: nothing yet
  bool taken = false;        // a device has accepted it: whatever fails then, its user was reached
};

// How somebody takes part, from the first INVITE to the last BYE.
struct Participant {
  enum class Stand : std::uint8_t {
    inviting,  // we have invited; or he has, and waits for his answer
    in,
    gone,
  };
  Participant(core::Pool& pool, sip::InviteUsage::Side side, const sip::InviteConfig& config, core::Random& random,
              std::uint32_t his_cseq, const sip::OfferTrack& offers, core::Instant now)
      : dialog(std::make_shared<sip::Dialog>(pool)),
        usage(side, config, now),
        changes(config, random, offers, side == sip::InviteUsage::Side::inviting),
        reliable(pool, his_cseq, sip::first_rseq(random), config.t1) {}

  core::SlotId self;
  core::SlotId session;
  core::Timer timer;
  Stand stand = Stand::inviting;

  // Who it is.
  std::string uri;                    // AO-IMA
  std::string key;                    // user_key(uri)
  std::string display;                // name or alias, without quotes
  bool anonymous = false;             // Privacy: id
  std::uint32_t anonymous_number = 0; // others know him by it alone
  std::string instance;               // +sip.instance, with its quotes
  bool oma_client = false;            // his User-Agent does not say that he is another kind of client
  bool trusted = false;               // his requests come from a trusted peer

  // The dialog. Subscriptions may share it (T-33).
  std::shared_ptr<sip::Dialog> dialog;
  std::unique_ptr<sip::EarlyDialogs> early;  // of our INVITE, until nothing more can come of it
  Way way;
  std::string tag;       // ours
  std::string features;  // of our Contact toward him
  sip::InviteUsage usage;
  sip::SessionChanges changes;
  sip::ReliableSender reliable;
  sip::RelWish rel = sip::RelWish::none;
  sip::SessionTimer timers;
  sip::TimerGrant grant;
  std::string allow;
  sip::MethodSet allows;
  sip::TransactionId server;      // of his INVITE or re-INVITE
  std::uint32_t invite_cseq = 0;  // of that
  sip::KeptBytes answer;          // our 2xx to it
  bool rung = false;              // his INVITE has had a provisional response

  // Our INVITE.
  std::string call_id, from, to, request_uri;
  std::string entry_headers;  // as Invitee::headers
  std::uint32_t opening_cseq = 1;
  std::uint32_t invite_number = 0;

  // Media.
  sip::KeptBytes offer;        // his last description that counts
  sip::KeptBytes description;  // our last one
  std::uint64_t sdp_id = 0;
  std::uint64_t sdp_version = 0;
  msrp::EndHandle end;
  MediaTerms terms;
  MemberHandle member;
  core::Instant lost_until = core::never;  // his MSRP connection is gone; then his dialog ends

  std::vector<FocusRequest> requests;
  std::uint32_t numbers = 0;
  std::uint32_t refer = 0;        // the REFER that brought him; 0: none
  std::uint32_t expelled_by = 0;  // the REFER that ends him
  std::uint32_t refers = 0;       // REFERs of his, with subscriptions
  std::string recorder;   // address of record of a user of ours who wants it recorded (OMA-HIS-3),
  bool recorded = false;  // and it is
  bool booted = false;
  bool ending = false;        // his file has been called off: the ACK to our 200 is waited for
  bool lost = false;          // neither he nor the session ends his dialog: his place in the room is kept
  std::uint16_t refusal = 0;  // why he did not come in
  StoredCopy unreached;       // with an aor: he can not be reached, and his copy may be stored
  StoredCopy given_up;        // likewise once the others are waited for no longer: his devices have been called off
  bool written_off = false;   // the others go on without him, whatever comes of our INVITE
  std::string reason;         // value of Reason for our BYE
  RosterPlace place;

  [[nodiscard]] bool invited_by_us() const { return usage.inviting(); }
};

// Somebody who is still to be invited.
struct Invitee {
  std::string uri;
  std::string headers{};  // that his entry in a list asks for (R5365-1), as it has them
  std::string key;
  std::string display;
  std::uint32_t refer = 0;
};

// A REFER whose outcome is told by NOTIFY (RFC 3515 section 2.4.4, R3515-1).
struct FocusRefer {
  std::uint32_t number = 0;
  std::uint32_t cseq = 0;               // of the REFER: the id that a SUBSCRIBE may name it by
  core::SlotId by{};                    // whose dialog it came in; not valid(): it made its own
  std::shared_ptr<sip::Dialog> dialog{};
  Way way{};            // of its own dialog
  std::string tag{};    // ours, of that
  std::string event{};  // value of Event: "refer;id=93809823"
  std::uint32_t open = 0;  // targets without outcome
  std::uint16_t outcome = 0;
  core::Instant until = core::never;
};

struct PassedHeader {
  sip::HeaderId id = sip::HeaderId::other;
  std::string name;
  std::string value;
};
struct PassedPart {
  std::string headers;  // with their line ends
  std::string body;
};

struct FocusSession {
  core::SlotId self;
  core::Timer timer;
  core::Instant began{};
  SessionKind kind = SessionKind::adhoc;
  std::string name;      // user part of the identity
  std::string identity;  // session identity: a URI
  std::string asserted;  // P-Asserted-Identity toward who comes in: factory or group, in brackets (SEED2-7.2.1.1-5)
  std::string subject;
  std::shared_ptr<const void> group_owner;  // keeps it
  const Group* group = nullptr;

  core::SlotId originator;
  std::string originator_uri;
  std::string originator_from;  // From value of whom we invite for him, without tag
  bool originator_anonymous = false;
  bool originator_oma = false;
  bool originator_trusted = false;  // his INVITE came from a trusted peer
  std::vector<PassedHeader> passed;  // of his INVITE, that go on
  std::vector<PassedPart> others;    // of its body

  Recipients recipients;  // of his list, and who was brought in later
  std::deque<Invitee> waiting;
  std::uint32_t inviting = 0;  // INVITEs of ours without final response
  std::vector<core::SlotId> participants;
  std::uint32_t in = 0;               // of them that are in
  std::uint16_t best_refusal = 0;     // of those who were invited; 0: none has refused
  bool begun = false;                 // the originator has had his 200
  bool peopled = false;               // there were others than the originator, or are to be
  bool ending = false;
  bool stays = false;                 // it ends with the process, not for its participants
  // A file or a large message for several (OMA-FT-7, OMA-LRG-3): the originator sends, the others receive, and it begins
  // when all of them have answered. Nobody joins it and nobody watches it (OMA-LRG-2).
  bool distribution = false;
  bool large_message = false;
  core::Instant gather_until = core::never;
  std::vector<StoredCopy> copies;     // of those who can not be reached
  std::uint32_t asking = 0;           // of them: the store has yet to say whether it has room
  std::uint32_t keeping = 0;          // and those that are being stored, or are
  std::string refusal_text;           // why none is
  std::unique_ptr<StoredMessage> stored;  // that is what is sent here
  RoomHandle room;
  TalkId talk;                        // valid(): somebody in it records it
  std::uint32_t spread = 0;           // MSRP sessions that were given to the shards in turn
  core::Instant ends = core::never;   // max-duration
  std::vector<FocusRefer> refers;
  std::uint32_t numbers = 0;          // of REFERs and of requests outside the participants' dialogs
  std::uint32_t requests = 0;         // of these, without end
  std::unique_ptr<Roster> roster;

  [[nodiscard]] bool of_two() const { return kind == SessionKind::one_to_one; }
  [[nodiscard]] bool of_group() const { return group != nullptr; }
  // What one of them sends the other ones get as it is, and their descriptions go through.
  [[nodiscard]] bool passes_on() const { return of_two() || distribution; }
};

}  // namespace parley::policy
