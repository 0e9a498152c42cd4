// core/log.cc - see log.h. The one file that knows spdlog, and uses it as a sink only: its own queues and formatting
// wait, allocate or drop without counting. Compiled with exceptions, which spdlog throws at open and write errors.
#include "core/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <ctime>
#include <mutex>
#include <thread>
#include <vector>

#include "core/check.h"
#include "core/side_thread.h"
#include "core/spsc_ring.h"

namespace parley::core {

namespace {

constexpr std::array<std::string_view, 4> level_names = {"debug", "info", "warn", "error"};
constexpr std::string_view cut_mark = "...";
constexpr std::size_t drain_batch_records = 64;  // between two looks at the other rings

struct Record {
  std::int64_t wall_ms = 0;
  LogRecord::Level level = LogRecord::Level::info;
  std::uint16_t bytes = 0;
  std::array<char, log_text_bytes_max> text;
};

std::int64_t wall_clock_ms() {
  std::timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

void append_time(std::string& out, std::int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 32> text;
  out.append(text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.", &utc));
  const auto ms = static_cast<unsigned>(wall_ms % 1000);
  for (const unsigned unit : {100U, 10U, 1U}) out.push_back(static_cast<char>('0' + ms / unit % 10));
  out.push_back('Z');
}

std::shared_ptr<spdlog::sinks::sink> open_sink(const std::string& file, std::string* error) {
  try {
    std::shared_ptr<spdlog::sinks::sink> sink;
    if (file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(file);
    }
    sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("%v"));
    return sink;
  } catch (const std::exception& failure) {
    *error = failure.what();
    return nullptr;
  }
}

}  // namespace

struct Logger::State {
  struct Source {
    explicit Source(std::size_t records) : ring(records) {}
    SpscRing<Record> ring;
    std::atomic<std::uint64_t> dropped{0};
    std::uint64_t dropped_told = 0;  // logger thread
  };

  LogConfig config;
  std::shared_ptr<spdlog::sinks::sink> sink;     // logger thread after open()
  std::vector<std::unique_ptr<Source>> sources;  // one per shard, the last for all other threads
  std::mutex outside;
  std::atomic<LogRecord::Level> level{LogRecord::Level::info};
  std::atomic<std::uint64_t> write_errors{0};
  std::atomic<std::uint32_t> awake{0};  // 0: the logger thread may sleep
  std::atomic<bool> stopping{false};
  std::atomic<bool> reopening{false};
  std::atomic<std::uint64_t> flushes_asked{0};
  std::atomic<std::uint64_t> flushes_done{0};
  std::string line;
  std::thread thread;

  void wake() {
    if (awake.exchange(1, std::memory_order_acq_rel) == 0) awake.notify_one();
  }
  void push(Source& source, LogRecord::Level record_level, std::string_view text);
  void run();
  bool drain();
  void put(std::size_t source, std::int64_t wall_ms, LogRecord::Level record_level, std::string_view text);
  void reopen_file();
};

void Logger::State::push(Source& source, LogRecord::Level record_level, std::string_view text) {
  const bool pushed = source.ring.try_emplace([&](Record& record) {
    record.wall_ms = wall_clock_ms();
    record.level = record_level;
    const std::size_t bytes = std::min(text.size(), log_text_bytes_max);
    std::copy_n(text.data(), bytes, record.text.data());
    if (text.size() > log_text_bytes_max)
      std::copy(cut_mark.begin(), cut_mark.end(), record.text.end() - cut_mark.size());
    record.bytes = static_cast<std::uint16_t>(bytes);
  });
  if (!pushed) source.dropped.store(source.dropped.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  wake();
}

void Logger::State::put(std::size_t source, std::int64_t wall_ms, LogRecord::Level record_level,
                        std::string_view text) {
  const bool from_shard = source + 1 < sources.size();
  const std::string_view level_name = level_names[static_cast<std::size_t>(record_level)];
  line.clear();
  if (config.format == LogFormat::json) {
    line += R"({"time":")";
    append_time(line, wall_ms);
    line.append(R"(","level":")").append(level_name).append("\"");
    if (from_shard) line.append(R"(,"shard":)").append(std::to_string(source));
    line += R"(,"text":")";
    append_json_escaped(line, text);
    line += "\"}";
  } else {
    append_time(line, wall_ms);
    line.append(" ").append(level_name).append(" ").append(from_shard ? std::to_string(source) : "-").append(" ");
    append_escaped(line, text);
  }
  try {
    sink->log(spdlog::details::log_msg({}, spdlog::level::info, line));
  } catch (const std::exception&) {
    write_errors.fetch_add(1, std::memory_order_relaxed);
  }
}

bool Logger::State::drain() {
  bool any = false;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    Source& source = *sources[i];
    any |= source.ring.consume(drain_batch_records, [&](Record& record) {
      put(i, record.wall_ms, record.level, {record.text.data(), record.bytes});
    }) != 0;
    const std::uint64_t dropped = source.dropped.load(std::memory_order_relaxed);
    if (dropped != source.dropped_told) {
      put(i, wall_clock_ms(), LogRecord::Level::warn,
          "log_records_dropped count=" + std::to_string(dropped - source.dropped_told));
      source.dropped_told = dropped;
      any = true;
    }
  }
  return any;
}

