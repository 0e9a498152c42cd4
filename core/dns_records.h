// core/dns_records.h - the records in DNS answers, as values (RFC 2782, RFC 3403). What they mean is in resolve_plan.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/resolve_plan.h"

namespace parley::core {

// A whole DNS message each; a broken one, or one without such records, gives none.

inline constexpr std::size_t naptr_records_max = 32;  // of one answer; more are not looked at
[[nodiscard]] std::vector<NaptrRecord> naptr_records(std::span<const unsigned char> message);

struct SrvRecords {
  std::vector<ResolveTarget> targets;  // name, port, priority and weight
  bool refused = false;                // target ".": the service is decidedly not available
};
inline constexpr std::size_t srv_records_max = 64;
[[nodiscard]] SrvRecords srv_records(std::span<const unsigned char> message);

// The least TTL of the records in the answer section of a DNS message, in seconds; nothing when it has none or is
// broken.
[[nodiscard]] std::optional<std::uint32_t> least_ttl_s(std::span<const unsigned char> message);

}  // namespace parley::core
