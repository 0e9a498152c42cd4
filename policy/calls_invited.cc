// policy/calls_invited.cc - leg A: the INVITE that makes a call, our responses to it, PRACK, CANCEL. See calls.h.
#include <utility>

#include "core/check.h"
#include "policy/calls.h"
#include "policy/history_text.h"
#include "policy/im_request.h"
#include "policy/own_names.h"
#include "policy/owner.h"
#include "policy/user_key.h"
#include "sip/address.h"
#include "sip/dialog_headers.h"
#include "sip/identity.h"
#include "sip/params.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::InviteEvent;
using sip::SdpCarrier;

std::uint16_t Calls::invite(const Received& request, const sip::RequestMatch& match, const Invitation& invitation) {
  lines_.clear();
  const sip::TimerText timer = sip::read_timer(request.head, request.bytes);
  const core::SlotId id = calls_.emplace(pool_, invite_config_, now_);
  if (!id.valid()) {
    metrics_.add(Metric::sip_calls_limit);
    return 503;
  }
  Call& call = *calls_.get(id);
  call.self = begun_ = id;
  call.timer.owner = id.packed();
  call.im = invitation.im;
  call.aor = invitation.aor;
  call.a.grant = call.a.timer.grant(timer_config(call), timer);
  if (call.a.grant.refuse) {  // R4028-1
    put_number(lines_.begin(HeaderId::min_se), call.a.grant.min_se);
    calls_.erase(id);
    return 422;
  }
  const CallName name{static_cast<std::uint16_t>(shard_), id};
  call.tag = make_call_name(name, name_key_, random_);
  call.tag_b = make_call_name(name, name_key_, random_);
  call.user = invitation.user;
  call.from_trusted = from_trusted_ = invitation.from_trusted;
  call.a_sdp = has_sdp(request);
  call.rel = sip::rel_wish(request.head, request.bytes);
  call.uri = invitation.uri;
  call.routes = invitation.routes;
  call.next = invitation.next;
  call.outside = invitation.outside;
  call.by_core = invitation.by_core;
  call.opening_cseq = call.a.invite_cseq = request.essentials.cseq.number;
  take_abilities(call.a, request, call.im);
  if (call.im) call.b.features = std::string(";").append(im_tag);  // until it says more

  // The first dialog of A is tried now, to learn whether there can be one.
  Strand* const first = add_strand(call, 0, call.tag);
  const sip::DialogFault fault =
      first->a.accept(request.head, request.bytes, request.essentials, first->tag, request.secure());
  if (fault != sip::DialogFault::none) {
    calls_.erase(id);
    return sip::refusal(fault);
  }
  if (invitation.session) call.users = {user_key(invitation.served), user_key(invitation.aor)};
  if (invitation.media && pairs_ != nullptr) {
    call.media = std::make_unique<CallMedia>(*pairs_, id.packed(), invitation.bytes_max);
    call.history_mode = invitation.history_mode;
    call.history[0].user = invitation.served;
    call.history[1].user = invitation.aor;
    if (history_ != nullptr && history_->on()) {
      call.people = {people_of(request, false), people_of(request, true)};
      call.subject = request.head.value(HeaderId::subject, request.bytes);
    }
    // Without an offer the other side makes one.
    if (call.a_sdp && !call.media->pass(Side::a, true, description_of(request), description_)) {
      call.media.reset();
      if (!invitation.media_optional) {
        calls_.erase(id);
        return 503;
      }
      metrics_.add(Metric::history_talks_limit);
    }
  }
  call.a.server = transactions_.open_server(request, match, owner_number(Owner::call, id), now_);
  if (!call.a.server.valid()) {
    calls_.erase(id);
    return 503;
  }
  if (!transactions_.claim(call.a.server, request)) {  // R3261-4: by another way it is here already
    refuse_a(call, 482, nullptr);
    calls_.erase(id);
    return 0;
  }
  take_way(call, call.way_a, request, !first->a.route_set().empty());
  ++running_;
  metrics_.add(Metric::sip_calls);
  metrics_.add(Metric::sip_calls_begun);
  send_invite(call, passed_media(call, Leg::a, true, request));
  settle(call);
  return 0;
}

