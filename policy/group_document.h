// policy/group_document.h - pre-defined groups and chat rooms: application/vnd.oma.poc.groups+xml.
// OMA-GRP-1 to OMA-GRP-4, OMA-GRP-9, OMA-ACC-6.
//
// A Group is a value that does not change once it is read; all shards share it. Who is in the room at a moment is no
// matter of it.
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

#include "policy/common_policy.h"

namespace parley::policy {

inline constexpr std::string_view groups_type = "application/vnd.oma.poc.groups+xml";
inline constexpr std::size_t group_members_max = 10'000;
// Group documents come from the operator alone and may be larger than what comes in a message.
inline constexpr XmlLimits group_xml_limits{.bytes_max = 4 * 1024 * 1024, .elements_max = 100'000};

// Actions of a group's rules (OMA-ACC-6), each true or false for a user.
enum class GroupAction : std::uint8_t {
  join,                      // join-handling
  initiate_conference,       // allow-initiate-conference: may start the session of a group that has none
  conference_state,          // allow-conference-state: may subscribe without taking part
  invite_users_dynamically,  // allow-invite-users-dynamically
  anonymity,                 // allow-anonymity
  key_participant,           // is-key-participant
  expelling,                 // allow-expelling
  private_message,           // allow-private-message
  subconf,                   // allow-subconf
  offline_storage,           // allow-offline-storage
  reject_invite,             // allow-reject-invite
  media_handling,            // allow-media-handling
  remove_media_handling,     // remove-media-handling
};
inline constexpr std::size_t group_actions = 13;
// The element's name.
[[nodiscard]] std::string_view to_string(GroupAction action);

// What a group may do to whom it has on its list when its document has no rules: join, start, watch, write to one,
// have messages stored, decline. Nobody else may do anything.
[[nodiscard]] bool member_may_by_default(GroupAction action);
// What an action's text says: true, false, 1, 0, and of older documents allow and block. nullopt: neither.
[[nodiscard]] std::optional<bool> group_action_value(GroupAction action, std::string_view text);

struct GroupMember {
  std::string uri;
  std::string key;  // user_key(uri)
  std::string display_name;
};

// When the session of a group is active (session-active-policy), OMA-GRP-3.
struct SessionActivePolicy {
  bool originator_required = false;                  // ends when who started it leaves
  std::vector<std::string> required_participants{};  // user_keys: active while all of them are in
  std::optional<std::uint32_t> min_participants{};
  std::optional<std::uint32_t> max_duration_seconds{};
  std::vector<Period> schedule{};  // empty: at any time
  [[nodiscard]] bool scheduled_at(std::int64_t wall_ms) const;
  bool operator==(const SessionActivePolicy&) const = default;
};

// May he? Whom to tell what: see OMA-GRP-4 and OMA-GRP-9.
enum class GroupVerdict : std::uint8_t {
  allowed,
  forbidden,             // 403
  anonymity_disallowed,  // 433: only because he asks not to be named
};

struct GroupSpec {
  std::string uri;
  std::string display_name{};
  std::vector<GroupMember> members{};  // keys may be left empty
  bool invite_members = true;
  std::optional<std::uint32_t> max_participants{};
  std::string subject{};
  SessionActivePolicy session{};
  std::optional<std::uint32_t> age_from{};  // age-restrictions: told, nothing here knows a user's age
  std::optional<std::uint32_t> age_until{};
  std::vector<std::string> services{};        // supported-services, by enabler; empty: all, or...
  bool services_except = false;               // ...all but these
  std::vector<ListAnchor> external_lists{};   // in the member list
  std::string not_understood{};               // an element that must be and is not: the group refuses sessions
  std::optional<std::vector<Rule>> rules{};   // nullopt: the document has none
};

class Group {
 public:
  explicit Group(GroupSpec spec);

  [[nodiscard]] const std::string& uri() const { return spec_.uri; }
  [[nodiscard]] const std::string& key() const { return key_; }  // user_key of the group's URI
  [[nodiscard]] const std::string& display_name() const { return spec_.display_name; }
  [[nodiscard]] const std::string& subject() const { return spec_.subject; }
  [[nodiscard]] std::span<const GroupMember> members() const { return spec_.members; }  // each user once
  // OMA-GRP-2: true: a pre-arranged group, whose session begins by inviting all; false: a room one joins.
  [[nodiscard]] bool invites_members() const { return spec_.invite_members; }
  [[nodiscard]] std::optional<std::uint32_t> max_participants() const { return spec_.max_participants; }
  [[nodiscard]] const SessionActivePolicy& session_policy() const { return spec_.session; }
  [[nodiscard]] bool supports(std::string_view enabler) const;
  // OMA-GRP-3: empty, or what the group must be refused for with 403 and a Warning.
  [[nodiscard]] const std::string& not_understood() const { return spec_.not_understood; }
  [[nodiscard]] const GroupSpec& spec() const { return spec_; }

  // On its list by one of his keys (Home::put_keys); `lists` are those that the document names by anchor.
  [[nodiscard]] bool is_member(std::span<const std::string> keys, const ExternalLists* lists = nullptr) const;
  [[nodiscard]] bool is_member(std::string_view uri, const ExternalLists* lists = nullptr) const;
  [[nodiscard]] const GroupMember* member(std::string_view uri) const;

  // Identity counts also when he is anonymous to the others: the server knows him.
  struct Asker {
    std::span<const std::string> keys;  // of all his identities
    bool anonymous = false;             // Privacy: id
    std::int64_t wall_ms = 0;
    const ExternalLists* lists = nullptr;
  };
  [[nodiscard]] GroupVerdict judge(const Asker& asker, GroupAction action) const;
  // Of who has one identity.
  [[nodiscard]] bool may(std::string_view uri, GroupAction action, bool anonymous = false) const;

 private:
  [[nodiscard]] bool has(const Asker& asker, GroupAction action) const;
  [[nodiscard]] const GroupMember* by_key(std::string_view key) const;
  GroupSpec spec_;
  std::string key_;
  std::vector<std::uint32_t> by_key_;  // indexes of members, sorted by key
};

// A document may hold several groups. Errors: not a group document, a group without uri or with members beyond
// group_members_max, two groups of one URI.
[[nodiscard]] XmlError parse_groups(std::string_view bytes, std::vector<Group>& out,
                                    const XmlLimits& limits = group_xml_limits);
// The document of a group, appended. Rules are written as far as they were understood.
void put_group(const Group& group, std::string& out);

}  // namespace parley::policy
