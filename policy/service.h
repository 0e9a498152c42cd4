// policy/service.h - the whole brain of one shard: takes the loop's Inputs apart and hands them to the roles.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "core/seam.h"
#include "core/session_table.h"
#include "msrp/relay.h"
#include "policy/config.h"
#include "policy/sip_service.h"

namespace parley::policy {

class Service final : public core::Worker {
 public:
  struct Parts {
    std::uint32_t shard = 0;
    std::uint32_t shard_count = 1;
    core::Pool& pool;
    core::Metrics& metrics;
    core::SessionTable& sessions;  // one for the process
    core::Seed seed;               // the only source of randomness; 32 bytes, different for each shard
    core::Seed process_seed{};     // the same for all shards of the process
    std::shared_ptr<const Config> config;
  };
  explicit Service(const Parts& parts);

  void step(std::span<const core::Input> batch, const core::Now& now, core::Outbox& out) override;

  // For tests at rest.
  [[nodiscard]] const msrp::Relay& relay() const { return relay_; }
  [[nodiscard]] const SipService* sip() const { return sip_.get(); }

 private:
  [[nodiscard]] bool is_sip(const core::Input& input);
  void reload(const core::Input& input);

  core::Random random_;
  msrp::Relay relay_;
  std::unique_ptr<SipService> sip_;
  bool draining_ = false;
  // Of a shard that serves SIP: which connections are SIP's, by ConnId::index, and what is left for the relay.
  std::vector<std::uint32_t> sip_conns_;  // generation; odd ones of other connections do not match
  std::vector<core::Input> relay_batch_;
};

}  // namespace parley::policy
