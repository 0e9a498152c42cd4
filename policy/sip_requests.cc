// policy/sip_requests.cc - a request that no transaction knows: the checks, then where it goes (RFC 3261 sections 8.2,
// 16.3 and 16.4). See sip_service.h.
#include <algorithm>

#include "core/text.h"
#include "policy/sip_service.h"
#include "sip/address.h"
#include "sip/loop.h"
#include "sip/params.h"
#include "sip/tokens.h"
#include "sip/value.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::Method;
using sip::OptionTag;

namespace {

constexpr std::string_view allowed_methods =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, PRACK, UPDATE, REFER, INFO";

sip::OptionSet make_set(std::initializer_list<OptionTag> tags) {
  sip::OptionSet set;
  for (const OptionTag tag : tags) set.add(tag);
  return set;
}

// What a proxy is asked to know (T-15); `privacy` by RFC 3323 section 5, `pref` by RFC 3840.
sip::OptionSet proxy_options() { return make_set({OptionTag::privacy, OptionTag::pref, OptionTag::path, OptionTag::outbound}); }
// What a registrar and a server of OPTIONS is asked to know.
sip::OptionSet uas_options() {
  return make_set({OptionTag::path, OptionTag::outbound, OptionTag::pref, OptionTag::timer, OptionTag::rel100,
                   OptionTag::replaces, OptionTag::norefersub, OptionTag::tdialog});
}

// The tags of all headers of one kind that are not in `known`, as a list.
void put_unsupported(const sip::Head& head, std::string_view bytes, HeaderId id, sip::OptionSet known, std::string& out) {
  for (const sip::Header* header = head.first(id); header != nullptr; header = head.next(*header)) {
    std::string_view rest = header->value.of(bytes);
    for (std::string_view tag = sip::next_unsupported(rest, known); !tag.empty();
         tag = sip::next_unsupported(rest, known)) {
      if (!out.empty()) out += ", ";
      out += tag;
    }
  }
}

}  // namespace

void SipService::on_request(const Received& request, const sip::RequestMatch& match) {
  const Method method = request.head.method;
  if (method == Method::ack) {
    if (!on_call_request(request, match)) on_ack(request);
    return;
  }
  if (method == Method::cancel) {  // R3261-7: nothing here to cancel
    responder_.refuse(request, 481);
    return;
  }
  if (!admission_.lets_in(request)) {
    responder_.refuse(request, 503);
    return;
  }
  if (on_call_request(request, match)) return;
  Routing routing;
  if (!home_.read_routing(request, routing)) {
    responder_.refuse(request, 400, {}, "Bad Route");
    return;
  }
  if (is_of_session_elsewhere(request, routing) || is_elsewhere(request, routing)) return;
  const bool by_token = routing.token && routing.token->has_flow;
  const bool ends_here = routing.local && routing.next_route.empty() && !by_token;
  const bool for_server = ends_here && (routing.parsed.user.empty() || method == Method::register_);
  if (for_server && method == Method::options) {  // whether we are there may be asked without proof, and with Max-Forwards 0
    if (uas_checks(request)) on_options(request);
    return;
  }
  // The core asks us what we alone know, whatever Route it has besides.
  const bool by_core = !by_token && routing.local && routing.own_routes > 0 && home_.trusts(request.flow.remote);
  const bool asked = ends_here || (by_core && (about_settings_event(request) || about_deferred_event(request) || history_lists_.wants(request)));
  if ((asked || by_core) && about_deferred(request, routing)) {
    on_deferred_request(request, match, routing);
    return;
  }
  const bool for_events = asked && about_user(request, routing);
  const bool publishes = asked && about_settings(request, routing);
  if (!for_server && !for_events && !publishes && !proxy_checks(request, routing)) return;
  if (draining_ && request.essentials.to_tag.empty()) {
    responder_.refuse(request, 503);
    return;
  }
  if (for_events) {
    on_subscribe(request, match, routing);
    return;
  }
  if (publishes) {
    on_publish(request, match, routing);
    return;
  }
  Sender sender;
  if (!identify(request, routing, sender)) return;
  if (for_server) {
    if (method == Method::register_ && !config_->registers_users && sender.kind != Sender::Kind::trusted) {
      responder_.refuse(request, 403);  // another one is the registrar, and tells us (OMA-REG-1)
    } else if (method == Method::register_) {
      on_register(request, match, sender);
    } else {
      answer_here(request, match);
    }
    return;
  }
  if (method == Method::register_) {  // no registrar for others
    responder_.refuse(request, 403);
    return;
  }
  if (about_system(request, routing)) {
    on_system_answer(request, match, sender);
    return;
  }
  if (sender.kind == Sender::Kind::trusted) parties_.read_served(request, routing);
  if (!may_originate(request, match, routing, sender)) return;
  if (on_focus_request(request, match, routing, sender)) return;
  const bool begins_call = method == Method::invite && request.essentials.to_tag.empty() && !routing.token;
  if (request.essentials.to_tag.empty()) look_beyond(routing);
  if (begins_call && (config_->calls.carrying == Carrying::b2bua || takes_media(request, routing, sender))) {
    begin_call(request, match, routing, sender);
    return;
  }
  proxy(request, match, routing, sender);
}

