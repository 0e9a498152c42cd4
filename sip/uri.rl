// sip/uri.rl - parse_uri: the pieces of one URI (RFC 3261 section 25.1, RFC 3966 section 3).
//
// Until '@' is seen, "a:1;b?c=d" may be a user or host, port, parameters and headers. The machine follows both readings;
// '@' decides for the first and makes the marks of the second void.
#include <cstddef>

#include "core/text.h"
#include "sip/uri.h"

namespace parley::sip {
namespace {

using Byte = unsigned char;
using core::between;

%%{
  machine sip_uri;
  include sip_grammar "sip/grammar.rli";
  alphtype unsigned char;

  action sip { scheme = Scheme::sip; host = p + 1; }
  action sips { scheme = Scheme::sips; host = p + 1; }
  action tel { scheme = Scheme::tel; user = p + 1; }
  action other { user = p + 1; }
  action user_end { if (user_end == nullptr) user_end = p; }
  action at_sign {
    user = start + (scheme == Scheme::sip ? 4 : 5);
    if (user_end == nullptr) user_end = p;
    at_sign = p;
    host = p + 1;
    port = parameters = headers = nullptr;
  }
  action host_end { host_end = p; }
  action port { port = p; }
  action port_end { port_end = p; }
  action parameters { if (parameters == nullptr) { parameters = p + 1; before_parameters = p; } }
  action headers { headers = p + 1; }

  userinfo_marked = user (":" @user_end password)? "@" @at_sign;
  hostport_marked = host %host_end (":" port >port %port_end)?;
  parameters_marked = (";" @parameters uri_parameter)*;
  sip_body = userinfo_marked? hostport_marked parameters_marked ("?" @headers header_in_uri ("&" header_in_uri)*)?;
  main := "sip"i ":" @sip sip_body
        | "sips"i ":" @sips sip_body
        | tel_scheme ":" @tel telephone_number parameters_marked
        | other_scheme ":" @other uric+;
  write data noerror noentry;
}%%

}  // namespace

bool parse_uri(std::string_view text, Uri& uri) {
  const Byte* p = reinterpret_cast<const Byte*>(text.data());
  const Byte* const start = p;
  const Byte* const pe = p + text.size();
  const Byte* const eof = pe;
  const Byte *user = nullptr, *user_end = nullptr, *at_sign = nullptr, *host = nullptr, *host_end = nullptr,
             *port = nullptr, *port_end = nullptr, *parameters = nullptr, *before_parameters = nullptr,
             *headers = nullptr;
  Scheme scheme = Scheme::other;
  int cs = 0;
  %% write init;
  %% write exec;
  if (cs < sip_uri_first_final) return false;

  uri = Uri{};
  uri.scheme = scheme;
  uri.text = text;
  const Byte* const parameters_end = headers == nullptr ? pe : headers - 1;
  if (parameters != nullptr) uri.parameters = between(parameters, parameters_end);
  uri.headers = between(headers, pe);
  if (scheme == Scheme::tel || scheme == Scheme::other) {
    uri.user = between(user, parameters == nullptr ? pe : before_parameters);
    return true;
  }
  if (at_sign != nullptr) {
    uri.user = between(user, user_end);
    if (user_end != at_sign) uri.password = between(user_end + 1, at_sign);
  }
  uri.host = between(host, host_end);
  uri.has_port = port != nullptr;
  for (const char digit : between(port, port_end)) uri.port = static_cast<std::uint16_t>(uri.port * 10 + (digit - '0'));
  return true;
}

}  // namespace parley::sip
