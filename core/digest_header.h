// core/digest_header.h - Digest parameters in header values as views (RFC 7616 section 3, RFC 3261 section 25.1, RFC
// 4976 section 9.1).
//
// R3261-17, tolerant where real clients need it: parameters in any order, `qop` and `nc` quoted or not, `uri` and `opaque`
// present or absent (T-71), `algorithm` absent (MD5), line folds between parameters. Unknown parameters are skipped. A
// parameter given twice is an error. Quoted values are what stands between the quotes, escapes not undone (user names
// with '"' or
// '\' do not exist).
#pragma once

#include <string_view>

namespace parley::core {

// Authorization, Proxy-Authorization
struct Authorization {
  std::string_view username;
  std::string_view realm;
  std::string_view nonce;
  std::string_view uri;
  std::string_view response;   // hex digits
  std::string_view algorithm;  // empty: MD5
  std::string_view cnonce;
  std::string_view opaque;
  std::string_view qop;
  std::string_view nc;  // 8 hex digits
  bool has_uri = false;
};

// WWW-Authenticate, Proxy-Authenticate: one challenge per header.
struct Challenge {
  std::string_view realm;
  std::string_view nonce;
  std::string_view domain;
  std::string_view opaque;
  std::string_view algorithm;  // empty: MD5
  std::string_view qop;        // "auth", "auth,auth-int"; empty: the form of RFC 2617 without nc and cnonce
  bool stale = false;
  bool has_opaque = false;
};

// Authentication-Info, Proxy-Authentication-Info
struct AuthenticationInfo {
  std::string_view nextnonce;
  std::string_view rspauth;
  std::string_view cnonce;
  std::string_view qop;
  std::string_view nc;
};

// `value` is what stands after the header's colon. False when it is not Digest parameters of that kind.
[[nodiscard]] bool parse_authorization(std::string_view value, Authorization& out);
[[nodiscard]] bool parse_challenge(std::string_view value, Challenge& out);
[[nodiscard]] bool parse_authentication_info(std::string_view value, AuthenticationInfo& out);

// Whether the list of a challenge's qop holds `wanted`.
[[nodiscard]] bool offers_qop(const Challenge& challenge, std::string_view wanted);

}  // namespace parley::core
