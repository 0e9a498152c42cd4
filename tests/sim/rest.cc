// tests/sim/rest.cc - see rest.h.
#include "tests/sim/rest.h"

#include <algorithm>

#include "policy/service.h"
#include "tests/sim/operators.h"

namespace parley::sim {

void print_counters(World& world) {
  for (auto& place : world.places()) {
    for (auto& shard : place->shards) {
      for (std::size_t n = 0; n < core::metric_count; ++n) {
        const auto metric = static_cast<core::Metric>(n);
        const std::uint64_t value = shard->metrics().get(metric);
        if (value == 0) continue;
        world.journal.line("%s %s %llu", shard->name().c_str(), std::string(core::metric_info(metric).name).c_str(),
                           static_cast<unsigned long long>(value));
      }
    }
  }
}

void check_left(World& world, Shard& shard, const std::vector<Left>& of_worker) {
  std::vector<Left> all = of_worker;
  all.push_back({"connections of the loop", shard.open_links()});
  shard.empty_outbox();
  all.push_back({"heap bytes", shard.pool().heap_bytes()});
  all.push_back({"pool blocks", shard.pool().live_blocks()});
  for (const auto& [what, left] : all) {
    if (left == 0) continue;
    world.journal.fail("rest: %s has %llu %s left", shard.name().c_str(), static_cast<unsigned long long>(left), what);
    return;
  }
}

void check_settled(World& world) {
  print_counters(world);
  bool silent_loss = world.dial_failed;
  for (auto& place : world.places()) {
    std::uint64_t queue_bytes = 0;
    for (const Place::Version& version : place->versions) {
      queue_bytes = std::max<std::uint64_t>(
          queue_bytes, version.config->watermark_high_bytes + version.config->shared_queue_bytes_max);
    }
    for (auto& shard : place->shards) {
      for (core::Metric limit : {core::Metric::relay_shared_overrun, core::Metric::relay_no_memory,
                                 core::Metric::heap_exhausted, core::Metric::relay_transactions_limit}) {
        if (shard->metrics().get(limit) != 0) silent_loss = true;
      }
      // What waits for one receiver: the watermark, what arrived in the turn that passed it (4 pieces of 64 KiB from
      // each other connection at most; half of them is generous), and once more for a connection that carries others.
      const std::uint64_t links = shard->links_top();
      const std::uint64_t ceiling = links * (queue_bytes + 8 * 65536);
      if (shard->heap_top() > ceiling) {
        world.journal.fail("bounds: %s held %llu heap bytes for %llu connections", shard->name().c_str(),
                           static_cast<unsigned long long>(shard->heap_top()), static_cast<unsigned long long>(links));
        return;
      }
    }
  }
  for (auto& place : world.places()) {
    for (auto& shard : place->shards) {
      // A ping may be on its way at this very moment; what is stuck is so at every one.
      std::string stuck = shard->stuck();
      for (int looks = 0; looks < 5 && !stuck.empty(); ++looks) {
        world.run_until(world.agenda.now() + std::chrono::milliseconds(37));
        stuck = shard->stuck();
      }
      if (!stuck.empty()) {
        world.journal.fail("liveness: %s", stuck.c_str());
        return;
      }
    }
  }
  world.ledger.settle(silent_loss, world.relay_link_unsure());
}

void check_rest(World& world) {
  world.sessions.settle();
  world.operators->settle();
  for (auto& place : world.places()) {
    std::uint64_t made = 0;
    for (auto& shard : place->shards) made += shard->metrics().get(core::Metric::relay_sessions_created);
    if (const std::uint64_t ends = world.sessions.ends(*place); ends != made) {
      world.journal.fail("rest: %s made %llu sessions and closed the records of %llu", place->host.c_str(),
                         static_cast<unsigned long long>(made), static_cast<unsigned long long>(ends));
      return;
    }
    for (std::size_t n = 0; n < place->shards.size(); ++n) {
      Shard* shard = place->shards[n].get();
      const msrp::Relay& relay = place->brains[n]->relay();
      const core::Metrics& metrics = shard->metrics();
      check_left(world, *shard,
                 {{"sessions", relay.live_sessions()},
                  {"sessions by the gauge", metrics.get(core::Metric::relay_sessions)},
                  {"transactions", relay.live_transactions()},
                  {"transactions by the gauge", metrics.get(core::Metric::relay_transactions)},
                  // A drained loop ends the connections that are left without a word to the Worker, and the Worker after
                  // them.
                  {"connections of the relay", shard->ended() ? 0 : relay.live_connections()},
                  {"timers", shard->ended() ? 0 : relay.armed_timers()}});
      if (world.journal.failed()) return;
      if (place->draining && !shard->ended()) {
        world.journal.fail("rest: %s does not end its drain", shard->name().c_str());
        return;
      }
    }
  }
}

}  // namespace parley::sim
