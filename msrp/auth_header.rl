// msrp/auth_header.rl - parse_authorization (RFC 4976 section 7 `credentials`, RFC 7616 section 3.4).
#include "msrp/auth_header.h"

#include <cstddef>

namespace parley::msrp {
namespace {

using Byte = unsigned char;

%%{
  machine msrp_authorization;
  alphtype unsigned char;

  action name { slot = nullptr; }
  action value { value = p; }
  action value_next { value = p + 1; }
  action value_end { if (!store(slot, value, p)) return false; }

  action username { slot = &out.username; }
  action realm { slot = &out.realm; }
  action nonce { slot = &out.nonce; }
  action uri { slot = &out.uri; }
  action response { slot = &out.response; }
  action algorithm { slot = &out.algorithm; }
  action cnonce { slot = &out.cnonce; }
  action opaque { slot = &out.opaque; }
  action qop { slot = &out.qop; }
  action nc { slot = &out.nc; }

  ws = [ \t]*;
  token = (0x21 | 0x23..0x27 | 0x2a..0x2b | 0x2d..0x2e | 0x30..0x39 | 0x41..0x5a | 0x5e..0x7e)+;
  qdtext = [\t ] | 0x21 | 0x23..0x5b | 0x5d..0x7e | 0x80..0xff;
  quoted_pair = "\\" (qdtext | ["\\]);
  quoted_string = '"' @value_next (qdtext | quoted_pair)* '"' @value_end;
  # Wider than token: base64 nonces and URIs come unquoted too.
  bare_value = (0x21..0x7e - [",])+ >value %value_end;

  auth_param = (token | "username"i %username | "realm"i %realm | "nonce"i %nonce | "uri"i %uri |
                "response"i %response | "algorithm"i %algorithm | "cnonce"i %cnonce | "opaque"i %opaque | "qop"i %qop |
                "nc"i %nc) >name ws "=" ws (quoted_string | bare_value);
  # RFC 9110 5.6.1: a list may hold empty elements.
  credentials = ws "Digest"i [ \t]+ (("," ws)* auth_param ws ("," ws (auth_param ws)?)*);
  main := credentials;
  write data noerror noentry;
}%%

// False when the parameter was there before. Unknown parameters (no slot) may come as often as they like.
bool store(std::string_view* slot, const Byte* from, const Byte* to) {
  if (slot == nullptr) return true;
  if (slot->data() != nullptr) return false;
  *slot = {reinterpret_cast<const char*>(from), static_cast<std::size_t>(to - from)};
  return true;
}

bool is_hex(std::string_view text) {
  for (const char c : text) {
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (!hex) return false;
  }
  return true;
}

constexpr std::size_t nc_digits = 8;  // RFC 7616 3.4

}  // namespace

bool parse_authorization(std::string_view text, Authorization& out) {
  out = {};
  const Byte* p = reinterpret_cast<const Byte*>(text.data());
  const Byte* const pe = p + text.size();
  const Byte* const eof = pe;
  const Byte* value = nullptr;
  std::string_view* slot = nullptr;
  int cs = 0;
  %% write init;
  %% write exec;
  if (cs < msrp_authorization_first_final) return false;

  out.has_uri = out.uri.data() != nullptr;
  if (!is_hex(out.response)) return false;
  if (out.nc.data() != nullptr && (out.nc.size() != nc_digits || !is_hex(out.nc))) return false;
  return true;
}

}  // namespace parley::msrp
