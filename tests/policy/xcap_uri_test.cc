// tests/policy/xcap_uri_test.cc - what the target of a request names (RFC 4825 section 6).
#include "policy/xcap_uri.h"

#include <gtest/gtest.h>

#include <string>

namespace parley::policy {
namespace {

using Fault = XcapUriFault;

// "auid tree xui document [node] [query]", or the fault.
std::string target(std::string_view text, std::string_view root = "/xcap-root") {
  XcapTarget t;
  switch (parse_xcap_target(text, root, t)) {
    case Fault::malformed: return "malformed";
    case Fault::unknown: return "unknown";
    case Fault::none: break;
  }
  std::string out = t.auid + (t.global ? " global " : " users ") + t.xui + " " + t.document;
  if (t.has_node) out.append(" node=").append(t.node);
  if (!t.query.empty()) out.append(" query=").append(t.query);
  return out;
}

// "{space}name[2][{space}att=value]/..." with "@" or "ns" at the end, or the fault.
std::string selector(std::string_view node, std::string_view query = "", std::string_view space = "urn:d") {
  XcapSelector s;
  switch (parse_node_selector(node, query, space, s)) {
    case Fault::malformed: return "malformed";
    case Fault::unknown: return "unknown";
    case Fault::none: break;
  }
  const auto name = [](const XcapName& n) { return (n.space.empty() ? "" : "{" + n.space + "}") + n.local; };
  std::string out;
  for (const XcapStep& step : s.steps) {
    if (!out.empty()) out += '/';
    out += step.name ? name(*step.name) : "*";
    if (step.position != 0) out += "[" + std::to_string(step.position) + "]";
    if (step.test) out += "[" + name(step.test->attribute) + "=" + step.test->value + "]";
  }
  if (s.terminal == XcapTerminal::attribute) out += "/@" + name(s.attribute);
  if (s.terminal == XcapTerminal::namespaces) out += "/ns";
  return out;
}

TEST(XcapUri, RFC4825_6_2_DocumentSelectors) {
  EXPECT_EQ(target("/xcap-root/resource-lists/users/sip:joe@example.com/index"),
            "resource-lists users sip:joe@example.com index");
  EXPECT_EQ(target("/xcap-root/xcap-caps/global/index"), "xcap-caps global  index");
  EXPECT_EQ(target("/a/users/sip:j%40x/b%20c", ""), "a users sip:j@x b c");
  EXPECT_EQ(target("http://xcap.example.com/xcap-root/a/users/u/d"), "a users u d");
  EXPECT_EQ(target("/xcap-root/a/users/u/dir/doc"), "a users u dir/doc");
  EXPECT_EQ(target("/xcap-root/a/users/sip:a%2Fb@x/doc"), "a users sip:a/b@x doc");
  for (const char* const none :
       {"/", "/xcap-root", "/xcap-root/", "/xcap-roots/a/users/u/d", "/xcap-root/a/users/u", "/xcap-root/a/users/u/",
        "/xcap-root/a/global/", "/xcap-root/a/others/u/d", "/xcap-root/a/users//d", "/xcap-root/a/users/u/../x",
        "/xcap-root/a/users/u/d//e", "*", ""}) {
    EXPECT_EQ(target(none), "unknown") << none;
  }
  for (const char* const bad : {"/xcap-root/a/users/u/%", "/xcap-root/a/users/u/%4", "/xcap-root/a/users/u/%zz",
                                "/xcap-root/a/users/u/%00", "/xcap-root/a/users/u/%ff"}) {
    EXPECT_EQ(target(bad), "malformed") << bad;
  }
}

TEST(XcapUri, RFC4825_6_TheFirstTildesPart) {
  EXPECT_EQ(target("/xcap-root/a/users/u/d/~~/x/y?xmlns(a=urn:a)"), "a users u d node=x/y query=xmlns(a=urn:a)");
  EXPECT_EQ(target("/xcap-root/a/users/u/d/%7E%7e/x/~~/y"), "a users u d node=x/~~/y");
  EXPECT_EQ(target("/xcap-root/a/users/u/d/~~"), "a users u d node=");
  EXPECT_EQ(target("/xcap-root/a/users/u/~~/x"), "unknown");
}

TEST(XcapUri, RFC4825_6_3_Steps) {
  EXPECT_EQ(selector("foo"), "{urn:d}foo");
  EXPECT_EQ(selector("foo/*/b.a-r_1"), "{urn:d}foo/*/{urn:d}b.a-r_1");
  EXPECT_EQ(selector("foo/list%5b2%5d"), "{urn:d}foo/{urn:d}list[2]");
  EXPECT_EQ(selector("foo/list[@name=%22l%2F1%22]"), "{urn:d}foo/{urn:d}list[name=l/1]");
  EXPECT_EQ(selector("foo/list[@name='l/1']"), "{urn:d}foo/{urn:d}list[name=l/1]");
  EXPECT_EQ(selector("foo/*[3][@id=\"&lt;&#65;&quot;\"]/x"), "{urn:d}foo/*[3][id=<A\"]/{urn:d}x");
  EXPECT_EQ(selector("a:foo/@a:b", "xmlns(a=urn:a)"), "{urn:a}foo/@{urn:a}b");
  EXPECT_EQ(selector("foo/@b"), "{urn:d}foo/@b");
  EXPECT_EQ(selector("foo/namespace::*"), "{urn:d}foo/ns");
  EXPECT_EQ(selector("%C3%A4", "", ""), "\xc3\xa4");
  EXPECT_EQ(selector("x[0]"), "{urn:d}x[200000000]");
}

// Section 8: what is no step of the grammar is one of an extension.
TEST(XcapUri, RFC4825_8_ExtensionsAreNotFound) {
  for (const char* const text : {"",
                                 "/",
                                 "foo/",
                                 "/foo",
                                 "foo//bar",
                                 "@a",
                                 "namespace::*",
                                 "foo/@a/b",
                                 "foo/@",
                                 "foo/namespace::x",
                                 "foo[",
                                 "foo[]",
                                 "foo[1",
                                 "foo[x]",
                                 "foo[-1]",
                                 "foo[@a]",
                                 "foo[@a=b]",
                                 "foo[@a=\"b]",
                                 "foo[@a='b'][1]",
                                 "foo[1][2]",
                                 "foo[@a='<']",
                                 "foo[@a='&x;']",
                                 "foo[@a='&#0;']",
                                 "foo[@a='&#xD800;']",
                                 "foo bar",
                                 "1foo",
                                 "a:b:c",
                                 ":a",
                                 "a:",
                                 "foo()",
                                 "foo[1]x"}) {
    EXPECT_EQ(selector(text, "xmlns(a=urn:a)xmlns(b=urn:b)"), "unknown") << text;
  }
}

TEST(XcapUri, RFC4825_6_4_Bindings) {
  EXPECT_EQ(selector("a:x/b:y", "xmlns(a=urn:a)xmlns(b=urn:b)"), "{urn:a}x/{urn:b}y");
  EXPECT_EQ(selector("a:x", "xmlns(a=urn:a)%20element(/1)%20xmlns(b=urn:b)"), "{urn:a}x");
  EXPECT_EQ(selector("a:x", "xmlns(a=urn:^(^^a)"), "{urn:(^a}x");
  EXPECT_EQ(selector("a:x", "xmlns(a=urn:(a))"), "{urn:(a)}x");
  EXPECT_EQ(selector("a:x", "xmlns(%20a%20=%20urn:a)"), "{urn:a}x");
  EXPECT_EQ(selector("xml:x", ""), "{http://www.w3.org/XML/1998/namespace}x");
  // Section 8: a prefix that is not bound; and what is no xpointer.
  EXPECT_EQ(selector("a:x"), "malformed");
  EXPECT_EQ(selector("x[@a:b='c']"), "malformed");
  for (const char* const query : {"x", "xmlns(", "xmlns(a=b", "xmlns(a)", "xmlns(=b)", "xmlns(a=^b)", "a=b", "%"}) {
    EXPECT_EQ(selector("x", query), "malformed") << query;
  }
}

TEST(XcapUri, PercentEncodingIsUndone) {
  std::string all;
  for (int c = 1; c < 128; ++c) all += static_cast<char>(c);
  all += "\xc3\xa4\xe2\x82\xac";
  for (const bool slashes : {false, true}) {
    std::string encoded;
    put_percent_encoded(all, encoded, slashes);
    for (const char c : encoded) EXPECT_TRUE(c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '?' && c != '#');
    EXPECT_EQ(encoded.find('/') != std::string::npos, slashes);
    std::string decoded;
    ASSERT_TRUE(percent_decode(encoded, decoded));
    EXPECT_EQ(decoded, all);
  }
}

}  // namespace
}  // namespace parley::policy
