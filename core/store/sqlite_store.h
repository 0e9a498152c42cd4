// core/store/sqlite_store.h - the store in a directory of this host: one SQLite file, one thread that alone writes it.
//
// Operations wait in a bounded queue without a lock; the thread takes up to 256 of them, or what came in a millisecond, and
// commits them together. What the disk refuses is answered so where somebody waits to hear that it is stored, and so is
// whatever comes then; the rest is tried again until it is taken, oldest first, while the queue lasts: a full disk costs
// nothing that fits into it. The log of the file is moved into it by a second connection, off the way of commits. Bodies of
// large messages are files in bodies/ beside it (body_files.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/store/store.h"
#include "core/time.h"

namespace parley::core {

struct SqliteStoreConfig {
  std::string directory;  // made if it is not there; its parent has to be
  std::uint32_t waiting_max = 1'000'000;         // operations, about 1 KiB each; twice as many when half take something out
  std::uint64_t waiting_bytes_max = 256 << 20;  // of messages among them
  std::uint64_t wal_max_bytes = 256 << 20;  // above it commits wait for one checkpoint
  std::int64_t sessions_ms_max = 24 * 3'600'000;  // how long sessions that no process has any more are remembered
  Duration retry = std::chrono::milliseconds(200);
  // From the store's thread: something an operator has to know, once when it begins and once when it is over.
  std::function<void(bool good, std::string text)> tell{};
  // Whatever a shard waits for, from the store's thread or, when it has no room, from the shard's own.
  std::function<void(std::uint32_t shard, std::vector<StoreResult>&& results)> answer{};
};

// For reports. Each a count since the start but the last two.
struct StoreCounts {
  std::uint64_t committed = 0;   // operations
  std::uint64_t commits = 0;     // of batches
  std::uint64_t failures = 0;    // commits that the disk refused, and that are tried again
  std::uint64_t dropped = 0;     // operations that found the queue full, or that it could not do
  std::uint64_t waiting = 0;
  std::uint64_t wal_bytes = 0;  // of the log, while some of it has still to be moved
};

class SqliteStore final : public StoreSink {
 public:
  // Null and a sentence when the directory can not be used: not ours, of a later version, damaged, read-only.
  static std::unique_ptr<SqliteStore> open(SqliteStoreConfig config, std::string& error);
  // Commits what was submitted, as far as the disk takes it at once, and closes.
  ~SqliteStore() override;

  // What the process before has left, before start(); bindings that are over at `now_ms` are taken out. Empty, or what went
  // wrong.
  [[nodiscard]] std::string read(std::int64_t now_ms, StoreContents& contents);
  // From here on operations are taken.
  void start();

  void submit(std::uint32_t shard, std::vector<StoreOp>& ops) override;
  [[nodiscard]] StoreCounts counts() const;  // by any thread
  // As back_up() says (backup.h).
  [[nodiscard]] std::string backup(std::string& made) const;
  // Until everything submitted before is on the disk; false: not within `limit`. For tests and backups.
  [[nodiscard]] bool flush(Duration limit);

 private:
  struct State;
  explicit SqliteStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace parley::core
