// core/digest.h - digest access arithmetic (RFC 7616 3.4, RFC 2617 3.2.2, RFC 8760 algorithms).
//
// One Digest per shard, used by its thread alone. Algorithms are fetched once, contexts reused, results are fixed
// arrays. Nothing here allocates, but OpenSSL 3.0 itself takes one block of about 100 bytes per hash and gives it back:
// for AUTH only, never for a relayed message. qop "auth-int" is not here: MSRP's AUTH has no body to protect.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/check.h"

using EVP_MD = struct evp_md_st;
using EVP_MD_CTX = struct evp_md_ctx_st;

namespace parley::core {

enum class DigestAlgorithm : std::uint8_t { md5, sha256, sha512_256 };
inline constexpr std::size_t digest_algorithms = 3;

// "MD5", "SHA-256", "SHA-512-256"
[[nodiscard]] std::string_view to_string(DigestAlgorithm algorithm);
// Any case; an unknown name (the "-sess" forms are unknown) gives nothing.
[[nodiscard]] std::optional<DigestAlgorithm> parse_digest_algorithm(std::string_view name);

// A hash in lower-case hex: 32 characters for MD5, 64 for the others.
class HexDigest {
 public:
  HexDigest() = default;
  explicit HexDigest(std::span<const std::uint8_t> bytes);  // at most 32 bytes
  [[nodiscard]] std::string_view view() const LIFETIME_BOUND { return {chars_.data(), size_}; }
  bool operator==(const HexDigest& other) const { return view() == other.view(); }

 private:
  std::array<char, 64> chars_{};
  std::uint8_t size_ = 0;
};

// What goes into a response. Values as they stand between the quotes. `qop` and `uri` are the client's own spelling.
struct DigestFields {
  std::string_view ha1_hex{};
  std::string_view nonce{};
  std::string_view nc{};
  std::string_view cnonce{};
  std::string_view qop{};  // empty: the form of RFC 2617 3.2.2.1 without nc and cnonce
  std::string_view method{};
  std::string_view uri{};
};

class Digest {
 public:
  Digest();
  ~Digest();
  Digest(const Digest&) = delete;
  Digest& operator=(const Digest&) = delete;

  // False where libcrypto refuses the algorithm (MD5 on a FIPS host); the calls below must then not be made with it.
  [[nodiscard]] bool available(DigestAlgorithm algorithm) const;

  // H(user ":" realm ":" password)
  [[nodiscard]] HexDigest ha1(DigestAlgorithm algorithm, std::string_view user, std::string_view realm,
                              std::string_view password);
  // The request-digest a client has to send: A2 = method ":" uri.
  [[nodiscard]] HexDigest response(DigestAlgorithm algorithm, const DigestFields& fields);
  // What the server proves itself with in Authentication-Info: A2 = ":" uri; `fields.method` is not used.
  [[nodiscard]] HexDigest rspauth(DigestAlgorithm algorithm, const DigestFields& fields);
  // H(text)
  [[nodiscard]] HexDigest hash(DigestAlgorithm algorithm, std::string_view text);

 private:
  struct Engine {
    EVP_MD* md = nullptr;
    EVP_MD_CTX* context = nullptr;
  };
  Engine& engine(DigestAlgorithm algorithm);
  HexDigest joined(DigestAlgorithm algorithm, std::span<const std::string_view> parts);
  HexDigest finish(DigestAlgorithm algorithm, const DigestFields& fields, const HexDigest& ha2);

  std::array<Engine, digest_algorithms> engines_;
};

// Takes the same time wherever the first difference is. Different lengths are unequal (lengths are no secret).
[[nodiscard]] bool equal_constant_time(std::string_view a, std::string_view b);
// The same for hex digests, whose case a peer may choose: `ours` is lower case.
[[nodiscard]] bool equal_hex_constant_time(const HexDigest& ours, std::string_view theirs);

// Writes 2 * bytes.size() lower-case characters; `out` must have room for exactly that many.
void hex_encode(std::span<const std::uint8_t> bytes, std::span<char> out);
// Either case. False unless `text` has exactly 2 * out.size() hex digits; `out` is then half-written.
[[nodiscard]] bool hex_decode(std::string_view text, std::span<std::uint8_t> out);

}  // namespace parley::core
