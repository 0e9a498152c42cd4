// tests/sim/rest.h - the checkers that look at the relay itself: limits while it runs, nothing left when all have gone.
#pragma once

#include "tests/sim/world.h"

namespace parley::sim {

// After the liveness phase: every message has its end, memory stayed under its ceiling.
void check_settled(World& world);
// After everybody has left: nothing is left.
void check_rest(World& world);

// All counters that are not zero, into the trace.
void print_counters(World& world);
struct Left {
  const char* what;
  std::uint64_t count;
};
// Of a shard's Worker none of these, of its loop no connection, of its pool nothing.
void check_left(World& world, Shard& shard, const std::vector<Left>& of_worker);

}  // namespace parley::sim
