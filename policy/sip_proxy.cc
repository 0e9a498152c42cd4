// policy/sip_proxy.cc - requests on their way: branches, responses, CANCEL, Timer C (RFC 3261 section 16). See
// sip_service.h.
#include <algorithm>
#include <charconv>
#include <utility>

#include "core/check.h"
#include "core/text.h"
#include "policy/hop.h"
#include "policy/own_names.h"
#include "policy/sip_service.h"
#include "sip/loop.h"
#include "sip/timer_headers.h"
#include "sip/tokens.h"
#include "sip/value.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::Method;

namespace {

std::optional<std::uint32_t> max_breadth(const sip::Received& request) {
  const sip::Header* const header = request.head.first(HeaderId::max_breadth);
  if (header == nullptr) return std::nullopt;
  std::uint32_t number = 0;
  return sip::clamped_number(header->value.of(request.bytes), number) ? std::optional(number) : std::nullopt;
}

// Copies challenge lines of one response of ours behind the start line of another.
void add_challenges(std::string_view from, std::string& to) {
  const std::size_t place = to.find("\r\n") + 2;
  while (!from.empty() && !from.starts_with("\r\n")) {
    const std::size_t end = from.find("\r\n");
    if (end == std::string_view::npos) return;
    const std::string_view line = from.substr(0, end + 2);
    const sip::HeaderId id = sip::header_id(sip::trim(line.substr(0, line.find(':'))));
    if (id == HeaderId::www_authenticate || id == HeaderId::proxy_authenticate) to.insert(place, line);
    from.remove_prefix(end + 2);
  }
}

}  // namespace

void SipService::proxy(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                       const Sender& sender) {
  if (forward_stateless(request, routing, sender)) return;
  const bool invite = request.head.method == Method::invite;
  const core::SlotId id =
      proxied_.emplace(sip::ForkConfig{.invite = invite,
                                        .breadth = sip::incoming_breadth(max_breadth(request)),
                                        // One after the other would outlast the sender's patience (Timer F).
                                        .may_wait = invite});
  if (!id.valid()) {
    count(Metric::sip_proxied_limit);
    responder_.refuse(request, 503);
    return;
  }
  Proxied& p = *proxied_.get(id);
  ++unanswered_;
  p.self = id;
  p.answer_timer.owner = id.packed();
  p.server = transactions_.open_server(request, match, owner_number(Owner::proxied, id), now_.mono);
  if (!p.server.valid()) {
    settled(p);
    proxied_.erase(id);
    responder_.refuse(request, 503);
    return;
  }
  p.method = request.head.method;
  p.source = request.flow;
  p.from_trusted = sender.kind == Sender::Kind::trusted;
  p.has_to_tag = !request.essentials.to_tag.empty();
  if (!set_timer(p, request)) return;
  p.user = std::string(sender.user);
  p.im = participating_.im_request(request, routing.token.has_value());
  if (p.im == ImKind::pager) p.recorded_sender = std::string(parties_.recorded_sender(request, routing, sender, aor_));
  p.loop = routing.loop;
  p.trace = traces_.add(request, nullptr);
  current_ = &request;
  current_routing_ = &routing;
  p.by_core = goes_by_core(request, routing, sender);
  p.routed = parties_.comes_by_core(request, routing, sender);
  const bool by_token = routing.token && routing.token->has_flow;
  if (p.routed) {
    p.aor = std::string(parties_.core_aor(routing, aor_));
    look_up(p, request);
  } else if (by_token || !routing.next_route.empty() || !routing.local) {
    route_on(p, routing);
  } else {
    p.aor = std::string(home_.aor_of(routing.parsed, aor_));
    look_up(p, request);
  }
  current_ = nullptr;
  current_routing_ = nullptr;
}

Proxied::Branch* SipService::add_branch(Proxied& p, std::uint16_t q) {
  if (!p.fork.add_target(q)) return nullptr;
  p.branches.push_back(spare_branches_.take());
  Branch& branch = *p.branches.back();
  branch.timer.owner = p.self.packed();
  branch.timer.kind = static_cast<std::uint32_t>(p.branches.size() - 1);
  return &branch;
}

