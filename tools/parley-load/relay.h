// tools/parley-load/relay.h - the `relay` sub-command: one run from the first connection to the verdict.
#pragma once

#include "tools/parley-load/options.h"

namespace parley::load {

// Exit status: 0 clean, 1 something was wrong with what the server did, 2 the run could not be made.
int run_relay(Options options);

}  // namespace parley::load
