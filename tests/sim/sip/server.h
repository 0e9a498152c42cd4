// tests/sim/sip/server.h - the server of the SIP world: its configuration, its start, its crashes, and what must be
// left when everybody has gone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/session_table.h"
#include "policy/service.h"
#include "tests/sim/sip/book.h"
#include "tests/sim/sip/cells.h"
#include "tests/sim/world.h"

namespace parley::sim::sip {

class ServerPlace {
 public:
  // Users are "user0" to "user<users - 1>", their passwords "<user>-secret".
  // The role it plays is book.role, whose details come from a random stream of their own.
  ServerPlace(World& world, Book& book, Rng& rng, std::uint32_t users, Cells* cells);
  // One that does more than SIP: `config` has everything but SIP's addresses and users, which come here.
  ServerPlace(World& world, Book& book, const policy::Config& config, std::shared_ptr<policy::SipConfig> sip,
              std::uint32_t shards, std::uint32_t users);

  void crash();
  void restart();
  void calm();  // from now on it may do whatever a client needs
  // Gets another configuration while it serves.
  void reload();
  // Drains, and ends when it says that it has or when its time for that is over; then it begins anew.
  void drain();
  void check_rest();
  // Before the brains go.
  void count_cells();

  std::function<void()> before_end;  // of a drained server
  std::function<core::StoreContents()> stored;  // what one that begins anew finds; null: nothing

  [[nodiscard]] Place& place() { return *place_; }
  [[nodiscard]] const core::Address& udp() const { return udp_; }
  [[nodiscard]] const policy::SipConfig& config() const { return *config_; }
  [[nodiscard]] bool down() const { return down_; }
  // Of the shards that live; for the look at what is left, and at what agrees with what user agents know.
  [[nodiscard]] const std::vector<const policy::Service*>& brains() const { return brains_; }
  [[nodiscard]] std::uint64_t counted(core::Metric metric) const;

 private:
  [[nodiscard]] World::MakeWorker maker();
  void add_addresses_and_users(std::uint32_t users);
  void begin();
  void draw_config(Rng& rng, std::uint32_t users);
  void draw_calls(policy::CallsConfig& calls);
  void end_drained(unsigned life);
  World& world_;
  Book& book_;
  Cells* cells_;
  Rng rng_;
  Rng calls_rng_;
  std::shared_ptr<policy::SipConfig> config_;
  policy::Config others_;  // what is configured besides SIP
  std::uint32_t sessions_slots_ = 0;  // of MSRP
  core::Pool::Config pool_;
  core::Address udp_;
  Place* place_ = nullptr;
  std::uint32_t shards_ = 1;
  std::vector<const policy::Service*> brains_;  // of the shards
  bool down_ = false;
  std::uint32_t drained_ = 0;  // shards that said so
};

}  // namespace parley::sim::sip
