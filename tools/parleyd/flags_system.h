// tools/parleyd/flags_system.h - the flags of system messages; see flags.h.
#pragma once

#include <string>

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

struct RawSystem {
  std::string uri;
};

void add_system(FlagTable& flags, Settings& settings, RawSystem& raw);
void finish_system(Settings& settings, const RawSystem& raw);

}  // namespace parley::parleyd
