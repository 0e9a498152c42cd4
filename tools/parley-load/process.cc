// tools/parley-load/process.cc - limits, pinning and signals of the generator itself.
#include "tools/parley-load/process.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>

#include "tools/parley-load/clock.h"

namespace parley::load {
namespace {

Shared* shared_for_signals = nullptr;

void on_signal(int) { shared_for_signals->stop = true; }

}  // namespace

int usage(const std::string& what) {
  std::fprintf(stderr, "parley-load: %s\n", what.c_str());
  return 2;
}

void raise_fd_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

uint64_t fd_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

uint64_t own_user_ns() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_utime.tv_sec) * kNsPerSecond +
         static_cast<uint64_t>(usage.ru_utime.tv_usec) * 1000;
}

void pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) std::fprintf(stderr, "parley-load: cannot pin to CPU %d\n", cpu);
}

void stop_on_signals(Shared& shared) {
  shared_for_signals = &shared;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

}  // namespace parley::load
