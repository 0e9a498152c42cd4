// policy/operator_policy_xml.cc - the operator's document is read, and nothing in it is passed over: see
// operator_policy.h and packaging/operator-policy.rng, which says the same.
#include <algorithm>
#include <initializer_list>
#include <utility>

#include "core/host_text.h"
#include "core/units.h"
#include "policy/operator_policy.h"
#include "policy/user_key.h"

namespace parley::policy {

namespace {

// Of our namespace, with these attributes and no others, and either text or children.
XmlError check_form(XmlElement element, std::initializer_list<std::string_view> attributes, bool leaf) {
  if (element.space() != operator_policy_space)
    return bad(element, "is not of the namespace urn:parley:operator-policy");
  for (std::size_t n = 0; n < element.attribute_count(); ++n) {
    const XmlElement::Attribute attribute = element.attribute_at(n);
    if (!attribute.space.empty() ||
        std::find(attributes.begin(), attributes.end(), attribute.name) == attributes.end()) {
      return bad(element, "has an attribute that is not known: " + std::string(attribute.name));
    }
  }
  if (leaf && element.first_child()) return bad(element, "has an element inside");
  if (!leaf && !element.text().empty()) return bad(element, "has text inside");
  return {};
}

// The next word of a list separated by blanks.
std::string_view take_word(std::string_view& text) {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  const std::size_t end = std::min(text.find_first_of(blanks, first), text.size());
  const std::string_view word = text.substr(first, end - first);
  text.remove_prefix(end);
  return word;
}

class LevelReader {
 public:
  explicit LevelReader(PolicyLevel& out) : out_(out) {}

  XmlError read(XmlElement level) {
    for (const XmlElement element : level.children()) {
      if (XmlError error = read_child(element)) return error;
    }
    return {};
  }

 private:
  XmlError read_child(XmlElement element) {
    const std::string_view name = element.name();
    if (name == "content") return read_content(element);
    if (name == "rate") return read_rate(element);
    if (XmlError error = check_form(element, {}, true)) return error;
    if (name == "pager-body-max") return read_size(element, out_.pager_body_bytes_max);
    if (name == "msrp-message-max") return read_size(element, out_.msrp_message_bytes_max);
    if (name == "file-max") return read_size(element, out_.file_bytes_max);
    if (name == "participants-max") return read_count(element, out_.participants_max);
    if (name == "sessions-max") return read_count(element, out_.sessions_max);
    if (name == "modes") return read_modes(element);
    if (name == "client-version") return read_version(element);
    if (name == "peer-domains") return read_domains(element);
    return bad(element, "is not known");
  }

  static XmlError read_size(XmlElement element, std::optional<std::uint64_t>& out) {
    if (out) return bad(element, "stands twice");
    out = core::parse_size(element.text());
    return out ? XmlError() : bad(element, "is no size such as 1300 or 64KiB");
  }

  static XmlError read_count(XmlElement element, std::optional<std::uint32_t>& out) {
    if (out) return bad(element, "stands twice");
    out = xml_number(element.text());
    return out ? XmlError() : bad(element, "is no number");
  }

  XmlError read_content(XmlElement content) {
    if (content_) return bad(content, "stands twice");
    content_ = true;
    if (XmlError error = check_form(content, {}, false)) return error;
    for (const XmlElement element : content.children()) {
      const bool allow = element.name() == "allow";
      if (!allow && element.name() != "deny") return bad(element, "is not known");
      if (XmlError error = check_form(element, {"type", "in"}, true)) return error;
      if (!element.text().empty()) return bad(element, "has text inside");
      const auto pattern = parse_mime_pattern(element.attribute("type").value_or(""));
      if (!pattern) return bad(element, "has no type such as text/plain, image/* or */*");
      MimeRule rule{.pattern = *pattern};
      if (const auto place = element.attribute("in")) {
        if (*place != "plain" && *place != "wrapped")
          return bad(element, "has an in that is neither plain nor wrapped");
        rule.place = *place == "plain" ? MimePlace::plain : MimePlace::wrapped;
      }
      (allow ? out_.allow : out_.deny).push_back(std::move(rule));
    }
    return {};
  }