void Logger::State::reopen_file() {
  std::string error;
  if (auto opened = open_sink(config.file, &error)) {
    sink = std::move(opened);
  } else {
    put(sources.size() - 1, wall_clock_ms(), LogRecord::Level::error, "log_reopen_failed reason=" + error);
  }
}

void Logger::State::run() {
  for (;;) {
    // Order: what is asked for or pushed after this line sets `awake` again, what came before is seen below.
    awake.exchange(0, std::memory_order_acq_rel);
    const bool last_round = stopping.load(std::memory_order_acquire);
    const std::uint64_t asked = flushes_asked.load(std::memory_order_acquire);
    if (reopening.exchange(false, std::memory_order_acq_rel)) reopen_file();
    while (drain()) {
    }
    try {
      sink->flush();
    } catch (const std::exception&) {
      write_errors.fetch_add(1, std::memory_order_relaxed);
    }
    flushes_done.store(asked, std::memory_order_release);
    flushes_done.notify_all();
    if (last_round) return;
    awake.wait(0, std::memory_order_acquire);
  }
}

std::unique_ptr<Logger> Logger::open(const LogConfig& config, std::string* error) {
  auto state = std::make_unique<State>();
  state->config = config;
  state->level = config.level;
  state->sink = open_sink(config.file, error);
  if (state->sink == nullptr) return nullptr;
  for (std::uint32_t i = 0; i <= config.shards; ++i) {
    state->sources.push_back(std::make_unique<State::Source>(config.ring_records));
  }
  return std::unique_ptr<Logger>(new Logger(std::move(state)));
}

Logger::Logger(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->thread = std::thread([state = state_.get()] {
    begin_side_thread("log");
    state->run();
  });
}

Logger::~Logger() {
  state_->stopping.store(true, std::memory_order_release);
  state_->wake();
  state_->thread.join();
}

void Logger::write(std::uint32_t shard, LogRecord::Level level, std::string_view text) {
  CHECK(shard < state_->config.shards);
  if (enabled(level)) state_->push(*state_->sources[shard], level, text);
}

void Logger::write_from_outside(LogRecord::Level level, std::string_view text) {
  if (!enabled(level)) return;
  const std::lock_guard lock(state_->outside);
  state_->push(*state_->sources.back(), level, text);
}

void Logger::set_level(LogRecord::Level level) { state_->level.store(level, std::memory_order_relaxed); }

bool Logger::enabled(LogRecord::Level level) const { return level >= state_->level.load(std::memory_order_relaxed); }

void Logger::reopen() {
  if (state_->config.file.empty()) return;
  state_->reopening.store(true, std::memory_order_release);
  state_->wake();
}

void Logger::flush() {
  const std::uint64_t mine = state_->flushes_asked.fetch_add(1, std::memory_order_acq_rel) + 1;
  state_->wake();
  for (std::uint64_t done = 0; (done = state_->flushes_done.load(std::memory_order_acquire)) < mine;) {
    state_->flushes_done.wait(done, std::memory_order_acquire);
  }
}

std::uint64_t Logger::dropped() const {
  std::uint64_t sum = 0;
  for (const auto& source : state_->sources) sum += source->dropped.load(std::memory_order_relaxed);
  return sum;
}

std::uint64_t Logger::write_errors() const { return state_->write_errors.load(std::memory_order_relaxed); }

}  // namespace parley::core
