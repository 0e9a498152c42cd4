// tools/parley-load/test/digest_test.cc - the digest arithmetic against the examples of RFC 7616 and RFC 1321.
#include <gtest/gtest.h>

#include "tools/parley-load/digest.h"

namespace parley::load {
namespace {

TEST(Digest, HashesAreThoseOfTheStandards) {
  EXPECT_EQ(hash_hex("MD5", "abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hash_hex("", "abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hash_hex("sha-256", "abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash_hex("SHA-512-256", "abc"), "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
  EXPECT_FALSE(hash_hex("MD5-sess", "abc").has_value());
}

// RFC 7616 section 3.9.1: user Mufasa, password "Circle of Life", GET /dir/index.html.
TEST(Digest, ResponsesAreThoseOfRfc7616Example391) {
  Challenge challenge;
  challenge.realm = "http-auth@example.org";
  challenge.nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
  challenge.opaque = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS";
  challenge.has_opaque = challenge.has_qop = true;
  const Credentials user{"Mufasa", "Circle of Life"};
  const std::string cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

  challenge.algorithm = "MD5";
  EXPECT_NE(authorization(challenge, user, "GET", "/dir/index.html", cnonce, 1)
                .find("response=\"8ca523f5e9506fed4657c9700eebdbec\""),
            std::string::npos);
  challenge.algorithm = "SHA-256";
  const std::string header = authorization(challenge, user, "GET", "/dir/index.html", cnonce, 1);
  EXPECT_NE(header.find("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""),
            std::string::npos);
  EXPECT_NE(header.find("qop=auth, nc=00000001"), std::string::npos);
  EXPECT_NE(header.find("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), std::string::npos);
}

TEST(Digest, TheFirstChallengeThatWeCanAnswerIsTaken) {
  const auto chosen =
      choose_challenge({"Basic realm=\"x\"", "Digest realm=\"a\", nonce=\"n0\", algorithm=SHA3-512, qop=\"auth\"",
                        "Digest realm=\"a\", nonce=\"n1\", qop=\"auth-int\"",
                        "Digest realm=\"a, \\\"b\\\"\" ,nonce=\"n2\",qop=\"auth-int, auth\",algorithm=SHA-256",
                        "Digest realm=\"a\", nonce=\"n3\", algorithm=MD5, qop=\"auth\""});
  ASSERT_TRUE(chosen.has_value());
  EXPECT_EQ(chosen->nonce, "n2");
  EXPECT_EQ(chosen->realm, "a, \"b\"");
  EXPECT_EQ(chosen->algorithm, "SHA-256");
  EXPECT_FALSE(choose_challenge({"Digest realm=\"unfinished"}).has_value());
}

}  // namespace
}  // namespace parley::load
