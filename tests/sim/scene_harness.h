// tests/sim/scene_harness.h - the harness of tests/loops over the simulated loop and network: virtual time, one thread.
//
// What a scene waits for is brought about by carrying out the agenda. A scene whose wait is in vain ends when the
// agenda is empty or a minute of virtual time has passed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/loops/harness.h"
#include "tests/sim/world.h"

namespace parley::sim {

class SceneHarness final : public loops::Harness {
 public:
  SceneHarness(loops::SceneSetup setup, const Faults& faults, std::uint64_t seed);
  ~SceneHarness() override;
  loops::ScriptWorker& worker(std::uint32_t shard) override { return *workers_[shard]; }
  std::unique_ptr<loops::FarEnd> connect() override;
  std::unique_ptr<loops::FarListener> listen() override;
  std::unique_ptr<loops::FarSocket> far_socket() override;
  core::Address refusing_address() override { return unused_address(); }
  core::Address closed_udp_address() override { return unused_address(); }
  core::Address silent_address() override;
  void command(std::function<void(core::Outbox&)> what, std::uint32_t shard) override;
  void start_command(std::function<void(core::Outbox&)> what, std::uint32_t shard) override;
  void while_stalled(const std::function<void()>& what, std::uint32_t shard) override;
  bool wait(const std::function<bool()>& condition) override;
  std::uint64_t metric(core::Metric metric, std::uint32_t shard) override { return at(shard).metrics().get(metric); }
  void drain(std::uint32_t shard) override { at(shard).drain(); }
  void stop(std::uint32_t shard) override { at(shard).stop(); }
  bool ended(std::uint32_t shard) override;

 private:
  Shard& at(std::uint32_t shard) { return *place_->shards[shard]; }
  core::Address unused_address();
  // Stops every shard; what is left over then is a leak.
  std::vector<std::string> end();

  World world_;
  Place* place_ = nullptr;
  std::vector<loops::ScriptWorker*> workers_;
  std::vector<core::Address> udp_addresses_;
  std::uint32_t next_host_ = 0x200;
};

}  // namespace parley::sim
