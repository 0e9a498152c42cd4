// tests/fuzz/xcap_fuzz.cc - targets and node selectors of XCAP against a document: what GET, PUT and DELETE do to it.
//
//   the first line   a target below /xcap-root, or a node selector and its query
//   the second line  what PUT brings
//   the rest         the document
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "policy/xcap_nodes.h"
#include "policy/xcap_tree.h"
#include "policy/xcap_uri.h"
#include "tests/msrp/blocks.h"

namespace {

using namespace parley::policy;

constexpr XmlLimits limits{};

std::string_view take_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

// Every element lies within its parent, behind its elder siblings, and is what the reader says.
void check_places(const XcapTree& tree, std::uint32_t index) {
  const XcapTree::Element& element = tree.at(index);
  CHECK(tree.bytes()[element.begin] == '<' && tree.bytes()[element.end - 1] == '>');
  CHECK(element.begin < element.name_end && element.name_end < element.open_end);
  CHECK(element.open_end <= element.close_begin && element.close_begin <= element.end);
  const std::string_view name = tree.bytes().substr(element.begin + 1, element.name_end - element.begin - 1);
  CHECK(name.ends_with(element.read.name()));
  std::size_t attributes = 0;
  for (const XcapTree::Attribute& attribute : tree.attributes_of(index)) {
    CHECK(element.name_end <= attribute.begin && attribute.value < attribute.end && attribute.end < element.open_end);
    if (attribute.name != "xmlns" && !attribute.name.starts_with("xmlns:")) ++attributes;
  }
  CHECK(attributes == element.read.attribute_count());
  for (std::size_t n = 0; n < element.read.attribute_count(); ++n) {
    const XmlElement::Attribute read = element.read.attribute_at(n);
    XcapTree::Attribute found;
    CHECK(tree.find_attribute(index, {std::string(read.space), std::string(read.name)}, found));
    std::string value;
    CHECK(decode_attribute_value(tree.bytes().substr(found.value + 1, found.end - found.value - 2), value));
    CHECK(value == read.value);
  }
  std::uint32_t from = element.open_end;
  for (const std::uint32_t child : tree.children_of(index)) {
    CHECK(tree.at(child).parent == index && from <= tree.at(child).begin);
    from = tree.at(child).end;
    check_places(tree, child);
  }
  CHECK(from <= element.close_begin || element.empty_tag);
}

void change(const XcapTree& tree, const XcapSelector& selector, std::string_view body) {
  const XcapEdit put = put_node(tree, selector, body, limits);
  if (put.fault == XcapFault::none) {
    XcapTree after;
    CHECK(!after.read(put.bytes, limits));
    const XcapNode node = get_node(after, selector);
    CHECK(node.found && body.find(node.body) != std::string_view::npos);
    // Once more it replaces itself.
    const XcapEdit again = put_node(after, selector, body, limits);
    CHECK(again.fault == XcapFault::none && !again.created && again.bytes == put.bytes);
  }
  const XcapNode before = get_node(tree, selector);
  const XcapEdit removed = delete_node(tree, selector, limits);
  CHECK(before.found || removed.fault == XcapFault::not_found);
  if (removed.fault != XcapFault::none) return;
  XcapTree after;
  CHECK(!after.read(removed.bytes, limits));
  CHECK(!get_node(after, selector).found);
  CHECK(removed.bytes.size() < tree.bytes().size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const parley::tests::ExactBlock block(std::string_view(reinterpret_cast<const char*>(data), size));
  std::string_view rest = block.view();
  const std::string_view line = take_line(rest);
  const std::string_view body = take_line(rest);

  XcapTarget target;
  std::string_view node = line.substr(0, line.find('?'));
  std::string_view query = node.size() < line.size() ? line.substr(node.size() + 1) : std::string_view{};
  if (parse_xcap_target(line, "/xcap-root", target) == XcapUriFault::none) {
    CHECK(!target.auid.empty() && !target.document.empty());
    if (target.has_node) {
      node = target.node;
      query = target.query;
    }
    std::string again = "/xcap-root/";
    put_percent_encoded(target.auid, again);
    again.append(target.global ? "/global/" : "/users/");
    put_percent_encoded(target.xui, again);
    if (!target.global) again += '/';
    put_percent_encoded(target.document, again, true);
    XcapTarget same;
    const bool plain = target.document.find('/') == std::string::npos;
    if (plain) CHECK(parse_xcap_target(again, "/xcap-root", same) == XcapUriFault::none);
    if (plain) CHECK(same.auid == target.auid && same.xui == target.xui && same.document == target.document);
  }
  XcapTree tree;
  const bool read = !tree.read(rest, limits);
  if (read) check_places(tree, 0);
  XcapSelector selector;
  for (const std::string_view space :
       {std::string_view{}, read ? tree.at(0).read.space() : std::string_view("urn:x")}) {
    if (parse_node_selector(node, query, space, selector) != XcapUriFault::none) continue;
    CHECK(!selector.steps.empty());
    if (!read) continue;
    const XcapNode found = get_node(tree, selector);
    if (found.found) CHECK(!found.body.empty());
    if (selector.terminal != XcapTerminal::namespaces) change(tree, selector, body);
  }
  return 0;
}
