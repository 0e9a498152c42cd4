// core/store/body_files.cc - see body_files.h.
#include "core/store/body_files.h"

#include <concurrentqueue/blockingconcurrentqueue.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <list>
#include <thread>
#include <utility>
#include <variant>

#include "core/side_thread.h"

namespace parley::core {
namespace {

constexpr std::size_t open_bodies_max = 64;  // files that are open at one time
constexpr std::uint64_t write_back_bytes =
    8 << 20;  // after that much the kernel begins to write, so that the end is near
constexpr std::size_t name_chars = 16;

std::uint64_t body_bytes_of(const StoreOp& op) {
  if (const auto* write = std::get_if<WriteBody>(&op.what)) return write->bytes.size();
  if (const auto* read = std::get_if<ReadBody>(&op.what)) return read->length;
  return 0;
}

// Of a file; false: it is none of ours.
bool body_id_of(const char* name, std::uint64_t& id) {
  const char* const end = name + std::strlen(name);
  if (end - name != static_cast<std::ptrdiff_t>(name_chars)) return false;
  const auto read = std::from_chars(name, end, id, 16);
  return read.ec == std::errc{} && read.ptr == end;
}

}  // namespace

std::string body_file_name(std::uint64_t id) {
  char name[name_chars + 1];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(id));
  return {name, name_chars};
}

struct BodyFiles::State {
  ~State() {
    for (const File& file : open) ::close(file.descriptor);
    if (directory >= 0) ::close(directory);
  }
  struct File {
    std::uint64_t id = 0;
    int descriptor = -1;
    std::uint64_t unwritten = 0;  // bytes since the kernel was last told to begin
  };
  struct Submitted {
    std::uint32_t shard = 0;
    StoreOp op;
    bool wakes = false;  // nothing else
  };
  BodyFilesConfig config;
  int directory = -1;
  moodycamel::BlockingConcurrentQueue<Submitted> queue;
  std::thread thread;
  std::atomic<bool> ending{false};
  std::atomic<std::uint64_t> submitted{0};
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> waiting_bytes{0};
  std::atomic<std::uint64_t> failures{0};
  std::list<File> open;  // the one used last in front

  void run();
  void carry_out(Submitted& submitted);
  [[nodiscard]] bool carry_out(const StoreOp& op, StoreResult& result);
  [[nodiscard]] File* file(std::uint64_t id, bool make);
  [[nodiscard]] bool write(const WriteBody& write);
  [[nodiscard]] bool read(const ReadBody& read, std::string& bytes);
  void drop(std::uint64_t id);
};

std::unique_ptr<BodyFiles> BodyFiles::open(BodyFilesConfig config, std::string& error) {
  auto state = std::make_unique<State>();
  state->config = std::move(config);
  const std::string& directory = state->config.directory;
  const bool made = ::mkdir(directory.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) {
    error = directory + ": " + std::strerror(errno);
    return nullptr;
  }
  state->directory = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (state->directory < 0) {
    error = directory + ": " + std::strerror(errno);
    return nullptr;
  }
  if (made) {  // its own name outlives a crash, too
    const int parent = ::openat(state->directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent >= 0) {
      (void)::fsync(parent);
      ::close(parent);
    }
  }
  return std::unique_ptr<BodyFiles>(new BodyFiles(std::move(state)));
}

BodyFiles::BodyFiles(std::unique_ptr<State> state) : state_(std::move(state)) {}

BodyFiles::~BodyFiles() {
  if (!state_->thread.joinable()) return;
  state_->ending.store(true);
  state_->queue.enqueue({.shard = 0, .op = {}, .wakes = true});
  state_->thread.join();
}

std::size_t BodyFiles::keep_only(const std::vector<std::uint64_t>& ids) {
  std::size_t removed = 0;
  DIR* const all = ::opendir(state_->config.directory.c_str());
  if (all == nullptr) return 0;
  while (const dirent* const each = ::readdir(all)) {
    std::uint64_t id = 0;
    if (!body_id_of(each->d_name, id) || std::binary_search(ids.begin(), ids.end(), id)) continue;
    if (::unlinkat(state_->directory, each->d_name, 0) == 0) ++removed;
  }
  ::closedir(all);
  return removed;
}

void BodyFiles::start() {
  state_->thread = std::thread([state = state_.get()] {
    begin_side_thread("bodies");
    state->run();
  });
}

bool BodyFiles::takes(const StoreOp& op) {
  return std::holds_alternative<WriteBody>(op.what) || std::holds_alternative<SyncBody>(op.what) ||
         std::holds_alternative<ReadBody>(op.what) || std::holds_alternative<DropBody>(op.what);
}

