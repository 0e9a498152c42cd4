// policy/history.h - where the recording of a user's conversation begins and ends: the points of SEED4-6.1.1.2.2-9,
// SEED4-6.1.2.2.2-19 and SEED4-6.1.2.2.5-5, by OMA-HIS-3.
//
// A table and facts; what is kept is history_recorder.h's. A session whose messages go through this server has one track for each user
// served here who is an end of it. His settings are asked when the session begins, and what he changes later holds for
// the next one. Whoever keeps histories takes the facts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

#include "policy/im_request.h"
#include "policy/poc_settings.h"

namespace parley::policy {

enum class HistoryState : std::uint8_t {
  idle,    // the session is not up, and nobody has said that he wants it recorded
  wanted,  // he does, and it is not up
  up,      // it is up, and he has not said so
  on,      // recorded
  over,
};
inline constexpr std::size_t history_states = 5;

enum class HistoryEvent : std::uint8_t {
  wanted,  // his settings have hist-activation for such a session
  up,      // its 200 goes to who has invited
  over,    // nothing more can be said in it
};
inline constexpr std::size_t history_events = 3;

enum class HistoryAction : std::uint8_t { nothing, start, stop };

struct HistoryRow {
  HistoryState state = HistoryState::idle;
  HistoryEvent event = HistoryEvent::wanted;
  HistoryState next = HistoryState::idle;
  HistoryAction action = HistoryAction::nothing;
};

// By state, then by event.
inline constexpr HistoryRow history_rows[] = {
    // clang-format off
    {HistoryState::idle,   HistoryEvent::wanted, HistoryState::wanted, HistoryAction::nothing},
    {HistoryState::idle,   HistoryEvent::up,     HistoryState::up,     HistoryAction::nothing},
    {HistoryState::idle,   HistoryEvent::over,   HistoryState::over,   HistoryAction::nothing},
    {HistoryState::wanted, HistoryEvent::wanted, HistoryState::wanted, HistoryAction::nothing},
    {HistoryState::wanted, HistoryEvent::up,     HistoryState::on,     HistoryAction::start},  // SEED4-6.1.1.2.2-9, SEED4-6.1.2.2.2-19
    {HistoryState::wanted, HistoryEvent::over,   HistoryState::over,   HistoryAction::nothing},
    {HistoryState::up,     HistoryEvent::wanted, HistoryState::on,     HistoryAction::start},  // the answer of another shard came late
    {HistoryState::up,     HistoryEvent::up,     HistoryState::up,     HistoryAction::nothing},
    {HistoryState::up,     HistoryEvent::over,   HistoryState::over,   HistoryAction::nothing},
    {HistoryState::on,     HistoryEvent::wanted, HistoryState::on,     HistoryAction::nothing},
    {HistoryState::on,     HistoryEvent::up,     HistoryState::on,     HistoryAction::nothing},
    {HistoryState::on,     HistoryEvent::over,   HistoryState::over,   HistoryAction::stop},   // SEED4-6.1.2.2.5-5
    {HistoryState::over,   HistoryEvent::wanted, HistoryState::over,   HistoryAction::nothing},
    {HistoryState::over,   HistoryEvent::up,     HistoryState::over,   HistoryAction::nothing},
    {HistoryState::over,   HistoryEvent::over,   HistoryState::over,   HistoryAction::nothing},
    // clang-format on
};

[[nodiscard]] constexpr const HistoryRow& history_row(HistoryState state, HistoryEvent event) {
  return history_rows[static_cast<std::size_t>(state) * history_events + static_cast<std::size_t>(event)];
}
[[nodiscard]] constexpr bool history_rows_are_complete() {
  for (std::size_t i = 0; i < history_states * history_events; ++i) {
    const HistoryRow& row = history_rows[i];
    if (static_cast<std::size_t>(row.state) * history_events + static_cast<std::size_t>(row.event) != i) return false;
  }
  return std::size(history_rows) == history_states * history_events;
}
static_assert(history_rows_are_complete());

// hist-activation has two types (OMA-SET-3).
enum class HistoryMode : std::uint8_t { session, pager_large };
[[nodiscard]] constexpr HistoryMode history_mode(ImKind kind) {
  return kind == ImKind::pager || kind == ImKind::large_message ? HistoryMode::pager_large : HistoryMode::session;
}
[[nodiscard]] constexpr bool wants_history(const ImSettings& settings, HistoryMode mode) {
  return mode == HistoryMode::session ? settings.history_session : settings.history_pager_large;
}

struct HistoryFact {
  enum class Kind : std::uint8_t { started, ended };
  Kind kind = Kind::started;
  HistoryMode mode = HistoryMode::session;
  std::string user{};     // address of record: whose history it is
  std::string session{};  // Call-ID of his leg
};

// One user of one session.
struct HistoryTrack {
  std::string user{};  // address of record; empty: his history is not ours
  HistoryState state = HistoryState::idle;

  [[nodiscard]] HistoryAction on(HistoryEvent event) {
    if (user.empty()) return HistoryAction::nothing;
    const HistoryRow& row = history_row(state, event);
    state = row.next;
    return row.action;
  }
};

}  // namespace parley::policy
