// tests/sim/rest.h - the checkers that look at the relay itself: limits while it runs, nothing left when all have gone.
#pragma once

#include "tests/sim/world.h"

namespace parley::sim {

// After the liveness phase: every message has its end, memory stayed under its ceiling.
void check_settled(World& world);
// After everybody has left: nothing is left.
void check_rest(World& world);

}  // namespace parley::sim
