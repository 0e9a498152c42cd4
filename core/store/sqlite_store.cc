// core/store/sqlite_store.cc - see sqlite_store.h.
#include "core/store/sqlite_store.h"

#include <concurrentqueue/blockingconcurrentqueue.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <iterator>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>

#include "core/side_thread.h"
#include "core/store/backup.h"
#include "core/store/binding_table.h"
#include "core/store/body_files.h"
#include "core/store/deferred_table.h"
#include "core/store/history_table.h"
#include "core/store/schema.h"
#include "core/store/sending_table.h"
#include "core/store/sqlite.h"
#include "core/store/publication_table.h"
#include "core/store/im_session_table.h"
#include "core/store/subscription_table.h"
#include "core/store/system_message_table.h"
#include "core/store/xcap_table.h"

namespace parley::core {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t batch_max = 256;
constexpr Duration gather = std::chrono::milliseconds(1);
constexpr Duration checkpoint_every = std::chrono::seconds(1);
constexpr std::int64_t page_bytes = 4096;
constexpr int restart_wait_ms = 50;

// Bits that SQLite keeps apart for the reason of a failure.
int primary(int result) { return result & 0xff; }

// Takes room that other operations may need.
bool adds(const StoreOp& op) {
  return std::holds_alternative<PutBinding>(op.what) || std::holds_alternative<PutDeferred>(op.what) ||
         std::holds_alternative<PutSending>(op.what) || std::holds_alternative<PutSystemMessage>(op.what) ||
         std::holds_alternative<PutPublication>(op.what) || std::holds_alternative<PutSession>(op.what) ||
         std::holds_alternative<PutXcap>(op.what) || std::holds_alternative<PutSubscription>(op.what) ||
         std::holds_alternative<LoadDeferred>(op.what) || std::holds_alternative<LoadMessage>(op.what) ||
         std::holds_alternative<AskDeferred>(op.what) || std::holds_alternative<LoadExpired>(op.what) ||
         std::holds_alternative<LoadExpiring>(op.what) || std::holds_alternative<FindDeferred>(op.what) ||
         std::holds_alternative<PutHistory>(op.what) || std::holds_alternative<AddHistoryMessage>(op.what) ||
         std::holds_alternative<LoadHistories>(op.what) || std::holds_alternative<LoadHistoryMessages>(op.what) ||
         std::holds_alternative<FindHistory>(op.what) ||
         std::holds_alternative<FindMessage>(op.what);
}

// What it costs to keep one waiting, besides the operation itself.
std::uint64_t bytes_of(const StoreOp& op) {
  if (const auto* put = std::get_if<PutDeferred>(&op.what)) return put->row.head.size() + put->row.body.size();
  if (const auto* put = std::get_if<PutXcap>(&op.what)) return put->row.body.size();
  if (const auto* put = std::get_if<PutSending>(&op.what)) {
    std::uint64_t bytes = put->row.head.size() + put->row.body.size();
    for (const SendingRow::Copy& copy : put->row.copies) bytes += sizeof copy + copy.uri.size();
    return bytes;
  }
  if (const auto* put = std::get_if<PutPublication>(&op.what)) return put->row.body.size();
  if (const auto* put = std::get_if<PutSession>(&op.what)) return put->row.members.size();
  if (const auto* put = std::get_if<PutSubscription>(&op.what)) {
    const SubscriptionRow& row = put->row;
    return row.call_id.size() + row.local.size() + row.remote.size() + row.target.size() + row.routes.size() + row.contact.size();
  }
  if (const auto* put = std::get_if<PutHistory>(&op.what)) return put->row.people.size();
  if (const auto* add = std::get_if<AddHistoryMessage>(&op.what)) return add->body == nullptr ? 0 : add->body->size();
  return 0;
}

// What nobody was promised: it leaves half of the room to what somebody was.
bool is_history(const StoreOp& op) {
  return std::holds_alternative<PutHistory>(op.what) || std::holds_alternative<AddHistoryMessage>(op.what);
}
// A body that several record waits once; they come one behind the other.
const std::string* shared_body(const StoreOp& op) {
  const auto* const add = std::get_if<AddHistoryMessage>(&op.what);
  return add == nullptr ? nullptr : add->body.get();
}

}  // namespace

