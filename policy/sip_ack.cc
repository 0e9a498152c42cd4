// policy/sip_ack.cc - ACKs for 2xx: each goes where its dialog goes, without a transaction and without an answer
// (R3261-8; RFC 3261 sections 13.2.2.4 and 16.11). See sip_service.h.
#include <cstring>

#include "core/text.h"
#include "policy/sip_service.h"
#include "sip/params.h"

namespace parley::policy {

using core::Metric;

namespace {

bool may_go_on(const sip::Received& request) {
  return !request.essentials.has_max_forwards || request.essentials.max_forwards != 0;
}

}  // namespace

void SipService::on_ack(const Received& request) {
  Routing routing;
  const bool good = home_.read_routing(request, routing) && may_go_on(request);
  if (!good || (!routing.token && !home_.trusts(request.flow.remote))) {
    count(Metric::sip_dropped);
    return;
  }
  if (routing.token && routing.token->has_flow) {
    if (!send_ack(request, routing, routing.token->flow)) count(Metric::sip_dropped);
    return;
  }
  const std::string_view next = routing.next_route.empty() ? routing.uri : routing.next_route;
  Hop hop;
  if (routing.local && routing.next_route.empty()) {  // to ourselves: nobody here waits for it
    count(Metric::sip_dropped);
  } else if (!literal_hop(next, hop)) {
    hold_ack(request, next);
  } else if (!send_ack(request, routing, hop)) {
    count(Metric::sip_dropped);
  }
}

bool SipService::send_ack(const Received& request, const Routing& routing, const Flow& out) {
  return transport_.send(out, forward_ack(request, routing, out));
}

bool SipService::send_ack(const Received& request, const Routing& routing, const Hop& hop) {
  if (!(routing.token ? home_.may_reach(hop.address) : home_.may_reach_outside(hop.address))) return false;
  const auto out = transport_.flow_to({hop.transport, hop.address, hop.tls_name});
  return out && send_ack(request, routing, *out);
}

// Until the name of its next hop is resolved.
void SipService::hold_ack(const Received& request, std::string_view next) {
  const core::BufferId bytes = pool_.take_heap(static_cast<std::uint32_t>(request.bytes.size()));
  if (bytes != core::no_buffer) {
    std::memcpy(pool_.data(bytes), request.bytes.data(), request.bytes.size());
    if (ask_for_name(next, {.ack = bytes, .source = request.flow})) return;
    pool_.release(bytes);
  }
  count(Metric::sip_dropped);
}

void SipService::on_ack_resolved(const NameLookUps::Wanted& wanted, std::span<const core::ResolvedAddress> addresses) {
  const Received* const request = read_again({pool_.data(wanted.ack), pool_.size(wanted.ack)}, wanted.source);
  Routing routing;
  bool sent = false;
  if (request != nullptr && home_.read_routing(*request, routing)) {
    for (const core::ResolvedAddress& at : addresses) {
      sent = send_ack(*request, routing, Hop{at.transport, at.address, at.target});
      if (sent) break;
    }
  }
  if (!sent) count(Metric::sip_dropped);
  pool_.release(wanted.ack);
}

std::string_view SipService::forward_ack(const Received& request, const Routing& routing, const Flow& out) {
  // Nobody answers it: any branch will do, as long as it is the same for the same ACK (RFC 3261 section 16.11).
  const core::Hash128 hash = core::KeyedHash(tag_key_)
                                 .add(request.essentials.call_id)
                                 .add(sip::branch_of(request.essentials.via))
                                 .add(std::uint64_t{request.essentials.cseq.number})
                                 .finish();
  char branch[7 + 16];
  std::uint8_t raw[8];
  for (std::size_t i = 0; i < 8; ++i) raw[i] = static_cast<std::uint8_t>(hash.low >> (8 * i));
  std::string_view("z9hG4bK").copy(branch, 7);
  core::hex_encode(raw, {branch + 7, 16});
  return forwarder_.ack(request, routing, out, {branch, sizeof branch});
}

}  // namespace parley::policy
