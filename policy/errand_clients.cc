// policy/errand_clients.cc - see errand_clients.h.
#include "policy/errand_clients.h"

#include "sip/value.h"

namespace parley::policy {

namespace {

// Of a response of ours, "SIP/2.0 200 ...".
std::uint16_t status_of(std::string_view response) {
  std::uint32_t status = 0;
  return response.size() > 11 && sip::clamped_number(response.substr(8, 3), status) ? static_cast<std::uint16_t>(status)
                                                                                    : std::uint16_t{500};
}

}  // namespace

bool ErrandClients::next(Errand& errand) {
  return parts_.calls.next_errand(errand) || parts_.focus.next_errand(errand) || parts_.exploder.next_errand(errand) ||
         parts_.deferred.next_errand(errand) || parts_.watch.next_errand(errand) ||
         parts_.retrieval.next_errand(errand) || parts_.system.next_errand(errand);
}

void ErrandClients::on_response(const Errand& errand, std::string_view text, const sip::Flow& flow, bool by_flow) {
  switch (errand.client) {
    case Errand::Client::calls: parts_.calls.on_response(errand.call, errand.number, text, flow, by_flow); return;
    case Errand::Client::participant: parts_.focus.on_response(errand.call, errand.number, text, flow, by_flow); return;
    case Errand::Client::session: return;
    case Errand::Client::copy: parts_.exploder.on_response(errand.call, errand.number, status_of(text)); return;
    case Errand::Client::deferred: parts_.deferred.on_response(errand.call, errand.number, status_of(text)); return;
    case Errand::Client::announcement: parts_.watch.on_outcome(errand.number, status_of(text)); return;
    case Errand::Client::retrieval: parts_.retrieval.on_response(errand.call, errand.number, status_of(text)); return;
    case Errand::Client::system: parts_.system.on_response(errand.call, errand.number, status_of(text)); return;
    case Errand::Client::nobody: return;
  }
}

void ErrandClients::on_outcome(const Errand& errand, std::uint16_t status) {
  switch (errand.client) {
    case Errand::Client::calls: parts_.calls.on_failed(errand.call, errand.number, status); return;
    case Errand::Client::participant: parts_.focus.on_failed(errand.call, errand.number, status); return;
    case Errand::Client::session: return;
    case Errand::Client::copy: parts_.exploder.on_response(errand.call, errand.number, status); return;
    case Errand::Client::deferred: parts_.deferred.on_response(errand.call, errand.number, status); return;
    case Errand::Client::announcement: parts_.watch.on_outcome(errand.number, status); return;
    case Errand::Client::retrieval: parts_.retrieval.on_response(errand.call, errand.number, status); return;
    case Errand::Client::system: parts_.system.on_response(errand.call, errand.number, status); return;
    case Errand::Client::nobody: return;
  }
}

void ErrandClients::on_over(const Errand& errand) {
  switch (errand.client) {
    case Errand::Client::calls: parts_.calls.on_over(errand.call, errand.number); return;
    case Errand::Client::participant: parts_.focus.on_over(errand.call, errand.number); return;
    case Errand::Client::session: parts_.focus.on_session_over(errand.call); return;
    case Errand::Client::copy: parts_.exploder.on_over(errand.call, errand.number); return;
    case Errand::Client::deferred: parts_.deferred.on_over(errand.call, errand.number); return;
    case Errand::Client::announcement: parts_.watch.on_over(errand.number); return;
    case Errand::Client::retrieval: parts_.retrieval.on_over(errand.call, errand.number); return;
    case Errand::Client::system: parts_.system.on_over(errand.call, errand.number); return;
    case Errand::Client::nobody: return;
  }
}

}  // namespace parley::policy
