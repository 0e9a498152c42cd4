// tools/parley-load/relay.cc - deals pairs to threads, reads the clocks at both ends of the measurement, adds up.
#include "tools/parley-load/relay.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

#include "tools/parley-load/report.h"
#include "tools/parley-load/run_workers.h"
#include "tools/parley-load/worker.h"

namespace parley::load {
namespace {

class RelayMonitor : public MeasuringMonitor {
 public:
  RelayMonitor(const Options& options, Result& result, ServerWatch& watch,
               const std::vector<std::unique_ptr<Worker>>& workers)
      : MeasuringMonitor(result, watch, options.progress, options.idle > 0), workers_(workers) {}

 private:
  std::string progress(double step_s) override {
    uint64_t messages = 0;
    uint64_t bytes = 0;
    uint64_t errors = 0;
    for (const auto& worker : workers_) {
      messages += worker->live_delivered();
      bytes += worker->live_bytes();
      errors += worker->live_errors();
    }
    char line[100];
    std::snprintf(line, sizeof line, "%9.0f messages/s %9.2f MB/s  errors %llu",
                  static_cast<double>(messages - messages_) / step_s,
                  static_cast<double>(bytes - bytes_) / step_s / 1e6, static_cast<unsigned long long>(errors));
    messages_ = messages;
    bytes_ = bytes;
    return line;
  }

  const std::vector<std::unique_ptr<Worker>>& workers_;
  uint64_t messages_ = 0;
  uint64_t bytes_ = 0;
};

void add_up(const Worker& worker, Result& result) {
  const Context& context = worker.context();
  add(result.total, context.counts);
  add(result.window, worker.at_end());
  subtract(result.window, worker.at_begin());
  for (const auto& [code, count] : context.answer_errors) result.answer_errors[code] += count;
  for (const auto& [code, count] : context.report_errors) result.report_errors[code] += count;
  result.delivery.merge(context.delivery);
  result.answered.merge(context.answered);
  result.behind += worker.behind();
  result.per_pair.insert(result.per_pair.end(), worker.per_pair().begin(), worker.per_pair().end());
  result.waiting_max_ns = std::max(result.waiting_max_ns, worker.waiting_max_ns());
  result.expires_min_s = std::min(result.expires_min_s, worker.expires_min_s());
  for (const std::string& note : context.notes) {
    if (result.notes.size() < 10) result.notes.push_back(note);
  }
}

}  // namespace

int run_relay(Options options) {
  if (const std::string wrong = finish_options(options); !wrong.empty()) return usage(wrong);
  raise_fd_limit();
  const uint64_t fds = 2ULL * (options.pairs + options.slow_readers) + options.idle + 64;
  if (fds > fd_limit())
    return usage("--pairs: " + std::to_string(fds) + " descriptors needed, the hard limit is " +
                 std::to_string(fd_limit()));

  int listen_fd = -1;
  if (options.is_direct && (listen_fd = listen_on(options.direct)) < 0)
    return usage("--direct: cannot listen on " + options.direct_text);
  std::unique_ptr<TlsContext> tls;
  try {
    if (options.tls) tls = std::make_unique<TlsContext>(options.tls_ca, options.insecure, options.idle > 0);
  } catch (const std::runtime_error& error) {
    return usage(std::string("--tls-ca: ") + error.what());
  }

  Shared shared;
  stop_on_signals(shared);

  Result result;
  ServerWatch watch(options.server_pids);
  watch.refresh();
  result.pss_before_kib = watch.pss_kib();
  const Pattern pattern(options.content);
  std::vector<std::unique_ptr<Worker>> workers;
  for (uint32_t i = 0; i < options.threads; ++i)
    workers.push_back(std::make_unique<Worker>(options, pattern, shared, tls.get(), listen_fd));
  uint32_t index = 0;
  const auto deal = [&](uint32_t count, Worker::Kind kind) {
    for (uint32_t i = 0; i < count; ++i, ++index) workers[index % options.threads]->add_pair(index, kind);
  };
  deal(options.pairs, Worker::Kind::normal);
  deal(options.slow_readers, Worker::Kind::slow);  // after the normal ones: the open loop's turns rely on it
  deal(options.idle, Worker::Kind::idle);

  RelayMonitor monitor(options, result, watch, workers);
  if (!run_workers(options, workers, monitor)) return 1;
  for (const auto& worker : workers) add_up(*worker, result);
  std::sort(result.per_pair.begin(), result.per_pair.end());
  if (options.json_file != "-") print_table(options, result);
  if (!options.json_file.empty() && !write_json(options, result)) return usage("--json: cannot write");
  return judge(options, result).empty() ? 0 : 1;
}

}  // namespace parley::load