void SipService::begin_fork(Proxied& p) { carry_out(p, p.fork.start(), nullptr, 0); }

// The request that `p` stands for: the one being handled, or the stored one.
const sip::Received* SipService::request_of(const Proxied& p) {
  if (p.errand != nullptr) return read_again(p.errand->text, p.source);
  return current_ != nullptr ? current_ : replay(p.server, p.source);
}

// `response` is that of `branch` which led to the decision, if one did. `p` may be gone afterwards.
void SipService::carry_out(Proxied& p, const sip::ForkDecision& decision, const Received* response, unsigned branch) {
  const core::SlotId self = p.self;
  if (decision.forward && response != nullptr) {
    if (response->head.status >= 200 && p.keeping == Proxied::Keeping::no) settled(p);
    if (response->head.status >= 200 && response->head.status < 300) p.answered_2xx = true;
    give_upstream(p, *response, branch);
  }
  if (decision.restart_timer_c) wheel_.arm(p.branches[branch]->timer, now_.mono + config_->timer_c);
  if (decision.final != sip::FinalResponse::none) give_final(p, decision, response, branch);
  cancel_branches(p, decision.cancel);
  for (sip::BranchSet set = decision.start; !set.empty();) {
    start_branch(p, set.take());
    if (!proxied_.contains(self)) return;
  }
  finish_if_over(self);
}

// R4028-4. False: refused, and `p` is gone.
bool SipService::set_timer(Proxied& p, const Received& request) {
  if (!config_->calls.proxied_timer || (p.method != Method::invite && p.method != Method::update)) return true;
  p.timer_edit =
      sip::proxy_timer_request(config_->calls.timer, sip::read_timer(request.head, request.bytes), p.timer);
  if (!p.timer_edit.refuse) return true;
  lines_.clear();
  put_number(lines_.begin(HeaderId::min_se), p.timer_edit.min_se);
  responder_.answer(request, p.server, 422, lines_.headers());
  drop(p);
  return false;
}

void SipService::give_upstream(Proxied& p, const Received& response, unsigned branch) {
  if (!answers_kept(p, response.head.status)) return;
  if (response.head.status >= 200) {
    settled(p);
    traces_.answered(p, response.head.status);
  }
  if (response.head.status >= 200 && response.head.status < 300) record_pager(p, true);
  if (p.errand != nullptr) {
    give_call(p, response, branch);
    return;
  }
  (void)transactions_.respond(p.server, response.head.status, forwarder_.response(p.from_trusted, response, &p.timer),
                              now_.mono);
}

void SipService::give_final(Proxied& p, const sip::ForkDecision& decision, const Received* response, unsigned branch) {
  std::uint16_t status = decision.status;
  switch (decision.final) {
    case sip::FinalResponse::none: break;
    case sip::FinalResponse::generate:
      // 500 is what is left of nothing but 503: of a user of ours that he can not be reached (OMA-PAG-5).
      if (status == 500 && is_unreached(p, 503)) status = 480;
      break;
    case sip::FinalResponse::silence: status = 408; break;
    case sip::FinalResponse::branch: {
      const Branch& chosen = *p.branches[decision.branch];
      status = chosen.kept.empty() && response != nullptr ? response->head.status : chosen.kept_status;
      break;
    }
  }
  if (!answers_kept(p, status) || (is_unreached(p, status) && defer(p, true))) return;
  if (decision.final == sip::FinalResponse::generate && may_try_again(p)) return;
  settled(p);
  traces_.answered(p, status);
  if (decision.final == sip::FinalResponse::branch && status < 300) record_pager(p, true);
  switch (decision.final) {
    case sip::FinalResponse::none: return;
    case sip::FinalResponse::generate: final_of_ours(p, status); return;
    case sip::FinalResponse::silence:  // R3261-11, RFC 4320 section 4.2
      if (p.errand != nullptr) errand_clients_.on_outcome(*p.errand, 408);
      return;
    case sip::FinalResponse::branch: break;
  }
  Branch& chosen = *p.branches[decision.branch];
  if (chosen.kept.empty()) {
    CHECK(response != nullptr);
    CHECK(decision.branch == branch);
    if (p.errand != nullptr) {
      if (response->head.status < 300) p.answered_2xx = true;
      give_call(p, *response, branch);
      return;
    }
    chosen.kept = forwarder_.response(p.from_trusted, *response, &p.timer);
    chosen.kept_status = response->head.status;
  }
  if (p.errand != nullptr) {
    errand_clients_.on_response(*p.errand, chosen.kept, {}, false);
    return;
  }
  // RFC 3261 section 16.7 item 7: the challenges of all of them.
  std::string_view text = chosen.kept;
  if (!decision.challenges.empty()) {
    kept_text_ = chosen.kept;
    for (sip::BranchSet others = decision.challenges; !others.empty();) {
      add_challenges(p.branches[others.take()]->kept, kept_text_);
    }
    text = kept_text_;
  }
  if (chosen.kept_status < 300) p.answered_2xx = true;
  (void)transactions_.respond(p.server, chosen.kept_status, text, now_.mono);
}

