// sip/registrar.h - what a REGISTER does to a user's bindings and what it is answered (RFC 3261 section 10.3, RFC 3327,
// RFC 5626 section 6).
//
// A function of request, bindings, configuration and time; nothing is kept here. Everything is checked before anything
// changes. Not judged here, because the caller has done so (RFC 3261 section 10.3 steps 1 to 5): whether the URI's
// domain is ours, what Require asks for (`path`, `outbound` and `gruu` are served), who sent it, whether that user may
// register this address of record, and whether From may differ from To.
//
// GRUUs are not handed out: `gruu` in Supported asks for nothing that must be given (RFC 5627 section 4.2).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/time.h"
#include "sip/flow.h"
#include "sip/header_lines.h"
#include "sip/location.h"

namespace parley::sip {

struct RegistrarConfig {
  std::uint32_t expires_default_s = 3600;  // RFC 3261 section 10.2: when nothing is said, or nothing that is a number
  std::uint32_t expires_min_s = 60;        // below: 423; at most an hour (RFC 3261 section 10.3 step 6)
  std::uint32_t expires_max_s = 600'000;   // above: this is granted (T-11)
  std::uint32_t contacts_max = 32;         // in one request: more than a user may have
  bool path_without_support = true;        // Path from a client that does not say it knows it; off: 420 (R3327-1)
  bool outbound = true;                    // off: reg-id means nothing
  std::uint32_t flow_timer_s = 120;        // Flow-Timer for flows that end here; 0: none (R5626-3)
  bool nat_flows = true;  // a client whose own idea of its address is wrong is reached the way its REGISTER came
  std::vector<std::string> service_route;  // Service-Route values (RFC 3608), in order
};

struct RegisterQuestion {
  std::string_view aor;  // key of the address of record: aor_key of To, aliases resolved by the caller
  const Head& head;
  std::string_view bytes;
  const Essentials& essentials;
  Flow flow;
  // P-Associated-URI values, when the caller knows any (RFC 7315 section 4.1).
  std::span<const std::string> associated{};
  // By a trusted core for a user of it (TS 24.229 section 5.4.1.7): a Contact without a user names the server that has
  // him, whose connections come and go.
  bool third_party = false;
};

struct RegisterAnswer {
  std::uint16_t status = 0;
  std::string_view reason{};  // empty: the phrase of the status
  HeaderLines headers;
  std::uint32_t granted_s = 0;  // of the contact that lives longest; 0: none was registered
  std::uint32_t flow_timer_s = 0;  // told to a client that has to send keep-alives then (R5626-3); 0: none
  // For logs.
  std::uint32_t put = 0;
  std::uint32_t removed = 0;

  void reset() {
    status = 0;
    granted_s = flow_timer_s = 0;
    reason = {};
    headers.clear();
    put = removed = 0;
  }
};

// `answer` is overwritten; it may be reused. Facts of what changed wait in `location`.
void register_bindings(const RegisterQuestion& question, const RegistrarConfig& config, const core::Now& now,
                       Location& location, core::Metrics& metrics, RegisterAnswer& answer);

}  // namespace parley::sip
