// tools/parley-load/sip_report.h - what a SIP load found: as a table for people and as JSON for programs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/parley-load/histogram.h"
#include "tools/parley-load/measurement.h"
#include "tools/parley-load/sip_options.h"
#include "tools/parley-load/sip_state.h"

namespace parley::load {

struct SipOutcome : Measurement {
  SipCounts window;  // the measurement only
  SipCounts total;   // with warm-up and drain; losses are judged on it
  std::map<unsigned, uint64_t> statuses;
  Histogram delivery;              // due -> request at the receiver
  Histogram answered;              // due -> final answer at the sender
  Histogram teardown;              // BYE -> its answer
  std::vector<uint64_t> per_pair;  // finished while measuring, ascending
  uint64_t behind = 0;             // open loop: due, but not begun when the measurement ended
  uint64_t datagrams_dropped = 0;
  std::vector<std::string> notes;

  double server_us_per_transaction() const { return server_us_per(window.finished); }
  double own_us_per_transaction() const { return own_us_per(window.finished); }
};

// What makes the exit status 1, in words; empty when the run was clean.
std::vector<std::string> judge(const SipOptions& options, const SipOutcome& outcome);
// What makes a figure doubtful without making the run wrong.
std::vector<std::string> warn(const SipOptions& options, const SipOutcome& outcome);
void print_table(const SipOptions& options, const SipOutcome& outcome);
// False: the file cannot be written.
bool write_json(const SipOptions& options, const SipOutcome& outcome);

}  // namespace parley::load
