// tools/parley-load/chat_report.h - what a chat load found: as a table for people and as JSON for programs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/parley-load/chat_options.h"
#include "tools/parley-load/chat_state.h"
#include "tools/parley-load/histogram.h"
#include "tools/parley-load/measurement.h"

namespace parley::load {

struct ChatOutcome : Measurement {
  ChatCounts window;  // the measurement only
  ChatCounts total;
  std::map<unsigned, uint64_t> statuses;
  Histogram delivery;  // due -> there, members that read
  Histogram joining;   // INVITE -> first SEND answered
  uint64_t joined = 0;
  uint64_t worst_second_ns = 0;  // p99 of the worst second
  std::vector<std::string> notes;

  uint64_t window_deliveries() const { return window.delivered + window.stalled_delivered; }
  double server_us_per_delivery() const { return server_us_per(window_deliveries()); }
  double server_us_per_join() const;  // of the set-up
  double own_us_per_delivery() const { return own_us_per(window_deliveries()); }
};

// What makes the exit status 1, in words; empty when the run was clean.
std::vector<std::string> judge(const ChatOptions& options, const ChatOutcome& outcome);
void print_table(const ChatOptions& options, const ChatOutcome& outcome);
// False: the file cannot be written.
bool write_json(const ChatOptions& options, const ChatOutcome& outcome);

}  // namespace parley::load
