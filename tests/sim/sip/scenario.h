// tests/sim/sip/scenario.h - the SIP world of a seed: one server that may crash, user agents, what they do to each
// other; then the run itself, and what must be left of it: nothing.
#pragma once

#include "tests/sim/scenario.h"
#include "tests/sim/sip/cells.h"

namespace parley::sim::sip {

// `cells`: where the rows that were taken are added; may be null.
Outcome run_sip_seed(const Options& options, Cells* cells);

}  // namespace parley::sim::sip
