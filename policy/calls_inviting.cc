// policy/calls_inviting.cc - leg B: our INVITE, what its forks answer, ACK. See calls.h.
#include <algorithm>
#include <utility>

#include "policy/calls.h"
#include "policy/im_request.h"
#include "policy/own_names.h"
#include "sip/address.h"
#include "sip/dialog_headers.h"
#include "sip/identity.h"
#include "sip/params.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::InviteEvent;
using sip::PairEvent;
using sip::SdpCarrier;

namespace {

constexpr std::uint8_t max_forwards_default = 70;  // RFC 3261 section 8.1.1.6

// What of the other side's extensions works through us, beside timer and 100rel, which each leg has for itself.
constexpr sip::OptionTag end_to_end[] = {sip::OptionTag::norefersub, sip::OptionTag::histinfo,
                                         sip::OptionTag::answermode, sip::OptionTag::replaces, sip::OptionTag::tdialog};

}  // namespace

// SEED4-6.1.2.2.3-IMS and SEED4-6.1.2.2.4-IMS: what follows it goes the way that it went.
// SEED4-6.1.1.2.2-1a, -1b, -1c, -1d, -1e, -1h, SEED4-6.1.2.2.2-0b, -1, -2, -3, -6, -7, -8a, -8c, -9: a dialog of its
// own, with A's request URI, identity, privacy, headers and body.
void Calls::send_invite(Call& call, const Received& invite) {
  if (call.call_id.empty()) {
    put_call_id(call.call_id);
    // R3323-2: for `user` the other side learns no name; whom it trusts has P-Asserted-Identity.
    const sip::Privacy privacy = sip::privacy_of(invite.head, invite.bytes);
    if (privacy.user && !privacy.none) {
      call.from = sip::anonymous_address;
    } else {
      sip::put_address(call.from, invite.essentials.from);
    }
    call.from.append(";tag=").append(call.tag_b);
    sip::put_address(call.to, invite.essentials.to);
  }
  const std::string cseq = std::to_string(call.cseq_b) + " INVITE";
  const std::string hops = std::to_string(invite.essentials.has_max_forwards ? invite.essentials.max_forwards - 1U
                                                                             : unsigned{max_forwards_default});
  supported_ = "timer";
  if (call.rel != sip::RelWish::none) supported_ += ", 100rel";  // R3262-1: what A can acknowledge, B may ask for
  sip::OptionSet options;
  for (const HeaderId id : {HeaderId::supported, HeaderId::require}) {
    for (const sip::Header* line = invite.head.first(id); line != nullptr; line = invite.head.next(*line)) {
      sip::add_options(line->value.of(invite.bytes), options);
    }
  }
  for (const sip::OptionTag tag : end_to_end) {
    if (options.has(tag)) supported_.append(", ").append(sip::to_string(tag));
  }
  const sip::TimerAsk ask = call.b.timer.ask(timer_config(call));
  texts_.clear();
  if (!call.routes.empty()) add(HeaderId::route, call.routes);
  add(HeaderId::max_forwards, hops);
  add(HeaderId::from, call.from);
  add(HeaderId::to, call.to);
  add(HeaderId::call_id, call.call_id);
  add(HeaderId::cseq, cseq);
  add_allow(call.a);
  add(HeaderId::supported, supported_);
  add_timer(ask);
  add_product(call, HeaderId::user_agent);
  if (call.im && !has_tag(invite.head, invite.bytes, im_tag)) add(HeaderId::accept_contact, "*;+g.oma.sip-im");
  add_named(invite);
  add_passed(invite, true);
  Errand errand;
  errand.call = call.self;
  errand.number = call.invite_number = ++call.numbers;
  errand.method = Method::invite;
  sip::put_request({.method = "INVITE", .uri = call.uri, .headers = texts_}, invite.body, errand.text);
  errand.contact_user = call.tag_b;
  errand.contact_params = call.a.features;
  errand.aor = call.aor;
  errand.next = call.next;
  errand.outside = call.outside;
  errand.by_core = call.by_core;
  errand.in_dialog = false;
  errand.user = call.user;
  errand.from_trusted = call.from_trusted;
  errands_.push_back(std::move(errand));
  call.b.our_cseq = call.cseq_b;
  keep_sdp(call.b, invite);
  call.requests.push_back({.kind = CallRequest::Kind::invite,
                           .number = call.invite_number,
                           .method = Method::invite,
                           .cseq = call.cseq_b,
                           .asked = ask,
                           .sdp = call.a_sdp});
}

bool Calls::beyond(std::string_view call_id, std::string_view own_tag, std::string_view peer_tag,
                   const sip::Dialog*& other) {
  const auto name = named(own_tag);
  const bool ours = name && name->kind == NameKind::call && name->shard == shard_;
  Call* const call = ours ? calls_.get(name->call) : nullptr;
  if (call == nullptr || call->won == nullptr) return false;
  for (const Leg leg : {Leg::a, Leg::b}) {
    const sip::Dialog* const own = dialog(*call, *call->won, leg);
    other = dialog(*call, *call->won, sip::other(leg));
    if (own != nullptr && other != nullptr && own->is(call_id, own_tag, peer_tag)) return true;
  }
  return false;
}

