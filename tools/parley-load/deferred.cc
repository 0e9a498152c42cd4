// tools/parley-load/deferred.cc - see deferred.h.
#include "tools/parley-load/deferred.h"

#include <cstdio>

#include "tools/parley-load/deferred_report.h"
#include "tools/parley-load/deferred_worker.h"

namespace parley::load {

int run_deferred(DeferredOptions options) {
  if (const std::string wrong = finish_deferred_options(options); !wrong.empty()) return usage(wrong);
  Shared shared;
  stop_on_signals(shared);
  DeferredWorker worker(options, shared);
  const DeferredOutcome& found = worker.run();
  if (!found.setup_error.empty()) {
    std::fprintf(stderr, "parley-load: set-up failed: %s\n", found.setup_error.c_str());
    for (const std::string& note : found.notes) std::fprintf(stderr, "  note: %s\n", note.c_str());
    return 1;
  }
  if (options.json_file != "-") print_table(options, found);
  if (!options.json_file.empty() && !write_json(options, found)) return usage("--json: cannot write");
  return judge(options, found).empty() ? 0 : 1;
}

}  // namespace parley::load
