// sip/address.h - headers that hold addresses: From, To, Contact, Route, Record-Route, Path, Service-Route, Refer-To,
// Referred-By, Reply-To, P-Asserted-Identity and P-Preferred-Identity (RFC 3261 section 25.1: name-addr, addr-spec).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace parley::sip {

// T-5: commas inside quotes and angle brackets part nothing. T-4: what looks like a feature tag inside the brackets is a
// parameter of the URI.
struct Address {
  std::string_view display;  // as it stands, quotes included; empty when there is none
  std::string_view uri;      // without angle brackets; parse_uri accepts it
  std::string_view params;   // behind the URI, from its first ';' on; for take_param and param_value
  bool star = false;         // the '*' of Contact; all else is empty then
};

// Takes the first address off a header value; `rest` is what follows its comma, empty at the end. False when the value
// does not begin with an address, also when its comma is followed by nothing. An empty `rest` is no address.
[[nodiscard]] bool take_address(std::string_view& rest, Address& address);

// A value that is one address, no more. '*' is none.
[[nodiscard]] bool parse_address(std::string_view value, Address& address);

// Appends it without its parameters, as a From or To without its tag.
inline void put_address(std::string& out, const Address& address) {
  if (!address.display.empty()) out.append(address.display).append(" ");
  out.append("<").append(address.uri).append(">");
}

}  // namespace parley::sip
