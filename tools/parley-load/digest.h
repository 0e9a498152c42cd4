// tools/parley-load/digest.h - the client's half of HTTP Digest in AUTH (RFC 7616, RFC 4976 section 9.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace parley::load {

struct Challenge {
  std::string realm;
  std::string nonce;
  std::string opaque;
  std::string algorithm;  // as the server wrote it; empty means MD5 (RFC 7616 3.3)
  bool has_opaque = false;
  bool has_qop = false;
};

inline constexpr unsigned kLoginsMax = 2;  // a stale nonce, then a fresh one

struct Credentials {
  std::string name;
  std::string secret;
};

// "NAME:SECRET"; false when it is not.
bool add_user(const std::string& text, std::vector<Credentials>& users);

// The first of the WWW-Authenticate values whose algorithm and qop we can do (RFC 7616 3.7: the server's order counts).
std::optional<Challenge> choose_challenge(const std::vector<std::string_view>& header_values);

// Digest of name, realm and secret: the same for all requests of a user to a realm, so it is worth keeping.
std::string ha1_of(const Challenge& challenge, const Credentials& user);

// The value of the Authorization header. `uri` is the rightmost URI of the To-Path (RFC 4976 9.1).
std::string authorization(const Challenge& challenge, const Credentials& user, std::string_view method,
                          std::string_view uri, std::string_view cnonce, unsigned nonce_count);
// The same when `ha1` is known.
std::string authorization(const Challenge& challenge, const std::string& name, const std::string& ha1,
                          std::string_view method, std::string_view uri, std::string_view cnonce, unsigned nonce_count);

// Hex digest of `text`; algorithm MD5 (or empty), SHA-256 or SHA-512-256, upper or lower case.
std::optional<std::string> hash_hex(std::string_view algorithm, std::string_view text);

}  // namespace parley::load
