// tests/loops/harness.h - what a scene needs from the world around a Loop: far ends it can play, a Worker it can
// script.
//
// Implemented over real loopback sockets for both kernels (real_harness.h) and over the simulated loop and network
// (tests/sim/scene_harness.h).
// Nothing here sleeps: a scene waits for something that the Worker or a far end sees.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/loop.h"
#include "core/metrics.h"
#include "core/seam.h"

namespace parley::loops {

// What the Worker has seen of one connection.
struct ConnSeen {
  core::ConnId id;
  core::Transport transport = core::Transport::tcp;
  std::vector<std::string> names;
  std::string received;
  std::uint64_t given = 0;  // bytes the script sent
  std::uint64_t sent = 0;   // bytes `sent` gave back
  std::uint64_t inputs = 0;
  std::uint64_t token = 0;
  bool accepted = false;
  bool half_closed = false;
  bool closed_by_us = false;  // before the batch that is handled now: what was in it already may still come
  std::optional<core::CloseReason> closed;
};

struct DatagramSeen {
  std::uint16_t socket = 0;
  core::Address source;
  std::string bytes;
};

struct MailSeen {
  std::uint32_t from_shard = 0;
  std::string bytes;
};

// Records everything, judges the seam's contract, and does what the scene says.
class ScriptWorker final : public core::Worker {
 public:
  using Reaction = std::function<void(ScriptWorker&, const core::Input&, core::Outbox&)>;

  ScriptWorker(core::Pool& pool, Reaction reaction) : pool_(pool), reaction_(std::move(reaction)) {}
  void step(std::span<const core::Input> batch, const core::Now& now, core::Outbox& out) override;

  // For reactions and commands, on the shard's thread, the lock is held.
  void send(core::Outbox& out, core::ConnId conn, std::string_view bytes);
  void send(core::Outbox& out, core::ConnId conn, core::Slice slice);
  void close(core::Outbox& out, core::ConnId conn);
  void abort(core::Outbox& out, core::ConnId conn);
  void hand_over(core::Outbox& out, core::ConnId conn, std::uint32_t shard, std::string unused);
  void drained(core::Outbox& out);  // closes all
  void keep(core::Slice slice);  // until let_go; after it nothing is kept any more
  void let_go();
  // Stable; what is still changing is read inside wait or a command.
  ConnSeen& conn(std::size_t at) {
    const std::lock_guard lock(mutex_);
    return conns_[at];
  }
  std::size_t conn_count() {
    const std::lock_guard lock(mutex_);
    return conns_.size();
  }
  std::deque<ConnSeen>& conns() { return conns_; }  // inside wait or a command
  ConnSeen* find(core::ConnId id);
  std::vector<std::pair<std::uint64_t, core::ConnectError>>& connects_failed() { return connects_failed_; }
  [[nodiscard]] bool drain_seen() const { return drain_seen_; }
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  // Inside wait or a command.
  [[nodiscard]] const std::deque<DatagramSeen>& datagrams() const { return datagrams_; }
  [[nodiscard]] const std::deque<MailSeen>& mails() const { return mails_; }
  [[nodiscard]] core::Duration lag_max() const { return lag_max_; }
  std::uint64_t heap_bytes() const { return heap_bytes_; }
  std::vector<core::Resolution>& resolutions() { return resolutions_; }

  // For the harness.
  std::recursive_mutex& mutex() { return mutex_; }
  void enqueue(std::function<void(core::Outbox&)> command);
  std::function<void()> on_step;

 private:
  void record(const core::Input& input);
  void violation(const std::string& text) { violations_.push_back(text); }