// Requests to the server itself that nothing here serves.
void SipService::answer_here(const Received& request, const sip::RequestMatch&) {
  if (!request.essentials.to_tag.empty()) {
    responder_.refuse(request, 481);
  } else if (request.head.method == Method::subscribe) {
    sip::Event event;
    const bool good = sip::parse_event(request.head.value(HeaderId::event, request.bytes), event);
    const std::string events = allowed_events();
    const sip::HeaderText allow{.id = HeaderId::allow_events, .value = events};
    // About a user, but none.
    const bool served = good && (reg_events_.serves(event.package) || watch_.serves(event.package));
    responder_.refuse(request, served ? 404 : 489, {&allow, 1});  // R6665-3
  } else if (request.head.method == Method::other) {
    const sip::HeaderText allow{.id = HeaderId::allow, .value = allowed_methods};
    responder_.refuse(request, 501, {&allow, 1});
  } else {
    responder_.refuse(request, 404);
  }
}

// Of what we know of users ourselves.
std::string SipService::allowed_events() const {
  std::string events = reg_events_.allowed_events();
  if (config_->im.deferred.on || config_->im.history_access.on) events.append(", ").append(watch_.allowed_events());
  return events;
}

void SipService::on_options(const Received& request) {
  const std::string events = allowed_events();
  const sip::HeaderText headers[] = {{.id = HeaderId::allow, .value = allowed_methods},
                                     {.id = HeaderId::accept, .value = "*/*"},
                                     {.id = HeaderId::allow_events, .value = events},
                                     {.id = HeaderId::supported, .value = "path, outbound, pref"}};
  responder_.refuse(request, 200, headers);
}

bool SipService::uas_checks(const Received& request, sip::OptionSet more) {
  value_.clear();
  sip::OptionSet known = uas_options();
  known.add(more);
  put_unsupported(request.head, request.bytes, HeaderId::require, known, value_);
  if (value_.empty()) return true;
  const sip::HeaderText unsupported{.id = HeaderId::unsupported, .value = value_};
  responder_.refuse(request, 420, {&unsupported, 1});
  return false;
}

// RFC 3261 section 16.3, in its order; authorization is the last and stands in identify().
bool SipService::proxy_checks(const Received& request, Routing& routing) {
  if (routing.parsed.scheme == sip::Scheme::other) {
    responder_.refuse(request, 416);
    return false;
  }
  if (request.essentials.has_max_forwards && request.essentials.max_forwards == 0) {
    responder_.refuse(request, 483);
    return false;
  }
  routing.loop = sip::loop_hash(loop_seed_, request.head, request.bytes);
  if (home_.may_have_sent(request) &&
      sip::check_loop(request.head, request.bytes, routing.loop, home_.sent_by()) == sip::Passage::loop) {
    responder_.refuse(request, 482);
    return false;
  }
  value_.clear();
  put_unsupported(request.head, request.bytes, HeaderId::proxy_require, proxy_options(), value_);
  if (value_.empty()) return true;
  const sip::HeaderText unsupported{.id = HeaderId::unsupported, .value = value_};
  responder_.refuse(request, 420, {&unsupported, 1});
  return false;
}

// --- where it goes

// --- who sends it

