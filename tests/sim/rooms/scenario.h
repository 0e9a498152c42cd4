// tests/sim/rooms/scenario.h - the world of sessions of a seed: one server with all its roles, devices of users that
// gather, talk, come and go over connections that break, operators who close and drain; then what must be true of it, and
// what must be left: nothing.
#pragma once

#include "tests/sim/scenario.h"

namespace parley::sim::rooms {

Outcome run_rooms_seed(const Options& options);

}  // namespace parley::sim::rooms