void SipService::final_of_ours(Proxied& p, std::uint16_t status) {
  traces_.answered(p, status);
  if (p.errand != nullptr) {
    errand_clients_.on_outcome(*p.errand, status);
    return;
  }
  const Received* const request = request_of(p);
  if (request != nullptr) responder_.answer(*request, p.server, status);
}

// --- branches

void SipService::start_branch(Proxied& p, unsigned index) {
  Branch& branch = *p.branches[index];
  if (!branch.flow && branch.hops.empty()) {
    find_hops(p, branch, index);
    if (branch.waits_for_name) return;
  }
  try_next_hop(p, index);
}

// The next address of this target, or another way to it; if there is none the branch has failed.
void SipService::try_next_hop(Proxied& p, unsigned index) {
  Branch& branch = *p.branches[index];
  branch.client = {};
  for (;;) {
    if (branch.flow) {
      const Flow flow = *std::exchange(branch.flow, std::nullopt);
      branch.by_flow = true;
      if (send_on(p, index, flow)) return;
    }
    while (branch.next_hop < branch.hops.size()) {
      const Hop& hop = branch.hops[branch.next_hop++];
      branch.by_flow = false;
      if (!(branch.outside ? home_.may_reach_outside(hop.address) : home_.may_reach(hop.address))) {
        branch.forbidden = true;
        continue;
      }
      const auto flow = transport_.flow_to({hop.transport, hop.address, hop.tls_name});
      if (flow && send_on(p, index, *flow)) return;
    }
    if (branch.alternatives.empty()) break;
    branch.take(std::move(branch.alternatives.front()));
    branch.alternatives.erase(branch.alternatives.begin());
    if (!branch.flow) {
      find_hops(p, branch, index);
      if (branch.waits_for_name) return;
    }
  }
  branch_failed(p, index);
}

// The hop that was tried last is tried after others for a while.
void SipService::hop_failed(const Branch& branch, std::optional<core::Duration> retry_after) {
  if (branch.next_hop == 0 || branch.next_hop > branch.hops.size()) return;
  const Hop& hop = branch.hops[branch.next_hop - 1];
  failed_.failed({hop.address, hop.transport}, now_.mono, retry_after);
}

void SipService::branch_failed(Proxied& p, unsigned index) {
  Branch& branch = *p.branches[index];
  if (branch.forbidden) {
    count(Metric::sip_hops_forbidden);
    keep_own(p, branch, 403);
    carry_out(p, p.fork.response(index, 403), nullptr, index);
    return;
  }
  count(Metric::sip_hops_failed);
  // Nobody is there: of a user of ours that means that he is not (430 is for edges, RFC 5626 section 5.3); of others it is
  // our failure.
  if (branch.to_binding) {
    keep_own(p, branch, 480);
    carry_out(p, p.fork.response(index, 480), nullptr, index);
    return;
  }
  carry_out(p, p.fork.transport_error(index), nullptr, index);
}

