// core/store/publication_table.cc - see publication_table.h.
#include "core/store/publication_table.h"

#include <sqlite3.h>

#include <utility>

namespace parley::core {

bool PublicationTable::prepare(Sqlite& db) {
  put_ = db.prepare("INSERT OR REPLACE INTO publication(aor, name, entity_tag, body, changed, expires_ms) VALUES(?,?,?,?,?,?)");
  remove_ = db.prepare("DELETE FROM publication WHERE aor=? AND name=?");
  remove_expired_ = db.prepare("DELETE FROM publication WHERE expires_ms<=?");
  all_ = db.prepare("SELECT aor, name, entity_tag, body, changed, expires_ms FROM publication ORDER BY changed");
  return put_.valid() && remove_.valid() && remove_expired_.valid() && all_.valid();
}

int PublicationTable::put(const PublicationRow& p) {
  put_.put(p.aor).put(p.name).put(p.entity_tag).put(p.body).put(static_cast<std::int64_t>(p.changed)).put(p.expires_ms);
  return put_.run();
}

int PublicationTable::remove(std::string_view aor, std::string_view name) { return remove_.put(aor).put(name).run(); }

int PublicationTable::remove_expired(std::int64_t now_ms) { return remove_expired_.put(now_ms).run(); }

int PublicationTable::for_each(const std::function<void(PublicationRow&&)>& visit) {
  int result = SQLITE_DONE;
  while (all_.next(result)) {
    PublicationRow p;
    p.aor = all_.text();
    p.name = all_.text();
    p.entity_tag = all_.text();
    p.body = all_.text();
    p.changed = static_cast<std::uint64_t>(all_.number());
    p.expires_ms = all_.number();
    visit(std::move(p));
  }
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

}  // namespace parley::core
