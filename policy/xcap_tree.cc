// policy/xcap_tree.cc - see xcap_tree.h.
#include "policy/xcap_tree.h"

#include <algorithm>

namespace parley::policy {
namespace {

// In the order of their start tags. No deeper than the reader's limit.
void put_in_order(XmlElement element, std::vector<XmlElement>& out) {
  out.push_back(element);
  for (const XmlElement child : element.children()) put_in_order(child, out);
}

}  // namespace

XmlError XcapTree::read(std::string_view bytes, const XmlLimits& limits) {
  bytes_ = bytes;
  elements_.clear();
  order_.clear();
  if (XmlError error = document_.parse(bytes, limits)) return error;
  put_in_order(document_.root(), order_);
  if (place() && elements_.size() == order_.size()) return {};
  elements_.clear();
  return {0, "is not well-formed"};
}

// What libxml2 has taken is well-formed and has no declarations, so this is all there is to markup.
bool XcapTree::place() {
  std::vector<std::uint32_t> open;
  std::vector<std::uint32_t> last;  // child of each of them
  const auto skip = [this](std::size_t from, std::string_view end, std::size_t& at) {
    const std::size_t found = bytes_.find(end, from);
    at = found == std::string_view::npos ? bytes_.size() : found + end.size();
  };
  for (std::size_t at = bytes_.find('<'); at < bytes_.size(); at = bytes_.find('<', at)) {
    const std::string_view rest = bytes_.substr(at);
    if (rest.starts_with("<!--")) {
      skip(at + 4, "-->", at);
    } else if (rest.starts_with("<![CDATA[")) {
      skip(at + 9, "]]>", at);
    } else if (rest.starts_with("<?")) {
      skip(at + 2, "?>", at);
    } else if (rest.starts_with("</")) {
      if (open.empty()) return false;
      Element& element = elements_[open.back()];
      element.close_begin = static_cast<std::uint32_t>(at);
      skip(at, ">", at);
      element.end = static_cast<std::uint32_t>(at);
      open.pop_back();
      last.pop_back();
    } else {
      const auto index = static_cast<std::uint32_t>(elements_.size());
      const std::uint32_t parent = open.empty() ? none : open.back();
      if (index >= order_.size() || (parent == none && index != 0)) return false;
      std::uint32_t behind = 0;
      if (!open_tag(static_cast<std::uint32_t>(at), parent, behind)) return false;
      if (parent != none) {
        (last.back() == none ? elements_[parent].first_child : elements_[last.back()].next) = index;
        last.back() = index;
      }
      if (!elements_[index].empty_tag) {
        open.push_back(index);
        last.push_back(none);
      }
      at = behind;
    }
  }
  return open.empty() && !elements_.empty();
}

bool XcapTree::open_tag(std::uint32_t at, std::uint32_t parent, std::uint32_t& behind) {
  std::size_t end = at + std::size_t{1};
  while (end < bytes_.size() && !is_xml_blank(bytes_[end]) && bytes_[end] != '/' && bytes_[end] != '>') ++end;
  Element element;
  element.read = order_[elements_.size()];
  element.begin = at;
  element.name_end = static_cast<std::uint32_t>(end);
  char quote = '\0';
  for (; end < bytes_.size(); ++end) {
    const char c = bytes_[end];
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      break;
    }
  }
  if (end == bytes_.size()) return false;
  element.empty_tag = bytes_[end - 1] == '/';
  element.open_end = element.close_begin = element.end = behind = static_cast<std::uint32_t>(end + 1);
  element.parent = parent;
  elements_.push_back(element);
  return true;
}

std::vector<std::uint32_t> XcapTree::children_of(std::uint32_t parent) const {
  std::vector<std::uint32_t> children;
  if (parent == none) {
    if (!elements_.empty()) children.push_back(0);
    return children;
  }
  for (std::uint32_t child = elements_[parent].first_child; child != none; child = elements_[child].next) {
    children.push_back(child);
  }
  return children;
}

std::vector<XcapTree::Attribute> XcapTree::attributes_of(std::uint32_t index) const {
  const Element& element = elements_[index];
  std::vector<Attribute> attributes;
  for (std::size_t at = element.name_end; at < element.open_end;) {
    const char c = bytes_[at];
    if (is_xml_blank(c) || c == '/') {
      ++at;
      continue;
    }
    if (c == '>') break;
    Attribute attribute;
    attribute.begin = static_cast<std::uint32_t>(at);
    while (at < element.open_end && !is_xml_blank(bytes_[at]) && bytes_[at] != '=') ++at;
    attribute.name = bytes_.substr(attribute.begin, at - attribute.begin);
    const std::size_t quote = bytes_.find_first_of("\"'", at);
    const std::size_t end = quote == std::string_view::npos ? quote : bytes_.find(bytes_[quote], quote + 1);
    if (end == std::string_view::npos || end >= element.open_end) break;
    attribute.value = static_cast<std::uint32_t>(quote);
    attribute.end = static_cast<std::uint32_t>(end + 1);
    attributes.push_back(attribute);
    at = end + 1;
  }
  return attributes;
}

std::vector<XcapTree::Declaration> XcapTree::declarations_of(std::uint32_t index) const {
  std::vector<Declaration> all;
  for (; index != none; index = elements_[index].parent) {
    for (const Attribute& attribute : attributes_of(index)) {
      const bool is_default = attribute.name == "xmlns";
      if (!is_default && !attribute.name.starts_with("xmlns:")) continue;
      const std::string_view prefix = is_default ? std::string_view{} : attribute.name.substr(6);
      const bool hidden = std::any_of(all.begin(), all.end(), [&](const Declaration& d) { return d.prefix == prefix; });
      if (!hidden) all.push_back({prefix, bytes_.substr(attribute.value, attribute.end - attribute.value)});
    }
  }
  return all;
}

bool XcapTree::find_attribute(std::uint32_t index, const XcapName& name, Attribute& out) const {
  const std::vector<Declaration> declarations = declarations_of(index);
  std::string space;
  for (const Attribute& attribute : attributes_of(index)) {
    if (attribute.name == "xmlns" || attribute.name.starts_with("xmlns:")) continue;
    const std::size_t colon = attribute.name.find(':');
    const bool prefixed = colon != std::string_view::npos;
    if ((prefixed ? attribute.name.substr(colon + 1) : attribute.name) != name.local) continue;
    space.clear();
    if (prefixed) {
      const std::string_view prefix = attribute.name.substr(0, colon);
      const auto found = std::find_if(declarations.begin(), declarations.end(),
                                      [&](const Declaration& d) { return d.prefix == prefix; });
      if (prefix == "xml") {
        space = "http://www.w3.org/XML/1998/namespace";
      } else if (found == declarations.end() ||
                 !decode_attribute_value(found->value.substr(1, found->value.size() - 2), space)) {
        continue;
      }
    }
    if (space != name.space) continue;
    out = attribute;
    return true;
  }
  return false;
}

}  // namespace parley::policy
