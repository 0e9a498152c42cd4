// core/resolve_plan.cc - see resolve_plan.h.
#include "core/resolve_plan.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <tuple>
#include <utility>

#include "core/text.h"

namespace parley::core {
namespace {

struct SipService {
  std::string_view naptr;  // the service field
  std::string_view srv;    // what goes before a domain without NAPTR records
  Transport transport;
};
// In the order in which a domain without NAPTR records is asked: UDP is what everybody speaks (R3263-1).
constexpr SipService sip_services[] = {
    {"SIP+D2U", "_sip._udp.", Transport::udp},   {"SIP+D2T", "_sip._tcp.", Transport::tcp},
    {"SIPS+D2T", "_sips._tcp.", Transport::tls}, {"SIP+D2W", "_sip._ws.", Transport::ws},
    {"SIPS+D2W", "_sips._ws.", Transport::wss},
};

bool is_secure(Transport transport) { return transport == Transport::tls || transport == Transport::wss; }
bool is_websocket(Transport transport) { return transport == Transport::ws || transport == Transport::wss; }

// May DNS choose it?
bool eligible(const SipService& service, const ResolveRequest& request) {
  if (request.secure && !is_secure(service.transport)) return false;
  return request.websocket || !is_websocket(service.transport);
}

// Of a sips URI: the transport below TLS is what its parameter names (RFC 3261 section 26.2.2); TLS over UDP is not.
std::optional<Transport> secured(Transport transport) {
  switch (transport) {
    case Transport::tcp:
    case Transport::tls: return Transport::tls;
    case Transport::ws:
    case Transport::wss: return Transport::wss;
    case Transport::udp:
    case Transport::pipe: break;
  }
  return std::nullopt;
}

ResolvePlan sip_plan(const ResolveRequest& request) {
  ResolvePlan plan;
  const Transport by_default = request.secure ? Transport::tls : Transport::udp;
  const std::optional<Transport> given =
      request.transport && request.secure ? secured(*request.transport) : request.transport;
  plan.possible = given.has_value() == request.transport.has_value() && given != Transport::pipe;
  if (!plan.possible) return plan;
  const Transport transport = given.value_or(by_default);
  plan.fallback = {.name = request.host,
                   .port = request.port != 0 ? request.port : sip_default_port(transport),
                   .transport = transport};
  // RFC 3263 4.1 and 4.2: a number or a port says that nothing else is to be asked.
  if (request.port != 0 || parse_ip(request.host, 1)) return plan;
  plan.naptr = !given;
  for (const SipService& service : sip_services) {
    const bool wanted = given ? service.transport == *given : eligible(service, request);
    if (wanted) plan.services.push_back({std::string(service.srv) + request.host, service.transport});
  }
  return plan;
}

// Numbers of one priority: RFC 2782, "Usage rules".
void draw_by_weight(std::span<ResolveTarget> equals, Random& random) {
  (void)std::partition(equals.begin(), equals.end(), [](const ResolveTarget& each) { return each.weight == 0; });
  while (equals.size() > 1) {
    std::uint64_t total = 0;
    for (const ResolveTarget& each : equals) total += each.weight;
    // All of weight 0 are alike; among others they have the small chance that 0 is drawn.
    std::size_t chosen = 0;
    if (total == 0) {
      chosen = static_cast<std::size_t>(random.uniform(equals.size()));
    } else {
      const std::uint64_t drawn = random.uniform(total + 1);
      std::uint64_t sum = equals[0].weight;
      while (sum < drawn) sum += equals[++chosen].weight;
    }
    const auto first = equals.begin();
    std::rotate(first, first + static_cast<std::ptrdiff_t>(chosen), first + static_cast<std::ptrdiff_t>(chosen) + 1);
    equals = equals.subspan(1);
  }
}

}  // namespace

std::uint16_t sip_default_port(Transport transport) {
  switch (transport) {
    case Transport::tls: return 5061;
    case Transport::ws: return 80;
    case Transport::wss: return 443;
    case Transport::udp:
    case Transport::tcp:
    case Transport::pipe: break;
  }
  return 5060;
}

ResolvePlan resolve_plan(const ResolveRequest& request, std::uint16_t srv_port) {
  if (request.procedure == ResolveRequest::Procedure::sip) return sip_plan(request);
  ResolvePlan plan;
  plan.fallback = {.name = request.host, .port = request.port != 0 ? request.port : srv_port};
  if (request.port == 0 && !request.srv_service.empty())
    plan.services.push_back({request.srv_service + '.' + request.host, Transport::tcp});
  return plan;
}

std::vector<ResolveService> services_of(std::vector<NaptrRecord> records, const ResolveRequest& request) {
  std::stable_sort(records.begin(), records.end(), [](const NaptrRecord& a, const NaptrRecord& b) {
    return std::tie(a.order, a.preference) < std::tie(b.order, b.preference);
  });
  std::vector<ResolveService> services;
  for (NaptrRecord& record : records) {
    const auto known = std::find_if(std::begin(sip_services), std::end(sip_services), [&](const SipService& service) {
      return equal_ignore_case(service.naptr, record.service);
    });
    if (known == std::end(sip_services) || !eligible(*known, request)) continue;
    // RFC 3263 4.1: the flag is "s", there is no regular expression, the replacement is what SRV is asked for.
    if (!equal_ignore_case(record.flags, "s") || !record.regexp.empty()) continue;
    if (record.replacement.empty() || record.replacement == ".") continue;
    services.push_back({std::move(record.replacement), known->transport});
    if (services.size() == resolve_services_max) break;
  }
  return services;
}

void draw_order(std::vector<ResolveTarget>& targets, Random& random) {
  const auto place = [](const ResolveTarget& target) { return std::pair(target.service, target.priority); };
  std::stable_sort(targets.begin(), targets.end(),
                   [&](const ResolveTarget& a, const ResolveTarget& b) { return place(a) < place(b); });
  for (std::size_t first = 0; first < targets.size();) {
    std::size_t end = first + 1;
    while (end < targets.size() && place(targets[end]) == place(targets[first])) ++end;
    draw_by_weight(std::span(targets).subspan(first, end - first), random);
    first = end;
  }
}

}  // namespace parley::core
