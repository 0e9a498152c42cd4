// policy/deferred_config.h - what an operator decides about deferred messages. The flags stand in
// tools/parleyd/flags_deferred.cc.
#pragma once

#include <cstdint>
#include <string>

#include "core/time.h"
#include "policy/deferred_list.h"

namespace parley::policy {

struct DeferredConfig {
  bool on = false;  // the role, and a store that keeps what it is told
  // Of one user (OMA-DEF-5).
  std::uint32_t count_max = 500;
  std::uint64_t bytes_max = 50 << 20;
  core::Duration age_max = std::chrono::hours(7 * 24);
  std::uint64_t large_bytes_max = 50 << 20;  // of one large message
  std::uint32_t large_parallel = 64;         // large messages that are stored or sent out at one time, per shard
  std::uint32_t large_per_user = 8;          // that one user sends, or is sent, among them
  // OMA-PAG-5: a device that has not answered by then is one that can not be reached; well below Timer F, which is as long
  // as the sender waits.
  core::Duration answer_max = std::chrono::seconds(10);
  std::uint32_t users_max = 1'000'000;  // who are sent theirs, or tried again, per shard
  std::uint32_t push_parallel = 64;     // users who are sent theirs at one time, per shard
  std::uint32_t push_rate = 1000;       // messages a second, per shard
  // OMA-X-6: pager messages are sent as sessions, too, each as one MSRP message; RCS devices take them so alone.
  bool push_sessions = false;
  // OMA-DEF-9: how long until a user is tried again: first, and at most.
  core::Duration retry_first = std::chrono::seconds(30);
  core::Duration retry_max = std::chrono::hours(1);
  // What a user is told of them (deferred_list.h).
  std::string list_space{deferred_list_space};
  std::uint64_t list_bytes_max = 64 << 10;  // of a document in a NOTIFY or MESSAGE
  std::string xcap_root;                    // where documents can be fetched, in xcap-diff
  core::Duration remind_before = std::chrono::hours(24);  // OMA-DEF-6
  std::uint32_t event_expires_max_seconds = 3600;
  core::Duration event_interval = std::chrono::seconds(5);
  // OMA-DEF-13: REFERs that are being carried out, per shard, and of one user.
  std::uint32_t retrievals_max = 1000;
  std::uint32_t retrievals_per_user_max = 4;
};

}  // namespace parley::policy
