// policy/sip_targets.cc - bindings, Route values and URIs to next hops (RFC 3261 sections 16.5 and 16.6, RFC 3263). See
// sip_service.h.
#include <algorithm>
#include <utility>

#include "policy/sip_service.h"
#include "sip/reach.h"
#include "sip/uri.h"

namespace parley::policy {

using core::Metric;

// Fills branch.hops, at once or when the name is resolved.
void SipService::find_hops(Proxied& p, Branch& branch, unsigned index) {
  const std::string& text = branch.next.empty() ? branch.uri : branch.next;
  Hop hop;
  if (literal_hop(text, hop)) {
    branch.hops.push_back(std::move(hop));
    return;
  }
  branch.waits_for_name = ask_for_name(text, {.proxied = p.self, .branch = index});
}

bool SipService::ask_for_name(std::string_view uri, const NameLookUps::Wanted& wanted) {
  if (names_.size() < config_->look_ups_max) return names_.ask(uri, wanted, *out_);
  count(Metric::sip_look_ups_limit);
  return false;
}

void SipService::on_resolved(const core::Resolution& resolution) {
  const std::optional<NameLookUps::Wanted> wanted = names_.take(resolution);
  if (!wanted) return;
  std::vector<core::ResolvedAddress> addresses = resolution.addresses;
  failed_.order(addresses, now_.mono);
  if (wanted->ack != core::no_buffer) {
    on_ack_resolved(*wanted, addresses);
    return;
  }
  Proxied* const p = proxied_.get(wanted->proxied);
  const unsigned index = wanted->branch;
  if (p == nullptr || !p->fork.running().has(index)) return;
  Branch& branch = *p->branches[index];
  branch.waits_for_name = false;
  for (const core::ResolvedAddress& at : addresses) {
    if (branch.hops.size() == config_->hops_max) break;
    branch.hops.push_back({at.transport, at.address, at.target});
  }
  if (p->fork.unwanted(index)) {
    branch_cancelled_unsent(*p, index);
  } else {
    try_next_hop(*p, index);
  }
}

// --- where a proxied request goes

// Whether a request outside of dialogs is one that the core takes where nothing else is known: a user who is served here
// sends it. What else comes from a trusted peer may have come from the core, and would go in circles.
bool SipService::goes_by_core(const Received& request, const Routing& routing, const Sender& sender) const {
  return !home_.core_route().empty() && request.essentials.to_tag.empty() && !routing.token &&
         (sender.kind == Sender::Kind::user || routing.originating);
}

void SipService::to_core(Branch& branch) const {
  branch.route = home_.core_route();
  branch.outside = false;  // the operator sends it there
  branch.find_first_route();
}

// Along the dialog's flow, a Route, or to the URI itself.
void SipService::route_on(Proxied& p, const Routing& routing) {
  Branch* const branch = add_branch(p, 1000);
  branch->uri = std::string(routing.uri);
  branch->next = std::string(routing.next_route);
  if (routing.token && routing.token->has_flow) {
    branch->flow = routing.token->flow;
    // A core may close connections that nothing goes over; its Record-Route says where it can be called.
    Hop hop;
    if (p.from_trusted && literal_hop(routing.next_route, hop)) branch->hops.push_back(std::move(hop));
  }
  // A dialog that was let through goes on wherever its ends say they are; anything new needs leave to go out.
  branch->outside = !routing.token;
  if (p.by_core && branch->next.empty()) to_core(*branch);
  begin_fork(p);
}

// What a user agent here wants sent, where no bindings are asked for.
void SipService::errand_on(Proxied& p, const Received& request) {
  const Errand& e = *p.errand;
  Branch* const branch = add_branch(p, 1000);
  branch->uri = std::string(request.head.uri.of(request.bytes));
  branch->next = e.next;
  branch->flow = e.flow;
  branch->outside = e.outside || e.by_uri;
  Hop hop;
  if (e.flow && literal_hop(e.next, hop)) branch->hops.push_back(std::move(hop));  // should the connection be gone
  if (p.by_core && e.next.empty() && !e.flow) to_core(*branch);
  begin_fork(p);
}

// It has passed the checks on its way to a user whom the core registers.
void SipService::on_route(Proxied& p, const Received& request) {
  if (p.errand != nullptr) {
    errand_on(p, request);
    return;
  }
  Routing routing;
  (void)home_.read_routing(request, routing);  // it was good before
  route_on(p, routing);
}

// All devices that the sender's preferences leave (OMA-PAG-4); where they leave none, as for services that are not ours,
// he can not be reached (OMA-REG-3, OMA-X-7).
void SipService::on_bindings(Proxied& p, const Received& request, std::span<const sip::Binding> bindings,
                             const ImSettings& settings, bool others_wait) {
  sip::Uri uri;
  const bool known = p.routed || !bindings.empty() ||
                     (sip::parse_uri(p.aor, uri) && config_->users.find(uri.user) != config_->users.end());
  if (known && !may_terminate(p, request, settings)) return;
  p.to_user = known;
  look_at_history(p, settings);
  if (begin_keeping(p, others_wait)) return;
  if (p.routed) {
    on_route(p, request);
    return;
  }
  sip::plan_targets(bindings, request.head, request.bytes, now_.mono, plan_);
  if (plan_.targets.empty() && p.by_core) {
    Branch* const branch = add_branch(p, 1000);
    branch->uri = std::string(request.head.uri.of(request.bytes));
    to_core(*branch);
    begin_fork(p);
    return;
  }
  if (plan_.targets.empty()) {
    if (is_unreached(p, 480) && defer(p, false)) return;
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
    branch->uri = binding.server ? p.aor : binding.contact;
    if (binding.server) branch->next = binding.contact;
    branch->route = binding.path;
    if (binding.over_flow) branch->flow = binding.flow;
    branch->find_first_route();
  }
  begin_fork(p);
}

}  // namespace parley::policy
