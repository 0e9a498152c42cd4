// policy/xcap_uri.h - what the target of an HTTP request names: a document, a node in it (RFC 4825 section 6).
//
//   /xcap-root/resource-lists/users/sip:bill@example.com/index/~~/resource-lists/list%5b2%5d/@name?xmlns(a=urn:x)
//    root      AUID           tree  XUI                  document  element steps              terminal
//
// Values: nothing is looked up here. Whatever was percent-encoded comes out decoded.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parley::policy {

enum class XcapUriFault : std::uint8_t {
  none,
  malformed,  // 400: percent-encoding, UTF-8, the query, or a prefix without a binding (section 8)
  unknown,    // 404: not below the root, no document, or a selector of an extension that is not known
};

// The document selector and what follows it, still to be read.
struct XcapTarget {
  std::string auid;
  bool global = false;
  std::string xui;       // users tree
  std::string document;  // with '/' when it stands in a sub-directory
  bool has_node = false;
  std::string node{};   // as sent, behind "~~/"
  std::string query{};  // as sent
};
// `root` begins with '/' and does not end with it, or is empty. `target` may be a whole URI.
[[nodiscard]] XcapUriFault parse_xcap_target(std::string_view target, std::string_view root, XcapTarget& out);

struct XcapName {
  std::string space;  // of its namespace; empty: none
  std::string local;
  bool operator==(const XcapName&) const = default;
};
struct XcapStep {
  std::optional<XcapName> name{};  // nullopt: "*"
  std::uint32_t position = 0;      // from 1; 0: not said
  struct Test {
    XcapName attribute;
    std::string value;
  };
  std::optional<Test> test{};
  std::string text;  // as it stands there, decoded
};
enum class XcapTerminal : std::uint8_t { element, attribute, namespaces };
struct XcapSelector {
  std::vector<XcapStep> steps;  // at least one
  XcapTerminal terminal = XcapTerminal::element;
  XcapName attribute;            // terminal attribute
  std::string attribute_prefix;  // as the selector wrote it
};
// Names without a prefix are of `default_space` when they are elements', of none when they are attributes'
// (section 6.3).
[[nodiscard]] XcapUriFault parse_node_selector(std::string_view node, std::string_view query,
                                               std::string_view default_space, XcapSelector& out);

// The bindings that the xmlns() parts of a query make (section 6.4). False: it is no xpointer expression.
[[nodiscard]] bool parse_bindings(std::string_view query, std::map<std::string, std::string, std::less<>>& out);

// Percent-encoding. Decoding fails for what is none, for NUL and for what is not UTF-8 then.
[[nodiscard]] bool percent_decode(std::string_view text, std::string& out);
// For a path: '/' stays as it is with `slashes`.
void put_percent_encoded(std::string_view text, std::string& out, bool slashes = false);

// The value of an attribute between its quotes, with its references replaced and white space made blanks (XML 1.0
// section 3.3.3). False: a reference to what does not exist, or a '<'.
[[nodiscard]] bool decode_attribute_value(std::string_view text, std::string& out);
[[nodiscard]] bool is_utf8_text(std::string_view text);
// White space as XML has it.
[[nodiscard]] constexpr bool is_xml_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
// An NCName, as far as its ASCII goes.
[[nodiscard]] bool is_ncname(std::string_view text);

}  // namespace parley::policy
