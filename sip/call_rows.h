// sip/call_rows.h - which rows of the tables of calls were ever taken: the simulator asks for those that were not.
#pragma once

#include "sip/change_rules.h"
#include "sip/invite_rules.h"
#include "sip/leg_rules.h"

namespace parley::sip {

// One per shard, by state and event of each table.
struct CallRows {
  template <std::size_t states, std::size_t events>
  struct Table {
    bool taken[states][events] = {};
    template <class State, class Event>
    void take(State state, Event event) {
      taken[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)] = true;
    }
  };
  Table<invite_states, invite_events> invited;
  Table<invite_states, invite_events> inviting;
  Table<change_states, change_events> changes;
  Table<pair_states, pair_events> pair;
  Table<relay_states, relay_events> relay;
};

}  // namespace parley::sip
