// policy/sip_calls.cc - between the calls of this shard (calls.h) and the way of their messages: what is theirs goes to
// them, what they want sent takes the targets, hops and transactions of a proxied request. See sip_service.h.
#include <utility>

#include "core/check.h"
#include "core/id_text.h"
#include "policy/own_names.h"
#include "policy/sip_service.h"
#include "sip/identity.h"
#include "sip/value.h"
#include "sip/writer.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::Method;

// An INVITE that begins a call which we carry.
void SipService::begin_call(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                            const Sender& sender) {
  sip::OptionSet more;
  for (const sip::OptionTag tag : Calls::required_of_ends) more.add(tag);
  if (!uas_checks(request, more)) return;
  Calls::Invitation invitation{.uri = routing.uri,
                               .next = routing.next_route,
                               .user = sender.user,
                               .from_trusted = sender.kind == Sender::Kind::trusted,
                               .media = takes_media(request, routing, sender),
                               .media_optional = config_->im.media.path == MediaPath::automatic};
  std::string served;
  if (const std::optional<ImKind> kind = participating_.im_request(request)) {
    invitation.im = true;
    invitation.session = kind == ImKind::session;
    invitation.served = parties_.sender_aor(request, routing, sender, served);
    invitation.history_mode = history_mode(*kind);
  }
  if (invitation.media) invitation.bytes_max = media_bytes_max(request, routing, sender);
  std::string routes;
  Forwarder::put_routes(request, routing, {}, routes);
  invitation.routes = routes;
  invitation.by_core = goes_by_core(request, routing, sender);
  if (parties_.comes_by_core(request, routing, sender)) {
    invitation.outside = true;
    invitation.aor = parties_.core_aor(routing, aor_);
  } else if (!routing.next_route.empty() || !routing.local) {
    invitation.outside = !routing.token;
  } else {
    invitation.aor = home_.aor_of(routing.parsed, aor_);
  }
  const std::uint16_t status = calls_.invite(request, match, invitation);
  if (status == 0) {
    if (invitation.media && !served.empty()) ask_settings(calls_.begun(), served);
    return;
  }
  if (status == 503) {
    responder_.refuse(request, status, calls_.headers());
  } else {
    responder_.refuse_by_transaction(request, match, status, calls_.headers());
  }
}

// True: it is of a call or a conference, here or on another shard, and has been dealt with.
bool SipService::on_call_request(const Received& request, const sip::RequestMatch& match) {
  const auto name = calls_.named(request);
  if (!name || name->shard >= shard_count_) return false;
  if (name->shard != shard_) {
    transport_.pass_on(name->shard, request);
    return true;
  }
  if (request.head.method == Method::ack) {
    if (name->kind == NameKind::call) {
      calls_.on_ack(*name, request);
    } else {
      focus_.on_ack(*name, request);
    }
    return true;
  }
  if (request.essentials.has_max_forwards && request.essentials.max_forwards == 0) {
    responder_.refuse(request, 483);
    return true;
  }
  sip::OptionSet more;
  if (request.head.method == Method::refer) more.add(sip::OptionTag::multiple_refer);
  if (!uas_checks(request, more) || !may_originate_within(*name, request, match)) return true;
  if (!may_begin_file(*name, request, match)) return true;
  if (name->kind != NameKind::call) {
    on_dialog_request(*name, request, match);
    return true;
  }
  const std::uint16_t status = calls_.on_request(*name, request, match, home_.trusts(request.flow.remote));
  if (status != 0) responder_.refuse_once(request, match, status, calls_.headers());
  return true;
}

// A request outside any dialog to a Contact of ours, or an INVITE about a call, which another shard has. True: it has
// been passed on.
bool SipService::is_elsewhere(const Received& request, const Routing& routing) {
  if (!request.essentials.to_tag.empty()) return false;
  if (routing.local && focus_.known(routing.parsed.user) != nullptr) return false;
  auto name = routing.local ? calls_.named(routing.parsed.user) : std::nullopt;
  if (!name && request.head.method == Method::invite) name = calls_.named_beside(request);
  if (!name || name->shard == shard_ || name->shard >= shard_count_) return false;
  transport_.pass_on(name->shard, request);
  return true;
}

// The same on the call's own shard: it goes to whom that Contact stands for.
void SipService::look_beyond(Routing& routing) {
  if (!routing.local) return;
  const auto name = calls_.named(routing.parsed.user);
  if (!name || name->shard != shard_ || name->kind != NameKind::call) return;
  const auto to = calls_.beyond(*name, routing.parsed.user);
  if (!to) return;
  routing.uri = to->uri;
  routing.next_route = to->next;
  routing.local = false;
  routing.token = sip::RouteToken{.has_flow = to->way->back, .flow = to->way->flow};  // it has leave to go there
}

// --- errands

void SipService::run_errands() {
  pass_large();
  for (Errand errand; errand_clients_.next(errand);) {
    switch (errand.kind) {
      case Errand::Kind::request: start_errand(std::move(errand)); break;
      case Errand::Kind::ack: send_call_ack(errand); break;
      case Errand::Kind::cancel: cancel_errand(errand); break;
      case Errand::Kind::keep: keep(*errand.flow, errand.until); break;
    }
    pass_large();
    errand = {};
  }
}

