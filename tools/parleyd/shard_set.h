// tools/parleyd/shard_set.h - the event loops: one thread each, with the pool, the worker and the counters it owns.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/loop.h"
#include "core/mailbox.h"
#include "core/metrics.h"
#include "core/session_table.h"
#include "core/random.h"
#include "policy/config.h"
#include "tools/parleyd/loaded.h"
#include "tools/parleyd/settings.h"

namespace parley::parleyd {

class ShardSet {
 public:
  struct Parts {
    core::AdminSink& admin;
    core::LogSink& log;
    core::ResolveSink& resolver;
    core::StoreSink* store = nullptr;          // null: nothing outlives the process
    core::StoreContents stored{};              // what an earlier process has left
    std::shared_ptr<const policy::Config> config;
    TlsContexts tls;
    std::vector<std::vector<core::Listener>> listeners;       // per shard
    std::vector<std::vector<core::DatagramSocket>> sockets;  // per shard
    int ended_fd = -1;                                   // an eventfd, counted up when a shard has ended
  };

  // `count` is settled by then: settings.shards may say 0.
  ShardSet(const Settings& settings, std::uint32_t count);
  ~ShardSet();  // stops what still runs
  ShardSet(const ShardSet&) = delete;
  ShardSet& operator=(const ShardSet&) = delete;

  [[nodiscard]] std::uint32_t count() const { return count_; }
  [[nodiscard]] core::Mailboxes& mailboxes() { return mailboxes_; }
  [[nodiscard]] std::vector<const core::Metrics*> metrics() const;

  void start(Parts parts);

  // To every shard, from any thread.
  void drain();
  void stop();
  void join();  // returns when every thread has ended
  void reload(const std::shared_ptr<const policy::Config>& config);
  void reload(const TlsContexts& tls);

  // Every shard has what an earlier process has left.
  void forget_stored() { parts_->stored = {}; }
  [[nodiscard]] bool all_ended() const { return ended_.load() == count_; }
  // What made a shard end other than drain or stop; valid once all have ended or the first has not come up.
  [[nodiscard]] std::string error();

 private:
  void run(std::uint32_t shard);

  const Settings& settings_;
  const std::uint32_t count_;
  core::Mailboxes mailboxes_;
  core::SessionTable sessions_;
  std::unique_ptr<core::SessionTable> invites_;
  const core::Seed process_seed_;
  std::vector<std::unique_ptr<core::Metrics>> metrics_;
  std::unique_ptr<Parts> parts_;
  std::vector<std::thread> threads_;
  std::atomic<std::uint32_t> ended_{0};
  std::mutex error_mutex_;
  std::string error_;
};

}  // namespace parley::parleyd
