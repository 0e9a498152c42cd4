// tests/fuzz/xml_documents_fuzz.cc - every reader of documents on every input: what is read can be written, and what
// was written is read as the same.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "policy/access_rules.h"
#include "policy/documents.h"
#include "policy/group_document.h"
#include "policy/list_anchor.h"
#include "policy/operator_policy.h"
#include "policy/poc_settings.h"
#include "policy/resource_list.h"
#include "policy/user_key.h"
#include "tests/fuzz/cost.h"
#include "tests/msrp/blocks.h"
#include "tests/policy/xml_cost.h"

namespace {

using namespace parley::policy;

// What is written may be longer than what was read, escapes undone and namespaces said again.
constexpr XmlLimits no_limits{.bytes_max = SIZE_MAX / 2,
                              .tag_bytes_max = SIZE_MAX / 2,
                              .elements_max = SIZE_MAX / 2,
                              .namespaces_max = UINT32_MAX};

// Values take more than their text: a rule or a user of the policy is some hundred bytes of fields.
constexpr std::size_t document_cost(std::size_t bytes) {
  return 3 * parley::tests::xml_cost(bytes) + std::size_t{64} * 1024;
}

template <class Value, class Read>
bool read(std::string_view bytes, Value& out, const Read& parse) {
  const parley::tests::Cost cost(document_cost(bytes.size()));
  return !parse(bytes, out, XmlLimits{});
}

void settings(std::string_view bytes) {
  PocSettings first;
  if (!read(bytes, first, parse_poc_settings)) return;
  std::string out;
  put_poc_settings(first, out);
  PocSettings second;
  CHECK(!parse_poc_settings(out, second, no_limits));
  CHECK(second.entities == first.entities);
  const ImSettings together = merged(first.entities, {});
  for (const PocEntity& entity : first.entities)
    CHECK(together.session_barred || !entity.session_barred.value_or(false));
  const PocSettings one = composed(first.entities);
  CHECK(one.entities.size() <= first.entities.size());
  if (!in_conflict(first.entities)) CHECK(merged(one.entities, {}) == together);
}

void recipients(std::string_view bytes) {
  ResourceList list;
  if (!read(bytes, list, parse_resource_list)) return;
  CHECK(list.entries.size() + list.references.size() <= list_entries_max);
  const std::array<ResourceList, 2> twice = {list, list};
  const Recipients once = recipients_of(std::span(twice).first(1), {});
  const Recipients both = recipients_of(twice, {});
  if (both.left_out == 0) CHECK(both.list.size() == once.list.size());
  CHECK(once.list.size() + once.duplicates + once.failed.size() + once.left_out ==
        list.entries.size() + list.references.size() + list.left_out);
  std::string out;
  const std::vector<ListEntry> history =
      recipient_history(once, once.list.empty() ? std::string_view{} : once.list[0].key, true);
  for (const ListEntry& entry : history) CHECK(!entry.anonymize && entry.copy);
  put_resource_list(history, out);
  ResourceList again;
  CHECK(!parse_resource_list(out, again, no_limits));
  CHECK(again.entries == history);
}

void rules(std::string_view bytes) {
  AccessRules first;
  if (!read(bytes, first, parse_access_rules)) return;
  std::string out;
  put_access_rules(first, out);
  AccessRules second;
  CHECK(!parse_access_rules(out, second, no_limits));
  std::string again;
  put_access_rules(second, again);
  CHECK(again == out);
  const std::array<std::string_view, 1> keys = {"sip:alice@example.org"};
  for (const bool anonymous : {false, true}) {
    for (const Wanted wanted : {Wanted::session, Wanted::pager_message, Wanted::file_transfer}) {
      const AccessQuestion question{.keys = keys, .anonymous = anonymous, .wanted = wanted};
      CHECK(first.judge(question).handling == second.judge(question).handling);
    }
  }
}

void groups(std::string_view bytes) {
  std::vector<Group> first;
  if (!read(bytes, first, parse_groups)) return;
  for (const Group& group : first) {
    std::string out;
    put_group(group, out);
    std::vector<Group> second;
    CHECK(!parse_groups(out, second, no_limits));
    CHECK(second.size() == 1);
    std::string again;
    put_group(second[0], again);
    CHECK(again == out);
    CHECK(group.not_understood() == second[0].not_understood());
    for (const GroupMember& member : group.members()) {
      CHECK(group.is_member(member.uri));
      CHECK(user_key(member.key) == member.key);
      for (const bool anonymous : {false, true}) {
        CHECK(group.may(member.uri, GroupAction::join, anonymous) ==
              second[0].may(member.uri, GroupAction::join, anonymous));
      }
    }
  }
}

void policy(std::string_view bytes) {
  OperatorPolicy all;
  if (!read(bytes, all, parse_operator_policy)) return;
  std::vector<std::string> keys = {""};
  for (const auto& [key, level] : all.users) keys.push_back(key);
  for (const std::string& key : keys) {
    const UserPolicy user = all.for_user(key);
    for (const MimePlace place : {MimePlace::plain, MimePlace::wrapped}) {
      for (const std::string& type : user.allowed_types(place)) {
        const auto pattern = parse_mime_pattern(type);
        CHECK(pattern.has_value());
        if (type.find('*') == std::string::npos) CHECK(user.allows_type(pattern->type, pattern->subtype, place));
      }
    }
    if (user.file_bytes_max() && all.service.file_bytes_max)
      CHECK(*user.file_bytes_max() <= *all.service.file_bytes_max);
    (void)user.allows_peer_domain("example.org");
    (void)user.allows_client("IM-client/OMA1.0");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const parley::tests::ExactBlock block(std::string_view(reinterpret_cast<const char*>(data), size));
  const std::string_view bytes = block.view();
  settings(bytes);
  recipients(bytes);
  rules(bytes);
  groups(bytes);
  policy(bytes);
  UserLists lists;
  (void)lists.read(bytes, {});
  const ListAnchor anchor = parse_list_anchor(bytes);
  CHECK(anchor.names.empty() == anchor.user.empty());
  return 0;
}
