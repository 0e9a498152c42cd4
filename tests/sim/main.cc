// tests/sim/main.cc - the simulator's command line: which seeds of which world, for how long, and what is said about
// them.
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/mail/scenario.h"
#include "tests/sim/rooms/scenario.h"
#include "tests/sim/scenario.h"
#include "tests/sim/sip/scenario.h"

namespace parley::sim {
namespace {

using Wide = unsigned long long;

constexpr const char* usage =
    "usage: sim [--msrp] [--sip] [--rooms] [--mail] [--seed=N] [--count=M | --seconds=S] [--trace] [--twice] [--quiet] [--keep-going]\n"
    "           [--vacuous] [--cells] [--cells=FILE] [--plant=early-release|lost-response|wrong-order] "
    "[--expect-caught]\n"
    "Without --msrp, --sip, --rooms or --mail each seed is run in all four worlds. --cells says how many machines took each row of the tables\n"
    "of SIP transactions and calls; --cells=FILE fails unless those that none took are the lines of FILE up to a colon.\n";

enum class Which : std::uint8_t { msrp, sip, rooms, mail };
constexpr const char* name_of(Which world) {
  constexpr const char* names[] = {"msrp", "sip", "rooms", "mail"};
  return names[static_cast<std::size_t>(world)];
}

volatile std::uint64_t current_seed = 0;
volatile Which current_world = Which::msrp;
const char* program = "sim";

// A CHECK or a sanitizer ended the process: which seed was it?
void on_abort(int) {
  char text[160];
  const Wide seed = current_seed;
  const char* world = name_of(current_world);
  const int size =
      std::snprintf(text, sizeof text, "\nFAIL seed=%llu ended the process\nrepeat: sim --%s --seed=%llu --trace\n",
                    seed, world, seed);
  if (size > 0) (void)!write(2, text, static_cast<std::size_t>(size));
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

std::uint64_t number(const std::string& text) { return std::strtoull(text.c_str(), nullptr, 10); }

struct Wishes {
  Options options;
  std::vector<Which> worlds = {Which::msrp, Which::sip, Which::rooms, Which::mail};
  std::uint64_t count = 1;
  std::uint64_t seconds = 0;
  bool twice = false, caught = false, quiet = false, keep_going = false, list_vacuous = false, cell_counts = false;
  std::string plant = "none", cells_file;
  bool chosen = false;

  void choose(Which world) {
    if (!chosen) worlds.clear();
    chosen = true;
    worlds.push_back(world);
  }
};

bool read(int argc, char** argv, Wishes& w) {
  for (int n = 1; n < argc; ++n) {
    const std::string arg = argv[n];
    const std::string value = arg.find('=') == std::string::npos ? "" : arg.substr(arg.find('=') + 1);
    if (arg.starts_with("--seed="))
      w.options.seed = number(value);
    else if (arg.starts_with("--count="))
      w.count = number(value);
    else if (arg.starts_with("--seconds="))
      w.seconds = number(value);
    else if (arg == "--trace")
      w.options.trace = true;
    else if (arg == "--twice")
      w.twice = true;
    else if (arg == "--quiet")
      w.quiet = true;
    else if (arg == "--keep-going")
      w.keep_going = true;
    else if (arg == "--vacuous")
      w.list_vacuous = true;
    else if (arg == "--msrp")
      w.choose(Which::msrp);
    else if (arg == "--sip")
      w.choose(Which::sip);
    else if (arg == "--rooms")
      w.choose(Which::rooms);
    else if (arg == "--mail")
      w.choose(Which::mail);
    else if (arg == "--cells")
      w.cell_counts = true;
    else if (arg.starts_with("--cells="))
      w.cells_file = value;
    else if (arg.starts_with("--plant="))
      w.plant = value;
    else if (arg == "--expect-caught")
      w.caught = true;
    else
      return false;
  }
  static const std::pair<const char*, Plant> plants[] = {{"none", Plant::none},
                                                         {"early-release", Plant::early_release},
                                                         {"lost-response", Plant::lost_response},
                                                         {"wrong-order", Plant::wrong_order}};
  for (const auto& [name, plant] : plants) {
    if (w.plant == name) return w.options.plant = plant, true;
  }
  return false;
}

// The seeds of one world, one after the other.
class Runner {
 public:
  Runner(Which world, const Wishes& wishes, sip::Cells& cells)
      : world_(world), wishes_(wishes), options_(wishes.options), cells_(cells) {}

  // False: that is enough.
  bool next() {
    const auto begin = std::chrono::steady_clock::now();
    const bool goes_on = run();
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    ++options_.seed;
    return goes_on;
  }
  [[nodiscard]] double seconds() const { return seconds_; }
  [[nodiscard]] std::uint64_t done() const { return done_; }
  [[nodiscard]] std::uint64_t failures() const { return failures_; }
  [[nodiscard]] bool caught() const { return caught_; }

  void report() const {
    std::printf(
        "%s: %llu seeds in %.1f s (%.1f seeds/s), %llu messages, %llu delivered, %.1f M events, %.0f virtual s, "
        "%.2f %% vacuous (%llu without a fault, %llu without a delivery)\n",
        name_of(world_), static_cast<Wide>(done_), seconds_, static_cast<double>(done_) / std::max(seconds_, 1e-9),
        static_cast<Wide>(messages_), static_cast<Wide>(deliveries_), static_cast<double>(events_) / 1e6,
        virtual_seconds_, done_ == 0 ? 0.0 : 100.0 * static_cast<double>(vacuous_) / static_cast<double>(done_),
        static_cast<Wide>(no_fault_), static_cast<Wide>(no_delivery_));
    if (failures_ != 0) std::printf("%s: %llu seeds failed\n", name_of(world_), static_cast<Wide>(failures_));
  }

 private:
  Outcome once(bool count_cells) {
    if (world_ == Which::rooms) return rooms::run_rooms_seed(options_);
    if (world_ == Which::mail) return mail::run_mail_seed(options_);
    return world_ == Which::sip ? sip::run_sip_seed(options_, count_cells ? &cells_ : nullptr) : run_seed(options_);
  }

  bool run() {
    current_seed = options_.seed;
    current_world = world_;
    const Outcome out = once(true);
    const Wide seed = options_.seed;
    add(out);
    if (!out.failure.empty()) {
      if (wishes_.caught) {
        std::printf("caught %s at seed %llu (%llu tried): %s\n", wishes_.plant.c_str(), seed, static_cast<Wide>(done_),
                    out.failure.c_str());
        caught_ = true;
        return false;
      }
      const std::string extra = wishes_.plant == "none" ? "" : " --plant=" + wishes_.plant;
      std::printf("FAIL seed=%llu (%s)\n  %s\nrepeat: %s --%s --seed=%llu%s --trace\n", seed, out.shape.c_str(),
                  out.failure.c_str(), program, name_of(world_), seed, extra.c_str());
      ++failures_;
      if (!wishes_.keep_going) return false;
    }
    if (wishes_.twice && once(false).hash != out.hash) {
      std::printf("FAIL seed=%llu is not deterministic in the %s world\n", seed, name_of(world_));
      ++failures_;
      return false;
    }
    if (!wishes_.quiet && wishes_.count <= 20 && wishes_.seconds == 0) {
      std::printf(
          "seed %llu: %s; %llu messages, %llu delivered, %llu faults, %llu events, %.0f virtual s, trace %016llx\n",
          seed, out.shape.c_str(), static_cast<Wide>(out.messages), static_cast<Wide>(out.deliveries),
          static_cast<Wide>(out.faults), static_cast<Wide>(out.events), out.virtual_seconds,
          static_cast<Wide>(out.hash));
    }
    return true;
  }

  void add(const Outcome& out) {
    ++done_;
    messages_ += out.messages, deliveries_ += out.deliveries, events_ += out.events,
        virtual_seconds_ += out.virtual_seconds;
    no_fault_ += out.faults == 0;
    no_delivery_ += out.deliveries == 0;
    if (out.faults != 0 && out.deliveries != 0) return;
    ++vacuous_;
    if (!wishes_.list_vacuous) return;
    std::printf("vacuous seed %llu (%s): %llu faults, %llu delivered of %llu\n", static_cast<Wide>(options_.seed),
                out.shape.c_str(), static_cast<Wide>(out.faults), static_cast<Wide>(out.deliveries),
                static_cast<Wide>(out.messages));
  }

  Which world_;
  const Wishes& wishes_;
  Options options_;
  sip::Cells& cells_;
  double seconds_ = 0, virtual_seconds_ = 0;
  std::uint64_t done_ = 0, failures_ = 0, vacuous_ = 0, no_fault_ = 0, no_delivery_ = 0;
  std::uint64_t messages_ = 0, deliveries_ = 0, events_ = 0;
  bool caught_ = false;
};

// The rows that no machine took are those of the file: "INVITE server / Proceeding / ACK: why". Those that begin with
// "rarely " may have been taken.
bool cells_as_told(const sip::Cells& cells, const std::string& path) {
  constexpr std::string_view rarely = "rarely ";
  std::ifstream in(path);
  std::vector<std::string> told, rare;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::string row = line.substr(0, line.find(':'));
    row.starts_with(rarely) ? rare.push_back(row.substr(rarely.size())) : told.push_back(row);
  }
  std::vector<std::string> seen = cells.unvisited();
  std::erase_if(seen, [&](const std::string& row) { return std::find(rare.begin(), rare.end(), row) != rare.end(); });
  std::sort(told.begin(), told.end());
  std::sort(seen.begin(), seen.end());
  bool good = in.is_open() && told == seen;
  for (const std::string& one : seen) {
    if (!std::binary_search(told.begin(), told.end(), one)) std::printf("no machine took: %s\n", one.c_str());
  }
  for (const std::string& one : told) {
    if (!std::binary_search(seen.begin(), seen.end(), one)) std::printf("is taken after all: %s\n", one.c_str());
  }
  return good;
}

int run(const Wishes& wishes) {
  sip::Cells cells;
  std::vector<Runner> runners;
  for (const Which world : wishes.worlds) runners.emplace_back(world, wishes, cells);
  const auto time_left = [&] {
    double spent = 0;
    for (const Runner& runner : runners) spent += runner.seconds();
    return spent < static_cast<double>(wishes.seconds);
  };
  bool good = true;
  // The worlds have the same time, or the same seeds.
  while (good && (wishes.seconds != 0 ? time_left() : runners.back().done() < wishes.count)) {
    const auto by_time = [](const Runner& a, const Runner& b) { return a.seconds() < b.seconds(); };
    const auto by_seeds = [](const Runner& a, const Runner& b) { return a.done() < b.done(); };
    good = (wishes.seconds != 0 ? std::min_element(runners.begin(), runners.end(), by_time)
                                : std::min_element(runners.begin(), runners.end(), by_seeds))
               ->next();
  }
  std::uint64_t failures = 0;
  for (const Runner& runner : runners) {
    if (runner.caught()) return 0;
    failures += runner.failures();
  }
  if (wishes.caught) {
    std::printf("FAIL: %s was not caught in %llu seeds\n", wishes.plant.c_str(),
                static_cast<Wide>(runners.front().done()));
    return 1;
  }
  if (!good) return 1;
  for (const Runner& runner : runners) runner.report();
  if (wishes.cell_counts) {
    for (const auto& [machines, row] : cells.counts())
      std::printf("%9llu  %s\n", static_cast<Wide>(machines), row.c_str());
  }
  if (!wishes.cells_file.empty() && !cells_as_told(cells, wishes.cells_file)) return 1;
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace parley::sim

int main(int argc, char** argv) {
  using namespace parley::sim;
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // a failure is seen although the process ends early
  // Freed heap memory is poisoned like the pool's blocks.
  mallopt(M_PERTURB, 0xdb);
  program = argv[0];
  Wishes wishes;
  if (!read(argc, argv, wishes)) {
    std::fputs(usage, stderr);
    return 2;
  }
  std::signal(SIGABRT, on_abort);
  std::signal(SIGSEGV, on_abort);
  return run(wishes);
}
