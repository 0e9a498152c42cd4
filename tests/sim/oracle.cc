// tests/sim/oracle.cc - the authority oracle: RFC 4976 sections 6.3 and 6.4 in thirty lines that know nothing of msrp/.
#include <algorithm>

#include "tests/sim/client.h"

namespace parley::sim {

// A request walks over the relay URIs in its To-Path. At each of them the hop before or the hop behind has to be the
// client that the URI was handed out to; two relay URIs in a row are neighbours of each other, and neither is a client.
// At the end it may reach a connection that calls itself by the last URI, and no other.
bool may_reach(const Tag& tag, const Client& at) {
  if (tag.origin == &at && tag.to_path.size() < 2) return false;
  const std::size_t relays = tag.to_path.size() - 1;
  if (relays == 0) return false;
  // A chained session (several relays for one client) counts as one: the outer relays know it by the inner one.
  auto owned_by = [](const Client& client, const std::string& uri) { return client.owns(uri); };
  bool from_owner = owned_by(*tag.origin, tag.to_path[0]);
  for (std::size_t n = 0; n < relays; ++n) {
    const std::string& uri = tag.to_path[n];
    const bool first_part = from_owner && owned_by(*tag.origin, uri);
    const bool last_part = owned_by(at, uri) && std::all_of(tag.to_path.begin() + static_cast<std::ptrdiff_t>(n),
                                                            tag.to_path.end() - 1,
                                                            [&](const std::string& u) { return owned_by(at, u); });
    if (!first_part && !last_part) return false;
    if (!first_part) from_owner = false;
  }
  return at.claimed(tag.to_path.back());
}

}  // namespace parley::sim
