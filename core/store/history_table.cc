// core/store/history_table.cc - see history_table.h.
#include "core/store/history_table.h"

#include <openssl/evp.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/check.h"

namespace parley::core {
namespace {

constexpr std::size_t histories_held_max = 100'000;  // users whose sums are remembered
constexpr std::size_t hash_bytes = 32;
// That one operation deletes, so that nobody who was promised something has to wait for long: rows, and bytes of bodies, whose
// pages SQLite reads to free them. A row of a larger body goes all the same.
constexpr std::uint64_t removed_rows_max = 500;
constexpr std::uint64_t removed_bytes_max = 8 << 20;

using Hash = std::array<unsigned char, hash_bytes>;

Hash hash_of(std::string_view bytes) {
  Hash hash{};
  unsigned int length = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), hash.data(), &length, EVP_sha256(), nullptr) == 1 && length == hash_bytes);
  return hash;
}

// In the order of put() and read_record().
#define PARLEY_HISTORY_COLUMNS \
  "id, aor, kind, from_value, to_value, of_group, people, subject, begun_by_owner, began_ms, ended_ms, expires_ms"
#define PARLEY_HISTORY_READ "SELECT " PARLEY_HISTORY_COLUMNS ", messages, bytes FROM history_record"

HistoryRecordRow read_record(Statement& row) {
  HistoryRecordRow h;
  h.id = static_cast<std::uint64_t>(row.number());
  h.aor = row.text();
  h.kind = row.number() == 0 ? HistoryKind::session : HistoryKind::pager_large;
  h.from = row.text();
  h.to = row.text();
  h.group = row.text();
  h.people = row.text();
  h.subject = row.text();
  h.begun_by_owner = row.number() != 0;
  h.began_ms = row.number();
  h.ended_ms = row.number();
  h.expires_ms = row.number();
  h.messages = static_cast<std::uint32_t>(row.number());
  h.bytes = static_cast<std::uint64_t>(row.number());
  return h;
}

int finished(int result) { return result == SQLITE_DONE ? SQLITE_OK : result; }

}  // namespace