void Calls::add_named(const Received& invite) {
  const std::string_view bytes = invite.bytes;
  std::size_t place = 0;
  for (const HeaderId id : {HeaderId::replaces, HeaderId::join, HeaderId::target_dialog}) {
    std::string& text = named_[place++];
    const std::string_view value = invite.head.value(id, bytes);
    if (value.empty()) continue;
    text = value;
    const sip::Dialog* other = nullptr;
    sip::Replaces named;
    sip::TargetDialog target;
    if (id == HeaderId::target_dialog) {
      if (sip::parse_target_dialog(value, target) &&
          beyond(target.call_id, target.local_tag, target.remote_tag, other)) {
        text = std::string(other->call_id()) + ";local-tag=" + std::string(other->remote_tag()) +
               ";remote-tag=" + std::string(other->local_tag());
      }
    } else if (sip::parse_replaces(value, named) && beyond(named.call_id, named.to_tag, named.from_tag, other)) {
      text = std::string(other->call_id()) + ";to-tag=" + std::string(other->remote_tag()) +
             ";from-tag=" + std::string(other->local_tag()) + (named.early_only ? ";early-only" : "");
    }
    add(id, text);
  }
  // Whoever does not know it must not take the INVITE for an ordinary one.
  sip::OptionSet required;
  for (const sip::Header* line = invite.head.first(HeaderId::require); line != nullptr;
       line = invite.head.next(*line)) {
    sip::add_options(line->value.of(bytes), required);
  }
  for (const sip::OptionTag tag : required_of_ends) {
    if (required.has(tag)) add(HeaderId::require, sip::to_string(tag));
  }
}

// --- responses

void Calls::on_1xx(Call& call, const Received& response, bool by_flow) {
  if (call.early == nullptr || call.won != nullptr || response.head.status == 100) return;
  Strand* strand = call.strands.front().get();
  sip::RelVerdict verdict = sip::RelVerdict::plain;
  if (!response.essentials.to_tag.empty()) {
    sip::DialogFault fault = sip::DialogFault::none;
    sip::EarlyDialog* const early =
        call.early->take(opening(call), response.head, response.bytes, response.essentials, fault);
    if (early == nullptr) {  // known again by its 2xx
      if (fault == sip::DialogFault::too_long) metrics_.add(Metric::sip_call_forks_limit);
      return;
    }
    strand = strand_for(call, early->number);
    take_way(call, strand->way_b, response, !early->dialog.route_set().empty());
    strand->way_b.back = strand->way_b.back || by_flow;
    // R3262-2: one at a time. A reliable one comes again.
    if (call.rel != sip::RelWish::none && !strand->reliable.ready()) return;
    verdict = early->reliable.receive(response.head, response.bytes);
    if (verdict == sip::RelVerdict::repeated || verdict == sip::RelVerdict::disorder) return;  // R3262-3
    if (verdict == sip::RelVerdict::fresh) {
      strand->rseq = early->reliable.rseq();
      (void)strand->of(Leg::b).offers().received(SdpCarrier::rel_1xx, has_sdp(response));
    }
  }
  if (call.b.allow.empty()) take_abilities(call.b, response, call.im);
  const bool fresh = verdict == sip::RelVerdict::fresh && call.rel != sip::RelWish::none;
  if (verdict == sip::RelVerdict::fresh && !fresh) send_prack(call, *strand, nullptr, {});  // nobody asked it to
  if ((call.pair.on(PairEvent::b_progress) & sip::pair_do::ring_a) != 0 &&
      (call.a.usage.on(InviteEvent::provisional, now_) & sip::invite_do::send_1xx) != 0) {
    give_1xx(call, *strand, response, fresh);
  }
}

void Calls::on_2xx(Call& call, const Received& response, bool by_flow) {
  using namespace sip::invite_do;
  if (call.early == nullptr) return;
  sip::DialogFault fault = sip::DialogFault::none;
  if (call.won != nullptr && response.essentials.to_tag == call.won->b.remote_tag()) {
    use(call, Leg::b, call.b.usage.on_2xx(call.b.usage.winner(), now_), {.cseq = call.cseq_b});  // the ACK was lost
    return;
  }
  sip::EarlyDialog* const early =
      call.early->take(opening(call), response.head, response.bytes, response.essentials, fault);
  if (early == nullptr) {
    metrics_.add(Metric::sip_dropped);  // it can not be acknowledged, so its sender ends it
    return;
  }
  Strand* const strand = strand_for(call, early->number);
  take_way(call, strand->way_b, response, !early->dialog.route_set().empty());
  strand->way_b.back = strand->way_b.back || by_flow;
  const std::uint32_t actions = call.b.usage.on_2xx(early->number, now_);
  if ((actions & ack_bye_other) != 0) {
    part(call, *early, strand->way_b);
    return;
  }
  if (call.won == nullptr) win(call, *strand, *early);
  if ((actions & tell_answered) == 0) {  // T-22: it crossed our CANCEL
    use(call, Leg::b, actions, {});
    return;
  }
  take_abilities(call.b, response, call.im);
  const CallRequest* const request = request_numbered(call, call.invite_number);
  call.b.timer.answered(config_->calls.timer, request->asked, sip::read_timer(response.head, response.bytes), now_);
  sip::OfferTrack& offers = strand->of(Leg::b).offers();
  if (offers.received(SdpCarrier::invite_ok, has_sdp(response)) == sip::OfferVerdict::end) {
    end_call(call, "SIP;cause=488;text=\"No Session Description\"");  // R3264-3
    return;
  }
  const bool offered = offers.state() == sip::OfferState::asked;
  pair(call, offered ? PairEvent::b_offered : PairEvent::b_answered, {.message = &response});
}

