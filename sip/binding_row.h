// sip/binding_row.h - a binding as it is stored, and what is left of one when another process reads it.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "core/store/store.h"
#include "core/time.h"
#include "sip/location.h"
#include "sip/transport_config.h"

namespace parley::sip {

// One that outlives the process.
[[nodiscard]] core::BindingRow to_row(std::string_view aor, const Binding& binding, const core::Now& now,
                                      std::span<const Listener> listeners);

// Nothing: its time is over, or no listener is left that reaches it: one whose datagrams go back the way they came needs
// the same one (R5626-2, T-36), others any of that transport. `shard` is whose binding it becomes.
[[nodiscard]] std::optional<Binding> from_row(const core::BindingRow& row, const core::Now& now, std::uint16_t shard,
                                              std::span<const Listener> listeners);

}  // namespace parley::sip
