// core/log.h - records from the shards to stderr or a file, without a shard ever waiting for the disk.
//
// A shard copies its record into its own ring of fixed-size records; one logger thread drains the rings. A full ring
// drops the record and counts it, and the log says how many are missing. What peers chose is made harmless on the way
// out: a record is always one line, without control characters, bidirectional overrides or broken UTF-8.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/seam.h"

namespace parley::core {

enum class LogFormat : std::uint8_t {
  text,  // 2026-01-31T12:00:00.123Z info 0 event key=value
  json,  // {"time":"...","level":"info","shard":0,"text":"event key=value"}
};

// Longer texts are cut and end in "...". 480: a record and its head fill just under 8 cache lines.
inline constexpr std::size_t log_text_bytes_max = 480;

struct LogConfig {
  std::uint32_t shards = 1;
  std::uint32_t ring_records = 512;  // per shard, 248 KiB: the records of one slow disk write at 10,000 per second
  LogFormat format = LogFormat::text;
  LogRecord::Level level = LogRecord::Level::info;
  std::string file;  // appended to; empty: stderr
};

class Logger {
 public:
  // Nothing, and why in `error`, when the file cannot be opened.
  [[nodiscard]] static std::unique_ptr<Logger> open(const LogConfig& config, std::string* error);
  // Writes what is in the rings. No thread may write any more.
  ~Logger();
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  // The thread of shard `shard` only. Never waits.
  void write(std::uint32_t shard, LogRecord::Level level, std::string_view text);
  void write(std::uint32_t shard, const LogRecord& record) { write(shard, record.level, record.text); }
  // Any other thread (main, admin); takes a lock those threads share.
  void write_from_outside(LogRecord::Level level, std::string_view text);

  // The rest may be called by any thread.
  void set_level(LogRecord::Level level);
  [[nodiscard]] bool enabled(LogRecord::Level level) const;
  // Opens the file again under its name, for log rotation. When that fails the old file stays in use and gets a record.
  void reopen();
  // Returns when everything written before is out.
  void flush();
  // Records lost because a ring was full, and because the file or pipe took no more.
  [[nodiscard]] std::uint64_t dropped() const;
  [[nodiscard]] std::uint64_t write_errors() const;

 private:
  struct State;
  explicit Logger(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Text as it may be shown on a terminal and kept on one line: control characters, line and paragraph separators,
// bidirectional controls and bytes that are no UTF-8 become \xNN or \u{NNNN}, a backslash becomes two.
void append_escaped(std::string& out, std::string_view text);
// The same promise inside a JSON string; bytes that are no UTF-8 become U+FFFD.
void append_json_escaped(std::string& out, std::string_view text);

}  // namespace parley::core
