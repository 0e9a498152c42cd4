// bench/relay_bench.cc - the whole worker without a kernel: one SEND in, the forwarded SEND and two 200s, per message.
#include <benchmark/benchmark.h>

#include "tests/relay/driver.h"

namespace parley::testing {
namespace {

// `batch` SENDs arrive in one read, as from a pipelining sender; the receiver's 200s come back in one read.
void relay_messages(benchmark::State& state) {
  BurstDriver driver(static_cast<std::size_t>(state.range(0)), static_cast<int>(state.range(1)));
  for (auto _ : state) driver.run();
  state.SetItemsProcessed(state.iterations() * state.range(1));
}

BENCHMARK(relay_messages)->Args({100, 1})->Args({100, 16})->Args({1024, 16})->Args({10000, 4});

}  // namespace
}  // namespace parley::testing
