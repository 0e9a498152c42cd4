// policy/xcap_nodes.cc - see xcap_nodes.h.
#include "policy/xcap_nodes.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace parley::policy {
namespace {

constexpr std::uint32_t no_element = XcapTree::none;

bool has_name(XmlElement element, const XcapName& name) { return element.is(name.space, name.local); }

// Section 6.3: by name, then by what the predicates leave, in their order.
std::vector<std::uint32_t> select(const XcapTree& tree, std::uint32_t parent, const XcapStep& step) {
  std::vector<std::uint32_t> found = tree.children_of(parent);
  std::erase_if(found, [&](std::uint32_t index) { return step.name && !has_name(tree.at(index).read, *step.name); });
  if (step.position != 0) {
    if (step.position > found.size()) return {};
    found = {found[step.position - 1]};
  }
  if (step.test) {
    std::erase_if(found, [&](std::uint32_t index) {
      return tree.at(index).read.attribute(step.test->attribute.space, step.test->attribute.local) != step.test->value;
    });
  }
  return found;
}

// The element that the first `count` steps name. `there`: how many of them do.
std::uint32_t follow(const XcapTree& tree, std::span<const XcapStep> steps, std::size_t* there = nullptr) {
  std::uint32_t at = no_element;
  std::size_t done = 0;
  for (const XcapStep& step : steps) {
    const std::vector<std::uint32_t> found = select(tree, at, step);
    if (found.size() != 1) {
      at = no_element;
      break;
    }
    at = found[0];
    ++done;
  }
  if (there != nullptr) *there = done;
  return at;
}

XcapEdit refuse_edit(XcapFault fault, std::string phrase = {}) {
  XcapEdit edit;
  edit.fault = fault;
  edit.phrase = std::move(phrase);
  return edit;
}

std::string replaced(std::string_view text, std::size_t from, std::size_t to, std::string_view by) {
  std::string out;
  out.reserve(text.size() - (to - from) + by.size());
  out.append(text.substr(0, from)).append(by).append(text.substr(to));
  return out;
}

// The element in a body, without what stands around it; empty when it is not one element and nothing else, given the
// namespaces that are declared where it is going.
std::string_view element_in(std::string_view body, const XcapTree& tree, std::uint32_t parent, const XmlLimits& limits,
                            XcapName& name) {
  std::string wrapped = "<w";
  if (parent != no_element) {
    for (const XcapTree::Declaration& declaration : tree.declarations_of(parent)) {
      wrapped.append(declaration.prefix.empty() ? " xmlns" : " xmlns:").append(declaration.prefix).append("=");
      wrapped.append(declaration.value);
    }
  }
  wrapped += '>';
  const std::size_t before = wrapped.size();
  wrapped.append(body).append("</w>");
  XmlLimits wider = limits;
  wider.bytes_max += wrapped.size() - body.size();
  wider.tag_bytes_max += before;
  wider.namespaces_max += 64;
  ++wider.depth_max;
  XcapTree around;
  if (around.read(wrapped, wider)) return {};
  const std::vector<std::uint32_t> children = around.children_of(0);
  if (children.size() != 1) return {};
  const XcapTree::Element& element = around.at(children[0]);
  const auto blank = [](std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; };
  const std::string_view all = wrapped;
  if (!blank(all.substr(before, element.begin - before)) ||
      !blank(all.substr(element.end, before + body.size() - element.end))) {
    return {};
  }
  name = {std::string(element.read.space()), std::string(element.read.name())};
  return body.substr(element.begin - before, element.end - element.begin);
}

// Where a new element goes (section 8.2.3); npos: nowhere.
std::size_t place_for(const XcapTree& tree, std::uint32_t parent, const XcapStep& step, const XcapName& name) {
  std::vector<std::uint32_t> siblings = tree.children_of(parent);
  const std::size_t last = tree.at(parent).close_begin;
  const auto same_name = [&](const XcapName& wanted) {
    std::vector<std::uint32_t> same = siblings;
    std::erase_if(same, [&](std::uint32_t index) { return !has_name(tree.at(index).read, wanted); });
    return same;
  };
  if (step.position == 0) {
    const std::vector<std::uint32_t> same = same_name(name);
    return same.empty() ? last : tree.at(same.back()).end;  // "earliest last"
  }
  if (step.name) siblings = same_name(*step.name);
  const std::size_t before = step.position - 1;
  if (before > siblings.size()) return std::string_view::npos;
  if (before != 0) return tree.at(siblings[before - 1]).end;  // "earliest nth"
  return siblings.empty() ? last : tree.at(siblings[0]).begin;
}

XcapEdit put_element(const XcapTree& tree, const XcapSelector& selector, std::string_view body,
                     const XmlLimits& limits) {
  const auto steps = std::span(selector.steps);
  XcapEdit edit;
  const std::uint32_t parent =
      steps.size() == 1 ? no_element : follow(tree, steps.first(steps.size() - 1), &edit.ancestor);
  if (steps.size() > 1 && parent == no_element) {
    edit.fault = XcapFault::no_parent;
    return edit;
  }
  if (!is_utf8_text(body)) return refuse_edit(XcapFault::not_utf8);
  XcapName name;
  const std::string_view element = element_in(body, tree, parent, limits, name);
  if (element.empty()) return refuse_edit(XcapFault::not_xml_frag, "the body is not one element");

  const std::vector<std::uint32_t> target = select(tree, parent, steps.back());
  std::size_t at = 0;
  if (target.size() > 1) return refuse_edit(XcapFault::cannot_insert, "several elements are selected");
  if (target.size() == 1) {
    const XcapTree::Element& old = tree.at(target[0]);
    at = old.begin;
    edit.bytes = replaced(tree.bytes(), old.begin, old.end, element);
  } else {
    if (parent == no_element) return refuse_edit(XcapFault::cannot_insert, "there is one root already");
    at = place_for(tree, parent, steps.back(), name);
    if (at == std::string_view::npos)
      return refuse_edit(XcapFault::cannot_insert, "there are fewer elements before that place");
    edit.created = true;
    const XcapTree::Element& into = tree.at(parent);
    if (into.empty_tag) {  // <a/> becomes <a>...</a>
      std::string opened(tree.bytes().substr(into.begin, into.open_end - into.begin));
      opened.pop_back();
      opened.pop_back();
      opened += '>';
      at = into.begin + opened.size();
      opened.append(element).append("</");
      opened.append(tree.bytes().substr(into.begin + 1, into.name_end - into.begin - 1)).append(">");
      edit.bytes = replaced(tree.bytes(), into.begin, into.end, opened);
    } else {
      edit.bytes = replaced(tree.bytes(), at, at, element);
    }
  }
  // GET(PUT(x)) == x: the selector has to name what is there now.
  XcapTree after;
  if (XmlError error = after.read(edit.bytes, limits))
    return refuse_edit(XcapFault::constraint_failure, to_string(error));
  const std::uint32_t found = find_element(after, selector);
  if (found == no_element || after.at(found).begin != at || after.text_of(found) != element) {
    return refuse_edit(XcapFault::cannot_insert, "the element would not be where it is asked for");
  }
  return edit;
}

// AttValue of XML 1.0, with its quotes.
bool is_attribute_value(std::string_view text) {
  if (text.size() < 2 || (text[0] != '"' && text[0] != '\'') || text.back() != text[0]) return false;
  const std::string_view inner = text.substr(1, text.size() - 2);
  std::string decoded;
  if (inner.find(text[0]) != std::string_view::npos || !decode_attribute_value(inner, decoded)) return false;
  XmlDocument document;
  return !document.parse(std::string("<w a=").append(text).append("/>"),
                         {.bytes_max = text.size() + 64, .tag_bytes_max = text.size() + 64});
}

// Under which name an attribute of that namespace can stand in an element: false: no prefix is declared for it.
bool name_in(const XcapTree& tree, std::uint32_t element, const XcapName& name, std::string& out) {
  if (name.space.empty()) {
    out = name.local;
    return true;
  }
  std::string space;
  for (const XcapTree::Declaration& declaration : tree.declarations_of(element)) {
    if (declaration.prefix.empty()) continue;
    if (!decode_attribute_value(declaration.value.substr(1, declaration.value.size() - 2), space)) continue;
    if (space != name.space) continue;
    out.assign(declaration.prefix).append(":").append(name.local);
    return true;
  }
  return false;
}

XcapEdit put_attribute(const XcapTree& tree, const XcapSelector& selector, std::string_view body,
                       const XmlLimits& limits) {
  XcapEdit edit;
  const std::uint32_t element = follow(tree, selector.steps, &edit.ancestor);
  if (element == no_element) {
    edit.fault = XcapFault::no_parent;
    return edit;
  }
  if (!is_utf8_text(body)) return refuse_edit(XcapFault::not_utf8);
  if (!is_attribute_value(body))
    return refuse_edit(XcapFault::not_xml_att_value, "the body is no quoted attribute value");
  XcapTree::Attribute old;
  if (tree.find_attribute(element, selector.attribute, old)) {
    edit.bytes = replaced(tree.bytes(), old.value, old.end, body);
  } else {
    edit.created = true;
    std::string text = " ";
    std::string name;
    if (selector.attribute.local == "xmlns" || !name_in(tree, element, selector.attribute, name)) {
      return refuse_edit(XcapFault::cannot_insert, "no prefix is declared for the namespace of the attribute");
    }
    text.append(name).append("=").append(body);
    const std::vector<XcapTree::Attribute> others = tree.attributes_of(element);
    const std::size_t at = others.empty() ? tree.at(element).name_end : others.back().end;
    edit.bytes = replaced(tree.bytes(), at, at, text);
  }
  XcapTree after;
  if (XmlError error = after.read(edit.bytes, limits))
    return refuse_edit(XcapFault::constraint_failure, to_string(error));
  const XcapNode node = get_node(after, selector);
  if (!node.found || node.body != body || find_element(after, selector) != element) {
    return refuse_edit(XcapFault::cannot_insert, "the attribute would not be where it is asked for");
  }
  return edit;
}

// The text of a namespace selector (section 10).
std::string bindings_of(const XcapTree& tree, std::uint32_t index) {
  const XcapTree::Element& element = tree.at(index);
  std::string out(tree.bytes().substr(element.begin, element.name_end - element.begin));
  for (const XcapTree::Declaration& declaration : tree.declarations_of(index)) {
    if (declaration.value.size() == 2) continue;  // xmlns="": there is none
    out.append(declaration.prefix.empty() ? " xmlns" : " xmlns:").append(declaration.prefix);
    out.append("=").append(declaration.value);
  }
  return out.append("/>");
}

}  // namespace