  core::Pool& pool_;
  Reaction reaction_;
  std::recursive_mutex mutex_;
  std::deque<ConnSeen> conns_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> by_id_;
  std::vector<std::pair<std::uint64_t, core::ConnectError>> connects_failed_;
  std::vector<core::Resolution> resolutions_;
  std::deque<DatagramSeen> datagrams_;
  std::deque<MailSeen> mails_;
  std::vector<core::BufferId> kept_;
  bool keeps_ = true;
  std::vector<std::function<void(core::Outbox&)>> commands_;
  std::vector<std::size_t> closing_;
  std::vector<std::string> violations_;
  core::Instant last_now_{};
  core::Duration lag_max_{};
  std::uint64_t heap_bytes_ = 0;
  bool drain_seen_ = false;
};

enum class End : std::uint8_t { fin, reset, none };

// The other end of a connection, played by the scene.
class FarEnd {
 public:
  virtual ~FarEnd() = default;
  virtual void send(std::string_view bytes) = 0;              // all of it, waiting as long as the loop reads
  virtual std::size_t send_until_full(std::size_t most) = 0;  // until nothing more is taken
  virtual std::string receive(std::size_t bytes) = 0;         // exactly so many, fewer when the stream ends
  virtual End receive_end(std::string* rest = nullptr) = 0;   // reads until the stream ends
  virtual void half_close() = 0;
  virtual void reset() = 0;
};

class FarListener {
 public:
  virtual ~FarListener() = default;
  [[nodiscard]] virtual core::Address address() const = 0;
  virtual std::unique_ptr<FarEnd> accept() = 0;
};

// A UDP socket of the scene.
class FarSocket {
 public:
  virtual ~FarSocket() = default;
  [[nodiscard]] virtual core::Address address() const = 0;
  virtual void send(std::string_view bytes, std::uint16_t socket = 0) = 0;  // to this one of the shards' sockets
  // Waits for it; nullopt when none comes.
  virtual std::optional<std::string> receive() = 0;
};

struct SceneSetup {
  std::uint32_t shards = 1;
  std::uint16_t sockets = 0;  // UDP sockets of each shard, numbered from 0; the shards share their addresses
  core::Pool::Config pool;
  core::LoopConfig config;  // limits and times; the rest is set by the harness
  ScriptWorker::Reaction reaction;
};

class Harness {
 public:
  virtual ~Harness() = default;
  virtual ScriptWorker& worker(std::uint32_t shard = 0) = 0;
  virtual std::unique_ptr<FarEnd> connect() = 0;  // to the listener of shard 0
  virtual std::unique_ptr<FarListener> listen() = 0;
  virtual std::unique_ptr<FarSocket> far_socket() = 0;
  virtual core::Address refusing_address() = 0;
  virtual core::Address closed_udp_address() = 0;  // nobody is there
  virtual core::Address silent_address() = 0;  // answers nothing to a connect
  // Runs in a step of the shard, the next one; returns when it has run.
  virtual void command(std::function<void(core::Outbox&)> what, std::uint32_t shard = 0) = 0;
  // The same without waiting for it.
  virtual void start_command(std::function<void(core::Outbox&)> what, std::uint32_t shard = 0) = 0;
  // The shard does not turn while `what` runs: what comes for it in that time is ready at once.
  virtual void while_stalled(const std::function<void()>& what, std::uint32_t shard = 0) = 0;
  // Until true, asked after each step and now and then; false when it takes unreasonably long.
  virtual bool wait(const std::function<bool()>& condition) = 0;
  virtual std::uint64_t metric(core::Metric metric, std::uint32_t shard = 0) = 0;
  virtual void drain(std::uint32_t shard = 0) = 0;
  virtual void stop(std::uint32_t shard = 0) = 0;
  virtual bool ended(std::uint32_t shard = 0) = 0;  // waits for the shard's run() to return
};

struct Scene {
  const char* name;
  SceneSetup (*setup)();
  void (*run)(Harness&);
  const char* only_real = nullptr;  // why a simulated loop cannot run it
};
const std::vector<Scene>& scenes();  // all of them, in order

// A message whose every part tells where it belongs.
std::string pattern(std::size_t bytes, unsigned seed = 1);

}  // namespace parley::loops
