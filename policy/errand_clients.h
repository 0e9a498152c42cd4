// policy/errand_clients.h - the user agents of a shard as those who want something sent (errand.h): what each has next,
// and whom what has come of it is told.
//
// References; the order of Parts is that in which they get their turn.
#pragma once

#include <cstdint>
#include <string_view>

#include "policy/calls.h"
#include "policy/deferred.h"
#include "policy/deferred_retrieval.h"
#include "policy/deferred_watch.h"
#include "policy/errand.h"
#include "policy/exploder.h"
#include "policy/focus.h"
#include "policy/system_messages.h"
#include "sip/flow.h"

namespace parley::policy {

class ErrandClients {
 public:
  struct Parts {
    Calls& calls;
    Focus& focus;
    Exploder& exploder;
    Deferred& deferred;
    DeferredWatch& watch;
    DeferredRetrieval& retrieval;
    SystemMessages& system;
  };
  explicit ErrandClients(const Parts& parts) : parts_(parts) {}

  [[nodiscard]] bool next(Errand& errand);
  void on_response(const Errand& errand, std::string_view text, const sip::Flow& flow, bool by_flow);
  // An outcome of ours: no response came, or none is told.
  void on_outcome(const Errand& errand, std::uint16_t status);
  void on_over(const Errand& errand);

 private:
  const Parts parts_;
};

}  // namespace parley::policy
