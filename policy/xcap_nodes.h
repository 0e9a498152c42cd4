// policy/xcap_nodes.h - what GET, PUT and DELETE do to an element or attribute of a document (RFC 4825 sections 8.2 to
// 8.4). Values in, values out: a change is the text of the document after it, which still has to be validated.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/xcap_tree.h"
#include "policy/xcap_uri.h"
#include "policy/xml_reader.h"

namespace parley::policy {

inline constexpr std::string_view xcap_element_type = "application/xcap-el+xml";
inline constexpr std::string_view xcap_attribute_type = "application/xcap-att+xml";
inline constexpr std::string_view xcap_namespaces_type = "application/xcap-ns+xml";
inline constexpr std::string_view xcap_error_type = "application/xcap-error+xml";

// Why a request is refused. All but the first two are elements of a conflict report (section 11): 409.
enum class XcapFault : std::uint8_t {
  none,
  not_found,  // 404
  not_well_formed,
  not_xml_frag,
  no_parent,
  schema_validation_error,
  not_xml_att_value,
  cannot_insert,
  cannot_delete,
  uniqueness_failure,
  constraint_failure,
  not_utf8,
};

// The element of a document that a selector's steps name; none: no element, or several.
[[nodiscard]] std::uint32_t find_element(const XcapTree& tree, const XcapSelector& selector);

struct XcapNode {
  bool found = false;
  std::string_view type{};
  std::string body{};
  std::uint32_t element = XcapTree::none;  // terminal element
};
[[nodiscard]] XcapNode get_node(const XcapTree& tree, const XcapSelector& selector);

struct XcapEdit {
  XcapFault fault = XcapFault::none;
  bool created = false;      // it was not there
  std::string bytes{};       // the document after it
  std::string phrase{};      // for people
  std::size_t ancestor = 0;  // no_parent: how many steps of the selector name an element that is there
};
// `body` is what the request brings. The selector is no namespace selector.
[[nodiscard]] XcapEdit put_node(const XcapTree& tree, const XcapSelector& selector, std::string_view body,
                                const XmlLimits& limits);
[[nodiscard]] XcapEdit delete_node(const XcapTree& tree, const XcapSelector& selector, const XmlLimits& limits);

}  // namespace parley::policy
