// policy/refresh_times.h - until when a client's registration is in no danger: what an overloaded registrar asks before
// it lets a REGISTER go.
//
// Kept where the REGISTERs of a flow arrive, whichever shard holds the bindings, and known by flow, To and Contact: so
// only who has registered just that over this flow is ever told to come again later. A client that comes by a new flow
// can not be reached by the old one, and is always served.
//
// One per shard; fixed memory, 8 bytes each, taken at the first registration. Two that meet in a place forget each
// other: the next refresh of the one that is forgotten is served.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/keyed_hash.h"
#include "core/random.h"
#include "core/time.h"
#include "sip/flow.h"

namespace parley::policy {

class RefreshTimes {
 public:
  explicit RefreshTimes(core::Random& random) : key_(core::HashKey::make(random)) {}

  // What this REGISTER asked for was granted for so long.
  void put(const sip::Received& request, std::uint32_t granted_s, core::Instant now) {
    if (places_.empty()) places_.resize(places);
    const core::Hash128 name = hash(request);
    places_[name.low % places] = {static_cast<std::uint32_t>(name.high), seconds(now) + granted_s / 2};
  }
  // More than half of that time is still to come.
  [[nodiscard]] bool early(const sip::Received& request, core::Instant now) const {
    if (places_.empty()) return false;
    const core::Hash128 name = hash(request);
    const Place& place = places_[name.low % places];
    return place.name == static_cast<std::uint32_t>(name.high) && seconds(now) < place.half;
  }

 private:
  struct Place {
    std::uint32_t name = 0;
    std::uint32_t half = 0;  // the second in which half of it is over
  };
  static constexpr std::size_t places = 262'144;

  static std::uint32_t seconds(core::Instant at) {
    return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count());
  }
  [[nodiscard]] core::Hash128 hash(const sip::Received& request) const {
    const sip::Flow& flow = request.flow;
    const std::uint64_t where = std::uint64_t{flow.listener} << 24 | std::uint64_t{flow.remote.port} << 8 |
                                static_cast<std::uint64_t>(flow.transport);
    const std::string_view ip(reinterpret_cast<const char*>(flow.remote.ip.data()), flow.remote.ip.size());
    return core::KeyedHash(key_)
        .add(where)
        .add(flow.reliable() ? flow.connection.packed() : std::uint64_t{0})
        .add(ip)
        .add(request.essentials.to.uri)
        .add(request.head.value(sip::HeaderId::contact, request.bytes))
        .finish();
  }

  core::HashKey key_;
  std::vector<Place> places_;
};

}  // namespace parley::policy
