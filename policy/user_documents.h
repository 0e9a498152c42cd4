// policy/user_documents.h - what users themselves have written by XCAP (RFC 4825) and what holds because of it: groups,
// access rules, settings, lists of other users. One snapshot that never changes; each change makes the next one, which goes to all shards.
//
// What the operator's files say (documents.h) goes before: a group or a user's rules that are there hide those here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/access_rules.h"
#include "policy/group_document.h"
#include "policy/list_anchor.h"
#include "policy/poc_settings.h"
#include "policy/shared_map.h"

namespace parley::policy {

// One document of a user, as those who watch his are told of it.
struct OwnedDocument {
  std::string selector;  // "org.openmobilealliance.groups/users/sip:alice@example.org/team"
  std::string etag;      // without quotes
};

struct UserDocuments {
  SharedMap<Group> groups;                      // by Group::key()
  SharedMap<AccessRules> access_rules;          // by user_key
  SharedMap<ImSettings> settings;               // by user_key: what holds while he has published nothing
  SharedMap<UserLists> lists;                   // by user_key: what his groups and rules name by anchor, see lists_of()
  SharedMap<std::vector<OwnedDocument>> owned;  // by user_key, in the order of their selectors
  // Whose document differs from the snapshot before. Empty: nothing does.
  std::string changed_owner;
  std::string changed_selector;
  std::string previous_etag;  // empty: it was not there
  std::string new_etag;       // empty: it is there no more
  std::string domain;         // of users of ours

  // Under either name of a user of ours whose name is a number. Null: there are none.
  [[nodiscard]] SharedMap<UserLists>::Pointer lists_of(std::string_view user) const {
    if (user.starts_with("tel:+")) {
      if (auto his = lists.find("sip:" + std::string(user.substr(4)) + "@" + domain); his != nullptr) return his;
    }
    return lists.find(user);
  }
};

}  // namespace parley::policy
