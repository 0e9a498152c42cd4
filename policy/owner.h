// policy/owner.h - what the owner number of a SIP transaction names: who gets its responses and what time brings.
#pragma once

#include <cstdint>

#include "core/slot_map.h"

namespace parley::policy {

enum class Owner : std::uint8_t {
  none,
  proxied,     // a request on its way
  subscriber,  // a NOTIFY of ours
};

// Generations do not come near 2^30 in the life of a process: the table hands slots out in turn with their uses.
[[nodiscard]] inline std::uint64_t owner_number(Owner kind, core::SlotId id) {
  return static_cast<std::uint64_t>(kind) << 62 | (id.packed() & (~std::uint64_t{0} >> 2));
}
[[nodiscard]] constexpr Owner owner_kind(std::uint64_t number) { return static_cast<Owner>(number >> 62); }
[[nodiscard]] inline core::SlotId owner_id(std::uint64_t number) {
  return core::SlotId::unpack(number & (~std::uint64_t{0} >> 2));
}

}  // namespace parley::policy
