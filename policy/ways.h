// policy/ways.h - how the peers of dialogs are reached: back over the connection that they made, or where their routes
// and Contacts point. One per user agent of a shard, used by its thread alone.
//
// What it holds is one entry for each connection and owner; owners are calls or participants.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

#include "core/slot_map.h"
#include "sip/transport.h"

namespace parley::policy {

// How requests reach the peer of a dialog.
struct Way {
  sip::Flow flow;     // the last message of its came by it
  bool back = false;  // requests go back over it: a connection that the peer made, or a NAT's address
};

class Ways {
 public:
  // The transport outlives it.
  Ways(std::uint32_t shard, const sip::Transport& transport) : shard_(shard), transport_(transport) {}

  // A connection that the peer made leads back to it. Datagrams go back when its sender does not know the address it is
  // seen under and no proxy stands between (R3261-13). `way` has been forgotten before.
  void take(Way& way, core::SlotId owner, const sip::Received& message, bool record_routed);
  // `shared`: another way of that owner is the same.
  void forget(Way& way, core::SlotId owner, bool shared);
  // An owner that relied on this connection, each once; until there is none.
  [[nodiscard]] std::optional<core::SlotId> next_of(const sip::Flow& gone);

 private:
  // connection's shard, connection, owner
  using Key = std::tuple<std::uint16_t, std::uint64_t, std::uint64_t>;

  const std::uint32_t shard_;
  const sip::Transport& transport_;
  std::set<Key> by_flow_;
};

// Whether a peer can be called now that the connection it made is gone: `next_hop` names an address, and another one
// than that of the connection.
[[nodiscard]] bool callable_without(const sip::Flow& gone, std::string_view next_hop);
// Browsers can not be called at all.
[[nodiscard]] inline bool may_be_callable(const sip::Flow& gone) {
  return gone.transport != core::Transport::ws && gone.transport != core::Transport::wss;
}

}  // namespace parley::policy
