// msrp/auth_header.h - the Authorization header of AUTH as views (RFC 4976 section 9.1, RFC 7616 section 3.4).
//
// Tolerant where real clients need it: parameters in any order, `qop` and `nc` quoted or not, `uri` and `opaque` present
// or absent (T-71), `algorithm` absent (MD5). Unknown parameters are skipped. A parameter given twice is an error.
#pragma once

#include <string_view>

namespace parley::msrp {

struct Authorization {
  std::string_view username;   // quoted-string contents, escapes not undone (user names with '"' or '\' do not exist)
  std::string_view realm;
  std::string_view nonce;
  std::string_view uri;
  std::string_view response;   // hex digits
  std::string_view algorithm;  // empty: MD5
  std::string_view cnonce;
  std::string_view opaque;
  std::string_view qop;
  std::string_view nc;         // 8 hex digits
  bool has_uri = false;
};

// `value` is what stands after "Authorization: ". False when it is not a Digest credential list.
[[nodiscard]] bool parse_authorization(std::string_view value, Authorization& out);

}  // namespace parley::msrp
