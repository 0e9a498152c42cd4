// tools/parleyd/daemon.h - the running process: start, reload, drain, stop, and what the admin side may ask of it.
//
//   signals, admin HTTP --> Daemon (main thread) --posts--> shards
//   shards --records, answers--> Logger, Gather
//
// Built from Settings and what the files hold; lives until the last shard has ended.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/log.h"
#include "core/loop.h"
#include "core/resolver.h"
#include "tools/parleyd/admin.h"
#include "tools/parleyd/exposition.h"
#include "tools/parleyd/gather.h"
#include "tools/parleyd/listeners.h"
#include "tools/parleyd/loaded.h"
#include "tools/parleyd/notify.h"
#include "tools/parleyd/settings.h"
#include "tools/parleyd/shard_set.h"
#include "tools/parleyd/xcap_front.h"

namespace parley::parleyd {

// How SIGHUP comes to fresh settings: the same command line, without its --user flags (their digests are kept).
struct Origin {
  std::vector<std::string> arguments;
  Users users;  // of --user on the command line or, if there was none, of the configuration file
  bool users_on_command_line = false;
};

class Daemon final : public AdminBackend, public core::AdminSink, public core::LogSink {
 public:
  Daemon(Settings settings, Origin origin, Loaded loaded, Notify notify);
  ~Daemon() override;

  // Binds, starts every thread and announces readiness. Empty, or what went wrong.
  std::string start();
  // Until drained or stopped by signals; the exit status.
  int serve(int signal_fd);

  // AdminBackend, from admin threads
  State state() override { return state_.load(); }
  std::string metrics() override;
  Gather::Answers ask_all(core::AdminRequest::Kind kind, const std::string& argument) override;
  std::optional<std::string> ask(std::uint32_t shard, core::AdminRequest::Kind kind,
                                 const std::string& argument) override;
  core::LogRecord::Level log_level() override { return log_level_.load(); }
  void set_log_level(core::LogRecord::Level level) override;
  void drain() override;
  std::optional<std::string> reload() override;

  // AdminSink and LogSink, from shards
  void reply(std::uint32_t shard, core::AdminReply reply) override;
  void write(std::uint32_t shard, const core::LogRecord& record) override { logger_->write(shard, record); }

 private:
  using Clock = std::chrono::steady_clock;

  void log(core::LogRecord::Level level, const std::string& text) { logger_->write_from_outside(level, text); }
  std::string backup(std::string& file) override;
  [[nodiscard]] std::string open_store();  // nobody else has it from then on
  [[nodiscard]] std::string read_store(core::StoreContents& stored);
  [[nodiscard]] bool every_shard_answers(std::chrono::milliseconds limit);
  void begin_drain();
  void end_admin();
  void on_signals(int signal_fd);
  std::string reload_now();
  void answer_reloads();
  [[nodiscard]] std::string try_reload();
  void take_documents(Settings& settings, const Loaded& loaded);
  // daemon_xcap.cc
  [[nodiscard]] std::string bind_xcap();
  [[nodiscard]] std::shared_ptr<const policy::Config> begin_xcap(std::shared_ptr<const policy::Config> config,
                                                                 std::vector<core::XcapRow>&& rows);
  void reload_xcap(const Loaded& loaded, const std::shared_ptr<const policy::Config>& config);
  void put_xcap_facts(std::vector<ProcessSample>& facts) const;
  void rotate_tickets();
  void feed_watchdog();

  Settings settings_;
  Origin origin_;
  Loaded loaded_;
  Notify notify_;
  std::shared_ptr<const core::TicketKeys> tickets_;
  std::unique_ptr<core::Logger> logger_;
  std::atomic<core::LogRecord::Level> log_level_;
  std::atomic<State> state_{State::starting};
  int event_fd_ = -1;  // a shard has ended, or the admin side asks for the drain
  std::atomic<bool> drain_asked_{false};
  // Reloads that the admin side asks for are done by the main thread, one for all who ask meanwhile.
  std::mutex reload_mutex_;
  std::condition_variable reload_done_;
  std::uint64_t reloads_asked_ = 0;
  std::uint64_t reloads_answered_ = 0;
  std::string reload_answer_;
  bool reloads_over_ = false;  // nobody carries them out any more
  bool stopped_at_once_ = false;
  std::optional<Clock::time_point> drain_ends_;
  Clock::time_point next_watchdog_ = Clock::time_point::max();
  Clock::time_point next_tickets_ = Clock::time_point::max();
  std::atomic<std::uint64_t> reloads_good_{0};
  std::atomic<std::uint64_t> reloads_bad_{0};
  std::atomic<std::uint64_t> groups_{0};  // that hold now, from documents and flags
  std::atomic<std::uint64_t> access_rules_{0};
  std::atomic<std::uint64_t> user_policies_{0};

  std::vector<RelayListenerAt> listeners_;
  std::vector<RelayListenerAt> sip_listeners_;
  std::unique_ptr<core::SqliteStore> store_;  // null: nothing outlives the process
  std::unique_ptr<ShardSet> shards_;
  std::unique_ptr<core::Resolver> resolver_;
  std::unique_ptr<Gather> gather_;
  // Null without --xcap. The server asks the front, which asks store and shards.
  std::unique_ptr<XcapFront> xcap_;
  std::unique_ptr<HttpServer> xcap_http_;
  std::vector<std::string> xcap_at_;  // "http:127.0.0.1:8080", ports as bound
  std::unique_ptr<AdminServer> admin_;  // the last to come up, the first to go
};

}  // namespace parley::parleyd
