// tools/parley-load/options.h - what the command line asked for.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tools/parley-load/digest.h"
#include "tools/parley-load/frame.h"
#include "tools/parley-load/pattern.h"
#include "tools/parley-load/stream.h"

namespace CLI {
class App;
}

namespace parley::load {

struct Options {
  std::string server_text;
  Address server;
  std::string relay_uri;    // To-Path of AUTH
  std::string direct_text;  // where receivers listen when a byte relay (or nothing) stands in between
  Address direct;
  bool is_direct = false;
  bool tls = false;
  bool insecure = false;
  std::string tls_ca;
  bool websocket = false;

  uint32_t pairs = 50;
  uint32_t window = 1;
  double rate_per_s = 0;  // 0: closed loop
  uint64_t size_bytes = 1024;
  std::string sizes_text;
  std::vector<std::pair<double, uint64_t>> sizes;  // cumulative share, bytes
  uint64_t chunk_bytes = 0;                        // 0: one chunk per message
  double duration_s = 10;
  bool duration_given = false;
  double warmup_s = 1;
  double drain_s = 10;
  double setup_s = 60;
  std::vector<std::string> users_text;
  std::string users_file;
  std::vector<Credentials> users;
  bool auth_both = false;
  uint32_t threads = 1;
  int cpu = -1;
  std::string failure_report_text = "yes";
  FailureReport failure_report = FailureReport::yes;
  bool success_reports = false;
  std::string content_type = "text/plain";
  std::string content_text = "letters";
  Content content = Content::letters;
  uint32_t expires_s = 0;  // 0: no Expires header
  uint32_t idle = 0;
  uint32_t slow_readers = 0;
  uint32_t slow_window = 16384;  // messages a slow pair may have under way
  uint32_t setups_at_once = 64;
  std::vector<int> server_pids;
  std::string json_file;
  bool progress = true;
  bool spin = false;
  bool allow_errors = false;

  bool open_loop() const { return rate_per_s > 0; }
  // Size of message `number` of `pair`; a pure function, so a run can be repeated.
  uint64_t message_bytes(uint32_t pair, uint64_t number) const;
};

void add_relay_flags(CLI::App& app, Options& options);
// Checks what flags alone cannot; an empty string when all is well, else what is wrong and with which flag.
std::string finish_options(Options& options);

}  // namespace parley::load