// A final response that stands for a branch which has none.
void SipService::keep_own(Proxied& p, Branch& branch, std::uint16_t status) {
  const Received* const request = request_of(p);
  if (request == nullptr) return;
  branch.kept = responder_.compose(*request, status, {}, {});
  branch.kept_status = status;
}

std::string_view SipService::forward(const Proxied& p, unsigned index, const Received& request, const Flow& flow,
                                     std::string_view branch_name) {
  Routing read;
  if (current_ != &request) (void)home_.read_routing(request, read);  // a stored one: it was good before
  const Branch& branch = *p.branches[index];
  return forwarder_.request({.source = p.source,
                             .method = p.method,
                             .from_trusted = p.from_trusted,
                             .in_dialog = p.has_to_tag,
                             .user = p.user,
                             .uri = branch.uri,
                             .route = branch.route,
                             .timer = p.timer_edit},
                            request, current_ == &request ? *current_routing_ : read, flow, branch_name,
                            p.fork.breadth(index));
}

bool SipService::send_on(Proxied& p, unsigned index, const Flow& flow) {
  Branch& branch = *p.branches[index];
  const Received* const request = request_of(p);
  if (request == nullptr) return false;
  const sip::ClientTicket ticket = transactions_.open_client(p.method, flow, owner_number(Owner::proxied, p.self), p.loop);
  if (!ticket.id.valid()) return false;
  const std::string_view text =
      p.errand != nullptr ? forwarder_.errand(*p.errand, *request, flow, ticket.branch_text(), branch.uri, branch.route)
                          : forward(p, index, *request, flow, ticket.branch_text());
  if (!flow.reliable() && text.size() > datagram_request_bytes_max && !branch.tried_stream && branch.next_hop != 0) {
    // R3261-12: by TCP; only when that is refused by UDP after all.
    branch.tried_stream = true;
    transactions_.discard(ticket.id);
    const Hop& hop = branch.hops[branch.next_hop - 1];
    const auto stream = transport_.flow_to({core::Transport::tcp, hop.address, {}});
    --branch.next_hop;  // the same address again, should it not come up
    if (stream && send_on(p, index, *stream)) return true;
    ++branch.next_hop;
    return send_on(p, index, flow);
  }
  branch.client = ticket.id;
  branch.heard = false;
  if (!transactions_.start_client(ticket.id, text, now_.mono)) {
    branch.client = {};
    return false;
  }
  if (p.method == Method::invite) wheel_.arm(branch.timer, now_.mono + config_->timer_c);
  traces_.sent(p, index, flow);
  count(Metric::sip_forwarded);
  return true;
}

void SipService::on_branch_response(Proxied& p, const Received& response, sip::TransactionId client) {
  const auto found = std::find_if(p.branches.begin(), p.branches.end(),
                                  [&](const auto& b) { return b->client == client; });
  if (found == p.branches.end()) return;
  const auto index = static_cast<unsigned>(found - p.branches.begin());
  Branch& branch = **found;
  branch.heard = true;
  const std::uint16_t status = response.head.status;
  if (status >= 200) {
    wheel_.cancel(branch.timer);
    traces_.heard(p, index, TracedHop::Result::answered, status);
  }
  if (status == 503) {
    p.answered_503 = true;
    sip::RetryAfter retry;
    const std::string_view value = response.head.value(HeaderId::retry_after, response.bytes);
    const bool told = value.data() != nullptr && sip::parse_retry_after(value, retry);
    hop_failed(branch, told ? std::optional<core::Duration>(std::chrono::seconds(retry.seconds)) : std::nullopt);
  } else if (branch.next_hop != 0 && branch.next_hop <= branch.hops.size()) {
    const Hop& hop = branch.hops[branch.next_hop - 1];
    failed_.answered({hop.address, hop.transport});
  }
  // R3263-2, R5626-2: another address or flow of the same target.
  if (!p.fork.unwanted(index) &&
      ((status == 503 && branch.next_hop < branch.hops.size()) || (status == 430 && !branch.alternatives.empty()))) {
    try_next_hop(p, index);
    return;
  }
  const sip::ForkDecision decision = p.fork.response(index, status);
  if (status >= 300 && (p.fork.kept().has(index) || decision.challenges.has(index))) {
    branch.kept = p.errand != nullptr ? forwarder_.response_here(p.from_trusted, response)
                                      : forwarder_.response(p.from_trusted, response);
    branch.kept_status = status;
  }
  carry_out(p, decision, &response, index);
}

