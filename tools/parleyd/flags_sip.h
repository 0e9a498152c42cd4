// tools/parleyd/flags_sip.h - the flags of SIP; see flags.h.
#pragma once

#include <string>
#include <vector>

#include "tools/parleyd/flag_table.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

struct RawSip {
  std::vector<std::string> listeners;
  std::vector<std::string> trusted_peers;
};

void add_sip(FlagTable& flags, Settings& settings, RawSip& raw);
// Listeners first: other flags are checked against their number.
void finish_sip_listeners(Settings& settings, const RawSip& raw);
// After everything that SIP shares with the relay is settled.
void finish_sip(Settings& settings, const RawSip& raw);

}  // namespace parley::parleyd