void Calls::on_refused(Call& call, std::uint16_t status, const Received* response) {
  CallRequest* const request = request_numbered(call, call.invite_number);
  const bool wanted = call.b.usage.state() == sip::InviteState::calling;
  if (status == 422 && wanted && response != nullptr) {  // R4028-2
    const std::uint32_t min_se = sip::read_timer(response->head, response->bytes).min_se;
    const Received* const invite = stored(call.a.server);
    if (invite != nullptr &&
        call.b.timer.refused(config_->calls.timer, request->asked, status, min_se, now_) == sip::TimerRetry::now) {
      ++call.cseq_b;
      call.early->drop_early();
      send_invite(call, passed_media(call, Leg::a, true, *invite));
      return;
    }
  }
  const Hand hand{.message = response, .status = sip::refusal_passed(status)};
  const std::uint32_t actions = call.b.usage.on(InviteEvent::got_refusal, now_);
  pair(call, PairEvent::b_refused, hand);
  use(call, Leg::b, actions, {});
}

void Calls::win(Call& call, Strand& strand, sip::EarlyDialog& early) {
  call.won = &strand;
  if (!strand.sdp_b.empty()) call.b.sdp = std::move(strand.sdp_b);
  strand.b = std::move(early.dialog);
  early.dialog = sip::Dialog(pool_);
  call.early->drop(early.number);
}

// --- ACK

// `like`: the ACK of the other leg, when its description is the answer that is owed.
void Calls::send_ack(Call& call, Leg leg, const Received* like) {
  if (like != nullptr && like->head.method != Method::ack) like = nullptr;
  CallLeg& own = call.leg(leg);
  const sip::Dialog& to = *dialog(call, *call.won, leg);
  texts_.clear();
  if (like != nullptr) add_passed(*like, false);
  to.write(
      {.method = "ACK",
       .cseq = own.our_cseq,
       .headers = texts_,
       .content_type = like == nullptr ? std::string_view{} : like->head.value(HeaderId::content_type, like->bytes),
       .body = like == nullptr ? std::string_view{} : like->body},
      text_);
  if (like != nullptr) keep_sdp(own, *like);
  own.ack_cseq = own.our_cseq;
  (void)own.ack.keep(pool_, text_);  // without memory a repeated 2xx goes unanswered, and its sender gives up
  put_ack(errand_in(call, to, leg == Leg::a ? call.way_a : call.won->way_b), text_);
}

void Calls::resend_ack(Call& call, Leg leg, std::uint32_t cseq) {
  if (call.won == nullptr) return;
  const CallLeg& own = call.leg(leg);
  const sip::Dialog& to = *dialog(call, *call.won, leg);
  const Way& way = leg == Leg::a ? call.way_a : call.won->way_b;
  if (own.ack_cseq == cseq) {
    if (!own.ack.empty()) put_ack(errand_in(call, to, way), own.ack.view());
    return;
  }
  // Of an INVITE before the last one. Whoever took another since then has what that ACK may have said.
  texts_.clear();
  to.write({.method = "ACK", .cseq = cseq}, text_);
  put_ack(errand_in(call, to, way), text_);
}

// R3261-9.
void Calls::part(Call& call, sip::EarlyDialog& other, const Way& way) {
  const std::uint32_t number = call.numbers + 1;
  const std::uint32_t cseq = end_surplus(errand_in(call, other.dialog, way), other, call.cseq_b, number);
  if (cseq == 0) return;
  call.numbers = number;
  call.requests.push_back(
      {.kind = CallRequest::Kind::farewell, .number = number, .method = Method::bye, .cseq = cseq});
}

// --- PRACK

void Calls::send_prack(Call& call, Strand& strand, const Received* prack, sip::TransactionId server) {
  char rack[sip::rack_chars];
  texts_.clear();
  add(HeaderId::rack, sip::rack_text(strand.rseq, call.cseq_b, rack));
  const bool sdp = prack != nullptr && has_sdp(*prack);
  CallRequest& request = send(call, strand, Leg::b, CallRequest::Kind::prack, Method::prack, "PRACK", prack);
  request.server = server;
  request.sdp = sdp;
  if (sdp) keep_sdp(*prack, strand.sdp_b);
  (void)strand.of(Leg::b).offers().sent(SdpCarrier::prack, sdp);
}

}  // namespace parley::policy
