// policy/reg_notify.cc - NOTIFYs about registrations: their documents, how they go out and what comes back. See
// reg_events.h.
#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/hop.h"
#include "policy/own_names.h"
#include "policy/owner.h"
#include "policy/reg_events.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

namespace {

// RFC 3261 section 18.1.1 (R3261-12): the path's MTU is not known.
constexpr std::size_t datagram_request_bytes_max = 1300;

sip::ContactEvent contact_event(sip::BindingEvent event) {
  switch (event) {
    case sip::BindingEvent::registered: return sip::ContactEvent::registered;
    case sip::BindingEvent::refreshed: return sip::ContactEvent::refreshed;
    case sip::BindingEvent::shortened: return sip::ContactEvent::shortened;
    case sip::BindingEvent::unregistered: return sip::ContactEvent::unregistered;
    case sip::BindingEvent::expired: return sip::ContactEvent::expired;
    case sip::BindingEvent::deactivated: return sip::ContactEvent::deactivated;
  }
  return sip::ContactEvent::deactivated;
}

std::uint64_t seconds_between(core::Instant from, core::Instant to) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(to - from).count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 0));
}

}  // namespace

sip::ReginfoContact RegEvents::contact_of(const sip::Binding& binding, sip::BindingEvent event, std::string_view id,
                                          core::Instant now) {
  return {.id = id,
          .event = contact_event(event),
          .uri = binding.contact,
          .display = binding.display,
          .params = binding.params,
          .expires_seconds = seconds_between(now, binding.expires),
          .registered_seconds = seconds_between(binding.registered, now),
          .q = binding.q,
          .call_id = binding.call_id,
          .cseq = binding.cseq};
}

// Into body_. `again`: after one that did not arrive, so with everything.
void RegEvents::put_document(const Subscriber& s, const sip::NotifyFact& fact, bool again) {
  const auto usage = std::find_if(s.usages.begin(), s.usages.end(),
                                  [&](const Usage& u) { return u.subscription == fact.subscription; });
  CHECK(usage != s.usages.end());
  const Watched& watched = *watched_.get(s.watched);
  const std::span<const sip::Binding> bindings = location_.bindings(watched.aor);
  const std::vector<sip::ReginfoContact> changed = usage->changes.contacts();
  const bool full = fact.full || again || usage->changes.overflown();
  const auto is_changed = [&](std::string_view id) {
    return std::any_of(changed.begin(), changed.end(), [id](const auto& contact) { return contact.id == id; });
  };
  ids_.clear();
  ids_.reserve(bindings.size());  // the contacts show them
  contacts_.clear();
  for (const sip::Binding& binding : bindings) {
    ids_.push_back(std::to_string(binding.number));
    if (full || is_changed(ids_.back())) {
      contacts_.push_back(contact_of(binding, binding.last_event, ids_.back(), now_));
    }
  }
  for (const sip::ReginfoContact& contact : changed) {
    if (sip::ends_contact(contact.event)) contacts_.push_back(contact);
  }
  auto state = sip::RegistrationState::active;
  if (bindings.empty()) {
    // R3680-1: `terminated` is said once, with the last contact's end.
    state = contacts_.empty() ? sip::RegistrationState::init : sip::RegistrationState::terminated;
  }
  const std::string id = "r" + std::to_string(s.watched.packed());
  const sip::ReginfoRegistration registration{.aor = watched.aor, .id = id, .state = state, .contacts = contacts_};
  body_.clear();
  sip::put_reginfo({.version = fact.number - 1, .full = full, .registrations = {&registration, 1}}, body_);
}

// --- sending

void RegEvents::notify(const sip::NotifyFact& fact) {
  Subscriber* const found = subscribers_.get(core::SlotId::unpack(fact.dialog));
  CHECK(found != nullptr);
  Subscriber& s = *found;
  s.pending.push_back({.client = {}, .fact = fact});
  const bool sent = send(s, s.pending.back(), false);
  for (Usage& usage : s.usages) {
    if (usage.subscription == fact.subscription) usage.changes.clear();
  }
  if (!sent) settle(s, s.pending.size() - 1, 408);
}

// By the way it is at, or the first one after it that works.
bool RegEvents::send(Subscriber& s, Pending& pending, bool again) {
  put_document(s, pending.fact, again);
  for (; pending.way != Way::none; pending.way = static_cast<Way>(static_cast<std::uint8_t>(pending.way) + 1)) {
    const auto flow = flow_for(s, pending.way, false);
    if (!flow) continue;
    std::size_t bytes = 0;
    const bool sent = send_by(s, pending, *flow, bytes);
    if (sent) return true;
  }
  return false;
}

