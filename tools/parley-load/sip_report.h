// tools/parley-load/sip_report.h - what a SIP load found: as a table for people and as JSON for programs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/parley-load/histogram.h"
#include "tools/parley-load/server_cpu.h"
#include "tools/parley-load/sip_options.h"
#include "tools/parley-load/sip_state.h"

namespace parley::load {

struct SipOutcome {
  double measured_s = 0;
  SipCounts window;  // the measurement only
  SipCounts total;   // with warm-up and drain; losses are judged on it
  std::map<unsigned, uint64_t> statuses;
  Histogram delivery;              // due -> request at the receiver
  Histogram answered;              // due -> final answer at the sender
  Histogram teardown;              // BYE -> its answer
  std::vector<uint64_t> per_pair;  // finished while measuring, ascending
  uint64_t behind = 0;             // open loop: due, but not begun when the measurement ended
  uint64_t datagrams_dropped = 0;
  uint64_t own_cpu_ns = 0;
  uint64_t own_user_ns = 0;
  ServerSample server_begin;
  ServerSample server_end;
  bool server_tree_grew = false;
  uint64_t pss_before_kib = 0;  // before the first connection
  uint64_t pss_after_kib = 0;
  std::vector<std::string> notes;

  bool server_known() const { return server_begin.ok && server_end.ok && !server_tree_grew; }
  double server_us_per_transaction() const;
  double server_cores() const;
  double own_us_per_transaction() const;
  double own_cores() const;
};

// What makes the exit status 1, in words; empty when the run was clean.
std::vector<std::string> judge(const SipOptions& options, const SipOutcome& outcome);
// What makes a figure doubtful without making the run wrong.
std::vector<std::string> warn(const SipOptions& options, const SipOutcome& outcome);
void print_table(const SipOptions& options, const SipOutcome& outcome);
// False: the file cannot be written.
bool write_json(const SipOptions& options, const SipOutcome& outcome);

}  // namespace parley::load