  XmlError read_modes(XmlElement element) {
    if (out_.modes) return bad(element, "stands twice");
    out_.modes = 0;
    std::string_view text = element.text();
    for (std::string_view word = take_word(text); !word.empty(); word = take_word(text)) {
      std::uint32_t bit = 0;
      for (unsigned n = 0; n < static_cast<unsigned>(ImMode::count); ++n) {
        if (word == to_string(static_cast<ImMode>(n))) bit = 1U << n;
      }
      if (bit == 0)
        return bad(element, "has a word that is none of session, pager, large-message, file-transfer, group");
      *out_.modes |= bit;
    }
    return {};
  }

  XmlError read_version(XmlElement element) {
    if (out_.client_version) return bad(element, "stands twice");
    out_.client_version = parse_client_version(element.text());
    return out_.client_version ? XmlError() : bad(element, "is no version such as IM-client/OMA1.0");
  }

  XmlError read_domains(XmlElement element) {
    if (out_.peer_domains) return bad(element, "stands twice");
    out_.peer_domains.emplace();
    std::string_view text = element.text();
    for (std::string_view word = take_word(text); !word.empty(); word = take_word(text)) {
      const bool below = word.starts_with("*.");
      core::HostText room;
      const std::string_view name = core::canonical_host(word.substr(below ? 2 : 0), room);
      if (name.empty() || name.find('*') != std::string_view::npos) return bad(element, "has a word that is no domain");
      out_.peer_domains->push_back((below ? "*." : "") + std::string(name));
    }
    return {};
  }

  XmlError read_rate(XmlElement element) {
    if (XmlError error = check_form(element, {"method", "per-minute", "burst"}, true)) return error;
    if (!element.text().empty()) return bad(element, "has text inside");
    constexpr std::string_view methods[] = {"MESSAGE", "INVITE", "PUBLISH", "SUBSCRIBE"};
    const std::string_view method = element.attribute("method").value_or("");
    const auto known = std::find(std::begin(methods), std::end(methods), method);
    if (known == std::end(methods))
      return bad(element, "has no method that is one of MESSAGE, INVITE, PUBLISH, SUBSCRIBE");
    std::optional<Rate>& rate = out_.rates[static_cast<std::size_t>(known - std::begin(methods))];
    if (rate) return bad(element, "stands twice for " + std::string(method));
    const auto per_minute = xml_number(element.attribute("per-minute").value_or(""));
    const auto burst = xml_number(element.attribute("burst").value_or("1"));
    if (!per_minute || *per_minute == 0) return bad(element, "has no per-minute that is at least 1");
    if (!burst || *burst == 0) return bad(element, "has a burst that is not at least 1");
    rate = Rate{.per_minute = *per_minute, .burst = *burst};
    return {};
  }

  PolicyLevel& out_;
  bool content_ = false;
};

}  // namespace

XmlError parse_operator_policy(std::string_view bytes, OperatorPolicy& out, const XmlLimits& limits) {
  out = {};
  XmlDocument document;
  if (XmlError error = document.parse(bytes, limits)) return error;
  const XmlElement root = document.root();
  if (!root.is(operator_policy_space, "operator-policy")) return {root.line(), "is no operator-policy document"};
  if (XmlError error = check_form(root, {}, false)) return error;
  OperatorPolicy read;
  bool service = false;
  for (const XmlElement element : root.children()) {
    const bool of_user = element.name() == "user";
    if (!of_user && element.name() != "service") return bad(element, "is not known");
    if (XmlError error = of_user ? check_form(element, {"uri"}, false) : check_form(element, {}, false)) return error;
    PolicyLevel* level = &read.service;
    if (of_user) {
      const std::string key = user_key(element.attribute("uri").value_or(""));
      if (key.empty()) return bad(element, "has no uri that is a SIP, SIPS or TEL URI");
      const auto [at, fresh] = read.users.try_emplace(key);
      if (!fresh) return bad(element, "stands twice for one uri");
      level = &at->second;
    } else if (std::exchange(service, true)) {
      return bad(element, "stands twice");
    }
    if (XmlError error = LevelReader(*level).read(element)) return error;
  }
  out = std::move(read);
  return {};
}

}  // namespace parley::policy
