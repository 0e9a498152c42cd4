// policy/focus_change.cc - re-INVITE and UPDATE in the dialog of a participant, and those of ours that keep a session
// alive (R3261-6, R3311, R4028, R3264-2, T-28, T-29, T-52). See focus.h.
#include <utility>

#include "policy/focus.h"
#include "policy/own_names.h"
#include "sip/sdp.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::InviteEvent;

// What we ask for as UAC: DEC-8, SEED4-6.1.2.2.2-5.
namespace {

constexpr std::string_view transfer_ended = "SIP;cause=200;text=\"Transfer Ended\"";

// Empty: it is of no file.
std::string_view file_transfer_id(const MediaTerms& terms) {
  sip::SdpAttributes attributes(terms.file_section);
  for (sip::SdpAttribute found; attributes.next(found);) {
    if (found.name == "file-transfer-id") return found.value;
  }
  return {};
}

}  // namespace

sip::SessionTimerConfig Focus::timer_config() const {
  sip::SessionTimerConfig config = config_->calls.timer;
  config.ask = sip::Refresher::uas;
  return config;
}

void Focus::on_reinvite(Participant& p, const Received& request, sip::TransactionId server) {
  // RFC 5407 section 3.1.4: who changes what was agreed has our 2xx, and its ACK was lost. From here on p.server is this
  // INVITE, which a repetition of that 2xx must not answer.
  if (!p.invited_by_us() && sip::resends(p.usage.state()) && p.changes.offers().state() == sip::OfferState::idle)
    use(p, p.usage.on(InviteEvent::ack, now_), {});
  if (p.stand != Participant::Stand::in || sip::resends(p.usage.state())) {
    // R3261-6: his own INVITE, or ours, is under way; or the answer to our offer is, in an ACK.
    const bool his_own = !p.invited_by_us() && !p.usage.answered();
    refuse_change(server, {.actions = his_own ? sip::change_do::answer_500 : sip::change_do::answer_491});
    return;
  }
  if (!grant_change(p.timers, p.grant, request, server)) return;
  const InviteBody body = read_invite_body(request);
  const sip::ChangeStep step = p.changes.on_invite(body.has_sdp, now_);
  if ((step.actions & sip::change_do::take_invite) == 0) {
    refuse_change(server, step);
    return;
  }
  p.server = server;
  p.invite_cseq = request.essentials.cseq.number;
  const bool ends = ends_transfer(p, body);
  if (const std::uint16_t status = ends ? 0 : take_change(p, body); status != 0) {
    refuse_offer(server, status, session_of(p), body.sdp);
    change(p, p.changes.refuse(now_), {});
    return;
  }
  if (!put_change_answer(p, request, body.sdp) || !p.answer.keep(pool_, text_)) {
    respond_plain(server, 500);
    change(p, p.changes.refuse(now_), {});
    return;
  }
  if ((p.changes.answer(true, now_).actions & sip::change_do::send_2xx) == 0) {
    respond_plain(server, 500);
    return;
  }
  (void)transactions_.respond(server, 200, text_, now_);
  p.ending = ends;
}

void Focus::on_update(Participant& p, const Received& request, sip::TransactionId server) {
  const bool in = p.stand == Participant::Stand::in;
  if (in && !grant_change(p.timers, p.grant, request, server)) return;
  const InviteBody body = read_invite_body(request);
  const sip::ChangeStep step = p.changes.on_update(body.has_sdp);
  if ((step.actions & sip::change_do::take_update) == 0) {
    refuse_change(server, step);
    return;
  }
  std::uint16_t status = 0;
  const bool ends = in && ends_transfer(p, body);
  if (body.has_sdp && !ends) status = in ? take_change(p, body) : std::uint16_t{504};
  if (status == 0 && !put_change_answer(p, request, body.sdp)) status = 500;
  if (status != 0) {
    refuse_offer(server, status, session_of(p), body.sdp);
  } else {
    (void)transactions_.respond(server, 200, text_, now_);
  }
  p.changes.update_answer_sent(status == 0 ? 200 : status, body.has_sdp);
  if (ends && status == 0) hang_up(p, transfer_ended);
}

