// core/resolve_plan.h - what to ask DNS to reach a host, and what its answers mean (RFC 3263 section 4, RFC 2782,
// RFC 7118 section 5.5; R3263-1, R3263-3).
//
//   a plan:  NAPTR?  no usable ones ->  services (SRV questions in the order to try)?  none there ->  fallback (A,
//   AAAA)
//
// Pure: the resolver (resolver.h) asks, from a thread of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/seam.h"

namespace parley::core {

inline constexpr std::size_t resolve_services_max = 6;  // SRV questions of one look-up: five is what SIP knows
inline constexpr std::size_t resolve_targets_max = 8;   // SRV targets of one look-up whose addresses are asked for

// A name and port to find addresses of.
struct ResolveTarget {
  std::string name;
  std::uint16_t port = 0;
  Transport transport = Transport::tcp;
  std::uint16_t service = 0;  // all targets of a service with a lower number go first
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
};

struct ResolveService {
  std::string srv_name;  // "_sip._udp.example.com"
  Transport transport = Transport::tcp;
};

struct ResolvePlan {
  bool possible = true;  // false: asks for what cannot be, such as sips over UDP
  bool naptr = false;    // ask for NAPTR records of the host
  std::vector<ResolveService> services;
  ResolveTarget fallback;
};
// `srv_port`: of Procedure::srv when none is given.
[[nodiscard]] ResolvePlan resolve_plan(const ResolveRequest& request, std::uint16_t srv_port);

// 5060, 5061, 80 or 443 (RFC 3261 section 19.1.2, RFC 7118 section 5.5).
[[nodiscard]] std::uint16_t sip_default_port(Transport transport);

struct NaptrRecord {
  std::uint16_t order = 0;
  std::uint16_t preference = 0;
  std::string flags;
  std::string service;
  std::string regexp;
  std::string replacement;
};
// The SRV questions that these records lead to, the preferred one first; records that SIP does not know, and those of
// other than TLS for a secure request, are left out (RFC 3263 section 4.1).
[[nodiscard]] std::vector<ResolveService> services_of(std::vector<NaptrRecord> records, const ResolveRequest& request);

// The order to try them in: by service, by priority, and among equals by lot in proportion to weight (RFC 2782). To be
// drawn anew for each request, or all of them would go to one target for as long as the answer is kept.
void draw_order(std::vector<ResolveTarget>& targets, Random& random);

}  // namespace parley::core
