// tools/parley-load/deferred_options.h - what the command line asked of `parley-load deferred`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/parley-load/digest.h"
#include "tools/parley-load/stream.h"

namespace CLI {
class App;
}

namespace parley::load {

struct DeferredOptions {
  std::string server_text;
  Address server;
  std::string domain;
  std::string user_pattern = "u%";
  std::string password = "secret";
  uint32_t receivers = 100;     // who are away at first: users 0, 1, ...
  uint32_t senders = 4;         // the users behind them, and then the two who talk meanwhile
  uint32_t messages = 10;       // for each receiver
  uint32_t size_bytes = 200;
  uint32_t window = 64;         // messages under way while they are stored
  uint32_t at_once = 64;        // registrations under way while all come back
  double online_per_s = 100;    // between the two who talk; 0: they do not
  double calm_s = 5;            // how long they talk before the others come back
  double push_rate_max = 0;     // most deliveries in any second that are right; 0: not judged
  double ratio_max = 0;         // most that p99 of the two may grow; 0: not judged
  double drain_s = 10;
  double timeout_s = 32;
  int cpu = -1;
  std::vector<int> server_pids;
  std::string json_file;

  [[nodiscard]] uint64_t all() const { return uint64_t{receivers} * messages; }
};

void add_deferred_flags(CLI::App& app, DeferredOptions& options);
// An empty string when all is well, else what is wrong and with which flag.
std::string finish_deferred_options(DeferredOptions& options);

}  // namespace parley::load
