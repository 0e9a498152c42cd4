// policy/documents.cc - see documents.h.
#include "policy/documents.h"

#include <algorithm>

#include "policy/user_key.h"

namespace parley::policy {

namespace {

constexpr std::string_view operator_policy_name = "operator-policy.xml";

// Documents of users that the operator keeps; a message could not bring them.
constexpr XmlLimits user_limits{.bytes_max = 1024 * 1024, .elements_max = 20'000};

// Takes "groups/" and ".xml" off; empty when the name is not of that folder.
std::string_view in_folder(std::string_view name, std::string_view folder) {
  if (!name.starts_with(folder) || !name.ends_with(".xml") || name.size() < folder.size() + 4) return {};
  name.remove_prefix(folder.size());
  name.remove_suffix(4);
  return name;
}

class DocumentsReader {
 public:
  DocumentsReader(Documents& out, std::vector<std::string>& warnings, std::string_view domain)
      : out_(out), warnings_(warnings), domain_(domain) {}

  // What is wrong with it, with its line; empty: nothing.
  std::string read(const DocumentFile& file) {
    if (file.name == operator_policy_name) return text(parse_operator_policy(file.bytes, out_.policy));
    if (file.name == "user-defaults.xml") return text(read_defaults(file.bytes));
    if (!in_folder(file.name, "groups/").empty()) return read_groups(file);
    if (const auto name = in_folder(file.name, "access-rules/"); !name.empty()) return read_rules(file, name);
    if (const auto name = in_folder(file.name, "resource-lists/"); !name.empty()) return read_lists(file, name);
    return "is no document that is known here";
  }

  std::string add_group(Group group, const std::string& from) {
    const auto [other, fresh] = group_files_.try_emplace(group.key(), from);
    if (!fresh) return group.uri() + " is in " + other->second + ", too";
    if (!group.not_understood().empty()) {
      warnings_.push_back(from + ": " + group.uri() + " refuses all sessions: <" + group.not_understood() +
                          "> must be understood and is not");
    }
    for (const ListAnchor& anchor : group.spec().external_lists) anchors_.try_emplace(anchor.text, from);
    std::string key = group.key();
    out_.groups.emplace(std::move(key), std::move(group));
    return {};
  }

  // After all files: whether there are the lists that some document names.
  void end_lists() {
    for (const auto& [anchor, from] : anchors_) {
      const ListAnchor parsed = parse_list_anchor(anchor);
      const auto his = lists_->find(parsed.user);
      if (his != lists_->end() && his->second.has(parsed.names)) continue;
      warnings_.push_back(from + ": the list " + anchor + " is in no file: who is on it, its user alone can write");
    }
    if (!lists_->empty()) out_.lists.use(std::move(lists_));
  }

 private:
  static std::string text(const XmlError& error) { return error ? to_string(error) : std::string(); }

  XmlError read_defaults(std::string_view bytes) {
    PocSettings settings;
    if (XmlError error = parse_poc_settings(bytes, settings)) return error;
    if (settings.entities.size() != 1) return {0, "needs one <entity>"};
    // A setting that is misspelt would not be one.
    if (!settings.entities[0].extension.empty()) return {0, "has an element that is no setting"};
    out_.user_defaults = settled({}, settings.entities[0]);
    return {};
  }

  std::string read_groups(const DocumentFile& file) {
    std::vector<Group> groups;
    if (XmlError error = parse_groups(file.bytes, groups)) return to_string(error);
    for (Group& group : groups) {
      if (std::string why = add_group(std::move(group), file.name); !why.empty()) return why;
    }
    return {};
  }

  std::string read_rules(const DocumentFile& file, std::string_view name) {
    const std::string key = user_key(completed_uri(name, domain_));
    if (key.empty()) return "is not named after a user";
    const auto [rules, fresh] = out_.access_rules.try_emplace(key);
    if (!fresh) return "is another document of " + key;
    if (XmlError error = parse_access_rules(file.bytes, rules->second, user_limits)) return to_string(error);
    for (const Rule& rule : rules->second.rules()) {
      for (const ListAnchor& anchor : rule.conditions.external_list) anchors_.try_emplace(anchor.text, file.name);
    }
    return {};
  }

  std::string read_lists(const DocumentFile& file, std::string_view name) {
    const std::string key = user_key(completed_uri(name, domain_));
    if (key.empty()) return "is not named after a user";
    const auto [lists, fresh] = lists_->try_emplace(key);
    if (!fresh) return "is another document of " + key;
    return text(lists->second.read(file.bytes, user_limits));
  }

  Documents& out_;
  std::vector<std::string>& warnings_;
  std::string_view domain_;
  std::map<std::string, std::string> group_files_;  // by key
  std::map<std::string, std::string> anchors_;      // and who names them first
  std::shared_ptr<ExternalLists::Files> lists_ = std::make_shared<ExternalLists::Files>();
};

}  // namespace

const Group* Documents::group(std::string_view uri) const {
  const auto found = groups.find(user_key(uri));
  return found == groups.end() ? nullptr : &found->second;
}

const AccessRules* Documents::rules_of(std::string_view key) const {
  const auto found = access_rules.find(key);
  return found == access_rules.end() ? nullptr : &found->second;
}

DocumentsResult read_documents(std::span<const DocumentFile> files, std::span<const GroupSpec> groups,
                               std::string_view domain) {
  DocumentsResult result;
  auto documents = std::make_shared<Documents>();
  DocumentsReader reader(*documents, result.warnings, domain);
  for (const DocumentFile& file : files) {
    if (const std::string why = reader.read(file); !why.empty()) {
      result.error = file.name + ": " + why;
      return result;
    }
  }
  for (const GroupSpec& spec : groups) {
    if (const std::string why = reader.add_group(Group(spec), "--group"); !why.empty()) {
      result.error = "--group: " + why;
      return result;
    }
  }
  reader.end_lists();
  documents->judge_requests = !documents->access_rules.empty() ||
                              std::any_of(files.begin(), files.end(), [](const DocumentFile& file) {
                                return file.name == operator_policy_name;
                              });
  result.documents = std::move(documents);
  return result;
}

std::string completed_uri(std::string_view name, std::string_view domain) {
  std::string uri(name);
  const bool has_scheme = uri.starts_with("sip:") || uri.starts_with("sips:") || uri.starts_with("tel:");
  if (!has_scheme && uri.find('@') == std::string::npos) uri.append("@").append(domain);
  if (!has_scheme) uri.insert(0, "sip:");
  return user_key(uri).empty() ? std::string() : uri;
}

std::optional<GroupSpec> parse_group_spec(std::string_view text, std::string_view domain, std::string& why) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    why = "is not URI=MEMBER,MEMBER,...";
    return std::nullopt;
  }
  GroupSpec spec;
  spec.uri = completed_uri(text.substr(0, equals), domain);
  if (spec.uri.empty()) {
    why = "does not begin with a SIP URI or the name of one";
    return std::nullopt;
  }
  for (std::string_view rest = text.substr(equals + 1); !rest.empty();) {
    const std::string_view name = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    std::string uri = completed_uri(name, domain);
    if (name.empty() || uri.empty()) {
      why = "has a member that is no name and no SIP or TEL URI: '" + std::string(name) + "'";
      return std::nullopt;
    }
    if (spec.members.size() == group_members_max) {
      why = "has more than " + std::to_string(group_members_max) + " members";
      return std::nullopt;
    }
    spec.members.push_back({.uri = std::move(uri), .key = {}, .display_name = {}});
  }
  return spec;
}

}  // namespace parley::policy
