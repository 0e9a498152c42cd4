// tests/sim/scenario.h - the workload of a seed: who is there, who talks to whom, what they send; then the run itself.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/faults.h"

namespace parley::sim {

struct Options {
  std::uint64_t seed = 1;
  bool trace = false;
  Plant plant = Plant::none;
};

struct Outcome {
  std::string failure;         // empty: all held
  std::string shape;           // what the seed was about, for the reader
  std::uint64_t hash = 0;      // of the trace
  std::uint64_t events = 0;
  std::uint64_t faults = 0;
  std::uint64_t deliveries = 0;
  std::uint64_t messages = 0;
  double virtual_seconds = 0;
};

Outcome run_seed(const Options& options);

}  // namespace parley::sim
