// tests/sim/mail/disk.h - the store of this world: what a shard wants stored is committed some time later, all that waits by
// then at once, and answered some time after that. It may be slow or refuse; a crash loses what was not committed, and the
// answers that were on their way. Bodies of large messages have a thread of their own there, so that between them and the
// rows there is no order; those that have no row are removed when the next process begins.
//
// What its user owes it is judged at each commit: a row says that a body is there only when that can not be lost any more.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "tests/service/fake_store.h"
#include "tests/sim/mail/bodies.h"
#include "tests/sim/world.h"

namespace parley::sim::mail {

class Disk {
 public:
  Disk(World& world, std::uint64_t seed) : world_(world), rng_(seed, 41), bodies_(seed) {
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
  [[nodiscard]] core::StoreContents read(std::int64_t wall_ms);
  [[nodiscard]] const tests::FakeStore& store() const { return store_; }
  [[nodiscard]] const Bodies& bodies() const { return bodies_; }

 private:
  struct BodyOp {
    std::uint32_t shard = 0;
    core::StoreOp op;
  };
  [[nodiscard]] Duration latency();
  void commit(Place& place);
  void follow_rows();
  void next_body(Place& place);

  World& world_;
  Rng rng_;
  tests::FakeStore store_;
  Bodies bodies_;
  std::map<std::uint64_t, std::uint64_t> large_;  // rows of large messages, as they were committed: how long each is
  std::deque<BodyOp> body_ops_;
  Instant body_told_{};  // the last answer
  std::uint32_t slow_permille_ = 0;
  bool refused_ = false;
  bool due_ = false;
  bool body_due_ = false;
  unsigned life_ = 0;
};

}  // namespace parley::sim::mail
