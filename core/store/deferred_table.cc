// core/store/deferred_table.cc - see deferred_table.h.
#include "core/store/deferred_table.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

namespace parley::core {
namespace {

constexpr std::size_t held_max = 100'000;  // users whose sums are remembered
constexpr auto newest_state = static_cast<std::uint8_t>(DeferredState::told_expiring);

// In the order of put() and read_deferred().
#define PARLEY_DEFERRED_COLUMNS \
  "id, aor, sender, key, message_id, notices, arrived_ms, expires_ms, head, body, large_bytes, large_head, request_id"
#define PARLEY_DEFERRED_READ "SELECT " PARLEY_DEFERRED_COLUMNS ", state, length(body) FROM deferred"
// The length of a blob is known without reading it.
#define PARLEY_DEFERRED_READ_HEADS                                                                                   \
  "SELECT id, aor, sender, key, message_id, notices, arrived_ms, expires_ms, head, x'', large_bytes, large_head, " \
  "request_id, state, length(body) FROM deferred"

DeferredRow read_deferred(Statement& row) {
  DeferredRow d;
  d.id = static_cast<std::uint64_t>(row.number());
  d.aor = row.text();
  d.sender = row.text();
  d.key = row.bytes();
  d.message_id = row.text();
  d.notices = static_cast<std::uint32_t>(row.number());
  d.arrived_ms = row.number();
  d.expires_ms = row.number();
  d.head = row.text();
  d.body = row.bytes();
  d.large_bytes = static_cast<std::uint64_t>(row.number());
  d.large_head = row.text();
  d.request_id = row.text();
  d.state = static_cast<DeferredState>(std::clamp<std::int64_t>(row.number(), 0, std::int64_t{newest_state}));
  const auto body_bytes = static_cast<std::uint64_t>(row.number());
  d.size = d.large_bytes != 0 ? d.large_bytes : body_bytes;
  return d;
}

// As PARLEY_DEFERRED_SIZE has it.
std::uint64_t size_of(const DeferredRow& row) { return row.head.size() + row.body.size() + row.large_bytes; }
#define PARLEY_DEFERRED_SIZE "length(CAST(head AS BLOB)) + length(body) + large_bytes"

}  // namespace

bool DeferredTable::prepare(Sqlite& db) {
  db_ = &db;
  // `claim`: id of the last operation that wanted it there.
  put_ = db.prepare("INSERT INTO deferred(" PARLEY_DEFERRED_COLUMNS ", claim) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  claim_ = db.prepare("UPDATE deferred SET claim=? WHERE key=? AND expires_ms>?");  // not one that is about to be taken out
  remove_ = db.prepare(
      "DELETE FROM deferred WHERE id=? AND (claim=id OR NOT ?) RETURNING aor, " PARLEY_DEFERRED_SIZE ", id, large_bytes");
  load_ = db.prepare(PARLEY_DEFERRED_READ " WHERE aor=? AND id>? ORDER BY id LIMIT ?");
  load_heads_ = db.prepare(PARLEY_DEFERRED_READ_HEADS " WHERE aor=? AND id>? ORDER BY id LIMIT ?");
  load_one_ = db.prepare(PARLEY_DEFERRED_READ " WHERE id=?");
  bodies_ = db.prepare("SELECT id FROM deferred WHERE large_bytes>0");
  expired_ = db.prepare(PARLEY_DEFERRED_READ " WHERE expires_ms<=? ORDER BY expires_ms LIMIT ?");
  expiring_ = db.prepare(PARLEY_DEFERRED_READ_HEADS " WHERE state<2 AND expires_ms<=? ORDER BY expires_ms LIMIT ?");
  find_ = db.prepare(PARLEY_DEFERRED_READ_HEADS " WHERE id=?");
  // Of each index its part: what is said of '' lets it serve.
  find_message_ = db.prepare(PARLEY_DEFERRED_READ_HEADS
                             " WHERE id IN (SELECT id FROM deferred WHERE message_id=?1 AND message_id<>'' UNION "
                             "SELECT id FROM deferred WHERE request_id=?1 AND request_id<>'') ORDER BY id LIMIT ?2");
  mark_ = db.prepare("UPDATE deferred SET state=?1 WHERE id=?2 AND state<?1");
  users_ = db.prepare("SELECT DISTINCT aor FROM deferred");
  held_of_ = db.prepare("SELECT count(*), coalesce(sum(" PARLEY_DEFERRED_SIZE "), 0) FROM deferred WHERE aor=?");
  newest_ = db.prepare("SELECT coalesce(max(id), 0) FROM deferred");
  return put_.valid() && claim_.valid() && remove_.valid() && load_.valid() && load_heads_.valid() && load_one_.valid() &&
         bodies_.valid() && expired_.valid() && expiring_.valid() && find_.valid() && find_message_.valid() && mark_.valid() && users_.valid() &&
         held_of_.valid() && newest_.valid();
}

#undef PARLEY_DEFERRED_SIZE
#undef PARLEY_DEFERRED_COLUMNS
#undef PARLEY_DEFERRED_READ
#undef PARLEY_DEFERRED_READ_HEADS

int DeferredTable::held_by(const std::string& aor, Held*& held) {
  if (const auto found = held_.find(aor); found != held_.end()) {
    held = &found->second;
    return SQLITE_OK;
  }
  held_of_.put(aor);
  int result = SQLITE_DONE;
  Held sums;
  while (held_of_.next(result)) {
    sums.count = static_cast<std::uint64_t>(held_of_.number());
    sums.bytes = static_cast<std::uint64_t>(held_of_.number());
  }
  if (result != SQLITE_DONE) return result;
  if (held_.size() >= held_max) held_.clear();
  held = &held_.emplace(aor, sums).first->second;
  return SQLITE_OK;
}

int DeferredTable::put(const PutDeferred& op, StoreResult::Status& status) {
  const DeferredRow& d = op.row;
  claim_.put(static_cast<std::int64_t>(d.id)).put_bytes(d.key).put(d.arrived_ms);
  if (const int result = claim_.run(); result != SQLITE_OK) return result;
  if (db_->changes() != 0) {
    status = StoreResult::Status::duplicate;
    return SQLITE_OK;
  }
  Held* held = nullptr;
  if (const int result = held_by(d.aor, held); result != SQLITE_OK) return result;
  if (held->count >= op.count_max || held->bytes + size_of(d) > op.bytes_max) {
    status = StoreResult::Status::full;
    return SQLITE_OK;
  }
  put_.put(static_cast<std::int64_t>(d.id)).put(d.aor).put(d.sender).put_bytes(d.key).put(d.message_id).put(d.notices);
  put_.put(d.arrived_ms).put(d.expires_ms).put(d.head).put_bytes(d.body);
  put_.put(static_cast<std::int64_t>(d.large_bytes)).put(d.large_head).put(d.request_id).put(static_cast<std::int64_t>(d.id));
  if (const int result = put_.run(); result != SQLITE_OK) return result;
  ++held->count;
  held->bytes += size_of(d);
  status = StoreResult::Status::done;
  return SQLITE_OK;
}

int DeferredTable::remove(const RemoveDeferred& op) {
  remove_.put(static_cast<std::int64_t>(op.id)).put(op.unless_claimed ? 1 : 0);
  int result = SQLITE_DONE;
  while (remove_.next(result)) {
    const auto found = held_.find(std::string(remove_.text()));
    const auto bytes = static_cast<std::uint64_t>(remove_.number());
    const auto id = static_cast<std::uint64_t>(remove_.number());
    if (remove_.number() != 0) bodies_left_.push_back(id);
    if (found == held_.end()) continue;
    --found->second.count;
    found->second.bytes -= bytes;
  }
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

int DeferredTable::load(const LoadDeferred& op, StoreResult& out) {
  Statement& from = op.bodies ? load_ : load_heads_;
  // One more than wanted tells whether there are others.
  from.put(op.aor).put(static_cast<std::int64_t>(op.after)).put(std::int64_t{op.count_max} + 1);
  int result = SQLITE_DONE;
  std::uint64_t bytes = 0;
  while (from.next(result)) {
    if (out.rows.size() == op.count_max || bytes > op.bytes_max) {
      out.more = true;
      from.reset();
      return SQLITE_OK;
    }
    out.rows.push_back(read_deferred(from));
    bytes += out.rows.back().head.size() + out.rows.back().body.size();  // what comes along: not what lies in files
  }
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

int DeferredTable::load(const LoadMessage& op, StoreResult& out) {
  load_one_.put(static_cast<std::int64_t>(op.id));
  int result = SQLITE_DONE;
  while (load_one_.next(result)) out.rows.push_back(read_deferred(load_one_));
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

int DeferredTable::ask(const AskDeferred& op, StoreResult& out) {
  Held* held = nullptr;
  if (const int result = held_by(op.aor, held); result != SQLITE_OK) return result;
  out.room = op.bytes_max - std::min(op.bytes_max, held->bytes);
  out.status = held->count >= op.count_max || op.bytes > out.room ? StoreResult::Status::full : StoreResult::Status::done;
  return SQLITE_OK;
}

int DeferredTable::load_until(Statement& from, std::int64_t until_ms, std::uint32_t count_max, StoreResult& out) {
  from.put(until_ms).put(std::int64_t{count_max} + 1);
  return load_some(from, count_max, out);
}

// One more than wanted was asked for.
int DeferredTable::load_some(Statement& from, std::uint32_t count_max, StoreResult& out) {
  int result = SQLITE_DONE;
  while (from.next(result)) {
    if (out.rows.size() == count_max) {
      out.more = true;
      from.reset();
      return SQLITE_OK;
    }
    out.rows.push_back(read_deferred(from));
  }
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

int DeferredTable::find(const FindDeferred& op, StoreResult& out) {
  for (const std::uint64_t id : op.ids) {
    find_.put(static_cast<std::int64_t>(id));
    int result = SQLITE_DONE;
    while (find_.next(result)) out.rows.push_back(read_deferred(find_));
    if (result != SQLITE_DONE) return result;
  }
  return SQLITE_OK;
}

int DeferredTable::find(const FindMessage& op, StoreResult& out) {
  find_message_.put(op.id).put(std::int64_t{op.count_max} + 1);
  return load_some(find_message_, op.count_max, out);
}

int DeferredTable::mark(const MarkDeferred& op) {
  for (const std::uint64_t id : op.ids) {
    mark_.put(static_cast<std::int64_t>(op.state)).put(static_cast<std::int64_t>(id));
    if (const int result = mark_.run(); result != SQLITE_OK) return result;
  }
  return SQLITE_OK;
}

int DeferredTable::for_each_user(const std::function<void(std::string_view)>& visit) {
  int result = SQLITE_DONE;
  while (users_.next(result)) visit(users_.text());
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

int DeferredTable::for_each_body(const std::function<void(std::uint64_t)>& visit) {
  int result = SQLITE_DONE;
  while (bodies_.next(result)) visit(static_cast<std::uint64_t>(bodies_.number()));
  return result == SQLITE_DONE ? SQLITE_OK : result;
}

std::uint64_t DeferredTable::newest_id() {
  int result = SQLITE_DONE;
  std::uint64_t newest = 0;
  while (newest_.next(result)) newest = static_cast<std::uint64_t>(newest_.number());
  return newest;
}

}  // namespace parley::core
