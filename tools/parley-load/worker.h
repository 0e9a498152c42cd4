// tools/parley-load/worker.h - one thread: its pairs, its epoll loop, its phases (set-up, warm-up, measurement, drain).
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tools/parley-load/pair.h"
#include "tools/parley-load/process.h"

namespace parley::load {

class Worker {
 public:
  Worker(const Options& options, const Pattern& pattern, Shared& shared, const TlsContext* tls, int listen_fd);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  enum class Kind : uint8_t { normal, slow, idle };
  void add_pair(uint32_t index, Kind kind);
  // Everything from connecting to the end of the drain; `monitor` only for thread 0.
  void run(Monitor* monitor);

  bool setup_failed() const { return !setup_error_.empty(); }
  const std::string& setup_error() const { return setup_error_; }
  const Context& context() const { return context_; }
  const Counts& at_begin() const { return at_begin_; }
  const Counts& at_end() const { return at_end_; }
  uint64_t behind() const { return behind_; }
  const std::vector<uint64_t>& per_pair() const { return per_pair_; }
  uint64_t waiting_max_ns() const { return waiting_max_ns_; }
  uint64_t expires_min_s() const { return expires_min_s_; }
  uint64_t live_delivered() const { return live_delivered_.load(std::memory_order_relaxed); }
  uint64_t live_bytes() const { return live_bytes_.load(std::memory_order_relaxed); }
  uint64_t live_errors() const { return live_errors_.load(std::memory_order_relaxed); }

 private:
  // worker.cc: the loop and the phases
  void setup_all();
  void load(Monitor* monitor);
  void hold_idle(Monitor* monitor);
  void drain(Monitor* monitor);
  void end_measurement(Monitor* monitor);
  void settle();
  void turn(uint64_t deadline_ns);
  void schedule();
  void check_first_messages();
  uint64_t next_due_ns() const;
  void serve_dirty();
  void on_event(Conn& conn, uint32_t events);
  void on_readable(Conn& conn);
  size_t consume(Conn& conn, std::string_view data);
  void on_frame(Conn& conn, const Head& head);
  void flush(Conn& conn);
  void update_interest(Conn& conn);
  void connection_lost(Conn& conn, const std::string& why);
  bool all_settled() const;
  uint64_t progress() const;

  // setup.cc: connecting, AUTH, binding
  void start_pair(Pair& pair);
  void start_connect(Conn& conn);
  void on_establish(Conn& conn);
  void established(Conn& conn);
  bool take_websocket(Conn& conn, char* data, size_t& bytes);
  void send_auth(Conn& conn, const std::string& authorization);
  void on_setup_answer(Conn& conn, const Head& head);
  void on_accept(Conn& listener);
  void on_binding(Conn& conn, const Head& head);
  void connection_ready(Conn& conn);
  void fail_setup(const Conn& conn, const std::string& why);

  static constexpr size_t kReadBytes = 128 * 1024;  // one read; small enough to stay in the second-level cache
  static constexpr int kEventsMax = 512;
  static constexpr size_t kBacklogBytesMax = 4 * 1024 * 1024;  // above it we stop reading, as a real client must

  Shared& shared_;
  const TlsContext* tls_;
  Context context_;
  int epoll_;
  Conn listener_;
  std::vector<std::unique_ptr<Pair>> pairs_;
  std::deque<Conn> accepted_;
  std::vector<char> read_;
  std::vector<epoll_event> events_;
  size_t scheduled_pair_ = 0;  // open loop: whose turn it is, and in which round
  uint64_t scheduled_round_ = 1;
  std::vector<Pair*> first_message_;  // pairs whose set-up lacks only that message 0 comes through

  uint32_t started_ = 0;
  uint32_t ready_ = 0;
  uint32_t auth_number_ = 0;
  uint64_t expires_min_s_ = UINT64_MAX;
  std::string setup_error_;

  Counts at_begin_;
  Counts at_end_;
  uint64_t behind_ = 0;
  std::vector<uint64_t> per_pair_;  // messages of each pair while measuring
  uint64_t waiting_max_ns_ = 0;     // age of the oldest message not yet delivered when the measurement ended
  std::atomic<uint64_t> live_delivered_{0};
  std::atomic<uint64_t> live_bytes_{0};
  std::atomic<uint64_t> live_errors_{0};
};

}  // namespace parley::load
