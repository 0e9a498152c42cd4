// core/store/schema.cc - see schema.h.
#include "core/store/schema.h"

#include <sqlite3.h>

#include <cstdint>
#include <iterator>

#include "core/store/sqlite.h"

namespace parley::core {
namespace {

constexpr std::int64_t application_id = 0x70726c79;  // "prly"

// One step for each version, never changed once it has been released. user_version counts those that were made.
constexpr const char* steps[] = {
    R"(CREATE TABLE registration(
         aor TEXT NOT NULL, id INTEGER NOT NULL, contact TEXT NOT NULL, display TEXT NOT NULL, params TEXT NOT NULL,
         instance TEXT NOT NULL, reg_id INTEGER NOT NULL, q INTEGER NOT NULL, call_id TEXT NOT NULL, cseq INTEGER NOT NULL,
         path TEXT NOT NULL, user_agent TEXT NOT NULL, listener TEXT NOT NULL, remote TEXT NOT NULL,
         over_flow INTEGER NOT NULL, server INTEGER NOT NULL, granted_s INTEGER NOT NULL, registered_ms INTEGER NOT NULL,
         refreshed_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
         PRIMARY KEY(aor, id)) STRICT, WITHOUT ROWID;)",
    // Ids grow with time, so rows of messages lie in the order in which they came.
    R"(CREATE TABLE deferred(
         id INTEGER PRIMARY KEY, aor TEXT NOT NULL, sender TEXT NOT NULL, key BLOB NOT NULL UNIQUE,
         message_id TEXT NOT NULL, notices INTEGER NOT NULL, arrived_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
         head TEXT NOT NULL, body BLOB NOT NULL, claim INTEGER NOT NULL) STRICT;
       CREATE INDEX deferred_of_user ON deferred(aor, id);
       CREATE INDEX deferred_by_end ON deferred(expires_ms);
       CREATE TABLE sending(
         id INTEGER PRIMARY KEY, from_value TEXT NOT NULL, sender TEXT NOT NULL, list TEXT NOT NULL, hidden INTEGER NOT NULL,
         arrived_ms INTEGER NOT NULL, message_id TEXT NOT NULL, notices INTEGER NOT NULL, head TEXT NOT NULL,
         type TEXT NOT NULL, body BLOB NOT NULL) STRICT;
       CREATE TABLE sending_copy(
         sending INTEGER NOT NULL, number INTEGER NOT NULL, uri TEXT NOT NULL,
         PRIMARY KEY(sending, number)) STRICT, WITHOUT ROWID;)",
    R"(CREATE TABLE system_message(
         id INTEGER PRIMARY KEY, aor TEXT NOT NULL, text TEXT NOT NULL, language TEXT NOT NULL, options TEXT NOT NULL,
         answer_within_s INTEGER NOT NULL, ordered_ms INTEGER NOT NULL, state INTEGER NOT NULL, status INTEGER NOT NULL,
         deadline_ms INTEGER NOT NULL, answer TEXT NOT NULL, changed_ms INTEGER NOT NULL) STRICT;)",
    R"(CREATE TABLE publication(
         aor TEXT NOT NULL, name TEXT NOT NULL, entity_tag TEXT NOT NULL, body TEXT NOT NULL, changed INTEGER NOT NULL,
         expires_ms INTEGER NOT NULL, PRIMARY KEY(aor, name)) STRICT, WITHOUT ROWID;
       CREATE TABLE im_session(
         name TEXT NOT NULL PRIMARY KEY, identity TEXT NOT NULL, of_group TEXT NOT NULL, originator TEXT NOT NULL,
         members TEXT NOT NULL, subject TEXT NOT NULL, left_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;)",
    R"(CREATE TABLE xcap_document(
         auid TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL, etag TEXT NOT NULL, body BLOB NOT NULL,
         changed_ms INTEGER NOT NULL, PRIMARY KEY(auid, owner, name)) STRICT;)",
    R"(ALTER TABLE deferred ADD COLUMN large_bytes INTEGER NOT NULL DEFAULT 0;
       ALTER TABLE deferred ADD COLUMN large_head TEXT NOT NULL DEFAULT '';)",
    // The index holds those whose users have yet to be reminded (DeferredState below `expiring`).
    R"(ALTER TABLE deferred ADD COLUMN state INTEGER NOT NULL DEFAULT 0;
       CREATE INDEX deferred_by_reminder ON deferred(expires_ms) WHERE state < 2;)",
    R"(ALTER TABLE deferred ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
       CREATE INDEX deferred_by_message ON deferred(message_id) WHERE message_id <> '';
       CREATE INDEX deferred_by_request ON deferred(request_id) WHERE request_id <> '';
       ALTER TABLE sending ADD COLUMN call_id TEXT NOT NULL DEFAULT '';)",
    // What belongs together goes together: a record with its messages, a body with the last message that has it. `messages` and
    // `bytes` are sums over its messages. A message without body has none that was kept.
    R"(CREATE TABLE history_record(
         id INTEGER PRIMARY KEY, aor TEXT NOT NULL, kind INTEGER NOT NULL, from_value TEXT NOT NULL, to_value TEXT NOT NULL,
         of_group TEXT NOT NULL, people TEXT NOT NULL, subject TEXT NOT NULL,
         begun_by_owner INTEGER NOT NULL DEFAULT 0, began_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,
         expires_ms INTEGER NOT NULL, messages INTEGER NOT NULL DEFAULT 0,
         bytes INTEGER NOT NULL DEFAULT 0) STRICT;
       CREATE INDEX history_of_user ON history_record(aor, id);
       CREATE INDEX history_by_end ON history_record(expires_ms) WHERE ended_ms <> 0;
       CREATE INDEX history_open ON history_record(id) WHERE ended_ms = 0;
       CREATE TABLE history_body(
         id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, uses INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
       CREATE TABLE history_message(
         record INTEGER NOT NULL, number INTEGER NOT NULL, at_ms INTEGER NOT NULL, sent INTEGER NOT NULL,
         message_id TEXT NOT NULL, type TEXT NOT NULL, size INTEGER NOT NULL, body INTEGER,
         PRIMARY KEY(record, number)) STRICT, WITHOUT ROWID;
       CREATE TRIGGER history_message_put AFTER INSERT ON history_message BEGIN
         UPDATE history_body SET uses = uses + 1 WHERE id = NEW.body;
         UPDATE history_record SET messages = messages + 1, bytes = bytes + iif(NEW.body IS NULL, 0, NEW.size)
           WHERE id = NEW.record;
       END;
       CREATE TRIGGER history_message_removed AFTER DELETE ON history_message BEGIN
         UPDATE history_body SET uses = uses - 1 WHERE id = OLD.body;
         DELETE FROM history_body WHERE id = OLD.body AND uses = 0;
         UPDATE history_record SET messages = messages - 1, bytes = bytes - iif(OLD.body IS NULL, 0, OLD.size)
           WHERE id = OLD.record;
       END;
       CREATE TRIGGER history_record_removed AFTER DELETE ON history_record BEGIN
         DELETE FROM history_message WHERE record = OLD.id;
       END;)",
    R"(CREATE TABLE subscription(
         id INTEGER PRIMARY KEY, owner TEXT NOT NULL, event TEXT NOT NULL, resource TEXT NOT NULL, watcher TEXT NOT NULL,
         version INTEGER NOT NULL, changes_only INTEGER NOT NULL, call_id TEXT NOT NULL, local TEXT NOT NULL,
         remote TEXT NOT NULL, target TEXT NOT NULL, routes TEXT NOT NULL, local_cseq INTEGER NOT NULL,
         remote_cseq INTEGER NOT NULL, secure INTEGER NOT NULL, joined INTEGER NOT NULL, contact TEXT NOT NULL,
         listener TEXT NOT NULL, source TEXT NOT NULL, back INTEGER NOT NULL, expires_ms INTEGER NOT NULL) STRICT;)",
};

}  // namespace

std::string migrate(Sqlite& db) {
  const std::int64_t owner = db.number("PRAGMA application_id", -1);
  const std::int64_t version = db.number("PRAGMA user_version", -1);
  const bool fresh = owner == 0 && version == 0 && db.number("SELECT count(*) FROM sqlite_schema", -1) == 0;
  if (!fresh && owner != application_id) return "is no store of parley";
  constexpr auto newest = static_cast<std::int64_t>(std::size(steps));
  if (version > newest) return "was written by a later version (schema " + std::to_string(version) + ")";
  if (version == newest) return "";
  if (db.run("BEGIN IMMEDIATE") != SQLITE_OK) return db.last_error();
  for (std::int64_t step = version; step < newest; ++step) {
    if (db.run(steps[step]) == SQLITE_OK) continue;
    const std::string error = db.last_error();
    db.run("ROLLBACK");
    return error;
  }
  const std::string marks = "PRAGMA application_id=" + std::to_string(application_id) +
                            "; PRAGMA user_version=" + std::to_string(newest) + "; COMMIT";
  if (db.run(marks.c_str()) == SQLITE_OK) return "";
  const std::string error = db.last_error();
  db.run("ROLLBACK");
  return error;
}

}  // namespace parley::core
