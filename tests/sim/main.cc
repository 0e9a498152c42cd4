// tests/sim/main.cc - the simulator's command line: which seeds, for how long, and what is said about them.
#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/scenario.h"

namespace {

volatile std::uint64_t current_seed = 0;
const char* program = "sim";

// A CHECK or a sanitizer ended the process: which seed was it?
void on_abort(int) {
  char text[128];
  const int size = std::snprintf(text, sizeof text, "\nFAIL seed=%llu ended the process\nrepeat: sim --seed=%llu --trace\n",
                                 static_cast<unsigned long long>(current_seed), static_cast<unsigned long long>(current_seed));
  if (size > 0) (void)!write(2, text, static_cast<std::size_t>(size));
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

std::uint64_t number(const char* text) { return std::strtoull(text, nullptr, 10); }

}  // namespace

int main(int argc, char** argv) {
  using namespace parley::sim;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // a failure is seen although the process ends early
  // Freed heap memory is poisoned like the pool's blocks.
  mallopt(M_PERTURB, 0xdb);
  Options options;
  std::uint64_t count = 1;
  std::uint64_t seconds = 0;
  bool twice = false;
  bool caught = false;
  bool quiet = false;
  bool keep_going = false;
  bool list_vacuous = false;
  std::uint64_t failures = 0;
  std::string plant = "none";
  program = argv[0];
  for (int n = 1; n < argc; ++n) {
    const std::string arg = argv[n];
    const std::string value = arg.find('=') == std::string::npos ? "" : arg.substr(arg.find('=') + 1);
    if (arg.starts_with("--seed=")) options.seed = number(value.c_str());
    else if (arg.starts_with("--count=")) count = number(value.c_str());
    else if (arg.starts_with("--seconds=")) seconds = number(value.c_str());
    else if (arg == "--trace") options.trace = true;
    else if (arg == "--twice") twice = true;
    else if (arg == "--quiet") quiet = true;
    else if (arg == "--keep-going") keep_going = true;
    else if (arg == "--vacuous") list_vacuous = true;
    else if (arg.starts_with("--plant=")) plant = value;
    else if (arg == "--expect-caught") caught = true;
    else {
      std::fprintf(stderr, "usage: sim [--seed=N] [--count=M] [--seconds=S] [--trace] [--twice] [--quiet] [--keep-going] [--vacuous]\n"
                           "           [--plant=early-release|lost-response|wrong-order] [--expect-caught]\n");
      return 2;
    }
  }
  if (plant == "early-release") options.plant = Plant::early_release;
  else if (plant == "lost-response") options.plant = Plant::lost_response;
  else if (plant == "wrong-order") options.plant = Plant::wrong_order;
  else if (plant != "none") return 2;
  std::signal(SIGABRT, on_abort);
  std::signal(SIGSEGV, on_abort);

  const auto begin = std::chrono::steady_clock::now();
  auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  std::uint64_t done = 0, vacuous = 0, no_fault = 0, no_delivery = 0, messages = 0, deliveries = 0, events = 0;
  double virtual_seconds = 0;
  for (std::uint64_t n = 0; seconds != 0 ? elapsed() < static_cast<double>(seconds) : n < count; ++n) {
    current_seed = options.seed;
    const Outcome out = run_seed(options);
    ++done;
    messages += out.messages, deliveries += out.deliveries, events += out.events, virtual_seconds += out.virtual_seconds;
    no_fault += out.faults == 0;
    no_delivery += out.deliveries == 0;
    vacuous += out.faults == 0 || out.deliveries == 0;
    if (list_vacuous && (out.faults == 0 || out.deliveries == 0)) {
      std::printf("vacuous seed %llu (%s): %llu faults, %llu delivered of %llu\n",
                  static_cast<unsigned long long>(options.seed), out.shape.c_str(), static_cast<unsigned long long>(out.faults),
                  static_cast<unsigned long long>(out.deliveries), static_cast<unsigned long long>(out.messages));
    }
    if (!out.failure.empty()) {
      const std::string extra = plant == "none" ? "" : " --plant=" + plant;
      if (caught) {
        std::printf("caught %s at seed %llu (%llu tried): %s\n", plant.c_str(),
                    static_cast<unsigned long long>(options.seed), static_cast<unsigned long long>(done), out.failure.c_str());
        return 0;
      }
      std::printf("FAIL seed=%llu (%s)\n  %s\nrepeat: %s --seed=%llu%s --trace\n",
                  static_cast<unsigned long long>(options.seed), out.shape.c_str(), out.failure.c_str(), program,
                  static_cast<unsigned long long>(options.seed), extra.c_str());
      if (!keep_going) return 1;
      ++failures;
    }
    if (twice) {
      const Outcome again = run_seed(options);
      if (again.hash != out.hash) {
        std::printf("FAIL seed=%llu is not deterministic: %016llx, then %016llx\n", static_cast<unsigned long long>(options.seed),
                    static_cast<unsigned long long>(out.hash), static_cast<unsigned long long>(again.hash));
        return 1;
      }
    }
    if (!quiet && count <= 20 && seconds == 0) {
      std::printf("seed %llu: %s; %llu messages, %llu delivered, %llu faults, %llu events, %.0f virtual s, trace %016llx\n",
                  static_cast<unsigned long long>(options.seed), out.shape.c_str(), static_cast<unsigned long long>(out.messages),
                  static_cast<unsigned long long>(out.deliveries), static_cast<unsigned long long>(out.faults),
                  static_cast<unsigned long long>(out.events), out.virtual_seconds, static_cast<unsigned long long>(out.hash));
    }
    ++options.seed;
  }
  if (caught) {
    std::printf("FAIL: %s was not caught in %llu seeds\n", plant.c_str(), static_cast<unsigned long long>(done));
    return 1;
  }
  std::printf("%llu seeds in %.1f s (%.1f seeds/s), %llu messages, %llu delivered, %.1f M events, %.0f virtual s, "
              "%.2f %% vacuous (%llu without a fault, %llu without a delivery)\n",
              static_cast<unsigned long long>(done), elapsed(), static_cast<double>(done) / elapsed(),
              static_cast<unsigned long long>(messages), static_cast<unsigned long long>(deliveries),
              static_cast<double>(events) / 1e6, virtual_seconds,
              done == 0 ? 0.0 : 100.0 * static_cast<double>(vacuous) / static_cast<double>(done),
              static_cast<unsigned long long>(no_fault), static_cast<unsigned long long>(no_delivery));
  if (failures != 0) std::printf("%llu seeds failed\n", static_cast<unsigned long long>(failures));
  return failures == 0 ? 0 : 1;
}
