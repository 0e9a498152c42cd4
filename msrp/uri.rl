// msrp/uri.rl - parse_uri: the pieces of one MSRP-URI (RFC 4975 section 9).
//
// Until '@' or '/' is seen, "a:1;b" may be userinfo or host, port and transport. The machine follows both readings; '@'
// decides for the first and makes the marks of the second void.
#include <cstddef>

#include "core/text_skip.h"
#include "msrp/uri.h"

namespace parley::msrp {
namespace {

using Byte = unsigned char;
using core::between;
using core::skip_unreserved;

%%{
  machine msrp_uri;
  include uri_grammar "msrp/uri_grammar.rli";
  alphtype unsigned char;

  action secure { secure = true; }
  action authority { authority = host = p + 1; }
  action at_sign { at_sign = p; host = p + 1; port = nullptr; }
  action host_end { host_end = p; }
  action port { port = p; }
  action port_end { port_end = p; }
  action session { session = p + 1; }
  action session_end { session_end = p; }
  action transport { transport = p; }
  action transport_end { transport_end = p; }

  scheme_marked = "msrp"i ("s"i @secure)?;
  authority_marked = (userinfo "@" @at_sign)? host %host_end (":" port >port %port_end)?;
  MSRP_URI = scheme_marked "://" @authority authority_marked ("/" @session session_id %session_end)?
             ";" transport >transport %transport_end (";" URI_parameter)*;
  main := MSRP_URI;
  write data noerror noentry;
}%%

}  // namespace

bool parse_uri(std::string_view text, Uri& uri) {
  const Byte* p = reinterpret_cast<const Byte*>(text.data());
  const Byte* const pe = p + text.size();
  const Byte* const eof = pe;
  const Byte *authority = nullptr, *at_sign = nullptr, *host = nullptr, *host_end = nullptr, *port = nullptr,
             *port_end = nullptr, *session = nullptr, *session_end = nullptr, *transport = nullptr,
             *transport_end = nullptr;
  bool secure = false;
  int cs = 0;
  %% write init;
  %% write exec;
  if (cs < msrp_uri_first_final) return false;

  uri.secure = secure;
  uri.userinfo = at_sign == nullptr ? std::string_view{} : between(authority, at_sign);
  uri.host = between(host, host_end);
  uri.session_id = between(session, session_end);
  uri.transport = between(transport, transport_end);
  uri.text = text;
  uri.has_port = port != nullptr;
  uri.port = 0;
  for (const char digit : between(port, port_end)) uri.port = static_cast<std::uint16_t>(uri.port * 10 + (digit - '0'));
  return true;
}

}  // namespace parley::msrp
