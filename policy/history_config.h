// policy/history_config.h - what an operator decides about histories of conversations. The flags stand in
// tools/parleyd/flags_history.cc.
#pragma once

#include <cstdint>

#include "core/time.h"

namespace parley::policy {

struct HistoryConfig {
  bool on = false;  // there is a store that keeps what it is told
  // Of one user (OMA-HIS-6).
  std::uint32_t count_max = 10'000;  // messages, and records
  std::uint64_t bytes_max = 100 << 20;
  core::Duration age_max = std::chrono::hours(30 * 24);
  bool keep_old = false;  // who has that much: his oldest ones stay, and what is new is not kept
  // A longer message is recorded without its body, and so is one that comes in pieces when they take too much of
  // assembling_bytes_max of the shard.
  std::uint32_t message_bytes_max = 256 * 1024;
  std::uint64_t assembling_bytes_max = 32 << 20;
};

}  // namespace parley::policy
