// policy/event_notify.cc - NOTIFYs: how they go out and what comes back. See event_dialogs.h.
#include <algorithm>
#include <utility>

#include "core/check.h"
#include "policy/event_dialogs.h"
#include "policy/hop.h"
#include "policy/own_names.h"
#include "policy/owner.h"
#include "sip/reach.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

// --- what is to be done

bool EventDialogs::next(EventFact& fact) {
  end_some();
  if (next_again(fact)) return true;
  sip::NotifierFact due;
  if (!notifier_.next_fact(now_, due)) return next_kept(fact);
  if (due.kind == sip::NotifierFact::Kind::notify) {
    // Told that it is over, it is: the next process does not know it.
    if (due.notify.status == sip::SubscriptionStatus::terminated) {
      unkeep(*subscribers_.get(core::SlotId::unpack(due.notify.dialog)), due.notify.subscription);
    }
    fact = {.kind = EventFact::Kind::notify, .notify = std::move(due.notify)};
  } else {
    on_ended(due.ended);
    fact = {.kind = EventFact::Kind::ended, .ended = due.ended};
  }
  return true;
}

// A NOTIFY that did not arrive: so with everything.
bool EventDialogs::next_again(EventFact& fact) {
  while (!again_.empty()) {
    const Again again = again_.front();
    again_.pop_front();
    Subscriber* const s = subscribers_.get(again.dialog);
    if (s == nullptr) continue;
    const auto found = std::find_if(s->pending.begin(), s->pending.end(), [&](const Pending& pending) {
      return pending.again && pending.fact.subscription == again.subscription && pending.fact.number == again.number;
    });
    if (found == s->pending.end()) continue;
    fact = {.kind = EventFact::Kind::notify, .notify = found->fact};
    fact.notify.full = true;
    return true;
  }
  return false;
}

// --- sending

std::size_t EventDialogs::send(const sip::NotifyFact& fact, const EventDocument& document) {
  Subscriber* const found = subscribers_.get(core::SlotId::unpack(fact.dialog));
  CHECK(found != nullptr);  // it stays as long as one of its usages
  Subscriber& s = *found;
  auto pending = std::find_if(s.pending.begin(), s.pending.end(), [&](const Pending& p) {
    return p.fact.subscription == fact.subscription && p.fact.number == fact.number;
  });
  if (pending == s.pending.end()) pending = s.pending.insert(pending, {.client = {}, .fact = fact});
  pending->again = false;
  const std::size_t bytes = send(s, *pending, document);
  if (bytes == 0) settle(s, static_cast<std::size_t>(pending - s.pending.begin()), 408);
  return bytes;
}

// By the way it is at, or the first one after it that works.
std::size_t EventDialogs::send(Subscriber& s, Pending& pending, const EventDocument& document) {
  for (; pending.way != Way::none; pending.way = static_cast<Way>(static_cast<std::uint8_t>(pending.way) + 1)) {
    const auto flow = flow_for(s, pending.way, false);
    if (flow && send_by(s, pending, document, *flow)) return text_.size();
  }
  return 0;
}

// A message that is too large for a datagram goes by TCP; only when that is refused by UDP after all (R3261-12).
bool EventDialogs::send_by(Subscriber& s, Pending& pending, const EventDocument& document, const sip::Flow& flow) {
  const std::uint32_t cseq = s.dialog->next_cseq();
  if (cseq == 0) return false;
  if (cseq - s.kept_cseq >= core::subscription_numbers_step / 2) keep_soon(s);
  const sip::ClientTicket ticket =
      transactions_.open_client(sip::Method::notify, flow, owner_number(owner_, s.self), 0);
  if (!ticket.id.valid()) return false;
  via_.clear();
  put_via(via_, flow.transport, transport_.listener(flow), ticket.branch_text());
  const std::string state = sip::subscription_state(pending.fact);
  const sip::HeaderText headers[] = {{.id = HeaderId::contact, .value = s.contact},
                                     {.id = HeaderId::event, .value = pending.fact.event},
                                     {.id = HeaderId::subscription_state, .value = state}};
  s.dialog->write({.method = "NOTIFY",
                   .cseq = cseq,
                   .via = via_,
                   .headers = headers,
                   .content_type = document.type,
                   .body = document.body},
                  text_);
  if (!flow.reliable() && text_.size() > datagram_request_bytes_max && pending.way == Way::hop &&
      !std::exchange(pending.tried_stream, true)) {
    transactions_.discard(ticket.id);
    const auto stream = flow_for(s, pending.way, true);
    return (stream && send_by(s, pending, document, *stream)) || send_by(s, pending, document, flow);
  }
  pending.by_old = pending.way == Way::hop && transport_.established(flow);
  if (!transactions_.start_client(ticket.id, text_, now_)) return false;
  pending.client = ticket.id;
  return true;
}

