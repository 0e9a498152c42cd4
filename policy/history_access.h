// policy/history_access.h - what an operator decides about reading histories (OMA-HIS-1, OMA-HIS-5). The flags stand in
// tools/parleyd/flags_history.cc.
#pragma once

#include <cstdint>
#include <string>

namespace parley::policy {

struct HistoryAccess {
  bool on = false;  // a store that keeps what it is told, and the role participating
  std::string uri = "sip:History@localhost";  // conv-hist-func-uri
  std::uint64_t list_bytes_max = 1 << 20;     // of a document
  std::uint64_t list_cache_bytes_max = 16 << 20;  // of documents that are kept until something changes, per shard
  std::uint32_t fetch_parallel = 64;          // records that are sent to their users at one time, per shard
};

}  // namespace parley::policy
