// tests/sip/uri_test.cc - the pieces of URIs, their equality (RFC 3261 section 19.1.4) and the key of an AOR.
#include "sip/uri.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace parley::sip {
namespace {

Uri read(std::string_view text) {
  Uri uri;
  EXPECT_TRUE(parse_uri(text, uri)) << text;
  return uri;
}

bool refused(std::string_view text) {
  Uri uri;
  return !parse_uri(text, uri);
}

bool same(std::string_view a, std::string_view b) {
  const bool forth = same_uri(read(a), read(b));
  EXPECT_EQ(forth, same_uri(read(b), read(a))) << a << " " << b;
  return forth;
}

std::string key(std::string_view text) {
  std::array<char, 600> out{};
  return std::string(aor_key(read(text), out.data(), out.size()));
}

TEST(SipUri, Pieces) {
  const Uri uri = read("sips:alice:secret@example.com:5071;transport=tcp;lr?Subject=x&To=y");
  EXPECT_EQ(uri.scheme, Scheme::sips);
  EXPECT_EQ(uri.user, "alice");
  EXPECT_EQ(uri.password, "secret");
  EXPECT_EQ(uri.host, "example.com");
  EXPECT_TRUE(uri.has_port);
  EXPECT_EQ(uri.port, 5071);
  EXPECT_EQ(uri.parameters, "transport=tcp;lr");
  EXPECT_EQ(uri.headers, "Subject=x&To=y");
  EXPECT_EQ(uri_parameter(uri, "Transport"), "tcp");
  EXPECT_TRUE(has_uri_parameter(uri, "lr"));
  EXPECT_TRUE(uri_parameter(uri, "lr").empty());
  EXPECT_FALSE(has_uri_parameter(uri, "maddr"));
}

TEST(SipUri, UserThatLooksLikeHostPortAndParameters) {
  const Uri uri = read("sip:user;par=u%40example.net?a/b:5060@[2001:db8::1]:5062;x");
  EXPECT_EQ(uri.user, "user;par=u%40example.net?a/b");
  EXPECT_EQ(uri.password, "5060");
  EXPECT_EQ(uri.host, "[2001:db8::1]");
  EXPECT_EQ(uri.port, 5062);
  EXPECT_EQ(uri.parameters, "x");
  EXPECT_TRUE(uri.headers.empty());
  const Uri host = read("sip:example.com:5060;a?b=c");
  EXPECT_TRUE(host.user.empty());
  EXPECT_EQ(host.host, "example.com");
  EXPECT_EQ(host.port, 5060);
}

TEST(SipUri, TelAndOtherSchemes) {
  const Uri tel = read("tel:+1-201-555-0123;phone-context=example.com");
  EXPECT_EQ(tel.scheme, Scheme::tel);
  EXPECT_EQ(tel.user, "+1-201-555-0123");
  EXPECT_EQ(tel.parameters, "phone-context=example.com");
  const Uri other = read("urn:service:sos");
  EXPECT_EQ(other.scheme, Scheme::other);
  EXPECT_EQ(other.user, "service:sos");
}

TEST(SipUri, WhatIsNone) {
  for (const char* const text : {"",
                                 "sip:",
                                 "sip:@example.com",
                                 "sip:user@",
                                 "sip:a b@example.com",
                                 "sip:2001:db8::10",
                                 "sip:u@[2001:db8::g]",
                                 "sip:u@h:65536",
                                 "sip:u@h:",
                                 "sip:u@h;",
                                 "sip:u@h;=a",
                                 "sip:u@h?",
                                 "sip:u@h?a",
                                 "sip:u%4@h",
                                 "sip:u@h@h",
                                 "tel:",
                                 "tel:+",
                                 "<sip:u@h>",
                                 "sip:u@-h",
                                 "sip:u@h..d",
                                 "nocolon",
                                 ":x",
                                 "1x:y"}) {
    EXPECT_TRUE(refused(text)) << text;
  }
}

TEST(SipUri, R3261_15_EqualOnes) {
  EXPECT_TRUE(same("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"));
  EXPECT_TRUE(same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
  EXPECT_TRUE(same("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"));
  EXPECT_TRUE(same("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                   "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"));
  EXPECT_TRUE(same("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                   "sip:alice@atlanta.com?priority=urgent&subject=project%20x"));
  EXPECT_TRUE(same("sip:a@[2001:DB8::1]", "sip:a@[2001:db8:0:0:0:0:0:1]"));
  EXPECT_TRUE(same("sip:a@[2001:db8:::192.0.2.1]", "sip:a@[2001:db8::192.0.2.1]"));
  EXPECT_TRUE(same("SIP:a@b.", "sip:a@B"));
}

TEST(SipUri, R3261_15_DifferentOnes) {
  EXPECT_FALSE(same("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
  EXPECT_FALSE(same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
  EXPECT_FALSE(same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
  EXPECT_FALSE(same("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"));
  EXPECT_FALSE(same("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"));
  EXPECT_FALSE(same("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"));
  EXPECT_FALSE(same("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
  EXPECT_FALSE(same("sip:a@b;user=phone", "sip:a@b"));
  EXPECT_FALSE(same("sip:a@b;maddr=192.0.2.1", "sip:a@b"));
  EXPECT_FALSE(same("sip:a@b", "sips:a@b"));
  EXPECT_FALSE(same("sip:a:x@b", "sip:a:X@b"));
  // A reserved character is not what its escape is.
  EXPECT_FALSE(same("sip:a%3Bb@c", "sip:a;b@c"));
  EXPECT_FALSE(same("sip:a%00@c", "sip:a@c"));
}

TEST(SipUri, R3261_15_ManyParametersAreComparedByBytes) {
  std::string many = "sip:a@b";
  for (std::size_t i = 0; i <= uri_compare_parts_max; ++i) many += ";p" + std::to_string(i);
  EXPECT_TRUE(same(many, many));
  EXPECT_FALSE(same(many, "sip:a@b"));
}

TEST(SipUri, TelNumbersIgnoreVisualSeparators) {
  EXPECT_TRUE(same("tel:+1-201-555-0123", "tel:+1(201)555.0123"));
  EXPECT_FALSE(same("tel:+12015550123", "tel:12015550123"));
  EXPECT_FALSE(same("tel:0123;phone-context=a.com", "tel:0123"));
  EXPECT_TRUE(same("tel:0123;phone-context=a.com;ext=1", "tel:0123;ext=1;phone-context=A.com"));
}

TEST(SipUri, R3261_15_AorKey) {
  EXPECT_EQ(key("sips:%61lice:pw@EXAMPLE.com:5061;transport=tls?a=b"), "sip:alice@example.com");
  EXPECT_EQ(key("sip:a%2fb%20c@h."), "sip:a/b%20c@h");
  EXPECT_EQ(key("sip:Alice@[2001:DB8::0:1]"), "sip:Alice@[2001:db8::1]");
  EXPECT_EQ(key("sip:example.com"), "sip:example.com");
  EXPECT_EQ(key("sip:%00@h"), "sip:%00@h");
  // T-8
  EXPECT_EQ(key("tel:+49-(30)-1234"), "tel:+49301234");
  EXPECT_EQ(key("sip:+49-30-1234@h;user=phone"), "sip:+49301234@h");
  EXPECT_EQ(key("sip:+49-30-1234@h"), "sip:+49-30-1234@h");
  EXPECT_EQ(key("urn:service:sos"), "");
}

TEST(SipUri, AorKeyThatDoesNotFit) {
  const Uri uri = read("sip:alice@example.com");
  std::array<char, 21> exact{};
  EXPECT_EQ(aor_key(uri, exact.data(), exact.size()), "sip:alice@example.com");
  std::array<char, 20> small{};
  EXPECT_EQ(aor_key(uri, small.data(), small.size()), "");
  std::array<char, 600> out{};
  EXPECT_EQ(aor_key(read("sip:a@" + std::string(300, 'h')), out.data(), out.size()), "");
}

}  // namespace
}  // namespace parley::sip
