// sip/invite_rules.cc - what must hold of the tables in invite_rules.h, checked when they are compiled.
#include "sip/invite_rules.h"

#include <iterator>

namespace parley::sip {
namespace {

using invite_table::invited_cells;
using invite_table::inviting_cells;
using S = InviteState;
using E = InviteEvent;

constexpr S invited_states[] = {S::proceeding, S::held,      S::answered, S::closing,
                                S::left,       S::confirmed, S::leaving,  S::ended};
constexpr E invited_events[] = {E::provisional, E::answer,  E::answer_held, E::refuse,       E::pracked,
                                E::cancel,      E::ack,     E::hang_up,     E::bye,          E::bye_done,
                                E::dialog_lost, E::expired, E::limit,       E::prack_overdue};
constexpr S inviting_states[] = {S::calling, S::cancelling, S::accepted, S::confirmed, S::leaving, S::ended};
constexpr E inviting_events[] = {E::got_2xx,     E::got_2xx_again, E::got_2xx_other, E::got_refusal,
                                 E::acknowledge, E::hang_up,       E::bye,           E::bye_done,
                                 E::dialog_lost, E::expired,       E::limit};

// 1. Each state and event of a machine has exactly one row.
static_assert(complete(invited_cells, std::size(invite_table::invited), invited_states, invited_events));
static_assert(complete(inviting_cells, std::size(invite_table::inviting), inviting_states, inviting_events));

// 2. A timer's event is `never` exactly where the timer does not run. Which 2xx it is the driver knows: the first one
// comes where there was none, others behind it; when it has been told that all is over, any of them. Nothing else is
// `never`: no peer can cause that.
constexpr bool had_2xx(S state) { return state == S::accepted || state == S::confirmed || state == S::leaving; }
constexpr bool may_be(S state, E event) {
  switch (event) {
    case E::limit: return limit_of(state) != InviteLimit::none;
    case E::prack_overdue: return awaits_prack(state);
    case E::got_2xx: return !had_2xx(state);
    case E::got_2xx_again:
    case E::got_2xx_other: return had_2xx(state) || state == S::ended;
    default: return true;
  }
}
template <std::size_t states, std::size_t events>
constexpr bool never_sound(const auto& cells, const S (&of)[states], const E (&on)[events]) {
  for (const S state : of) {
    for (const E event : on) {
      if ((cell(cells, state, event).kind == RowKind::never) == may_be(state, event)) return false;
    }
  }
  return true;
}
static_assert(never_sound(invited_cells, invited_states, invited_events));
static_assert(never_sound(inviting_cells, inviting_states, inviting_events));

// `idle` is only what the owner alone can say: no message of a peer's and no timer.
constexpr bool of_owner(E event) {
  switch (event) {
    case E::pracked:
    case E::cancel:
    case E::ack:
    case E::bye:
    case E::got_2xx:
    case E::got_2xx_again:
    case E::got_2xx_other:
    case E::dialog_lost:
    case E::limit:
    case E::prack_overdue: return false;
    default: return true;
  }
}
template <std::size_t rows>
constexpr bool idle_sound(const InviteRow (&table)[rows]) {
  for (const InviteRow& row : table) {
    if (row.kind == RowKind::idle && !of_owner(row.event)) return false;
  }
  return true;
}
static_assert(idle_sound(invite_table::invited));
static_assert(idle_sound(invite_table::inviting));

// 3. A timer that fires leaves its state: it is not armed again by staying.
template <std::size_t states>
constexpr bool limits_leave(const auto& cells, const S (&of)[states]) {
  for (const S state : of) {
    const InviteRow& row = cell(cells, state, E::limit);
    if (row.kind == RowKind::go && limit_of(row.next) == limit_of(state)) return false;
    if (row.kind == RowKind::absorb) return false;
  }
  return true;
}
static_assert(limits_leave(invited_cells, invited_states));
static_assert(limits_leave(inviting_cells, inviting_states));

// 4. Every state can end without the peer: by timers, the session timer, and the end of our BYE's transaction.
template <std::size_t states>
constexpr bool can_end(const auto& cells, const S (&of)[states]) {
  for (S state : of) {
    for (std::size_t steps = 0; state != S::ended; ++steps) {
      if (steps == states) return false;
      const E event = state == S::leaving     ? E::bye_done
                      : state == S::confirmed ? E::expired
                      : state == S::held      ? E::prack_overdue
                                              : E::limit;
      state = cell(cells, state, event).next;
    }
  }
  return true;
}
static_assert(can_end(invited_cells, invited_states));
static_assert(can_end(inviting_cells, inviting_states));

// 5. That it is over is told once: on every edge into left, leaving or ended, and on none between these.
template <std::size_t rows>
constexpr bool told_once(const InviteRow (&table)[rows]) {
  constexpr auto told = [](S state) { return state == S::left || state == S::leaving || state == S::ended; };
  for (const InviteRow& row : table) {
    if (row.kind != RowKind::go) continue;
    if (((row.actions & invite_do::tell_ended) != 0) != (!told(row.state) && told(row.next))) return false;
  }
  return true;
}
static_assert(told_once(invite_table::invited));
static_assert(told_once(invite_table::inviting));

// 6. The first 2xx is acknowledged whatever happens: at once, or by whoever takes it from `accepted`.
constexpr bool acknowledged() {
  for (const S state : inviting_states) {
    const InviteRow& row = cell(inviting_cells, state, E::got_2xx);
    if (!had_2xx(state) && (row.actions & invite_do::send_ack) == 0 && row.next != S::accepted) return false;
  }
  for (const InviteRow& row : invite_table::inviting) {
    if (row.state == S::accepted && row.next != S::accepted && (row.actions & invite_do::send_ack) == 0) return false;
  }
  return true;
}
static_assert(acknowledged());

// 7. Our 2xx is repeated until its ACK came or its time is over, whatever else happens (13.3.1.4).
constexpr bool repeated() {
  for (const InviteRow& row : invite_table::invited) {
    if (!resends(row.state) || resends(row.next)) continue;
    if (row.event != E::ack && row.event != E::limit) return false;
  }
  return true;
}
static_assert(repeated());

// 8. No BYE too early: the invited side's after the ACK or when it is overdue, ours after our ACK (15).
constexpr bool bye_in_time() {
  for (const InviteRow& row : invite_table::invited) {
    if ((row.actions & invite_do::send_bye) == 0 || row.state == S::confirmed) continue;
    if (!resends(row.state) || (row.event != E::ack && row.event != E::limit)) return false;
  }
  for (const InviteRow& row : invite_table::inviting) {
    if ((row.actions & invite_do::send_bye) == 0 || row.state == S::confirmed) continue;
    if ((row.actions & invite_do::send_ack) == 0) return false;
  }
  return true;
}
static_assert(bye_in_time());

// 9. No CANCEL behind a final response (9.1); that it waits for a 1xx is the client transaction's.
constexpr bool cancel_in_time() {
  for (const InviteRow& row : invite_table::inviting) {
    if ((row.actions & invite_do::send_cancel) != 0 && row.state != S::calling) return false;
  }
  return true;
}
static_assert(cancel_in_time());

}  // namespace
}  // namespace parley::sip
