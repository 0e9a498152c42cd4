// policy/access_rules.h - whom a user lets reach him: his access-rules document (common policy, RFC 4745).
// OMA-ACC-1 to OMA-ACC-5, DEC-16. Its conditions: OMA-ACC-2, OMA-ACC-3 in common_policy.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/common_policy.h"

namespace parley::policy {

inline constexpr std::string_view access_rules_type = "application/auth-policy+xml";

// In the order of what they allow (OMA-ACC-4).
enum class InviteHandling : std::uint8_t {
  reject,  // 403
  pass,    // the user is asked
  accept,  // may be answered automatically; by the client, never by the server
};
[[nodiscard]] std::string_view to_string(InviteHandling handling);

// What somebody wants of the user. Sessions and large messages are one thing here, pager messages another (DEC-16).
enum class Wanted : std::uint8_t { session, large_message, pager_message, file_transfer, group_advertisement };

struct AccessQuestion {
  std::span<const std::string_view> keys{};  // user_key of each identity of the sender
  bool anonymous = false;                    // Privacy: id
  Wanted wanted = Wanted::session;
  std::int64_t wall_ms = 0;
  const ExternalLists* lists = nullptr;
};

struct AccessVerdict {
  InviteHandling handling = InviteHandling::pass;
  std::string_view rule{};  // id of the first rule that says so; into the rules; empty: none matched, or it has no id
  bool by_default = true;   // no rule matched
};

// Immutable once read; shared by all shards.
class AccessRules {
 public:
  AccessRules() = default;
  // acc.default: what holds when no rule matches.
  [[nodiscard]] AccessVerdict judge(const AccessQuestion& question,
                                    InviteHandling otherwise = InviteHandling::pass) const;
  [[nodiscard]] std::span<const Rule> rules() const { return rules_; }

 private:
  friend XmlError parse_access_rules(std::string_view bytes, AccessRules& out, const XmlLimits& limits);
  std::vector<Rule> rules_;
  bool about_files_ = false;  // a rule has the condition file-transfer: then that is what file transfers are asked by
};

[[nodiscard]] XmlError parse_access_rules(std::string_view bytes, AccessRules& out, const XmlLimits& limits = {});
// The document, appended.
void put_access_rules(const AccessRules& rules, std::string& out);

}  // namespace parley::policy
