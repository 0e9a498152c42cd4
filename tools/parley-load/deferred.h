// tools/parley-load/deferred.h - `parley-load deferred`: messages for users who are away, and their coming back.
#pragma once

#include "tools/parley-load/deferred_options.h"

namespace parley::load {

// Runs the load, prints the result; the exit status.
int run_deferred(DeferredOptions options);

}  // namespace parley::load
