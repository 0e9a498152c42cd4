// core/store/xcap_table.cc - see xcap_table.h.
#include "core/store/xcap_table.h"

#include <sqlite3.h>

#include <utility>

namespace parley::core {
namespace {

// In the order of put() and read_document().
#define PARLEY_XCAP_COLUMNS "auid, owner, name, etag, body, changed_ms"

XcapRow read_document(Statement& row) {
  XcapRow d;
  d.auid = row.text();
  d.owner = row.text();
  d.name = row.text();
  d.etag = row.text();
  d.body = row.bytes();
  d.changed_ms = row.number();
  return d;
}

}  // namespace

bool XcapTable::prepare(Sqlite& db) {
  put_ = db.prepare("INSERT OR REPLACE INTO xcap_document(" PARLEY_XCAP_COLUMNS ") VALUES(?,?,?,?,?,?)");
  remove_ = db.prepare("DELETE FROM xcap_document WHERE auid=? AND owner=? AND name=?");
  all_ = db.prepare("SELECT " PARLEY_XCAP_COLUMNS " FROM xcap_document ORDER BY changed_ms, auid, owner, name");
  return put_.valid() && remove_.valid() && all_.valid();
}

#undef PARLEY_XCAP_COLUMNS

int XcapTable::put(const PutXcap& what) {
  const XcapRow& d = what.row;
  put_.put(d.auid).put(d.owner).put(d.name).put(d.etag).put_bytes(d.body).put(d.changed_ms);
  const int result = put_.run();
  return result != SQLITE_OK || what.also_owner.empty() ? result : remove(d.auid, what.also_owner, d.name);
}

int XcapTable::remove(const RemoveXcap& what) {
  const int result = remove(what.auid, what.owner, what.name);
  return result != SQLITE_OK || what.also_owner.empty() ? result : remove(what.auid, what.also_owner, what.name);
}

int XcapTable::remove(const std::string& auid, const std::string& owner, const std::string& name) {
  return remove_.put(auid).put(owner).put(name).run();
}

int XcapTable::for_each(const std::function<void(XcapRow&&)>& visit) {
  int result = SQLITE_DONE;
  while (all_.next(result)) visit(read_document(all_));
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

}  // namespace parley::core