// A connection was lost, or there is no final response (R3263-2).
void SipService::on_branch_fact(Proxied& p, unsigned index, sip::TransactionFact::Kind what) {
  if (!p.fork.running().has(index)) return;  // the ACK of its final response, which nobody waits for
  Branch& branch = *p.branches[index];
  wheel_.cancel(branch.timer);
  const bool lost = what == sip::TransactionFact::Kind::transport_error;
  const bool wanted = !p.fork.unwanted(index);
  traces_.heard(p, index, lost ? TracedHop::Result::lost : TracedHop::Result::silent);
  if (lost || !branch.heard) hop_failed(branch);
  if (wanted && (lost || (!branch.heard && branch.next_hop < branch.hops.size()))) {
    try_next_hop(p, index);
  } else if (lost) {
    branch_cancelled_unsent(p, index);
  } else {
    carry_out(p, p.fork.timeout(index), nullptr, index);
  }
}

void SipService::cancel_branches(Proxied& p, sip::BranchSet set) {
  while (!set.empty()) {
    const unsigned index = set.take();
    Branch& branch = *p.branches[index];
    wheel_.cancel(branch.timer);
    if (branch.client.valid()) (void)transactions_.cancel(branch.client, now_.mono, p.cancel_reason());
  }
}

// It has not gone out, or to a connection that is lost, and nobody wants it any more.
void SipService::branch_cancelled_unsent(Proxied& p, unsigned index) {
  keep_own(p, *p.branches[index], 487);
  carry_out(p, p.fork.response(index, 487), nullptr, index);
}

void SipService::on_timer_c(Proxied& p, unsigned index) {
  count(Metric::sip_timer_c);
  const sip::ForkDecision decision = p.fork.timer_c(index);
  if (!decision.cancel.has(index)) transactions_.discard(std::exchange(p.branches[index]->client, {}));
  carry_out(p, decision, nullptr, index);
}

// --- the end

// What a drain waits for.
void SipService::settled(Proxied& p) {
  if (!std::exchange(p.answered, true)) --unanswered_;
}

void SipService::finish_if_over(core::SlotId id) {
  Proxied* const p = proxied_.get(id);
  if (p == nullptr || !p->fork.over() || p->keeping == Proxied::Keeping::asked) return;
  // Further 2xx of an INVITE go upstream for as long as its server transaction takes them, or a call's client
  // transactions bring them; the end is told as a fact.
  if (p->method == Method::invite && p->answered_2xx) {
    if (transactions_.contains(p->server)) return;
    const auto answered = [this](const auto& branch) {
      return transactions_.state_of(branch->client) == sip::tx::State::accepted;
    };
    if (p->errand != nullptr && std::any_of(p->branches.begin(), p->branches.end(), answered)) return;
  }
  if (p->tries_again) {
    wait_to_try_again(*p);
  } else {
    drop(*p);
  }
}

void SipService::drop(Proxied& p) {
  settled(p);
  wheel_.cancel(p.answer_timer);
  if (p.errand != nullptr) end_errand(p);
  for (auto& branch : p.branches) recycle(std::move(branch));
  proxied_.erase(p.self);
}

void SipService::recycle(std::unique_ptr<Branch> branch) {
  wheel_.cancel(branch->timer);
  spare_branches_.give(std::move(branch));
}

}  // namespace parley::policy
