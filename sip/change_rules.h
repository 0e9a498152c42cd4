// sip/change_rules.h - re-INVITEs within a session, in both directions, as a table (RFC 3261 section 14; R3261-6,
// T-21).
//
// As invite_rules.h: no message types, and a timer runs exactly in the states that limit_of() and resends() name.
// session_changes.h drives it and adds what UPDATE and offers forbid.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sip/invite_rules.h"
#include "sip/table_checks.h"

namespace parley::sip {

enum class ChangeState : std::uint8_t {
  quiet,
  ours,      // our re-INVITE is out
  ours_ok,   // its 2xx came, the ACK has not been given to us
  theirs,    // theirs waits for our final response
  theirs_ok  // 2xx sent, again and again until the ACK
};
inline constexpr std::size_t change_states = 5;

enum class ChangeEvent : std::uint8_t {
  want,           // send a re-INVITE
  got_invite,     // theirs, and offers allow it or do not matter
  got_glare,      // theirs, no INVITE is open, and an offer of ours has no answer
  got_twice,      // theirs, no INVITE is open, and an offer of theirs has no answer
  answer,         // send a 2xx
  refuse,         // send another final response
  cancel,         // theirs was cancelled
  ack,            // to our 2xx
  got_2xx,        // to ours
  got_2xx_again,  // a repetition
  acknowledge,    // send the ACK
  got_491,
  got_refusal,  // another final response that leaves the session as it was
  got_lost,     // 408, 481, none at all, or one that ends the dialog (12.2.1.2)
  limit,        // the state has lasted as long as it may
};
inline constexpr std::size_t change_events = 15;

namespace change_do {
inline constexpr std::uint32_t send_invite = 1 << 0;
inline constexpr std::uint32_t busy = 1 << 1;         // nothing was sent: another INVITE is under way
inline constexpr std::uint32_t take_invite = 1 << 2;  // theirs: answer() or refuse() it
inline constexpr std::uint32_t answer_491 = 1 << 3;
inline constexpr std::uint32_t answer_500 = 1 << 4;  // with Retry-After of 0 to 10 s
inline constexpr std::uint32_t send_2xx = 1 << 5;    // keep its bytes until the ACK
inline constexpr std::uint32_t send_final = 1 << 6;
inline constexpr std::uint32_t send_487 = 1 << 7;
inline constexpr std::uint32_t send_ack = 1 << 8;  // keep its bytes
inline constexpr std::uint32_t send_ack_again = 1 << 9;
inline constexpr std::uint32_t tell_answered = 1 << 10;   // a 2xx is here and wants `acknowledge`
inline constexpr std::uint32_t tell_done = 1 << 11;       // the change holds
inline constexpr std::uint32_t tell_failed = 1 << 12;     // ours was refused or theirs withdrawn: all as before
inline constexpr std::uint32_t wait_491 = 1 << 13;        // may be wanted again when the waiting time is over
inline constexpr std::uint32_t end_session = 1 << 14;     // InviteEvent::dialog_lost
inline constexpr std::uint32_t send_2xx_again = 1 << 15;  // of the resend timer, in no row
}  // namespace change_do

// quiet: none. ours: as long as an INVITE may ring. ours_ok, theirs_ok: 64*T1. theirs: as long as anybody may think.
constexpr InviteLimit limit_of(ChangeState state) {
  switch (state) {
    case ChangeState::quiet: return InviteLimit::none;
    case ChangeState::ours: return InviteLimit::ring;
    case ChangeState::theirs: return InviteLimit::decide;
    case ChangeState::ours_ok:
    case ChangeState::theirs_ok: return InviteLimit::ack;
  }
  return InviteLimit::none;
}
constexpr bool resends(ChangeState state) { return state == ChangeState::theirs_ok; }

using ChangeRow = Row<ChangeState, ChangeEvent>;

namespace change_table {

using S = ChangeState;
using E = ChangeEvent;
using namespace change_do;

using Make = RowMaker<S, E>;
constexpr auto go = Make::go;
constexpr auto absorb = Make::absorb;
constexpr auto idle = Make::idle;
constexpr auto never = Make::never;

// clang-format off
inline constexpr ChangeRow rows[] = {
    go(S::quiet, E::want,          S::ours,   send_invite),                            // 14.1
    go(S::quiet, E::got_invite,    S::theirs, take_invite),                            // 14.2
    go(S::quiet, E::got_glare,     S::quiet,  answer_491),                             // 3311 5.2: our UPDATE is out
    go(S::quiet, E::got_twice,     S::quiet,  answer_500),                             // theirs is not answered
    idle(S::quiet, E::answer),
    idle(S::quiet, E::refuse),
    never(S::quiet, E::cancel),
    absorb(S::quiet, E::ack),
    never(S::quiet, E::got_2xx),
    go(S::quiet, E::got_2xx_again, S::quiet,  send_ack_again),                         // 13.2.2.4
    idle(S::quiet, E::acknowledge),
    absorb(S::quiet, E::got_491),
    absorb(S::quiet, E::got_refusal),
    absorb(S::quiet, E::got_lost),
    never(S::quiet, E::limit),

    go(S::ours, E::want,        S::ours,    busy),                                     // 14.1
    go(S::ours, E::got_invite,  S::ours,    answer_491),                               // 14.2, T-21: each time
    never(S::ours, E::got_glare),
    never(S::ours, E::got_twice),
    idle(S::ours, E::answer),
    idle(S::ours, E::refuse),
    never(S::ours, E::cancel),
    absorb(S::ours, E::ack),
    go(S::ours, E::got_2xx,     S::ours_ok, tell_answered),                            // 14.1
    go(S::ours, E::got_2xx_again, S::ours,  send_ack_again),                           // of an INVITE before
    idle(S::ours, E::acknowledge),
    go(S::ours, E::got_491,     S::quiet,   tell_failed | wait_491),                   // 14.1
    go(S::ours, E::got_refusal, S::quiet,   tell_failed),                              // 14.1: all as before
    go(S::ours, E::got_lost,    S::quiet,   tell_failed | end_session),                // 14.1
    go(S::ours, E::limit,       S::quiet,   tell_failed | end_session),                // it rings for ever

    go(S::ours_ok, E::want,        S::ours_ok, busy),
    go(S::ours_ok, E::got_invite,  S::ours_ok, answer_491),                            // our ACK has to go first
    never(S::ours_ok, E::got_glare),
    never(S::ours_ok, E::got_twice),
    idle(S::ours_ok, E::answer),
    idle(S::ours_ok, E::refuse),
    never(S::ours_ok, E::cancel),
    absorb(S::ours_ok, E::ack),
    never(S::ours_ok, E::got_2xx),
    go(S::ours_ok, E::got_2xx_again, S::ours_ok, send_ack_again),                      // of an INVITE before
    go(S::ours_ok, E::acknowledge, S::quiet,   send_ack | tell_done),                  // 13.2.2.4
    idle(S::ours_ok, E::got_491),
    idle(S::ours_ok, E::got_refusal),
    go(S::ours_ok, E::got_lost,    S::quiet,   send_ack | tell_failed | end_session),
    go(S::ours_ok, E::limit,       S::quiet,   send_ack | tell_failed | end_session),

    go(S::theirs, E::want,       S::theirs,    busy),                                  // 14.1
    go(S::theirs, E::got_invite, S::theirs,    answer_500),                            // 14.2
    never(S::theirs, E::got_glare),
    never(S::theirs, E::got_twice),
    go(S::theirs, E::answer,     S::theirs_ok, send_2xx),                              // 14.2
    go(S::theirs, E::refuse,     S::quiet,     send_final),                            // 14.2: 488 and the like
    go(S::theirs, E::cancel,     S::quiet,     send_487 | tell_failed),                // 9.2
    absorb(S::theirs, E::ack),
    never(S::theirs, E::got_2xx),
    go(S::theirs, E::got_2xx_again, S::theirs, send_ack_again),                        // of an INVITE before
    idle(S::theirs, E::acknowledge),
    idle(S::theirs, E::got_491),
    idle(S::theirs, E::got_refusal),
    idle(S::theirs, E::got_lost),
    go(S::theirs, E::limit,      S::quiet,     send_487 | tell_failed),                // nobody answers for us

    go(S::theirs_ok, E::want,       S::theirs_ok, busy),                               // 14.1
    go(S::theirs_ok, E::got_invite, S::theirs,    take_invite),                        // 5407 3.1.4: the ACK was lost
    go(S::theirs_ok, E::got_glare,  S::theirs_ok, answer_491),                         // 5407 3.1.5: it has our answer
    go(S::theirs_ok, E::got_twice,  S::theirs_ok, answer_500),
    idle(S::theirs_ok, E::answer),
    idle(S::theirs_ok, E::refuse),
    never(S::theirs_ok, E::cancel),
    go(S::theirs_ok, E::ack,        S::quiet,     tell_done),                          // 13.3.1.4
    never(S::theirs_ok, E::got_2xx),
    go(S::theirs_ok, E::got_2xx_again, S::theirs_ok, send_ack_again),
    idle(S::theirs_ok, E::acknowledge),
    idle(S::theirs_ok, E::got_491),
    idle(S::theirs_ok, E::got_refusal),
    idle(S::theirs_ok, E::got_lost),
    go(S::theirs_ok, E::limit,      S::quiet,     tell_failed | end_session),          // 14.2: no ACK
};
// clang-format on

inline constexpr auto cells = cells_of<change_states, change_events>(rows);

}  // namespace change_table

constexpr const ChangeRow& change_row(ChangeState state, ChangeEvent event) {
  return cell(change_table::cells, state, event);
}

}  // namespace parley::sip
