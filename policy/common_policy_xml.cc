// policy/common_policy_xml.cc - rulesets are read and written: see common_policy.h.
#include <algorithm>
#include <array>

#include "core/host_text.h"
#include "policy/common_policy.h"
#include "policy/user_key.h"
#include "policy/xml_writer.h"

namespace parley::policy {

namespace {

struct MediaName {
  std::string_view name;
  Media media;
};
constexpr std::array<MediaName, 7> media_names = {{
    {"message-session", Media::message_session},
    {"pager-mode-message", Media::pager_mode_message},
    {"file-transfer", Media::file_transfer},
    {"group-advertisement", Media::group_advertisement},
    {"audio", Media::audio},
    {"video", Media::video},
    {"poc-speech", Media::poc_speech},
}};

std::optional<Media> media_of(XmlElement element) {
  for (const MediaName& known : media_names) {
    if (known.name == element.name()) return known.media;
  }
  return std::nullopt;
}

std::string_view name_of(Media media) {
  const auto known =
      std::find_if(media_names.begin(), media_names.end(), [media](const MediaName& m) { return m.media == media; });
  return known == media_names.end() ? std::string_view{} : known->name;
}

std::string domain_key(std::string_view domain) {
  core::HostText text;
  return std::string(core::canonical_host(domain, text));
}

class ConditionsReader {
 public:
  explicit ConditionsReader(Conditions& out) : out_(out) {}

  XmlError read(XmlElement conditions) {
    for (const XmlElement element : conditions.children()) {
      if (XmlError error = read_one(element)) return error;
    }
    if (identities_ > rule_identities_max) {
      return {conditions.line(), "names more than " + std::to_string(rule_identities_max) + " identities in one rule"};
    }
    return {};
  }

 private:
  XmlError read_one(XmlElement element) {
    if (element.is(common_policy_space, "identity")) return read_identity(element);
    if (element.is(common_policy_space, "validity")) return read_validity(element);
    if (!is_oma_space(element.space()) || !read_oma(element)) out_.never = true;  // RFC 4745 section 7: false
    return {};
  }

  // False: not known.
  bool read_oma(XmlElement element) {
    if (element.name() == "anonymous-request") return out_.anonymous_request = true;
    if (element.name() == "other-identity") return out_.other_identity = true;
    if (element.name() == "is-list-member") return out_.is_list_member = true;
    if (element.name() == "external-list") {
      out_.has_external_list = true;
      for (const XmlElement entry : element.children()) {
        ++identities_;
        out_.external_list.push_back(parse_list_anchor(entry.attribute("anc").value_or("")));
      }
      return true;
    }
    if (element.name() == "media-list") return read_media_list(element);
    if (element.name() == "service") {
      out_.has_enabler = true;
      out_.enablers.emplace_back(element.attribute("enabler").value_or(""));
      return true;
    }
    const auto media = media_of(element);
    if (media && std::find(out_.media.begin(), out_.media.end(), *media) == out_.media.end())
      out_.media.push_back(*media);
    return media.has_value();
  }

  bool read_media_list(XmlElement list) {
    out_.has_media_list = true;
    if (const XmlElement except = list.child("all-media-except")) {
      out_.media_list_except = true;
      list = except;
    }
    for (const XmlElement element : list.children()) {
      if (const auto media = media_of(element)) out_.media_list.push_back(*media);
    }
    return true;
  }

  XmlError read_identity(XmlElement identity) {
    out_.has_identity = true;
    for (const XmlElement element : identity.children()) {
      ++identities_;
      if (element.is(common_policy_space, "one")) {
        const auto id = element.attribute("id");
        if (!id) return {element.line(), "<one> has no id"};
        // Of another scheme: nobody here can be it.
        if (std::string key = user_key(*id); !key.empty()) out_.one.push_back(std::move(key));
      } else if (element.is(common_policy_space, "many")) {
        if (XmlError error = read_many(element)) return error;
      }
    }
    return {};
  }

  XmlError read_many(XmlElement element) {
    IdentityMany many;
    if (const auto domain = element.attribute("domain")) {
      many.domain = domain_key(*domain);
      if (many.domain.empty()) return {element.line(), "<many> has a domain that is none"};
    }
    for (const XmlElement except : element.children()) {
      if (!except.is(common_policy_space, "except")) continue;
      ++identities_;
      const auto id = except.attribute("id");
      const auto domain = except.attribute("domain");
      if (id.has_value() == domain.has_value()) return {except.line(), "<except> needs either id or domain"};
      IdentityException exception;
      if (id) exception.key = user_key(*id);
      if (domain) exception.domain = domain_key(*domain);
      if (domain && exception.domain.empty()) return {except.line(), "<except> has a domain that is none"};
      if (!exception.key.empty() || !exception.domain.empty()) many.except.push_back(std::move(exception));
    }
    out_.many.push_back(std::move(many));
    return {};
  }

