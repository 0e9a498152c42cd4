// tests/loops/real_harness.h - the harness over real loopback sockets: one thread per shard, the scene on the test's.
#pragma once

#include <condition_variable>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/mailbox.h"
#include "tests/loops/harness.h"

namespace parley::loops {

// A blocking socket with a receive time-out, for scenes and TLS tests.
class SocketEnd final : public FarEnd {
 public:
  explicit SocketEnd(int fd);
  ~SocketEnd() override;
  void send(std::string_view bytes) override;
  std::size_t send_until_full(std::size_t most) override;
  std::string receive(std::size_t bytes) override;
  End receive_end(std::string* rest) override;
  void half_close() override;
  void reset() override;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

class RealHarness final : public Harness {
 public:
  RealHarness(core::LoopKind kind, SceneSetup setup);
  ~RealHarness() override;
  ScriptWorker& worker(std::uint32_t shard) override { return *shards_[shard]->worker; }
  std::unique_ptr<FarEnd> connect() override;
  std::unique_ptr<FarListener> listen() override;
  std::unique_ptr<FarSocket> far_socket() override;
  core::Address refusing_address() override;
  core::Address closed_udp_address() override;
  core::Address silent_address() override;
  void command(std::function<void(core::Outbox&)> what, std::uint32_t shard) override;
  void start_command(std::function<void(core::Outbox&)> what, std::uint32_t shard) override;
  void while_stalled(const std::function<void()>& what, std::uint32_t shard) override;
  bool wait(const std::function<bool()>& condition) override;
  std::uint64_t metric(core::Metric metric, std::uint32_t shard) override;
  void drain(std::uint32_t shard) override { shards_[shard]->loop->drain(); }
  void stop(std::uint32_t shard) override { shards_[shard]->loop->stop(); }
  bool ended(std::uint32_t shard) override;

  [[nodiscard]] core::Address address() const { return address_; }
  core::Loop& loop(std::uint32_t shard) { return *shards_[shard]->loop; }
  core::Mailboxes& mailboxes() { return mailboxes_; }
  // Stops every shard; what is left over then is a leak: the texts name it. Called once, at the end.
  std::vector<std::string> end();

 private:
  struct Shard {
    std::unique_ptr<core::Pool> pool;
    core::Metrics metrics;
    std::unique_ptr<ScriptWorker> worker;
    std::unique_ptr<core::Loop> loop;
    std::thread thread;
    std::string error;
    std::shared_future<void> stall;  // its loop waits for it behind each step
    bool ended = false;
  };
  core::Mailboxes mailboxes_;
  std::vector<std::unique_ptr<Shard>> shards_;
  core::Address address_;
  std::vector<core::Address> udp_addresses_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t changes_ = 0;
  std::vector<int> silent_fds_;
};

}  // namespace parley::loops
