// tools/parleyd/flags_history.h - the flags of histories of conversations; see flags.h.
#pragma once

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

void add_history(FlagTable& flags, Settings& settings);
// After the store is known.
void finish_history(Settings& settings);

}  // namespace parley::parleyd
