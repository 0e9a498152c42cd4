// tools/parley-load/sip.cc - starts the threads, reads the clocks at both ends of the measurement, adds up.
#include "tools/parley-load/sip.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

#include "tools/parley-load/run_workers.h"
#include "tools/parley-load/sip_report.h"
#include "tools/parley-load/sip_worker.h"

namespace parley::load {
namespace {

using Workers = std::vector<std::unique_ptr<SipWorker>>;

class SipMonitor : public MeasuringMonitor {
 public:
  SipMonitor(const SipOptions& options, SipOutcome& outcome, ServerWatch& watch, const Workers& workers)
      : MeasuringMonitor(outcome, watch, options.progress, options.idle > 0), what_(options.mode_text), workers_(workers) {}

 private:
  std::string progress(double step_s) override {
    uint64_t done = 0;
    uint64_t errors = 0;
    for (const auto& worker : workers_) {
      done += worker->live_finished();
      errors += worker->live_errors();
    }
    char line[100];
    std::snprintf(line, sizeof line, "%9.0f %s/s  errors %llu", static_cast<double>(done - done_) / step_s, what_.c_str(),
                  static_cast<unsigned long long>(errors));
    done_ = done;
    return line;
  }

  const std::string what_;
  const Workers& workers_;
  uint64_t done_ = 0;
};

void add_up(const SipWorker& worker, SipOutcome& outcome) {
  add(outcome.total, worker.counts());
  add(outcome.window, worker.at_end());
  subtract(outcome.window, worker.at_begin());
  for (const auto& [status, count] : worker.statuses()) outcome.statuses[status] += count;
  outcome.delivery.merge(worker.delivery());
  outcome.answered.merge(worker.answered());
  outcome.teardown.merge(worker.teardown());
  outcome.behind += worker.behind();
  outcome.datagrams_dropped += worker.datagrams_dropped();
  outcome.per_pair.insert(outcome.per_pair.end(), worker.per_pair().begin(), worker.per_pair().end());
  for (const std::string& note : worker.notes()) {
    if (outcome.notes.size() < 10) outcome.notes.push_back(note);
  }
}

}  // namespace

int run_sip(SipOptions options) {
  if (const std::string wrong = finish_sip_options(options); !wrong.empty()) return usage(wrong);
  raise_fd_limit();
  const uint64_t users = options.users.size();
  const uint64_t fds =
      (options.datagrams() && options.sockets > 0 ? 1ULL * options.sockets * options.threads : users) + 64;
  if (fds > fd_limit())
    return usage("--users: " + std::to_string(fds) + " descriptors needed, the hard limit is " +
                 std::to_string(fd_limit()));
  std::unique_ptr<TlsContext> tls;
  try {
    if (options.secure()) tls = std::make_unique<TlsContext>(options.tls_ca, options.insecure, users > 1000);
  } catch (const std::runtime_error& error) {
    return usage(std::string("--tls-ca: ") + error.what());
  }

  Shared shared;
  stop_on_signals(shared);
  SipOutcome outcome;
  ServerWatch watch(options.server_pids);
  watch.refresh();
  outcome.pss_before_kib = watch.pss_kib();
  const Pattern pattern(Content::letters);
  Workers workers;
  for (uint32_t i = 0; i < options.threads; ++i)
    workers.push_back(std::make_unique<SipWorker>(options, pattern, shared, tls.get(), i));

  SipMonitor monitor(options, outcome, watch, workers);
  if (!run_workers(options, workers, monitor)) return 1;
  for (const auto& worker : workers) add_up(*worker, outcome);
  std::sort(outcome.per_pair.begin(), outcome.per_pair.end());
  if (options.json_file != "-") print_table(options, outcome);
  if (!options.json_file.empty() && !write_json(options, outcome)) return usage("--json: cannot write");
  return judge(options, outcome).empty() ? 0 : 1;
}

}  // namespace parley::load
