// tools/parleyd/flags_focus.h - the flags of the controlling function; see flags.h.
#pragma once

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

void add_focus(FlagTable& flags, Settings& settings);
// After domains are known. `asked`: the role was named; else it is there when its listeners are.
void finish_focus(Settings& settings, bool asked);

}  // namespace parley::parleyd
