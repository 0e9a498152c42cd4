// bench/session_table_bench.cc - lookups per second of one core, alone and with a writer on another core beside it.
// Goals: 20 M/s at 64 Ki keys and 8 M/s at 1 Mi keys with a writer. The argument is the number of live keys; `writes/s`
// is what the writer got done meanwhile (inserts and erases of keys of its own). Lookups are per second of CPU time.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "core/check.h"
#include "core/random.h"
#include "core/session_table.h"

namespace {

using parley::core::Place;
using parley::core::Random;
using parley::core::Seed;
using parley::core::SessionTable;

struct Filled {
  std::unique_ptr<SessionTable> table;
  std::vector<std::uint64_t> keys;     // live, in insertion order
  std::vector<std::uint64_t> asked;    // the same in random order
  std::vector<std::uint64_t> unknown;  // not live
};

Filled fill(std::uint32_t count) {
  Random random(Seed{1});
  Filled filled;
  filled.table = std::make_unique<SessionTable>(count, random.next());
  for (std::uint32_t i = 0; i < count; ++i) {
    filled.keys.push_back(random.next() | 1);
    filled.unknown.push_back(random.next() | 1);
    CHECK(filled.table->insert(filled.keys.back(), Place{1, i, 1}) == SessionTable::Insert::done);
  }
  for (std::uint32_t i = 0; i < count; ++i) filled.asked.push_back(filled.keys[random.uniform(count)]);
  return filled;
}

// Keeps 256 keys coming and going until it is destroyed. Its keys come on top of a table at capacity.
class Writer {
 public:
  explicit Writer(SessionTable& table)
      : thread_([this, &table] {
          std::vector<std::uint64_t> keys(256);
          Random random(Seed{2});
          std::size_t at = 0;
          while (!stop_.load(std::memory_order_relaxed)) {
            if (keys[at] != 0) table.erase(keys[at]);
            keys[at] = random.next() & ~1ULL;
            if (table.insert(keys[at], Place{2, 3, 5}) != SessionTable::Insert::done) keys[at] = 0;
            at = (at + 1) % keys.size();
            writes_.store(writes_.load(std::memory_order_relaxed) + 2, std::memory_order_relaxed);
          }
          for (const std::uint64_t key : keys) table.erase(key);
        }) {}
  ~Writer() {
    stop_.store(true);
    thread_.join();
  }
  [[nodiscard]] double writes() const { return static_cast<double>(writes_.load(std::memory_order_relaxed)); }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> writes_{0};
  std::thread thread_;
};

void run(benchmark::State& state, const SessionTable& table, const std::vector<std::uint64_t>& asked, bool known) {
  std::size_t at = 0;
  std::uint64_t found = 0;
  for (auto _ : state) {
    found += table.lookup(asked[at]).has_value() ? 1U : 0U;
    if (++at == asked.size()) at = 0;
  }
  CHECK(found == (known ? static_cast<std::uint64_t>(state.iterations()) : 0));
  state.SetItemsProcessed(state.iterations());
}

void lookup(benchmark::State& state) {
  const Filled filled = fill(static_cast<std::uint32_t>(state.range(0)));
  run(state, *filled.table, filled.asked, true);
}

void lookup_beside_writer(benchmark::State& state) {
  const Filled filled = fill(static_cast<std::uint32_t>(state.range(0)));
  const Writer writer(*filled.table);
  const double before = writer.writes();
  const auto start = std::chrono::steady_clock::now();
  run(state, *filled.table, filled.asked, true);
  // By the wall clock: the reader's CPU time says nothing about the writer.
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  state.counters["writes/s"] = (writer.writes() - before) / seconds.count();
}

void lookup_of_unknown_keys_beside_writer(benchmark::State& state) {
  const Filled filled = fill(static_cast<std::uint32_t>(state.range(0)));
  const Writer writer(*filled.table);
  run(state, *filled.table, filled.unknown, false);
}

// Each lookup waits for the one before: the latency of one, not the throughput of many.
void dependent_lookup_beside_writer(benchmark::State& state) {
  const Filled filled = fill(static_cast<std::uint32_t>(state.range(0)));
  const Writer writer(*filled.table);
  std::size_t at = 0;
  for (auto _ : state) {
    const auto place = filled.table->lookup(filled.asked[at]);
    at += place->generation;  // always 1, but only the lookup knows
    if (at == filled.asked.size()) at = 0;
  }
  state.SetItemsProcessed(state.iterations());
}

void insert_and_erase(benchmark::State& state) {
  const Filled filled = fill(static_cast<std::uint32_t>(state.range(0)));
  Random random(Seed{3});
  for (auto _ : state) {
    const std::uint64_t key = random.next() & ~1ULL;
    benchmark::DoNotOptimize(filled.table->insert(key, Place{1, 1, 1}));
    filled.table->erase(key);
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(lookup)->Arg(1 << 16)->Arg(1 << 20);
BENCHMARK(lookup_beside_writer)->Arg(1 << 16)->Arg(1 << 20);
BENCHMARK(lookup_of_unknown_keys_beside_writer)->Arg(1 << 16)->Arg(1 << 20);
BENCHMARK(dependent_lookup_beside_writer)->Arg(1 << 16)->Arg(1 << 20);
BENCHMARK(insert_and_erase)->Arg(1 << 16)->Arg(1 << 20);

}  // namespace
