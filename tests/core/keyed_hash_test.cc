// tests/core/keyed_hash_test.cc - SipHash-2-4 with 128 bits against libcrypto's, and that fields do not run together.
#include "core/keyed_hash.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <string>
#include <vector>

namespace parley::core {
namespace {

constexpr HashKey key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};

Hash128 by_libcrypto(std::string_view bytes) {
  std::array<unsigned char, 16> key_bytes;
  std::memcpy(key_bytes.data(), &key.low, 8);
  std::memcpy(key_bytes.data() + 8, &key.high, 8);
  EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* const context = EVP_MAC_CTX_new(mac);
  std::size_t size = 16;
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t("size", &size), OSSL_PARAM_construct_end()};
  EXPECT_EQ(EVP_MAC_init(context, key_bytes.data(), key_bytes.size(), params), 1);
  EXPECT_EQ(EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()), 1);
  std::array<unsigned char, 16> out{};
  std::size_t length = 0;
  EXPECT_EQ(EVP_MAC_final(context, out.data(), &length, out.size()), 1);
  EXPECT_EQ(length, out.size());
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  Hash128 hash;
  std::memcpy(&hash.low, out.data(), 8);
  std::memcpy(&hash.high, out.data() + 8, 8);
  return hash;
}

TEST(KeyedHash, WordsAsLibcryptoHashesTheirBytes) {
  std::string bytes;
  KeyedHash hash(key);
  for (std::uint64_t n = 0; n < 70; ++n) {
    EXPECT_EQ(KeyedHash(hash).finish(), by_libcrypto(bytes)) << n;
    const std::uint64_t word = n * 0x9e3779b97f4a7c15ULL;
    hash.add(word);
    bytes.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
}

TEST(KeyedHash, FieldsDoNotRunTogether) {
  const auto of = [](const std::vector<std::string_view>& fields) {
    KeyedHash hash(key);
    for (const std::string_view field : fields) hash.add(field);
    return hash.finish();
  };
  EXPECT_EQ(of({"ab", "c"}), of({"ab", "c"}));
  EXPECT_NE(of({"ab", "c"}), of({"a", "bc"}));
  EXPECT_NE(of({"abc"}), of({"abc", ""}));
  EXPECT_NE(of({"abc"}), of({std::string_view("abc\0", 4)}));
  EXPECT_NE(KeyedHash(HashKey{1, 2}).add("abc").finish(), KeyedHash(HashKey{1, 3}).add("abc").finish());
}

TEST(KeyedHash, CaseOfLettersOnly) {
  for (int c = 0; c < 256; ++c) {
    const std::string text(11, static_cast<char>(c));
    std::string lowered = text;
    for (char& letter : lowered) letter = lower(letter);
    EXPECT_EQ(KeyedHash(key).add_lower(text).finish(), KeyedHash(key).add(lowered).finish()) << c;
  }
}

}  // namespace
}  // namespace parley::core
