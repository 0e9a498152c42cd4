// policy/operator_policy.h - what the operator allows, for all users and for one: content, sizes, modes, versions,
// domains, rates. OMA-POL-1 to OMA-POL-5.
//
// Two levels that never loosen each other: of limits the lower holds, of lists both have to agree (OMA-POL-1). A level
// says nothing about what is left out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.h"
#include "policy/xml_reader.h"

namespace parley::policy {

inline constexpr std::string_view operator_policy_space = "urn:parley:operator-policy";
inline constexpr XmlLimits operator_policy_limits{.bytes_max = 4 * 1024 * 1024, .elements_max = 100'000};

// ---- content types ----

// "text/plain", "text/*", "*/*", "application/*+xml"; case and parameters do not count.
struct MimePattern {
  std::string type;     // lower case; "*": any
  std::string subtype;  // lower case; "*": any; "*+xml": any with that suffix
  [[nodiscard]] bool matches(std::string_view type, std::string_view subtype) const;
  bool operator==(const MimePattern&) const = default;
};
[[nodiscard]] std::optional<MimePattern> parse_mime_pattern(std::string_view text);
[[nodiscard]] std::string to_string(const MimePattern& pattern);

// Where a type stands (OMA-POL-2): outermost, or within message/cpim, a multipart, message/external-body.
enum class MimePlace : std::uint8_t { plain, wrapped };
struct MimeRule {
  MimePattern pattern;
  std::optional<MimePlace> place{};  // nullopt: both
};

// ---- the rest ----

enum class ImMode : std::uint8_t { session, pager, large_message, file_transfer, group, count };
[[nodiscard]] std::string_view to_string(ImMode mode);

// What is counted (OMA-POL-5).
enum class RatedMethod : std::uint8_t { message, invite, publish, subscribe, count };
struct Rate {
  std::uint32_t per_minute = 0;
  std::uint32_t burst = 1;  // that may come at once
  bool operator==(const Rate&) const = default;
};

// "IM-client/OMA1.0" and later (OMA-ID-4, OMA-ID-5): product without case, then release.
struct ClientVersion {
  std::string product;  // "IM-client/OMA", as it is compared: lower case
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
};
[[nodiscard]] std::optional<ClientVersion> parse_client_version(std::string_view token);

struct PolicyLevel {
  std::vector<MimeRule> allow{};  // none for a place: all types
  std::vector<MimeRule> deny{};   // before allow
  std::optional<std::uint64_t> pager_body_bytes_max{};
  std::optional<std::uint64_t> msrp_message_bytes_max{};
  std::optional<std::uint64_t> file_bytes_max{};
  std::optional<std::uint32_t> participants_max{};
  std::optional<std::uint32_t> sessions_max{};             // of one user at a time
  std::optional<std::uint32_t> modes{};                    // bits of ImMode
  std::optional<ClientVersion> client_version{};           // at least this; no known version is less
  std::optional<std::vector<std::string>> peer_domains{};  // "example.org", "*.example.org" for those below it
  std::array<std::optional<Rate>, static_cast<std::size_t>(RatedMethod::count)> rates{};
};

// Both levels for one user: a view of an OperatorPolicy, valid while that is.
class UserPolicy {
 public:
  UserPolicy(const PolicyLevel& service, const PolicyLevel* user) : levels_{&service, user} {}

  [[nodiscard]] bool allows_type(std::string_view type, std::string_view subtype, MimePlace place) const;
  // The same for "text/plain; charset=utf-8"; false for what is no type.
  [[nodiscard]] bool allows_type(std::string_view content_type, MimePlace place) const;
  // For Accept in a 415, accept-types and accept-wrapped-types in a 488 (OMA-POL-4): patterns in the order of the
  // document, those that both levels allow in full. "*/*" alone: all are allowed.
  [[nodiscard]] std::vector<std::string> allowed_types(MimePlace place) const;

  [[nodiscard]] std::optional<std::uint64_t> pager_body_bytes_max() const;
  [[nodiscard]] std::optional<std::uint64_t> msrp_message_bytes_max() const;
  [[nodiscard]] std::optional<std::uint64_t> file_bytes_max() const;
  [[nodiscard]] std::optional<std::uint32_t> participants_max() const;
  [[nodiscard]] std::optional<std::uint32_t> sessions_max() const;
  [[nodiscard]] bool allows_mode(ImMode mode) const;
  [[nodiscard]] bool requires_version() const;
  // `user_agent`: the header's value, empty when there was none (OMA-ID-4: its first product decides).
  [[nodiscard]] bool allows_client(std::string_view user_agent) const;
  [[nodiscard]] bool allows_peer_domain(std::string_view host) const;
  [[nodiscard]] std::optional<Rate> rate(RatedMethod method) const;

 private:
  template <class Value>
  [[nodiscard]] std::optional<Value> least(std::optional<Value> PolicyLevel::*value) const;
  std::array<const PolicyLevel*, 2> levels_;  // the second may be nullptr
};

class OperatorPolicy {
 public:
  PolicyLevel service;
  std::map<std::string, PolicyLevel, std::less<>> users;  // by user_key
  [[nodiscard]] UserPolicy for_user(std::string_view key) const LIFETIME_BOUND;
};

// The document is described in docs/operations.md and packaging/operator-policy.rng. It is strict: an element or
// attribute that is not known, or stands twice, is an error; a policy that is half understood protects nobody.
[[nodiscard]] XmlError parse_operator_policy(std::string_view bytes, OperatorPolicy& out,
                                             const XmlLimits& limits = operator_policy_limits);

// Counts against a Rate: one for each user and method, kept by whoever counts (OMA-POL-5). Whole nanoseconds, no
// fractions: the same on every machine.
struct RateMeter {
  core::Instant due{};  // when what was let through so far would be used up
  [[nodiscard]] bool take(const Rate& rate, core::Instant now);
};

}  // namespace parley::policy
