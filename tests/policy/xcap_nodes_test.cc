// tests/policy/xcap_nodes_test.cc - GET, PUT and DELETE of elements and attributes, byte for byte as RFC 4825 shows
// them.
#include "policy/xcap_nodes.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace parley::policy {
namespace {

constexpr XmlLimits limits{};

// The document of section 8.2.3.
const std::string root_document =
    "<?xml version=\"1.0\"?>\n"
    "<root>\n"
    " <el1 att=\"first\"/>\n"
    " <el1 att=\"second\"/>\n"
    " <!-- comment -->\n"
    " <el2 att=\"first\"/>\n"
    "</root>\n";

std::string fault_text(XcapFault fault) {
  const std::string report = xcap_error_type.empty() ? "" : std::to_string(static_cast<int>(fault));
  switch (fault) {
    case XcapFault::not_found: return "not-found";
    case XcapFault::not_xml_frag: return "not-xml-frag";
    case XcapFault::no_parent: return "no-parent";
    case XcapFault::not_xml_att_value: return "not-xml-att-value";
    case XcapFault::cannot_insert: return "cannot-insert";
    case XcapFault::cannot_delete: return "cannot-delete";
    case XcapFault::constraint_failure: return "constraint-failure";
    case XcapFault::not_utf8: return "not-utf-8";
    default: return report;
  }
}

struct Edited {
  std::string text;  // the document, or the fault
  bool created = false;
};

class Document {
 public:
  explicit Document(std::string text, std::string space = "") : text_(std::move(text)), space_(std::move(space)) {
    const XmlError error = tree_.read(text_, limits);
    EXPECT_FALSE(error) << error.reason;
  }
  [[nodiscard]] std::string get(std::string_view node, std::string_view query = "") const {
    const XcapNode found = get_node(tree_, selector(node, query));
    return found.found ? found.body : "not found";
  }
  [[nodiscard]] std::string type(std::string_view node, std::string_view query = "") const {
    return std::string(get_node(tree_, selector(node, query)).type);
  }
  [[nodiscard]] Edited put(std::string_view node, std::string_view body, std::string_view query = "") const {
    XcapEdit edit = put_node(tree_, selector(node, query), body, limits);
    if (edit.fault != XcapFault::none) return {fault_text(edit.fault)};
    return {std::move(edit.bytes), edit.created};
  }
  [[nodiscard]] std::string remove(std::string_view node, std::string_view query = "") const {
    XcapEdit edit = delete_node(tree_, selector(node, query), limits);
    return edit.fault == XcapFault::none ? std::move(edit.bytes) : fault_text(edit.fault);
  }
  [[nodiscard]] std::size_t ancestor(std::string_view node) const {
    return put_node(tree_, selector(node, ""), "<x/>", limits).ancestor;
  }