struct SqliteStore::State {
  ~State() {
    if (lock >= 0) ::close(lock);
  }
  SqliteStoreConfig config;
  int lock = -1;  // of the directory, for as long as this process has it
  Sqlite writer;
  Sqlite checkpointer;  // its own connection: a commit never waits for it
  BindingTable bindings;
  DeferredTable deferred;
  SendingTable sendings;
  SystemMessageTable system_messages;
  PublicationTable publications;
  ImSessionTable sessions;
  SubscriptionTable subscriptions;
  XcapTable xcap_documents;
  HistoryTable histories;
  std::unique_ptr<BodyFiles> bodies;
  // `shard` of an operation that only wakes the thread.
  static constexpr std::uint32_t nobody = 0xffffffffU;
  struct Submitted {
    std::uint32_t shard = nobody;
    StoreOp op;
    std::uint64_t bytes = 0;  // that it keeps waiting
  };
  moodycamel::BlockingConcurrentQueue<Submitted> queue;
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
  std::atomic<std::uint64_t> refused{0};        // of those that are counted as committed: they wait no more
  std::atomic<std::uint64_t> waiting_bytes{0};  // of texts in the queue and the batch
  std::atomic<std::uint64_t> wal_bytes{0};
  std::atomic<bool> refusing{false};  // the last commit was refused, and what waits for another one is not to be added to
  bool troubled = false;              // the same, until one succeeds

  Clock::time_point next_restart{};
  std::vector<Submitted> next;  // where the queue puts them, batch_max always: they are large, and made once
  std::vector<Submitted> batch;
  std::vector<std::vector<StoreResult>> results;  // of this batch, by shard

  void run();
  void run_checkpoints();
  void take_batch();
  [[nodiscard]] int commit();
  [[nodiscard]] int carry_out(const Submitted& submitted);
  [[nodiscard]] int carry_out(const StoreOp& op, StoreResult& result);
  void answer();
  void refuse_adding();
  void forget_batch();
  void begin_log_anew();
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
  state->lock = ::open((state->config.directory + "/lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (state->lock < 0 || ::flock(state->lock, LOCK_EX | LOCK_NB) != 0) {
    const bool taken = state->lock >= 0 && errno == EWOULDBLOCK;
    error = state->config.directory;
    error += taken ? ": another process has it; each parleyd needs a directory of its own"
                   : "/lock: " + std::string(std::strerror(errno));
    return nullptr;
  }
  remove_broken_backups(state->config.directory);
  // Messages are nobody else's; what lies beside the file takes after it.
  const int made = ::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (made >= 0) {
    (void)::fchmod(made, 0600);
    ::close(made);
  }
  if (error = state->writer.open(file); !error.empty()) return nullptr;
  if (error = migrate(state->writer); !error.empty()) {
    error = file + ": " + error;
    return nullptr;
  }
  if (error = state->checkpointer.open(file); !error.empty()) return nullptr;
  if (!state->bindings.prepare(state->writer) || !state->deferred.prepare(state->writer) ||
      !state->sendings.prepare(state->writer) || !state->system_messages.prepare(state->writer) ||
      !state->publications.prepare(state->writer) || !state->sessions.prepare(state->writer) ||
      !state->subscriptions.prepare(state->writer) || !state->xcap_documents.prepare(state->writer) ||
      !state->histories.prepare(state->writer)) {
    error = file + ": " + state->writer.last_error();
    return nullptr;
  }
  state->bodies = BodyFiles::open({.directory = state->config.directory + "/bodies",
                                   .waiting_bytes_max = state->config.waiting_bytes_max,
                                   .answer = state->config.answer},
                                  error);
  if (state->bodies == nullptr) return nullptr;
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(state)));
}

SqliteStore::SqliteStore(std::unique_ptr<State> state) : state_(std::move(state)) {}

