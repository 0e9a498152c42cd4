// policy/sip_participating.cc - the participating functions on the way of a request: whose it is, when its checks are
// due (participating.h), and what they answer is carried out (SEED4-6.1.1.1, SEED4-6.1.2.1). See sip_service.h.
#include <algorithm>

#include "policy/sip_service.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::Method;

// SEED4-6.1.1-1: whether this session's messages are to go through here; otherwise it is proxied (SEED4-6.1.1.2.2-2a,
// -2b, -2c, -13, -14, -15, SEED4-6.1.2.1-6, SEED4-6.1.2.2.3-4, -9, SEED4-6.1.2.2.4-3, SEED4-6.1.2.2.5-6). The operator asks
// for it, or one of its users by having it recorded (OMA-HIS-3).
bool SipService::takes_media(const Received& request, const Routing& routing, const Sender& sender) const {
  if (pairs_ == nullptr || config_->im.media.path == MediaPath::never) return false;
  const std::optional<ImKind> kind =
      request.head.method == Method::invite ? participating_.im_request(request) : std::nullopt;
  if (!kind) return false;
  if (config_->im.media.path == MediaPath::always) return true;
  return config_->im.history.on && parties_.is_recorded(request, routing, sender, history_mode(*kind));
}

// OMA-POL-3: of the policies of both sides the stricter one; 0: none.
std::uint64_t SipService::media_bytes_max(const Received& request, const Routing& routing, const Sender& sender) {
  const bool file = participating_.im_request(request) == ImKind::file_transfer;
  const auto limit_of = [&](std::string_view user) {
    const UserPolicy policy = participating_.policy_of(user);
    return (file ? policy.file_bytes_max() : policy.msrp_message_bytes_max()).value_or(0);
  };
  participating_.senders_of(request, sender.user, sender.kind == Sender::Kind::trusted, senders_);
  const std::uint64_t sent = senders_.empty() ? 0 : limit_of(senders_.front());
  const std::uint64_t taken = routing.local ? limit_of(user_key(home_.aor_of(routing.parsed, aor_))) : 0;
  return sent == 0 || taken == 0 ? std::max(sent, taken) : std::min(sent, taken);
}

// OMA-POL-5, of what a user asks of this server itself. False: refused.
bool SipService::asks_within_rate(const Received& request, const Sender& sender) {
  if (!config_->im.participating || sender.kind != Sender::Kind::user) return true;
  participating_.senders_of(request, sender.user, false, senders_);
  const OriginatingCheck* const check =
      senders_.empty() ? nullptr : participating_.rate_refusal(request, senders_.front());
  if (check == nullptr) return true;
  responder_.refuse(request, check->status, participating_.headers());
  return false;
}

// --- on the way out

// False: refused.
bool SipService::may_originate(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                               const Sender& sender) {
  const bool let_in = routing.token.has_value();  // with the dialog, as in may_originate_within()
  const std::string_view from = request.essentials.from.uri;
  const bool served = sender.kind == Sender::Kind::user ||
                      (sender.kind == Sender::Kind::trusted && routing.originating) ||
                      (sender.kind == Sender::Kind::unknown && let_in && home_.serves(from));
  std::optional<ImKind> kind = served ? participating_.im_request(request) : std::nullopt;
  // To a session of ours a REFER or SUBSCRIBE is of the service whatever its tags.
  const bool tags_matter = request.head.method != Method::refer && request.head.method != Method::subscribe;
  if (!kind && served && config_->im.participating && !tags_matter && !let_in && routing.local) {
    const auto name = focus_.named(routing.parsed.user);
    if ((name && name->kind == NameKind::session) || focus_.known(routing.parsed.user) != nullptr) {
      kind = ImKind::other;
    }
  }
  if (!kind) return true;
  count(Metric::im_originating);
  if (!participating_.judges_requests() && participating_.overdue_answers().empty())
    return true;  // nothing says otherwise
  participating_.senders_of(request, sender.user, sender.kind == Sender::Kind::trusted, senders_);
  if (std::string key = user_key(routing.served); !key.empty()) senders_.insert(senders_.begin(), std::move(key));
  const std::string_view user = senders_.empty() ? std::string_view{} : std::string_view(senders_.front());
  const UserPolicy policy = participating_.policy_of(user);
  OriginatingFacts facts{.kind = *kind};
  facts.sender_allowed = let_in || routing.local || policy.allows_peer_domain(routing.parsed.host);
  facts.answer_overdue = !let_in && participating_.owes_answer(senders_, request);
  facts.client_allowed = let_in || !policy.requires_version() ||
                         policy.allows_client(request.head.value(HeaderId::user_agent, request.bytes));
  return judge_originating(request, match, user, facts);
}

