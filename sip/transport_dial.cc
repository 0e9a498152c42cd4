// sip/transport_dial.cc - connections of our own making. See transport.h.
#include <utility>

#include "core/check.h"
#include "sip/reach.h"
#include "sip/transport.h"

namespace parley::sip {

using core::Metric;

Transport::DestinationKey Transport::key_of(const Destination& to) {
  return {to.transport, to.address.family, to.address.ip, to.address.port, to.tls_name};
}

// One of that transport and family, else any of that family: Via needs a name, and responses come back by the
// connection.
std::optional<std::uint16_t> Transport::listener_for(core::Transport transport, const core::Address& to) const {
  const bool loopback = core::is_loopback(to);
  std::optional<std::uint16_t> best;
  int best_score = -1;
  for (std::size_t i = 0; i < config_->listeners.size(); ++i) {
    const Listener& listener = config_->listeners[i];
    if (listener.bound.family != to.family) continue;
    const bool same = listener.transport == transport;
    if (transport == core::Transport::udp && !same) continue;
    // A socket bound to loopback reaches nothing else.
    if (transport == core::Transport::udp && core::is_loopback(listener.bound) && !loopback) continue;
    const int score = (same ? 2 : 0) + (core::is_loopback(listener.bound) == loopback ? 1 : 0);
    if (score <= best_score) continue;
    best_score = score;
    best = static_cast<std::uint16_t>(i);
  }
  return best;
}

// The sender of the request has proven who he is (transactions are made for no others), and his address is where it
// came from; but the port is whatever he wrote.
std::optional<Flow> Transport::reopen(const Flow& to, std::string_view host) {
  if (!may_reach(config_->dial_deny, to.remote)) return std::nullopt;
  const auto flow =
      flow_to({to.transport, to.remote, to.transport == core::Transport::tls ? std::string(host) : std::string()});
  if (flow) count(Metric::sip_responses_redialled);
  return flow;
}

std::optional<Flow> Transport::flow_to(const Destination& to) {
  if (to.transport == core::Transport::ws || to.transport == core::Transport::wss) return std::nullopt;
  const auto listener = listener_for(to.transport, to.address);
  if (!listener) return std::nullopt;
  if (to.transport == core::Transport::udp) {
    return Flow{.transport = core::Transport::udp,
                .shard = static_cast<std::uint16_t>(shard_),
                .listener = *listener,
                .connection = {},
                .remote = to.address};
  }
  const DestinationKey key = key_of(to);
  if (const auto found = dialled_.find(key); found != dialled_.end()) {
    Connection* const c = connections_.get(found->second);
    CHECK(c != nullptr);
    c->last_used = now_.mono;
    return flow_of(*c);
  }
  if (dials_.size() >= config_->dials_max) {
    count(Metric::sip_dials_limit);
    return std::nullopt;
  }
  Connection* const c = make(to.transport, *listener);
  if (c == nullptr) {
    count(Metric::sip_connections_limit);
    return std::nullopt;
  }
  c->state = State::dialling;
  c->remote = to.address;
  c->proven = true;
  c->dialled = true;
  c->waiting = std::make_unique<std::string>();
  c->target = std::make_unique<Destination>(to);
  c->token = sip_token_bit | next_token_++;
  dialled_.emplace(key, c->self);
  dials_.emplace(c->token, c->self);
  out_->connect({c->token, to.address, to.transport == core::Transport::tls, to.tls_name});
  return flow_of(*c);
}

void Transport::on_connected(const core::Input& input) {
  const auto found = dials_.find(input.token);
  if (found == dials_.end()) {  // given up meanwhile
    out_->close(input.conn);
    return;
  }
  Connection& c = *connections_.get(found->second);
  dials_.erase(found);
  c.token = 0;
  c.conn = input.conn;
  c.state = State::open;
  c.last_used = now_.mono;
  if (!input.peer->verified_names.empty()) {
    c.verified_names = std::make_unique<std::vector<std::string>>(input.peer->verified_names);
  }
  if (by_conn_.size() <= input.conn.index) by_conn_.resize(input.conn.index + std::size_t{1});
  by_conn_[input.conn.index] = c.self;
  arm(c);
  const std::unique_ptr<std::string> waiting = std::move(c.waiting);
  if (!waiting->empty() && !write(c, *waiting)) close_now(c);
}

void Transport::on_connect_failed(const core::Input& input) {
  const auto found = dials_.find(input.token);
  if (found == dials_.end()) return;
  count(Metric::sip_dials_failed);
  Connection& c = *connections_.get(found->second);
  gone_.push_back(flow_of(c));
  forget(c);
}

}  // namespace parley::sip
