// core/store/sqlite.h - one connection to a SQLite file, and its statements, as values that clean up after themselves.
//
// For one thread. Every call may wait for the disk. Errors are SQLite's result codes; last_error() is for the log.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace parley::core {

class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  [[nodiscard]] bool valid() const { return statement_ != nullptr; }
  // Parameters, in their order from the first; text is not copied and must stay until run() or the last next().
  Statement& put(std::string_view text);
  Statement& put(std::int64_t number);
  Statement& put_bytes(std::string_view bytes);
  // Carries it out once and makes it ready for the next time. SQLITE_OK, or why not.
  int run();
  // One row after the other; false after the last or when it fails, with the code in `result`: SQLITE_DONE or why.
  bool next(int& result);
  // Columns of the row, in their order from the first. Texts and bytes are valid until the next call of next().
  [[nodiscard]] std::string_view text();
  [[nodiscard]] std::string_view bytes();
  [[nodiscard]] std::int64_t number();
  void reset();

 private:
  sqlite3_stmt* statement_ = nullptr;
  int parameter_ = 0;
  int column_ = 0;
};

class Sqlite {
 public:
  static constexpr int busy_ms = 5000;  // for a backup, or somebody at the sqlite3 prompt

  Sqlite() = default;
  ~Sqlite();
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  // Opens or makes the file, in WAL mode with a commit on the disk before it is told done. Empty, or what is wrong.
  [[nodiscard]] std::string open(const std::string& file);
  // Several statements without parameters. SQLITE_OK or why not.
  int run(const char* sql);
  [[nodiscard]] Statement prepare(std::string_view sql);
  // How many rows the last statement has put in, changed or taken out.
  [[nodiscard]] std::int64_t changes() const;
  // The first column of the first row; `missing` when there is none.
  [[nodiscard]] std::int64_t number(std::string_view sql, std::int64_t missing);
  [[nodiscard]] std::string last_error() const;
  [[nodiscard]] sqlite3* raw() { return db_; }

 private:
  sqlite3* db_ = nullptr;
};

}  // namespace parley::core
