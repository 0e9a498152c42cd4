// tools/parley-load/chat.cc - one run: reads the clocks at both ends of the measurement, adds up.
#include "tools/parley-load/chat.h"

#include <cstdio>
#include <memory>
#include <stdexcept>

#include "tools/parley-load/chat_report.h"
#include "tools/parley-load/chat_worker.h"

namespace parley::load {
namespace {

class ChatMonitor : public MeasuringMonitor {
 public:
  ChatMonitor(const ChatOptions& options, ChatOutcome& outcome, ServerWatch& watch, const ChatWorker& worker)
      : MeasuringMonitor(outcome, watch, options.progress), worker_(worker) {}

  void on_setup_begin() override {
    watch().refresh();
    measurement().server_setup = watch().sample();
  }
  void on_setup_done() override { measurement().server_setup_done = watch().sample(); }

 private:
  std::string progress(double step_s) override {
    const uint64_t done = worker_.total().delivered;
    char line[100];
    std::snprintf(line, sizeof line, "%9.0f deliveries/s", static_cast<double>(done - done_) / step_s);
    done_ = done;
    return line;
  }

  const ChatWorker& worker_;
  uint64_t done_ = 0;
};

}  // namespace

int run_chat(ChatOptions options) {
  if (const std::string wrong = finish_chat_options(options); !wrong.empty()) return usage(wrong);
  if (!options.groups_dir.empty()) return write_group_documents(options) ? 0 : usage("--write-groups: cannot write");
  raise_fd_limit();
  const uint64_t descriptors = uint64_t{options.member_count()} + options.sip_connection_count() + 64;
  if (descriptors > fd_limit())
    return usage("--members: " + std::to_string(descriptors) +
                 " descriptors needed, the hard limit is " + std::to_string(fd_limit()));
  std::unique_ptr<TlsContext> tls;
  try {
    if (options.tls)
      tls = std::make_unique<TlsContext>(options.tls_ca, options.insecure, options.member_count() > 1000);
  } catch (const std::runtime_error& error) {
    return usage(std::string("--tls-ca: ") + error.what());
  }
  Shared shared;
  stop_on_signals(shared);
  if (options.cpu >= 0) pin(options.cpu);
  ChatOutcome outcome;
  ServerWatch watch(options.server_pids);
  ChatWorker worker(options, shared, tls.get());
  ChatMonitor monitor(options, outcome, watch, worker);
  worker.run(monitor);
  if (!worker.setup_error().empty()) {
    std::fprintf(stderr, "parley-load: set-up failed: %s\n", worker.setup_error().c_str());
    return 1;
  }
  outcome.total = worker.total();
  outcome.window = worker.at_end();
  subtract(outcome.window, worker.at_begin());
  outcome.statuses = worker.statuses();
  outcome.delivery = worker.delivery();
  outcome.joining = worker.joining();
  outcome.joined = worker.joined();
  outcome.worst_second_ns = worker.worst_second_ns();
  outcome.notes = worker.notes();
  if (options.json_file != "-") print_table(options, outcome);
  if (!options.json_file.empty() && !write_json(options, outcome)) return usage("--json: cannot write");
  return judge(options, outcome).empty() ? 0 : 1;
}

}  // namespace parley::load
