// tests/policy/xml_reader_test.cc - what is read of an XML document, what is refused, and what either may cost.
#include "policy/xml_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "policy/xml_writer.h"
#include "tests/fuzz/cost.h"
#include "tests/policy/xml_cost.h"

namespace parley::policy {
namespace {

XmlError read(const std::string& bytes, const XmlLimits& limits = {}) {
  XmlDocument document;
  const tests::Cost cost(tests::xml_cost(bytes.size()));
  const XmlError error = document.parse(bytes, limits);
  EXPECT_EQ(static_cast<bool>(error), !document.root());  // never half a document
  return error;
}

void expect_refused(const std::string& bytes, std::string_view reason, std::uint32_t line,
                    const XmlLimits& limits = {}) {
  const XmlError error = read(bytes, limits);
  EXPECT_NE(error.reason.find(reason), std::string::npos) << to_string(error);
  EXPECT_EQ(error.line, line) << to_string(error);
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t n = 0; n < times; ++n) out += text;
  return out;
}

TEST(XmlReader, elements_attributes_and_texts_in_their_namespaces) {
  XmlDocument document;
  ASSERT_FALSE(
      document.parse("<?xml version='1.0' encoding='UTF-8'?>\n"
                     "<!-- a comment with <tags> -->\n"
                     "<a xmlns='urn:a' xmlns:b=\"urn:b\" x='1' b:x='2'>\n"
                     "  one <b:c/> two &lt;&#65;\n"
                     "  <d><![CDATA[<raw>&amp;]]></d><d n='a&amp;b &#38; &quot;c&quot;&#38;#38;'/>\n"
                     "</a>"));
  const XmlElement root = document.root();
  EXPECT_TRUE(root.is("urn:a", "a"));
  EXPECT_EQ(root.line(), 3U);
  EXPECT_EQ(root.text().substr(0, 3), "one");
  EXPECT_NE(root.text().find("two <A"), std::string_view::npos);
  EXPECT_EQ(root.attribute("x"), "1");
  EXPECT_EQ(root.attribute("urn:b", "x"), "2");
  EXPECT_EQ(root.attribute("y"), std::nullopt);
  EXPECT_EQ(root.attribute("urn:a", "x"), std::nullopt);  // an attribute without prefix has no namespace
  const XmlElement c = root.first_child();
  EXPECT_TRUE(c.is("urn:b", "c"));
  EXPECT_EQ(root.child("urn:a", "d").text(), "<raw>&amp;");
  EXPECT_FALSE(root.child("urn:b", "d"));
  EXPECT_EQ(c.next().next().attribute("n"), "a&b & \"c\"&#38;");
  EXPECT_FALSE(c.next().next().next());
  std::string names;
  for (const XmlElement child : root.children()) names += std::string(child.name()) + " ";
  EXPECT_EQ(names, "c d d ");
}

TEST(XmlReader, an_ampersand_in_a_namespace_is_one) {
  XmlDocument document;
  ASSERT_FALSE(document.parse("<a xmlns='urn:x?a&amp;b' xmlns:p='urn:x?a&#38;b'><p:c/></a>"));
  EXPECT_EQ(document.root().space(), "urn:x?a&b");
  EXPECT_EQ(document.root().first_child().space(), "urn:x?a&b");
}

TEST(XmlReader, no_element_answers_every_question_with_nothing) {
  const XmlElement none;
  EXPECT_FALSE(none);
  EXPECT_TRUE(none.name().empty() && none.space().empty() && none.text().empty());
  EXPECT_FALSE(none.first_child() || none.next() || none.child("a") || none.attribute("a"));
  for (const XmlElement child : none.children()) FAIL() << child.name();
}

TEST(XmlReader, a_document_that_is_not_well_formed_is_refused_with_its_line) {
  expect_refused("", "empty", 0);
  expect_refused("\n", "", 2);
  expect_refused("plain", "", 1);
  expect_refused("<a>\n<b>\n</a>", "mismatch", 3);
  expect_refused("<a>\n", "", 2);
  expect_refused("<a/>\n<b/>", "", 2);
  expect_refused("<a x='1' x='2'/>", "x", 1);
  expect_refused("<a\n x=1/>", "", 2);
  expect_refused("<a>\n<b:c/></a>", "b", 2);  // a prefix that nobody declared
  expect_refused("<a>&undefined;</a>", "undefined", 1);
  expect_refused("<a x='&undefined;'/>", "undefined", 1);
  expect_refused("<a>\x01</a>", "", 1);
  expect_refused("<a>&#0;</a>", "", 1);
  expect_refused("<a x='<'/>", "", 1);
}

TEST(XmlReader, no_doctype_whatever_it_would_do) {
  expect_refused("<?xml version='1.0'?>\n<!DOCTYPE a>\n<a/>", "DOCTYPE", 2);
  expect_refused("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>", "DOCTYPE", 1);
  expect_refused("<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/a.dtd'><a/>", "DOCTYPE", 1);
  expect_refused("<a><!ENTITY x 'y'></a>", "declaration", 1);
  std::string bomb = "<!DOCTYPE a [<!ENTITY l0 'lol'>";
  for (int n = 1; n < 10; ++n) {
    const std::string last = "&l" + std::to_string(n - 1) + ";";
    bomb += "<!ENTITY l" + std::to_string(n) + " '" + repeated(last, 10) + "'>";
  }
  expect_refused(bomb + "]><a>&l9;</a>", "DOCTYPE", 1);
  // Not where it is text.
  EXPECT_FALSE(read("<a><!-- <!DOCTYPE a> --><![CDATA[<!DOCTYPE a>]]></a>"));
}

TEST(XmlReader, utf_8_and_nothing_else) {
  expect_refused("<a>\n\xFF</a>", "UTF-8", 2);
  expect_refused("<a>\xC3</a>", "UTF-8", 1);
  expect_refused("<a>\xED\xA0\x80</a>", "UTF-8", 1);
  expect_refused(std::string("<a>\0</a>", 8), "UTF-8", 1);
  expect_refused(std::string("\xFE\xFF\0<\0a\0/\0>", 10), "UTF-8", 1);
  expect_refused(std::string("<\0a\0/\0>\0", 8), "UTF-8", 1);
  expect_refused("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "another encoding", 1);
  expect_refused("<?xml version='1.0' encoding='UTF-16'?><a/>", "another encoding", 1);
  EXPECT_FALSE(read("<?xml version='1.0' encoding=\"utf-8\"?><a/>"));
  EXPECT_FALSE(read("\xEF\xBB\xBF<?xml version='1.0'?><a>\xC3\xA9</a>"));
}

TEST(XmlReader, limits_hold_before_anything_is_kept) {
  const XmlLimits limits;
  expect_refused("<a>" + std::string(limits.bytes_max, ' ') + "</a>", "longer than", 0);
  EXPECT_FALSE(read(repeated("<a>", limits.depth_max) + repeated("</a>", limits.depth_max)));
  expect_refused(repeated("<a>\n", limits.depth_max + 1), "nested deeper", limits.depth_max + 1);
  expect_refused(repeated("<a>", 20'000), "nested deeper", 1);
  EXPECT_FALSE(read("<r>" + repeated("<a/>", limits.elements_max - 1) + "</r>"));
  expect_refused("<r>" + repeated("<a/>", limits.elements_max) + "</r>", "elements", 1);
  // Comparing attributes with each other takes time with their square.
  std::string many;
  for (int n = 0; many.size() < 60'000; ++n) many += " a" + std::to_string(n) + "=''";
  expect_refused("<r" + many + "/>", "tag of more than", 1);
  expect_refused("<r\n x='" + std::string(limits.tag_bytes_max, '>') + "'/>", "tag of more than", 1);
  std::string spaces;
  for (std::uint32_t n = 0; n < limits.namespaces_max + 1; ++n)
    spaces += " xmlns:n" + std::to_string(n) + "='urn:" + std::to_string(n) + "'";
  expect_refused("<r" + spaces + "/>", "namespaces", 1);
  std::string in_depth;
  for (int n = 0; n < 10; ++n)
    in_depth += "<a xmlns:n='1' xmlns:m='2' xmlns:o='3' xmlns:p='4' xmlns:q='5' xmlns:r='6' xmlns:s='7'>";
  expect_refused(in_depth, "namespaces", 1);
}

TEST(XmlReader, the_worst_that_fits_is_cheap) {
  const XmlLimits limits;
  // Full tags with as many attributes as fit, one after the other.
  std::string tag = "<r";
  for (int n = 0; tag.size() < limits.tag_bytes_max - 20; ++n) tag += " a" + std::to_string(n) + "=''";
  tag += "/>";
  EXPECT_FALSE(read("<r>" + repeated(tag, limits.bytes_max / tag.size() - 1) + "</r>"));
  EXPECT_FALSE(read("<r>" + repeated("&#38;", 12'000) + "</r>"));
  EXPECT_FALSE(read("<r a='" + repeated("&amp;", 800) + "'/>"));
  EXPECT_FALSE(read("<r>" + repeated("<![CDATA[]]>", 5000) + "</r>"));
  EXPECT_FALSE(read("<r>" + repeated("<!---->", 9000) + "</r>"));
  EXPECT_TRUE(read("<r>" + repeated("<!--", 15'000)));
  EXPECT_TRUE(read("<r>" + repeated("<?x", 20'000)));
  EXPECT_TRUE(read(repeated("<", 60'000)));
  EXPECT_TRUE(read(repeated("<a b='", 10'000)));
  EXPECT_TRUE(read("<r>" + repeated("]]>", 20'000) + "</r>"));
}

TEST(XmlReader, a_reason_is_one_printable_line) {
  const XmlError error = read("<a><b\xC3\xA9" + std::string(1000, 'x') + "></a>");
  ASSERT_TRUE(error);
  EXPECT_LE(error.reason.size(), 160U);
  for (const char c : error.reason) EXPECT_TRUE(c >= ' ' && c <= '~');
}

TEST(XmlReader, a_document_can_be_used_again) {
  XmlDocument document;
  ASSERT_FALSE(document.parse("<a x='1'><b/></a>"));
  ASSERT_TRUE(document.parse("<a>"));
  EXPECT_FALSE(document.root());
  ASSERT_FALSE(document.parse("<c/>"));
  EXPECT_EQ(document.root().name(), "c");
  EXPECT_FALSE(document.root().first_child());
  EXPECT_FALSE(document.root().attribute("x"));
}

TEST(XmlWriter, whatever_is_written_can_be_read) {
  std::string out;
  {
    XmlWriter xml(out);
    xml.open("a")
        .attribute("xmlns:p", "urn:p")
        .attribute("p:x", "<\"&'\n\x01\xFF")
        .attribute("n", std::uint64_t{18446744073709551615U});
    xml.leaf("p:b", "text ]]> \x7F \xC3\xA9");
    xml.open("c").boolean("yes", true);
  }
  XmlDocument document;
  ASSERT_FALSE(document.parse(out)) << out;
  EXPECT_EQ(document.root().attribute("urn:p", "x"), "<\"&'\n\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(document.root().attribute("n"), "18446744073709551615");
  EXPECT_EQ(document.root().child("urn:p", "b").text(), "text ]]> \x7F \xC3\xA9");
  EXPECT_EQ(document.root().child("c").attribute("yes"), "true");
}

TEST(XmlWriter, a_copy_means_the_same_elsewhere) {
  XmlDocument document;
  ASSERT_FALSE(document.parse(
      "<a xmlns='urn:a' xmlns:b='urn:b'><b:c b:x='1&amp;' y='2' xml:lang='de'>t&lt;<d/><e xmlns=''/></b:c></a>"));
  const XmlElement c = document.root().first_child();
  std::string out;
  {
    XmlWriter xml(out);
    xml.open("other").attribute("xmlns", "urn:other");
    EXPECT_TRUE(xml.copy(c, 1000));
    const std::size_t size = out.size();
    EXPECT_FALSE(xml.copy(c, 20));
    EXPECT_EQ(out.size(), size);
  }
  XmlDocument again;
  ASSERT_FALSE(again.parse(out)) << out;
  const XmlElement copy = again.root().first_child();
  EXPECT_TRUE(copy.is("urn:b", "c"));
  EXPECT_EQ(copy.attribute("urn:b", "x"), "1&");
  EXPECT_EQ(copy.attribute("y"), "2");
  EXPECT_EQ(copy.attribute("http://www.w3.org/XML/1998/namespace", "lang"), "de");
  EXPECT_EQ(copy.text(), "t<");
  EXPECT_TRUE(copy.child("urn:a", "d"));
  EXPECT_TRUE(copy.child("", "e"));
}

}  // namespace
}  // namespace parley::policy