// A message that is too large for a datagram goes by TCP; only when that is refused by UDP after all (R3261-12).
bool RegEvents::send_by(Subscriber& s, Pending& pending, const sip::Flow& flow, std::size_t& bytes) {
  const std::uint32_t cseq = s.dialog.next_cseq();
  if (cseq == 0) return false;
  const sip::ClientTicket ticket =
      transactions_.open_client(sip::Method::notify, flow, owner_number(Owner::subscriber, s.self), 0);
  if (!ticket.id.valid()) return false;
  via_.clear();
  put_via(via_, flow.transport, transport_.listener(flow), ticket.branch_text());
  const std::string state = sip::subscription_state(pending.fact);
  const sip::HeaderText headers[] = {{.id = HeaderId::contact, .value = s.contact},
                                     {.id = HeaderId::event, .value = pending.fact.event},
                                     {.id = HeaderId::subscription_state, .value = state}};
  s.dialog.write({.method = "NOTIFY",
                  .cseq = cseq,
                  .via = via_,
                  .headers = headers,
                  .content_type = sip::reginfo_type,
                  .body = body_},
                 text_);
  bytes = text_.size();
  if (!flow.reliable() && bytes > datagram_request_bytes_max && pending.way == Way::hop &&
      !std::exchange(pending.tried_stream, true)) {
    transactions_.discard(ticket.id);
    const auto stream = flow_for(s, pending.way, true);
    return (stream && send_by(s, pending, *stream, bytes)) || send_by(s, pending, flow, bytes);
  }
  if (!transactions_.start_client(ticket.id, text_, now_)) return false;
  pending.client = ticket.id;
  return true;
}

std::optional<sip::Flow> RegEvents::flow_for(const Subscriber& s, Way way, bool as_stream) {
  switch (way) {
    case Way::back: return s.back ? std::optional(s.flow) : std::nullopt;
    case Way::hop: {
      Hop hop;
      if (!literal_hop(s.dialog.next_hop(), hop) || !may_reach(config_->dial_deny, hop.address)) return std::nullopt;
      if (hop.transport == core::Transport::ws || hop.transport == core::Transport::wss) return std::nullopt;
      if (as_stream) hop.transport = core::Transport::tcp;
      return transport_.flow_to({hop.transport, hop.address, hop.tls_name});
    }
    case Way::source:
      if (s.flow.reliable() || !may_reach(config_->dial_deny, s.flow.remote)) return std::nullopt;
      return s.flow;
    case Way::none: break;
  }
  return std::nullopt;
}

// --- what comes back

void RegEvents::on_response(core::SlotId subscriber, const sip::Received& response, sip::TransactionId client) {
  if (response.head.status < 200) return;
  Subscriber* const s = subscribers_.get(subscriber);
  if (s == nullptr) return;
  const auto found = std::find_if(s->pending.begin(), s->pending.end(),
                                  [client](const Pending& pending) { return pending.client == client; });
  if (found == s->pending.end()) return;
  if (response.head.status < 300) (void)s->dialog.refresh(response.head, response.bytes);
  settle(*s, static_cast<std::size_t>(found - s->pending.begin()), response.head.status);
}

void RegEvents::on_fact(core::SlotId subscriber, const sip::TransactionFact& fact) {
  Subscriber* const s = subscribers_.get(subscriber);
  if (s == nullptr) return;
  const auto found = std::find_if(s->pending.begin(), s->pending.end(),
                                  [&](const Pending& pending) { return pending.client == fact.id; });
  if (found == s->pending.end()) return;
  Pending& pending = *found;
  if (fact.kind == sip::TransactionFact::Kind::transport_error) {
    // What was refused as a stream goes on as a datagram the same way, all else the next way.
    const bool stream_refused = pending.way == Way::hop && pending.tried_stream;
    if (!stream_refused) pending.way = static_cast<Way>(static_cast<std::uint8_t>(pending.way) + 1);
    if (send(*s, pending, true)) return;
  }
  settle(*s, static_cast<std::size_t>(found - s->pending.begin()), 408);
}

// That NOTIFY has its answer, 408 when there is none.
void RegEvents::settle(Subscriber& s, std::size_t index, std::uint16_t status) {
  const sip::NotifyFact fact = std::move(s.pending[index].fact);
  s.pending.erase(s.pending.begin() + static_cast<std::ptrdiff_t>(index));
  notifier_.notify_answered(fact.subscription, fact.number, status, now_);
}

}  // namespace parley::policy
