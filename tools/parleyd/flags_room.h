// tools/parleyd/flags_room.h - the flags of rooms; see flags.h.
#pragma once

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

void add_rooms(FlagTable& flags, Settings& settings);
void finish_rooms(const Settings& settings);

}  // namespace parley::parleyd
