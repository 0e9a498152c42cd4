// policy/xcap_usages.cc - see xcap_usages.h.
#include "policy/xcap_usages.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "policy/list_anchor.h"
#include "policy/user_key.h"
#include "policy/xml_writer.h"
#include "sip/uri.h"

namespace parley::policy {
namespace {

constexpr std::string_view poc_settings_space = "urn:oma:params:xml:ns:poc:poc-settings";
constexpr std::string_view im_settings_space = "urn:oma:xml:im:service-settings";
// In the order of a group document.
constexpr std::string_view group_uri_field = "group/list-service/@uri";

XcapRefusal refused(XcapFault fault, std::string phrase) { return {fault, std::move(phrase), {}}; }
XcapRefusal invalid(const XmlError& error) { return refused(XcapFault::schema_validation_error, to_string(error)); }
XcapRefusal constraint(std::string phrase) { return refused(XcapFault::constraint_failure, std::move(phrase)); }
XcapRefusal too_much(XcapLimit limit, std::string phrase) {
  return {XcapFault::constraint_failure, std::move(phrase), {}, limit};
}

// The service has judged its length.
XmlLimits limits_of(std::string_view bytes) { return {.bytes_max = bytes.size(), .elements_max = 20'000}; }

// Anchors of a ruleset or a group: who is judged by it is looked for in each, at every request of his.
constexpr std::size_t anchors_max = 64;
// Of a resource-lists document.
constexpr std::size_t lists_and_entries_max = 10'000;
constexpr std::size_t list_name_bytes_max = 256;

// The lists that a user's document names.
XcapRefusal judge_anchors(std::span<const ListAnchor> listed, std::span<const Rule> rules, std::string_view owner,
                          const XcapWorld& world) {
  // Whose lists others may name is theirs to say, and there is no way to say it.
  const auto are_his = [&](std::span<const ListAnchor> anchors) {
    return std::all_of(anchors.begin(), anchors.end(), [&](const ListAnchor& anchor) {
      return !anchor.names.empty() && world.user_of(anchor.user) == owner;
    });
  };
  std::size_t count = listed.size();
  for (const Rule& rule : rules) count += rule.conditions.external_list.size();
  if (count > anchors_max)
    return too_much(XcapLimit::anchors, "names more than " + std::to_string(anchors_max) + " lists");
  if (!are_his(listed) || !std::all_of(rules.begin(), rules.end(), [&](const Rule& rule) {
        return are_his(rule.conditions.external_list);
      })) {
    return constraint("only lists of the same user's resource-lists document \"index\" are followed");
  }
  return {};
}

}  // namespace

std::string_view to_string(XcapLimit limit) {
  switch (limit) {
    case XcapLimit::none: break;
    case XcapLimit::list_entries: return "list_entries";
    case XcapLimit::list_name: return "list_name";
    case XcapLimit::anchors: return "anchors";
    case XcapLimit::group_members: return "group_members";
    case XcapLimit::documents_per_user: return "documents_per_user";
    case XcapLimit::documents: return "documents";
    case XcapLimit::documents_bytes: return "documents_bytes";
  }
  return "";
}

std::string XcapWorld::user_of(std::string_view name) const {
  std::string key = user_key(completed_uri(name, domain));
  if (!key.starts_with("tel:+") || accounts.find(key.substr(4)) == accounts.end()) return key;
  return "sip:" + key.substr(4) + "@" + std::string(domain);
}

XcapRefusal judge_group_uri(const Group& group, const XcapWorld& world) {
  sip::Uri uri;
  const std::string& key = group.key();
  if (!sip::parse_uri(key, uri) || uri.scheme == sip::Scheme::tel || uri.user.empty()) {
    return constraint("a group has a SIP URI with a user");
  }
  if (uri.host != world.domain) return constraint("a group's URI is of the domain " + std::string(world.domain));
  if (!uri.user.starts_with(world.groups_prefix)) {
    return constraint("the name of a group begins with " + std::string(world.groups_prefix));
  }
  if (world.accounts.find(uri.user) != world.accounts.end() || world.operators.group(key) != nullptr ||
      std::find(world.reserved.begin(), world.reserved.end(), key) != world.reserved.end()) {
    return {XcapFault::uniqueness_failure, "the URI of the group is somebody's already", std::string(group_uri_field)};
  }
  return {};
}

bool is_single_document(std::string_view auid) { return auid == xcap_access_rules_auid || auid == xcap_settings_auid; }

// --- groups

std::vector<std::string_view> XcapGroups::namespaces() const {
  return {list_service_space, common_policy_space, oma_common_policy_space, xdm_extensions_space};
}

bool XcapGroups::may_read(std::string_view reader, const XcapValue& value, const XcapWorld& world) const {
  std::vector<std::string> keys = {std::string(reader)};
  // user_of has made his number his address already.
  const std::string_view number = number_in(reader);
  if (!number.empty() && reader.ends_with("@" + std::string(world.domain))) {
    keys.push_back("tel:" + std::string(number));
  }
  return !value.groups.empty() && std::all_of(value.groups.begin(), value.groups.end(), [&](const auto& group) {
    return group->is_member(keys, &world.lists) &&
           group->judge({.keys = keys, .lists = &world.lists}, GroupAction::conference_state) == GroupVerdict::allowed;
  });
}

XcapRefusal XcapGroups::read(const XcapPlace& place, std::string_view bytes, const XcapWorld& world,
                             XcapValue& out) const {
  std::vector<Group> groups;
  if (const XmlError error = parse_groups(bytes, groups)) return invalid(error);
  for (Group& group : groups) {
    if (XcapRefusal refusal = judge_group_uri(group, world); refusal.fault != XcapFault::none) return refusal;
    const GroupSpec& spec = group.spec();
    const std::span<const Rule> rules = spec.rules ? std::span<const Rule>(*spec.rules) : std::span<const Rule>();
    if (XcapRefusal refusal = judge_anchors(spec.external_lists, rules, place.owner, world);
        refusal.fault != XcapFault::none) {
      return refusal;
    }
    if (group.members().size() > world.group_members_max ||
        group.max_participants().value_or(0) > world.group_members_max) {
      return too_much(XcapLimit::group_members,
                      "a group has at most " + std::to_string(world.group_members_max) + " members and participants");
    }
    out.groups.push_back(std::make_shared<const Group>(std::move(group)));
  }
  return {};
}

// --- access rules

std::vector<std::string_view> XcapAccessRules::namespaces() const {
  return {common_policy_space, oma_common_policy_space, xdm_extensions_space, poc_rules_space};
}

bool XcapAccessRules::has(const XcapPlace& place) const {
  return !place.global && (place.document == "access-rules" || place.document == "index");
}

XcapRefusal XcapAccessRules::read(const XcapPlace& place, std::string_view bytes, const XcapWorld& world,
                                  XcapValue& out) const {
  if (world.operators.rules_of(place.owner) != nullptr) return constraint("the rules of this user are the operator's");
  auto rules = std::make_shared<AccessRules>();
  if (const XmlError error = parse_access_rules(bytes, *rules, limits_of(bytes))) return invalid(error);
  if (XcapRefusal refusal = judge_anchors({}, rules->rules(), place.owner, world); refusal.fault != XcapFault::none) {
    return refusal;
  }
  out.access_rules = std::move(rules);
  return {};
}

// --- settings

std::string_view XcapSettings::space() const { return poc_settings_space; }
std::vector<std::string_view> XcapSettings::namespaces() const { return {poc_settings_space, im_settings_space}; }

bool XcapSettings::has(const XcapPlace& place) const {
  return !place.global && (place.document == "settings-defaults" || place.document == "index");
}

XcapRefusal XcapSettings::read(const XcapPlace&, std::string_view bytes, const XcapWorld&, XcapValue& out) const {
  PocSettings settings;
  if (const XmlError error = parse_poc_settings(bytes, settings, limits_of(bytes))) return invalid(error);
  if (settings.entities.size() != 1) return constraint("one <entity> is needed");
  out.settings = std::move(settings.entities[0]);
  return {};
}

// --- lists

namespace {

// RFC 4826 section 3.2: what stands in one list, or in the root, where `path` leads. What is of another namespace may be anything.
class ListsReader {
 public:
  [[nodiscard]] XcapRefusal read(XmlElement list, const std::string& path, bool is_root) {
    std::set<std::string_view> seen[4];  // by kind
    std::uint32_t places[4] = {};
    bool named = false;
    for (const XmlElement child : list.children()) {
      if (child.space() != lists_space) continue;
      if (child.name() == "display-name" && !is_root && !std::exchange(named, true)) continue;
      const auto kind =
          std::find_if(std::begin(kinds), std::end(kinds), [&](const Kind& k) { return k.name == child.name(); });
      if (kind == std::end(kinds) || (is_root && kind != kinds)) return invalid(bad(child, "can not stand there"));
      if (++count_ > lists_and_entries_max) {
        return too_much(XcapLimit::list_entries,
                        "has more than " + std::to_string(lists_and_entries_max) + " lists and entries");
      }
      const auto number = static_cast<std::size_t>(kind - kinds);
      const std::string here =
          path + "/" + std::string(kind->name) + "%5B" + std::to_string(++places[number]) + "%5D";
      const std::optional<std::string_view> value = child.attribute(kind->attribute);
      if (!value && kind->needed) return invalid(bad(child, "has no " + std::string(kind->attribute)));
      if (value && !seen[number].insert(*value).second) {
        return {XcapFault::uniqueness_failure, "it stands there already", here + "/@" + std::string(kind->attribute)};
      }
      if (kind != kinds) continue;
      if (value && value->size() > list_name_bytes_max) {
        return too_much(XcapLimit::list_name,
                        "a list has a name of at most " + std::to_string(list_name_bytes_max) + " bytes");
      }
      if (XcapRefusal refusal = read(child, here, false); refusal.fault != XcapFault::none) return refusal;
    }
    return {};
  }

 private:
  struct Kind {
    std::string_view name;
    std::string_view attribute;  // that no sibling of the kind has, too
    bool needed;
  };
  static constexpr Kind kinds[4] = {
      {"list", "name", false}, {"entry", "uri", true}, {"entry-ref", "ref", true}, {"external", "anchor", true}};
  std::size_t count_ = 0;
};

}  // namespace

XcapRefusal XcapResourceLists::read(const XcapPlace& place, std::string_view bytes, const XcapWorld&,
                                    XcapValue& out) const {
  XmlDocument document;
  if (const XmlError error = document.parse(bytes, limits_of(bytes))) return invalid(error);
  const XmlElement root = document.root();
  if (!root.is(lists_space, "resource-lists")) return invalid({root.line(), "is no resource-lists document"});
  XcapRefusal refusal = ListsReader().read(root, "resource-lists", true);
  if (refusal.fault != XcapFault::none) return refusal;
  if (place.document != "index") return {};
  auto lists = std::make_shared<UserLists>();
  if (const XmlError error = lists->read(bytes, limits_of(bytes))) return invalid(error);
  out.lists = std::move(lists);
  return {};
}

// --- what there is

XcapCaps::XcapCaps(const std::vector<std::unique_ptr<const XcapUsage>>& usages) {
  std::set<std::string, std::less<>> auids = {std::string(xcap_caps_auid)};
  std::set<std::string, std::less<>> spaces = {std::string(space()), "urn:ietf:params:xml:ns:xcap-error"};
  for (const auto& usage : usages) {
    auids.emplace(usage->auid());
    for (const std::string_view name : usage->namespaces()) spaces.emplace(name);
  }
  XmlWriter xml(document_.body);
  xml.open("xcap-caps").attribute("xmlns", space());
  xml.open("auids");
  for (const std::string& auid : auids) xml.leaf("auid", auid);
  xml.close().open("extensions").close().open("namespaces");
  for (const std::string& name : spaces) xml.leaf("namespace", name);
  xml.close().close();
  document_.status = 200;
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : document_.body) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  document_.etag = std::to_string(hash);
}

}  // namespace parley::policy
