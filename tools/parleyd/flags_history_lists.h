// tools/parleyd/flags_history_lists.h - the flags of reading histories; see flags.h.
#pragma once

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

void add_history_lists(FlagTable& flags, Settings& settings);
void finish_history_lists(Settings& settings);

}  // namespace parley::parleyd
