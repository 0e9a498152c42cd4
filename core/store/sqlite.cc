// core/store/sqlite.cc - see sqlite.h.
#include "core/store/sqlite.h"

#include <sqlite3.h>

#include <utility>

namespace parley::core {

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  return *this;
}

Statement& Statement::put(std::string_view text) {
  // A null pointer would be stored as NULL.
  const char* const bytes = text.data() == nullptr ? "" : text.data();
  sqlite3_bind_text(statement_, ++parameter_, bytes, static_cast<int>(text.size()), SQLITE_STATIC);
  return *this;
}

Statement& Statement::put(std::int64_t number) {
  sqlite3_bind_int64(statement_, ++parameter_, number);
  return *this;
}

Statement& Statement::put_bytes(std::string_view bytes) {
  const char* const from = bytes.data() == nullptr ? "" : bytes.data();
  sqlite3_bind_blob(statement_, ++parameter_, from, static_cast<int>(bytes.size()), SQLITE_STATIC);
  return *this;
}

int Statement::run() {
  const int result = sqlite3_step(statement_);
  reset();
  return result == SQLITE_DONE || result == SQLITE_ROW ? SQLITE_OK : result;
}

bool Statement::next(int& result) {
  result = sqlite3_step(statement_);
  column_ = 0;
  if (result == SQLITE_ROW) return true;
  reset();
  return false;
}

std::string_view Statement::text() {
  const auto* const bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column_));
  const int size = sqlite3_column_bytes(statement_, column_++);
  return bytes == nullptr ? std::string_view{} : std::string_view(bytes, static_cast<std::size_t>(size));
}

std::string_view Statement::bytes() {
  const auto* const from = static_cast<const char*>(sqlite3_column_blob(statement_, column_));
  const int size = sqlite3_column_bytes(statement_, column_++);
  return from == nullptr ? std::string_view{} : std::string_view(from, static_cast<std::size_t>(size));
}

std::int64_t Statement::number() { return sqlite3_column_int64(statement_, column_++); }

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  parameter_ = 0;
}

Sqlite::~Sqlite() { sqlite3_close_v2(db_); }

std::string Sqlite::open(const std::string& file) {
  constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(file.c_str(), &db_, flags, nullptr) != SQLITE_OK) return file + ": " + last_error();
  sqlite3_busy_timeout(db_, busy_ms);
  if (run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;"
          "PRAGMA journal_size_limit=67108864; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF") != SQLITE_OK) {
    return file + ": " + last_error();
  }
  return "";
}

int Sqlite::run(const char* sql) { return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); }

Statement Sqlite::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  return Statement(statement);
}

std::int64_t Sqlite::number(std::string_view sql, std::int64_t missing) {
  Statement statement = prepare(sql);
  int result = 0;
  return statement.valid() && statement.next(result) ? statement.number() : missing;
}

std::int64_t Sqlite::changes() const { return sqlite3_changes64(db_); }

std::string Sqlite::last_error() const { return db_ == nullptr ? "no memory" : sqlite3_errmsg(db_); }

}  // namespace parley::core
