// policy/common_policy.h - rules of common policy (RFC 4745) with OMA's conditions: who, what and when a rule is for.
// OMA-ACC-1 to OMA-ACC-3. What rules then do is said by access_rules.h and group_document.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/list_anchor.h"
#include "policy/xml_reader.h"

namespace parley::policy {

class XmlWriter;

inline constexpr std::string_view common_policy_space = "urn:ietf:params:xml:ns:common-policy";
inline constexpr std::string_view oma_common_policy_space = "urn:oma:xml:xdm:common-policy";
inline constexpr std::string_view xdm_extensions_space = "urn:oma:xml:xdm:extensions";
inline constexpr std::string_view list_service_space = "urn:oma:xml:poc:list-service";
inline constexpr std::string_view poc_rules_space = "urn:oma:xml:poc:poc-rules";

// Media conditions (OMA-ACC-2). Those behind group_advertisement are known and never asked for here.
enum class Media : std::uint8_t {
  message_session,
  pager_mode_message,
  file_transfer,
  group_advertisement,
  audio,
  video,
  poc_speech,
};

struct UserDocuments;

// Lists that <external-list> names: those of the operator's files, and where these have none of that name, those that users have
// written themselves. Those that nobody has have no members. A copy shares the lists.
class ExternalLists {
 public:
  using Files = std::map<std::string, UserLists, std::less<>>;  // by user_key of whose they are
  void use(std::shared_ptr<const Files> files) { files_ = std::move(files); }
  void use(std::shared_ptr<const UserDocuments> users) { users_ = std::move(users); }
  [[nodiscard]] bool contains(const ListAnchor& anchor, std::string_view key) const;

 private:
  std::shared_ptr<const Files> files_;          // null: there are none
  std::shared_ptr<const UserDocuments> users_;  // null: nobody has written any
};

// Who asks and for what. Views live as long as the question.
struct RuleQuestion {
  std::span<const std::string_view> keys{};  // user_key of each of his identities: one, or a sip and a tel (OMA-ID-7)
  bool anonymous = false;                    // Privacy: id. He is then nobody but anonymous (OMA-ACC-3)
  bool list_member = false;                  // for <is-list-member>
  // A group knows its members also when they ask not to be named: identities count in spite of `anonymous`.
  bool identity_in_spite = false;
  std::optional<Media> media{};
  std::string_view enabler{};  // for <service enabler="...">
  std::int64_t wall_ms = 0;    // for <validity>
  const ExternalLists* lists = nullptr;
};

struct IdentityException {
  std::string key;     // one user; or
  std::string domain;  // a domain, in lower case
};
struct IdentityMany {
  std::string domain;  // empty: any
  std::vector<IdentityException> except;
};
struct Period {
  std::int64_t from_ms = 0;
  std::int64_t until_ms = 0;  // the first that is not in it
  bool operator==(const Period&) const = default;
};

// All that is said has to hold; what is not said holds.
struct Conditions {
  bool has_identity = false;  // <identity>: one of these
  std::vector<std::string> one;
  std::vector<IdentityMany> many;
  bool has_external_list = false;
  std::vector<ListAnchor> external_list;
  bool anonymous_request = false;
  bool other_identity = false;  // holds when no rule about identities matched: see matching_rules
  bool is_list_member = false;
  std::vector<Media> media;  // every one of them
  bool has_media_list = false;
  std::vector<Media> media_list;   // one of them
  bool media_list_except = false;  // none of them
  bool has_enabler = false;
  std::vector<std::string> enablers;  // one of these
  bool has_validity = false;
  std::vector<Period> validity;
  bool never = false;  // a condition that is not known, or that we have no answer to (sphere): false

  [[nodiscard]] bool about_identity() const { return has_identity || has_external_list || anonymous_request; }
  // Without other_identity, which is no matter of one rule alone.
  [[nodiscard]] bool hold(const RuleQuestion& question) const;
};

// One <action>: its name and text, as they stand.
struct RuleAction {
  std::string space;
  std::string name;
  std::string value;
  bool must_understand = false;
};

struct Rule {
  std::string id;
  Conditions conditions;
  std::vector<RuleAction> actions;
  std::uint32_t line = 0;
  // The value of an action, by local name; nullopt when the rule has none.
  [[nodiscard]] std::optional<std::string_view> action(std::string_view name) const;
};

inline constexpr std::size_t rules_max = 256;             // in a ruleset
inline constexpr std::size_t rule_identities_max = 1024;  // in a rule: one, many, except and anchors together

// One of the four namespaces that OMA's elements stand in; which of them is not asked, since documents differ.
[[nodiscard]] bool is_oma_space(std::string_view space);
// The attribute must-understand, in any namespace (OMA-GRP-3).
[[nodiscard]] bool must_be_understood(XmlElement element);

// Reads a <ruleset> element.
[[nodiscard]] XmlError read_ruleset(XmlElement ruleset, std::vector<Rule>& out);
// Writes it with namespace declarations of its own. What was not understood of a rule's conditions is written as a
// condition that never holds.
void put_ruleset(XmlWriter& xml, std::span<const Rule> rules);

// The rules that a question matches, in their order: first those without other-identity; those with it only when no
// rule about identities matched and he is not anonymous (OMA-ACC-3).
[[nodiscard]] std::vector<const Rule*> matching_rules(std::span<const Rule> rules, const RuleQuestion& question);

}  // namespace parley::policy
