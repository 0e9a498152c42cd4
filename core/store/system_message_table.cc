// core/store/system_message_table.cc - see system_message_table.h.
#include "core/store/system_message_table.h"

#include <sqlite3.h>

#include <utility>

namespace parley::core {
namespace {

// In the order of put() and read_system_message().
#define PARLEY_SYSTEM_MESSAGE_COLUMNS \
  "id, aor, text, language, options, answer_within_s, ordered_ms, state, status, deadline_ms, answer, changed_ms"

SystemMessageRow read_system_message(Statement& row) {
  SystemMessageRow m;
  m.id = static_cast<std::uint64_t>(row.number());
  m.aor = row.text();
  m.text = row.text();
  m.language = row.text();
  m.options = row.text();
  m.answer_within_s = static_cast<std::uint32_t>(row.number());
  m.ordered_ms = row.number();
  m.state = static_cast<std::uint32_t>(row.number());
  m.status = static_cast<std::uint32_t>(row.number());
  m.deadline_ms = row.number();
  m.answer = row.text();
  m.changed_ms = row.number();
  return m;
}

}  // namespace

bool SystemMessageTable::prepare(Sqlite& db) {
  put_ = db.prepare("INSERT OR REPLACE INTO system_message(" PARLEY_SYSTEM_MESSAGE_COLUMNS
                    ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?)");
  remove_ = db.prepare("DELETE FROM system_message WHERE id=?");
  all_ = db.prepare("SELECT " PARLEY_SYSTEM_MESSAGE_COLUMNS " FROM system_message ORDER BY id");
  newest_ = db.prepare("SELECT coalesce(max(id), 0) FROM system_message");
  return put_.valid() && remove_.valid() && all_.valid() && newest_.valid();
}

#undef PARLEY_SYSTEM_MESSAGE_COLUMNS

int SystemMessageTable::put(const SystemMessageRow& m) {
  put_.put(static_cast<std::int64_t>(m.id)).put(m.aor).put(m.text).put(m.language).put(m.options).put(m.answer_within_s);
  put_.put(m.ordered_ms).put(m.state).put(m.status).put(m.deadline_ms).put(m.answer).put(m.changed_ms);
  return put_.run();
}

int SystemMessageTable::remove(std::uint64_t id) { return remove_.put(static_cast<std::int64_t>(id)).run(); }

int SystemMessageTable::for_each(const std::function<void(SystemMessageRow&&)>& visit) {
  int result = SQLITE_DONE;
  while (all_.next(result)) visit(read_system_message(all_));
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

std::uint64_t SystemMessageTable::newest_id() {
  int result = SQLITE_DONE;
  std::uint64_t newest = 0;
  while (newest_.next(result)) newest = static_cast<std::uint64_t>(newest_.number());
  return newest;
}

}  // namespace parley::core