SqliteStore::~SqliteStore() {
  if (!state_->thread.joinable()) return;
  state_->ending.store(true);
  state_->queue.enqueue({});  // wakes it
  state_->thread.join();
  {
    const std::lock_guard lock(state_->mutex);
    state_->over = true;
  }
  state_->ends.notify_one();
  state_->checkpoint_thread.join();
  state_->checkpoint(state_->writer, SQLITE_CHECKPOINT_TRUNCATE);
}

std::string SqliteStore::read(std::int64_t now_ms, StoreContents& contents) {
  State& s = *state_;
  const bool good =
      s.bindings.remove_expired(now_ms) == SQLITE_OK &&
      s.bindings.for_each([&](BindingRow&& row) { contents.bindings.push_back(std::move(row)); }) == SQLITE_OK &&
      s.deferred.for_each_user([&](std::string_view aor) { contents.deferred_users.emplace_back(aor); }) == SQLITE_OK &&
      s.sendings.for_each([&](SendingRow&& row) { contents.sendings.push_back(std::move(row)); }) == SQLITE_OK &&
      s.system_messages.for_each([&](SystemMessageRow&& row) { contents.system_messages.push_back(std::move(row)); }) == SQLITE_OK &&
      s.publications.remove_expired(now_ms) == SQLITE_OK &&
      s.publications.for_each([&](PublicationRow&& row) { contents.publications.push_back(std::move(row)); }) == SQLITE_OK &&
      s.histories.end_left() == SQLITE_OK &&
      s.sessions.leave(now_ms, now_ms - s.config.sessions_ms_max) == SQLITE_OK &&
      s.sessions.for_each([&](SessionRow&& row) { contents.sessions.push_back(std::move(row)); }) == SQLITE_OK &&
      s.subscriptions.remove_expired(now_ms) == SQLITE_OK && s.subscriptions.step() == SQLITE_OK &&
      s.subscriptions.for_each([&](SubscriptionRow&& row) { contents.subscriptions.push_back(std::move(row)); }) == SQLITE_OK &&
      s.xcap_documents.for_each([&](XcapRow&& row) { contents.xcap_documents.push_back(std::move(row)); }) == SQLITE_OK;
  std::vector<std::uint64_t> bodies;
  if (!good || s.deferred.for_each_body([&](std::uint64_t id) { bodies.push_back(id); }) != SQLITE_OK) {
    return s.config.directory + ": " + s.writer.last_error();
  }
  std::sort(bodies.begin(), bodies.end());
  (void)s.bodies->keep_only(bodies);  // what was not whole when the process ended, or not removed yet
  contents.newest_id = std::max({s.deferred.newest_id(), s.sendings.newest_id(), s.system_messages.newest_id(),
                                 s.histories.newest_id()});
  return "";
}

void SqliteStore::start() {
  state_->bodies->start();
  state_->thread = std::thread([state = state_.get()] {
    begin_side_thread("store");
    state->run();
  });
  state_->checkpoint_thread = std::thread([state = state_.get()] {
    begin_side_thread("checkpoint");
    state->run_checkpoints();
  });
}

