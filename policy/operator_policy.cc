// policy/operator_policy.cc - both levels answer together: see operator_policy.h. The reading of the document stands in
// operator_policy_xml.cc.
#include "policy/operator_policy.h"

#include <algorithm>
#include <charconv>

#include "core/host_text.h"
#include "core/text.h"
#include "sip/content_type.h"

namespace parley::policy {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), core::lower);
  return out;
}

bool is_token(std::string_view text) {
  constexpr std::string_view others = "!#$%&'*+-.^_`{|}~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [others](char c) {
    return (c >= '0' && c <= '9') || (core::lower(c) >= 'a' && core::lower(c) <= 'z') ||
           others.find(c) != std::string_view::npos;
  });
}

// "*+xml": what a subtype has to end with.
std::string_view suffix_of(std::string_view pattern) {
  return pattern.size() > 1 && pattern.front() == '*' ? pattern.substr(1) : std::string_view{};
}

bool ends_with_ignoring_case(std::string_view text, std::string_view end) {
  return text.size() > end.size() && core::equal_ignore_case(text.substr(text.size() - end.size()), end);
}

bool part_matches(std::string_view pattern, std::string_view text) {
  if (pattern == "*") return true;
  const std::string_view suffix = suffix_of(pattern);
  return suffix.empty() ? core::equal_ignore_case(pattern, text) : ends_with_ignoring_case(text, suffix);
}

// Everything that `inner` matches, `outer` does: a pattern's text is matched like any subtype, "*" by "*" alone.
bool covers(const MimePattern& outer, const MimePattern& inner) {
  const bool subtype = inner.subtype == "*" ? outer.subtype == "*" : part_matches(outer.subtype, inner.subtype);
  return (outer.type == "*" || outer.type == inner.type) && (subtype || outer.subtype == inner.subtype);
}

bool is_for(const MimeRule& rule, MimePlace place) { return !rule.place || *rule.place == place; }

bool level_allows(const PolicyLevel& level, std::string_view type, std::string_view subtype, MimePlace place) {
  const auto matches = [&](const MimeRule& rule) { return is_for(rule, place) && rule.pattern.matches(type, subtype); };
  const auto speaks = [place](const MimeRule& rule) { return is_for(rule, place); };
  if (std::any_of(level.deny.begin(), level.deny.end(), matches)) return false;
  return std::none_of(level.allow.begin(), level.allow.end(), speaks) ||
         std::any_of(level.allow.begin(), level.allow.end(), matches);
}

bool level_allows_all_of(const PolicyLevel& level, const MimePattern& pattern, MimePlace place) {
  const auto covering = [&](const MimeRule& rule) { return is_for(rule, place) && covers(rule.pattern, pattern); };
  const auto speaks = [place](const MimeRule& rule) { return is_for(rule, place); };
  if (std::any_of(level.deny.begin(), level.deny.end(), covering)) return false;
  return std::none_of(level.allow.begin(), level.allow.end(), speaks) ||
         std::any_of(level.allow.begin(), level.allow.end(), covering);
}

template <class Value>
std::optional<Value> lower_of(const std::optional<Value>& a, const std::optional<Value>& b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

bool domain_matches(std::string_view pattern, std::string_view host) {
  if (!pattern.starts_with("*.")) return pattern == host;
  const std::string_view below = pattern.substr(1);
  return host.size() > below.size() && host.ends_with(below);
}

}  // namespace

bool MimePattern::matches(std::string_view a_type, std::string_view a_subtype) const {
  return part_matches(type, a_type) && part_matches(subtype, a_subtype);
}

std::optional<MimePattern> parse_mime_pattern(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  MimePattern pattern{lower(text.substr(0, slash)), lower(text.substr(slash + 1))};
  if (!is_token(pattern.type) || !is_token(pattern.subtype)) return std::nullopt;
  if (pattern.type.find('*') != std::string::npos && pattern.type != "*") return std::nullopt;
  const bool wild = pattern.subtype == "*" || pattern.subtype.starts_with("*+");
  if (pattern.subtype.rfind('*') != std::string::npos && (!wild || pattern.subtype.rfind('*') != 0))
    return std::nullopt;
  if (pattern.type == "*" && !wild) return std::nullopt;
  return pattern;
}

std::string to_string(const MimePattern& pattern) { return pattern.type + "/" + pattern.subtype; }

std::string_view to_string(ImMode mode) {
  switch (mode) {
    case ImMode::session: return "session";
    case ImMode::pager: return "pager";
    case ImMode::large_message: return "large-message";
    case ImMode::file_transfer: return "file-transfer";
    case ImMode::group: return "group";
    case ImMode::count: break;
  }
  return "";
}

std::optional<ClientVersion> parse_client_version(std::string_view token) {
  token = token.substr(0, token.find_first_of(" \t"));
  const std::size_t slash = token.find('/');
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  const std::size_t digits = token.find_first_of("0123456789", slash);
  if (digits == std::string_view::npos) return std::nullopt;
  ClientVersion version{.product = lower(token.substr(0, digits))};
  const char* at = token.data() + digits;
  const char* const end = token.data() + token.size();
  auto read = std::from_chars(at, end, version.major);
  if (read.ec != std::errc{}) return std::nullopt;
  if (read.ptr != end && *read.ptr == '.') {
    read = std::from_chars(read.ptr + 1, end, version.minor);
    if (read.ec != std::errc{}) return std::nullopt;
  }
  return version;
}

