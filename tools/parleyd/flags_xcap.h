// tools/parleyd/flags_xcap.h - the flags of XCAP; see flags.h.
#pragma once

#include <string>
#include <vector>

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

struct RawXcap {
  std::vector<std::string> listeners;
  std::vector<std::string> trusted;
};

void add_xcap(FlagTable& flags, Settings& settings, RawXcap& raw);
// After domains, TLS and the names of the service are settled.
void finish_xcap(Settings& settings, const RawXcap& raw, std::vector<std::string>& warnings);

}  // namespace parley::parleyd
