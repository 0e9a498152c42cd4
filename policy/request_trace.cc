// policy/request_trace.cc - see request_trace.h.
#include "policy/request_trace.h"

#include "policy/imdn.h"

namespace parley::policy {

using sip::HeaderId;
using sip::Method;

namespace {

TracedPager::Way way_of(const Errand* errand) {
  using Way = TracedPager::Way;
  if (errand == nullptr) return Way::direct;
  switch (errand->client) {
    case Errand::Client::copy: return errand->origin.empty() ? Way::notice : Way::copy;
    case Errand::Client::deferred: return Way::stored;
    case Errand::Client::retrieval: return Way::fetched;
    case Errand::Client::system: return Way::system;
    case Errand::Client::calls:
    case Errand::Client::participant:
    case Errand::Client::session:
    case Errand::Client::announcement:
    case Errand::Client::nobody: break;
  }
  return Way::notice;
}

}  // namespace

std::uint64_t RequestTrace::add(const sip::Received& request, const Errand* errand) {
  if (request.head.method != Method::message || !trace_.on()) return 0;
  const std::string_view type = request.head.value(HeaderId::content_type, request.bytes);
  if (is_composing(type, request.body)) return 0;
  const std::string_view call_id = request.essentials.call_id;
  const bool brings = errand != nullptr && !errand->origin.empty();
  return trace_.add({.message_id = wanted_notices(type, request.body).message_id,
                     .call_id = brings ? std::string_view(errand->origin) : call_id,
                     .leg_call_id = brings ? call_id : std::string_view{}},
                    {.way = way_of(errand),
                     .sender = request.essentials.from.uri,
                     .recipient = request.head.uri.of(request.bytes),
                     .bytes = request.body.size(),
                     .wall_ms = wall_ms_});
}

void RequestTrace::forwarded(const sip::Received& request, const sip::Flow& flow) {
  const std::uint64_t number = add(request, nullptr);
  if (number == 0) return;
  trace_.sent(number, 0, flow.transport, flow.remote, wall_ms_);
  trace_.heard(number, 0, TracedHop::Result::unawaited, 0, wall_ms_);
}

void RequestTrace::sent(const Proxied& p, unsigned branch, const sip::Flow& flow) {
  if (p.trace != 0) trace_.sent(p.trace, branch, flow.transport, flow.remote, wall_ms_);
}

void RequestTrace::heard(const Proxied& p, unsigned branch, TracedHop::Result result, std::uint16_t status) {
  if (p.trace != 0) trace_.heard(p.trace, branch, result, status, wall_ms_);
}

void RequestTrace::answered(const Proxied& p, std::uint16_t status) {
  if (p.trace == 0) return;
  trace_.answered(p.trace, status, status == 202 && p.keeping == Proxied::Keeping::done, wall_ms_);
}

}  // namespace parley::policy