// In a dialog of ours. That was let in, with its sender and his client, and no system message ends it (OMA-SYS-5); what
// he sends in it is judged like what he sends outside. False: refused.
bool SipService::may_originate_within(const CallName& name, const Received& request, const sip::RequestMatch& match) {
  const Method method = request.head.method;
  if (method != Method::message && method != Method::refer) return true;
  if (!config_->im.participating || !participating_.judges_requests()) return true;
  const auto party = name.kind == NameKind::call ? calls_.party(name, request) : focus_.party(name, request);
  if (!party || (!party->im && !im_kind(request))) return true;
  const bool from_trusted = home_.trusts(request.flow.remote);
  Routing routing;
  if (from_trusted && (!home_.read_routing(request, routing) || !routing.originating)) return true;
  senders_.clear();
  if (party->uri.empty()) {
    participating_.senders_of(request, party->user, from_trusted, senders_);
  } else if (std::string key = user_key(party->uri); !key.empty()) {
    senders_.push_back(std::move(key));
  }
  if (senders_.empty() || (!from_trusted && !home_.serves(senders_.front()))) return true;
  count(Metric::im_originating);
  const ImKind kind = method == Method::message ? ImKind::pager : ImKind::other;
  return judge_originating(request, match, senders_.front(), {.kind = kind});
}

// `user`: who sends it. False: refused.
bool SipService::judge_originating(const Received& request, const sip::RequestMatch& match, std::string_view user,
                                   OriginatingFacts facts) {
  const OriginatingCheck* const check = participating_.originating_refusal(request, user, facts);
  if (check == nullptr) return true;
  responder_.refuse_by_transaction(request, match, check->status, participating_.headers(), participating_.body());
  return false;
}

// --- on the way in

// False: refused, and `p` is gone. Before anything goes to his devices (SEED4-6.1.2.2.2-0a). Nothing bars what the operator
// himself has to say (OMA-SYS-2), or what a user asks to be told of (OMA-DEF-12).
bool SipService::may_terminate(Proxied& p, const Received& request, const ImSettings& settings) {
  if (!p.im || p.is_system_message() || p.is_announcement()) return true;
  const bool of_call = p.errand != nullptr && p.errand->client == Errand::Client::calls;
  // What a conference of ours sends, it asserts itself; what a call passes on is asserted by who was trusted to.
  const bool asserted = p.errand == nullptr ? p.from_trusted : !of_call || p.errand->from_trusted;
  const std::string_view user = p.errand == nullptr ? std::string_view(p.user) : std::string_view(p.errand->user);
  const TerminatingCheck* const check = participating_.terminating_refusal(
      request, {.user = user, .asserted = asserted, .deferred = p.may_be_deferred()}, *p.im, p.aor, settings);
  if (check == nullptr) {
    if (of_call) calls_.on_settings(p.errand->call, Leg::b, settings);
    if (p.errand != nullptr && p.errand->client == Errand::Client::participant) {
      focus_.on_settings(p.errand->call, p.aor, settings);
    }
    return true;
  }
  settled(p);
  traces_.answered(p, check->status);
  if (p.errand != nullptr) {
    responder_.count(check->status);
    const std::string text(
        responder_.compose(request, check->status, participating_.headers(), {}, participating_.body()));
    errand_clients_.on_response(*p.errand, text, {}, false);
  } else {
    responder_.answer(request, p.server, check->status, participating_.headers(), {}, participating_.body());
  }
  drop(p);
  return false;
}

}  // namespace parley::policy
