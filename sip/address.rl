// sip/address.rl - one address of a header value (RFC 3261 section 25.1: contact-param, from-spec, route-param, ...).
#include <cstddef>

#include "core/text.h"
#include "sip/address.h"

namespace parley::sip {
namespace {

using Byte = unsigned char;
using core::between;

%%{
  machine sip_address;
  include sip_grammar "sip/grammar.rli";
  alphtype unsigned char;

  action display { display = p; }
  action display_end { display_end = p; }
  action uri { uri = p; }
  action uri_end { uri_end = p; }
  action params { if (params == nullptr) params = p; }
  action params_end { params_end = p; }
  action star { star = true; }
  action comma { comma = true; fbreak; }

  display_marked = display_name >display %display_end;
  name_addr_marked = (display_marked? SWS) "<" (addr_spec >uri %uri_end) ">";
  # The ';' of the first parameter may have white space before it, which is no part of the URI.
  params_marked = (SWS (";" >params) SWS generic_param %params_end)*;
  address = SWS (name_addr_marked | bare_addr_spec >uri %uri_end) params_marked SWS;
  main := (address | STAR %star) ("," @comma)?;
  write data noerror noentry;
}%%

}  // namespace

bool take_address(std::string_view& rest, Address& address) {
  const Byte* const start = reinterpret_cast<const Byte*>(rest.data());
  const Byte* p = start;
  const Byte* const pe = p + rest.size();
  const Byte* const eof = pe;
  const Byte *display = nullptr, *display_end = nullptr, *uri = nullptr, *uri_end = nullptr, *params = nullptr,
             *params_end = nullptr;
  bool star = false;
  bool comma = false;
  int cs = 0;
  %% write init;
  %% write exec;
  if (cs < sip_address_first_final || (comma && p == pe)) return false;
  // "sip" of a bare "sip:a@b" looked like a display name until its ':'.
  address = {.display = between(display_end == nullptr ? nullptr : display, display_end),
             .uri = between(uri, uri_end),
             .params = between(params, params_end),
             .star = star};
  if (star) address.display = address.uri = {};
  rest.remove_prefix(static_cast<std::size_t>(p - start));
  return true;
}

bool parse_address(std::string_view value, Address& address) {
  return take_address(value, address) && value.empty() && !address.star;
}

}  // namespace parley::sip
