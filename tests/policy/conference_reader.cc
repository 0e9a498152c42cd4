// tests/policy/conference_reader.cc - see conference_reader.h.
#include "tests/policy/conference_reader.h"

#include <libxml/parser.h>
#include <libxml/tree.h>

#include <algorithm>
#include <set>

namespace parley::tests {

namespace {

constexpr const char* conference_namespace = "urn:ietf:params:xml:ns:conference-info";
constexpr const char* xcon_namespace = "urn:ietf:params:xml:ns:xcon-conference-info";

std::string text(const xmlChar* value) {
  return value == nullptr ? std::string() : reinterpret_cast<const char*>(value);
}

bool read(const xmlNode* node, ConferenceElement& out) {
  if (node->ns == nullptr || text(node->ns->href) != conference_namespace) return false;
  out.name = text(node->name);
  for (const xmlAttr* attribute = node->properties; attribute != nullptr; attribute = attribute->next) {
    xmlChar* const value = xmlNodeListGetString(node->doc, attribute->children, 1);
    std::string name = text(attribute->name);
    if (attribute->ns != nullptr) {
      if (text(attribute->ns->href) != xcon_namespace) return false;
      name = "xcon:" + name;
    }
    out.attributes[name] = text(value);
    xmlFree(value);
  }
  for (const xmlNode* child = node->children; child != nullptr; child = child->next) {
    if (child->type == XML_TEXT_NODE) {
      out.text += text(child->content);
    } else if (child->type != XML_ELEMENT_NODE || !read(child, out.children.emplace_back())) {
      return false;
    }
  }
  if (out.text.find_first_not_of(" \t\r\n") == std::string::npos && !out.children.empty()) out.text.clear();
  return true;
}

// Section 4.5; "": there is at most one of them.
std::string key_attribute(const std::string& name, const std::string& parent) {
  if (name == "user" || name == "endpoint") return "entity";
  if (name == "media") return "id";
  if (name == "entry" && parent == "available-media") return "label";
  return "";
}
std::string key_of(const ConferenceElement& at, const std::string& parent) {
  const std::string attribute = key_attribute(at.name, parent);
  return at.name + "\n" + (attribute.empty() ? std::string() : at.attribute(attribute));
}

bool takes_state(const std::string& name) {
  return name == "conference-info" || name == "users" || name == "user" || name == "endpoint";
}

// The order of the schema's sequences (section 6).
const std::vector<std::string>& sequence(const std::string& parent, const std::string& grandparent) {
  static const std::map<std::string, std::vector<std::string>> all = {
      {"conference-info", {"conference-description", "host-info", "conference-state", "users"}},
      {"conference-description",
       {"display-text", "subject", "free-text", "keywords", "conf-uris", "service-uris", "maximum-user-count",
        "available-media"}},
      {"conference-state", {"user-count", "active", "locked"}},
      {"conf-uris", {"entry"}},
      {"available-media", {"entry"}},
      {"conf-uris/entry", {"uri", "display-text", "purpose", "modified"}},
      {"available-media/entry", {"display-text", "type", "status"}},
      {"users", {"user"}},
      {"user", {"display-text", "associated-aors", "roles", "languages", "cascaded-focus", "endpoint"}},
      {"endpoint",
       {"display-text", "referred", "status", "joining-method", "joining-info", "disconnection-method",
        "disconnection-info", "media", "call-info"}},
      {"disconnection-info", {"when", "reason", "by"}},
      {"media", {"display-text", "type", "label", "src-id", "status"}},
  };
  static const std::vector<std::string> none;
  const auto found = all.find(parent == "entry" ? grandparent + "/entry" : parent);
  return found == all.end() ? none : found->second;
}

bool in_order(const ConferenceElement& at, const std::string& parent) {
  const auto& order = sequence(at.name, parent);
  std::size_t place = 0;
  for (const ConferenceElement& child : at.children) {
    const auto found = std::find(order.begin(), order.end(), child.name);
    if (found == order.end()) return false;
    const auto now = static_cast<std::size_t>(found - order.begin());
    if (now < place) return false;
    place = now;
  }
  return std::all_of(at.children.begin(), at.children.end(),
                     [&](const auto& child) { return in_order(child, at.name); });
}

}  // namespace

const ConferenceElement* ConferenceElement::child(std::string_view wanted) const {
  const auto found = std::find_if(children.begin(), children.end(), [&](const auto& c) { return c.name == wanted; });
  return found == children.end() ? nullptr : &*found;
}
std::string ConferenceElement::text_of(std::string_view wanted) const {
  const ConferenceElement* const found = child(wanted);
  return found == nullptr ? std::string() : found->text;
}
std::string ConferenceElement::attribute(const std::string& wanted) const {
  const auto found = attributes.find(wanted);
  return found == attributes.end() ? std::string() : found->second;
}

// Section 4.4: states are written and agree with their parent's; keys are unique among siblings (4.5).
bool ConferenceReader::check(const ConferenceElement& at, const std::string& parent_state) {
  const std::string state = at.attribute("state");
  std::string inside = parent_state;
  if (takes_state(at.name)) {
    if (state != "full" && state != "partial" && state != "deleted") {
      fault_ = "<" + at.name + "> without state";
      return false;
    }
    if (parent_state == "full" && state != "full") {
      fault_ = "<" + at.name + "> " + state + " in a full one";
      return false;
    }
    if (state == "deleted" && !at.children.empty()) {
      fault_ = "<" + at.name + "> deleted with children";
      return false;
    }
    inside = state;
  }
  std::set<std::string> keys;
  for (const ConferenceElement& child : at.children) {
    const bool keyed = !key_attribute(child.name, at.name).empty() || child.name != "entry";
    if (keyed && !keys.insert(key_of(child, at.name)).second) {
      fault_ = "two of <" + child.name + "> with one key in <" + at.name + ">";
      return false;
    }
    if (!check(child, inside)) return false;
  }
  return true;
}

ConferenceReader::Step ConferenceReader::take(std::string_view document) {
  xmlDoc* const parsed = xmlReadMemory(document.data(), static_cast<int>(document.size()), "d.xml", nullptr,
                                       XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_HUGE);
  if (parsed == nullptr) {
    fault_ = "not well-formed";
    return Step::broken;
  }
  ConferenceElement root;
  const bool good = read(xmlDocGetRootElement(parsed), root);
  xmlFreeDoc(parsed);
  if (!good || root.name != "conference-info" || !root.attributes.contains("version") ||
      !root.attributes.contains("entity")) {
    fault_ = "not a conference document";
    return Step::broken;
  }
  if (!in_order(root, "")) {
    fault_ = "not in the order of the schema";
    return Step::broken;
  }
  if (!check(root, "partial")) return Step::broken;
  last_ = root;
  last_state_ = root.attribute("state");
  const auto number = static_cast<std::uint32_t>(std::stoul(root.attribute("version")));
  if (root_ && number <= version_) return Step::discarded;
  if (last_state_ != "partial") {
    version_ = number;
    deleted_ = last_state_ == "deleted";
    root_ = std::move(root);
    return Step::applied;
  }
  if (!root_ || number > version_ + 1) return Step::gap;
  version_ = number;
  apply(*root_, root);
  return Step::applied;
}

// 4.6, steps 1 to 3.3, for the sub-elements of an element that is partial.
void ConferenceReader::apply(ConferenceElement& local, const ConferenceElement& update) {
  for (const ConferenceElement& child : update.children) {
    const std::string key = key_of(child, update.name);
    const auto there = std::find_if(local.children.begin(), local.children.end(),
                                    [&](const ConferenceElement& c) { return key_of(c, update.name) == key; });
    const std::string state = child.attribute("state");
    if (state == "deleted") {
      if (there != local.children.end()) local.children.erase(there);
    } else if (there == local.children.end()) {
      local.children.push_back(child);
    } else if (state == "partial") {
      apply(*there, child);
    } else {
      *there = child;
    }
  }
}

std::string ConferenceReader::users() const {
  std::vector<std::string> lines;
  const ConferenceElement* const users = root_ ? root_->child("users") : nullptr;
  if (users == nullptr) return {};
  for (const ConferenceElement& user : users->children) {
    std::string line =
        user.attribute("entity") + " \"" + user.text_of("display-text") + "\" nick=" + user.attribute("xcon:nickname");
    std::vector<std::string> endpoints;
    for (const ConferenceElement& endpoint : user.children) {
      if (endpoint.name != "endpoint") continue;
      std::string text = " | " + endpoint.attribute("entity") + " " + endpoint.text_of("status") + " " +
                         endpoint.text_of("joining-method");
      if (const ConferenceElement* const media = endpoint.child("media")) text += " " + media->text_of("status");
      if (const ConferenceElement* const method = endpoint.child("disconnection-method")) text += " " + method->text;
      if (const ConferenceElement* const info = endpoint.child("disconnection-info"))
        text += " " + info->text_of("reason");
      endpoints.push_back(text);
    }
    std::sort(endpoints.begin(), endpoints.end());
    for (const std::string& text : endpoints) line += text;
    lines.push_back(line);
  }
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

std::string ConferenceReader::count() const {
  const ConferenceElement* const state = root_ ? root_->child("conference-state") : nullptr;
  return state == nullptr ? std::string() : state->text_of("user-count");
}

}  // namespace parley::tests
