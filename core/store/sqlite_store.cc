// core/store/sqlite_store.cc - see sqlite_store.h.
#include "core/store/sqlite_store.h"

#include <concurrentqueue/blockingconcurrentqueue.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>

#include "core/store/binding_table.h"
#include "core/store/schema.h"
#include "core/store/sqlite.h"

namespace parley::core {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t batch_max = 256;
constexpr Duration gather = std::chrono::milliseconds(1);
constexpr Duration checkpoint_every = std::chrono::seconds(1);
constexpr std::int64_t page_bytes = 4096;

// Bits that SQLite keeps apart for the reason of a failure.
int primary(int result) { return result & 0xff; }

}  // namespace

struct SqliteStore::State {
  SqliteStoreConfig config;
  Sqlite writer;
  Sqlite checkpointer;  // its own connection: a commit never waits for it
  BindingTable bindings;
  moodycamel::BlockingConcurrentQueue<StoreOp> queue;
  std::thread thread;
  std::thread checkpoint_thread;
  std::mutex mutex;  // of the two that end the checkpoints
  std::condition_variable ends;
  bool over = false;
  std::atomic<bool> ending{false};
  std::atomic<std::uint64_t> submitted{0};
  std::atomic<std::uint64_t> committed{0};
  std::atomic<std::uint64_t> commits{0};
  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<std::uint64_t> wal_bytes{0};

  std::vector<StoreOp> batch;
  bool troubled = false;  // the last commit was refused

  void run();
  void run_checkpoints();
  void take_batch();
  [[nodiscard]] int commit();
  [[nodiscard]] int carry_out(const StoreOp& op);
  void note(int result);
  void checkpoint(Sqlite& by, int mode);
};

std::unique_ptr<SqliteStore> SqliteStore::open(SqliteStoreConfig config, std::string& error) {
  if (::mkdir(config.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    error = config.directory + ": " + std::strerror(errno);
    return nullptr;
  }
  const std::string file = config.directory + "/parley.db";
  auto state = std::make_unique<State>();
  state->config = std::move(config);
  if (error = state->writer.open(file); !error.empty()) return nullptr;
  if (error = migrate(state->writer); !error.empty()) {
    error = file + ": " + error;
    return nullptr;
  }
  if (error = state->checkpointer.open(file); !error.empty()) return nullptr;
  if (!state->bindings.prepare(state->writer)) {
    error = file + ": " + state->writer.last_error();
    return nullptr;
  }
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(state)));
}

SqliteStore::SqliteStore(std::unique_ptr<State> state) : state_(std::move(state)) {}

SqliteStore::~SqliteStore() {
  if (!state_->thread.joinable()) return;
  state_->ending.store(true);
  state_->queue.enqueue(StoreOp{.kind = StoreOp::Kind::remove_binding, .binding = {}});  // wakes it: a row that no aor has
  state_->thread.join();
  {
    const std::lock_guard lock(state_->mutex);
    state_->over = true;
  }
  state_->ends.notify_one();
  state_->checkpoint_thread.join();
  state_->checkpoint(state_->writer, SQLITE_CHECKPOINT_TRUNCATE);
}

std::string SqliteStore::for_each_binding(std::int64_t now_ms, const std::function<void(BindingRow&&)>& visit) {
  State& s = *state_;
  if (s.bindings.remove_expired(now_ms) != SQLITE_OK || s.bindings.for_each(visit) != SQLITE_OK) {
    return s.config.directory + ": " + s.writer.last_error();
  }
  return "";
}

void SqliteStore::start() {
  state_->thread = std::thread([state = state_.get()] {
    pthread_setname_np(pthread_self(), "store");
    state->run();
  });
  state_->checkpoint_thread = std::thread([state = state_.get()] {
    pthread_setname_np(pthread_self(), "checkpoint");
    state->run_checkpoints();
  });
}

void SqliteStore::submit(std::uint32_t, std::vector<StoreOp>& ops) {
  State& s = *state_;
  const std::uint64_t waiting = s.submitted.load(std::memory_order_relaxed) - s.committed.load(std::memory_order_relaxed);
  if (waiting + ops.size() > s.config.waiting_max) {
    s.dropped.fetch_add(ops.size(), std::memory_order_relaxed);
  } else {
    s.submitted.fetch_add(ops.size(), std::memory_order_relaxed);
    s.queue.enqueue_bulk(std::make_move_iterator(ops.begin()), ops.size());
  }
  ops.clear();
}

