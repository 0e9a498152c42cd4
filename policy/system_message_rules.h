// policy/system_message_rules.h - what may become of a system message (DEC-22, OMA-SYS-6, OMA-SYS-7): one row for each
// state and event.
//
// DEC-22 calls its states NONE (sending, failed, taken and answered: nothing is owed), PENDING and EXPIRED. Only `overdue`
// holds its user back.
#pragma once

#include <cstdint>
#include <optional>

namespace parley::policy {

// The numbers stand in the store.
enum class SystemMessageState : std::uint8_t {
  sending = 0,   // or about to be
  failed = 1,    // no device took it
  taken = 2,     // and no answer is demanded
  pending = 3,   // an answer is, until its time is over
  overdue = 4,   // DEC-22: EXPIRED
  answered = 5,
};

enum class SystemMessageEvent : std::uint8_t {
  taken,           // by a device: 2xx
  taken_to_answer, // the same of one that demands an answer
  not_taken,
  time_over,
  answer,  // a valid one
};

struct SystemMessageRule {
  SystemMessageState state;
  SystemMessageEvent event;
  SystemMessageState next;
};

namespace system_message_table {
using S = SystemMessageState;
using E = SystemMessageEvent;
// clang-format off
inline constexpr SystemMessageRule rules[] = {
    {S::sending,  E::taken,           S::taken},
    {S::sending,  E::taken_to_answer, S::pending},   // OMA-SYS-6: its time begins with the 2xx
    {S::sending,  E::not_taken,       S::failed},    // OMA-SYS-6: and not without
    {S::sending,  E::time_over,       S::sending},
    {S::sending,  E::answer,          S::answered},  // it came before the 2xx
    {S::failed,   E::taken,           S::failed},
    {S::failed,   E::taken_to_answer, S::failed},
    {S::failed,   E::not_taken,       S::failed},
    {S::failed,   E::time_over,       S::failed},
    {S::failed,   E::answer,          S::answered},  // a device had it and could not say so
    {S::taken,    E::taken,           S::taken},
    {S::taken,    E::taken_to_answer, S::taken},
    {S::taken,    E::not_taken,       S::taken},
    {S::taken,    E::time_over,       S::taken},
    {S::taken,    E::answer,          S::answered},
    {S::pending,  E::taken,           S::pending},
    {S::pending,  E::taken_to_answer, S::pending},
    {S::pending,  E::not_taken,       S::pending},
    {S::pending,  E::time_over,       S::overdue},   // SEED4-6.1.1.1-2
    {S::pending,  E::answer,          S::answered},
    {S::overdue,  E::taken,           S::overdue},
    {S::overdue,  E::taken_to_answer, S::overdue},
    {S::overdue,  E::not_taken,       S::overdue},
    {S::overdue,  E::time_over,       S::overdue},
    {S::overdue,  E::answer,          S::answered},  // DEC-22: late, and good for all that
    {S::answered, E::taken,           S::answered},
    {S::answered, E::taken_to_answer, S::answered},
    {S::answered, E::not_taken,       S::answered},
    {S::answered, E::time_over,       S::answered},
    {S::answered, E::answer,          S::answered},  // OMA-SYS-7: the first one counts
};
// clang-format on

inline constexpr int states = 6;
inline constexpr int events = 5;

[[nodiscard]] constexpr bool each_once() {
  for (int state = 0; state < states; ++state) {
    for (int event = 0; event < events; ++event) {
      int found = 0;
      for (const SystemMessageRule& rule : rules) {
        if (static_cast<int>(rule.state) == state && static_cast<int>(rule.event) == event) ++found;
      }
      if (found != 1) return false;
    }
  }
  return true;
}
static_assert(each_once());
}  // namespace system_message_table

[[nodiscard]] constexpr SystemMessageState next_state(SystemMessageState state, SystemMessageEvent event) {
  for (const SystemMessageRule& rule : system_message_table::rules) {
    if (rule.state == state && rule.event == event) return rule.next;
  }
  return state;
}

// Nothing will come of it any more but a late answer.
[[nodiscard]] constexpr bool is_closed(SystemMessageState state) {
  return state != SystemMessageState::sending && state != SystemMessageState::pending && state != SystemMessageState::overdue;
}

// As the store has it. Nothing: no such state.
[[nodiscard]] constexpr std::optional<SystemMessageState> system_message_state(std::uint32_t number) {
  if (number >= static_cast<std::uint32_t>(system_message_table::states)) return std::nullopt;
  return static_cast<SystemMessageState>(number);
}

}  // namespace parley::policy
