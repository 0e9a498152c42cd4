// tests/sim/mail/disk.h - the store of this world: what a shard wants stored is committed some time later, all that waits by
// then at once, and answered some time after that. It may be slow or refuse; a crash loses what was not committed, and the
// answers that were on their way.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/service/fake_store.h"
#include "tests/sim/world.h"

namespace parley::sim::mail {

class Disk {
 public:
  Disk(World& world, std::uint64_t seed) : world_(world), rng_(seed, 41) {
    slow_permille_ = rng_.coin(1, 3) ? rng_.between32(5, 200) : 0;
    refused_ = slow_permille_ != 0;
  }
  void take(Place& place, Shard& from, std::vector<core::StoreOp>& ops);
  void crash();
  void refuse(bool on) {
    store_.full = on;
    refused_ = refused_ || on;
  }
  // It was full or slow at some time: senders may have been told that a copy could not be kept.
  [[nodiscard]] bool refused_some() const { return refused_; }
  void calm() {
    slow_permille_ = 0;
    store_.full = false;
  }
  // What the next process finds; bindings that are over are taken out.
  [[nodiscard]] core::StoreContents read(std::int64_t wall_ms) {
    std::erase_if(store_.bindings, [wall_ms](const auto& each) { return each.second.expires_ms <= wall_ms; });
    return store_.contents();
  }
  [[nodiscard]] const tests::FakeStore& store() const { return store_; }

 private:
  [[nodiscard]] Duration latency();
  void commit(Place& place);

  World& world_;
  Rng rng_;
  tests::FakeStore store_;
  std::uint32_t slow_permille_ = 0;
  bool refused_ = false;
  bool due_ = false;
  unsigned life_ = 0;
};

}  // namespace parley::sim::mail
