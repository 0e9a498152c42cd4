// policy/focus_inviting.cc - who is invited: our INVITEs, what their forks answer, ACK (OMA-SES-3, OMA-SES-4, OMA-SES-5,
// SEED4-6.1.2.2.2). See focus.h.
#include <algorithm>
#include <utility>

#include "core/id_text.h"
#include "policy/entry_headers.h"
#include "policy/focus.h"
#include "policy/own_names.h"
#include "policy/user_key.h"
#include "sip/address.h"
#include "sip/fork_rules.h"
#include "sip/leg_pair.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::InviteEvent;
using sip::SdpCarrier;

namespace {

// Up to `bytes_max` of it, and no part of a character.
std::string_view utf8_start(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80) --end;
  return text.substr(0, end);
}

// A name as a display name: quoted, with what needs it escaped. It may come out of a document, where lines may end and
// nothing is too long; no control character may stand in a quoted-string (RFC 3261 section 25.1).
void put_display(std::string& out, std::string_view display) {
  constexpr std::size_t display_bytes_max = 256;
  if (display.empty()) return;
  out += '"';
  for (const char c : utf8_start(display, display_bytes_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    out += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  out += "\" ";
}

void put_part(std::string& out, std::string_view boundary, std::string_view headers, std::string_view body) {
  out.append("--").append(boundary).append("\r\n").append(headers);
  out.append("\r\n").append(body).append("\r\n");
}

}  // namespace

// As many at a time as may wait.
void Focus::invite_more(FocusSession& s) {
  // Who is to get what is distributed is asked at once: there is one time for all of them.
  while (!s.ending && !s.waiting.empty() && (s.distribution || s.inviting < config_->focus.invite_parallel)) {
    const Invitee invitee = std::move(s.waiting.front());
    s.waiting.pop_front();
    if (!invite_one(s, invitee)) {
      refused_invitee(s, 503);
      if (invitee.refer != 0) refer_outcome(s, invitee.refer, 503);
    }
  }
}

bool Focus::invite_one(FocusSession& s, const Invitee& invitee) {
  sip::OfferTrack offers;
  (void)offers.sent(SdpCarrier::invite, true);
  Participant* const p = add_participant(s, sip::InviteUsage::Side::inviting, 0, offers);
  if (p == nullptr) return false;
  p->uri = invitee.uri;
  p->key = invitee.key;
  p->display = invitee.display;
  p->refer = invitee.refer;
  p->request_uri = invitee.uri;
  p->entry_headers = invitee.headers;
  p->features = features_toward(s, s.originator_oma);  // T-31: whom he calls has a client like his
  p->trusted = true;  // what it says comes through our own checks
  const Participant* const other = s.passes_on() ? counterpart(s, *p) : nullptr;
  const bool secure = other != nullptr && media_->serves(other->terms.secure) ? other->terms.secure : !media_->serves(false);
  if (!open_end(s, *p, secure)) {
    metrics_.add(Metric::sip_sessions_media_limit);
    std::erase(s.participants, p->self);
    participants_.erase(p->self);
    return false;
  }
  ++s.inviting;
  (void)show(s, *p, EndpointStatus::dialing_out);
  send_invite(s, *p);
  settle(*p);
  return true;
}

// The description, the list of the others (RFC 5366 section 5), and what the originator's INVITE had besides.
void Focus::put_invite_body(const FocusSession& s, const Participant& p, std::string_view sdp, std::string& type,
                            std::string& body) {
  const std::vector<ListEntry> history =
      s.of_two() ? std::vector<ListEntry>{} : recipient_history(s.recipients, p.key);
  if (history.empty() && s.others.empty()) {
    type = "application/sdp";
    body = sdp;
    return;
  }
  char letters[core::letters64_chars];
  core::letters_encode64(random_.next(), letters);
  const std::string_view boundary(letters, sizeof letters);
  type.assign("multipart/mixed;boundary=").append(boundary);
  body.clear();
  put_part(body, boundary, "Content-Type: application/sdp\r\n", sdp);
  if (!history.empty()) {
    std::string list;
    put_resource_list(history, list);
    std::string headers("Content-Type: ");
    headers.append(resource_lists_type).append("\r\nContent-Disposition: ");
    headers.append(recipient_history_disposition).append("\r\n");
    put_part(body, boundary, headers, list);
  }
  for (const PassedPart& part : s.others) put_part(body, boundary, part.headers, part.body);
  body.append("--").append(boundary).append("--\r\n");
}

// OMA-SES-4, and what SEED4-6.1.2.2.2 asks of the terminating function, which is here.
void Focus::send_invite(FocusSession& s, Participant& p) {
  if (p.call_id.empty()) {
    put_call_id(p.call_id);
    p.from = s.originator_from + ";tag=" + p.tag;
    p.to.clear();
    put_display(p.to, p.display);
    p.to.append("<").append(p.request_uri).append(">");
  }
  const std::string_view sdp = p.description.empty() ? describe_media(s, p, {}) : p.description.view();
  if (p.description.empty()) (void)p.description.keep(pool_, sdp);
  std::string type;
  std::string body;
  put_invite_body(s, p, sdp, type, body);
  const std::string cseq = std::to_string(p.opening_cseq) + " INVITE";
  const std::string originator = "<" + s.originator_uri + ">";
  const std::string_view asserts = s.stored == nullptr ? std::string_view(originator) : std::string_view(s.stored->asserts);
  const sip::TimerAsk ask = p.timers.ask(timer_config());
  texts_.clear();
  add(HeaderId::max_forwards, "70");
  add(HeaderId::from, p.from);
  add(HeaderId::to, p.to);
  add(HeaderId::call_id, p.call_id);
  add(HeaderId::cseq, cseq);
  if (s.originator_anonymous) add(HeaderId::privacy, "id");   // SEED4-6.1.2.2.2-1
  add(HeaderId::accept_contact, s.large_message ? "*;+g.oma.sip-im.large-message" : "*;+g.oma.sip-im");  // SEED4-6.1.2.2.2-3
  add(HeaderId::user_agent, config_->im.product);          // SEED4-6.1.2.2.2-4
  add_timer(ask);                                             // SEED4-6.1.2.2.2-5
  add(HeaderId::supported, focus_options);                    // SEED4-6.1.2.2.2-6
  add(HeaderId::allow, focus_methods);                        // SEED4-6.1.2.2.2-7
  add(HeaderId::p_asserted_identity, asserts);                // SEED4-6.1.2.2.2-9, OMA-DEF-8
  if (!s.originator_anonymous) add(HeaderId::referred_by, originator);
  if (!s.distribution) add(HeaderId::allow_events, "conference");
  for (const PassedHeader& header : s.passed) {
    texts_.push_back({.id = header.id, .value = header.value, .name = header.name});
  }
  const std::vector<EntryHeader> asked = entry_headers(p.entry_headers);
  put_entry_headers(asked, texts_);
  if (body.size() != sdp.size()) add(HeaderId::mime_version, "1.0");
  add(HeaderId::content_type, type);
  Errand errand;
  errand.client = Errand::Client::participant;
  errand.call = p.self;
  errand.number = p.invite_number = ++p.numbers;
  errand.method = Method::invite;
  sip::put_request({.method = "INVITE", .uri = p.request_uri, .headers = texts_}, body, errand.text);
  errand.contact_user = s.name;  // SEED4-6.1.2.2.2-8a: the session identity itself
  errand.contact_params = p.features;
  errand.by_uri = errand.by_core = true;
  errand.from_store = s.stored != nullptr;
  errand.in_dialog = false;
  errand.from_trusted = true;
  errands_.push_back(std::move(errand));
  metrics_.add(Metric::sip_session_invites);
  if (p.early == nullptr) p.early = std::make_unique<sip::EarlyDialogs>(pool_, sip::OfferTrack());
  p.requests.push_back({.kind = FocusRequest::Kind::invite,
                        .number = p.invite_number,
                        .method = Method::invite,
                        .cseq = p.opening_cseq,
                        .asked = ask,
                        .sdp = true});
}

sip::OpeningRequest Focus::opening(const Participant& p) {
  return {.call_id = p.call_id, .from = p.from, .to = p.to, .uri = p.request_uri, .cseq = p.opening_cseq};
}

// --- responses

void Focus::on_1xx(Participant& p, const Received& response, bool by_flow) {
  if (p.early == nullptr || p.dialog->made() || response.head.status == 100) return;
  if (!response.essentials.to_tag.empty()) {
    sip::DialogFault fault = sip::DialogFault::none;
    const sip::EarlyDialog* const early =
        p.early->take(opening(p), response.head, response.bytes, response.essentials, fault);
    if (early != nullptr) {
      take_way(p, p.way, response, !early->dialog.route_set().empty());
      p.way.back = p.way.back || by_flow;
    }
  }
  FocusSession& s = session_of(p);
  if (p.stand != Participant::Stand::inviting) return;
  (void)show(s, p, EndpointStatus::alerting);
  Participant* const originator = participants_.get(s.originator);
  if (originator != nullptr && originator->stand == Participant::Stand::inviting) ring(*originator, 180);
}

void Focus::on_2xx(Participant& p, const Received& response, bool by_flow) {
  using namespace sip::invite_do;
  if (p.early == nullptr) return;
  if (p.dialog->made() && response.essentials.to_tag == p.dialog->remote_tag()) {
    use(p, p.usage.on_2xx(p.usage.winner(), now_), {});  // the ACK was lost
    return;
  }
  sip::DialogFault fault = sip::DialogFault::none;
  sip::EarlyDialog* const early =
      p.early->take(opening(p), response.head, response.bytes, response.essentials, fault);
  if (early == nullptr) {
    metrics_.add(Metric::sip_dropped);  // it can not be acknowledged, so its sender ends it
    return;
  }
  const std::uint32_t actions = p.usage.on_2xx(early->number, now_);
  if ((actions & ack_bye_other) != 0) {
    Way way{.flow = response.flow, .back = by_flow};
    part(p, *early, way);
    return;
  }
  take_way(p, p.way, response, !early->dialog.route_set().empty());
  p.way.back = p.way.back || by_flow;
  if (!p.dialog->made()) {
    *p.dialog = std::move(early->dialog);
    p.dialog->begin_usage();
    early->dialog = sip::Dialog(pool_);
    p.early->drop(early->number);
  }
  if ((actions & tell_answered) == 0) {  // T-22: it crossed our CANCEL
    use(p, actions, {});
    return;
  }
  accepted(p, response);
}

// He is in.
void Focus::accepted(Participant& p, const Received& response) {
  FocusSession& s = session_of(p);
  if (s.stored != nullptr) s.stored->taken = true;
  (void)take_allow(response, p.allow, p.allows);
  p.instance = instance_of(response);
  const FocusRequest* const request = request_numbered(p, p.invite_number);
  p.timers.answered(timer_config(), request->asked, sip::read_timer(response.head, response.bytes), now_);
  const InviteBody body = read_invite_body(response);
  MediaTerms terms;
  std::uint16_t status = body.has_sdp ? read_terms(body.sdp, false, terms) : std::uint16_t{488};
  (void)p.changes.offers().received(SdpCarrier::invite_ok, body.has_sdp);
  if (status == 0 && s.distribution && !terms.may_receive) status = 488;
  if (status == 0) {
    terms.secure = p.terms.secure;
    p.terms = std::move(terms);
    status = p.offer.keep(pool_, body.sdp) ? take_terms(s, p) : std::uint16_t{503};
  }
  if (status != 0) {  // R3264-3
    p.refusal = status;
    hang_up(p, "SIP;cause=488;text=\"No Agreement\"");
    return;
  }
  use(p, p.usage.on(InviteEvent::acknowledge, now_), {});
  --s.inviting;
  come_in(s, p);
  if (p.refer != 0) refer_outcome(s, std::exchange(p.refer, 0), 200);
  invite_more(s);
  all_have_answered(s);
}

void Focus::on_refused(Participant& p, std::uint16_t status, const Received* response) {
  const FocusRequest* const request = request_numbered(p, p.invite_number);
  if (status == 422 && p.usage.state() == sip::InviteState::calling && response != nullptr) {  // R4028-2
    const std::uint32_t min_se = sip::read_timer(response->head, response->bytes).min_se;
    if (p.timers.refused(timer_config(), request->asked, status, min_se, now_) == sip::TimerRetry::now) {
      ++p.opening_cseq;
      p.early->drop_early();
      send_invite(session_of(p), p);
      return;
    }
  }
  if (p.refusal == 0) p.refusal = sip::refusal_passed(status);
  use(p, p.usage.on(InviteEvent::got_refusal, now_), {});
}

// He who was invited will not come: `status` is why.
void Focus::outcome(FocusSession& s, Participant& p, std::uint16_t status) {
  --s.inviting;
  if (p.refer != 0) refer_outcome(s, std::exchange(p.refer, 0), status);
  if (!p.unreached.aor.empty() && !s.ending && !s.begun) {
    ask_room(s, std::exchange(p.unreached, {}));  // OMA-LRG-3: he gets it later
  } else {
    refused_invitee(s, status);
  }
  invite_more(s);
  all_have_answered(s);
  if (Participant* const originator = participants_.get(s.originator)) nobody_came(s, *originator);
}

// What is sent to several while it comes in begins when it is known who gets it, and the MSRP sessions of all of them are
// bound: the first SEND of its sender may have its first bytes.
void Focus::all_have_answered(FocusSession& s) {
  if (!s.distribution || s.begun || s.ending || s.inviting != 0 || s.asking != 0 || !s.waiting.empty()) return;
  if (s.in + s.keeping == 0) return;
  const auto is_bound = [this](core::SlotId id) {
    const Participant* const p = participants_.get(id);
    return p == nullptr || p->stand != Participant::Stand::in || rooms_->state_of(p->member).connected;
  };
  if (!std::all_of(s.participants.begin(), s.participants.end(), is_bound)) return;
  Participant* const originator = participants_.get(s.originator);
  if (originator == nullptr || originator->stand != Participant::Stand::inviting) return;
  s.gather_until = core::never;
  const core::SlotId id = originator->self;
  (void)answer_or_refuse(*originator);
  if (Participant* const left = participants_.get(id)) settle(*left);
}

// Who has not answered gets nothing of it: the others have waited long enough. What becomes of our CANCEL is not waited
// for, which may take 64*T1 (RFC 3261 section 9.1); a 2xx that crosses it is ended by BYE.
void Focus::gather_no_longer(FocusSession& s) {
  s.gather_until = core::never;
  s.waiting.clear();
  give_up_asking(s);
  const std::vector<core::SlotId> all = s.participants;
  for (const core::SlotId id : all) {
    Participant* const p = participants_.get(id);
    if (p == nullptr || !p->invited_by_us() || p->stand == Participant::Stand::gone) continue;
    if (p->stand == Participant::Stand::in && rooms_->state_of(p->member).connected) continue;
    hang_up(*p, "SIP;cause=408;text=\"No Answer In Time\"");
    if (Participant* const left = participants_.get(id)) settle(*left);
  }
  for (const core::SlotId id : all) {
    Participant* const p = participants_.get(id);
    if (p == nullptr || !p->invited_by_us() || p->stand != Participant::Stand::inviting || p->written_off) continue;
    p->written_off = true;
    // OMA-LRG-3: he gets it later.
    if (may_store_for(s) && p->unreached.aor.empty()) p->unreached = std::move(p->given_up);
    outcome(s, *p, 480);
  }
  if (s.asking != 0 && !s.ending) s.gather_until = now_ + config_->store_answer;
  all_have_answered(s);
  if (Participant* const originator = participants_.get(s.originator)) nobody_came(s, *originator);
}

// RFC 3261 section 16.7 item 6: of all refusals the best one counts.
void Focus::refused_invitee(FocusSession& s, std::uint16_t status) {
  const auto rank = [](std::uint16_t of) { return sip::fork_rules::preference(of); };
  if (s.best_refusal == 0 || rank(status) < rank(s.best_refusal)) s.best_refusal = status;
}

void Focus::nobody_came(FocusSession& s, Participant& originator) {
  if (s.begun || s.ending || originator.stand != Participant::Stand::inviting) return;
  if (s.inviting != 0 || s.asking != 0 || !s.waiting.empty() || s.in + s.keeping != 0) return;
  const std::uint16_t status = s.best_refusal == 0 || s.best_refusal == 503 ? std::uint16_t{480} : s.best_refusal;
  originator.refusal = status;
  if (!s.refusal_text.empty()) put_warning(s.refusal_text);
  const core::SlotId id = originator.self;
  use(originator, originator.usage.on(InviteEvent::refuse, now_), {.status = status});
  if (Participant* const left = participants_.get(id)) settle(*left);
}

// OMA-SES-9: the same device has come again, or who is still being invited has come.
void Focus::replace_older(FocusSession& s, const Participant& by) {
  const std::vector<std::string> keys = home_.keys_of(by.uri);
  if (!by.invited_by_us()) (void)forget_waiting(s, keys, 200);
  const std::vector<core::SlotId> all = s.participants;
  for (const core::SlotId id : all) {
    Participant* const p = participants_.get(id);
    if (p == nullptr || p == &by || p->stand == Participant::Stand::gone) continue;
    if (p->stand == Participant::Stand::inviting) {  // he has come by himself
      if (!p->invited_by_us() || by.invited_by_us() || !home_.same_user(keys, p->key)) continue;
      if (p->refer != 0) refer_outcome(s, std::exchange(p->refer, 0), 200);
      hang_up(*p, "SIP;cause=200;text=\"Joined\"");
      settle(*p);
      continue;
    }
    if (!has_key(keys, p->key) || by.instance.empty() || p->instance != by.instance) continue;
    hang_up(*p, "SIP;cause=200;text=\"Joined Again\"");
    settle(*p);
  }
}

// --- ACK

// 13.2.2.4: of the INVITE with that CSeq, each time its 2xx comes. Ours say nothing, so none has to be kept.
void Focus::send_ack(Participant& p, std::uint32_t cseq) {
  p.dialog->write({.method = "ACK", .cseq = cseq}, text_);
  put_ack(errand_in(p, *p.dialog, p.way), text_);
}

// R3261-9.
void Focus::part(Participant& p, sip::EarlyDialog& other, const Way& way) {
  const std::uint32_t number = p.numbers + 1;
  const std::uint32_t cseq = end_surplus(errand_in(p, other.dialog, way), other, p.opening_cseq, number);
  if (cseq == 0) return;
  p.numbers = number;
  p.requests.push_back({.kind = FocusRequest::Kind::farewell, .number = number, .method = Method::bye, .cseq = cseq});
}

}  // namespace parley::policy
