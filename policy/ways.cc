// policy/ways.cc - see ways.h.
#include "policy/ways.h"

#include <utility>

#include "policy/hop.h"

namespace parley::policy {

namespace {

std::uint64_t slot_of(const sip::Flow& flow) { return flow.connection.packed(); }

}  // namespace

void Ways::take(Way& way, core::SlotId owner, const sip::Received& message, bool record_routed) {
  way.flow = message.flow;
  if (way.flow.reliable()) {
    way.back = transport_.accepted(way.flow);
    if (way.back) by_flow_.emplace(way.flow.shard, slot_of(way.flow), owner.packed());
    return;
  }
  way.flow.shard = static_cast<std::uint16_t>(shard_);  // a socket of ours with the same address sends
  way.back = false;
  if (record_routed || !message.head.request()) return;
  const auto sent_by = core::parse_ip(message.essentials.via.host, way.flow.remote.port);
  way.back = sent_by && core::unmapped(*sent_by) != core::unmapped(way.flow.remote);
}

void Ways::forget(Way& way, core::SlotId owner, bool shared) {
  if (!std::exchange(way.back, false) || !way.flow.reliable() || shared) return;
  by_flow_.erase({way.flow.shard, slot_of(way.flow), owner.packed()});
}

std::optional<core::SlotId> Ways::next_of(const sip::Flow& gone) {
  const auto first = by_flow_.lower_bound({gone.shard, slot_of(gone), 0});
  if (first == by_flow_.end() || std::get<0>(*first) != gone.shard || std::get<1>(*first) != slot_of(gone)) {
    return std::nullopt;
  }
  const core::SlotId owner = core::SlotId::unpack(std::get<2>(*first));
  by_flow_.erase(first);
  return owner;
}

bool callable_without(const sip::Flow& gone, std::string_view next_hop) {
  Hop hop;
  return may_be_callable(gone) && literal_hop(next_hop, hop) && hop.address != core::unmapped(gone.remote);
}

}  // namespace parley::policy
