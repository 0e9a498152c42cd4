// policy/routing.h - what is known of a request once its sender and its way have been asked for.
//
// Values, with views into the request: they last no longer than it does.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "sip/route_token.h"
#include "sip/uri.h"

namespace parley::policy {

// Who sent a request, as far as it is proven.
struct Sender {
  enum class Kind : std::uint8_t { unknown, trusted, user };
  Kind kind = Kind::unknown;
  std::string_view user;  // of our realm
};

// What the Route headers and the request URI say.
struct Routing {
  unsigned own_routes = 0;               // topmost Route values that name us, to be taken off
  std::optional<sip::RouteToken> token;  // of the last of them: the dialog is one we let through
  std::string_view next_route;           // the first Route value that remains: its URI; empty: none
  std::string_view uri;                  // where to, after strict routing was mended
  bool drop_last_route = false;          // strict routing: the last Route value has become the URI
  bool local = false;                    // `uri` is of a domain of ours
  bool originating = false;              // it comes from a user served here: our Route has `orig` (TS 24.229), or
  std::string_view served;               // P-Served-User says so and names him; empty: it does not, or is not believed
  sip::Uri parsed;                       // `uri`
  std::uint64_t loop = 0;                // what its way depends on (RFC 5393), once it has been checked
};

}  // namespace parley::policy