// SEED4-6.1.2.2.4-1, -2.
void Calls::on_cancel(core::SlotId id, const Received& cancel, const sip::RequestMatch& match) {
  Call* const call = calls_.get(id);
  const sip::TransactionId server = transactions_.open_server(cancel, match, 0, now_);
  if (server.valid()) {
    // R3261-7: always 200, and the tag that the 487 has.
    texts_.clear();
    respond(server, 200, nullptr, call == nullptr ? std::string_view("gone") : std::string_view(call->tag));
  }
  if (call == nullptr) return;
  const std::uint32_t actions = match.id == call->a.server ? call->a.usage.on(InviteEvent::cancel, now_) : 0;
  if (actions != 0) {
    call->reason = cancel.head.value(HeaderId::reason, cancel.bytes);  // T-16
    use(*call, Leg::a, actions, {});
  } else {  // of a re-INVITE; or 9.2: what it is for has its final response
    cancel_change(*call, cancel, match.id);
  }
  settle(*call);
}

// --- strands

Strand* Calls::add_strand(Call& call, std::uint64_t number, std::string tag) {
  sip::OfferTrack a;
  sip::OfferTrack b;
  (void)a.received(SdpCarrier::invite, call.a_sdp);
  (void)b.sent(SdpCarrier::invite, call.a_sdp);
  call.strands.push_back(std::make_unique<Strand>(pool_, invite_config_, random_, call.a.invite_cseq, a, b));
  Strand& strand = *call.strands.back();
  strand.number = number;
  strand.tag = std::move(tag);
  return &strand;
}

// The strand of B's early dialog. Its dialog towards A is missing when A has had its final response.
Strand* Calls::strand_for(Call& call, std::uint64_t number) {
  for (const auto& strand : call.strands) {
    if (strand->number == number) return strand.get();
  }
  if (call.strands.front()->number == 0) {
    call.strands.front()->number = number;
    return call.strands.front().get();
  }
  const CallName name{static_cast<std::uint16_t>(shard_), call.self};
  Strand& strand = *add_strand(call, number, make_call_name(name, name_key_, random_));
  if (const Received* const invite = stored(call.a.server)) {
    (void)strand.a.accept(invite->head, invite->bytes, invite->essentials, strand.tag, invite->secure());
  }
  return &strand;
}

// --- responses

// `fresh`: it is reliable, and so has to be ours. Each dialog has its Server and Allow (DEC-23).
void Calls::give_1xx(Call& call, Strand& strand, const Received& response, bool fresh) {
  if (!strand.a.made()) return;
  const bool reliable = fresh || call.rel == sip::RelWish::required;  // R3262-1
  if (reliable && !strand.reliable.ready()) return;                   // R3262-2
  const Received* const invite = stored(call.a.server);
  if (invite == nullptr) return;
  const bool sdp = has_sdp(response);
  texts_.clear();
  add_contact(strand.tag, call.way_a.flow, call.b, strand.a.secure());
  add_product(call, HeaderId::server);
  add_allow(call.b);
  if (reliable) {
    min_se_.clear();
    put_number(min_se_, strand.reliable.next_rseq());
    add(HeaderId::require, "100rel");
    add(HeaderId::rseq, min_se_);
  }
  add_passed(response, true);
  compose(*invite, response.head.status, response.head.reason.of(response.bytes), strand.tag, true, response.body);
  if (reliable) {
    if (!strand.reliable.sent(text_, sdp, now_)) {
      end_call(call, "SIP;cause=503");
      return;
    }
    (void)strand.of(Leg::a).offers().sent(SdpCarrier::rel_1xx, sdp);
    keep_sdp(response, strand.sdp_a);
    strand.owes_prack = fresh;
  }
  (void)transactions_.respond(call.a.server, response.head.status, text_, now_);
}