bool UserPolicy::allows_type(std::string_view type, std::string_view subtype, MimePlace place) const {
  return level_allows(*levels_[0], type, subtype, place) &&
         (levels_[1] == nullptr || level_allows(*levels_[1], type, subtype, place));
}

bool UserPolicy::allows_type(std::string_view content_type, MimePlace place) const {
  sip::ContentType type;
  return sip::parse_content_type(content_type, type) && allows_type(type.type, type.subtype, place);
}

std::vector<std::string> UserPolicy::allowed_types(MimePlace place) const {
  std::vector<std::string> types;
  bool restricted = false;
  for (const PolicyLevel* level : levels_) {
    if (level == nullptr) continue;
    for (const MimeRule& rule : level->allow) {
      if (!is_for(rule, place)) continue;
      restricted = true;
      const bool both = level_allows_all_of(*levels_[0], rule.pattern, place) &&
                        (levels_[1] == nullptr || level_allows_all_of(*levels_[1], rule.pattern, place));
      std::string text = to_string(rule.pattern);
      if (both && std::find(types.begin(), types.end(), text) == types.end()) types.push_back(std::move(text));
    }
  }
  if (!restricted) types.emplace_back("*/*");
  return types;
}

std::optional<std::uint64_t> UserPolicy::pager_body_bytes_max() const {
  return least(&PolicyLevel::pager_body_bytes_max);
}
std::optional<std::uint64_t> UserPolicy::msrp_message_bytes_max() const {
  return least(&PolicyLevel::msrp_message_bytes_max);
}
std::optional<std::uint64_t> UserPolicy::file_bytes_max() const { return least(&PolicyLevel::file_bytes_max); }
std::optional<std::uint32_t> UserPolicy::participants_max() const { return least(&PolicyLevel::participants_max); }
std::optional<std::uint32_t> UserPolicy::sessions_max() const { return least(&PolicyLevel::sessions_max); }

template <class Value>
std::optional<Value> UserPolicy::least(std::optional<Value> PolicyLevel::*value) const {
  return levels_[1] == nullptr ? levels_[0]->*value : lower_of(levels_[0]->*value, levels_[1]->*value);
}

bool UserPolicy::allows_mode(ImMode mode) const {
  const std::uint32_t bit = 1U << static_cast<unsigned>(mode);
  return std::all_of(levels_.begin(), levels_.end(), [bit](const PolicyLevel* level) {
    return level == nullptr || !level->modes || (*level->modes & bit) != 0;
  });
}

bool UserPolicy::requires_version() const {
  return std::any_of(levels_.begin(), levels_.end(),
                     [](const PolicyLevel* level) { return level != nullptr && level->client_version.has_value(); });
}

bool UserPolicy::allows_client(std::string_view user_agent) const {
  if (!requires_version()) return true;
  const auto version = parse_client_version(user_agent);
  return std::all_of(levels_.begin(), levels_.end(), [&version](const PolicyLevel* level) {
    if (level == nullptr || !level->client_version) return true;
    const ClientVersion& least = *level->client_version;
    return version && version->product == least.product &&
           std::pair(version->major, version->minor) >= std::pair(least.major, least.minor);
  });
}

bool UserPolicy::allows_peer_domain(std::string_view host) const {
  core::HostText text;
  const std::string_view name = core::canonical_host(host, text);
  return std::all_of(levels_.begin(), levels_.end(), [name](const PolicyLevel* level) {
    if (level == nullptr || !level->peer_domains) return true;
    return std::any_of(level->peer_domains->begin(), level->peer_domains->end(),
                       [name](const std::string& pattern) { return domain_matches(pattern, name); });
  });
}

std::optional<Rate> UserPolicy::rate(RatedMethod method) const {
  const auto n = static_cast<std::size_t>(method);
  const std::optional<Rate>& service = levels_[0]->rates[n];
  if (levels_[1] == nullptr || !levels_[1]->rates[n]) return service;
  const std::optional<Rate>& user = levels_[1]->rates[n];
  if (!service) return user;
  return Rate{.per_minute = std::min(service->per_minute, user->per_minute),
              .burst = std::min(service->burst, user->burst)};
}

UserPolicy OperatorPolicy::for_user(std::string_view key) const {
  const auto user = users.find(key);
  return {service, user == users.end() ? nullptr : &user->second};
}

bool RateMeter::take(const Rate& rate, core::Instant now) {
  if (rate.per_minute == 0 || rate.burst == 0) return false;
  const core::Duration each = core::Duration(std::chrono::minutes(1)) / rate.per_minute;
  const core::Instant from = std::max(due, now);
  if (from - now > each * (rate.burst - 1)) return false;
  due = from + each;
  return true;
}

}  // namespace parley::policy
