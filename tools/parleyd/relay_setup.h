// tools/parleyd/relay_setup.h - Settings and bound listeners become the configuration values of relay and SIP.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/address.h"
#include "core/socket.h"
#include "msrp/relay_config.h"
#include "policy/config.h"
#include "tools/parleyd/settings.h"
#include "tools/parleyd/users.h"

namespace parley::parleyd {

struct RelayListenerAt {
  ListenSpec spec;
  core::Address bound;
};

std::shared_ptr<const msrp::RelayConfig> make_relay_config(const Settings& settings,
                                                           const std::vector<RelayListenerAt>& listeners, Users users);

// Null without --sip. `sip` are the listeners of --sip, in the order of the flags.
std::shared_ptr<const policy::SipConfig> make_sip_config(const Settings& settings,
                                                         const std::vector<RelayListenerAt>& sip, const Users& users);

// Both together.
std::shared_ptr<const policy::Config> make_config(const Settings& settings, const std::vector<RelayListenerAt>& msrp,
                                                  const std::vector<RelayListenerAt>& sip, Users users);

// What a running process can not change, by flag; empty when `fresh` differs from `running` in nothing of it.
std::string needs_restart(const Settings& running, const Settings& fresh);

}  // namespace parley::parleyd
