// tools/parleyd/listen_spec.h - "tcp:HOST:PORT" of --msrp and --sip.
#pragma once

#include <string>

#include "tools/parleyd/settings.h"

namespace parley::parleyd {

// Refuses `flag` with what is wrong; udp is none of --msrp.
ListenSpec parse_listen_spec(const char* flag, const std::string& text, bool udp_too);

}  // namespace parley::parleyd