void SqliteStore::submit(std::uint32_t shard, std::vector<StoreOp>& ops) {
  State& s = *state_;
  const std::uint64_t committed = s.committed.load(std::memory_order_acquire);  // first: the other one is never behind it
  const std::uint64_t waiting = s.submitted.load(std::memory_order_relaxed) - committed;
  const std::uint64_t bytes = s.waiting_bytes.load(std::memory_order_relaxed);
  const bool refusing = s.refusing.load(std::memory_order_relaxed);
  std::vector<State::Submitted> taken;
  taken.reserve(ops.size());
  std::vector<StoreResult> refused;
  std::uint64_t taken_bytes = 0;
  const std::string* last_body = nullptr;
  for (StoreOp& op : ops) {
    if (BodyFiles::takes(op)) {
      const std::uint64_t token = op.token;
      if (s.bodies->submit(shard, std::move(op))) continue;
      s.dropped.fetch_add(1, std::memory_order_relaxed);
      if (token != 0) refused.push_back({.token = token, .status = StoreResult::Status::refused});
      continue;
    }
    const bool adding = adds(op);
    const std::uint64_t part = is_history(op) ? 2 : 1;
    const std::uint64_t room = adding ? s.config.waiting_max / part : 2ULL * s.config.waiting_max;
    const std::string* const body = shared_body(op);
    const std::uint64_t size = body != nullptr && body == last_body ? 0 : bytes_of(op);
    const bool fits =
        waiting + taken.size() < room && (!adding || bytes + taken_bytes + size <= s.config.waiting_bytes_max / part);
    if (fits && !(adding && refusing && op.token != 0)) {
      taken_bytes += size;
      last_body = body;
      taken.push_back({shard, std::move(op), size});
      continue;
    }
    s.dropped.fetch_add(1, std::memory_order_relaxed);
    if (op.token != 0) refused.push_back({.token = op.token, .status = StoreResult::Status::refused});
  }
  ops.clear();
  s.submitted.fetch_add(taken.size(), std::memory_order_relaxed);
  s.waiting_bytes.fetch_add(taken_bytes, std::memory_order_relaxed);
  s.queue.enqueue_bulk(std::make_move_iterator(taken.begin()), taken.size());
  if (!refused.empty() && s.config.answer) s.config.answer(shard, std::move(refused));
}

StoreCounts SqliteStore::counts() const {
  const State& s = *state_;
  const auto read = [](const std::atomic<std::uint64_t>& cell) { return cell.load(std::memory_order_relaxed); };
  const std::uint64_t committed = s.committed.load(std::memory_order_acquire);  // first: the other one is never behind it
  return {.committed = committed - std::min(committed, read(s.refused)),
          .commits = read(s.commits),
          .failures = read(s.failures),
          .dropped = read(s.dropped),
          .waiting = read(s.submitted) - committed,
          .wal_bytes = read(s.wal_bytes)};
}

std::string SqliteStore::backup(std::string& made) const { return back_up(state_->config.directory, made); }

bool SqliteStore::flush(Duration limit) {
  const std::uint64_t wanted = state_->submitted.load();
  for (const auto until = Clock::now() + limit; Clock::now() < until;) {
    if (state_->committed.load() >= wanted && state_->bodies->at_rest()) return true;
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
        forget_batch();
        // Whoever was told that they are stored has had them; their rows are gone for good.
        for (const std::uint64_t id : deferred.bodies_left()) bodies->drop(id);
        deferred.bodies_left().clear();
        answer();
      } else if (ending.load()) {
        break;  // the disk takes nothing, and nobody waits for it any more
      } else {
        refuse_adding();
        std::this_thread::sleep_for(config.retry);
        if (batch.empty()) refusing.store(false, std::memory_order_relaxed);  // nothing else would find out
      }
    }
    if (ending.load() && batch.empty() && submitted.load() == committed.load()) break;
    begin_log_anew();
  }
}

// One that never pauses lets nobody else begin the log anew. A reader, a backup say, holds it back as long as it reads; commits
// do not wait for that.
void SqliteStore::State::begin_log_anew() {
  if (wal_bytes.load(std::memory_order_relaxed) <= config.wal_max_bytes || Clock::now() < next_restart) return;
  next_restart = Clock::now() + checkpoint_every;
  sqlite3_busy_timeout(writer.raw(), restart_wait_ms);
  checkpoint(writer, SQLITE_CHECKPOINT_RESTART);
  sqlite3_busy_timeout(writer.raw(), Sqlite::busy_ms);
}

void SqliteStore::State::run_checkpoints() {
  std::unique_lock lock(mutex);
  while (!ends.wait_for(lock, checkpoint_every, [this] { return over; })) {
    lock.unlock();
    checkpoint(checkpointer, SQLITE_CHECKPOINT_PASSIVE);
    lock.lock();
  }
}

