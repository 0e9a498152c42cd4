// policy/focus_refer_events.cc - what the sender of a REFER is told of its outcome: NOTIFYs of the subscription that the
// REFER has made, and SUBSCRIBEs that refresh or end it (RFC 3515 section 2.4.4, RFC 4488, R3515-1, T-30). See focus.h.
#include <algorithm>
#include <utility>

#include "policy/focus.h"
#include "policy/own_names.h"
#include "sip/event_headers.h"
#include "sip/status.h"
#include "sip/value.h"

namespace parley::policy {

using sip::HeaderId;

// In the dialog that it came in, or has made. Nothing but a REFER makes one, so a SUBSCRIBE that fits none is 481.
std::uint16_t Focus::subscribe_refer(const CallName& name, const Received& request, const sip::RequestMatch& match,
                                     const sip::Event& event) {
  lines_.clear();
  refusal_body_.clear();
  const Participant* const p = find(name, request);
  if (name.kind == NameKind::participant && p == nullptr) return 481;
  FocusSession* const s = sessions_.get(p != nullptr ? p->session : name.call);
  if (s == nullptr) return 481;
  const sip::Essentials& e = request.essentials;
  const auto found = std::find_if(s->refers.begin(), s->refers.end(), [&](const FocusRefer& refer) {
    const bool named = event.has_id ? event.id == std::to_string(refer.cseq) : refer.event == "refer";
    return named && refer.by == (p != nullptr ? p->self : core::SlotId{}) &&
           refer.dialog->is(e.call_id, e.to_tag, e.from_tag);
  });
  if (found == s->refers.end()) return 481;
  std::uint32_t wanted = static_cast<std::uint32_t>(refer_duration_max.count());
  const sip::Header* const expires = request.head.first(HeaderId::expires);
  if (expires != nullptr && !sip::clamped_number(expires->value.of(request.bytes), wanted)) return 400;
  switch (found->dialog->receive(e)) {
    case sip::DialogCheck::ok: break;
    case sip::DialogCheck::out_of_order: return 500;
    case sip::DialogCheck::gone: return 481;
  }
  const sip::TransactionId server = transactions_.open_server(request, match, 0, now_);
  if (!server.valid()) return 503;
  (void)found->dialog->refresh(request.head, request.bytes);
  const auto granted = std::min(std::chrono::seconds(wanted), refer_duration_max);
  texts_.clear();
  add_contact(s->name, request.flow, request.secure(), p != nullptr ? p->features : features_toward(*s, true));
  expires_.clear();
  put_number(expires_, static_cast<std::uint32_t>(granted.count()));
  add(HeaderId::expires, expires_);
  add(HeaderId::server, config_->im.product);
  respond(server, 200);
  found->until = now_ + granted;
  if (wanted != 0) {
    send_refer_notify(*s, *found, 100);
  } else {
    FocusRefer refer = std::move(*found);
    s->refers.erase(found);
    send_refer_notify(*s, refer, 100, "timeout");
  }
  settle(*s);
  return 0;
}

// One of its targets has come, or will not. The last one decides when all have refused (RFC 3515 section 2.4.5).
void Focus::refer_outcome(FocusSession& s, std::uint32_t number, std::uint16_t status) {
  const auto found = std::find_if(s.refers.begin(), s.refers.end(),
                                  [number](const FocusRefer& refer) { return refer.number == number; });
  if (found == s.refers.end()) return;
  if (found->outcome == 0 || status < found->outcome) found->outcome = status;
  if (--found->open != 0) return;
  FocusRefer refer = std::move(*found);
  s.refers.erase(found);
  send_refer_notify(s, refer, refer.outcome, "noresource");
}

// `over`: why its subscription ends; empty: it goes on.
void Focus::send_refer_notify(FocusSession& s, FocusRefer& refer, std::uint16_t status, std::string_view over) {
  body_.assign("SIP/2.0 ");
  put_number(body_, status);
  body_.append(" ").append(sip::reason_phrase(status)).append("\r\n");  // T-30: with its line end
  const std::string state =
      over.empty()
          ? "active;expires=" +
                std::to_string(std::chrono::duration_cast<std::chrono::seconds>(refer.until - now_).count())
          : "terminated;reason=" + std::string(over);
  texts_.clear();
  add(HeaderId::event, refer.event);
  add(HeaderId::subscription_state, state);
  add(HeaderId::user_agent, config_->im.product);
  constexpr std::string_view type = "message/sipfrag;version=2.0";
  if (refer.by.valid()) {
    Participant* const p = participants_.get(refer.by);
    if (p == nullptr || p->stand == Participant::Stand::gone) return;
    (void)send(*p, FocusRequest::Kind::notify, Method::notify, "NOTIFY", type, body_);
    return;
  }
  Errand errand;
  errand.client = Errand::Client::session;
  errand.call = s.self;
  errand.number = ++s.numbers;
  errand.method = Method::notify;
  errand.next = refer.dialog->next_hop();
  if (refer.way.back) errand.flow = refer.way.flow;
  errand.came_by = refer.way.flow;
  errand.from_trusted = true;
  errand.contact_user = s.name;
  errand.contact_params = features_toward(s, true);
  refer.dialog->write({.method = "NOTIFY",
                       .cseq = refer.dialog->next_cseq(),
                       .headers = texts_,
                       .content_type = type,
                       .body = body_},
                      errand.text);
  errands_.push_back(std::move(errand));
  ++s.requests;
}

// The session is over: who is still waiting for an outcome hears that.
void Focus::end_refers(FocusSession& s) {
  for (FocusRefer& refer : std::exchange(s.refers, {})) {
    if (refer.outcome == 0) refer.outcome = 487;
    send_refer_notify(s, refer, refer.outcome, "noresource");
  }
}

}  // namespace parley::policy
