// tests/core/digest_test.cc - the examples of RFC 2617, RFC 7616 and RFC 4231, hex, and no allocation per call.
#include "core/digest.h"

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include <cstddef>
#include <cstdlib>
#include <string>
#include <vector>

namespace parley::core {
namespace {

std::size_t library_blocks = 0;  // allocated by libcrypto and not freed
std::size_t library_allocations = 0;

void* counted_malloc(std::size_t size, const char*, int) {
  ++library_allocations;
  ++library_blocks;
  return std::malloc(size);
}
void* counted_realloc(void* old, std::size_t size, const char*, int) {
  ++library_allocations;
  library_blocks += old == nullptr ? 1 : 0;
  return std::realloc(old, size);
}
void counted_free(void* old, const char*, int) {
  library_blocks -= old == nullptr ? 0 : 1;
  std::free(old);
}

// libcrypto takes these only before its own first allocation.
const bool counting = CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) == 1;

std::string hex(std::span<const std::uint8_t> bytes) {
  std::string text(bytes.size() * 2, '\0');
  hex_encode(bytes, text);
  return text;
}

TEST(Digest, rfc2617_3_5_example) {
  Digest digest;
  const HexDigest ha1 = digest.ha1(DigestAlgorithm::md5, "Mufasa", "testrealm@host.com", "Circle Of Life");
  EXPECT_EQ(ha1.view(), "939e7578ed9e3c518a452acee763bce9");
  DigestFields fields{.ha1_hex = ha1.view(),
                      .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                      .nc = "00000001",
                      .cnonce = "0a4f113b",
                      .qop = "auth",
                      .method = "GET",
                      .uri = "/dir/index.html"};
  EXPECT_EQ(digest.response(DigestAlgorithm::md5, fields).view(), "6629fae49393a05397450978507c4ef1");
  fields.qop = "";
  EXPECT_EQ(digest.response(DigestAlgorithm::md5, fields).view(), "670fd8c2df070c60b045671b8b24ff02");
}

constexpr std::string_view rfc7616_nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
constexpr std::string_view rfc7616_cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

TEST(Digest, rfc7616_3_9_1_examples) {
  Digest digest;
  const auto response = [&](DigestAlgorithm algorithm) {
    const HexDigest ha1 = digest.ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
    return digest.response(algorithm, {.ha1_hex = ha1.view(),
                                       .nonce = rfc7616_nonce,
                                       .nc = "00000001",
                                       .cnonce = rfc7616_cnonce,
                                       .qop = "auth",
                                       .method = "GET",
                                       .uri = "/dir/index.html"});
  };
  EXPECT_EQ(response(DigestAlgorithm::md5).view(), "8ca523f5e9506fed4657c9700eebdbec");
  EXPECT_EQ(response(DigestAlgorithm::sha256).view(),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

TEST(Digest, rspauth_is_the_response_with_an_empty_method) {
  Digest digest;
  for (const auto algorithm : {DigestAlgorithm::md5, DigestAlgorithm::sha256, DigestAlgorithm::sha512_256}) {
    const HexDigest ha1 = digest.ha1(algorithm, "alice", "example.org", "secret");
    const DigestFields fields{.ha1_hex = ha1.view(),
                              .nonce = "n",
                              .nc = "00000001",
                              .cnonce = "c",
                              .qop = "auth",
                              .method = "AUTH",
                              .uri = "msrps://relay.example.org;tcp"};
    const std::string ha2(digest.hash(algorithm, ":msrps://relay.example.org;tcp").view());
    const std::string all = std::string(ha1.view()) + ":n:00000001:c:auth:" + ha2;
    EXPECT_EQ(digest.rspauth(algorithm, fields), digest.hash(algorithm, all));
    EXPECT_FALSE(digest.rspauth(algorithm, fields) == digest.response(algorithm, fields));
  }
}

// FIPS 180-4 examples.
TEST(Digest, hashes_of_abc) {
  Digest digest;
  EXPECT_EQ(digest.hash(DigestAlgorithm::md5, "abc").view(), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(digest.hash(DigestAlgorithm::sha256, "abc").view(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest.hash(DigestAlgorithm::sha512_256, "abc").view(),
            "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
}

TEST(Digest, names_are_those_of_the_wire_in_any_case) {
  EXPECT_EQ(to_string(DigestAlgorithm::sha512_256), "SHA-512-256");
  EXPECT_EQ(parse_digest_algorithm("MD5"), DigestAlgorithm::md5);
  EXPECT_EQ(parse_digest_algorithm("sha-256"), DigestAlgorithm::sha256);
  EXPECT_EQ(parse_digest_algorithm("SHA-512-256"), DigestAlgorithm::sha512_256);
  for (const char* name : {"", "MD5-sess", "SHA-256-sess", "SHA", "SHA-2567", "MD", "MD5 "}) {
    EXPECT_EQ(parse_digest_algorithm(name), std::nullopt) << name;
  }
}

// 5 hashes per algorithm: ha1, and A2 and the whole for response and rspauth.
TEST(Digest, a_hash_costs_the_library_one_block_at_most_and_keeps_none) {
  ASSERT_TRUE(counting);
  constexpr std::size_t rounds = 100;
  Digest digest;
  const std::size_t blocks_before = library_blocks;
  const std::size_t allocations_before = library_allocations;
  ASSERT_GT(allocations_before, 0U);
  for (std::size_t i = 0; i < rounds; ++i) {
    for (const auto algorithm : {DigestAlgorithm::md5, DigestAlgorithm::sha256, DigestAlgorithm::sha512_256}) {
      const HexDigest ha1 = digest.ha1(algorithm, "u", "r", "p");
      (void)digest.response(algorithm, {.ha1_hex = ha1.view(), .qop = "auth"});
      (void)digest.rspauth(algorithm, {.ha1_hex = ha1.view(), .qop = "auth"});
    }
  }
  EXPECT_EQ(library_blocks, blocks_before);
  EXPECT_LE(library_allocations - allocations_before, rounds * 3 * 5);
}

TEST(Digest, comparison_sees_every_difference) {
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_TRUE(equal_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_constant_time("abc", "ab"));
  Digest digest;
  const HexDigest ours = digest.hash(DigestAlgorithm::md5, "abc");
  EXPECT_TRUE(equal_hex_constant_time(ours, "900150983CD24FB0d6963f7d28e17f72"));
  EXPECT_FALSE(equal_hex_constant_time(ours, "900150983CD24FB0d6963f7d28e17f73"));
  EXPECT_FALSE(equal_hex_constant_time(ours, ""));
  EXPECT_FALSE(equal_hex_constant_time(ours, std::string(200, '9')));
}

TEST(Hex, decodes_what_it_encodes_and_refuses_the_rest) {
  const std::array<std::uint8_t, 4> bytes = {0x00, 0x9f, 0xa0, 0xff};
  EXPECT_EQ(hex(bytes), "009fa0ff");
  std::array<std::uint8_t, 4> back{};
  EXPECT_TRUE(hex_decode("009FA0ff", back));
  EXPECT_EQ(back, bytes);
  for (const char* text : {"", "009fa0f", "009fa0ff0", "009fa0fg", "009fa0f ", "-09fa0ff", "0x9fa0ff"}) {
    EXPECT_FALSE(hex_decode(text, back)) << text;
  }
}

}  // namespace
}  // namespace parley::core
