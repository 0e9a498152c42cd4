// policy/group_document.cc - what a group says to questions: see group_document.h. The reading of documents stands in
// group_document_xml.cc.
#include "policy/group_document.h"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "policy/user_key.h"

namespace parley::policy {

std::string_view to_string(GroupAction action) {
  switch (action) {
    case GroupAction::join: return "join-handling";
    case GroupAction::initiate_conference: return "allow-initiate-conference";
    case GroupAction::conference_state: return "allow-conference-state";
    case GroupAction::invite_users_dynamically: return "allow-invite-users-dynamically";
    case GroupAction::anonymity: return "allow-anonymity";
    case GroupAction::key_participant: return "is-key-participant";
    case GroupAction::expelling: return "allow-expelling";
    case GroupAction::private_message: return "allow-private-message";
    case GroupAction::subconf: return "allow-subconf";
    case GroupAction::offline_storage: return "allow-offline-storage";
    case GroupAction::reject_invite: return "allow-reject-invite";
    case GroupAction::media_handling: return "allow-media-handling";
    case GroupAction::remove_media_handling: return "remove-media-handling";
  }
  return "";
}

bool member_may_by_default(GroupAction action) {
  switch (action) {
    case GroupAction::join:
    case GroupAction::initiate_conference:
    case GroupAction::conference_state:
    case GroupAction::private_message:
    case GroupAction::offline_storage:
    case GroupAction::reject_invite: return true;
    case GroupAction::invite_users_dynamically:
    case GroupAction::anonymity:
    case GroupAction::key_participant:
    case GroupAction::expelling:
    case GroupAction::subconf:
    case GroupAction::media_handling:
    case GroupAction::remove_media_handling: return false;
  }
  return false;
}

std::optional<bool> group_action_value(GroupAction action, std::string_view text) {
  if (const auto value = xml_boolean(text)) return value;
  if (text == "allow" || text == "accept") return true;  // of older documents (OMA-ACC-6)
  if (text == "block" || text == "reject") return false;
  // Its type is not known to us: what it says is not taken for a permission.
  if (action == GroupAction::remove_media_handling) return false;
  return std::nullopt;
}

bool SessionActivePolicy::scheduled_at(std::int64_t wall_ms) const {
  return schedule.empty() || std::any_of(schedule.begin(), schedule.end(), [wall_ms](const Period& p) {
           return wall_ms >= p.from_ms && wall_ms < p.until_ms;
         });
}

Group::Group(GroupSpec spec) : spec_(std::move(spec)), key_(user_key(spec_.uri)) {
  auto& members = spec_.members;
  for (GroupMember& member : members) {
    if (member.key.empty()) member.key = user_key(member.uri);
  }
  by_key_.resize(members.size());
  std::iota(by_key_.begin(), by_key_.end(), 0U);
  const auto sort = [this, &members] {
    std::stable_sort(by_key_.begin(), by_key_.end(),
                     [&members](std::uint32_t a, std::uint32_t b) { return members[a].key < members[b].key; });
  };
  sort();
  // Each user once, where he stood first; those that are no users not at all.
  std::vector<GroupMember> once;
  std::vector<bool> keep(members.size(), false);
  for (std::size_t n = 0; n < by_key_.size(); ++n) {
    const std::string& key = members[by_key_[n]].key;
    keep[by_key_[n]] = !key.empty() && (n == 0 || members[by_key_[n - 1]].key != key);
  }
  for (std::size_t n = 0; n < members.size(); ++n) {
    if (keep[n]) once.push_back(std::move(members[n]));
  }
  members = std::move(once);
  by_key_.resize(members.size());
  std::iota(by_key_.begin(), by_key_.end(), 0U);
  sort();
}

bool Group::supports(std::string_view enabler) const {
  if (spec_.services.empty()) return true;
  const bool listed = std::find(spec_.services.begin(), spec_.services.end(), enabler) != spec_.services.end();
  return listed != spec_.services_except;
}

const GroupMember* Group::by_key(std::string_view key) const {
  const auto at = std::lower_bound(by_key_.begin(), by_key_.end(), key,
                                   [this](std::uint32_t n, std::string_view k) { return spec_.members[n].key < k; });
  return at != by_key_.end() && spec_.members[*at].key == key ? &spec_.members[*at] : nullptr;
}

const GroupMember* Group::member(std::string_view uri) const { return by_key(user_key(uri)); }

bool Group::is_member(std::span<const std::string> keys, const ExternalLists* external) const {
  return std::any_of(keys.begin(), keys.end(), [&](const std::string& key) {
    if (key.empty()) return false;
    if (by_key(key) != nullptr) return true;
    return external != nullptr && std::any_of(spec_.external_lists.begin(), spec_.external_lists.end(),
                                              [&](const ListAnchor& anchor) { return external->contains(anchor, key); });
  });
}

bool Group::is_member(std::string_view uri, const ExternalLists* external) const {
  const std::string key = user_key(uri);
  return is_member(std::span(&key, 1), external);
}

bool Group::has(const Asker& asker, GroupAction action) const {
  const bool listed = is_member(asker.keys, asker.lists);
  if (!spec_.rules) return listed && member_may_by_default(action);
  std::vector<std::string_view> keys;
  std::copy_if(asker.keys.begin(), asker.keys.end(), std::back_inserter(keys),
               [](const std::string& key) { return !key.empty(); });
  const auto matching = matching_rules(*spec_.rules, {.keys = keys,
                                                      .anonymous = asker.anonymous,
                                                      .list_member = listed,
                                                      .identity_in_spite = true,
                                                      .wall_ms = asker.wall_ms,
                                                      .lists = asker.lists});
  // RFC 4745 section 10.2: true when one of them says so.
  return std::any_of(matching.begin(), matching.end(), [action](const Rule* rule) {
    const auto value = rule->action(to_string(action));
    return value && group_action_value(action, *value).value_or(false);
  });
}

GroupVerdict Group::judge(const Asker& asker, GroupAction action) const {
  if (!has(asker, action)) return GroupVerdict::forbidden;
  if (asker.anonymous && !has(asker, GroupAction::anonymity)) return GroupVerdict::anonymity_disallowed;  // OMA-GRP-9
  return GroupVerdict::allowed;
}

bool Group::may(std::string_view uri, GroupAction action, bool anonymous) const {
  const std::string key = user_key(uri);
  return judge({.keys = std::span(&key, 1), .anonymous = anonymous}, action) == GroupVerdict::allowed;
}

}  // namespace parley::policy
