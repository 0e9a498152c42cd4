// policy/focus_invited.cc - INVITEs to the focus: our responses, ACK, CANCEL, PRACK (SEED2-7.2.1.1-2 to -12). See focus.h.
#include <utility>

#include "policy/focus.h"
#include "policy/own_names.h"
#include "policy/owner.h"
#include "sip/dialog_headers.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::InviteEvent;
using sip::SdpCarrier;

// What provisional responses and the 2xx have in common.
void Focus::add_own(const FocusSession& s, const Participant& p) {
  add_contact(s.name, p.way.flow, p.dialog->secure(), p.features);  // SEED2-7.2.1.1-6, SEED2-7.2.1.1-11
  add(HeaderId::server, config_->im.product);                    // SEED2-7.2.1.1-3, SEED2-7.2.1.1-12
  add(HeaderId::allow, focus_methods);                              // SEED2-7.2.1.1-4, SEED2-7.2.1.1-8
  add(HeaderId::p_asserted_identity, s.asserted);                   // SEED2-7.2.1.1-5a, -5b, SEED2-7.2.1.1-10a, -10b
}

// SEED2-7.2.1.1-IMS: what the core charges for is the same session on the way back.
void Focus::add_charging(const Participant& p, const Received& invite) {
  const std::string_view vector = invite.head.value(HeaderId::p_charging_vector, invite.bytes);
  if (p.trusted && !vector.empty()) add(HeaderId::p_charging_vector, vector);
}

// SEED2-7.2.1.1-2: once.
void Focus::ring(Participant& p, std::uint16_t status) {
  if (std::exchange(p.rung, true)) return;
  if ((p.usage.on(InviteEvent::provisional, now_) & sip::invite_do::send_1xx) == 0) return;
  const bool reliable = p.rel == sip::RelWish::required;  // R3262-1
  if (reliable && !p.reliable.ready()) return;
  const Received* const invite = stored(p.server);
  if (invite == nullptr) return;
  texts_.clear();
  add_own(session_of(p), p);
  add_charging(p, *invite);
  if (reliable) {
    min_se_.clear();
    put_number(min_se_, p.reliable.next_rseq());
    add(HeaderId::require, "100rel");
    add(HeaderId::rseq, min_se_);
  }
  compose(*invite, status, {}, p.tag, true, {});
  if (reliable && !p.reliable.sent(text_, false, now_)) return;
  (void)transactions_.respond(p.server, status, text_, now_);
}

// 0: the 200 is on its way. Else what he is to be answered.
std::uint16_t Focus::answer(Participant& p) {
  FocusSession& s = session_of(p);
  const bool offered = !p.offer.empty();
  if (offered) {
    if (const std::uint16_t status = take_terms(s, p); status != 0) return status;
  }
  const Received* const invite = stored(p.server);
  if (invite == nullptr) return 500;
  const std::string_view sdp = describe_media(s, p, p.offer.view());
  if (sdp.empty() || !p.description.keep(pool_, sdp)) return 503;
  texts_.clear();
  add_own(s, p);
  add_charging(p, *invite);
  if (!s.distribution) add(HeaderId::allow_events, "conference");
  add(HeaderId::supported, focus_options);
  add_grant(p.grant);  // SEED2-7.2.1.1-9, DEC-8
  add(HeaderId::content_type, "application/sdp");
  compose(*invite, 200, {}, p.tag, true, p.description.view());  // SEED2-7.2.1.1-7
  if (!p.answer.keep(pool_, text_)) return 503;
  (void)p.changes.offers().sent(SdpCarrier::invite_ok, true);
  // R3262-4: not before the PRACK of what carried a description.
  const InviteEvent event = p.reliable.holds_2xx() ? InviteEvent::answer_held : InviteEvent::answer;
  if (s.originator == p.self && !std::exchange(s.begun, true)) store(s);
  use(p, p.usage.on(event, now_), {});
  return 0;
}