 private:
  [[nodiscard]] XcapSelector selector(std::string_view node, std::string_view query) const {
    XcapSelector out;
    EXPECT_EQ(parse_node_selector(node, query, space_, out), XcapUriFault::none) << node;
    return out;
  }
  const std::string text_;
  const std::string space_;
  XcapTree tree_;
};

// --- section 8.2.3, its examples

TEST(XcapNodes, RFC4825_8_2_3_EarliestLast) {
  const std::string expected =
      "<?xml version=\"1.0\"?>\n"
      "<root>\n"
      " <el1 att=\"first\"/>\n"
      " <el1 att=\"second\"/><el1 att=\"third\"/>\n"
      " <!-- comment -->\n"
      " <el2 att=\"first\"/>\n"
      "</root>\n";
  const Document document(root_document);
  for (const char* const node :
       {"root/el1[@att=\"third\"]", "root/el1[3][@att=\"third\"]", "root/*[3][@att=\"third\"]"}) {
    const Edited edited = document.put(node, "<el1 att=\"third\"/>");
    EXPECT_EQ(edited.text, expected) << node;
    EXPECT_TRUE(edited.created);
  }
}

TEST(XcapNodes, RFC4825_8_2_3_AfterAllOthersWithoutNamesakes) {
  EXPECT_EQ(Document(root_document).put("root/el3", "<el3 att=\"first\"/>").text,
            "<?xml version=\"1.0\"?>\n"
            "<root>\n"
            " <el1 att=\"first\"/>\n"
            " <el1 att=\"second\"/>\n"
            " <!-- comment -->\n"
            " <el2 att=\"first\"/>\n"
            "<el3 att=\"first\"/></root>\n");
}

TEST(XcapNodes, RFC4825_8_2_3_AtAPlace) {
  const Document document(root_document);
  const std::string last =
      "<?xml version=\"1.0\"?>\n<root>\n <el1 att=\"first\"/>\n <el1 att=\"second\"/>\n <!-- comment -->\n"
      " <el2 att=\"first\"/><el2 att=\"2\"/>\n</root>\n";
  EXPECT_EQ(document.put("root/el2[@att=\"2\"]", "<el2 att=\"2\"/>").text, last);
  EXPECT_EQ(document.put("root/el2[2][@att=\"2\"]", "<el2 att=\"2\"/>").text, last);
  EXPECT_EQ(document.put("root/*[2][@att=\"2\"]", "<el2 att=\"2\"/>").text,
            "<?xml version=\"1.0\"?>\n<root>\n <el1 att=\"first\"/><el2 att=\"2\"/>\n <el1 att=\"second\"/>\n"
            " <!-- comment -->\n <el2 att=\"first\"/>\n</root>\n");
  EXPECT_EQ(document.put("root/el2[1][@att=\"2\"]", "<el2 att=\"2\"/>").text,
            "<?xml version=\"1.0\"?>\n<root>\n <el1 att=\"first\"/>\n <el1 att=\"second\"/>\n <!-- comment -->\n"
            " <el2 att=\"2\"/><el2 att=\"first\"/>\n</root>\n");
  EXPECT_EQ(document.put("root/*[1][@att=\"0\"]", "<el2 att=\"0\"/>").text,
            "<?xml version=\"1.0\"?>\n<root>\n <el2 att=\"0\"/><el1 att=\"first\"/>\n <el1 att=\"second\"/>\n"
            " <!-- comment -->\n <el2 att=\"first\"/>\n</root>\n");
  EXPECT_EQ(document.put("root/el1[5][@att=\"x\"]", "<el1 att=\"x\"/>").text, "cannot-insert");
  EXPECT_EQ(document.put("root/*[9]", "<el1/>").text, "cannot-insert");
  EXPECT_EQ(document.put("root/el3[2]", "<el3/>").text, "cannot-insert");
  EXPECT_TRUE(document.put("root/el3[1]", "<el3/>").created);
}

TEST(XcapNodes, RFC4825_8_2_3_WhatWouldNotBeFoundIsNotPut) {
  const Document document(root_document);
  // Section 7.4: the attribute has another value; another name.
  EXPECT_EQ(document.put("root/el1[@att=\"third\"]", "<el1 att=\"fourth\"/>").text, "cannot-insert");
  EXPECT_EQ(document.put("root/el3", "<el4/>").text, "cannot-insert");
  EXPECT_EQ(document.put("root/el1[@att=\"first\"]", "<el1 att=\"other\"/>").text, "cannot-insert");
  EXPECT_EQ(document.put("root/el1", "<el1/>").text, "cannot-insert");  // two are there
  EXPECT_EQ(document.put("other", "<other/>").text, "cannot-insert");   // a second root
  EXPECT_EQ(document.put("root/el9/el1", "<el1/>").text, "no-parent");
  EXPECT_EQ(document.put("root/el1/x", "<x/>").text, "no-parent");
  EXPECT_EQ(document.ancestor("root/el2/x/y/z"), 2U);
  EXPECT_EQ(document.ancestor("no/el2/x"), 0U);
}

TEST(XcapNodes, RFC4825_8_2_4_Replacement) {
  const Document document(root_document);
  const Edited edited = document.put("root/el2", "<el2 att='x'>a<b/></el2>");
  EXPECT_FALSE(edited.created);
  EXPECT_EQ(edited.text,
            "<?xml version=\"1.0\"?>\n<root>\n <el1 att=\"first\"/>\n <el1 att=\"second\"/>\n <!-- comment -->\n"
            " <el2 att='x'>a<b/></el2>\n</root>\n");
  EXPECT_EQ(document.put("root", "<root/>").text, "<?xml version=\"1.0\"?>\n<root/>\n");
  EXPECT_EQ(Document("<a><b/></a>").put("a/b/c", "<c/>").text, "<a><b><c/></b></a>");
  EXPECT_EQ(Document("<a><p:b xmlns:p='u' x = '1' /></a>").put("a/*/c", "<c/>").text,
            "<a><p:b xmlns:p='u' x = '1' ><c/></p:b></a>");
}

TEST(XcapNodes, RFC4825_8_2_2_Fragments) {
  const Document document("<p:a xmlns:p='urn:p' xmlns='urn:d'/>", "urn:p");
  EXPECT_EQ(document.put("a/b", "  <p:b/>\n").text, "<p:a xmlns:p='urn:p' xmlns='urn:d'><p:b/></p:a>");
  EXPECT_EQ(document.put("a/d:b", "<b/>", "xmlns(d=urn:d)").text, "<p:a xmlns:p='urn:p' xmlns='urn:d'><b/></p:a>");
  for (const char* const body :
       {"", "text", "<p:b>", "<p:b/><p:b/>", "<p:b/>text", "</p:b>", "<q:b/>", "<!--x-->", "<p:b/></w><w>",
        "<?xml version='1.0'?><p:b/>", "<!DOCTYPE a><p:b/>", "<p:b>&e;</p:b>", "<p:b/><!--", "&lt;p:b/&gt;"}) {
    EXPECT_EQ(document.put("a/b", body).text, "not-xml-frag") << body;
  }
  EXPECT_EQ(document.put("a/b", "<p:b>\xff</p:b>").text, "not-utf-8");
}

// --- attributes

TEST(XcapNodes, RFC4825_7_7_Attributes) {
  const Document document("<a x='1'   y=\"2\"><b/><c xmlns:p='urn:p' p:x='3' x='4'/></a>");
  EXPECT_EQ(document.get("a/@x"), "'1'");
  EXPECT_EQ(document.get("a/@y"), "\"2\"");
  EXPECT_EQ(document.type("a/@y"), xcap_attribute_type);
  EXPECT_EQ(document.get("a/@z"), "not found");
  EXPECT_EQ(document.get("a/c/@x"), "'4'");
  EXPECT_EQ(document.get("a/c/@q:x", "xmlns(q=urn:p)"), "'3'");
  EXPECT_EQ(document.get("a/c/@xmlns"), "not found");
  Edited edited = document.put("a/@x", "\"a &amp; b\"");
  EXPECT_EQ(edited.text, "<a x=\"a &amp; b\"   y=\"2\"><b/><c xmlns:p='urn:p' p:x='3' x='4'/></a>");
  EXPECT_FALSE(edited.created);
  edited = document.put("a/@z", "'9'");
  EXPECT_EQ(edited.text, "<a x='1'   y=\"2\" z='9'><b/><c xmlns:p='urn:p' p:x='3' x='4'/></a>");
  EXPECT_TRUE(edited.created);
  EXPECT_EQ(document.put("a/b/@z", "'9'").text, "<a x='1'   y=\"2\"><b z='9'/><c xmlns:p='urn:p' p:x='3' x='4'/></a>");
  EXPECT_EQ(document.put("a/c/@q:z", "'9'", "xmlns(q=urn:p)").text,
            "<a x='1'   y=\"2\"><b/><c xmlns:p='urn:p' p:x='3' x='4' p:z='9'/></a>");
  EXPECT_EQ(document.put("a/b/@q:z", "'9'", "xmlns(q=urn:p)").text, "cannot-insert");  // no prefix there
  EXPECT_EQ(document.put("a/b/@xmlns", "'urn:x'").text, "cannot-insert");
  EXPECT_EQ(document.put("a/n/@z", "'9'").text, "no-parent");
  // Section 7.7: the selector would name nothing any more.
  EXPECT_EQ(document.put("a[@x='1']/@x", "'2'").text, "cannot-insert");
  EXPECT_FALSE(document.put("a[@x='1']/@x", "\"1\"").created);
  for (const char* const body : {"", "1", "'1", "'1'x", "'<'", "'&'", "'&x;'", "'a'b'", "'a' y='b'", "\"a'", " 'a'"}) {
    EXPECT_EQ(document.put("a/@x", body).text, "not-xml-att-value") << body;
  }
  EXPECT_EQ(document.put("a/@x", "'\xff'").text, "not-utf-8");
}

TEST(XcapNodes, RFC4825_7_8_DeletesOfAttributes) {
  const Document document("<a x='1'   y=\"2\"><b z = '3'/></a>");
  EXPECT_EQ(document.remove("a/@x"), "<a   y=\"2\"><b z = '3'/></a>");
  EXPECT_EQ(document.remove("a/@y"), "<a x='1'><b z = '3'/></a>");
  EXPECT_EQ(document.remove("a/b/@z"), "<a x='1'   y=\"2\"><b/></a>");
  EXPECT_EQ(document.remove("a[@x='1']/@x"), "<a   y=\"2\"><b z = '3'/></a>");
  EXPECT_EQ(document.remove("a/@q"), "not-found");
}

// --- selection

TEST(XcapNodes, RFC4825_6_3_Selection) {
  const std::string watcher =
      "<watcher status=\"active\"\n"
      "                id=\"8ajksjda7s\"\n"
      "                duration-subscribed=\"509\"\n"
      "                event=\"approved\">sip:userA@example.net</watcher>";
  const Document document(
      "<?xml version=\"1.0\"?>\n"
      "<watcherinfo xmlns=\"urn:ietf:params:xml:ns:watcherinfo\" version=\"0\" state=\"full\">\n"
      "  <watcher-list resource=\"sip:professor@example.net\" package=\"presence\">\n    " +
          watcher +
          "\n    <watcher status=\"pending\" id=\"hh8juja87s997-ass7\" display-name=\"Mr. Subscriber\" "
          "event=\"subscribe\">sip:userB@example.org</watcher>\n  </watcher-list>\n</watcherinfo>\n",
      "urn:ietf:params:xml:ns:watcherinfo");
  EXPECT_EQ(document.get("watcherinfo/watcher-list/watcher[@id=\"8ajksjda7s\"]"), watcher);
  EXPECT_EQ(document.type("watcherinfo/watcher-list/watcher[@id=\"8ajksjda7s\"]"), xcap_element_type);
  EXPECT_EQ(document.get("watcherinfo/*/*[1]"), watcher);
  EXPECT_EQ(document.get("*/watcher-list/watcher[1][@status='active']"), watcher);
  EXPECT_EQ(document.get("watcherinfo/watcher-list/watcher[1][@status='pending']"), "not found");
  EXPECT_EQ(document.get("watcherinfo/watcher-list/watcher"), "not found");  // two of them
  EXPECT_EQ(document.get("watcherinfo/watcher-list/watcher[3]"), "not found");
  EXPECT_EQ(document.get("watcherinfo[@xmlns='urn:ietf:params:xml:ns:watcherinfo']/watcher-list"), "not found");
  EXPECT_EQ(document.get("watcherinfo/watcher-list/@package"), "\"presence\"");
}

const std::string namespaces =
    "<?xml version=\"1.0\"?>\n"
    "<foo xmlns=\"urn:test:default-namespace\">\n"
    "  <ns1:bar xmlns:ns1=\"urn:test:namespace1-uri\"\n"
    "           xmlns=\"urn:test:namespace1-uri\">\n"
    "    <baz/>\n"
    "    <ns2:baz xmlns:ns2=\"urn:test:namespace2-uri\"/>\n"
    "  </ns1:bar>\n"
    "  <ns3:hi xmlns:ns3=\"urn:test:namespace3-uri\">\n"
    "    <there/>\n"
    "  </ns3:hi>\n"
    "</foo>\n";

TEST(XcapNodes, RFC4825_6_4_NamesOfNamespaces) {
  const Document document(namespaces, "urn:test:default-namespace");
  EXPECT_EQ(document.get("foo/a:bar/b:baz", "xmlns(a=urn:test:namespace1-uri)xmlns(b=urn:test:namespace1-uri)"),
            "<baz/>");
  const std::string second = "<ns2:baz xmlns:ns2=\"urn:test:namespace2-uri\"/>";
  EXPECT_EQ(document.get("foo/a:bar/b:baz", "xmlns(a=urn:test:namespace1-uri)xmlns(b=urn:test:namespace2-uri)"),
            second);
  EXPECT_EQ(document.get("d:foo/a:bar/b:baz",
                         "xmlns(a=urn:test:namespace1-uri)xmlns(b=urn:test:namespace2-uri)"
                         "xmlns(d=urn:test:default-namespace)"),
            second);
  EXPECT_EQ(document.get("foo/bar"), "not found");
  EXPECT_EQ(document.get("foo/*[2]/there"), "<there/>");
}

TEST(XcapNodes, RFC4825_10_Bindings) {
  const Document document(namespaces, "urn:test:default-namespace");
  const char* const query = "xmlns(df2=urn:test:namespace1-uri)";
  EXPECT_EQ(document.get("foo/df2:bar/df2:baz/namespace::*", query),
            "<baz xmlns:ns1=\"urn:test:namespace1-uri\" xmlns=\"urn:test:namespace1-uri\"/>");
  EXPECT_EQ(document.type("foo/namespace::*"), xcap_namespaces_type);
  EXPECT_EQ(document.get("foo/*[2]/namespace::*"),
            "<ns3:hi xmlns:ns3=\"urn:test:namespace3-uri\" xmlns=\"urn:test:default-namespace\"/>");
  EXPECT_EQ(Document("<a xmlns='u'><b xmlns=''/></a>", "u").get("a/*/namespace::*"), "<b/>");
}

// --- deletes

TEST(XcapNodes, RFC4825_8_4_Deletes) {
  const Document document(root_document);
  EXPECT_EQ(
      document.remove("root/el1[@att=\"second\"]"),
      "<?xml version=\"1.0\"?>\n<root>\n <el1 att=\"first\"/>\n \n <!-- comment -->\n <el2 att=\"first\"/>\n</root>\n");
  EXPECT_EQ(document.remove("root/el2"),
            "<?xml version=\"1.0\"?>\n<root>\n <el1 att=\"first\"/>\n <el1 att=\"second\"/>\n <!-- comment -->\n "
            "\n</root>\n");
  // Section 7.5: the last of its name can be named by its place, the others can not.
  EXPECT_EQ(document.remove("root/el1[1]"), "cannot-delete");
  EXPECT_NE(document.remove("root/el1[2]"), "cannot-delete");
  EXPECT_EQ(document.remove("root/*[1]"), "cannot-delete");
  EXPECT_NE(document.remove("root/*[3]"), "cannot-delete");
  EXPECT_NE(document.remove("root/*[1][@att='first']"), "cannot-delete");
  EXPECT_EQ(document.remove("root/el1"), "not-found");
  EXPECT_EQ(document.remove("root"), "cannot-delete");
  EXPECT_EQ(document.remove("root/none"), "not-found");
}

// --- markup that is no element

TEST(XcapNodes, WhatLooksLikeTagsIsNone) {
  const Document document(
      "\xef\xbb\xbf<?xml version='1.0'?><!-- <a> --><?p <a> ?><a x='>' y=\"/>\"><![CDATA[<b>]]><!--<b>--><?b <b> ?>"
      "<b z='&lt;/b>'>]]&gt;</b ></a ><!-- <c/> -->");
  EXPECT_EQ(document.get("a/b"), "<b z='&lt;/b>'>]]&gt;</b >");
  EXPECT_EQ(document.get("a/@x"), "'>'");
  EXPECT_EQ(document.get("a/@y"), "\"/>\"");
  EXPECT_EQ(document.get("a/b/@z"), "'&lt;/b>'");
}

}  // namespace
}  // namespace parley::policy
