// tests/fuzz/xml_tree_fuzz.cc - XML within limits: what is taken is the tree that libxml2's own readers make of it, at
// a cost in proportion to its bytes; a copy of it says the same.
#include <libxml/parser.h>
#include <libxml/tree.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "policy/xml_reader.h"
#include "policy/xml_writer.h"
#include "tests/fuzz/cost.h"
#include "tests/msrp/blocks.h"
#include "tests/policy/xml_cost.h"

namespace {

using namespace parley::policy;

std::string_view view(const xmlChar* text) {
  return text == nullptr ? std::string_view{} : std::string_view(reinterpret_cast<const char*>(text));
}

// libxml2 leaves ampersands there as references.
std::string space_of(const xmlNs* space) {
  std::string name(space == nullptr ? std::string_view{} : view(space->href));
  for (std::size_t at = 0; (at = name.find("&#38;", at)) != std::string::npos; ++at) name.replace(at, 5, "&");
  return name;
}

std::string value_of(xmlDocPtr tree, xmlNodePtr children) {
  xmlChar* const text = xmlNodeListGetString(tree, children, 1);
  std::string value(view(text));
  xmlFree(text);
  return value;
}

void same_attributes(XmlElement ours, xmlDocPtr tree, xmlNodePtr theirs) {
  std::size_t count = 0;
  for (xmlAttrPtr a = theirs->properties; a != nullptr; a = a->next, ++count) {
    CHECK(ours.attribute(space_of(a->ns), view(a->name)) == value_of(tree, a->children));
  }
  CHECK(ours.attribute_count() == count);
}

void same_element(XmlElement ours, xmlDocPtr tree, xmlNodePtr theirs) {
  CHECK(ours.name() == view(theirs->name));
  CHECK(ours.space() == space_of(theirs->ns));
  same_attributes(ours, tree, theirs);
  std::string text;
  XmlElement child = ours.first_child();
  for (xmlNodePtr node = theirs->children; node != nullptr; node = node->next) {
    if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) text += view(node->content);
    if (node->type != XML_ELEMENT_NODE) continue;
    CHECK(static_cast<bool>(child));
    same_element(child, tree, node);
    child = child.next();
  }
  CHECK(!child);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  text = first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
  CHECK(ours.text() == text);
}

void same_copy(XmlElement a, XmlElement b) {
  CHECK(a.name() == b.name() && a.space() == b.space() && a.text() == b.text());
  CHECK(a.attribute_count() == b.attribute_count());
  for (std::size_t n = 0; n < a.attribute_count(); ++n) {
    const XmlElement::Attribute one = a.attribute_at(n);
    const XmlElement::Attribute other = b.attribute_at(n);
    CHECK(one.name == other.name && one.space == other.space && one.value == other.value);
  }
  XmlElement child = b.first_child();
  for (const XmlElement of_a : a.children()) {
    CHECK(static_cast<bool>(child));
    same_copy(of_a, child);
    child = child.next();
  }
  CHECK(!child);
}

void check_copy(XmlElement root, std::size_t size) {
  std::string out;
  XmlWriter xml(out, true);
  if (!xml.copy(root, 16 * size)) {
    CHECK(out.empty());
    return;
  }
  // The limits are those of what was read; a copy is longer and declares more.
  XmlDocument again;
  CHECK(!again.parse(out, {.bytes_max = SIZE_MAX / 2, .tag_bytes_max = SIZE_MAX / 2, .namespaces_max = UINT32_MAX}));
  same_copy(root, again.root());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const parley::tests::ExactBlock block(std::string_view(reinterpret_cast<const char*>(data), size));
  const std::string_view bytes = block.view();
  XmlDocument document;
  XmlError error;
  {
    const parley::tests::Cost cost(parley::tests::xml_cost(size));
    error = document.parse(bytes);
  }
  CHECK(static_cast<bool>(error) != static_cast<bool>(document.root()));
  if (error) {
    CHECK(error.reason.size() <= 160);
    for (const char c : error.reason) CHECK(c >= ' ' && c <= '~');
    return 0;
  }
  XmlDocument small;
  const XmlLimits limits{.bytes_max = 256, .tag_bytes_max = 32, .elements_max = 4, .depth_max = 2, .namespaces_max = 1};
  if (!small.parse(bytes, limits)) CHECK(bytes.size() <= 256);
  xmlDocPtr tree = xmlReadMemory(bytes.data(), static_cast<int>(bytes.size()), nullptr, nullptr,
                                 XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_IGNORE_ENC);
  CHECK(tree != nullptr);
  same_element(document.root(), tree, xmlDocGetRootElement(tree));
  xmlFreeDoc(tree);
  check_copy(document.root(), size + 64);
  return 0;
}
