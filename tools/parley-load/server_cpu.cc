// tools/parley-load/server_cpu.cc - reading of /proc and of other processes' CPU clocks.
#include "tools/parley-load/server_cpu.h"

#include <dirent.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "tools/parley-load/clock.h"

namespace parley::load {
namespace {

struct Stat {
  int parent = 0;
  uint64_t user_ticks = 0;
  uint64_t system_ticks = 0;
};

bool read_stat(int pid, Stat& stat) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return false;
  const size_t name_end = line.rfind(')');  // the name may hold anything, blanks and brackets too
  if (name_end == std::string::npos) return false;
  const char* at = line.c_str() + name_end + 1;
  for (int field = 3; field <= 15 && *at != '\0'; ++field) {
    while (*at == ' ') ++at;
    if (field == 4) stat.parent = std::atoi(at);
    if (field == 14) stat.user_ticks = std::strtoull(at, nullptr, 10);
    if (field == 15) stat.system_ticks = std::strtoull(at, nullptr, 10);
    while (*at != ' ' && *at != '\0') ++at;
  }
  return true;
}

std::vector<int> tree_of(const std::vector<int>& roots) {
  std::vector<std::pair<int, int>> parent_of;
  if (DIR* proc = opendir("/proc")) {
    while (const dirent* entry = readdir(proc)) {
      const int pid = std::atoi(entry->d_name);
      Stat stat;
      if (pid > 0 && read_stat(pid, stat)) parent_of.emplace_back(pid, stat.parent);
    }
    closedir(proc);
  }
  std::vector<int> tree = roots;
  for (size_t i = 0; i < tree.size(); ++i) {
    for (const auto& [pid, parent] : parent_of) {
      if (parent == tree[i] && std::find(tree.begin(), tree.end(), pid) == tree.end()) tree.push_back(pid);
    }
  }
  return tree;
}

}  // namespace

bool ServerWatch::refresh() {
  std::vector<int> tree = pids_.empty() ? std::vector<int>{} : tree_of(pids_);
  const bool grown = std::any_of(tree.begin(), tree.end(),
                                 [this](int pid) { return std::find(tree_.begin(), tree_.end(), pid) == tree_.end(); });
  tree_ = std::move(tree);
  return grown;
}

// The process CPU clock counts the same as utime + stime of /proc/PID/stat, to the nanosecond instead of the tick.
ServerSample ServerWatch::sample() const {
  ServerSample sample;
  sample.ok = !pids_.empty();
  for (const int pid : tree_) {
    Stat stat;
    clockid_t clock{};
    if (!read_stat(pid, stat) || clock_getcpuclockid(pid, &clock) != 0) {
      sample.ok = false;  // a process that ended took its time along: the difference would be wrong
      continue;
    }
    sample.cpu_ns += clock_ns(clock);
    sample.user_ticks += stat.user_ticks;
    sample.system_ticks += stat.system_ticks;
    ++sample.processes;
  }
  return sample;
}

uint64_t ServerWatch::pss_kib() const {
  uint64_t total = 0;
  for (const int pid : tree_) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("Pss:")) total += std::strtoull(line.c_str() + 4, nullptr, 10);
    }
  }
  return total;
}

}  // namespace parley::load
