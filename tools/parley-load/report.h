// tools/parley-load/report.h - what a run found: as a table for people and as JSON for programs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/parley-load/histogram.h"
#include "tools/parley-load/measurement.h"
#include "tools/parley-load/options.h"
#include "tools/parley-load/pair.h"

namespace parley::load {

struct Result : Measurement {
  Counts window;  // the measurement only
  Counts total;   // with warm-up and drain; losses are judged on it
  std::map<unsigned, uint64_t> answer_errors;
  std::map<unsigned, uint64_t> report_errors;
  Histogram delivery;
  Histogram answered;
  std::vector<uint64_t> per_pair;  // messages of each pair while measuring, ascending
  uint64_t waiting_max_ns = 0;     // the oldest message still on its way when the measurement ended
  uint64_t behind = 0;             // open loop: due, but not begun when the measurement ended
  uint64_t expires_min_s = UINT64_MAX;
  std::vector<std::string> notes;

  double own_us_per_message() const { return own_us_per(window.delivered); }
  double server_us_per_message() const { return server_us_per(window.delivered); }
};

// What makes the exit status 1, in words; empty when the run was clean.
std::vector<std::string> judge(const Options& options, const Result& result);
// What makes a figure doubtful without making the run wrong.
std::vector<std::string> warn(const Options& options, const Result& result);

void print_table(const Options& options, const Result& result);
// False: the file cannot be written.
bool write_json(const Options& options, const Result& result);

}  // namespace parley::load
