// policy/proxied.cc - see proxied.h.
#include "policy/proxied.h"

namespace parley::policy {

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
