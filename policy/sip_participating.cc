// policy/sip_participating.cc - the participating functions on the way of a request: what the checks of originating.h
// and terminating.h ask about is gathered here, and what they answer is carried out (SEED4-6.1.1.1, SEED4-6.1.2.1). See
// sip_service.h.
#include <algorithm>

#include "policy/content_policy.h"
#include "policy/own_names.h"
#include "policy/sip_service.h"
#include "sip/address.h"
#include "sip/reason_headers.h"
#include "sip/value.h"

namespace parley::policy {

using core::Metric;
using sip::HeaderId;
using sip::Method;

namespace {

constexpr std::int64_t skew_ms = 60'000;  // T-88

const OperatorPolicy no_policy;

std::optional<RatedMethod> rated(Method method) {
  switch (method) {
    case Method::message: return RatedMethod::message;
    case Method::invite: return RatedMethod::invite;
    case Method::publish: return RatedMethod::publish;
    case Method::subscribe: return RatedMethod::subscribe;
    case Method::refer: return RatedMethod::invite;  // whom it names is invited
    default: return std::nullopt;
  }
}

// DEC-14: by Date if that is to be believed, else from its arrival on, when it can not be over yet.
bool is_expired(const sip::Received& request, std::int64_t wall_ms) {
  std::uint32_t expires = 0;
  std::int64_t sent = 0;
  if (!sip::clamped_number(request.head.value(HeaderId::expires, request.bytes), expires) ||
      !sip::parse_date(request.head.value(HeaderId::date, request.bytes), sent)) {
    return false;
  }
  if (sent * 1000 > wall_ms + skew_ms) return false;  // T-88: its clock is wrong
  return (sent + expires) * 1000 + skew_ms < wall_ms;
}

}  // namespace

UserPolicy SipService::policy_of(std::string_view user) const {
  return (config_->documents == nullptr ? no_policy : config_->documents->policy).for_user(user);
}

// Whether a request is one for the participating functions: outside any dialog that was let in, and of the IM service.
// A MESSAGE can be read without any dialog, so its To tag proves nothing.
std::optional<ImKind> SipService::im_request(const Received& request, bool let_in) const {
  if (!config_->im.participating || let_in) return std::nullopt;
  if (!request.essentials.to_tag.empty() && request.head.method != Method::message) return std::nullopt;
  return im_kind(request);
}

// SEED4-6.1.1-1: whether this session's messages are to go through here; otherwise it is proxied (SEED4-6.1.1.2.2-2a,
// -2b, -2c, -13, -14, -15, SEED4-6.1.2.1-6, SEED4-6.1.2.2.3-4, -9, SEED4-6.1.2.2.4-3, SEED4-6.1.2.2.5-6). The operator asks
// for it, or one of its users by having it recorded (OMA-HIS-3).
bool SipService::takes_media(const Received& request, const Routing& routing, const Sender& sender) const {
  if (pairs_ == nullptr || config_->im.media.path == MediaPath::never) return false;
  const std::optional<ImKind> kind = request.head.method == Method::invite ? im_request(request) : std::nullopt;
  if (!kind) return false;
  if (config_->im.media.path == MediaPath::always) return true;
  return config_->im.history.on && is_recorded(request, routing, sender, history_mode(*kind));
}

// The user served here who sends it, as an address of record in `room`; empty: nobody is.
std::string_view SipService::served_aor(const Received& request, const Routing& routing, const Sender& sender,
                                        std::string& room) const {
  sip::Uri uri;
  if (sender.kind == Sender::Kind::user && !config_->domains.empty()) {
    room.assign("sip:").append(sender.user).append("@").append(config_->domains.front());
    const std::string text = room;
    return sip::parse_uri(text, uri) ? own_aor(uri, room) : std::string_view{};
  }
  if (sender.kind != Sender::Kind::trusted || !routing.originating) return {};
  const sip::AssertedIdentity asserted = sip::asserted_identity(request.head, request.bytes);
  const std::string_view who = asserted.any() ? asserted.best().uri : std::string_view(request.essentials.from.uri);
  return sip::parse_uri(who, uri) && (uri.scheme == sip::Scheme::tel || names_us(uri)) ? own_aor(uri, room)
                                                                                       : std::string_view{};
}

// OMA-POL-3: of the policies of both sides the stricter one; 0: none.
std::uint64_t SipService::media_bytes_max(const Received& request, const Routing& routing, const Sender& sender) {
  const bool file = im_request(request) == ImKind::file_transfer;
  const auto limit_of = [&](std::string_view user) {
    const UserPolicy policy = policy_of(user);
    return (file ? policy.file_bytes_max() : policy.msrp_message_bytes_max()).value_or(0);
  };
  senders_of(request, sender.user, sender.kind == Sender::Kind::trusted, senders_);
  const std::uint64_t sent = senders_.empty() ? 0 : limit_of(senders_.front());
  const std::uint64_t taken = routing.local ? limit_of(user_key(own_aor(routing.parsed, aor_))) : 0;
  return sent == 0 || taken == 0 ? std::max(sent, taken) : std::min(sent, taken);
}

// OMA-POL-5.
bool SipService::within_rate(std::string_view user, Method method) {
  const std::optional<RatedMethod> what = rated(method);
  const std::optional<Rate> rate = what ? policy_of(user).rate(*what) : std::nullopt;
  return !rate || rates_.take(user, *what, *rate, now_.mono);
}

// OMA-POL-5, of what a user asks of this server itself. False: refused.
bool SipService::asks_within_rate(const Received& request, const Sender& sender) {
  if (!config_->im.participating || sender.kind != Sender::Kind::user) return true;
  senders_of(request, sender.user, false, senders_);
  if (senders_.empty() || within_rate(senders_.front(), request.head.method)) return true;
  const OriginatingCheck& check = *refusal(OriginatingFacts{.rate_allowed = false});
  count(check.counter);
  put_refusal({check.status, check.tells, check.text, check.page}, policy_of(senders_.front()), {}, ImKind::other,
              request);
  refuse(request, check.status, lines_.headers());
  return false;
}

// Who sends it, by user_key of what is proven or asserted: at most a SIP address and a number.
void SipService::senders_of(const Received& request, std::string_view user, bool asserted,
                            std::vector<std::string>& keys) const {
  keys.clear();
  const auto add = [&keys](std::string_view uri) {
    if (std::string key = user_key(uri); !key.empty()) keys.push_back(std::move(key));
  };
  if (!user.empty() && !config_->domains.empty()) {
    add("sip:" + std::string(user) + "@" + config_->domains.front());
    return;
  }
  if (asserted) {
    const sip::AssertedIdentity identity = sip::asserted_identity(request.head, request.bytes);
    add(identity.sip.uri);
    add(identity.tel.uri);
  }
  if (!keys.empty()) return;
  // Not by its essentials: what is written here has no Via yet, and is not read as far as that.
  std::string_view rest = request.head.value(HeaderId::from, request.bytes);
  if (sip::Address from; sip::take_address(rest, from)) add(from.uri);
}

// --- on an IMS core (TS 24.229 section 5.7)

// What a trusted peer says of whom we are to serve (SEED4-6.1.1.1-IMS, SEED4-6.1.2.1-IMS).
void SipService::read_served(const Received& request, Routing& routing) const {
  if (!config_->im.participating || !request.essentials.to_tag.empty()) return;
  const sip::ServedUser served = sip::served_user(request.head, request.bytes);
  if (served.side == sip::ServedUser::Side::unsaid) return;
  routing.served = served.uri;
  routing.originating = served.side == sip::ServedUser::Side::originating;
}

// The core asks for the terminating checks, of whatever session (SEED4-6.1.1.2.1-IMS, SEED4-6.1.2.2.1-IMS): its Route leads
// here and then back to it, which has the user's bindings.
bool SipService::comes_by_core(const Received& request, const Routing& routing, const Sender& sender) const {
  return sender.kind == Sender::Kind::trusted && !routing.originating && routing.own_routes > 0 && !routing.token &&
         !routing.next_route.empty() && (routing.local || routing.parsed.scheme == sip::Scheme::tel) &&
         !routing.parsed.user.empty() && im_request(request).has_value();
}

// Whose checks these are.
std::string_view SipService::served_aor(const Routing& routing, std::string& room) const {
  sip::Uri uri;
  const bool named = !routing.served.empty() && sip::parse_uri(routing.served, uri) &&
                     (names_us(uri) || uri.scheme == sip::Scheme::tel);
  return own_aor(named ? uri : routing.parsed, room);
}

// --- on the way out

// Whether a URI is that of a user of ours. A number may be anybody's.
bool SipService::is_served(std::string_view user) const {
  sip::Uri uri;
  return sip::parse_uri(user, uri) && (uri.host.empty() || our_domain(uri.host) || names_us(uri));
}

// False: refused.
bool SipService::may_originate(const Received& request, const sip::RequestMatch& match, const Routing& routing,
                               const Sender& sender) {
  const bool let_in = routing.token.has_value();  // with the dialog, as in may_originate_within()
  const std::string_view from = request.essentials.from.uri;
  const bool served = sender.kind == Sender::Kind::user ||
                      (sender.kind == Sender::Kind::trusted && routing.originating) ||
                      (sender.kind == Sender::Kind::unknown && let_in && is_served(from));
  std::optional<ImKind> kind = served ? im_request(request) : std::nullopt;
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
  if (!judges_requests() && overdue_answers_.empty()) return true;  // nothing says otherwise
  senders_of(request, sender.user, sender.kind == Sender::Kind::trusted, senders_);
  if (std::string key = user_key(routing.served); !key.empty()) senders_.insert(senders_.begin(), std::move(key));
  const std::string_view user = senders_.empty() ? std::string_view{} : std::string_view(senders_.front());
  const UserPolicy policy = policy_of(user);
  OriginatingFacts facts{.kind = *kind};
  facts.sender_allowed = let_in || routing.local || policy.allows_peer_domain(routing.parsed.host);
  facts.answer_overdue = !let_in && owes_answer(request);
  facts.client_allowed = let_in || !policy.requires_version() ||
                         policy.allows_client(request.head.value(HeaderId::user_agent, request.bytes));
  return judge_originating(request, match, user, facts);
}

// In a dialog of ours. That was let in, with its sender and his client, and no system message ends it (OMA-SYS-5); what
// he sends in it is judged like what he sends outside. False: refused.
bool SipService::may_originate_within(const CallName& name, const Received& request, const sip::RequestMatch& match) {
  const Method method = request.head.method;
  if (method != Method::message && method != Method::refer) return true;
  if (!config_->im.participating || !judges_requests()) return true;
  const auto party = name.kind == NameKind::call ? calls_.party(name, request) : focus_.party(name, request);
  if (!party || (!party->im && !im_kind(request))) return true;
  const bool from_trusted = trusted(request.flow.remote);
  Routing routing;
  if (from_trusted && (!read_routing(request, routing) || !routing.originating)) return true;
  senders_.clear();
  if (party->uri.empty()) {
    senders_of(request, party->user, from_trusted, senders_);
  } else if (std::string key = user_key(party->uri); !key.empty()) {
    senders_.push_back(std::move(key));
  }
  if (senders_.empty() || (!from_trusted && !is_served(senders_.front()))) return true;
  count(Metric::im_originating);
  const ImKind kind = method == Method::message ? ImKind::pager : ImKind::other;
  return judge_originating(request, match, senders_.front(), {.kind = kind});
}

// With what is asked of any request of `user`, a view into senders_. False: refused.
bool SipService::judge_originating(const Received& request, const sip::RequestMatch& match, std::string_view user,
                                   OriginatingFacts facts) {
  const UserPolicy policy = policy_of(user);
  const ImKind kind = facts.kind;
  facts.sender_allowed = facts.sender_allowed && (kind == ImKind::other || policy.allows_mode(mode_of(kind)));
  facts.rate_allowed = within_rate(user, request.head.method);
  ContentVerdict content;
  if (judges_requests()) {
    content = kind == ImKind::pager ? judge_content(policy, request)
                                    : judge_description(policy, kind, description_of(request));
  }
  facts.content_allowed = facts.description_allowed = content.allowed();
  const OriginatingCheck* const check = refusal(facts);
  if (check == nullptr) return true;
  count(check->counter);
  put_refusal({check->status, check->tells, check->text, check->page}, policy, content, kind, request);
  const sip::TransactionId server = transactions_.open_server(request, match, 0, now_.mono);
  if (server.valid()) {
    answer(request, server, check->status, lines_.headers(), {}, refusal_body_);
  } else {
    refuse(request, 503);
  }
  return false;
}

// What a refusal tells: lines_ and refusal_body_ (SEED4-6.1.1.1-1w, -2e, -3e, SEED4-6.1.2.1-2w, OMA-POL-4, DEC-20,
// DEC-21).
void SipService::put_refusal(const Told& told, const UserPolicy& policy, const ContentVerdict& content, ImKind kind,
                             const Received& request) {
  lines_.clear();
  refusal_body_.clear();
  const sip::Listener& here = transport_.listener(request.flow);
  const auto warn = [&](std::string_view text) {
    std::string& line = lines_.begin(HeaderId::warning);
    line.append("399 ").append(here.host).append(":");
    put_number(line, here.port);
    line.append(" \"").append(text).append("\"");
  };
  lines_.add(HeaderId::server, config_->im.product);
  switch (told.tells) {
    case Tells::nothing: return;
    case Tells::warning: warn(told.text); return;
    case Tells::error_info: {  // SEED4-6.1.1.1-2e, SEED4-6.1.1.1-3e
      std::string& line = lines_.begin(HeaderId::error_info);
      line.append("<").append(config_->im.error_info).append(told.page).append(">");
      warn(told.text);
      return;
    }
    case Tells::formats: {
      lines_.add(HeaderId::accept, accept_of(policy));
      if (!content.size) {
        warn("At most " + std::to_string(policy.pager_body_bytes_max().value_or(0)) + " bytes are allowed here");
      }
      return;
    }
    case Tells::description:
      warn(told.text);
      lines_.add(HeaderId::content_type, "application/sdp");
      refusal_body_ = capabilities_of(policy, kind, description_of(request), here.host, random_.next() >> 2);
      return;
  }
}

// --- on the way in

// The operator's before his own.
std::shared_ptr<const AccessRules> SipService::rules_of(std::string_view user) const {
  if (config_->documents != nullptr) {
    if (const AccessRules* const rules = config_->documents->rules_of(user)) return {config_->documents, rules};
  }
  return user_documents_->access_rules.empty() ? nullptr : user_documents_->access_rules.find(user);
}

// The facts about a request to the user `aor` of ours, whose settings are these.
TerminatingFacts SipService::terminating_facts(const Received& request, ImKind kind, std::string_view user,
                                               const ImSettings& settings, ContentVerdict& content) {
  TerminatingFacts facts{.kind = kind,
                         .session_barred = settings.session_barred,
                         .pager_large_barred = settings.pager_large_barred,
                         .file_transfer_barred = settings.bars_file_transfer()};
  facts.expired = kind == ImKind::pager && is_expired(request, now_.wall_ms);
  facts.in_another = !settings.simultaneous_sessions && user_sessions_.in_session(user);
  facts.access = config_->im.access_default;
  if (!judges_requests()) return facts;
  if (const auto rules = rules_of(user); rules != nullptr) {
    const std::vector<std::string_view> keys(senders_.begin(), senders_.end());
    const sip::Privacy privacy = sip::privacy_of(request.head, request.bytes);
    facts.access = rules
                       ->judge({.keys = keys,
                                .anonymous = privacy.id && !privacy.none,
                                .wanted = wanted_of(kind, request),
                                .wall_ms = now_.wall_ms,
                                .lists = &lists_},
                               config_->im.access_default)
                       .handling;
  }
  const UserPolicy policy = policy_of(user);
  content =
      kind == ImKind::pager ? judge_content(policy, request) : judge_description(policy, kind, description_of(request));
  facts.content_allowed = facts.description_allowed = content.allowed();
  return facts;
}

// DEC-1, DEC-2: what a trusted deferred messaging function delivers.
bool SipService::is_deferred_delivery(const Received& request, bool from_trusted) const {
  if (!from_trusted) return false;
  const std::string_view asserted = sip::asserted_identity(request.head, request.bytes).sip.uri;
  sip::Uri uri;
  if (asserted.empty() || !sip::parse_uri(asserted, uri)) return false;
  return std::any_of(config_->im.deferred_uris.begin(), config_->im.deferred_uris.end(), [&](const std::string& text) {
    sip::Uri known;
    return sip::parse_uri(text, known) && core::equal_ignore_case(known.user, uri.user) &&
           core::equal_ignore_case(known.host, uri.host);
  });
}

// Who may say that he delivers what was deferred: a trusted peer, or our own function; not who sends copies of others' messages.
bool SipService::may_be_deferred(const Proxied& p) {
  if (p.errand == nullptr) return p.from_trusted;
  switch (p.errand->client) {
    case Errand::Client::calls: return p.errand->from_trusted;
    case Errand::Client::deferred:
    case Errand::Client::retrieval:
    case Errand::Client::nobody: return true;
    case Errand::Client::participant: return p.errand->from_store;
    default: return false;
  }
}

// Null: it may go to his devices. Else why not, with lines_ and refusal_body_.
const TerminatingCheck* SipService::terminating_refusal(const Received& request, const Arrival& arrival, ImKind kind,
                                                        std::string_view aor, const ImSettings& settings) {
  count(Metric::im_terminating);
  senders_.clear();
  std::string user;
  if (judges_requests()) {  // nobody else asks who they are
    senders_of(request, arrival.user, arrival.asserted, senders_);
    user = user_key(aor);
  } else if (!settings.simultaneous_sessions) {
    user = user_key(aor);
  }
  ContentVerdict content;
  TerminatingFacts facts = terminating_facts(request, kind, user, settings, content);
  facts.deferred_delivery = is_deferred_delivery(request, arrival.deferred);
  const TerminatingCheck* const check = refusal(facts);
  if (check == nullptr) return nullptr;
  count(check->counter);
  put_refusal({check->status, check->tells, check->text, check->page}, policy_of(user), content, kind, request);
  return check;
}

// False: refused, and `p` is gone. Before anything goes to his devices (SEED4-6.1.2.2.2-0a). Nothing bars what the operator
// himself has to say (OMA-SYS-2), or what a user asks to be told of (OMA-DEF-12).
bool SipService::may_terminate(Proxied& p, const Received& request, const ImSettings& settings) {
  if (!p.im || is_system_message(p) || is_announcement(p)) return true;
  const bool of_call = p.errand != nullptr && p.errand->client == Errand::Client::calls;
  // What a conference of ours sends, it asserts itself; what a call passes on is asserted by who was trusted to.
  const bool asserted = p.errand == nullptr ? p.from_trusted : !of_call || p.errand->from_trusted;
  const std::string_view user = p.errand == nullptr ? std::string_view(p.user) : std::string_view(p.errand->user);
  const TerminatingCheck* const check =
      terminating_refusal(request, {.user = user, .asserted = asserted, .deferred = may_be_deferred(p)}, *p.im, p.aor, settings);
  if (check == nullptr) {
    if (of_call) calls_.on_settings(p.errand->call, Leg::b, settings);
    if (p.errand != nullptr && p.errand->client == Errand::Client::participant) {
      focus_.on_settings(p.errand->call, p.aor, settings);
    }
    return true;
  }
  settled(p);
  trace_answered(p, check->status);
  if (p.errand != nullptr) {
    count_refusal(check->status);
    const std::string text(compose(request, check->status, lines_.headers(), {}, refusal_body_));
    tell_response(*p.errand, text, {}, false);
  } else {
    answer(request, p.server, check->status, lines_.headers(), {}, refusal_body_);
  }
  drop(p);
  return false;
}

}  // namespace parley::policy