bool Focus::answer_or_refuse(Participant& p) {
  const std::uint16_t status = answer(p);
  if (status == 0) return true;
  if (status == 403) put_warning("alias in use");  // OMA-ALIAS-2
  if (status == 486) put_warning("session is full");
  p.refusal = status;
  use(p, p.usage.on(InviteEvent::refuse, now_), {.status = status});
  return false;
}

void Focus::send_answer(Participant& p) {
  FocusSession& s = session_of(p);
  p.reliable.close();  // R3262-5
  p.dialog->confirm();
  p.timers.granted(p.grant, now_);
  if (transactions_.respond(p.server, 200, p.answer.view(), now_) == sip::Responded::not_sent) {
    metrics_.add(Metric::sip_responses_unsent);
  }
  come_in(s, p);
}

// SEED2-7.2.1.1-13: whoever watches hears of it behind the 200.
void Focus::come_in(FocusSession& s, Participant& p) {
  p.stand = Participant::Stand::in;
  ++s.in;
  if (s.in > 1) s.peopled = true;
  metrics_.add(Metric::sip_session_participants);
  if (users_ != nullptr) users_->entered(p.key);
  begin_record(s, p);
  (void)show(s, p, EndpointStatus::connected);
  replace_older(s, p);
  // OMA-SES-3: who waited for the first one gets his 200.
  Participant* const originator = participants_.get(s.originator);
  if (s.distribution || s.begun || originator == nullptr || originator == &p) return;
  if (originator->stand != Participant::Stand::inviting) return;
  const core::SlotId id = originator->self;
  (void)answer_or_refuse(*originator);
  if (Participant* const left = participants_.get(id)) settle(*left);
}

void Focus::refuse(Participant& p, std::uint16_t status) {
  p.reliable.close();
  texts_.clear();
  body_.clear();
  add(HeaderId::server, config_->im.product);
  if (!warning_.empty()) add(HeaderId::warning, warning_);
  if (status == 488) {  // OMA-POL-4
    add(HeaderId::content_type, "application/sdp");
    put_capabilities(session_of(p).passes_on(), p.offer.view(), body_);
  }
  respond(p.server, status, p.tag, body_);
  warning_.clear();
}

void Focus::on_cancel(core::SlotId id, const Received& cancel, const sip::RequestMatch& match) {
  Participant* const p = participants_.get(id);
  const sip::TransactionId server = transactions_.open_server(cancel, match, 0, now_);
  if (server.valid()) {
    // R3261-7: always 200, and the tag that the 487 has.
    texts_.clear();
    respond(server, 200, p == nullptr ? std::string_view("gone") : std::string_view(p->tag));
  }
  if (p == nullptr || match.id != p->server) return;
  const core::SlotId session = p->session;
  use(*p, p->usage.on(InviteEvent::cancel, now_), {});
  if (Participant* const left = participants_.get(id)) settle(*left);
  settle(session);
}

void Focus::on_prack(Participant& p, const Received& request, sip::TransactionId server) {
  sip::RAck rack;
  const bool named = sip::parse_rack(request.head.value(HeaderId::rack, request.bytes), rack);
  if (p.invited_by_us() || !named || p.reliable.prack(rack) != sip::PrackVerdict::acknowledged) {
    respond_plain(server, named ? 481 : 400);  // R3262-3
    return;
  }
  // An offer in it would be answered only when the session stands: 488 says nothing about the INVITE.
  respond_plain(server, has_sdp(request) ? 488 : 200);
  if (!p.reliable.holds_2xx()) use(p, p.usage.on(InviteEvent::pracked, now_), {});
}

// An offer of ours went out with the 2xx.
bool Focus::take_late_answer(Participant& p, const Received& ack) {
  if (p.stand != Participant::Stand::in) return true;
  const InviteBody body = read_invite_body(ack);
  MediaTerms terms;
  if (!body.has_sdp || read_terms(body.sdp, false, terms) != 0 || !p.offer.keep(pool_, body.sdp)) return false;
  terms.secure = p.terms.secure;
  p.terms = std::move(terms);
  return take_terms(session_of(p), p) == 0;
}

}  // namespace parley::policy