// RFC 5547 section 8.4: who gives or takes a file, or one large message, will have no more of it. For he who gives it all is over
// then, and of several who take it the others go on.
bool Focus::ends_transfer(const Participant& p, const InviteBody& body) {
  if (body.refusal != 0 || !body.has_sdp) return false;
  const FocusSession& s = session_of(p);
  const Participant* const originator = participants_.get(s.originator);
  const bool file = !p.terms.file_section.empty() || (originator != nullptr && !originator->terms.file_section.empty());
  sip::Sdp read;
  if ((!file && !s.distribution) || !sip::parse_sdp(body.sdp, {}, read).ok()) return false;
  return p.terms.section < read.media_count && read.media[p.terms.section].port == 0;
}

// What his new description changes: 0 when it can be answered.
std::uint16_t Focus::take_change(Participant& p, const InviteBody& body) {
  if (body.refusal != 0) return body.refusal;
  if (!body.has_sdp) return 0;               // T-29: ours, as it is
  if (body.sdp == p.offer.view()) return 0;  // T-28
  MediaTerms terms;
  if (const std::uint16_t status = read_terms(body.sdp, true, terms); status != 0) return status;
  if (terms.secure != p.terms.secure) return 488;  // our end is the one it was
  // OMA-FT-3: another transfer is another session. Nobody else would be asked whether he wants it (RFC 5547 section 8.3).
  if (session_of(p).passes_on() && file_transfer_id(terms) != file_transfer_id(p.terms)) return 488;
  if (!p.offer.keep(pool_, body.sdp)) return 503;
  p.terms = std::move(terms);
  FocusSession& s = session_of(p);
  const std::uint16_t status = take_terms(s, p);
  // OMA-CONF-5
  const bool held = !p.terms.may_receive;
  if (status == 0) (void)show(s, p, held ? EndpointStatus::on_hold : EndpointStatus::connected);
  return status;
}

// A 2xx to a re-INVITE or UPDATE, in text_; what it agrees to holds from now on.
bool Focus::put_change_answer(Participant& p, const Received& request, std::string_view offer) {
  (void)p.dialog->refresh(request.head, request.bytes);
  if (request.flow.reliable()) take_way(p, p.way, request, true);  // it may have come by a new one
  FocusSession& s = session_of(p);
  const bool update = request.head.method == Method::update;
  const bool describes = !offer.empty() || !update;
  if (describes && !(offer.empty() && !p.description.empty())) {  // T-29
    const std::string_view sdp = describe_media(s, p, offer);
    if (sdp.empty() || !p.description.keep(pool_, sdp)) return false;
  }
  texts_.clear();
  add_own(s, p);
  add(HeaderId::supported, focus_options);
  if (p.stand == Participant::Stand::in) {
    add_grant(p.grant);
    p.timers.granted(p.grant, now_);
  }
  if (describes) add(HeaderId::content_type, "application/sdp");
  compose(request, 200, {}, {}, false, describes ? p.description.view() : std::string_view{});
  return true;
}

void Focus::refuse_offer(sip::TransactionId server, std::uint16_t status, const FocusSession& s,
                         std::string_view offer) {
  texts_.clear();
  body_.clear();
  if (status == 488) {
    put_warning("no MSRP session that could be taken");
    add(HeaderId::warning, warning_);
    add(HeaderId::content_type, "application/sdp");
    put_capabilities(s.passes_on(), offer, body_);
  }
  if (status == 415) add(HeaderId::accept, "application/sdp");
  respond(server, status, {}, body_);
  warning_.clear();
}

void Focus::change(Participant& p, const sip::ChangeStep& step, const Hand& hand) {
  namespace todo = sip::change_do;
  if ((step.actions & (todo::send_ack | todo::send_ack_again)) != 0) send_ack(p, hand.cseq);
  if ((step.actions & todo::send_2xx_again) != 0 && !p.answer.empty()) {
    (void)transactions_.respond(p.server, 200, p.answer.view(), now_);
  }
  if ((step.actions & todo::send_487) != 0) respond_plain(p.server, 487);
  if ((step.actions & todo::tell_done) != 0) {
    p.answer.drop();
    const bool late = hand.message != nullptr && hand.message->head.method == Method::ack && has_sdp(*hand.message);
    if (late && !take_late_answer(p, *hand.message)) hang_up(p, "SIP;cause=488;text=\"No Agreement\"");
    if (p.ending) hang_up(p, transfer_ended);
  }
  if ((step.actions & todo::end_session) != 0) lose(p);
}