bool BodyFiles::submit(std::uint32_t shard, StoreOp&& op) {
  State& s = *state_;
  const std::uint64_t bytes = body_bytes_of(op);
  if (bytes != 0 && s.waiting_bytes.load(std::memory_order_relaxed) + bytes > s.config.waiting_bytes_max) return false;
  s.waiting_bytes.fetch_add(bytes, std::memory_order_relaxed);
  s.submitted.fetch_add(1, std::memory_order_relaxed);
  s.queue.enqueue({.shard = shard, .op = std::move(op)});
  return true;
}

std::uint64_t BodyFiles::waiting_bytes() const { return state_->waiting_bytes.load(std::memory_order_relaxed); }
std::uint64_t BodyFiles::failures() const { return state_->failures.load(std::memory_order_relaxed); }
bool BodyFiles::at_rest() const {
  const std::uint64_t done = state_->done.load(std::memory_order_acquire);
  return done == state_->submitted.load(std::memory_order_relaxed);
}

// --- on its thread

void BodyFiles::State::run() {
  for (;;) {
    Submitted next;
    queue.wait_dequeue(next);
    if (!next.wakes) {
      carry_out(next);
    } else if (ending.load()) {  // behind all that was submitted before
      while (queue.try_dequeue(next)) carry_out(next);
      return;
    }
  }
}

void BodyFiles::State::carry_out(Submitted& next) {
  StoreResult result{.token = next.op.token};
  if (!carry_out(next.op, result)) {
    failures.fetch_add(1, std::memory_order_relaxed);
    result.status = StoreResult::Status::refused;
  }
  waiting_bytes.fetch_sub(body_bytes_of(next.op), std::memory_order_relaxed);
  if (result.token != 0 && config.answer) {
    std::vector<StoreResult> one;
    one.push_back(std::move(result));
    config.answer(next.shard, std::move(one));
  }
  done.fetch_add(1, std::memory_order_release);
}

bool BodyFiles::State::carry_out(const StoreOp& op, StoreResult& result) {
  if (const auto* bytes = std::get_if<WriteBody>(&op.what)) return write(*bytes);
  if (const auto* wanted = std::get_if<ReadBody>(&op.what)) return read(*wanted, result.bytes);
  if (const auto* sync = std::get_if<SyncBody>(&op.what)) {
    const File* const written = file(sync->id, false);
    return written != nullptr && ::fsync(written->descriptor) == 0 && ::fsync(directory) == 0;
  }
  if (const auto* unwanted = std::get_if<DropBody>(&op.what)) drop(unwanted->id);
  return true;
}

BodyFiles::State::File* BodyFiles::State::file(std::uint64_t id, bool make) {
  const auto found = std::find_if(open.begin(), open.end(), [id](const File& each) { return each.id == id; });
  if (found != open.end()) {
    open.splice(open.begin(), open, found);
    return &open.front();
  }
  const int descriptor = ::openat(directory, body_file_name(id).c_str(), O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0), 0600);
  if (descriptor < 0) return nullptr;
  if (open.size() == open_bodies_max) {
    ::close(open.back().descriptor);
    open.pop_back();
  }
  open.push_front({.id = id, .descriptor = descriptor});
  return &open.front();
}

bool BodyFiles::State::write(const WriteBody& bytes) {
  File* const to = file(bytes.id, true);
  if (to == nullptr) return false;
  for (std::size_t at = 0; at < bytes.bytes.size();) {
    const ::ssize_t written = ::pwrite(to->descriptor, bytes.bytes.data() + at, bytes.bytes.size() - at,
                                       static_cast<::off_t>(bytes.offset + at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += static_cast<std::size_t>(written);
  }
  to->unwritten += bytes.bytes.size();
  if (to->unwritten >= write_back_bytes) {
    to->unwritten = 0;
    (void)::sync_file_range(to->descriptor, 0, 0, SYNC_FILE_RANGE_WRITE);
  }
  return true;
}

bool BodyFiles::State::read(const ReadBody& wanted, std::string& bytes) {
  const File* const from = file(wanted.id, false);
  if (from == nullptr) return false;
  bytes.resize(wanted.length);
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ::ssize_t got =
        ::pread(from->descriptor, bytes.data() + at, bytes.size() - at, static_cast<::off_t>(wanted.offset + at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    at += static_cast<std::size_t>(got);
  }
  bytes.resize(at);
  return true;
}

void BodyFiles::State::drop(std::uint64_t id) {
  std::erase_if(open, [id](const File& each) {
    if (each.id == id) ::close(each.descriptor);
    return each.id == id;
  });
  (void)::unlinkat(directory, body_file_name(id).c_str(), 0);
}

}  // namespace parley::core
