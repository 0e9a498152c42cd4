// policy/owner.h - what the owner number of a SIP transaction names: who gets its responses and what time brings.
#pragma once

#include <cstdint>

#include "core/slot_map.h"

namespace parley::policy {

enum class Owner : std::uint8_t {
  none,
  proxied,                // a request on its way
  subscriber,             // a NOTIFY of ours about a user
  call,                   // a request that came in a call
  participant,            // a request that came in a dialog of a conference
  conference_subscriber,  // a NOTIFY of ours about a session
  deferred_subscriber,    // a NOTIFY of ours about what waits for a user
  history_subscriber,     // a NOTIFY of ours about his history
};
inline constexpr unsigned owner_kind_bits = 3;

// Generations do not come near 2^29 in the life of a process: the table hands slots out in turn with their uses.
[[nodiscard]] inline std::uint64_t owner_number(Owner kind, core::SlotId id) {
  return static_cast<std::uint64_t>(kind) << (64 - owner_kind_bits) |
         (id.packed() & (~std::uint64_t{0} >> owner_kind_bits));
}
[[nodiscard]] constexpr Owner owner_kind(std::uint64_t number) {
  return static_cast<Owner>(number >> (64 - owner_kind_bits));
}
[[nodiscard]] inline core::SlotId owner_id(std::uint64_t number) {
  return core::SlotId::unpack(number & (~std::uint64_t{0} >> owner_kind_bits));
}

}  // namespace parley::policy
