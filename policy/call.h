// policy/call.h - one call as its two legs hold it: leg A, on which we were invited, and leg B, on which we invite.
//
// Plain state, owned by Calls (calls.h), which knows what happens to it; the rules stand in sip/ (invite_usage.h,
// leg_pair.h, session_changes.h, session_timer.h, reliable_provisional.h). Core-local.
//
// B may fork: each To tag that answers opens an early dialog of its own there, and A sees each of them as a dialog of
// its own, too, so that what is negotiated in one is never mixed with another (T-26). Such a pair of dialogs is a
// Strand; the first 2xx decides which of them becomes the session.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/pool.h"
#include "core/slot_map.h"
#include "core/timer_wheel.h"
#include "policy/call_media.h"
#include "policy/history.h"
#include "policy/ways.h"
#include "sip/dialog.h"
#include "sip/early_dialogs.h"
#include "sip/invite_usage.h"
#include "sip/kept_bytes.h"
#include "sip/leg_pair.h"
#include "sip/reliable_provisional.h"
#include "sip/session_changes.h"
#include "sip/session_timer.h"
#include "sip/transactions.h"

namespace parley::policy {

using sip::Leg;
[[nodiscard]] constexpr Side side_of(Leg leg) { return leg == Leg::a ? Side::a : Side::b; }

struct Strand {
  Strand(core::Pool& pool, const sip::InviteConfig& config, core::Random& random, std::uint32_t invite_cseq,
         const sip::OfferTrack& offers_a, const sip::OfferTrack& offers_b)
      : a(pool),
        b(pool),
        reliable(pool, invite_cseq, sip::first_rseq(random), config.t1),
        changes{sip::SessionChanges(config, random, offers_a, false),
                sip::SessionChanges(config, random, offers_b, true)} {}

  std::uint64_t number = 0;  // of B's early dialog; 0: a response without To tag
  std::string tag;           // ours towards A
  sip::Dialog a;
  sip::Dialog b;  // once it has won; before, it stands among the early ones
  Way way_b;
  sip::ReliableSender reliable;                // towards A
  bool owes_prack = false;                     // B's reliable 1xx waits for A's PRACK
  std::uint32_t rseq = 0;                      // of that
  std::array<sip::SessionChanges, 2> changes;  // by Leg
  sip::KeptBytes sdp_a;  // as CallLeg::sdp, what reliable 1xx and PRACKs told them of it
  sip::KeptBytes sdp_b;

  [[nodiscard]] sip::SessionChanges& of(Leg leg) { return changes[leg == Leg::a ? 0 : 1]; }
};

struct CallLeg {
  CallLeg(sip::InviteUsage::Side side, const sip::InviteConfig& config, core::Instant now) : usage(side, config, now) {}
  sip::InviteUsage usage;
  sip::SessionTimer timer;
  sip::TimerGrant grant;  // of A: that our 2xx to its INVITE gives
  std::string allow;      // what its peer said
  sip::MethodSet allows;
  std::string features;           // of its peer's Contact: ";isfocus" (DEC-10)
  sip::TransactionId server;      // of the INVITE or re-INVITE from there
  std::uint32_t invite_cseq = 0;  // of that
  std::uint32_t our_cseq = 0;     // of our latest INVITE there
  sip::KeptBytes answer;          // our 2xx to it
  sip::KeptBytes ack;             // our last ACK there, without Via
  std::uint32_t ack_cseq = 0;     // of that
  sip::KeptBytes sdp;             // the last description it got from us, of those that hold
  std::uint64_t raised = 0;       // by so much are versions of descriptions higher than the other side wrote them
  bool restoring = false;         // it has to have `sdp` again
  bool gone = false;              // told to the pair
};

// A request of ours that has not come to its end.
struct CallRequest {
  enum class Kind : std::uint8_t {
    invite,   // that makes leg B
    change,   // re-INVITE or UPDATE, for one of the other leg
    refresh,  // re-INVITE or UPDATE of our own, for the session timer
    restore,  // re-INVITE of our own, with what held before one that was cancelled too late
    prack,
    pass,  // any other, for one of the other leg
    bye,
    farewell,  // BYE to a fork that came too late
  };
  Kind kind = Kind::pass;
  std::uint32_t number = 0;
  Leg leg = Leg::b;  // where it goes
  sip::Method method = sip::Method::other;
  std::uint32_t cseq = 0;
  Strand* strand = nullptr;     // not of invite and farewell
  sip::TransactionId server{};  // who waits for its response on the other leg
  sip::TimerAsk asked{};
  bool sdp = false;
  bool recorded = false;  // a MESSAGE that came while somebody had the call recorded
  bool final = false;     // its final response has come, or none will
};

// Requests whose dialogs number the subscriptions they make by CSeq (R3515-1): theirs, and ours on the other leg.
struct ReferNumbers {
  Leg from = Leg::a;
  std::uint32_t theirs = 0;
  std::uint32_t ours = 0;
};

struct Call {
  Call(core::Pool& pool, const sip::InviteConfig& config, core::Instant now)
      : a(sip::InviteUsage::Side::invited, config, now),
        b(sip::InviteUsage::Side::inviting, config, now),
        pair(config.rows),
        early(std::make_unique<sip::EarlyDialogs>(pool, sip::OfferTrack())) {}

  core::SlotId self;
  core::Timer timer;
  CallLeg a;
  CallLeg b;
  sip::LegPair pair;

  // What A's INVITE was.
  Way way_a;
  std::string user;  // who proved to be its sender
  bool from_trusted = false;
  bool im = false;  // of the IM service: what SEED4-6.1.2.2.2 has messages say
  std::unique_ptr<CallMedia> media;  // its messages go through this server,
  HistoryMode history_mode = HistoryMode::session;
  std::array<HistoryTrack, 2> history;  // so these users, by Leg, may have them recorded,
  TalkId talk{};                        // and then it is one of these,
  std::array<std::string, 2> people;    // of which their INVITEs have told them who is in it,
  std::string subject;                  // and what it is about
  std::array<std::string, 2> users;     // user_key of those who are in a session by it (OMA-SES-11),
  bool counted = false;                 // and have been counted
  std::uint32_t opening_cseq = 0;
  bool a_sdp = false;  // it offered
  sip::RelWish rel = sip::RelWish::none;
  std::string tag;  // ours, of final responses without a dialog, and of the first strand

  // Our INVITE.
  std::string call_id, from, to, uri, tag_b, aor, next, routes;
  std::uint32_t cseq_b = 1;
  bool secure_b = false;
  bool outside = false;
  bool by_core = false;
  std::uint32_t invite_number = 0;
  std::unique_ptr<sip::EarlyDialogs> early;  // until nothing more can come of it

  std::vector<std::unique_ptr<Strand>> strands;
  Strand* won = nullptr;

  std::vector<CallRequest> requests;
  std::uint32_t numbers = 0;
  std::vector<ReferNumbers> refers;

  // The change that is being passed on (LegPair::asker() asked for it).
  sip::TransactionId change;
  bool change_is_update = false;
  sip::KeptBytes offered;  // the description that went on with it
  Strand* change_strand = nullptr;

  std::string reason;  // value of Reason for what ends the call

  [[nodiscard]] CallLeg& leg(Leg leg) { return leg == Leg::a ? a : b; }
  // Nobody has ended it.
  [[nodiscard]] bool stands() const {
    using sip::PairState;
    const PairState state = pair.state();
    return state == PairState::ringing || state == PairState::answering || state == PairState::late ||
           state == PairState::open;
  }
  [[nodiscard]] bool over() const { return pair.state() == sip::PairState::over; }
};

}  // namespace parley::policy
