// core/digest_header.rl - the parameter lists of digest_header.h (RFC 4976 section 7 `credentials`, RFC 7616 section 3.3
// to 3.5, RFC 3261 section 25.1).
#include "core/digest_header.h"

#include <array>
#include <cstddef>

#include "core/text.h"

namespace parley::core {
namespace {

using Byte = unsigned char;

enum Name : std::size_t {
  username,
  realm,
  nonce,
  uri,
  response,
  algorithm,
  cnonce,
  opaque,
  qop,
  nc,
  domain,
  stale,
  nextnonce,
  rspauth,
  names,
  unknown = names
};

// A parameter that was not there points nowhere; one that was there and is empty does not.
using Params = std::array<std::string_view, names>;

%%{
  machine digest_params;
  alphtype unsigned char;

  action name { name = unknown; }
  action value { value = p; }
  action value_next { value = p + 1; }
  action value_end { if (!store(params, name, value, p)) return false; }

  action username { name = username; }
  action realm { name = realm; }
  action nonce { name = nonce; }
  action uri { name = uri; }
  action response { name = response; }
  action algorithm { name = algorithm; }
  action cnonce { name = cnonce; }
  action opaque { name = opaque; }
  action qop { name = qop; }
  action nc { name = nc; }
  action domain { name = domain; }
  action stale { name = stale; }
  action nextnonce { name = nextnonce; }
  action rspauth { name = rspauth; }

  fold = "\r"? "\n" [ \t];
  lws = [ \t] | fold;
  ws = lws*;
  token = (0x21 | 0x23..0x27 | 0x2a..0x2b | 0x2d..0x2e | 0x30..0x39 | 0x41..0x5a | 0x5e..0x7e)+;
  qdtext = [\t ] | 0x21 | 0x23..0x5b | 0x5d..0x7e | 0x80..0xff;
  quoted_pair = "\\" (qdtext | ["\\]);
  quoted_string = '"' @value_next (qdtext | quoted_pair)* '"' @value_end;
  # Wider than token: base64 nonces and URIs come unquoted too.
  bare_value = (0x21..0x7e - [",])+ >value %value_end;

  auth_param = (token | "username"i %username | "realm"i %realm | "nonce"i %nonce | "uri"i %uri |
                "response"i %response | "algorithm"i %algorithm | "cnonce"i %cnonce | "opaque"i %opaque | "qop"i %qop |
                "nc"i %nc | "domain"i %domain | "stale"i %stale | "nextnonce"i %nextnonce | "rspauth"i %rspauth)
               >name ws "=" ws (quoted_string | bare_value);
  # RFC 9110 5.6.1: a list may hold empty elements.
  params = ("," ws)* auth_param ws ("," ws (auth_param ws)?)*;
  info := ws params;
  main := ws "Digest"i lws+ params;
  write data noerror;
}%%

// False when the parameter was there before. Unknown parameters may come as often as they like.
bool store(Params& params, std::size_t name, const Byte* from, const Byte* to) {
  if (name == unknown) return true;
  if (params[name].data() != nullptr) return false;
  params[name] = {reinterpret_cast<const char*>(from), static_cast<std::size_t>(to - from)};
  return true;
}

bool parse(std::string_view text, int start, Params& params) {
  const Byte* p = reinterpret_cast<const Byte*>(text.data());
  const Byte* const pe = p + text.size();
  const Byte* const eof = pe;
  const Byte* value = nullptr;
  std::size_t name = unknown;
  int cs = start;
  %% write exec;
  return cs >= digest_params_first_final;
}

bool is_hex(std::string_view text) {
  for (const char c : text) {
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (!hex) return false;
  }
  return true;
}

constexpr std::size_t nc_digits = 8;  // RFC 7616 3.4

bool is_nc(std::string_view text) { return text.data() == nullptr || (text.size() == nc_digits && is_hex(text)); }

}  // namespace

bool parse_authorization(std::string_view value, Authorization& out) {
  out = {};
  Params params;
  if (!parse(value, digest_params_start, params)) return false;
  if (!is_hex(params[response]) || !is_nc(params[nc])) return false;
  out = {.username = params[username],
         .realm = params[realm],
         .nonce = params[nonce],
         .uri = params[uri],
         .response = params[response],
         .algorithm = params[algorithm],
         .cnonce = params[cnonce],
         .opaque = params[opaque],
         .qop = params[qop],
         .nc = params[nc],
         .has_uri = params[uri].data() != nullptr};
  return true;
}

bool parse_challenge(std::string_view value, Challenge& out) {
  out = {};
  Params params;
  if (!parse(value, digest_params_start, params)) return false;
  if (params[nonce].empty()) return false;
  out = {.realm = params[realm],
         .nonce = params[nonce],
         .domain = params[domain],
         .opaque = params[opaque],
         .algorithm = params[algorithm],
         .qop = params[qop],
         .stale = equal_ignore_case(params[stale], "true"),
         .has_opaque = params[opaque].data() != nullptr};
  return true;
}

bool parse_authentication_info(std::string_view value, AuthenticationInfo& out) {
  out = {};
  Params params;
  if (!parse(value, digest_params_en_info, params)) return false;
  if (!is_hex(params[rspauth]) || !is_nc(params[nc])) return false;
  out = {.nextnonce = params[nextnonce],
         .rspauth = params[rspauth],
         .cnonce = params[cnonce],
         .qop = params[qop],
         .nc = params[nc]};
  return true;
}

bool offers_qop(const Challenge& challenge, std::string_view wanted) {
  std::string_view rest = challenge.qop;
  while (!rest.empty()) {
    std::string_view word = rest.substr(0, rest.find(','));
    rest.remove_prefix(word.size() == rest.size() ? word.size() : word.size() + 1);
    while (!word.empty() && (word.front() == ' ' || word.front() == '\t')) word.remove_prefix(1);
    while (!word.empty() && (word.back() == ' ' || word.back() == '\t')) word.remove_suffix(1);
    if (equal_ignore_case(word, wanted)) return true;
  }
  return false;
}

}  // namespace parley::core
