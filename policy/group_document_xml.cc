// policy/group_document_xml.cc - group documents are read and written: see group_document.h.
#include <algorithm>
#include <set>

#include "policy/group_document.h"
#include "policy/resource_list.h"
#include "policy/user_key.h"
#include "policy/xml_writer.h"

namespace parley::policy {

namespace {

bool of_group(XmlElement element) { return element.space() == list_service_space || element.space() == lists_space; }

XmlError read_number(XmlElement element, std::optional<std::uint32_t>& out) {
  out = xml_number(element.text());
  return out ? XmlError() : bad(element, "is no number");
}

// A service by its enabler; the text where there is no such attribute.
std::string enabler_of(XmlElement service) {
  return std::string(service.attribute("enabler").value_or(service.text()));
}

class GroupReader {
 public:
  explicit GroupReader(GroupSpec& out) : out_(out) {}

  XmlError read(XmlElement service) {
    const auto uri = service.attribute("uri");
    if (!uri || user_key(*uri).empty())
      return {service.line(), "<list-service> has no uri that is a SIP, SIPS or TEL URI"};
    out_.uri = *uri;
    out_.invite_members = false;
    for (const XmlElement element : service.children()) {
      if (XmlError error = read_child(element)) return error;
    }
    return {};
  }

 private:
  XmlError read_child(XmlElement element) {
    const std::string_view name = element.name();
    if (element.is(common_policy_space, "ruleset")) return read_rules(element);
    if (of_group(element)) {
      if (name == "display-name") {
        out_.display_name = element.text();
        return {};
      }
      if (name == "list") return read_list(element);
      if (name == "invite-members") {
        const auto value = xml_boolean(element.text());
        out_.invite_members = value.value_or(false);
        return value ? XmlError() : bad(element, "is neither true nor false");
      }
      if (name == "max-participant-count") return read_number(element, out_.max_participants);
    }
    if (is_oma_space(element.space())) {
      bool known = true;
      if (XmlError error = read_extension(element, known)) return error;
      if (known) return {};
    }
    not_understood(element);
    return {};
  }

  // OMA-GRP-3. The parts of session-active-policy are taken from inside it and from beside it.
  XmlError read_extension(XmlElement element, bool& known) {
    const std::string_view name = element.name();
    auto& session = out_.session;
    if (name == "session-active-policy") {
      for (const XmlElement part : element.children()) {
        bool part_known = is_oma_space(part.space());
        if (part_known) {
          if (XmlError error = read_extension(part, part_known)) return error;
        }
        if (!part_known) not_understood(part);
      }
      return {};
    }
    if (name == "max-duration") {
      session.max_duration_seconds = xml_duration_seconds(element.text());
      return session.max_duration_seconds ? XmlError() : bad(element, "is neither a duration nor a number of seconds");
    }
    if (name == "min-participant-count") return read_number(element, session.min_participants);
    if (name == "required-participants-list") return read_required(element);
    if (name == "session-originator") {
      const auto value = element.text().empty() ? std::optional(true) : xml_boolean(element.text());
      session.originator_required = value.value_or(false);
      return value ? XmlError() : bad(element, "is neither true nor false");
    }
    if (name == "schedule") return read_schedule(element);
    if (name == "subject") {
      out_.subject = element.text();
      return {};
    }
    if (name == "supported-services") {
      read_services(element);
      return {};
    }
    if (name == "age-restrictions") {
      // Nobody here knows anybody's age: a restriction that has to hold cannot be kept.
      if (must_be_understood(element)) not_understood(element);
      return read_ages(element);
    }
    known = false;
    return {};
  }

  void not_understood(XmlElement element) {
    if (out_.not_understood.empty() && must_be_understood(element)) out_.not_understood = element.name();
  }

  XmlError read_list(XmlElement list) {
    for (const XmlElement element : list.children()) {
      if (!of_group(element)) continue;
      if (element.name() == "external") out_.external_lists.push_back(parse_list_anchor(element.attribute("anchor").value_or("")));
      if (element.name() != "entry") continue;
      const std::string_view uri = element.attribute("uri").value_or("");
      std::string key = user_key(uri);
      if (key.empty()) return bad(element, "has no uri that is a SIP, SIPS or TEL URI");
      if (out_.members.size() == group_members_max) {
        return bad(element, "is one more than the " + std::to_string(group_members_max) + " members a group may have");
      }
      out_.members.push_back({.uri = std::string(uri),
                              .key = std::move(key),
                              .display_name = std::string(element.child("display-name").text())});
    }
    return {};
  }

  XmlError read_required(XmlElement list) {
    for (const XmlElement element : list.children()) {
      std::string key = user_key(element.attribute("uri").value_or(element.attribute("id").value_or(element.text())));
      if (key.empty()) return bad(element, "in <required-participants-list> is no SIP, SIPS or TEL URI");
      out_.session.required_participants.push_back(std::move(key));
    }
    return {};
  }

  XmlError read_schedule(XmlElement schedule) {
    for (const XmlElement range : schedule.children()) {
      if (range.name() != "time-range") continue;
      const auto from = xml_date_time_ms(range.child("start-time").text());
      const auto until = xml_date_time_ms(range.child("end-time").text());
      if (!from || !until) return bad(range, "has no <start-time> and <end-time> that are a date and time");
      out_.session.schedule.push_back({.from_ms = *from, .until_ms = *until});
    }
    if (out_.session.schedule.empty()) return bad(schedule, "has no <time-range>");
    return {};
  }