void SipService::start_errand(Errand errand) {
  const bool invite = errand.method == Method::invite;
  const core::SlotId id =
      proxied_.emplace(sip::ForkConfig{.invite = invite, .breadth = sip::breadth_default, .may_wait = invite});
  if (!id.valid()) {
    count(Metric::sip_proxied_limit);
    if (errand.client == Errand::Client::copy) {
      exploder_.on_no_room(errand.call, errand.number);
      return;
    }
    errand_clients_.on_outcome(errand, 503);
    errand_clients_.on_over(errand);
    return;
  }
  Proxied& p = *proxied_.get(id);
  ++unanswered_;
  p.self = id;
  p.answer_timer.owner = id.packed();
  p.method = errand.method;
  p.from_trusted = errand.from_trusted;  // what its responses tell goes on to there
  p.has_to_tag = errand.in_dialog;
  p.errand = std::make_unique<Errand>(std::move(errand));
  const Errand& e = *p.errand;
  if (invite) invites_.insert_or_assign({e.client, e.call.packed(), e.number}, id);
  const Received* const request = request_of(p);
  if (request == nullptr) {  // we wrote it, but what came from others in it is more than is read here by now
    final_of_ours(p, 513);
    drop(p);
    return;
  }
  if (!e.in_dialog) p.im = participating_.im_request(*request);
  p.trace = traces_.add(*request, &e);
  sip::Uri uri;
  const bool ours = e.by_uri && sip::parse_uri(request->head.uri.of(request->bytes), uri) &&
                    (uri.scheme == sip::Scheme::tel || home_.names_us(uri));
  if (ours) p.aor = std::string(home_.aor_of(uri, aor_));
  if (ours && p.aor.empty()) {
    final_of_ours(p, 404);
    drop(p);
    return;
  }
  if (!e.aor.empty()) p.aor = e.aor;
  p.by_core = e.by_core && !home_.core_route().empty();
  p.routed = !e.aor.empty() && !e.next.empty();
  if (p.aor.empty()) {
    errand_on(p, *request);
  } else {
    look_up(p, *request);
  }
}

void SipService::cancel_errand(const Errand& errand) {
  const auto found = invites_.find({errand.client, errand.call.packed(), errand.number});
  Proxied* const p = found == invites_.end() ? nullptr : proxied_.get(found->second);
  if (p == nullptr) return;
  p->reason = errand.reason;
  if (p->branches.empty()) {  // still asking where to
    final_of_ours(*p, 487);
    drop(*p);
    return;
  }
  carry_out(*p, p->fork.cancel(), nullptr, 0);
}

// R3261-8: without a transaction. Names are not looked up for it: the way the 2xx came leads there.
void SipService::send_call_ack(const Errand& errand) {
  const Received* const request = read_again(errand.text, {});
  CHECK(request != nullptr);
  std::optional<Flow> out = errand.flow;
  Hop hop;
  if (!out && literal_hop(errand.next, hop) && home_.may_reach(hop.address)) {
    out = transport_.flow_to({hop.transport, hop.address, hop.tls_name});
  }
  if (!out) out = errand.came_by;
  char branch[7 + core::letters64_chars];
  std::string_view("z9hG4bK").copy(branch, 7);
  core::letters_encode64(random_.next(), branch + 7);
  const std::string_view uri = request->head.uri.of(request->bytes);
  if (!out || !transport_.send(*out, forwarder_.errand(errand, *request, *out, {branch, sizeof branch}, uri, {}))) {
    count(Metric::sip_dropped);
  }
}

// --- a BYE that came to nobody

// Its connection broke, or none came up: that may be over in a moment, and who does not hear it believes that the session
// goes on. Where no answer came it has been repeated for long enough, and what was answered, if with 503, has come there.
bool SipService::may_try_again(Proxied& p) {
  constexpr std::uint8_t tries_max = 4;
  if (p.errand == nullptr || p.method != Method::bye || p.answered_503 || ++p.errand->tries == tries_max) return false;
  p.tries_again = true;
  return true;
}

void SipService::wait_to_try_again(Proxied& p) {
  constexpr core::Duration pause = std::chrono::seconds(2);
  for (auto& branch : p.branches) recycle(std::move(branch));
  p.branches.clear();
  p.fork = sip::Fork(sip::ForkConfig{.breadth = sip::breadth_default});
  wheel_.arm(p.answer_timer, now_.mono + pause);
}

void SipService::try_again(Proxied& p) {
  count(Metric::sip_byes_tried_again);
  p.tries_again = false;
  const Received* const request = request_of(p);
  CHECK(request != nullptr);  // it was read before
  errand_on(p, *request);
}

// --- what comes of them

void SipService::give_call(Proxied& p, const Received& response, unsigned branch) {
  const bool by_flow = branch < p.branches.size() && p.branches[branch]->by_flow;
  const std::string text(forwarder_.response_here(p.from_trusted, response));
  errand_clients_.on_response(*p.errand, text, response.flow, by_flow);
}

void SipService::end_errand(const Proxied& p) {
  if (p.method == Method::invite) invites_.erase({p.errand->client, p.errand->call.packed(), p.errand->number});
  errand_clients_.on_over(*p.errand);
}

}  // namespace parley::policy
