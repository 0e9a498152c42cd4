// tools/parley-load/sip.h - the `sip` sub-command: one run from the first socket to the verdict.
#pragma once

#include "tools/parley-load/sip_options.h"

namespace parley::load {

// Exit status: 0 clean, 1 something was wrong with what the server did, 2 the run could not be made.
int run_sip(SipOptions options);

}  // namespace parley::load