bool SipService::identify(const Received& request, const Routing& routing, Sender& sender) {
  if (home_.trusts(request.flow.remote)) {
    sender.kind = Sender::Kind::trusted;
    return true;
  }
  if (routing.token) return true;  // a dialog that somebody proven has begun
  const bool registers = request.head.method == Method::register_;
  const bool secret = request.flow.transport == core::Transport::tls || request.flow.transport == core::Transport::wss;
  const bool plain_here = config_->plain_digest == PlainDigest::always ||
                          (config_->plain_digest == PlainDigest::loopback && core::is_loopback(request.flow.remote));
  if (!secret && !plain_here) {
    responder_.refuse(request, 403, {}, "TLS Required");
    return false;
  }
  const sip::DigestResult result = digest_.judge({.realm = config_->realm,
                                                  .users = config_->users,
                                                  .header = registers ? HeaderId::authorization : HeaderId::proxy_authorization,
                                                  .head = request.head,
                                                  .bytes = request.bytes,
                                                  .source = request.flow.remote},
                                                 now_.mono);
  using Verdict = sip::DigestVerdict;
  switch (result.verdict) {
    case Verdict::accepted: break;
    case Verdict::rate_limited: responder_.refuse(request, 403); return false;
    case Verdict::stale:
    case Verdict::replayed: challenge(request, true, !registers); return false;
    case Verdict::no_credentials:
    case Verdict::failed: challenge(request, false, !registers); return false;
  }
  sender.kind = Sender::Kind::user;
  sender.user = result.user;
  admission_.prove(request);
  if (registers) return true;
  // Under another of our users' names nobody may send; anonymous and foreign names are for the recipient to judge.
  sip::Uri from;
  if (sip::parse_uri(request.essentials.from.uri, from) && (home_.has_domain(from.host) || home_.names_us(from)) &&
      !sip::same_escaped(from.user, sender.user)) {
    responder_.refuse(request, 403, {}, "From Is Not Yours");
    return false;
  }
  return true;
}

void SipService::challenge(const Received& request, bool stale, bool by_proxy) {
  lines_.clear();
  const std::uint64_t name = sip::request_hash(tag_key_, request.essentials).low;
  digest_.challenge(by_proxy ? HeaderId::proxy_authenticate : HeaderId::www_authenticate, config_->realm, stale,
                    now_.mono, lines_, name | 1);
  responder_.refuse(request, by_proxy ? 407 : 401, lines_.headers());
}

sip::TransactionId SipService::claimed(const Received& request, const sip::RequestMatch& match) {
  const sip::TransactionId server = transactions_.open_server(request, match, 0, now_.mono);
  if (!server.valid()) {
    responder_.refuse(request, 503);
    return {};
  }
  if (!transactions_.claim(server, request)) {
    responder_.answer(request, server, 482);
    return {};
  }
  return server;
}

// --- CANCEL

// It can not be challenged (RFC 3261 section 22.1), and everybody further on has seen the Via that it needs: so it must
// come from the host that the INVITE came from. A trusted network may have several.
bool SipService::may_cancel(const Received& request, const sip::RequestMatch& match) const {
  const core::Address invite = core::unmapped(transactions_.flow_of(match.id).remote);
  const core::Address from = core::unmapped(request.flow.remote);
  return (from.family == invite.family && from.ip == invite.ip) || (home_.trusts(from) && home_.trusts(invite));
}

void SipService::on_cancel(const Received& request, const sip::RequestMatch& match) {
  if (!may_cancel(request, match)) {
    responder_.refuse(request, 481);
    return;
  }
  if (owner_kind(match.owner) == Owner::call) {
    calls_.on_cancel(owner_id(match.owner), request, match);
    return;
  }
  if (owner_kind(match.owner) == Owner::participant) {
    focus_.on_cancel(owner_id(match.owner), request, match);
    return;
  }
  const sip::TransactionId id = transactions_.open_server(request, match, 0, now_.mono);
  if (!id.valid()) {
    responder_.refuse(request, 503);
    return;
  }
  responder_.answer(request, id, 200);
  if (owner_kind(match.owner) != Owner::proxied) return;
  Proxied* const p = proxied_.get(owner_id(match.owner));
  if (p == nullptr) return;
  if (p->branches.empty()) {  // still asking where to
    final_of_ours(*p, 487);
    drop(*p);
    return;
  }
  constexpr std::size_t reason_bytes_max = 512;
  for (const sip::Header* h = request.head.first(HeaderId::reason); h != nullptr; h = request.head.next(*h)) {
    const std::string_view reason = h->value.of(request.bytes);
    if (p->reason.size() + reason.size() > reason_bytes_max) break;
    if (!p->reason.empty()) p->reason += ", ";
    p->reason += reason;
  }
  carry_out(*p, p->fork.cancel(), nullptr, 0);
}

}  // namespace parley::policy
