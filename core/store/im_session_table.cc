// core/store/im_session_table.cc - see im_session_table.h.
#include "core/store/im_session_table.h"

#include <sqlite3.h>

#include <utility>

namespace parley::core {

bool ImSessionTable::prepare(Sqlite& db) {
  put_ = db.prepare(
      "INSERT OR REPLACE INTO im_session(name, identity, of_group, originator, members, subject, left_ms) "
      "VALUES(?,?,?,?,?,?,?)");
  remove_ = db.prepare("DELETE FROM im_session WHERE name=?");
  leave_ = db.prepare("UPDATE im_session SET left_ms=? WHERE left_ms=0");
  remove_left_ = db.prepare("DELETE FROM im_session WHERE left_ms<>0 AND left_ms<=?");
  all_ = db.prepare("SELECT name, identity, of_group, originator, members, subject, left_ms FROM im_session ORDER BY name");
  return put_.valid() && remove_.valid() && leave_.valid() && remove_left_.valid() && all_.valid();
}

int ImSessionTable::put(const SessionRow& s) {
  put_.put(s.name).put(s.identity).put(s.group).put(s.originator).put(s.members).put(s.subject).put(s.left_ms);
  return put_.run();
}

int ImSessionTable::remove(std::string_view name) { return remove_.put(name).run(); }

int ImSessionTable::leave(std::int64_t now_ms, std::int64_t before_ms) {
  const int left = leave_.put(now_ms).run();
  return left == SQLITE_OK ? remove_left_.put(before_ms).run() : left;
}

int ImSessionTable::for_each(const std::function<void(SessionRow&&)>& visit) {
  int result = SQLITE_DONE;
  while (all_.next(result)) {
    SessionRow s;
    s.name = all_.text();
    s.identity = all_.text();
    s.group = all_.text();
    s.originator = all_.text();
    s.members = all_.text();
    s.subject = all_.text();
    s.left_ms = all_.number();
    visit(std::move(s));
  }
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

}  // namespace parley::core
