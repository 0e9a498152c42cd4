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
  std::string overload_lag = "10ms,20ms,50ms,100ms";
  std::string overload_memory = "85,92,95,98";
  std::string source_exempt = "127.0.0.0/8,::1/128";
};

void add_sip(FlagTable& flags, Settings& settings, RawSip& raw);
// Listeners first: other flags are checked against their number.
void finish_sip_listeners(Settings& settings, const RawSip& raw);
// After everything that SIP shares with the relay is settled.
void finish_sip(Settings& settings, const RawSip& raw);

}  // namespace parley::parleyd
