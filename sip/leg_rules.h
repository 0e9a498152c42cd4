// sip/leg_rules.h - two INVITE sessions back to back: what a fact about one leg means for the other, as tables.
//
// A is the leg on which we were invited, B the one on which we invite. Each leg has its own tables (invite_rules.h);
// the events here are facts that those tables have told, so nothing is said twice and the product of both is never
// built. Session timers run for each leg on its own (DEC-8): an expired one is that leg's end, a refresh is nobody
// else's matter.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sip/table_checks.h"

namespace parley::sip {

enum class PairState : std::uint8_t {
  ringing,    // B has not been answered
  answering,  // B is acknowledged, A has our 2xx
  late,       // B's 2xx offered (A's INVITE did not): its ACK waits for the answer in A's ACK
  open,
  draining,  // both legs are on their way out
  only_a,    // B is gone, A still has something to finish
  only_b,
  over,
};
inline constexpr std::size_t pair_states = 8;

enum class PairEvent : std::uint8_t {
  b_progress,   // a 101-199 worth passing on
  b_answered,   // 2xx; nothing of its own is owed to it
  b_offered,    // 2xx with an offer: its ACK has to answer
  b_refused,    // 300-699, or our own 408
  a_up,         // A's ACK came
  a_up_answer,  // A's ACK came with the answer that B waits for
  a_ended,      // CANCEL, BYE, no ACK, nothing decided in time, timer: A is over as a session
  b_ended,      // BYE, timer, 408 or 481 in the dialog
  a_gone,       // A has nothing left to send or wait for; after a_ended, or after we refused or ended it
  b_gone,
  stop,  // ours
};
inline constexpr std::size_t pair_events = 11;

namespace pair_do {
inline constexpr std::uint32_t ring_a = 1 << 0;        // InviteEvent::provisional, with B's 1xx
inline constexpr std::uint32_t ack_b = 1 << 1;         // InviteEvent::acknowledge
inline constexpr std::uint32_t ack_b_answer = 1 << 2;  // the same with the description of A's ACK
inline constexpr std::uint32_t answer_a = 1 << 3;      // InviteEvent::answer or answer_held, with B's 2xx
inline constexpr std::uint32_t refuse_a = 1 << 4;      // InviteEvent::refuse, with refusal_passed(B's)
inline constexpr std::uint32_t hang_up_a = 1 << 5;     // InviteEvent::hang_up
inline constexpr std::uint32_t hang_up_b = 1 << 6;     // before its 2xx that is a CANCEL
inline constexpr std::uint32_t tell_open = 1 << 7;
inline constexpr std::uint32_t tell_closing = 1 << 8;  // no more media; told once
inline constexpr std::uint32_t tell_over = 1 << 9;     // both legs can be forgotten
}  // namespace pair_do

using PairRow = Row<PairState, PairEvent>;

namespace pair_table {

using S = PairState;
using E = PairEvent;
using namespace pair_do;

using Make = RowMaker<S, E>;
constexpr auto go = Make::go;
constexpr auto absorb = Make::absorb;
constexpr auto idle = Make::idle;
constexpr auto never = Make::never;

// clang-format off
inline constexpr PairRow rows[] = {
    go(S::ringing, E::b_progress,  S::ringing,   ring_a),
    go(S::ringing, E::b_answered,  S::answering, ack_b | answer_a),           // at once: B repeats its 2xx until then
    go(S::ringing, E::b_offered,   S::late,      answer_a),                   // 3261 13.2.2.4: the answer is in the ACK
    go(S::ringing, E::b_refused,   S::draining,  refuse_a | tell_closing),
    idle(S::ringing, E::a_up),
    idle(S::ringing, E::a_up_answer),
    go(S::ringing, E::a_ended,     S::draining,  hang_up_b | tell_closing),   // T-22, T-24 are B's own table
    go(S::ringing, E::b_ended,     S::draining,  hang_up_a | tell_closing),
    never(S::ringing, E::a_gone),                                             // a_ended comes first
    never(S::ringing, E::b_gone),                                             // b_refused or b_ended come first
    go(S::ringing, E::stop,        S::draining,  hang_up_a | hang_up_b | tell_closing),

    idle(S::answering, E::b_progress),
    idle(S::answering, E::b_answered),
    idle(S::answering, E::b_offered),
    idle(S::answering, E::b_refused),
    go(S::answering, E::a_up,        S::open,     tell_open),
    go(S::answering, E::a_up_answer, S::open,     tell_open),
    go(S::answering, E::a_ended,     S::draining, hang_up_b | tell_closing),  // its BYE, or its ACK never came
    go(S::answering, E::b_ended,     S::draining, hang_up_a | tell_closing),  // the BYE to A waits for the ACK
    never(S::answering, E::a_gone),
    never(S::answering, E::b_gone),
    go(S::answering, E::stop,        S::draining, hang_up_a | hang_up_b | tell_closing),

    idle(S::late, E::b_progress),
    idle(S::late, E::b_answered),
    idle(S::late, E::b_offered),
    idle(S::late, E::b_refused),
    go(S::late, E::a_up,        S::draining, hang_up_a | hang_up_b | tell_closing),  // R3264-3: no answer
    go(S::late, E::a_up_answer, S::open,     ack_b_answer | tell_open),
    go(S::late, E::a_ended,     S::draining, hang_up_b | tell_closing),       // B: ACK, then BYE
    go(S::late, E::b_ended,     S::draining, hang_up_a | tell_closing),       // B waited for its ACK in vain
    never(S::late, E::a_gone),
    never(S::late, E::b_gone),
    go(S::late, E::stop,        S::draining, hang_up_a | hang_up_b | tell_closing),

    idle(S::open, E::b_progress),
    idle(S::open, E::b_answered),
    idle(S::open, E::b_offered),
    idle(S::open, E::b_refused),
    idle(S::open, E::a_up),
    idle(S::open, E::a_up_answer),
    go(S::open, E::a_ended, S::draining, hang_up_b | tell_closing),
    go(S::open, E::b_ended, S::draining, hang_up_a | tell_closing),
    never(S::open, E::a_gone),
    never(S::open, E::b_gone),
    go(S::open, E::stop,    S::draining, hang_up_a | hang_up_b | tell_closing),

    idle(S::draining, E::b_progress),
    idle(S::draining, E::b_answered),
    idle(S::draining, E::b_offered),
    idle(S::draining, E::b_refused),
    idle(S::draining, E::a_up),
    idle(S::draining, E::a_up_answer),
    absorb(S::draining, E::a_ended),                                          // both hung up: T-23 on each leg
    absorb(S::draining, E::b_ended),
    go(S::draining, E::a_gone, S::only_b, 0),
    go(S::draining, E::b_gone, S::only_a, 0),
    idle(S::draining, E::stop),

    idle(S::only_a, E::b_progress),
    idle(S::only_a, E::b_answered),
    idle(S::only_a, E::b_offered),
    idle(S::only_a, E::b_refused),
    idle(S::only_a, E::a_up),
    idle(S::only_a, E::a_up_answer),
    absorb(S::only_a, E::a_ended),
    idle(S::only_a, E::b_ended),
    go(S::only_a, E::a_gone, S::over, tell_over),
    idle(S::only_a, E::b_gone),
    idle(S::only_a, E::stop),

    absorb(S::only_b, E::b_progress),
    idle(S::only_b, E::b_answered),
    idle(S::only_b, E::b_offered),
    absorb(S::only_b, E::b_refused),
    idle(S::only_b, E::a_up),
    idle(S::only_b, E::a_up_answer),
    idle(S::only_b, E::a_ended),
    absorb(S::only_b, E::b_ended),
    idle(S::only_b, E::a_gone),
    go(S::only_b, E::b_gone, S::over, tell_over),
    idle(S::only_b, E::stop),

    absorb(S::over, E::b_progress),
    idle(S::over, E::b_answered),
    idle(S::over, E::b_offered),
    absorb(S::over, E::b_refused),
    idle(S::over, E::a_up),
    idle(S::over, E::a_up_answer),
    idle(S::over, E::a_ended),
    idle(S::over, E::b_ended),
    idle(S::over, E::a_gone),
    idle(S::over, E::b_gone),
    idle(S::over, E::stop),
};
// clang-format on

inline constexpr auto cells = cells_of<pair_states, pair_events>(rows);

}  // namespace pair_table

constexpr const PairRow& pair_row(PairState state, PairEvent event) { return cell(pair_table::cells, state, event); }

// --- a re-INVITE or UPDATE of one leg, carried over to the other ---

// `asker` is the leg on which it came, `other` the one where ours goes out. The other side's own re-INVITE meets 491
// there (session_changes.h), so one table serves both directions. A CANCEL is answered on the asker's leg at once (3261
// 9.2, session_changes.h) and goes over to the other one; a 2xx that crosses it there leaves the two with sessions that
// differ, since a refused re-INVITE has changed nothing (3261 14.1): a re-INVITE of ours makes it what it was (6141 3.3).
enum class RelayState : std::uint8_t {
  quiet,
  asking,       // ours is out on the other leg
  acking,       // its 2xx offered: its ACK waits for the answer in the asker's ACK
  calling_off,  // the asker has its 487, ours is cancelled and has no final response
};
inline constexpr std::size_t relay_states = 4;

enum class RelayEvent : std::uint8_t {
  ask,             // taken on the asker's leg
  other_busy,      // ours could not go out
  other_answered,  // 2xx, nothing is owed to it; also to an UPDATE
  other_offered,   // 2xx with an offer
  other_refused,   // another final response; if it ended that leg, its session says so itself
  asker_ack,       // without the answer that is owed, or nothing is owed
  asker_answer,    // the ACK with the answer
  asker_failed,    // no ACK in time
  asker_cancel,    // its re-INVITE was cancelled, and has its 487
  over,            // a leg has ended
};
inline constexpr std::size_t relay_events = 10;

namespace relay_do {
inline constexpr std::uint32_t ask_other = 1 << 0;
inline constexpr std::uint32_t answer_asker = 1 << 1;
inline constexpr std::uint32_t refuse_asker = 1 << 2;  // with refusal_passed(the other's): 491 as 491, so that it waits
inline constexpr std::uint32_t refuse_491 = 1 << 3;
inline constexpr std::uint32_t ack_other = 1 << 4;
inline constexpr std::uint32_t ack_other_answer = 1 << 5;
inline constexpr std::uint32_t stop_both = 1 << 6;  // the legs cannot agree any more: PairEvent::stop
inline constexpr std::uint32_t cancel_other = 1 << 7;
inline constexpr std::uint32_t restore_other = 1 << 8;  // a re-INVITE of ours with what held before
}  // namespace relay_do

using RelayRow = Row<RelayState, RelayEvent>;

namespace relay_table {

using S = RelayState;
using E = RelayEvent;
using namespace relay_do;

using Make = RowMaker<S, E>;
constexpr auto go = Make::go;
constexpr auto absorb = Make::absorb;
constexpr auto idle = Make::idle;

// clang-format off
inline constexpr RelayRow rows[] = {
    go(S::quiet, E::ask,            S::asking, ask_other),
    idle(S::quiet, E::other_busy),
    idle(S::quiet, E::other_answered),
    idle(S::quiet, E::other_offered),
    absorb(S::quiet, E::other_refused),
    absorb(S::quiet, E::asker_ack),                                           // of a change that is done
    absorb(S::quiet, E::asker_answer),
    absorb(S::quiet, E::asker_failed),                                        // that leg ends by itself
    idle(S::quiet, E::asker_cancel),                                          // 3261 9.2: what is answered stays answered
    absorb(S::quiet, E::over),

    go(S::asking, E::ask,            S::asking, refuse_491),                  // the other leg's crossed ours
    go(S::asking, E::other_busy,     S::quiet,  refuse_491),                  // 3261 14.2
    go(S::asking, E::other_answered, S::quiet,  ack_other | answer_asker),
    go(S::asking, E::other_offered,  S::acking, answer_asker),
    go(S::asking, E::other_refused,  S::quiet,  refuse_asker),                // 3261 14.1: all as before, on both legs
    absorb(S::asking, E::asker_ack),                                          // of the change before
    absorb(S::asking, E::asker_answer),
    absorb(S::asking, E::asker_failed),
    go(S::asking, E::asker_cancel,   S::calling_off, cancel_other),           // 3261 9.1
    go(S::asking, E::over,           S::quiet,  0),                           // its 487 is the ending leg's

    go(S::acking, E::ask,            S::acking, refuse_491),
    idle(S::acking, E::other_busy),
    idle(S::acking, E::other_answered),
    idle(S::acking, E::other_offered),
    idle(S::acking, E::other_refused),
    idle(S::acking, E::asker_ack),                                            // SessionChanges says asker_failed: R3264-3
    go(S::acking, E::asker_answer,   S::quiet,  ack_other_answer),
    go(S::acking, E::asker_failed,   S::quiet,  stop_both),
    idle(S::acking, E::asker_cancel),
    go(S::acking, E::over,           S::quiet,  0),

    go(S::calling_off, E::ask,            S::calling_off, refuse_491),        // 3261 14.2: an INVITE is under way
    idle(S::calling_off, E::other_busy),
    go(S::calling_off, E::other_answered, S::quiet, ack_other | restore_other),  // crossed: its session is another one now
    go(S::calling_off, E::other_offered,  S::quiet, ack_other | stop_both),   // nobody is there to answer it
    go(S::calling_off, E::other_refused,  S::quiet, 0),                       // 487, as a rule: all as before
    idle(S::calling_off, E::asker_ack),
    idle(S::calling_off, E::asker_answer),
    idle(S::calling_off, E::asker_failed),
    idle(S::calling_off, E::asker_cancel),
    go(S::calling_off, E::over,           S::quiet, 0),
};
// clang-format on

inline constexpr auto cells = cells_of<relay_states, relay_events>(rows);

}  // namespace relay_table

constexpr const RelayRow& relay_row(RelayState state, RelayEvent event) {
  return cell(relay_table::cells, state, event);
}

}  // namespace parley::sip
