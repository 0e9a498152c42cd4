// sip/binding_row.cc - see binding_row.h.
#include "sip/binding_row.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "core/address.h"
#include "sip/listener_name.h"

namespace parley::sip {
namespace {

using std::chrono::milliseconds;

std::int64_t wall(core::Instant at, const core::Now& now) {
  return now.wall_ms + std::chrono::duration_cast<milliseconds>(at - now.mono).count();
}

core::Instant mono(std::int64_t wall_ms, const core::Now& now) { return now.mono + milliseconds(wall_ms - now.wall_ms); }

}  // namespace

core::BindingRow to_row(std::string_view aor, const Binding& b, const core::Now& now,
                        std::span<const Listener> listeners) {
  return {.aor = std::string(aor),
          .id = b.row,
          .contact = b.contact,
          .display = b.display,
          .params = b.params,
          .instance = b.instance,
          .reg_id = b.reg_id,
          .q = b.q,
          .call_id = b.call_id,
          .cseq = b.cseq,
          .path = b.path,
          .user_agent = b.user_agent,
          .listener = b.flow.listener < listeners.size() ? listener_name(listeners[b.flow.listener]) : std::string(),
          .remote = core::to_string(b.flow.remote),
          .over_flow = b.over_flow,
          .server = b.server,
          .granted_s = b.expires_seconds,
          .registered_ms = wall(b.registered, now),
          .refreshed_ms = wall(b.refreshed, now),
          .expires_ms = wall(b.expires, now)};
}

std::optional<Binding> from_row(const core::BindingRow& row, const core::Now& now, std::uint16_t shard,
                                std::span<const Listener> listeners) {
  const std::optional<core::Address> remote = core::parse_address(row.remote);
  if (row.aor.empty() || row.contact.empty() || !remote || row.expires_ms <= now.wall_ms) return std::nullopt;
  const auto listener = find_listener(row.listener, remote->family, listeners, row.over_flow);
  if (listener == listeners.end()) return std::nullopt;
  Binding b;
  b.row = row.id;
  b.contact = row.contact;
  b.display = row.display;
  b.params = row.params;
  b.instance = row.instance;
  b.reg_id = row.reg_id;
  b.q = row.q;
  b.call_id = row.call_id;
  b.cseq = row.cseq;
  b.path = row.path;
  b.user_agent = row.user_agent;
  b.flow.transport = listener->transport;
  b.flow.shard = shard;
  b.flow.listener = static_cast<std::uint16_t>(listener - listeners.begin());
  b.flow.remote = *remote;
  b.over_flow = row.over_flow;
  b.server = row.server;
  b.expires_seconds = row.granted_s;
  // A clock that was set back must not make a binding live longer than was granted.
  b.expires = std::min(mono(row.expires_ms, now), now.mono + std::chrono::seconds(row.granted_s));
  b.registered = mono(row.registered_ms, now);
  b.refreshed = mono(row.refreshed_ms, now);
  b.last_event = row.registered_ms == row.refreshed_ms ? BindingEvent::registered : BindingEvent::refreshed;
  return outlives_process(b) ? std::optional(std::move(b)) : std::nullopt;
}

}  // namespace parley::sip