// They wait no more.
void SqliteStore::State::forget_batch() {
  std::uint64_t bytes = 0;
  for (const Submitted& submitted : batch) bytes += submitted.bytes;
  waiting_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  committed.fetch_add(batch.size(), std::memory_order_release);
  batch.clear();
}

// Leaves a batch that was refused as it is.
void SqliteStore::State::take_batch() {
  if (!batch.empty()) return;
  next.resize(batch_max);
  std::size_t count = queue.wait_dequeue_bulk_timed(next.begin(), batch_max, checkpoint_every);
  const auto until = Clock::now() + gather;
  while (count != 0 && count < batch_max && !ending.load(std::memory_order_relaxed)) {
    const auto left = until - Clock::now();
    if (left <= Clock::duration::zero()) break;
    count += queue.wait_dequeue_bulk_timed(next.begin() + static_cast<std::ptrdiff_t>(count), batch_max - count, left);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (next[i].shard != nobody) batch.push_back(std::move(next[i]));  // what only wakes was never submitted
  }
}

int SqliteStore::State::commit() {
  for (std::vector<StoreResult>& of_shard : results) of_shard.clear();
  histories.begin_batch();
  int result = writer.run("BEGIN IMMEDIATE");
  for (std::size_t i = 0; result == SQLITE_OK && i < batch.size(); ++i) result = carry_out(batch[i]);
  if (result == SQLITE_OK) result = writer.run("COMMIT");
  if (result != SQLITE_OK) {
    writer.run("ROLLBACK");
    deferred.forget();
    histories.forget();
  }
  return result;
}

// What a row itself is the reason for does not hold up the others.
int SqliteStore::State::carry_out(const Submitted& submitted) {
  StoreResult result{.token = submitted.op.token};
  int code = carry_out(submitted.op, result);
  if (primary(code) == SQLITE_CONSTRAINT || primary(code) == SQLITE_TOOBIG || primary(code) == SQLITE_MISMATCH) {
    dropped.fetch_add(1, std::memory_order_relaxed);
    result.status = StoreResult::Status::refused;
    code = SQLITE_OK;
  }
  if (code == SQLITE_OK && result.token != 0) {
    if (results.size() <= submitted.shard) results.resize(submitted.shard + std::size_t{1});
    results[submitted.shard].push_back(std::move(result));
  }
  return code;
}