std::optional<sip::Flow> EventDialogs::flow_for(const Subscriber& s, Way way, bool as_stream) {
  switch (way) {
    case Way::back: return s.back ? std::optional(s.flow) : std::nullopt;
    case Way::hop: {
      if (s.lost && !called(s)) return std::nullopt;
      Hop hop;
      if (!literal_hop(s.dialog->next_hop(), hop) || !sip::may_reach(config_->transport.dial_deny, hop.address))
        return std::nullopt;
      if (hop.transport == core::Transport::ws || hop.transport == core::Transport::wss) return std::nullopt;
      if (as_stream) hop.transport = core::Transport::tcp;
      return transport_.flow_to({hop.transport, hop.address, hop.tls_name});
    }
    case Way::source:
      if (s.flow.reliable() || !sip::may_reach(config_->transport.dial_deny, s.flow.remote)) return std::nullopt;
      return s.flow;
    case Way::none: break;
  }
  return std::nullopt;
}

// --- what comes back

void EventDialogs::on_response(core::SlotId dialog, const sip::Received& response, sip::TransactionId client) {
  if (response.head.status < 200) return;
  Subscriber* const s = subscribers_.get(dialog);
  if (s == nullptr) return;
  const auto found = std::find_if(s->pending.begin(), s->pending.end(),
                                  [client](const Pending& pending) { return pending.client == client; });
  if (found == s->pending.end()) return;
  if (response.head.status < 300) {
    text_ = s->dialog->remote_target();
    (void)s->dialog->refresh(response.head, response.bytes);
    if (text_ != s->dialog->remote_target()) keep_soon(*s);
  }
  settle(*s, static_cast<std::size_t>(found - s->pending.begin()), response.head.status);
}

void EventDialogs::on_fact(core::SlotId dialog, const sip::TransactionFact& fact) {
  Subscriber* const s = subscribers_.get(dialog);
  if (s == nullptr) return;
  const auto found = std::find_if(s->pending.begin(), s->pending.end(),
                                  [&](const Pending& pending) { return pending.client == fact.id; });
  if (found == s->pending.end() || found->again) return;
  Pending& pending = *found;
  // Behind the last NOTIFY of a subscription nothing is said any more (RFC 6665 section 4.4.1), not even again.
  const bool over = std::any_of(s->pending.begin(), s->pending.end(), [&](const Pending& other) {
    return &other != &pending && other.fact.subscription == pending.fact.subscription &&
           other.fact.status == sip::SubscriptionStatus::terminated;
  });
  if (fact.kind == sip::TransactionFact::Kind::transport_error && !over) {
    // An old connection that is gone says nothing about its peer: a new one is tried. What was refused as a stream goes on
    // as a datagram the same way, all else the next way.
    const bool stale = pending.by_old && !std::exchange(pending.renewed, true);
    const bool stream_refused = pending.way == Way::hop && pending.tried_stream;
    if (stale) pending.tried_stream = false;
    if (!stale && !stream_refused) pending.way = static_cast<Way>(static_cast<std::uint8_t>(pending.way) + 1);
    pending.again = true;
    again_.push_back({s->self, pending.fact.subscription, pending.fact.number});
    return;
  }
  settle(*s, static_cast<std::size_t>(found - s->pending.begin()), 408);
}

// That NOTIFY has its answer, 408 when there is none.
void EventDialogs::settle(Subscriber& s, std::size_t index, std::uint16_t status) {
  const sip::NotifyFact fact = std::move(s.pending[index].fact);
  s.pending.erase(s.pending.begin() + static_cast<std::ptrdiff_t>(index));
  // That he could not be called says nothing of who came by a connection: he may come by another.
  if (status == 408 && s.lost) {
    notifier_.notify_unheard(fact.subscription, fact.number, now_);
    return;
  }
  notifier_.notify_answered(fact.subscription, fact.number, status, now_);
  if (tells_delivered_ && status < 300) delivered_.push_back(fact);
}

bool EventDialogs::next_delivered(sip::NotifyFact& fact) {
  if (delivered_.empty()) return false;
  fact = std::move(delivered_.front());
  delivered_.pop_front();
  return true;
}

}  // namespace parley::policy
