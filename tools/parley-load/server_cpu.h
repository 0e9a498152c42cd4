// tools/parley-load/server_cpu.h - CPU time and memory of the server's process tree, from outside (/proc).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace parley::load {

struct ServerSample {
  uint64_t cpu_ns = 0;      // user and system, all threads
  uint64_t user_ticks = 0;  // of /proc/PID/stat: only for the split, the kernel's ticks are coarse
  uint64_t system_ticks = 0;
  uint32_t processes = 0;
  bool ok = false;  // every process named was there
};

// The processes named and all that descend from them.
class ServerWatch {
 public:
  explicit ServerWatch(std::vector<int> pids) : pids_(std::move(pids)) {}
  // Reads the process table (milliseconds): before and after a measurement, never inside. True: new processes appeared.
  bool refresh();
  ServerSample sample() const;
  // Proportional set size of the tree, KiB (user space memory; kernel socket buffers are not in it).
  uint64_t pss_kib() const;
  bool empty() const { return pids_.empty(); }

 private:
  std::vector<int> pids_;
  std::vector<int> tree_;
};

}  // namespace parley::load
