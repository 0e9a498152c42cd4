// policy/service.h - the whole brain of one shard: takes the loop's Inputs apart and hands them to the roles.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/seam.h"
#include "core/session_table.h"
#include "msrp/relay.h"
#include "msrp/relay_config.h"

namespace parley::policy {

class Service final : public core::Worker {
 public:
  struct Parts {
    std::uint32_t shard = 0;
    std::uint32_t shard_count = 1;
    core::Pool& pool;
    core::Metrics& metrics;
    core::SessionTable& sessions;  // one for the process
    core::Seed seed;  // the only source of randomness; 32 bytes, different for each shard
    std::shared_ptr<const msrp::RelayConfig> relay;
  };
  explicit Service(const Parts& parts);

  void step(std::span<const core::Input> batch, const core::Now& now, core::Outbox& out) override;

  // For tests at rest.
  [[nodiscard]] const msrp::Relay& relay() const { return relay_; }

 private:
  core::Random random_;
  msrp::Relay relay_;
};

}  // namespace parley::policy
