// tests/core/digest_header_test.cc - parse_authorization: what RFC 4976 writes and what clients were seen to write
// (R4976-2).
#include <gtest/gtest.h>

#include <string>

#include "core/digest_header.h"
#include "tests/msrp/allocations.h"
#include "tests/msrp/blocks.h"

namespace parley::tests {
namespace {

using namespace parley::core;

Authorization read(std::string_view value) {
  Authorization out;
  EXPECT_TRUE(parse_authorization(value, out)) << value;
  return out;
}

bool refused(std::string_view value) {
  Authorization out;
  return !parse_authorization(value, out);
}

TEST(AuthHeader, R4976_2_TheExampleOfTheRfc) {
  const std::string value =
      "Digest username=\"Alice\", realm=\"intra.example.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", qop=auth, "
      "nc=00000001, "
      "cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
  const Authorization auth = read(value);
  EXPECT_EQ(auth.username, "Alice");
  EXPECT_EQ(auth.realm, "intra.example.com");
  EXPECT_EQ(auth.nonce, "dcd98b7102dd2f0e8b11d0f600bfb0c093");
  EXPECT_EQ(auth.qop, "auth");
  EXPECT_EQ(auth.nc, "00000001");
  EXPECT_EQ(auth.cnonce, "0a4f113b");
  EXPECT_EQ(auth.response, "6629fae49393a05397450978507c4ef1");
  EXPECT_EQ(auth.opaque, "5ccc069c403ebaf9f0171e9517f40e41");
  EXPECT_EQ(auth.algorithm, "");
  EXPECT_FALSE(auth.has_uri);
}

TEST(AuthHeader, R4976_2_UriPresentAndQopAndNcQuoted) {
  const Authorization auth =
      read("Digest uri=\"msrps://r;tcp\",qop=\"auth\",nc=\"0000000a\",algorithm=SHA-256,username=\"\"");
  EXPECT_TRUE(auth.has_uri);
  EXPECT_EQ(auth.uri, "msrps://r;tcp");
  EXPECT_EQ(auth.qop, "auth");
  EXPECT_EQ(auth.nc, "0000000a");
  EXPECT_EQ(auth.algorithm, "SHA-256");
  EXPECT_EQ(auth.username, "");
  EXPECT_TRUE(read("Digest uri=\"\"").has_uri);
}

TEST(AuthHeader, NamesAndSchemeWithoutCaseAndBlanksWhereRfc7616HasThem) {
  const Authorization auth = read(" DIGEST\t  UserName = \"a b\" ,\tREALM=\"r\" , , nonce=abc+/==,");
  EXPECT_EQ(auth.username, "a b");
  EXPECT_EQ(auth.realm, "r");
  EXPECT_EQ(auth.nonce, "abc+/==");
}

TEST(AuthHeader, QuotedStringsMayHoldCommasEscapesAndUtf8) {
  const Authorization auth = read("Digest realm=\"a,b=\\\"c\\\\\", username=\"J\xc3\xbcrgen\", nonce=\"n\"");
  EXPECT_EQ(auth.realm, "a,b=\\\"c\\\\");
  EXPECT_EQ(auth.username, "J\xc3\xbcrgen");
  EXPECT_EQ(auth.nonce, "n");
}

TEST(AuthHeader, UnknownParametersAreSkippedHoweverOften) {
  const Authorization auth =
      read("Digest x=1, x=2, userhash=false, usernam=\"no\", usernamex=\"no\", username=\"yes\"");
  EXPECT_EQ(auth.username, "yes");
}

TEST(AuthHeader, AParameterGivenTwiceIsAnError) {
  for (const char* name : {"username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "opaque", "qop"}) {
    EXPECT_TRUE(refused("Digest " + std::string(name) + "=\"a\", NONE=1, " + name + "=\"a\"")) << name;
    EXPECT_TRUE(refused("Digest " + std::string(name) + "=\"\", " + name + "=\"\"")) << name;
  }
  EXPECT_TRUE(refused("Digest nc=00000001, nc=00000001"));
}

TEST(AuthHeader, WhatIsNotACredentialList) {
  for (const char* value :
       {"", "Digest", "Digest ", "Digest ,", "Basic YTpi", "Digestusername=\"a\"", "Digest username",
        "Digest username=", "Digest =\"a\"", "Digest username=\"a", "Digest username=\"a\\", "Digest username=\"a\"x",
        "Digest username=\"a\" realm=\"b\"", "Digest username=\"a\"; realm=\"b\"", "Digest user name=\"a\"",
        "Digest username=\"a\x01\"", "Digest username=\"a\x7f\"", "Digest username=a\"b"}) {
    EXPECT_TRUE(refused(value)) << value;
  }
}

TEST(AuthHeader, ResponseAndNcAreHexadecimal) {
  EXPECT_TRUE(refused("Digest response=\"xyz\""));
  EXPECT_TRUE(refused("Digest nc=1"));
  EXPECT_TRUE(refused("Digest nc=0000000g"));
  EXPECT_TRUE(refused("Digest nc=\"\""));
  EXPECT_TRUE(refused("Digest nc=000000001"));
  EXPECT_EQ(read("Digest nc=ABCDEF01, response=\"ABCdef\"").response, "ABCdef");
}

TEST(AuthHeader, NothingOfAnEarlierHeaderStays) {
  Authorization out = read("Digest username=\"a\", uri=\"b\"");
  ASSERT_TRUE(parse_authorization("Digest realm=\"r\"", out));
  EXPECT_EQ(out.username, "");
  EXPECT_FALSE(out.has_uri);
}

TEST(AuthHeader, ReadsNothingBehindTheInputAndAllocatesNothing) {
  GuardedPages pages(4096);
  const std::string value =
      "Digest username=\"A\\\"\", realm=\"r\", nonce=abc, qop=\"auth\", nc=00000001, response=\"00ff\"";
  const std::size_t before = allocations;
  for (std::size_t size = 0; size <= value.size(); ++size) {
    Authorization out;
    (void)parse_authorization(pages.put(std::string_view(value).substr(0, size)), out);
  }
  EXPECT_EQ(allocations, before);
}

TEST(DigestHeader, R3261_17_TheChallengeOfTheRfc) {
  Challenge challenge;
  ASSERT_TRUE(parse_challenge(
      "Digest realm=\"biloxi.com\",\r\n qop=\"auth,auth-int\",\r\n nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\","
      "\r\n opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
      challenge));
  EXPECT_EQ(challenge.realm, "biloxi.com");
  EXPECT_EQ(challenge.nonce, "dcd98b7102dd2f0e8b11d0f600bfb0c093");
  EXPECT_EQ(challenge.opaque, "5ccc069c403ebaf9f0171e9517f40e41");
  EXPECT_TRUE(challenge.has_opaque);
  EXPECT_FALSE(challenge.stale);
  EXPECT_TRUE(offers_qop(challenge, "auth"));
  EXPECT_TRUE(offers_qop(challenge, "auth-int"));
  EXPECT_FALSE(offers_qop(challenge, "auth-"));
}

TEST(DigestHeader, R3261_17_StaleInAnyCaseAndQopAbsent) {
  Challenge challenge;
  ASSERT_TRUE(parse_challenge("Digest realm=\"r\", nonce=\"n\", stale=TRUE, algorithm=SHA-256, domain=\"sip:a sip:b\"",
                              challenge));
  EXPECT_TRUE(challenge.stale);
  EXPECT_EQ(challenge.algorithm, "SHA-256");
  EXPECT_EQ(challenge.domain, "sip:a sip:b");
  EXPECT_FALSE(challenge.has_opaque);
  EXPECT_FALSE(offers_qop(challenge, "auth"));
  ASSERT_TRUE(parse_challenge("Digest realm=\"r\", nonce=\"n\", stale=false, opaque=\"\"", challenge));
  EXPECT_FALSE(challenge.stale);
  EXPECT_TRUE(challenge.has_opaque);
  EXPECT_FALSE(parse_challenge("Digest realm=\"r\"", challenge));
  EXPECT_FALSE(parse_challenge("NoDigest realm=\"r\", nonce=\"n\"", challenge));
}

TEST(DigestHeader, R3261_17_AuthenticationInfoHasNoScheme) {
  AuthenticationInfo info;
  ASSERT_TRUE(parse_authentication_info(
      "nextnonce=\"47364c23432d2e131a5fb210812c\", qop=auth, rspauth=\"00ff\", cnonce=\"c\", nc=00000001", info));
  EXPECT_EQ(info.nextnonce, "47364c23432d2e131a5fb210812c");
  EXPECT_EQ(info.rspauth, "00ff");
  EXPECT_EQ(info.qop, "auth");
  EXPECT_EQ(info.cnonce, "c");
  EXPECT_EQ(info.nc, "00000001");
  EXPECT_FALSE(parse_authentication_info("rspauth=\"xyz\"", info));
  EXPECT_FALSE(parse_authentication_info("nc=1", info));
  EXPECT_FALSE(parse_authentication_info("", info));
}

}  // namespace
}  // namespace parley::tests
