// core/digest.cc - see digest.h.
#include "core/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

#include "core/text.h"

namespace parley::core {

namespace {

constexpr std::size_t hash_bytes_max = 32;
constexpr std::array<std::string_view, digest_algorithms> wire_names = {"MD5", "SHA-256", "SHA-512-256"};
constexpr std::array<const char*, digest_algorithms> library_names = {"MD5", "SHA2-256", "SHA2-512/256"};
constexpr std::array<std::size_t, digest_algorithms> hash_bytes = {16, 32, 32};

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

}  // namespace

std::string_view to_string(DigestAlgorithm algorithm) { return wire_names[static_cast<std::size_t>(algorithm)]; }

std::optional<DigestAlgorithm> parse_digest_algorithm(std::string_view name) {
  for (std::size_t i = 0; i < digest_algorithms; ++i) {
    if (equal_ignore_case(name, wire_names[i])) return static_cast<DigestAlgorithm>(i);
  }
  return std::nullopt;
}

HexDigest::HexDigest(std::span<const std::uint8_t> bytes) {
  CHECK(bytes.size() <= hash_bytes_max);
  size_ = static_cast<std::uint8_t>(bytes.size() * 2);
  hex_encode(bytes, std::span(chars_).first(size_));
}

Digest::Digest() {
  for (std::size_t i = 0; i < digest_algorithms; ++i) {
    engines_[i].md = EVP_MD_fetch(nullptr, library_names[i], nullptr);
    if (engines_[i].md == nullptr) continue;
    engines_[i].context = EVP_MD_CTX_new();
    CHECK(engines_[i].context != nullptr);
    // So that later initialisations may keep the type.
    CHECK(EVP_DigestInit_ex2(engines_[i].context, engines_[i].md, nullptr) == 1);
  }
}

Digest::~Digest() {
  for (Engine& engine : engines_) {
    EVP_MD_CTX_free(engine.context);
    EVP_MD_free(engine.md);
  }
}

bool Digest::available(DigestAlgorithm algorithm) const {
  return engines_[static_cast<std::size_t>(algorithm)].md != nullptr;
}

Digest::Engine& Digest::engine(DigestAlgorithm algorithm) {
  Engine& engine = engines_[static_cast<std::size_t>(algorithm)];
  CHECK(engine.md != nullptr);
  // A null type keeps the algorithm and saves its look-up.
  CHECK(EVP_DigestInit_ex2(engine.context, nullptr, nullptr) == 1);
  return engine;
}

HexDigest Digest::joined(DigestAlgorithm algorithm, std::span<const std::string_view> parts) {
  Engine& e = engine(algorithm);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) CHECK(EVP_DigestUpdate(e.context, ":", 1) == 1);
    CHECK(EVP_DigestUpdate(e.context, parts[i].data(), parts[i].size()) == 1);
  }
  std::array<std::uint8_t, hash_bytes_max> hash;
  CHECK(EVP_DigestFinal_ex(e.context, hash.data(), nullptr) == 1);
  const std::span<const std::uint8_t> used(hash.data(), hash_bytes[static_cast<std::size_t>(algorithm)]);
  const HexDigest result(used);
  OPENSSL_cleanse(hash.data(), hash.size());
  return result;
}

HexDigest Digest::ha1(DigestAlgorithm algorithm, std::string_view user, std::string_view realm,
                      std::string_view password) {
  return joined(algorithm, std::array{user, realm, password});
}

HexDigest Digest::hash(DigestAlgorithm algorithm, std::string_view text) { return joined(algorithm, std::array{text}); }

HexDigest Digest::finish(DigestAlgorithm algorithm, const DigestFields& fields, const HexDigest& ha2) {
  if (fields.qop.empty()) return joined(algorithm, std::array{fields.ha1_hex, fields.nonce, ha2.view()});
  return joined(algorithm, std::array{fields.ha1_hex, fields.nonce, fields.nc, fields.cnonce, fields.qop, ha2.view()});
}

HexDigest Digest::response(DigestAlgorithm algorithm, const DigestFields& fields) {
  const HexDigest ha2 = joined(algorithm, std::array{fields.method, fields.uri});
  return finish(algorithm, fields, ha2);
}

HexDigest Digest::rspauth(DigestAlgorithm algorithm, const DigestFields& fields) {
  const HexDigest ha2 = joined(algorithm, std::array{std::string_view{}, fields.uri});
  return finish(algorithm, fields, ha2);
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool equal_hex_constant_time(const HexDigest& ours, std::string_view theirs) {
  std::array<char, 64> lowered;
  if (theirs.size() != ours.view().size()) return false;
  std::transform(theirs.begin(), theirs.end(), lowered.begin(), lower);
  return equal_constant_time(ours.view(), {lowered.data(), theirs.size()});
}

void hex_encode(std::span<const std::uint8_t> bytes, std::span<char> out) {
  CHECK(out.size() == bytes.size() * 2);
  constexpr std::string_view digits = "0123456789abcdef";
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
}

bool hex_decode(std::string_view text, std::span<std::uint8_t> out) {
  if (text.size() != out.size() * 2) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

}  // namespace parley::core
