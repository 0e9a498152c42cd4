// tools/parleyd/flags_deferred.h - the flags of deferred messages; see flags.h.
#pragma once

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

void add_deferred(FlagTable& flags, Settings& settings);
// `asked`: the role was named, and is not only there because nothing was said.
void finish_deferred(Settings& settings, bool asked);

}  // namespace parley::parleyd