// B's 2xx, or what stands for it, becomes ours, with what it says of its identity and privacy (SEED4-6.1.1.1-5, -7,
// SEED4-6.1.1.2.2-3, -4, -5, -8, SEED4-6.1.2.2.2-10, -11, -12, -13, -15, -16, DEC-15).
void Calls::answer_a(Call& call, const Hand& hand) {
  Strand& strand = *call.won;
  const Received& response = *hand.message;
  const Received* const invite = stored(call.a.server);
  if (invite == nullptr || !strand.a.made()) {
    end_call(call, "SIP;cause=500");
    return;
  }
  texts_.clear();
  add_contact(strand.tag, call.way_a.flow, call.b, strand.a.secure());
  add_product(call, HeaderId::server);
  add_allow(call.b);
  add(HeaderId::supported, "timer");
  add_grant(call.a.grant);
  add_passed(response, true);
  compose(*invite, response.head.status, response.head.reason.of(response.bytes), strand.tag, true, response.body);
  if (!call.a.answer.keep(pool_, text_)) {
    end_call(call, "SIP;cause=503");
    return;
  }
  if (!strand.sdp_a.empty()) call.a.sdp = std::move(strand.sdp_a);
  keep_sdp(call.a, response);
  (void)strand.of(Leg::a).offers().sent(SdpCarrier::invite_ok, has_sdp(response));
  // R3262-4: not before the PRACK of what carried a description.
  const InviteEvent event = strand.reliable.holds_2xx() ? InviteEvent::answer_held : InviteEvent::answer;
  use(call, Leg::a, call.a.usage.on(event, now_), hand);
}

void Calls::send_answer(Call& call, Leg leg) {
  CallLeg& own = call.leg(leg);
  for (const auto& strand : call.strands) strand->reliable.close();  // R3262-5
  call.won->a.confirm();
  own.timer.granted(own.grant, now_);
  if (transactions_.respond(own.server, 200, own.answer.view(), now_) == sip::Responded::not_sent) {
    metrics_.add(Metric::sip_responses_unsent);
  }
  tell_up(call);
}

void Calls::refuse_a(Call& call, std::uint16_t status, const Received* like) {
  for (const auto& strand : call.strands) strand->reliable.close();
  texts_.clear();
  add_product(call, HeaderId::server);
  respond(call.a.server, status, like, call.tag);
}

// --- PRACK

void Calls::on_prack(Call& call, Strand& strand, Leg leg, const Received& request, sip::TransactionId server) {
  sip::RAck rack;
  const bool named = sip::parse_rack(request.head.value(HeaderId::rack, request.bytes), rack);
  if (leg != Leg::a || !named || strand.reliable.prack(rack) != sip::PrackVerdict::acknowledged) {
    respond_plain(server, named ? 481 : 400);  // R3262-3
    return;
  }
  (void)strand.of(Leg::a).offers().received(SdpCarrier::prack, has_sdp(request));
  if (std::exchange(strand.owes_prack, false) && dialog(call, strand, Leg::b) != nullptr) {
    send_prack(call, strand, &request, server);
  } else {
    respond_plain(server, 200);
  }
  if (!strand.reliable.holds_2xx()) use(call, Leg::a, call.a.usage.on(InviteEvent::pracked, now_), {});
}

// What B said to the PRACK. T-27: one that B does not know does not end the call at once.
void Calls::pracked(Call& call, const CallRequest& prack, const Received* response, std::uint16_t status) {
  Strand& strand = *prack.strand;
  if (sip::EarlyDialog* const early = call.early == nullptr ? nullptr : call.early->find(strand.number)) {
    early->reliable.prack_answered(status, now_, invite_config_.t1);
  }
  const bool sdp = response != nullptr && has_sdp(*response);
  if (status < 300) {
    (void)strand.of(Leg::b).offers().received(SdpCarrier::prack_ok, sdp);
  } else {
    strand.of(Leg::b).offers().refused(SdpCarrier::prack);
  }
  if (!prack.server.valid()) return;
  texts_.clear();
  if (status >= 300 && !prack.sdp) {
    respond(prack.server, 200, nullptr, {});
    return;
  }
  if (status < 300) {
    (void)strand.of(Leg::a).offers().sent(SdpCarrier::prack_ok, sdp);
    if (sdp) keep_sdp(*response, strand.sdp_a);
  } else {
    strand.of(Leg::a).offers().refused(SdpCarrier::prack);
  }
  respond(prack.server, status < 300 ? status : sip::refusal_passed(status), response, {});
}

}  // namespace parley::policy
