// policy/participating.cc - see participating.h.
#include "policy/participating.h"

#include <algorithm>
#include <utility>

#include "policy/own_names.h"
#include "policy/user_key.h"
#include "sip/address.h"
#include "sip/date.h"
#include "sip/identity.h"
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

Participating::Participating(const Parts& parts)
    : home_(parts.home),
      lists_(parts.lists),
      transport_(parts.transport),
      sessions_(parts.sessions),
      random_(parts.random),
      metrics_(parts.metrics),
      config_(parts.config),
      rates_(parts.config->im.rate_users_max, parts.metrics),
      overdue_answers_(parts.config->im.overdue_answers_max) {}

bool Participating::judges_requests() const {
  return (config_->documents != nullptr && config_->documents->judge_requests) ||
         !user_documents_->access_rules.empty();
}

std::optional<ImKind> Participating::im_request(const sip::Received& request, bool let_in) const {
  if (!config_->im.participating || let_in) return std::nullopt;
  if (!request.essentials.to_tag.empty() && request.head.method != Method::message) return std::nullopt;
  return im_kind(request);
}

void Participating::senders_of(const sip::Received& request, std::string_view user, bool asserted,
                               std::vector<std::string>& keys) const {
  keys.clear();
  const auto add = [&](std::string_view uri) { home_.put_keys(uri, keys); };
  if (!user.empty() && !config_->domains.empty()) {
    add("sip:" + std::string(user) + "@" + config_->domains.front());
    return;
  }
  if (asserted) {
    const sip::AssertedIdentity identity = sip::asserted_identity(request.head, request.bytes);
    add(identity.sip.uri);
    add(identity.tel.uri);
  }
  if (keys.empty()) add(request.essentials.from.uri);
}

UserPolicy Participating::policy_of(std::string_view user) const {
  return (config_->documents == nullptr ? no_policy : config_->documents->policy).for_user(user);
}

std::shared_ptr<const AccessRules> Participating::rules_of(std::string_view user) const {
  if (config_->documents != nullptr) {
    if (const AccessRules* const rules = config_->documents->rules_of(user)) return {config_->documents, rules};
  }
  return user_documents_->access_rules.empty() ? nullptr : user_documents_->access_rules.find(user);
}

// OMA-POL-5.
bool Participating::within_rate(std::string_view user, Method method) {
  const std::optional<RatedMethod> what = rated(method);
  const std::optional<Rate> rate = what ? policy_of(user).rate(*what) : std::nullopt;
  return !rate || rates_.take(user, *what, *rate, now_.mono);
}

// --- what a refusal says

template <class Check>
const Check* Participating::refused(const Check* check, const UserPolicy& policy, const ContentVerdict& content,
                                    ImKind kind, const sip::Received& request) {
  if (check == nullptr) return nullptr;
  metrics_.add(check->counter);
  put_refusal({.tells = check->tells, .text = check->text, .page = check->page}, policy, content, kind, request);
  return check;
}

// What it tells: lines_ and body_ (SEED4-6.1.1.1-1w, -2e, -3e, SEED4-6.1.2.1-2w, OMA-POL-4, DEC-20,
// DEC-21).
void Participating::put_refusal(const Told& told, const UserPolicy& policy, const ContentVerdict& content, ImKind kind,
                                const sip::Received& request) {
  lines_.clear();
  body_.clear();
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
      body_ = capabilities_of(policy, kind, description_of(request), here.host, random_.next() >> 2);
      return;
  }
}

void Participating::put_warning(const sip::Received& request, std::string_view text) {
  put_refusal({.tells = Tells::warning, .text = text, .page = {}}, policy_of({}), {}, ImKind::pager, request);
}

// --- on the way out

const OriginatingCheck* Participating::rate_refusal(const sip::Received& request, std::string_view user) {
  if (within_rate(user, request.head.method)) return nullptr;
  return refused(refusal(OriginatingFacts{.rate_allowed = false}), policy_of(user), {}, ImKind::other, request);
}

const OriginatingCheck* Participating::originating_refusal(const sip::Received& request, std::string_view user,
                                                           OriginatingFacts facts) {
  const ImKind kind = facts.kind;
  const UserPolicy policy = policy_of(user);
  facts.sender_allowed = facts.sender_allowed && (kind == ImKind::other || policy.allows_mode(mode_of(kind)));
  facts.rate_allowed = within_rate(user, request.head.method);
  ContentVerdict content;
  if (judges_requests()) {
    content = kind == ImKind::pager ? judge_content(policy, request)
                                    : judge_description(policy, kind, description_of(request));
  }
  facts.content_allowed = facts.description_allowed = content.allowed();
  return refused(refusal(facts), policy, content, kind, request);
}

// Whether the sender of `request`, whose keys these are, is one, by whichever of our names he goes (SEED4-6.1.1.1-2, OMA-SYS-5).
bool Participating::owes_answer(std::span<const std::string> senders, const sip::Received& request) const {
  if (overdue_answers_.empty()) return false;
  return std::any_of(senders.begin(), senders.end(), [&](const std::string& sender) {
    sip::Uri uri;
    std::string aor;
    return overdue_answers_.holds_back(sender, request) ||
           (sip::parse_uri(sender, uri) && !uri.host.empty() && home_.serves(sender) &&
            overdue_answers_.holds_back(home_.aor_of(uri, aor), request));
  });
}

// --- on the way in

// The facts about a request to the user `aor` of ours, whose settings are these.
TerminatingFacts Participating::terminating_facts(const sip::Received& request, ImKind kind, std::string_view user,
                                                  std::span<const std::string> senders, const ImSettings& settings,
                                                  ContentVerdict& content) const {
  TerminatingFacts facts{.kind = kind,
                         .session_barred = settings.session_barred,
                         .pager_large_barred = settings.pager_large_barred,
                         .file_transfer_barred = settings.bars_file_transfer()};
  facts.expired = kind == ImKind::pager && is_expired(request, now_.wall_ms);
  facts.in_another = !settings.simultaneous_sessions && sessions_.in_session(user);
  facts.access = config_->im.access_default;
  if (!judges_requests()) return facts;
  if (const auto rules = rules_of(user); rules != nullptr) {
    const std::vector<std::string_view> keys(senders.begin(), senders.end());
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
bool Participating::is_deferred_delivery(const sip::Received& request, bool from_trusted) const {
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

const TerminatingCheck* Participating::terminating_refusal(const sip::Received& request, const Arrival& arrival,
                                                           ImKind kind, std::string_view aor,
                                                           const ImSettings& settings) {
  metrics_.add(Metric::im_terminating);
  senders_.clear();
  std::string user;
  if (judges_requests()) {  // nobody else asks who they are
    senders_of(request, arrival.user, arrival.asserted, senders_);
    user = user_key(aor);
  } else if (!settings.simultaneous_sessions) {
    user = user_key(aor);
  }
  ContentVerdict content;
  TerminatingFacts facts = terminating_facts(request, kind, user, senders_, settings, content);
  facts.deferred_delivery = is_deferred_delivery(request, arrival.deferred);
  return refused(refusal(facts), policy_of(user), content, kind, request);
}

const TerminatingCheck* Participating::file_refusal(const sip::Received& request, std::string_view user,
                                                    std::span<const std::string> senders) {
  metrics_.add(Metric::im_terminating);
  ContentVerdict content;
  const TerminatingFacts facts =
      terminating_facts(request, ImKind::file_transfer, user, senders, ImSettings{}, content);
  return refused(refusal(facts), policy_of(user), content, ImKind::file_transfer, request);
}

}  // namespace parley::policy
