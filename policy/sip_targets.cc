// policy/sip_targets.cc - bindings, Route values and URIs to next hops (RFC 3261 sections 16.5 and 16.6, RFC 3263). See
// sip_service.h.
#include <algorithm>
#include <utility>

#include "policy/sip_service.h"
#include "sip/uri.h"

namespace parley::policy {

using core::Metric;

bool SipService::may_reach(const core::Address& address) const {
  return policy::may_reach(config_->dial_deny, address);
}

bool SipService::may_reach_outside(const core::Address& address) const {
  if (!may_reach(address)) return false;
  if (trusted(address)) return true;
  const core::Address plain = core::unmapped(address);
  return std::any_of(config_->dial_allow.begin(), config_->dial_allow.end(),
                     [&plain](const core::Cidr& block) { return core::contains(block, plain); });
}

// Fills branch.hops, at once or when the name is resolved.
void SipService::find_hops(Proxied& p, Branch& branch, unsigned index) {
  const std::string& text = branch.next.empty() ? branch.uri : branch.next;
  Hop hop;
  if (literal_hop(text, hop)) {
    branch.hops.push_back(std::move(hop));
    return;
  }
  sip::Uri uri;
  if (!sip::parse_uri(text, uri) || uri.scheme == sip::Scheme::tel || uri.scheme == sip::Scheme::other) return;
  if (names_.size() >= config_->look_ups_max) {
    count(Metric::sip_look_ups_limit);
    return;
  }
  bool said = false;
  const core::Transport transport = transport_of(uri, said);
  const std::uint64_t token = sip::sip_token_bit | next_token_++;
  core::ResolveRequest ask;
  ask.token = token;
  ask.host = std::string(host_of(uri));
  ask.port = uri.has_port ? uri.port : std::uint16_t{0};
  ask.procedure = core::ResolveRequest::Procedure::sip;
  ask.secure = uri.scheme == sip::Scheme::sips;
  if (said) ask.transport = transport;
  names_.emplace(token, std::pair{p.self, index});
  branch.waits_for_name = true;
  out_->resolve(std::move(ask));
}

void SipService::on_resolved(const core::Resolution& resolution) {
  const auto found = names_.find(resolution.token);
  if (found == names_.end()) return;
  const auto [id, index] = found->second;
  names_.erase(found);
  Proxied* const p = proxied_.get(id);
  if (p == nullptr || index >= p->branches.size()) return;
  Branch& branch = *p->branches[index];
  branch.waits_for_name = false;
  resolved_ = resolution.addresses;
  failed_.order(resolved_, now_.mono);
  for (const core::ResolvedAddress& at : resolved_) {
    if (branch.hops.size() == config_->hops_max) break;
    branch.hops.push_back({at.transport, at.address, at.target});
  }
  if (branch.cancelled) {
    branch_cancelled_unsent(*p, index);
  } else {
    try_next_hop(*p, index);
  }
}

// --- where a proxied request goes

// Along the dialog's flow, a Route, or to the URI itself.
void SipService::route_on(Proxied& p, const Received&, const Routing& routing) {
  Branch* const branch = add_branch(p, 1000);
  branch->uri = std::string(routing.uri);
  branch->next = std::string(routing.next_route);
  if (routing.token && routing.token->has_flow) branch->flow = routing.token->flow;
  // A dialog that was let through goes on wherever its ends say they are; anything new needs leave to go out.
  branch->outside = !routing.token;
  begin_fork(p);
}

void SipService::on_bindings(Proxied& p, const Received& request, std::span<const sip::Binding> bindings) {
  sip::plan_targets(bindings, request.head, request.bytes, now_.mono, plan_);
  if (plan_.targets.empty()) {
    sip::Uri uri;
    const bool known = !bindings.empty() || (sip::parse_uri(p.aor, uri) && config_->users.find(uri.user) != config_->users.end());
    final_of_ours(p, known ? 480 : 404);
    drop(p);
    return;
  }
  // Groups are tried one after the other, each at once: the fork knows groups by falling q.
  std::size_t group = 0;
  Branch* branch = nullptr;
  for (std::size_t i = 0; i < plan_.targets.size(); ++i) {
    const sip::Target& target = plan_.targets[i];
    const sip::Binding& binding = *target.binding;
    if (target.fallback) {
      if (branch == nullptr) continue;
      branch->alternatives.push_back({binding.contact, binding.path, std::nullopt});
      if (binding.over_flow) branch->alternatives.back().flow = binding.flow;
      continue;
    }
    while (group + 1 < plan_.groups.size() && plan_.groups[group + 1] <= i) ++group;
    branch = add_branch(p, static_cast<std::uint16_t>(1000 - std::min<std::size_t>(group, 1000)));
    if (branch == nullptr) {
      count(Metric::sip_targets_limit);
      break;
    }
    branch->to_binding = true;
    branch->uri = binding.contact;
    branch->route = binding.path;
    if (binding.over_flow) branch->flow = binding.flow;
    find_first_route(*branch);
  }
  begin_fork(p);
}

void SipService::take_way(Branch& branch, Alternative way) {
  branch.uri = std::move(way.uri);
  branch.route = std::move(way.route);
  branch.flow = way.flow;
  branch.hops.clear();
  branch.next_hop = 0;
  branch.next.clear();
  find_first_route(branch);
}

void SipService::find_first_route(Branch& branch) {
  if (branch.route.empty()) return;
  // The first Path value is the next hop (R3327-1).
  std::string_view rest = branch.route;
  sip::Address first;
  if (sip::take_address(rest, first)) branch.next = std::string(first.uri);
}

}  // namespace parley::policy
