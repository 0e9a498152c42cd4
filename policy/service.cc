// policy/service.cc - see service.h.
#include "policy/service.h"

namespace parley::policy {

Service::Service(const Parts& parts)
    : random_(parts.seed),
      relay_({parts.shard, parts.shard_count, parts.pool, parts.metrics, parts.sessions, random_, parts.relay}) {}

void Service::step(std::span<const core::Input> batch, const core::Now& now, core::Outbox& out) {
  relay_.step(batch, now, out);
}

}  // namespace parley::policy
