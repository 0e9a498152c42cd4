// sip/table_checks.h - what the tables of invite_rules.h, change_rules.h and leg_rules.h share: kinds of rows, the
// look-up by state and event, and the check that there is one row for each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace parley::sip {

enum class RowKind : std::uint8_t {
  missing,
  go,
  absorb,  // the text, or good sense, says that nothing happens
  idle,    // as absorb; only the owner of the state could say it here, and does not (the simulator fails if he does)
  never,   // only the driver of the table could cause it, and does not
};

template <class State, class Event>
struct Row {
  State state;
  Event event;
  RowKind kind = RowKind::missing;
  State next;
  std::uint32_t actions = 0;
};

template <class State, class Event>
struct RowMaker {
  static constexpr Row<State, Event> go(State state, Event event, State next, std::uint32_t actions) {
    return {state, event, RowKind::go, next, actions};
  }
  static constexpr Row<State, Event> absorb(State state, Event event) {
    return {state, event, RowKind::absorb, state, 0};
  }
  static constexpr Row<State, Event> idle(State state, Event event) {
    return {state, event, RowKind::idle, state, 0};
  }
  static constexpr Row<State, Event> never(State state, Event event) {
    return {state, event, RowKind::never, state, 0};
  }
};

template <class State, class Event, std::size_t states, std::size_t events>
using Cells = std::array<std::array<Row<State, Event>, events>, states>;

template <std::size_t states, std::size_t events, class State, class Event, std::size_t rows>
constexpr Cells<State, Event, states, events> cells_of(const Row<State, Event> (&table)[rows]) {
  Cells<State, Event, states, events> cells{};
  for (const auto& row : table) cells[static_cast<std::size_t>(row.state)][static_cast<std::size_t>(row.event)] = row;
  return cells;
}

template <class Cells, class State, class Event>
constexpr const auto& cell(const Cells& cells, State state, Event event) {
  return cells[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

// Each of these states and events has exactly one row: as many rows as pairs, and none missing.
template <class Cells, class State, std::size_t states, class Event, std::size_t events>
constexpr bool complete(const Cells& cells, std::size_t rows, const State (&of)[states], const Event (&on)[events]) {
  for (const State state : of) {
    for (const Event event : on) {
      if (cell(cells, state, event).kind == RowKind::missing) return false;
    }
  }
  return rows == states * events;
}
template <class Cells>
constexpr bool complete(const Cells& cells, std::size_t rows) {
  std::size_t count = 0;
  for (const auto& line : cells) {
    for (const auto& row : line) {
      if (row.kind == RowKind::missing) return false;
      ++count;
    }
  }
  return rows == count;
}

}  // namespace parley::sip
