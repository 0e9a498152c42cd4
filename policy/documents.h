// policy/documents.h - all documents of an operator as one snapshot that never changes: groups, access rules, operator
// policy, what users have who published nothing. Read at start and at SIGHUP, shared by all shards.
//
// The files and their names:
//   groups/*.xml               group_document.h; one or several groups each
//   access-rules/USER.xml      access_rules.h; USER is an address of record, with or without "sip:" and domain
//   resource-lists/USER.xml    lists that rules and groups name by <external>, as XCAP has them (RFC 4826)
//   operator-policy.xml        operator_policy.h
//   user-defaults.xml          poc_settings.h, one entity: what holds for who published nothing (OMA-SET-7)
// Anything else that ends with .xml is an error, other files are not looked at.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/access_rules.h"
#include "policy/group_document.h"
#include "policy/operator_policy.h"
#include "policy/poc_settings.h"

namespace parley::policy {

struct Documents {
  std::map<std::string, Group, std::less<>> groups;              // by Group::key()
  std::map<std::string, AccessRules, std::less<>> access_rules;  // by user_key
  ExternalLists lists;
  OperatorPolicy policy;
  ImSettings user_defaults;
  // False: there is no operator policy and nobody has access rules, so that no request has to be looked at for them.
  bool judge_requests = true;

  // nullptr: none.
  [[nodiscard]] const Group* group(std::string_view uri) const;
  [[nodiscard]] const AccessRules* rules_of(std::string_view key) const;
};

struct DocumentFile {
  std::string name;  // below the directory: "groups/team.xml"
  std::string bytes;
};

struct DocumentsResult {
  std::shared_ptr<const Documents> documents;  // nullptr after an error
  std::string error;                           // "groups/team.xml: line 3: ..."; empty: good
  std::vector<std::string> warnings;           // what was understood and will not work
};

// `domain` completes names without one. `groups` come from flags; one that a file has, too, is an error.
[[nodiscard]] DocumentsResult read_documents(std::span<const DocumentFile> files, std::span<const GroupSpec> groups,
                                             std::string_view domain);

// "alice", "alice@example.org", "sip:alice@example.org", "tel:+1555": a URI, or nothing when it cannot be one.
[[nodiscard]] std::string completed_uri(std::string_view name, std::string_view domain);

// A group in short, as a flag has it: "sip:team@example.org=alice,bob,carol". nullopt: `why` says what is wrong.
[[nodiscard]] std::optional<GroupSpec> parse_group_spec(std::string_view text, std::string_view domain,
                                                        std::string& why);

}  // namespace parley::policy