bool HistoryTable::prepare(Sqlite& db) {
  put_ = db.prepare(
      "INSERT INTO history_record(" PARLEY_HISTORY_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?) "
      "ON CONFLICT(id) DO UPDATE SET kind=excluded.kind, from_value=excluded.from_value, to_value=excluded.to_value, "
      "of_group=excluded.of_group, people=excluded.people, subject=excluded.subject, "
      "begun_by_owner=excluded.begun_by_owner, began_ms=excluded.began_ms, ended_ms=excluded.ended_ms, "
      "expires_ms=excluded.expires_ms");
  exists_ = db.prepare("SELECT 1 FROM history_record WHERE id=?");
  end_ = db.prepare("UPDATE history_record SET ended_ms=?, expires_ms=? WHERE id=? RETURNING aor");
  held_of_ = db.prepare(
      "SELECT count(*), coalesce(sum(messages), 0), coalesce(sum(bytes), 0) FROM history_record WHERE aor=?");
  oldest_ended_ = db.prepare("SELECT id FROM history_record WHERE aor=? AND id<>? AND ended_ms<>0 ORDER BY id LIMIT 1");
  oldest_ = db.prepare("SELECT id FROM history_record WHERE aor=? AND id<>? ORDER BY id LIMIT 1");
  oldest_spoken_ = db.prepare("SELECT id FROM history_record WHERE aor=? AND id<>? AND messages>0 ORDER BY id LIMIT 1");
  remove_ = db.prepare("DELETE FROM history_record WHERE id=? AND aor=? RETURNING messages, bytes");
  remove_first_ = db.prepare(
      "DELETE FROM history_message WHERE record=?1 AND number=(SELECT min(number) FROM history_message WHERE record=?1) "
      "RETURNING iif(body IS NULL, 0, size)");
  newest_of_ = db.prepare("SELECT coalesce(max(id), 0) FROM history_record WHERE aor=?");
  all_of_ = db.prepare("SELECT id, aor, messages, bytes FROM history_record WHERE aor=? AND id<=? ORDER BY id LIMIT ?");
  one_of_ = db.prepare("SELECT id, aor, messages, bytes FROM history_record WHERE aor=? AND id=?");
  expired_ = db.prepare(
      "SELECT id, aor, messages, bytes FROM history_record WHERE ended_ms<>0 AND expires_ms<=? ORDER BY expires_ms LIMIT ?");
  body_find_ = db.prepare("SELECT id FROM history_body WHERE hash=?");
  body_put_ = db.prepare("INSERT INTO history_body(hash, uses, body) VALUES(?,0,?) RETURNING id");
  add_ = db.prepare(
      "INSERT INTO history_message(record, number, at_ms, sent, message_id, type, size, body) VALUES(?,?,?,?,?,?,?,?)");
  load_ = db.prepare(PARLEY_HISTORY_READ " WHERE aor=? AND id>? ORDER BY id LIMIT ?");
  find_ = db.prepare(PARLEY_HISTORY_READ " WHERE id=?");
  messages_ = db.prepare(
      "SELECT number, at_ms, sent, message_id, type, size, body.id IS NOT NULL, body.body FROM history_message "
      "LEFT JOIN history_body AS body ON body.id=history_message.body WHERE record=? AND number>? ORDER BY number LIMIT ?");
  end_left_ = db.prepare(
      "UPDATE history_record SET ended_ms=last.at_ms, expires_ms=expires_ms+last.at_ms-began_ms FROM "
      "(SELECT r.id, max(r.began_ms, coalesce((SELECT max(m.at_ms) FROM history_message AS m WHERE m.record=r.id), 1)) AS at_ms "
      "FROM history_record AS r WHERE r.ended_ms=0) AS last WHERE last.id=history_record.id");
  newest_ = db.prepare("SELECT coalesce(max(id), 0) FROM history_record");
  return put_.valid() && exists_.valid() && end_.valid() && held_of_.valid() && oldest_ended_.valid() && oldest_.valid() &&
         oldest_spoken_.valid() && remove_.valid() && remove_first_.valid() && newest_of_.valid() && all_of_.valid() &&
         one_of_.valid() && expired_.valid() &&
         body_find_.valid() && body_put_.valid() && add_.valid() && load_.valid() && find_.valid() && messages_.valid() &&
         end_left_.valid() && newest_.valid();
}

#undef PARLEY_HISTORY_COLUMNS
#undef PARLEY_HISTORY_READ

int HistoryTable::held_by(const std::string& aor, Held*& held) {
  if (const auto found = held_.find(aor); found != held_.end()) {
    held = &found->second;
    return SQLITE_OK;
  }
  held_of_.put(aor);
  int result = SQLITE_DONE;
  Held sums;
  while (held_of_.next(result)) {
    sums.records = static_cast<std::uint64_t>(held_of_.number());
    sums.messages = static_cast<std::uint64_t>(held_of_.number());
    sums.bytes = static_cast<std::uint64_t>(held_of_.number());
  }
  if (result != SQLITE_DONE) return result;
  if (held_.size() >= histories_held_max) held_.clear();
  held = &held_.emplace(aor, sums).first->second;
  return SQLITE_OK;
}

std::uint64_t HistoryTable::version_of(const std::string& aor) {
  if (const auto found = versions_.find(aor); found != versions_.end()) return found->second;
  if (versions_.size() >= histories_held_max) versions_.clear();
  return versions_.emplace(aor, ++last_version_).first->second;
}

int HistoryTable::first_of(Statement& from, const std::string& aor, std::uint64_t but, std::uint64_t& id) {
  id = 0;
  from.put(aor).put(static_cast<std::int64_t>(but));
  int result = SQLITE_DONE;
  while (from.next(result)) id = static_cast<std::uint64_t>(from.number());
  return finished(result);
}

