// policy/service.cc - see service.h.
#include "policy/service.h"

#include <algorithm>

namespace parley::policy {

using Kind = core::Input::Kind;

namespace {
constexpr std::uint32_t not_sip = 0xffffffffU;
}

Service::Service(const Parts& parts)
    : random_(parts.seed),
      relay_({parts.shard, parts.shard_count, parts.pool, parts.metrics, parts.sessions, random_, parts.config->relay}) {
  if (parts.config->sip == nullptr) return;
  sip_ = std::make_unique<SipService>(SipService::Parts{.shard = parts.shard,
                                                        .shard_count = parts.shard_count,
                                                        .pool = parts.pool,
                                                        .metrics = parts.metrics,
                                                        .random = random_,
                                                        .process_seed = parts.process_seed,
                                                        .config = parts.config->sip});
}

void Service::step(std::span<const core::Input> batch, const core::Now& now, core::Outbox& out) {
  for (const core::Input& input : batch) {
    if (input.kind == Kind::reload) reload(input);
    if (input.kind == Kind::drain) draining_ = true;
  }
  if (sip_ == nullptr) {
    relay_.step(batch, now, out);
    out.deadline(relay_.next_deadline());
    if (draining_ && relay_.drained()) out.drained();
    return;
  }
  sip_->begin(now, out);
  if (draining_) sip_->drain();
  relay_batch_.clear();
  for (const core::Input& input : batch) {
    if (is_sip(input)) {
      sip_->take(input);
    } else {
      relay_batch_.push_back(input);
    }
  }
  sip_->end();
  relay_.step(relay_batch_, now, out);
  out.deadline(std::min(relay_.next_deadline(), sip_->next_deadline()));
  if (draining_ && relay_.drained() && sip_->drained()) out.drained();
}

bool Service::is_sip(const core::Input& input) {
  switch (input.kind) {
    case Kind::datagram:
    case Kind::mail: return true;
    case Kind::connect_failed: return (input.token & sip::sip_token_bit) != 0;
    case Kind::resolved: return (input.resolution->token & sip::sip_token_bit) != 0;
    case Kind::opened:
    case Kind::connected: {
      const bool sip = input.kind == Kind::connected ? (input.token & sip::sip_token_bit) != 0
                                                     : input.peer->transport != core::Transport::pipe &&
                                                           input.peer->listener >= sip_->listener_base();
      if (sip_conns_.size() <= input.conn.index) sip_conns_.resize(input.conn.index + std::size_t{1}, not_sip);
      sip_conns_[input.conn.index] = sip ? input.conn.generation : not_sip;
      return sip;
    }
    case Kind::bytes:
    case Kind::half_closed:
    case Kind::sent:
    case Kind::closed:
      return input.conn.index < sip_conns_.size() && sip_conns_[input.conn.index] == input.conn.generation;
    case Kind::admin:
    case Kind::reload:
    case Kind::drain: return false;
  }
  return false;
}

void Service::reload(const core::Input& input) {
  const auto config = std::static_pointer_cast<const Config>(input.snapshot);
  relay_.reload(config->relay);
  if (sip_ != nullptr && config->sip != nullptr) sip_->reload(config->sip);
}

}  // namespace parley::policy
