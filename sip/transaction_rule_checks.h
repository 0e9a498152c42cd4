// sip/transaction_rule_checks.h - what has to hold of every table in transaction_rules.h, asked at compile time.
//
// Included once, by transaction_rules.cc, whose compilation is the check; and by the test, which breaks tables.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sip/transaction_rules.h"

namespace parley::sip::tx::check {

constexpr bool has_event(const Table& t, Event event) {
  for (const Row& row : t.rows) {
    if (row.event == event) return true;
  }
  return false;
}
constexpr bool has_state(const Table& t, State state) {
  for (const Row& row : t.rows) {
    if (row.state == state) return true;
  }
  return false;
}
constexpr bool timer_in(std::uint16_t set, Event event) {
  return ((std::uint32_t{set} >> static_cast<unsigned>(event)) & 1U) != 0;
}

// One row for each state and event that the machine knows; no way into a state that has no rows.
constexpr bool complete(const Table& t) {
  std::array<std::array<int, events>, states> count{};
  for (const Row& row : t.rows) ++count[static_cast<std::size_t>(row.state)][static_cast<std::size_t>(row.event)];
  for (std::size_t s = 0; s < states; ++s) {
    for (std::size_t e = 0; e < events; ++e) {
      const bool wanted = has_state(t, static_cast<State>(s)) && has_event(t, static_cast<Event>(e));
      if (count[s][e] != (wanted ? 1 : 0)) return false;
    }
  }
  for (const Row& row : t.rows) {
    if (row.next != State::terminated && !has_state(t, row.next)) return false;
  }
  return has_state(t, t.first);
}

// Which timers may run in each state, whatever way led there.
constexpr std::array<std::uint16_t, states> running(const Table& t) {
  std::array<std::uint16_t, states> set{};
  set[static_cast<std::size_t>(t.first)] = t.begin.starts;
  for (bool changed = true; changed;) {
    changed = false;
    for (const Row& row : t.rows) {
      if (row.kind != Kind::go) continue;
      std::uint16_t after = set[static_cast<std::size_t>(row.state)];
      if (is_timer(row.event)) {
        if (!timer_in(after, row.event)) continue;
        after = static_cast<std::uint16_t>(after & ~(1U << static_cast<unsigned>(row.event)));
      }
      after = static_cast<std::uint16_t>((after & ~row.actions.stops) | row.actions.starts);
      std::uint16_t& next = set[static_cast<std::size_t>(row.next)];
      if ((next | after) != next) {
        next = static_cast<std::uint16_t>(next | after);
        changed = true;
      }
    }
  }
  return set;
}

// A timer is awaited exactly where it may run, and nothing else is `never` but a transport error.
constexpr bool timers_awaited(const Table& t) {
  const auto set = running(t);
  for (const Row& row : t.rows) {
    if (!is_timer(row.event)) {
      if (row.kind == Kind::never && row.event != Event::transport_error) return false;
    } else if (timer_in(set[static_cast<std::size_t>(row.state)], row.event) != (row.kind != Kind::never)) {
      return false;
    }
  }
  return set[static_cast<std::size_t>(State::terminated)] == 0;  // all are stopped on the way out
}

// Something is sent on the way into this state, or within it.
constexpr bool sends_into(const Table& t, State state) {
  constexpr Actions any = send | repeat | send_100 | send_ack;
  if (state == t.first && t.begin.has(any)) return true;
  for (const Row& row : t.rows) {
    if (row.kind == Kind::go && row.next == state && row.actions.has(any)) return true;
  }
  return false;
}
// Over a connection this state is left as soon as it is entered: by a timer that is zero there.
constexpr bool no_time_on_stream(const Table& t, State state) {
  const std::uint16_t set = running(t)[static_cast<std::size_t>(state)];
  for (std::size_t i = 0; i < timers; ++i) {
    if (((std::uint32_t{set} >> i) & 1U) != 0 && timer_infos[i].length_on_reliable == Length::zero) return true;
  }
  return false;
}
// A transport error is `never` exactly where it can not be: sending fails at once, and that a connection is lost is
// told to the client transactions that wait for something of it.
constexpr bool errors_awaited(const Table& t) {
  const bool client = t.begin.has(send);
  for (const Row& row : t.rows) {
    if (row.event != Event::transport_error) continue;
    const bool may_be = sends_into(t, row.state) || (client && !no_time_on_stream(t, row.state));
    if (may_be != (row.kind != Kind::never)) return false;
  }
  return true;
}

// Whom a row forgives by `idle` is our own user.
constexpr bool only_users_idle(const Table& t) {
  for (const Row& row : t.rows) {
    const bool of_user = row.event == Event::tu_1xx || row.event == Event::tu_2xx || row.event == Event::tu_3xx_6xx ||
                         row.event == Event::tu_cancel;
    if (row.kind == Kind::idle && !of_user) return false;
  }
  return true;
}

// No transaction waits for a peer forever.
constexpr bool every_state_ends(const Table& t) {
  for (const Row& state : t.rows) {
    bool ends = (t.user_waits & bit(state.state)) != 0;
    for (const Row& row : t.rows) {
      ends = ends || (row.state == state.state && is_timer(row.event) && row.kind == Kind::go &&
                      row.next != row.state && info(static_cast<Timer>(row.event)).length_on_reliable != Length::none);
    }
    if (!ends) return false;
  }
  return true;
}

// A record has two timers, one for what repeats and one for what ends.
constexpr bool two_timers_do(const Table& t) {
  for (const std::uint16_t set : running(t)) {
    int repeating = 0;
    int ending = 0;
    for (std::size_t i = 0; i < timers; ++i) {
      if (((std::uint32_t{set} >> i) & 1U) != 0) ++(timer_infos[i].repeats ? repeating : ending);
    }
    if (repeating > 1 || ending > 1) return false;
  }
  return true;
}

// What may be zero long ends the transaction, so that starting it can be the end.
constexpr bool zero_ends(const Table& t) {
  for (const Row& row : t.rows) {
    if (is_timer(row.event) && info(static_cast<Timer>(row.event)).length_on_reliable == Length::zero &&
        row.kind == Kind::go && (row.next != State::terminated || row.actions.does != 0 || row.actions.stops != 0)) {
      return false;
    }
  }
  return true;
}

constexpr bool all(bool (*holds)(const Table&)) {
  for (const Table& t : tables) {
    if (!holds(t)) return false;
  }
  return true;
}

static_assert(all(complete));
static_assert(all(timers_awaited));
static_assert(all(errors_awaited));
static_assert(all(only_users_idle));
static_assert(all(every_state_ends));
static_assert(all(two_timers_do));
static_assert(all(zero_ends));

}  // namespace parley::sip::tx::check
