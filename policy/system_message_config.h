// policy/system_message_config.h - what an operator decides about system messages. The flags stand in
// tools/parleyd/flags_system.cc.
#pragma once

#include <cstdint>
#include <string>

#include "core/time.h"

namespace parley::policy {

struct SystemMessageConfig {
  std::string uri = "sip:system-message@localhost";  // from whom they are, and whom answers go to (OMA-SYS-2)
  std::uint32_t per_user_max = 8;                    // of one user, that are not closed
  std::uint32_t messages_max = 10'000;               // per shard, closed ones that are kept among them
  std::uint32_t parallel = 64;                       // that are on their way at one time, per shard
  // How long one that is closed is shown, and known when it is answered again.
  core::Duration kept = std::chrono::hours(7 * 24);
};

}  // namespace parley::policy
