// tools/parleyd/listeners.h - sockets for the --msrp and --sip flags: one per shard and listener.
#pragma once

#include <string>
#include <vector>

#include "core/loop.h"
#include "tools/parleyd/relay_setup.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

struct BoundListeners {
  std::vector<RelayListenerAt> at;                     // of --msrp, in the order of the flags
  std::vector<RelayListenerAt> sip;                    // of --sip
  std::vector<std::vector<core::Listener>> per_shard;  // what each loop gets, and closes
  std::vector<std::vector<core::DatagramSocket>> sockets_per_shard;
  std::string error;                                   // names the flag; the sockets are closed then
};

BoundListeners bind_listeners(const Settings& settings, std::uint32_t shards);

// "tcp:127.0.0.1:2855"
std::string to_string(const RelayListenerAt& listener);

// The first address of a name or literal; nothing when it has none.
std::optional<core::Address> resolve_host(const std::string& host, std::uint16_t port);

}  // namespace parley::parleyd