int SqliteStore::State::carry_out(const StoreOp& op, StoreResult& result) {
  return std::visit(
      [&](const auto& what) {
        using What = std::decay_t<decltype(what)>;
        if constexpr (std::is_same_v<What, PutBinding>) {
          return bindings.put(what.row);
        } else if constexpr (std::is_same_v<What, RemoveBinding>) {
          return bindings.remove(what.aor, what.id);
        } else if constexpr (std::is_same_v<What, PutDeferred>) {
          return deferred.put(what, result.status);
        } else if constexpr (std::is_same_v<What, RemoveDeferred>) {
          return deferred.remove(what);
        } else if constexpr (std::is_same_v<What, LoadDeferred>) {
          return deferred.load(what, result);
        } else if constexpr (std::is_same_v<What, LoadMessage>) {
          return deferred.load(what, result);
        } else if constexpr (std::is_same_v<What, AskDeferred>) {
          return deferred.ask(what, result);
        } else if constexpr (std::is_same_v<What, WriteBody> || std::is_same_v<What, SyncBody> ||
                             std::is_same_v<What, ReadBody> || std::is_same_v<What, DropBody>) {
          return SQLITE_OK;  // none comes here: see submit()
        } else if constexpr (std::is_same_v<What, LoadExpired>) {
          return deferred.load_expired(what, result);
        } else if constexpr (std::is_same_v<What, LoadExpiring>) {
          return deferred.load_expiring(what, result);
        } else if constexpr (std::is_same_v<What, FindDeferred>) {
          return deferred.find(what, result);
        } else if constexpr (std::is_same_v<What, FindMessage>) {
          return deferred.find(what, result);
        } else if constexpr (std::is_same_v<What, MarkDeferred>) {
          return deferred.mark(what);
        } else if constexpr (std::is_same_v<What, PutSending>) {
          return sendings.put(what.row);
        } else if constexpr (std::is_same_v<What, RemoveCopy>) {
          return sendings.remove_copy(what.sending, what.copy);
        } else if constexpr (std::is_same_v<What, RemoveSending>) {
          return sendings.remove(what.id);
        } else if constexpr (std::is_same_v<What, PutSystemMessage>) {
          return system_messages.put(what.row);
        } else if constexpr (std::is_same_v<What, RemoveSystemMessage>) {
          return system_messages.remove(what.id);
        } else if constexpr (std::is_same_v<What, PutPublication>) {
          return publications.put(what.row);
        } else if constexpr (std::is_same_v<What, RemovePublication>) {
          return publications.remove(what.aor, what.name);
        } else if constexpr (std::is_same_v<What, PutSession>) {
          return sessions.put(what.row);
        } else if constexpr (std::is_same_v<What, RemoveSession>) {
          return sessions.remove(what.name);
        } else if constexpr (std::is_same_v<What, PutSubscription>) {
          return subscriptions.put(what.row);
        } else if constexpr (std::is_same_v<What, RemoveSubscription>) {
          return subscriptions.remove(what.id);
        } else if constexpr (std::is_same_v<What, PutXcap>) {
          return xcap_documents.put(what);
        } else if constexpr (std::is_same_v<What, RemoveXcap>) {
          return xcap_documents.remove(what);
        } else if constexpr (std::is_same_v<What, PutHistory>) {
          return histories.put(what, result);
        } else if constexpr (std::is_same_v<What, EndHistory>) {
          return histories.end(what);
        } else if constexpr (std::is_same_v<What, AddHistoryMessage>) {
          return histories.add(what, result);
        } else if constexpr (std::is_same_v<What, RemoveHistory>) {
          return histories.remove(what, result);
        } else if constexpr (std::is_same_v<What, RemoveHistoryExpired>) {
          return histories.remove_expired(what, result);
        } else if constexpr (std::is_same_v<What, LoadHistories>) {
          return histories.load(what, result);
        } else if constexpr (std::is_same_v<What, LoadHistoryMessages>) {
          return histories.load(what, result);
        } else {
          static_assert(std::is_same_v<What, FindHistory>);
          return histories.find(what, result);
        }
      },
      op.what);
}

// A batch was taken back. Who waits to hear that something is stored hears that it is not, instead of nothing; also who is
// in the queue behind it. What nobody waits for is tried again.
void SqliteStore::State::refuse_adding() {
  for (std::vector<StoreResult>& of_shard : results) of_shard.clear();
  Submitted more;
  while (batch.size() < 2ULL * config.waiting_max && queue.try_dequeue(more)) {
    if (more.shard != nobody) batch.push_back(std::move(more));
  }
  std::vector<Submitted> kept;
  std::swap(kept, batch);
  const auto hopeless = std::stable_partition(kept.begin(), kept.end(), [](const Submitted& submitted) {
    return submitted.op.token == 0 || !adds(submitted.op);
  });
  for (auto each = hopeless; each != kept.end(); ++each) {
    if (results.size() <= each->shard) results.resize(each->shard + std::size_t{1});
    results[each->shard].push_back({.token = each->op.token, .status = StoreResult::Status::refused});
    batch.push_back(std::move(*each));
  }
  refused.fetch_add(batch.size(), std::memory_order_relaxed);
  dropped.fetch_add(batch.size(), std::memory_order_relaxed);
  kept.erase(hopeless, kept.end());
  forget_batch();
  batch = std::move(kept);
  answer();
}

void SqliteStore::State::answer() {
  if (!config.answer) return;
  for (std::uint32_t shard = 0; shard < results.size(); ++shard) {
    if (!results[shard].empty()) config.answer(shard, std::exchange(results[shard], {}));
  }
}

void SqliteStore::State::note(int result) {
  const bool bad = result != SQLITE_OK;
  if (bad) failures.fetch_add(1, std::memory_order_relaxed);
  refusing.store(bad, std::memory_order_relaxed);
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
