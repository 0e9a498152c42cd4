// core/store/sending_table.cc - see sending_table.h.
#include "core/store/sending_table.h"

#include <sqlite3.h>

#include <utility>

namespace parley::core {
namespace {

// In the order of put() and read_sending().
#define PARLEY_SENDING_COLUMNS \
  "id, from_value, sender, list, hidden, arrived_ms, message_id, notices, head, type, body, call_id"

SendingRow read_sending(Statement& row) {
  SendingRow s;
  s.id = static_cast<std::uint64_t>(row.number());
  s.from = row.text();
  s.sender = row.text();
  s.list = row.text();
  s.hidden = row.number() != 0;
  s.arrived_ms = row.number();
  s.message_id = row.text();
  s.notices = static_cast<std::uint32_t>(row.number());
  s.head = row.text();
  s.type = row.text();
  s.body = row.bytes();
  s.call_id = row.text();
  return s;
}

}  // namespace

bool SendingTable::prepare(Sqlite& db) {
  // A transaction whose end nobody saw is carried out again.
  put_ = db.prepare("INSERT OR REPLACE INTO sending(" PARLEY_SENDING_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?)");
  put_copy_ = db.prepare("INSERT OR REPLACE INTO sending_copy(sending, number, uri) VALUES(?,?,?)");
  remove_copy_ = db.prepare("DELETE FROM sending_copy WHERE sending=? AND number=?");
  remove_if_over_ =
      db.prepare("DELETE FROM sending WHERE id=? AND NOT EXISTS(SELECT 1 FROM sending_copy WHERE sending=sending.id)");
  remove_copies_ = db.prepare("DELETE FROM sending_copy WHERE sending=?");
  remove_ = db.prepare("DELETE FROM sending WHERE id=?");
  all_ = db.prepare("SELECT " PARLEY_SENDING_COLUMNS " FROM sending ORDER BY id");
  copies_ = db.prepare("SELECT number, uri FROM sending_copy WHERE sending=? ORDER BY number");
  newest_ = db.prepare("SELECT coalesce(max(id), 0) FROM sending");
  return put_.valid() && put_copy_.valid() && remove_copy_.valid() && remove_if_over_.valid() && remove_copies_.valid() &&
         remove_.valid() && all_.valid() && copies_.valid() && newest_.valid();
}

#undef PARLEY_SENDING_COLUMNS

int SendingTable::put(const SendingRow& s) {
  const auto id = static_cast<std::int64_t>(s.id);
  put_.put(id).put(s.from).put(s.sender).put(s.list).put(s.hidden ? 1 : 0).put(s.arrived_ms).put(s.message_id);
  put_.put(s.notices).put(s.head).put(s.type).put_bytes(s.body).put(s.call_id);
  int result = put_.run();
  for (std::size_t i = 0; result == SQLITE_OK && i < s.copies.size(); ++i) {
    result = put_copy_.put(id).put(s.copies[i].number).put(s.copies[i].uri).run();
  }
  if (result != SQLITE_OK) (void)remove(s.id);  // all of it or nothing
  return result;
}

int SendingTable::remove_copy(std::uint64_t sending, std::uint32_t copy) {
  const auto id = static_cast<std::int64_t>(sending);
  const int result = remove_copy_.put(id).put(copy).run();
  return result == SQLITE_OK ? remove_if_over_.put(id).run() : result;
}

int SendingTable::remove(std::uint64_t id) {
  const int result = remove_copies_.put(static_cast<std::int64_t>(id)).run();
  return result == SQLITE_OK ? remove_.put(static_cast<std::int64_t>(id)).run() : result;
}

int SendingTable::copies_of(SendingRow& row) {
  copies_.put(static_cast<std::int64_t>(row.id));
  int result = SQLITE_DONE;
  while (copies_.next(result)) {
    SendingRow::Copy copy;
    copy.number = static_cast<std::uint32_t>(copies_.number());
    copy.uri = copies_.text();
    row.copies.push_back(std::move(copy));
  }
  return result;
}

int SendingTable::for_each(const std::function<void(SendingRow&&)>& visit) {
  int result = SQLITE_DONE;
  while (all_.next(result)) {
    SendingRow row = read_sending(all_);
    if (const int copies = copies_of(row); copies != SQLITE_DONE) {
      all_.reset();
      return copies;
    }
    visit(std::move(row));
  }
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

std::uint64_t SendingTable::newest_id() {
  int result = SQLITE_DONE;
  std::uint64_t newest = 0;
  while (newest_.next(result)) newest = static_cast<std::uint64_t>(newest_.number());
  return newest;
}

}  // namespace parley::core
