// tools/parley-load/deferred_report.h - what a load of deferred messages found: as a table for people and as JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "tools/parley-load/deferred_options.h"
#include "tools/parley-load/deferred_state.h"

namespace parley::load {

// What makes the exit status 1, in words; empty when the run was clean.
std::vector<std::string> judge(const DeferredOptions& options, const DeferredOutcome& found);
void print_table(const DeferredOptions& options, const DeferredOutcome& found);
// False: the file cannot be written.
bool write_json(const DeferredOptions& options, const DeferredOutcome& found);

}  // namespace parley::load