  void read_services(XmlElement services) {
    if (const XmlElement except = services.child("all-services-except")) {
      out_.services_except = true;
      services = except;
    }
    for (const XmlElement element : services.children()) {
      if (element.name() == "service") out_.services.push_back(enabler_of(element));
    }
  }

  XmlError read_ages(XmlElement restrictions) {
    const XmlElement age = restrictions.child("age");
    const XmlElement at = age ? age : restrictions;
    if (const auto from = at.attribute("from")) out_.age_from = xml_number(*from);
    if (const auto until = at.attribute("until")) out_.age_until = xml_number(*until);
    return {};
  }

  XmlError read_rules(XmlElement ruleset) {
    std::vector<Rule> rules;
    if (XmlError error = read_ruleset(ruleset, rules)) return error;
    for (const Rule& rule : rules) {
      for (const RuleAction& action : rule.actions) {
        const auto known = known_action(action.name);
        if (known && !group_action_value(*known, action.value)) {
          return {rule.line, "<" + action.name + "> is neither true nor false"};
        }
        if (!known && action.must_understand && out_.not_understood.empty()) out_.not_understood = action.name;
      }
    }
    out_.rules = std::move(rules);
    return {};
  }

  static std::optional<GroupAction> known_action(std::string_view name) {
    for (std::size_t n = 0; n < group_actions; ++n) {
      const auto action = static_cast<GroupAction>(n);
      if (to_string(action) == name) return action;
    }
    return std::nullopt;
  }

  GroupSpec& out_;
};

void put_session(XmlWriter& xml, const SessionActivePolicy& session) {
  if (session == SessionActivePolicy{}) return;
  xml.open("oxe:session-active-policy");
  if (session.originator_required) xml.open("oxe:session-originator").close();
  if (!session.required_participants.empty()) {
    xml.open("oxe:required-participants-list");
    for (const std::string& key : session.required_participants) xml.open("oxe:entry").attribute("uri", key).close();
    xml.close();
  }
  if (session.min_participants) xml.leaf("oxe:min-participant-count", std::to_string(*session.min_participants));
  if (session.max_duration_seconds) xml.leaf("oxe:max-duration", std::to_string(*session.max_duration_seconds));
  if (!session.schedule.empty()) {
    xml.open("oxe:schedule");
    for (const Period& period : session.schedule) {
      xml.open("oxe:time-range").leaf("oxe:start-time", xml_date_time(period.from_ms));
      xml.leaf("oxe:end-time", xml_date_time(period.until_ms)).close();
    }
    xml.close();
  }
  xml.close();
}

void put_services(XmlWriter& xml, const GroupSpec& spec) {
  if (spec.services.empty()) return;
  xml.open("oxe:supported-services");
  if (spec.services_except) xml.open("oxe:all-services-except");
  for (const std::string& enabler : spec.services) xml.open("oxe:service").attribute("enabler", enabler).close();
  if (spec.services_except) xml.close();
  xml.close();
}

void put_ages(XmlWriter& xml, const GroupSpec& spec) {
  if (!spec.age_from && !spec.age_until) return;
  xml.open("oxe:age-restrictions").open("oxe:age");
  if (spec.age_from) xml.attribute("from", std::uint64_t{*spec.age_from});
  if (spec.age_until) xml.attribute("until", std::uint64_t{*spec.age_until});
  xml.close().close();
}

}  // namespace

XmlError parse_groups(std::string_view bytes, std::vector<Group>& out, const XmlLimits& limits) {
  out.clear();
  XmlDocument document;
  if (XmlError error = document.parse(bytes, limits)) return error;
  const XmlElement root = document.root();
  if (!root.is(list_service_space, "group")) return {root.line(), "is no group document"};
  std::vector<Group> read;
  std::set<std::string> keys;
  for (const XmlElement element : root.children()) {
    if (!element.is(list_service_space, "list-service")) continue;
    GroupSpec spec;
    if (XmlError error = GroupReader(spec).read(element)) return error;
    const Group& group = read.emplace_back(std::move(spec));
    if (!keys.insert(group.key()).second) return {element.line(), "<list-service> has the uri of another one"};
  }
  if (read.empty()) return {root.line(), "has no <list-service>"};
  out = std::move(read);
  return {};
}

void put_group(const Group& group, std::string& out) {
  const GroupSpec& spec = group.spec();
  XmlWriter xml(out);
  xml.open("group").attribute("xmlns", list_service_space).attribute("xmlns:rl", lists_space);
  xml.attribute("xmlns:oxe", xdm_extensions_space);
  xml.open("list-service").attribute("uri", spec.uri);
  if (!spec.display_name.empty()) xml.leaf("display-name", spec.display_name);
  xml.open("list");
  for (const GroupMember& member : spec.members) {
    xml.open("entry").attribute("uri", member.uri);
    if (!member.display_name.empty()) xml.leaf("rl:display-name", member.display_name);
    xml.close();
  }
  for (const ListAnchor& anchor : spec.external_lists) xml.open("external").attribute("anchor", anchor.text).close();
  xml.close();
  xml.leaf("invite-members", spec.invite_members ? "true" : "false");
  if (spec.max_participants) xml.leaf("max-participant-count", std::to_string(*spec.max_participants));
  if (spec.rules) put_ruleset(xml, *spec.rules);
  if (!spec.subject.empty()) xml.leaf("oxe:subject", spec.subject);
  put_session(xml, spec.session);
  put_services(xml, spec);
  put_ages(xml, spec);
  // What was not understood still is not.
  if (!spec.not_understood.empty()) {
    xml.open(spec.not_understood).attribute("xmlns", "urn:parley:not-understood").boolean("must-understand", true).close();
  }
}

}  // namespace parley::policy
