// core/store/binding_table.cc - see binding_table.h.
#include "core/store/binding_table.h"

#include <sqlite3.h>

#include <utility>

namespace parley::core {
namespace {

// In the order of put() and read_binding().
#define PARLEY_BINDING_COLUMNS                                                                                  \
  "aor, id, contact, display, params, instance, reg_id, q, call_id, cseq, path, user_agent, listener, remote, " \
  "over_flow, server, granted_s, registered_ms, refreshed_ms, expires_ms"

BindingRow read_binding(Statement& row) {
  BindingRow b;
  b.aor = row.text();
  b.id = static_cast<std::uint64_t>(row.number());
  b.contact = row.text();
  b.display = row.text();
  b.params = row.text();
  b.instance = row.text();
  b.reg_id = static_cast<std::uint32_t>(row.number());
  b.q = static_cast<std::uint16_t>(row.number());
  b.call_id = row.text();
  b.cseq = static_cast<std::uint32_t>(row.number());
  b.path = row.text();
  b.user_agent = row.text();
  b.listener = row.text();
  b.remote = row.text();
  b.over_flow = row.number() != 0;
  b.server = row.number() != 0;
  b.granted_s = static_cast<std::uint32_t>(row.number());
  b.registered_ms = row.number();
  b.refreshed_ms = row.number();
  b.expires_ms = row.number();
  return b;
}

}  // namespace

bool BindingTable::prepare(Sqlite& db) {
  put_ = db.prepare("INSERT OR REPLACE INTO registration(" PARLEY_BINDING_COLUMNS
                    ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  remove_ = db.prepare("DELETE FROM registration WHERE aor=? AND id=?");
  remove_expired_ = db.prepare("DELETE FROM registration WHERE expires_ms<=?");
  all_ = db.prepare("SELECT " PARLEY_BINDING_COLUMNS " FROM registration ORDER BY aor, registered_ms, id");
  return put_.valid() && remove_.valid() && remove_expired_.valid() && all_.valid();
}

#undef PARLEY_BINDING_COLUMNS

int BindingTable::put(const BindingRow& b) {
  put_.put(b.aor).put(static_cast<std::int64_t>(b.id)).put(b.contact).put(b.display).put(b.params).put(b.instance);
  put_.put(b.reg_id).put(b.q).put(b.call_id).put(b.cseq).put(b.path).put(b.user_agent).put(b.listener).put(b.remote);
  put_.put(b.over_flow).put(b.server).put(b.granted_s).put(b.registered_ms).put(b.refreshed_ms).put(b.expires_ms);
  return put_.run();
}

int BindingTable::remove(std::string_view aor, std::uint64_t id) {
  return remove_.put(aor).put(static_cast<std::int64_t>(id)).run();
}

int BindingTable::remove_expired(std::int64_t now_ms) { return remove_expired_.put(now_ms).run(); }

int BindingTable::for_each(const std::function<void(BindingRow&&)>& visit) {
  int result = SQLITE_DONE;
  while (all_.next(result)) visit(read_binding(all_));
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

}  // namespace parley::core