std::uint32_t find_element(const XcapTree& tree, const XcapSelector& selector) { return follow(tree, selector.steps); }

XcapNode get_node(const XcapTree& tree, const XcapSelector& selector) {
  XcapNode node;
  const std::uint32_t element = find_element(tree, selector);
  if (element == no_element) return node;
  switch (selector.terminal) {
    case XcapTerminal::element:
      node = {.found = true, .type = xcap_element_type, .body = std::string(tree.text_of(element)), .element = element};
      break;
    case XcapTerminal::attribute: {
      XcapTree::Attribute attribute;
      if (!tree.find_attribute(element, selector.attribute, attribute)) break;
      node.found = true;
      node.type = xcap_attribute_type;
      node.body = tree.bytes().substr(attribute.value, attribute.end - attribute.value);
      break;
    }
    case XcapTerminal::namespaces:
      node = {.found = true, .type = xcap_namespaces_type, .body = bindings_of(tree, element)};
      break;
  }
  return node;
}

XcapEdit put_node(const XcapTree& tree, const XcapSelector& selector, std::string_view body, const XmlLimits& limits) {
  return selector.terminal == XcapTerminal::attribute ? put_attribute(tree, selector, body, limits)
                                                      : put_element(tree, selector, body, limits);
}

XcapEdit delete_node(const XcapTree& tree, const XcapSelector& selector, const XmlLimits& limits) {
  const std::uint32_t element = find_element(tree, selector);
  if (element == no_element) return refuse_edit(XcapFault::not_found);
  XcapEdit edit;
  if (selector.terminal == XcapTerminal::attribute) {
    XcapTree::Attribute attribute;
    if (!tree.find_attribute(element, selector.attribute, attribute)) return refuse_edit(XcapFault::not_found);
    const std::size_t space = tree.bytes().find_last_not_of(" \t\r\n", attribute.begin - 1) + 1;
    edit.bytes = replaced(tree.bytes(), space, attribute.end, {});
  } else {
    const XcapTree::Element& old = tree.at(element);
    if (old.parent == no_element) return refuse_edit(XcapFault::cannot_delete, "a document has a root");
    edit.bytes = replaced(tree.bytes(), old.begin, old.end, {});
  }
  XcapTree after;
  if (XmlError error = after.read(edit.bytes, limits))
    return refuse_edit(XcapFault::constraint_failure, to_string(error));
  if (get_node(after, selector).found)
    return refuse_edit(XcapFault::cannot_delete, "the selector would name another one then");
  return edit;
}

}  // namespace parley::policy
