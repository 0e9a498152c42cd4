// tools/parley-load/process.h - the generator's own process: descriptors, CPU, signals.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace parley::load {

// What the threads of a run share.
struct Shared {
  std::atomic<bool> stop{false};      // SIGINT or SIGTERM: end early, still drain and report
  std::atomic<bool> give_up{false};   // a set-up failed somewhere
  std::atomic<uint32_t> ready{0};     // threads whose pairs are all set up
  std::atomic<uint64_t> start_ns{0};  // when the load begins; 0: not decided yet
};

// What thread 0 does beside its own load; called between turns.
class Monitor {
 public:
  virtual ~Monitor() = default;
  virtual void on_setup_begin() {}   // of a load that measures its set-up, too
  virtual void on_setup_done() = 0;  // nothing is measured yet: time for slow reading of /proc
  virtual void on_measure_begin(uint64_t now) = 0;
  virtual void on_measure_end(uint64_t now) = 0;
  virtual void on_turn(uint64_t now) = 0;
};

// Says what is wrong with the command line; the exit status.
int usage(const std::string& what);

void raise_fd_limit();
uint64_t fd_limit();
// User time of all threads so far.
uint64_t own_user_ns();
void pin(int cpu);
// SIGINT and SIGTERM set shared.stop; SIGPIPE is ignored.
void stop_on_signals(Shared& shared);

}  // namespace parley::load
