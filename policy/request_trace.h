// policy/request_trace.h - what is remembered of a pager message while it is on its way (pager_trace.h).
//
// One per shard, core-local; the records are the PagerTrace's.
#pragma once

#include <cstdint>

#include "core/time.h"
#include "policy/errand.h"
#include "policy/pager_trace.h"
#include "policy/proxied.h"
#include "sip/flow.h"

namespace parley::policy {

class RequestTrace {
 public:
  explicit RequestTrace(PagerTrace& trace) : trace_(trace) {}
  void begin(const core::Now& now) { wall_ms_ = now.wall_ms; }

  // Its record, which goes into Proxied::trace; 0: there is none, as of those that only say that somebody writes.
  [[nodiscard]] std::uint64_t add(const sip::Received& request, const Errand* errand);
  // One that is forgotten here.
  void forwarded(const sip::Received& request, const sip::Flow& flow);
  void sent(const Proxied& p, unsigned branch, const sip::Flow& flow);
  void heard(const Proxied& p, unsigned branch, TracedHop::Result result, std::uint16_t status = 0);
  void answered(const Proxied& p, std::uint16_t status);

 private:
  PagerTrace& trace_;
  std::int64_t wall_ms_ = 0;
};

}  // namespace parley::policy
