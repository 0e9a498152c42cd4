// sip/invite_rules.h - what an INVITE session does on each event, as tables: the side that was invited and the side
// that invites (RFC 3261 sections 13 to 15; R3261-2, -6, -7, -9, T-22 to T-24).
//
// No message types here: invite_usage.h and session_changes.h turn messages into events and time into timer events. The
// figures to compare with are the sections named at the rows; RFC 5407 has the crossings.
//
// A timer is no action: it runs exactly in the states that limit_of(), awaits_prack() and resends() name, starts on the
// edge from a state where it does not run, and stops on the edge out. So a timer event is `never` where it does not
// run, and nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sip/table_checks.h"

namespace parley::sip {

enum class InviteState : std::uint8_t {
  // invited (UAS)
  proceeding,  // no final response yet
  held,        // our 2xx waits for the PRACK of a 1xx that carried SDP
  answered,    // 2xx sent, again and again until the ACK
  closing,     // as answered; a BYE goes out as soon as it may
  left,        // as answered; its BYE came instead of the ACK
  // inviting (UAC)
  calling,     // no final response yet
  cancelling,  // CANCEL asked for; the client transaction holds it back until a 1xx came (9.1, T-24)
  accepted,    // 2xx came, its ACK has not been given to us
  // both
  confirmed,
  leaving,  // BYE sent
  ended,
};
inline constexpr std::size_t invite_states = 11;

enum class InviteEvent : std::uint8_t {
  // invited: what we are told to do
  provisional,  // send a 1xx
  answer,       // send a 2xx
  answer_held,  // the same, while a reliable 1xx with SDP is unacknowledged
  refuse,       // send another final response
  // invited: what comes
  pracked,  // nothing holds a 2xx back any more
  cancel,   // a CANCEL for this INVITE; its own 200 is the transaction's matter
  ack,      // the ACK to our 2xx
  // inviting
  got_2xx,        // the first 2xx
  got_2xx_again,  // a repetition of it
  got_2xx_other,  // one of another dialog after the first
  got_refusal,    // 300-699; also 408 or 503 of our own making when the transaction ended without a response
  acknowledge,    // send the ACK, whose body we now have
  // both
  hang_up,      // end it, whatever that takes
  bye,          // a BYE in a dialog of this INVITE
  bye_done,     // final response to our BYE or none in time; 481 is as good as 200 (T-23)
  dialog_lost,  // a request in the dialog was answered 408, 481 or not at all
  expired,      // the session timer
  // timers
  limit,          // the state has lasted as long as it may
  prack_overdue,  // a reliable 1xx was sent for 64*T1 without PRACK
};
inline constexpr std::size_t invite_events = 19;

// What to do, in the order of these bits.
namespace invite_do {
inline constexpr std::uint32_t send_1xx = 1 << 0;    // the one at hand
inline constexpr std::uint32_t send_2xx = 1 << 1;    // keep its bytes until stop_2xx
inline constexpr std::uint32_t send_final = 1 << 2;  // the refusal at hand
inline constexpr std::uint32_t send_487 = 1 << 3;
inline constexpr std::uint32_t send_480 = 1 << 4;
inline constexpr std::uint32_t send_504 = 1 << 5;
inline constexpr std::uint32_t answer_bye_200 = 1 << 6;
inline constexpr std::uint32_t answer_bye_481 = 1 << 7;
inline constexpr std::uint32_t send_cancel = 1 << 8;
inline constexpr std::uint32_t send_ack = 1 << 9;  // keep its bytes: a repeated 2xx brings it again
inline constexpr std::uint32_t send_ack_again = 1 << 10;
inline constexpr std::uint32_t ack_bye_other = 1 << 11;  // in the dialog of the surplus 2xx
inline constexpr std::uint32_t send_bye = 1 << 12;
inline constexpr std::uint32_t tell_answered = 1 << 13;   // a 2xx is here and wants `acknowledge`
inline constexpr std::uint32_t tell_up = 1 << 14;         // acknowledged: the session is confirmed
inline constexpr std::uint32_t tell_ended = 1 << 15;      // the session is over, or never will be; told once
inline constexpr std::uint32_t send_2xx_again = 1 << 16;  // of the resend timer, in no row
}  // namespace invite_do

// What ends a state that lasts too long; times are in InviteConfig.
enum class InviteLimit : std::uint8_t {
  none,
  decide,   // invited and nobody answers
  ring,     // inviting and nobody answers
  cancel,   // 64*T1 after CANCEL without final response (9.1)
  ack,      // 64*T1 without ACK to our 2xx (13.3.1.4), or without anybody giving us the ACK to theirs
};
constexpr InviteLimit limit_of(InviteState state) {
  switch (state) {
    case InviteState::proceeding: return InviteLimit::decide;
    case InviteState::calling: return InviteLimit::ring;
    case InviteState::cancelling: return InviteLimit::cancel;
    case InviteState::answered:
    case InviteState::closing:
    case InviteState::left:
    case InviteState::accepted: return InviteLimit::ack;
    case InviteState::held:       // prack_overdue ends it
    case InviteState::confirmed:  // the session timer's matter
    case InviteState::leaving:    // the BYE's transaction ends it
    case InviteState::ended: return InviteLimit::none;
  }
  return InviteLimit::none;
}
// Whether a reliable 1xx may wait for its PRACK.
constexpr bool awaits_prack(InviteState state) {
  return state == InviteState::proceeding || state == InviteState::held;
}
// Whether our 2xx is sent again at T1, doubling up to T2.
constexpr bool resends(InviteState state) {
  return state == InviteState::answered || state == InviteState::closing || state == InviteState::left;
}

using InviteRow = Row<InviteState, InviteEvent>;

namespace invite_table {

using S = InviteState;
using E = InviteEvent;
using namespace invite_do;

using Make = RowMaker<S, E>;
constexpr auto go = Make::go;
constexpr auto absorb = Make::absorb;
constexpr auto idle = Make::idle;
constexpr auto never = Make::never;

// clang-format off
inline constexpr InviteRow invited[] = {
    //  state        event            next           actions                              where
    go(S::proceeding, E::provisional, S::proceeding, send_1xx),                        // 3261 13.3.1.1
    go(S::proceeding, E::answer,      S::answered,   send_2xx),                        // 13.3.1.4
    go(S::proceeding, E::answer_held, S::held,       0),                               // 3262 3
    go(S::proceeding, E::refuse,      S::ended,      send_final | tell_ended),         // 13.3.1.3
    absorb(S::proceeding, E::pracked),                                                 // it held nothing
    go(S::proceeding, E::cancel,      S::ended,      send_487 | tell_ended),           // 9.2
    absorb(S::proceeding, E::ack),                                                     // no 2xx to acknowledge
    go(S::proceeding, E::hang_up,     S::ended,      send_480 | tell_ended),           // no BYE before the ACK: 15
    go(S::proceeding, E::bye,         S::ended,      answer_bye_200 | send_487 | tell_ended),// 15.1.2
    idle(S::proceeding, E::bye_done),
    go(S::proceeding, E::dialog_lost, S::ended,      send_480 | tell_ended),           // our UPDATE found nobody
    idle(S::proceeding, E::expired),                                                   // starts with the 2xx
    go(S::proceeding, E::limit,       S::ended,      send_480 | tell_ended),
    go(S::proceeding, E::prack_overdue, S::ended,    send_504 | tell_ended),           // 3262 3

    idle(S::held, E::provisional),                                                     // the 2xx is decided
    idle(S::held, E::answer),
    idle(S::held, E::answer_held),
    idle(S::held, E::refuse),
    go(S::held, E::pracked,       S::answered, send_2xx),                              // 3262 3
    go(S::held, E::cancel,        S::ended,    send_487 | tell_ended),                 // 9.2
    absorb(S::held, E::ack),
    go(S::held, E::hang_up,       S::ended,    send_480 | tell_ended),
    go(S::held, E::bye,           S::ended,    answer_bye_200 | send_487 | tell_ended),// 15.1.2
    idle(S::held, E::bye_done),
    go(S::held, E::dialog_lost,   S::ended,    send_480 | tell_ended),
    idle(S::held, E::expired),
    never(S::held, E::limit),                                                          // the PRACK's time is shorter
    go(S::held, E::prack_overdue, S::ended,    send_504 | tell_ended),                 // 3262 3

    idle(S::answered, E::provisional),
    idle(S::answered, E::answer),
    idle(S::answered, E::answer_held),
    idle(S::answered, E::refuse),
    absorb(S::answered, E::pracked),                                                   // 3262 3: late, still answered
    absorb(S::answered, E::cancel),                                                    // 9.2: no effect after a final
    go(S::answered, E::ack,         S::confirmed, tell_up),                            // 13.3.1.4
    go(S::answered, E::hang_up,     S::closing,   0),                                  // 15: not before the ACK
    go(S::answered, E::bye,         S::left,      answer_bye_200 | tell_ended),        // 15: perhaps before our 2xx came
    idle(S::answered, E::bye_done),
    go(S::answered, E::dialog_lost, S::closing,   0),                                  // 15
    go(S::answered, E::expired,     S::closing,   0),                                  // 15
    go(S::answered, E::limit,       S::leaving,   send_bye | tell_ended),              // 13.3.1.4: no ACK
    never(S::answered, E::prack_overdue),                                              // a final stops them

    idle(S::closing, E::provisional),
    idle(S::closing, E::answer),
    idle(S::closing, E::answer_held),
    idle(S::closing, E::refuse),
    absorb(S::closing, E::pracked),
    absorb(S::closing, E::cancel),
    go(S::closing, E::ack,   S::leaving, send_bye | tell_ended),                       // 15
    absorb(S::closing, E::hang_up),
    go(S::closing, E::bye,   S::left,    answer_bye_200 | tell_ended),
    idle(S::closing, E::bye_done),
    absorb(S::closing, E::dialog_lost),
    absorb(S::closing, E::expired),
    go(S::closing, E::limit, S::leaving, send_bye | tell_ended),                       // 13.3.1.4
    never(S::closing, E::prack_overdue),

    // A caller may end an early dialog by BYE (15), and the 2xx that was on its way is the only final response that its
    // INVITE has. Who did have it acknowledges it (5407 3.1.6), and that is all.
    idle(S::left, E::provisional),
    idle(S::left, E::answer),
    idle(S::left, E::answer_held),
    idle(S::left, E::refuse),
    absorb(S::left, E::pracked),
    absorb(S::left, E::cancel),
    go(S::left, E::ack,   S::ended, 0),                                                // 13.3.1.4
    absorb(S::left, E::hang_up),
    go(S::left, E::bye,   S::left,  answer_bye_481),                                   // 15.1.2
    idle(S::left, E::bye_done),
    absorb(S::left, E::dialog_lost),
    absorb(S::left, E::expired),
    go(S::left, E::limit, S::ended, 0),                                                // 13.3.1.4
    never(S::left, E::prack_overdue),

    idle(S::confirmed, E::provisional),
    idle(S::confirmed, E::answer),
    idle(S::confirmed, E::answer_held),
    idle(S::confirmed, E::refuse),
    absorb(S::confirmed, E::pracked),
    absorb(S::confirmed, E::cancel),
    absorb(S::confirmed, E::ack),                                                      // our 2xx crossed its ACK
    go(S::confirmed, E::hang_up,     S::leaving, send_bye | tell_ended),               // 15.1.1
    go(S::confirmed, E::bye,         S::ended,   answer_bye_200 | tell_ended),         // 15.1.2
    idle(S::confirmed, E::bye_done),
    go(S::confirmed, E::dialog_lost, S::leaving, send_bye | tell_ended),               // 12.2.1.2, 14.1
    go(S::confirmed, E::expired,     S::leaving, send_bye | tell_ended),               // 4028 10
    never(S::confirmed, E::limit),
    never(S::confirmed, E::prack_overdue),

    idle(S::leaving, E::provisional),
    idle(S::leaving, E::answer),
    idle(S::leaving, E::answer_held),
    idle(S::leaving, E::refuse),
    absorb(S::leaving, E::pracked),
    absorb(S::leaving, E::cancel),
    absorb(S::leaving, E::ack),                                                        // 5407 3.2: too late
    idle(S::leaving, E::hang_up),
    go(S::leaving, E::bye,      S::leaving, answer_bye_200),                           // T-23: crossing
    go(S::leaving, E::bye_done, S::ended,   0),                                        // 15.1.1
    absorb(S::leaving, E::dialog_lost),
    idle(S::leaving, E::expired),
    never(S::leaving, E::limit),
    never(S::leaving, E::prack_overdue),

    idle(S::ended, E::provisional),
    idle(S::ended, E::answer),
    idle(S::ended, E::answer_held),
    idle(S::ended, E::refuse),
    absorb(S::ended, E::pracked),
    absorb(S::ended, E::cancel),
    absorb(S::ended, E::ack),
    idle(S::ended, E::hang_up),
    go(S::ended, E::bye, S::ended, answer_bye_481),                                    // 15.1.2
    idle(S::ended, E::bye_done),
    absorb(S::ended, E::dialog_lost),
    idle(S::ended, E::expired),
    never(S::ended, E::limit),
    never(S::ended, E::prack_overdue),
};

inline constexpr InviteRow inviting[] = {
    //  state        event              next           actions                            where
    go(S::calling, E::got_2xx,          S::accepted,   tell_answered),                 // 13.2.2.4
    never(S::calling, E::got_2xx_again),
    never(S::calling, E::got_2xx_other),
    go(S::calling, E::got_refusal,      S::ended,      tell_ended),                    // 13.2.2.3
    idle(S::calling, E::acknowledge),
    go(S::calling, E::hang_up,          S::cancelling, send_cancel),                   // 9.1
    go(S::calling, E::bye,              S::calling,    answer_bye_481),                // 15: no BYE of a callee now
    idle(S::calling, E::bye_done),
    go(S::calling, E::dialog_lost,      S::cancelling, send_cancel),                   // PRACK or UPDATE found nobody
    idle(S::calling, E::expired),
    go(S::calling, E::limit,            S::cancelling, send_cancel),                   // 9.1

    go(S::cancelling, E::got_2xx,       S::leaving,    send_ack | send_bye | tell_ended),// 9.1, T-22
    never(S::cancelling, E::got_2xx_again),
    never(S::cancelling, E::got_2xx_other),
    go(S::cancelling, E::got_refusal,   S::ended,      tell_ended),                    // 487, as a rule
    idle(S::cancelling, E::acknowledge),
    absorb(S::cancelling, E::hang_up),
    go(S::cancelling, E::bye,           S::cancelling, answer_bye_481),
    idle(S::cancelling, E::bye_done),
    absorb(S::cancelling, E::dialog_lost),
    idle(S::cancelling, E::expired),
    go(S::cancelling, E::limit,         S::ended,      tell_ended),                    // 9.1: 64*T1 and no final

    never(S::accepted, E::got_2xx),
    absorb(S::accepted, E::got_2xx_again),                                             // its ACK is being made
    go(S::accepted, E::got_2xx_other, S::accepted,  ack_bye_other),                    // 13.2.2.4
    idle(S::accepted, E::got_refusal),
    go(S::accepted, E::acknowledge,   S::confirmed, send_ack | tell_up),               // 13.2.2.4
    go(S::accepted, E::hang_up,       S::leaving,   send_ack | send_bye | tell_ended), // 13.2.2.4
    go(S::accepted, E::bye,           S::ended,     send_ack | answer_bye_200 | tell_ended),
    idle(S::accepted, E::bye_done),
    go(S::accepted, E::dialog_lost,   S::leaving,   send_ack | send_bye | tell_ended),
    idle(S::accepted, E::expired),                                                     // not before the ACK
    go(S::accepted, E::limit,         S::leaving,   send_ack | send_bye | tell_ended),

    never(S::confirmed, E::got_2xx),
    go(S::confirmed, E::got_2xx_again, S::confirmed, send_ack_again),                  // 13.2.2.4: the ACK was lost
    go(S::confirmed, E::got_2xx_other, S::confirmed, ack_bye_other),                   // 13.2.2.4
    idle(S::confirmed, E::got_refusal),
    idle(S::confirmed, E::acknowledge),
    go(S::confirmed, E::hang_up,       S::leaving,   send_bye | tell_ended),           // 15.1.1
    go(S::confirmed, E::bye,           S::ended,     answer_bye_200 | tell_ended),     // 15.1.2
    idle(S::confirmed, E::bye_done),
    go(S::confirmed, E::dialog_lost,   S::leaving,   send_bye | tell_ended),           // 12.2.1.2, 14.1
    go(S::confirmed, E::expired,       S::leaving,   send_bye | tell_ended),           // 4028 10
    never(S::confirmed, E::limit),

    never(S::leaving, E::got_2xx),
    go(S::leaving, E::got_2xx_again, S::leaving, send_ack_again),                      // 5407 3.2.3
    go(S::leaving, E::got_2xx_other, S::leaving, ack_bye_other),
    idle(S::leaving, E::got_refusal),
    idle(S::leaving, E::acknowledge),
    idle(S::leaving, E::hang_up),
    go(S::leaving, E::bye,           S::leaving, answer_bye_200),                      // T-23: crossing
    go(S::leaving, E::bye_done,      S::ended,   0),
    absorb(S::leaving, E::dialog_lost),
    idle(S::leaving, E::expired),
    never(S::leaving, E::limit),

    go(S::ended, E::got_2xx,       S::leaving, send_ack | send_bye),                   // a fork's, after all was over
    go(S::ended, E::got_2xx_again, S::ended,   send_ack_again),
    go(S::ended, E::got_2xx_other, S::ended,   ack_bye_other),
    absorb(S::ended, E::got_refusal),
    idle(S::ended, E::acknowledge),
    idle(S::ended, E::hang_up),
    go(S::ended, E::bye,           S::ended,   answer_bye_481),                        // 15.1.2
    idle(S::ended, E::bye_done),
    absorb(S::ended, E::dialog_lost),
    idle(S::ended, E::expired),
    never(S::ended, E::limit),
};
// clang-format on

inline constexpr auto invited_cells = cells_of<invite_states, invite_events>(invited);
inline constexpr auto inviting_cells = cells_of<invite_states, invite_events>(inviting);

}  // namespace invite_table

constexpr const InviteRow& invite_row(bool inviting, InviteState state, InviteEvent event) {
  return cell(inviting ? invite_table::inviting_cells : invite_table::invited_cells, state, event);
}

}  // namespace parley::sip
