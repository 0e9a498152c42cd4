// tools/parleyd/flags_limits.h - the flags of times and limits of connections and MSRP; see flags.h.
#pragma once

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

void add_timers(FlagTable& flags, Settings& s);
void add_limits(FlagTable& flags, Settings& s);

}  // namespace parley::parleyd
