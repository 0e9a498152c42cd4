// sip/failed_targets.h - next hops that lately failed, so that not every request learns it again (RFC 3263 section 4.3,
// R3263-2).
//
// One per shard, its thread alone. A target is an address with a transport. It failed when it could not be connected
// to, let a transaction time out without any response (Timer B or F), or answered 503. Whoever has alternatives tries
// the others first; a target that has none is tried all the same.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <tuple>

#include "core/address.h"
#include "core/metrics.h"
#include "core/seam.h"
#include "core/time.h"

namespace parley::sip {

struct FailedTargetsConfig {
  std::uint32_t targets_max = 1024;                // far more than next hops that a node speaks to
  core::Duration keep = std::chrono::seconds(30);  // without Retry-After
  core::Duration keep_max =
      std::chrono::seconds(300);  // a peer must not put itself, or what it stands before, away for good
};

class FailedTargets {
 public:
  explicit FailedTargets(core::Metrics& metrics, const FailedTargetsConfig& config = {})
      : metrics_(metrics), config_(config) {}

  struct Target {
    core::Address address;
    core::Transport transport = core::Transport::udp;
  };

  // `retry_after` of a 503 that has one. The latest word counts, also when it is a shorter one.
  void failed(const Target& target, core::Instant now, std::optional<core::Duration> retry_after = {});
  // It answered, with something else than 503.
  void answered(const Target& target) { until_.erase(key_of(target)); }
  [[nodiscard]] bool avoid(const Target& target, core::Instant now) const;

  // Puts those that failed behind the others; order is kept otherwise.
  void order(std::span<core::ResolvedAddress> addresses, core::Instant now) const;

  [[nodiscard]] std::size_t count() const { return until_.size(); }

 private:
  using Key = std::tuple<core::Transport, core::Address::Family, std::array<std::uint8_t, 16>, std::uint16_t>;
  [[nodiscard]] static Key key_of(const Target& target) {
    const core::Address& at = target.address;
    return {target.transport, at.family, at.ip, at.port};
  }
  void make_room(core::Instant now);

  core::Metrics& metrics_;
  FailedTargetsConfig config_;
  std::map<Key, core::Instant> until_;  // ordered: the addresses are the peers' choice
};

}  // namespace parley::sip
