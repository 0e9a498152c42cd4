// core/store/subscription_table.cc - see subscription_table.h.
#include "core/store/subscription_table.h"

#include <sqlite3.h>

#include <utility>

namespace parley::core {
namespace {

constexpr std::int64_t cell_max = 0xffff'ffff;

}  // namespace

bool SubscriptionTable::prepare(Sqlite& db) {
  put_ = db.prepare(
      "INSERT OR REPLACE INTO subscription(id, owner, event, resource, watcher, version, changes_only, call_id, local, remote, "
      "target, routes, local_cseq, remote_cseq, secure, joined, contact, listener, source, back, expires_ms) "
      "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  remove_ = db.prepare("DELETE FROM subscription WHERE id=?");
  remove_expired_ = db.prepare("DELETE FROM subscription WHERE expires_ms<=?");
  step_ = db.prepare("UPDATE subscription SET local_cseq=min(local_cseq+?, ?), version=min(version+?, ?)");
  all_ = db.prepare(
      "SELECT id, owner, event, resource, watcher, version, changes_only, call_id, local, remote, target, routes, local_cseq, "
      "remote_cseq, secure, joined, contact, listener, source, back, expires_ms FROM subscription ORDER BY expires_ms DESC, id");
  return put_.valid() && remove_.valid() && remove_expired_.valid() && step_.valid() && all_.valid();
}

int SubscriptionTable::put(const SubscriptionRow& s) {
  const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  put_.put(number(s.id)).put(s.owner).put(s.event).put(s.resource).put(s.watcher).put(number(s.version));
  put_.put(number(s.changes_only)).put(s.call_id).put(s.local).put(s.remote).put(s.target).put(s.routes);
  put_.put(number(s.local_cseq)).put(number(s.remote_cseq)).put(number(s.secure)).put(number(s.joined)).put(s.contact);
  put_.put(s.listener).put(s.source).put(number(s.back)).put(s.expires_ms);
  return put_.run();
}

int SubscriptionTable::remove(std::uint64_t id) { return remove_.put(static_cast<std::int64_t>(id)).run(); }

int SubscriptionTable::remove_expired(std::int64_t now_ms) { return remove_expired_.put(now_ms).run(); }

int SubscriptionTable::step() {
  constexpr std::int64_t step = subscription_numbers_step;
  step_.put(step).put(std::int64_t{subscription_cseq_max}).put(step).put(cell_max);
  return step_.run();
}

int SubscriptionTable::for_each(const std::function<void(SubscriptionRow&&)>& visit) {
  int result = SQLITE_DONE;
  while (all_.next(result)) {
    SubscriptionRow s;
    s.id = static_cast<std::uint64_t>(all_.number());
    s.owner = all_.text();
    s.event = all_.text();
    s.resource = all_.text();
    s.watcher = all_.text();
    s.version = static_cast<std::uint32_t>(all_.number());
    s.changes_only = all_.number() != 0;
    s.call_id = all_.text();
    s.local = all_.text();
    s.remote = all_.text();
    s.target = all_.text();
    s.routes = all_.text();
    s.local_cseq = static_cast<std::uint32_t>(all_.number());
    s.remote_cseq = static_cast<std::uint32_t>(all_.number());
    s.secure = all_.number() != 0;
    s.joined = all_.number() != 0;
    s.contact = all_.text();
    s.listener = all_.text();
    s.source = all_.text();
    s.back = all_.number() != 0;
    s.expires_ms = all_.number();
    visit(std::move(s));
  }
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

}  // namespace parley::core