int HistoryTable::remove_record(const std::string& aor, std::uint64_t id, std::uint32_t& messages) {
  changed(aor);
  remove_.put(static_cast<std::int64_t>(id)).put(aor);
  int result = SQLITE_DONE;
  while (remove_.next(result)) {
    const auto count = static_cast<std::uint64_t>(remove_.number());
    const auto bytes = static_cast<std::uint64_t>(remove_.number());
    messages += static_cast<std::uint32_t>(count);
    const auto found = held_.find(aor);
    if (found == held_.end()) continue;
    --found->second.records;
    found->second.messages -= count;
    found->second.bytes -= bytes;
  }
  return finished(result);
}

int HistoryTable::remove_first_message(const std::string& aor, std::uint64_t record, std::uint64_t& bytes) {
  changed(aor);
  remove_first_.put(static_cast<std::int64_t>(record));
  int result = SQLITE_DONE;
  while (remove_first_.next(result)) {
    bytes = static_cast<std::uint64_t>(remove_first_.number());
    const auto found = held_.find(aor);
    if (found == held_.end()) continue;
    --found->second.messages;
    found->second.bytes -= bytes;
  }
  return finished(result);
}

int HistoryTable::put(const PutHistory& op, StoreResult& out) {
  const HistoryRecordRow& h = op.row;
  Held* held = nullptr;
  if (const int result = held_by(h.aor, held); result != SQLITE_OK) return result;
  exists_.put(static_cast<std::int64_t>(h.id));
  int result = SQLITE_DONE;
  bool there = false;
  while (exists_.next(result)) there = true;
  if (result != SQLITE_DONE) return result;
  while (!there && held->records >= op.count_max) {
    std::uint64_t id = 0;
    if (!op.keep_old) result = first_of(oldest_ended_, h.aor, h.id, id);
    if (!op.keep_old && finished(result) == SQLITE_OK && id == 0) result = first_of(oldest_, h.aor, h.id, id);
    if (finished(result) != SQLITE_OK) return result;
    if (id == 0) {
      out.status = StoreResult::Status::full;
      return SQLITE_OK;
    }
    if (result = remove_record(h.aor, id, out.removed); result != SQLITE_OK) return result;
  }
  changed(h.aor);
  put_.put(static_cast<std::int64_t>(h.id)).put(h.aor).put(static_cast<std::int64_t>(h.kind)).put(h.from).put(h.to);
  put_.put(h.group).put(h.people).put(h.subject).put(h.begun_by_owner ? 1 : 0);
  put_.put(h.began_ms).put(h.ended_ms).put(h.expires_ms);
  if (result = put_.run(); result != SQLITE_OK) return result;
  if (!there) ++held->records;
  return SQLITE_OK;
}

int HistoryTable::end(const EndHistory& op) {
  end_.put(op.ended_ms).put(op.expires_ms).put(static_cast<std::int64_t>(op.id));
  int result = SQLITE_DONE;
  while (end_.next(result)) changed(std::string(end_.text()));
  return finished(result);
}

int HistoryTable::body_of(const std::string& bytes, std::int64_t& id) {
  if (hashed_ != &bytes) {
    const Hash hash = hash_of(bytes);
    hash_.assign(reinterpret_cast<const char*>(hash.data()), hash.size());
    hashed_ = &bytes;
  }
  const std::string_view key = hash_;
  id = 0;
  int result = SQLITE_DONE;
  body_find_.put_bytes(key);
  while (body_find_.next(result)) id = body_find_.number();
  if (result != SQLITE_DONE || id != 0) return finished(result);
  body_put_.put_bytes(key).put_bytes(bytes);
  while (body_put_.next(result)) id = body_put_.number();
  return finished(result);
}

