// tools/parley-load/run_workers.h - the workers of a load, each on a thread of its own, the first on the caller's.
#pragma once

#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

#include "tools/parley-load/process.h"

namespace parley::load {

// False: one of them could not set up, and has said why. `monitor` is run by the first.
template <typename Options, typename Workers, typename Monitor>
[[nodiscard]] bool run_workers(const Options& options, Workers& workers, Monitor& monitor) {
  std::vector<std::thread> threads;
  for (uint32_t i = 1; i < options.threads; ++i) {
    threads.emplace_back([&, i] {
      if (options.cpu >= 0) pin(options.cpu + static_cast<int>(i));
      workers[i]->run(nullptr);
    });
  }
  if (options.cpu >= 0) pin(options.cpu);
  workers[0]->run(&monitor);
  for (std::thread& thread : threads) thread.join();
  for (const auto& worker : workers) {
    if (!worker->setup_failed()) continue;
    std::fprintf(stderr, "parley-load: set-up failed: %s\n", worker->setup_error().c_str());
    return false;
  }
  return true;
}

}  // namespace parley::load
