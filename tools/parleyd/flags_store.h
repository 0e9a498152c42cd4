// tools/parleyd/flags_store.h - the flags of what outlives the process; see flags.h.
#pragma once

#include <string>

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

struct RawStore {
  [[nodiscard]] bool keeps() const { return store != "memory"; }

  std::string store = "sqlite:./parley-data";
};

void add_store(FlagTable& flags, Settings& settings, RawStore& raw);
void finish_store(Settings& settings, const RawStore& raw);

}  // namespace parley::parleyd
