// policy/common_policy.cc - which rules a question matches: see common_policy.h. The reading of documents stands in
// common_policy_xml.cc.
#include "policy/common_policy.h"

#include <algorithm>
#include <optional>

#include "policy/user_documents.h"

namespace parley::policy {

namespace {

// "sip:alice@example.com" -> "example.com"; a number has none. Keys have their host in lower case.
std::string_view domain_of(std::string_view key) {
  if (!key.starts_with("sip:")) return {};
  const std::size_t at = key.rfind('@');
  return key.substr(at == std::string_view::npos ? 4 : at + 1);
}

template <class Range, class Value>
bool has(const Range& range, const Value& value) {
  return std::find(range.begin(), range.end(), value) != range.end();
}

// RFC 4745 section 7.1.3: anybody, or anybody of a domain, but for those excepted. Somebody with two identities is
// excepted by either.
bool matches(const IdentityMany& many, std::span<const std::string_view> keys) {
  const auto in_domain = [&many](std::string_view key) { return many.domain.empty() || domain_of(key) == many.domain; };
  const auto excepted = [&many](std::string_view key) {
    return std::any_of(many.except.begin(), many.except.end(), [key](const IdentityException& except) {
      return except.domain.empty() ? except.key == key : except.domain == domain_of(key);
    });
  };
  return std::any_of(keys.begin(), keys.end(), in_domain) && std::none_of(keys.begin(), keys.end(), excepted);
}

}  // namespace

bool ExternalLists::contains(const ListAnchor& anchor, std::string_view key) const {
  if (anchor.names.empty()) return false;
  if (files_ != nullptr) {
    const auto his = files_->find(anchor.user);
    if (his != files_->end() && his->second.has(anchor.names)) return his->second.contains(anchor.names, key);
  }
  if (users_ == nullptr || users_->lists.empty()) return false;
  const std::shared_ptr<const UserLists> his = users_->lists_of(anchor.user);
  return his != nullptr && his->contains(anchor.names, key);
}

bool Conditions::hold(const RuleQuestion& q) const {
  if (never) return false;
  const bool has_name = !q.anonymous || q.identity_in_spite;
  if (has_identity) {
    const auto is_one = [this](std::string_view key) { return has(one, key); };
    const auto is_of_many = [&q](const IdentityMany& m) { return matches(m, q.keys); };
    if (!has_name) return false;
    if (std::none_of(q.keys.begin(), q.keys.end(), is_one) && std::none_of(many.begin(), many.end(), is_of_many))
      return false;
  }
  if (has_external_list) {
    const auto lists_him = [&q](const ListAnchor& anchor) {
      return q.lists != nullptr && std::any_of(q.keys.begin(), q.keys.end(),
                                               [&](std::string_view key) { return q.lists->contains(anchor, key); });
    };
    if (!has_name || std::none_of(external_list.begin(), external_list.end(), lists_him)) return false;
  }
  if (anonymous_request && !q.anonymous) return false;
  if (is_list_member && !q.list_member) return false;
  if (std::any_of(media.begin(), media.end(), [&q](Media m) { return m != q.media; })) return false;
  if (has_media_list && (q.media && has(media_list, *q.media)) == media_list_except) return false;
  if (has_enabler && !has(enablers, q.enabler)) return false;
  if (has_validity) {
    const auto now = [&q](const Period& p) { return q.wall_ms >= p.from_ms && q.wall_ms < p.until_ms; };
    if (std::none_of(validity.begin(), validity.end(), now)) return false;
  }
  return true;
}

std::optional<std::string_view> Rule::action(std::string_view name) const {
  for (const RuleAction& action : actions) {
    if (action.name == name) return action.value;
  }
  return std::nullopt;
}

std::vector<const Rule*> matching_rules(std::span<const Rule> rules, const RuleQuestion& question) {
  bool by_identity = false;
  for (const Rule& rule : rules) {
    const Conditions& c = rule.conditions;
    by_identity |= c.about_identity() && !c.other_identity && c.hold(question);
  }
  // OMA-ACC-3: the others are those whom no rule has named; who asks not to be named is nobody's other.
  const bool other = !by_identity && !(question.anonymous && !question.identity_in_spite);
  std::vector<const Rule*> matching;
  for (const Rule& rule : rules) {
    if ((!rule.conditions.other_identity || other) && rule.conditions.hold(question)) matching.push_back(&rule);
  }
  return matching;
}

}  // namespace parley::policy