// --- ours

// R4028-3: half of the interval has passed.
void Focus::refresh(Participant& p) {
  const Method method = sip::refresh_method(p.allows);
  const sip::TimerAsk ask = p.timers.ask(timer_config());
  const bool update = method == Method::update;
  const bool ready = update ? p.changes.may_update(false)
                            : (p.changes.want(true, p.dialog->local_cseq() + 1, now_).actions &
                               sip::change_do::send_invite) != 0;
  if (!ready) {  // a change is under way, which refreshes as well
    (void)p.timers.refused(timer_config(), ask, 491, 0, now_);
    return;
  }
  metrics_.add(Metric::sip_calls_refreshed);
  texts_.clear();
  add(HeaderId::user_agent, config_->im.product);
  add(HeaderId::allow, focus_methods);
  add(HeaderId::supported, focus_options);
  add_timer(ask);
  FocusRequest& sent =
      update ? send(p, FocusRequest::Kind::refresh, method, "UPDATE")
             : send(p, FocusRequest::Kind::refresh, method, "INVITE", "application/sdp", p.description.view());
  sent.asked = ask;
  sent.sdp = !update;
  if (update) p.changes.update_sent(false);
}

void Focus::refresh_answered(Participant& p, const FocusRequest& request, const Received* response,
                             std::uint16_t status) {
  const bool invite = request.method == Method::invite;
  if (response == nullptr || status >= 300) {
    const sip::ChangeStep step = invite ? p.changes.on_refusal(status, now_)
                                        : p.changes.update_answered(status, false, now_);
    const std::uint32_t min_se = response == nullptr ? 0 : sip::read_timer(response->head, response->bytes).min_se;
    const sip::TimerRetry retry = p.timers.refused(timer_config(), request.asked, status, min_se, now_);
    if (retry == sip::TimerRetry::now) refresh(p);
    if (retry == sip::TimerRetry::end || (step.actions & sip::change_do::end_session) != 0) {  // R4028-3
      p.reason = "SIP;cause=408;text=\"Session Refresh Failed\"";
      lose(p);
    }
    return;
  }
  const bool sdp = has_sdp(*response);
  if (invite && p.stand != Participant::Stand::in) {  // he has left meanwhile
    send_ack(p, request.cseq);
    return;
  }
  const sip::ChangeStep step =
      invite ? p.changes.on_2xx(request.cseq, sdp, now_) : p.changes.update_answered(status, sdp, now_);
  if ((step.actions & (sip::change_do::tell_answered | sip::change_do::tell_done)) == 0) {
    change(p, step, {.cseq = request.cseq});  // a repetition, or one that lacks what it has to have
    return;
  }
  p.timers.answered(timer_config(), request.asked, sip::read_timer(response->head, response->bytes), now_);
  keep_way(p);
  (void)p.dialog->refresh(response->head, response->bytes);
  if (!invite) return;
  change(p, p.changes.acknowledge(false, now_), {.cseq = request.cseq});
  MediaTerms terms;
  const InviteBody body = read_invite_body(*response);
  if (body.has_sdp && body.sdp != p.offer.view() && read_terms(body.sdp, false, terms) == 0 &&
      p.offer.keep(pool_, body.sdp)) {
    terms.secure = p.terms.secure;
    p.terms = std::move(terms);
    (void)take_terms(session_of(p), p);
  }
}

void Focus::timer_due(Participant& p) {
  if (p.stand != Participant::Stand::in) return;
  switch (p.timers.due(now_)) {
    case sip::TimerFact::nothing: return;
    case sip::TimerFact::refresh: refresh(p); return;
    case sip::TimerFact::expired:
      metrics_.add(Metric::sip_calls_expired);
      p.reason = "SIP;cause=408;text=\"Session Expired\"";
      use(p, p.usage.on(InviteEvent::expired, now_), {});
      return;
  }
}

}  // namespace parley::policy