  XmlError read_validity(XmlElement validity) {
    out_.has_validity = true;
    Period period;
    bool open = false;  // <from> was there, <until> not yet
    for (const XmlElement element : validity.children()) {
      const bool begins = element.is(common_policy_space, "from");
      if (!begins && !element.is(common_policy_space, "until")) continue;
      const auto time = xml_date_time_ms(element.text());
      if (!time) return {element.line(), "<" + std::string(element.name()) + "> is no date and time"};
      if (begins == open) return {element.line(), "<from> and <until> do not stand in pairs"};
      (begins ? period.from_ms : period.until_ms) = *time;
      if (!begins) out_.validity.push_back(period);
      open = begins;
    }
    if (open) return {validity.line(), "<from> and <until> do not stand in pairs"};
    return {};
  }

  Conditions& out_;
  std::size_t identities_ = 0;
};

XmlError read_rule(XmlElement element, Rule& out) {
  out.line = element.line();
  out.id = element.attribute("id").value_or("");
  if (const XmlElement conditions = element.child(common_policy_space, "conditions")) {
    if (XmlError error = ConditionsReader(out.conditions).read(conditions)) return error;
  }
  for (const XmlElement action : element.child(common_policy_space, "actions").children()) {
    out.actions.push_back({.space = std::string(action.space()),
                           .name = std::string(action.name()),
                           .value = std::string(action.text()),
                           .must_understand = must_be_understood(action)});
  }
  return {};
}

void put_identity(XmlWriter& xml, const Conditions& c) {
  xml.open("cr:identity");
  for (const std::string& key : c.one) xml.open("cr:one").attribute("id", key).close();
  for (const IdentityMany& many : c.many) {
    xml.open("cr:many");
    if (!many.domain.empty()) xml.attribute("domain", many.domain);
    for (const IdentityException& except : many.except) {
      const bool user = except.domain.empty();
      xml.open("cr:except").attribute(user ? "id" : "domain", user ? except.key : except.domain).close();
    }
    xml.close();
  }
  xml.close();
}

void put_conditions(XmlWriter& xml, const Conditions& c) {
  xml.open("cr:conditions");
  const auto put_empty = [&xml](bool said, std::string_view name) {
    if (said) xml.open(name).close();
  };
  if (c.has_identity) put_identity(xml, c);
  if (c.has_external_list) {
    xml.open("ocr:external-list");
    for (const ListAnchor& anchor : c.external_list) xml.open("ocr:entry").attribute("anc", anchor.text).close();
    xml.close();
  }
  put_empty(c.anonymous_request, "ocr:anonymous-request");
  put_empty(c.other_identity, "ocr:other-identity");
  put_empty(c.is_list_member, "ls:is-list-member");
  for (const Media media : c.media) put_empty(true, "oxe:" + std::string(name_of(media)));
  if (c.has_media_list) {
    xml.open("oxe:media-list");
    if (c.media_list_except) xml.open("oxe:all-media-except");
    for (const Media media : c.media_list) put_empty(true, "oxe:" + std::string(name_of(media)));
    if (c.media_list_except) xml.close();
    xml.close();
  }
  for (const std::string& enabler : c.enablers) xml.open("oxe:service").attribute("enabler", enabler).close();
  if (c.has_validity) {
    xml.open("cr:validity");
    for (const Period& period : c.validity)
      xml.leaf("cr:from", xml_date_time(period.from_ms)).leaf("cr:until", xml_date_time(period.until_ms));
    xml.close();
  }
  if (c.never) xml.open("cr:sphere").attribute("value", "").close();
  xml.close();
}

}  // namespace

bool is_oma_space(std::string_view space) {
  return space == oma_common_policy_space || space == xdm_extensions_space || space == list_service_space ||
         space == poc_rules_space;
}

bool must_be_understood(XmlElement element) {
  for (std::size_t n = 0; n < element.attribute_count(); ++n) {
    const XmlElement::Attribute attribute = element.attribute_at(n);
    if (attribute.name == "must-understand") return xml_boolean(attribute.value).value_or(true);
  }
  return false;
}

XmlError read_ruleset(XmlElement ruleset, std::vector<Rule>& out) {
  out.clear();
  for (const XmlElement element : ruleset.children()) {
    if (!element.is(common_policy_space, "rule")) continue;
    if (out.size() == rules_max) return {element.line(), "has more than " + std::to_string(rules_max) + " rules"};
    if (XmlError error = read_rule(element, out.emplace_back())) return error;
  }
  return {};
}

void put_ruleset(XmlWriter& xml, std::span<const Rule> rules) {
  xml.open("cr:ruleset").attribute("xmlns:cr", common_policy_space).attribute("xmlns:ocr", oma_common_policy_space);
  xml.attribute("xmlns:oxe", xdm_extensions_space).attribute("xmlns:ls", list_service_space);
  for (const Rule& rule : rules) {
    xml.open("cr:rule").attribute("id", rule.id);
    put_conditions(xml, rule.conditions);
    xml.open("cr:actions");
    for (const RuleAction& action : rule.actions) {
      xml.open(action.name).attribute("xmlns", action.space);
      if (action.must_understand) xml.boolean("must-understand", true);
      xml.text(action.value).close();
    }
    xml.close().close();
  }
  xml.close();
}

}  // namespace parley::policy
