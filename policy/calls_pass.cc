// policy/calls_pass.cc - requests that go from one leg to the other as they are: INFO, MESSAGE, REFER and what its
// subscription needs, and any that is not known. BYE. See calls.h.
#include <algorithm>
#include <string>

#include "policy/calls.h"
#include "policy/own_names.h"
#include "sip/event_headers.h"
#include "sip/params.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::InviteEvent;

namespace {

// RFC 5057 section 5.1: of a subscription's requests, a 481 is about the subscription.
bool about_session(sip::Method method) {
  return method != sip::Method::subscribe && method != sip::Method::notify && method != sip::Method::refer;
}

}  // namespace

std::uint16_t Calls::passed_status(std::uint16_t status) { return status < 300 ? status : sip::refusal_passed(status); }

void Calls::pass(Call& call, Strand& strand, Leg leg, const Received& request, sip::TransactionId server) {
  const Leg to = sip::other(leg);
  const sip::InviteState state = call.leg(to).usage.state();
  const bool gone = state == sip::InviteState::left || state == sip::InviteState::leaving || call.leg(to).usage.over();
  if (gone || dialog(call, strand, to) == nullptr) {
    respond_plain(server, 480);
    return;
  }
  const Method method = request.head.method;
  if (sip::refreshes_target(method)) (void)dialog(call, strand, leg)->refresh(request.head, request.bytes);
  texts_.clear();
  for (const HeaderId id : {HeaderId::supported, HeaderId::require, HeaderId::allow}) add_all(request, id);
  add_event(call, leg, request);
  CallRequest& sent =
      send(call, strand, to, CallRequest::Kind::pass, method, request.head.method_name.of(request.bytes), &request);
  sent.server = server;
  sent.recorded = method == Method::message && call.talk.valid();
  if (method == Method::refer) {
    if (call.refers.size() >= config_->calls.refers_max) {  // of the oldest one the id is no longer translated
      metrics_.add(Metric::sip_call_refers_limit);
      call.refers.erase(call.refers.begin());
    }
    call.refers.push_back({leg, request.essentials.cseq.number, sent.cseq});
  }
}

// R3515-1: the id of a REFER's subscription is its CSeq, which is another number on the other leg.
void Calls::add_event(const Call& call, Leg from, const Received& request) {
  const std::string_view value = request.head.value(HeaderId::event, request.bytes);
  if (value.empty()) return;
  sip::Event event;
  if (!sip::parse_event(value, event) || event.package != "refer" || !event.has_id) {
    add(HeaderId::event, value);
    return;
  }
  std::string id(event.id);
  for (const ReferNumbers& refer : call.refers) {
    // A NOTIFY comes from where our REFER went; a SUBSCRIBE from where theirs came from.
    const bool theirs = refer.from == from;
    if (id != std::to_string(theirs ? refer.theirs : refer.ours)) continue;
    id = std::to_string(theirs ? refer.ours : refer.theirs);
    break;
  }
  event_ = "refer;id=" + id;
  for (sip::Param param; sip::take_param(event.parameters, param);) {
    if (param.name == "id") continue;
    event_.append(";").append(param.name);
    if (param.has_value) event_.append("=").append(param.value);
  }
  add(HeaderId::event, event_);
}

void Calls::passed(Call& call, const CallRequest& request, const Received* response, std::uint16_t status) {
  Strand& strand = *request.strand;
  const Leg back = sip::other(request.leg);
  sip::Dialog* const from = dialog(call, strand, request.leg);
  const sip::Dialog* const to = dialog(call, strand, back);
  texts_.clear();
  if (response != nullptr) {
    if (status < 300 && from != nullptr && sip::refreshes_target(request.method)) {
      (void)from->refresh(response->head, response->bytes);
    }
    if (status < 300 && to != nullptr && sip::refreshes_target(request.method)) {
      add_contact(to->local_tag(), back == Leg::a ? call.way_a.flow : strand.way_b.flow, call.leg(request.leg),
                  to->secure());
    }
    for (const HeaderId id : {HeaderId::supported, HeaderId::require, HeaderId::unsupported, HeaderId::allow,
                              HeaderId::allow_events, HeaderId::min_expires}) {
      add_all(*response, id);
    }
  }
  if (request.recorded && status >= 200 && status < 300) record_message(call, request);
  const bool session = about_session(request.method);
  respond(request.server, session || status != 481 ? passed_status(status) : status, response, {});
  const bool lost = status == 408 || status == 481 || sip::dialog_loss(status) == sip::DialogLoss::dialog;
  if (!lost || (status == 481 && !session) || call.won != &strand) return;
  // 12.2.1.2: nobody is there who knows this dialog.
  call.reason = "SIP;cause=" + std::to_string(status);
  use(call, request.leg, call.leg(request.leg).usage.on(InviteEvent::dialog_lost, now_), {});
}

// SEED4-6.1.2.2.5-3.
void Calls::send_bye(Call& call, Leg leg, const Hand& hand) {
  if (call.won == nullptr || dialog(call, *call.won, leg) == nullptr) {
    use(call, leg, call.leg(leg).usage.on(InviteEvent::bye_done, now_), {});
    return;
  }
  const bool theirs = hand.message != nullptr && hand.message->head.method == Method::bye;
  texts_.clear();
  if (!theirs && !call.reason.empty()) add(HeaderId::reason, call.reason);
  (void)send(call, *call.won, leg, CallRequest::Kind::bye, Method::bye, "BYE", theirs ? hand.message : nullptr);
}

}  // namespace parley::policy