int HistoryTable::add(const AddHistoryMessage& op, StoreResult& out) {
  const HistoryMessageRow& m = op.row;
  exists_.put(static_cast<std::int64_t>(m.record));
  int result = SQLITE_DONE;
  bool there = false;
  while (exists_.next(result)) there = true;
  if (result != SQLITE_DONE || !there) return finished(result);
  Held* held = nullptr;
  if (result = held_by(op.aor, held); result != SQLITE_OK) return result;
  const std::uint64_t bytes = op.body == nullptr ? 0 : op.body->size();
  if (op.count_max == 0 || bytes > op.bytes_max) {
    out.status = StoreResult::Status::full;
    return SQLITE_OK;
  }
  while (held->messages >= op.count_max || held->bytes + bytes > op.bytes_max) {
    if (op.keep_old) {
      out.status = StoreResult::Status::full;
      return SQLITE_OK;
    }
    std::uint64_t id = 0;
    if (result = first_of(oldest_ended_, op.aor, m.record, id); result != SQLITE_OK) return result;
    if (id != 0) {
      if (out.users.empty()) out.users.push_back(op.aor);
      result = remove_record(op.aor, id, out.removed);
    } else if (result = first_of(oldest_spoken_, op.aor, 0, id); result == SQLITE_OK) {
      CHECK(id != 0);  // the sums say so
      ++out.removed;
      std::uint64_t freed = 0;
      result = remove_first_message(op.aor, id, freed);
    }
    if (result != SQLITE_OK) return result;
  }
  std::int64_t body = 0;
  if (op.body != nullptr) {
    if (result = body_of(*op.body, body); result != SQLITE_OK) return result;
  }
  changed(op.aor);
  add_.put(static_cast<std::int64_t>(m.record)).put(m.number).put(m.at_ms).put(m.sent ? 1 : 0).put(m.message_id).put(m.type);
  add_.put(static_cast<std::int64_t>(op.body != nullptr ? bytes : m.size));
  if (op.body != nullptr) add_.put(body);  // what has no value is NULL
  if (result = add_.run(); result != SQLITE_OK) return result;
  ++held->messages;
  held->bytes += bytes;
  return SQLITE_OK;
}

int HistoryTable::read_doomed(Statement& from, std::vector<Doomed>& doomed) {
  int result = SQLITE_DONE;
  while (from.next(result)) {
    Doomed& each = doomed.emplace_back();
    each.id = static_cast<std::uint64_t>(from.number());
    each.aor = from.text();
    each.messages = static_cast<std::uint64_t>(from.number());
    each.bytes = static_cast<std::uint64_t>(from.number());
  }
  return finished(result);
}

// Of the record that is too large for it the oldest messages go.
int HistoryTable::remove_some(const std::vector<Doomed>& doomed, StoreResult& out) {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  for (const Doomed& each : doomed) {
    std::uint64_t left = each.messages;
    std::uint64_t left_bytes = each.bytes;
    for (;;) {
      out.more = rows >= removed_rows_max || bytes >= removed_bytes_max;
      if (out.more) return SQLITE_OK;
      const bool fits = rows + 1 + left <= removed_rows_max && bytes + left_bytes <= removed_bytes_max;
      if (fits || left <= 1) break;
      std::uint64_t freed = 0;
      if (const int result = remove_first_message(each.aor, each.id, freed); result != SQLITE_OK) return result;
      --left;
      left_bytes -= freed;
      ++rows;
      bytes += freed;
    }
    std::uint32_t messages = 0;
    if (const int result = remove_record(each.aor, each.id, messages); result != SQLITE_OK) return result;
    ++out.removed;
    rows += 1 + left;
    bytes += left_bytes;
  }
  return SQLITE_OK;
}

