// policy/proxied.cc - see proxied.h.
#include "policy/proxied.h"

#include <utility>

#include "sip/address.h"

namespace parley::policy {

void Proxied::Branch::take(Alternative way) {
  uri = std::move(way.uri);
  route = std::move(way.route);
  flow = way.flow;
  hops.clear();
  next_hop = 0;
  next.clear();
  find_first_route();
}

void Proxied::Branch::find_first_route() {
  if (route.empty()) return;
  // The first Path value is the next hop (R3327-1).
  std::string_view rest = route;
  sip::Address first;
  if (sip::take_address(rest, first)) next = std::string(first.uri);
}

bool Proxied::is_system_message() const { return errand != nullptr && errand->client == Errand::Client::system; }

bool Proxied::is_announcement() const { return errand != nullptr && errand->client == Errand::Client::announcement; }

bool Proxied::comes_from_store() const {
  if (errand == nullptr) return false;
  using Client = Errand::Client;
  return errand->from_store || errand->client == Client::deferred || errand->client == Client::announcement ||
         errand->client == Client::retrieval;
}

bool Proxied::may_be_deferred() const {
  if (errand == nullptr) return from_trusted;
  switch (errand->client) {
    case Errand::Client::calls: return errand->from_trusted;
    case Errand::Client::deferred:
    case Errand::Client::retrieval:
    case Errand::Client::nobody: return true;
    case Errand::Client::participant: return errand->from_store;
    default: return false;
  }
}

std::string_view Proxied::cancel_reason() const {
  return answered_2xx ? std::string_view("SIP;cause=200;text=\"Call completed elsewhere\"") : std::string_view(reason);
}

}  // namespace parley::policy