StoreCounts SqliteStore::counts() const {
  const State& s = *state_;
  const auto read = [](const std::atomic<std::uint64_t>& cell) { return cell.load(std::memory_order_relaxed); };
  const std::uint64_t committed = read(s.committed);  // first: the other one is never behind it
  return {.committed = committed,
          .commits = read(s.commits),
          .failures = read(s.failures),
          .dropped = read(s.dropped),
          .waiting = read(s.submitted) - committed,
          .wal_bytes = read(s.wal_bytes)};
}

bool SqliteStore::flush(Duration limit) {
  const std::uint64_t wanted = state_->submitted.load();
  for (const auto until = Clock::now() + limit; Clock::now() < until;) {
    if (state_->committed.load() >= wanted) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

// --- on the store's thread

void SqliteStore::State::run() {
  for (;;) {
    take_batch();
    if (!batch.empty()) {
      const int result = commit();
      note(result);
      if (result == SQLITE_OK) {
        commits.fetch_add(1, std::memory_order_relaxed);
        committed.fetch_add(batch.size(), std::memory_order_release);
        batch.clear();
      } else if (ending.load()) {
        break;  // the disk takes nothing, and nobody waits for it any more
      } else {
        std::this_thread::sleep_for(config.retry);
      }
    }
    if (ending.load() && batch.empty() && submitted.load() == committed.load()) break;
    // One that never pauses lets nobody else begin the log anew.
    if (wal_bytes.load(std::memory_order_relaxed) > config.wal_max_bytes) checkpoint(writer, SQLITE_CHECKPOINT_RESTART);
  }
}

void SqliteStore::State::run_checkpoints() {
  std::unique_lock lock(mutex);
  while (!ends.wait_for(lock, checkpoint_every, [this] { return over; })) {
    lock.unlock();
    checkpoint(checkpointer, SQLITE_CHECKPOINT_PASSIVE);
    lock.lock();
  }
}

// Leaves a batch that was refused as it is.
void SqliteStore::State::take_batch() {
  if (!batch.empty()) return;
  batch.resize(batch_max);
  std::size_t count = queue.wait_dequeue_bulk_timed(batch.begin(), batch_max, checkpoint_every);
  const auto until = Clock::now() + gather;
  while (count != 0 && count < batch_max && !ending.load(std::memory_order_relaxed)) {
    const auto left = until - Clock::now();
    if (left <= Clock::duration::zero()) break;
    count += queue.wait_dequeue_bulk_timed(batch.begin() + static_cast<std::ptrdiff_t>(count), batch_max - count, left);
  }
  batch.resize(count);
  // What only wakes was never submitted.
  std::erase_if(batch, [](const StoreOp& op) { return op.binding.aor.empty(); });
}

int SqliteStore::State::commit() {
  int result = writer.run("BEGIN IMMEDIATE");
  for (std::size_t i = 0; result == SQLITE_OK && i < batch.size(); ++i) result = carry_out(batch[i]);
  if (result == SQLITE_OK) result = writer.run("COMMIT");
  if (result != SQLITE_OK) writer.run("ROLLBACK");
  return result;
}

int SqliteStore::State::carry_out(const StoreOp& op) {
  switch (op.kind) {
    case StoreOp::Kind::put_binding: return bindings.put(op.binding);
    case StoreOp::Kind::remove_binding: return bindings.remove(op.binding.aor, op.binding.id);
  }
  return SQLITE_MISUSE;
}

void SqliteStore::State::note(int result) {
  const bool bad = result != SQLITE_OK;
  if (bad) failures.fetch_add(1, std::memory_order_relaxed);
  if (bad == troubled) return;
  troubled = bad;
  if (!config.tell) return;
  config.tell(!bad, bad ? "store refuses to commit: " + std::string(sqlite3_errstr(primary(result))) +
                              "; it is tried again, the queue holds " + std::to_string(config.waiting_max)
                        : std::string("store commits again"));
}

void SqliteStore::State::checkpoint(Sqlite& by, int mode) {
  int frames = 0;
  int moved = 0;
  // Busy only says that a reader holds some of it back.
  const int result = sqlite3_wal_checkpoint_v2(by.raw(), nullptr, mode, &frames, &moved);
  if (primary(result) != SQLITE_OK && primary(result) != SQLITE_BUSY) return;
  // What has been moved whole is written over from its beginning.
  wal_bytes.store(frames <= moved ? 0 : static_cast<std::uint64_t>(frames) * page_bytes, std::memory_order_relaxed);
}

}  // namespace parley::core