int HistoryTable::remove(const RemoveHistory& op, StoreResult& out) {
  std::vector<Doomed> doomed;
  int result = SQLITE_OK;
  if (op.all) {
    out.through = op.through;
    if (out.through == 0) {
      newest_of_.put(op.aor);
      while (newest_of_.next(result)) out.through = static_cast<std::uint64_t>(newest_of_.number());
      if (finished(result) != SQLITE_OK) return result;
    }
    all_of_.put(op.aor).put(static_cast<std::int64_t>(out.through)).put(static_cast<std::int64_t>(removed_rows_max) + 1);
    if (result = read_doomed(all_of_, doomed); result != SQLITE_OK) return result;
  }
  for (std::size_t i = 0; !op.all && i < op.ids.size() && doomed.size() <= removed_rows_max; ++i) {
    one_of_.put(op.aor).put(static_cast<std::int64_t>(op.ids[i]));
    if (result = read_doomed(one_of_, doomed); result != SQLITE_OK) return result;
  }
  return remove_some(doomed, out);
}

int HistoryTable::remove_expired(const RemoveHistoryExpired& op, StoreResult& out) {
  std::vector<Doomed> over;
  expired_.put(op.now_ms).put(std::int64_t{op.count_max} + 1);
  if (const int result = read_doomed(expired_, over); result != SQLITE_OK) return result;
  const bool others = over.size() > op.count_max;
  if (others) over.resize(op.count_max);
  if (const int result = remove_some(over, out); result != SQLITE_OK) return result;
  out.more |= others;
  // They go in this order; who has lost a part of one only is told with the rest.
  for (std::size_t i = 0; i < out.removed; ++i) {
    if (std::find(out.users.begin(), out.users.end(), over[i].aor) == out.users.end()) out.users.push_back(over[i].aor);
  }
  return SQLITE_OK;
}

int HistoryTable::load(const LoadHistories& op, StoreResult& out) {
  out.version = version_of(op.aor);
  out.unchanged = out.version == op.unless;
  if (out.unchanged) return SQLITE_OK;
  load_.put(op.aor).put(static_cast<std::int64_t>(op.after)).put(std::int64_t{op.count_max} + 1);
  int result = SQLITE_DONE;
  while (load_.next(result)) {
    if (out.histories.size() == op.count_max) {
      out.more = true;
      load_.reset();
      return SQLITE_OK;
    }
    out.histories.push_back(read_record(load_));
  }
  return finished(result);
}

int HistoryTable::load(const LoadHistoryMessages& op, StoreResult& out) {
  messages_.put(static_cast<std::int64_t>(op.record)).put(op.after).put(std::int64_t{op.count_max} + 1);
  int result = SQLITE_DONE;
  std::uint64_t bytes = 0;
  while (messages_.next(result)) {
    if (out.history_messages.size() == op.count_max || bytes > op.bytes_max) {
      out.more = true;
      messages_.reset();
      return SQLITE_OK;
    }
    HistoryMessageRow m;
    m.record = op.record;
    m.number = static_cast<std::uint32_t>(messages_.number());
    m.at_ms = messages_.number();
    m.sent = messages_.number() != 0;
    m.message_id = messages_.text();
    m.type = messages_.text();
    m.size = static_cast<std::uint64_t>(messages_.number());
    m.kept = messages_.number() != 0;
    m.body = messages_.bytes();
    bytes += m.body.size();
    out.history_messages.push_back(std::move(m));
  }
  return finished(result);
}

int HistoryTable::find(const FindHistory& op, StoreResult& out) {
  for (const std::uint64_t id : op.ids) {
    find_.put(static_cast<std::int64_t>(id));
    int result = SQLITE_DONE;
    while (find_.next(result)) out.histories.push_back(read_record(find_));
    if (result != SQLITE_DONE) return result;
  }
  return SQLITE_OK;
}

int HistoryTable::end_left() { return end_left_.run(); }

std::uint64_t HistoryTable::newest_id() {
  int result = SQLITE_DONE;
  std::uint64_t newest = 0;
  while (newest_.next(result)) newest = static_cast<std::uint64_t>(newest_.number());
  return newest;
}

}  // namespace parley::core
