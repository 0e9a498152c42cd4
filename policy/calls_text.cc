// policy/calls_text.cc - what the messages of a call look like: which headers go on, and which are ours. See calls.h.
#include "core/text.h"
#include "core/text_out.h"
#include "policy/calls.h"
#include "policy/im_request.h"
#include "policy/own_names.h"
#include "policy/owner.h"
#include "sip/content_type.h"
#include "sip/identity.h"
#include "sip/params.h"
#include "sip/response_route.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;

namespace {

constexpr std::string_view own_methods =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, PRACK, UPDATE, REFER, INFO, SUBSCRIBE, NOTIFY";

// Names of dialogs, which are other ones on the other leg.
bool names_dialog(HeaderId id) {
  return id == HeaderId::join || id == HeaderId::replaces || id == HeaderId::target_dialog || id == HeaderId::event;
}

}  // namespace

void Calls::take_abilities(CallLeg& leg, const Received& message, bool im) {
  (void)take_allow(message, leg.allow, leg.allows);
  std::string_view contacts = message.head.value(HeaderId::contact, message.bytes);
  sip::Address contact;
  if (contacts.empty() || !sip::take_address(contacts, contact)) return;
  leg.features.clear();
  bool tagged = false;
  for (sip::Param param; sip::take_param(contact.params, param);) {
    // Of that one binding or device, and not of whoever we name.
    bool bound = false;
    for (const std::string_view name : {"q", "expires", "reg-id", "+sip.instance", "pub-gruu", "temp-gruu"}) {
      bound = bound || core::equal_ignore_case(param.name, name);
    }
    if (bound) continue;
    tagged = tagged || core::equal_ignore_case(param.name, im_tag);
    leg.features.append(";").append(param.name);
    if (param.has_value) leg.features.append("=").append(param.value);
  }
  // SEED4-6.1.1.2.2-1f, SEED4-6.1.2.2.2-8b, SEED4-6.1.2.2.2-18.
  if (im && !tagged) leg.features.append(";").append(im_tag);
}

void Calls::keep_sdp(CallLeg& leg, const Received& message) {
  if (has_sdp(message)) leg.restoring = false;
  keep_sdp(message, leg.sdp);
}

void Calls::keep_sdp(const Received& message, sip::KeptBytes& place) {
  const std::string_view description = description_of(message);
  if (!description.empty() && !place.keep(pool_, description)) place.drop();  // one before it does not hold any more
}

// SEED4-6.1.1.2.2-IMS, SEED4-6.1.2.2.2-IMS to SEED4-6.1.2.2.5-IMS: what the core says of identities, charging and access goes
// from leg to leg; where trust ends it is taken off. Routes are those of each dialog.
void Calls::add_passed(const Received& message, bool with_type) {
  sip::Privacy privacy = sip::privacy_of(message.head, message.bytes);
  if (privacy.none) privacy = {};
  for (std::size_t i = 0; i < message.head.header_count; ++i) {
    const sip::Header& header = message.head.headers[i];
    const std::string_view name = header.name.of(message.bytes);
    switch (sip::header_pass(header.id, name, config_->calls.pass_unknown)) {
      case sip::HeaderPass::own: continue;
      case sip::HeaderPass::policy:
        if (names_dialog(header.id)) continue;
        break;
      case sip::HeaderPass::body:
        if (message.body.empty() || (header.id == HeaderId::content_type && !with_type)) continue;
        break;
      case sip::HeaderPass::pass:
        // R3323-2. What P-Asserted-Identity deserves is known where it leaves.
        if (sip::is_private_header(privacy, header.id)) continue;
        break;
    }
    texts_.push_back({.id = header.id, .value = header.value.of(message.bytes), .name = name});
  }
}

// SEED4-6.1.1.2.2-7a, DEC-10: it names us and says of the other side what that said of itself.
void Calls::add_contact(std::string_view user, const sip::Flow& flow, const CallLeg& other, bool secure) {
  UserAgent::add_contact(user, flow, secure, other.features);
}

void Calls::add_allow(const CallLeg& other) { add(HeaderId::allow, other.allow.empty() ? own_methods : other.allow); }

void Calls::respond(sip::TransactionId server, std::uint16_t status, const Received* like, std::string_view tag) {
  const Received* const request = stored(server);
  if (request == nullptr) return;
  if (like != nullptr) add_passed(*like, true);
  const bool same = like != nullptr && like->head.status == status;
  compose(*request, status, same ? like->head.reason.of(like->bytes) : std::string_view{}, tag, false,
          like == nullptr ? std::string_view{} : like->body);
  if (transactions_.respond(server, status, text_, now_) == sip::Responded::not_sent) {
    metrics_.add(Metric::sip_responses_unsent);
  }
}

void Calls::respond_plain(sip::TransactionId server, std::uint16_t status) {
  texts_.clear();
  respond(server, status, nullptr, {});
}

Errand Calls::errand_in(const Call& call, const sip::Dialog& to, const Way& way) const {
  Errand errand;
  errand.call = call.self;
  errand.next = to.next_hop();
  if (way.back) errand.flow = way.flow;
  errand.came_by = way.flow;
  errand.secure = to.secure();
  errand.from_trusted = from_trusted_;
  return errand;
}

void Calls::send_cancel(const Call& call, std::uint32_t number, std::string_view reason) {
  Errand errand;
  errand.kind = Errand::Kind::cancel;
  errand.call = call.self;
  errand.number = number;
  errand.reason = reason;
  errands_.push_back(std::move(errand));
}

CallRequest& Calls::send(Call& call, Strand& strand, Leg leg, CallRequest::Kind kind, Method method,
                         std::string_view name, const Received* like, std::string_view sdp) {
  sip::Dialog& own = *dialog(call, strand, leg);
  const std::uint32_t cseq = own.next_cseq();
  if (like != nullptr) add_passed(*like, false);
  Errand errand = errand_in(call, own, leg == Leg::a ? call.way_a : strand.way_b);
  errand.number = ++call.numbers;
  errand.method = method;
  own.write(
      {.method = name,
       .cseq = cseq,
       .headers = texts_,
       .content_type = like == nullptr ? "application/sdp" : like->head.value(HeaderId::content_type, like->bytes),
       .body = like == nullptr ? sdp : like->body},
      errand.text);
  if (sip::refreshes_target(method)) {
    errand.contact_user = own.local_tag();
    errand.contact_params = call.leg(sip::other(leg)).features;
  }
  errands_.push_back(std::move(errand));
  call.requests.push_back(
      {.kind = kind, .number = call.numbers, .leg = leg, .method = method, .cseq = cseq, .strand = &strand});
  return call.requests.back();
}

}  // namespace parley::policy
