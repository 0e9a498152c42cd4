// bench/store_bench.cc - messages that wait for a user, on the disk: what SqliteStore takes in a second, beside a loop that
// does nothing but put the same rows into the same table of the same disk, as many in a transaction.
//
//   PARLEY_BENCH_DIR    where the files are made (default: the current directory; /tmp may be no disk)
#include <benchmark/benchmark.h>
#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/store/deferred_table.h"
#include "core/store/schema.h"
#include "core/store/sqlite.h"
#include "core/store/sqlite_store.h"

namespace parley {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t batch = 256;
constexpr std::uint32_t users = 10'000;

std::string directory() {
  const char* const base = std::getenv("PARLEY_BENCH_DIR");
  std::string made = std::string(base == nullptr ? "." : base) + "/parley-bench-XXXXXX";
  return ::mkdtemp(made.data()) == nullptr ? std::string() : made;
}

core::DeferredRow row(std::uint64_t id) {
  const std::string number = std::to_string(id);
  return {.id = id,
          .aor = "sip:user" + std::to_string(id * 7919 % users) + "@example.org",
          .sender = "sip:alice@example.org",
          .key = std::to_string(id * 0x9e3779b97f4a7c15U) + number,
          .message_id = "message-" + number,
          .notices = 1,
          .arrived_ms = 1'700'000'000'000 + static_cast<std::int64_t>(id),
          .expires_ms = 1'700'600'000'000 + static_cast<std::int64_t>(id),
          .head = "From: \"Alice\" <sip:alice@example.org>;tag=12345\r\nContent-Type: message/cpim\r\nDate: Tue, 14 Nov 2023 "
                  "22:13:20 GMT\r\n",
          .body = std::string(400, 'x')};
}

// One thread, one connection, 256 rows a transaction.
void raw_group_commit(benchmark::State& state) {
  const std::string where = directory();
  {
    core::Sqlite db;
    core::Statement put;
    if (!db.open(where + "/parley.db").empty() || !core::migrate(db).empty()) {
      state.SkipWithError("no file");
      return;
    }
    put = db.prepare(
        "INSERT INTO deferred(id, aor, sender, key, message_id, notices, arrived_ms, expires_ms, head, body, claim) "
        "VALUES(?,?,?,?,?,?,?,?,?,?,0)");
    std::uint64_t id = 0;
    std::vector<core::DeferredRow> rows;
    for (auto _ : state) {
      rows.clear();
      for (std::uint32_t i = 0; i < batch; ++i) rows.push_back(row(++id));
      db.run("BEGIN IMMEDIATE");
      for (const core::DeferredRow& d : rows) {
        put.put(static_cast<std::int64_t>(d.id)).put(d.aor).put(d.sender).put_bytes(d.key).put(d.message_id);
        put.put(d.notices).put(d.arrived_ms).put(d.expires_ms).put(d.head).put_bytes(d.body);
        if (put.run() != SQLITE_OK) state.SkipWithError("a row was refused");
      }
      if (db.run("COMMIT") != SQLITE_OK) state.SkipWithError("a commit was refused");
      if (id % (batch * 64) == 0) sqlite3_wal_checkpoint_v2(db.raw(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(id));
  }
  std::filesystem::remove_all(where);
}
BENCHMARK(raw_group_commit)->UseRealTime()->MinTime(3.0);

// As shards use it: 4096 messages wait for their answers at any time.
void store_deferred(benchmark::State& state) {
  const std::string where = directory();
  {
    std::atomic<std::uint64_t> answered{0};
    std::atomic<std::uint64_t> refused{0};
    std::string error;
    auto store = core::SqliteStore::open(
        {.directory = where,
         .answer =
             [&](std::uint32_t, std::vector<core::StoreResult>&& results) {
               for (const core::StoreResult& result : results) {
                 if (result.status != core::StoreResult::Status::done) refused.fetch_add(1);
               }
               answered.fetch_add(results.size(), std::memory_order_release);
             }},
        error);
    if (store == nullptr) {
      state.SkipWithError(error.c_str());
      return;
    }
    store->start();
    std::uint64_t id = 0;
    std::vector<core::StoreOp> ops;
    for (auto _ : state) {
      for (std::uint32_t i = 0; i < batch; ++i) {
        ++id;
        ops.push_back({id, core::PutDeferred{row(id), 500, 50 << 20}});
      }
      while (id - answered.load(std::memory_order_acquire) > 4096) std::this_thread::sleep_for(100us);
      store->submit(0, ops);
    }
    while (answered.load(std::memory_order_acquire) < id) std::this_thread::sleep_for(100us);
    if (refused.load() != 0) state.SkipWithError("a row was refused");
    state.SetItemsProcessed(static_cast<std::int64_t>(id));
    const core::StoreCounts counts = store->counts();
    state.counters["per_commit"] = static_cast<double>(counts.committed) / static_cast<double>(counts.commits);
  }
  std::filesystem::remove_all(where);
}
BENCHMARK(store_deferred)->UseRealTime()->MinTime(3.0);

}  // namespace
}  // namespace parley
