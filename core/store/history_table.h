// core/store/history_table.h - the rows of tables `history_record`, `history_message` and `history_body`.
//
// Triggers of the schema keep the sums of a record and how often a body is used, and take out what belongs to what is taken
// out. Equal bodies are found by their SHA-256 and are one row.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/store/sqlite.h"
#include "core/store/store.h"

namespace parley::core {

class HistoryTable {
 public:
  // The database is migrated and outlives this. False: its statements do not fit.
  [[nodiscard]] bool prepare(Sqlite& db);

  // SQLITE_OK or why not; within whatever transaction is open.
  int put(const PutHistory& op, StoreResult& result);
  int end(const EndHistory& op);
  int add(const AddHistoryMessage& op, StoreResult& result);
  int remove(const RemoveHistory& op, StoreResult& result);
  int remove_expired(const RemoveHistoryExpired& op, StoreResult& result);
  int load(const LoadHistories& op, StoreResult& result);
  int load(const LoadHistoryMessages& op, StoreResult& result);
  int find(const FindHistory& op, StoreResult& result);
  // Records that go on belong to a process that is gone: each ended with its last message, and its time begins there.
  int end_left();
  [[nodiscard]] std::uint64_t newest_id();

  // The transaction was taken back: what is remembered of it is not true.
  void forget() {
    held_.clear();
    versions_.clear();
  }
  // Before a transaction: nobody need hold the bodies of the one before.
  void begin_batch() { hashed_ = nullptr; }

 private:
  struct Held {  // by one user
    std::uint64_t records = 0;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  int held_by(const std::string& aor, Held*& held);
  // Of his records; one that has been forgotten is none again.
  [[nodiscard]] std::uint64_t version_of(const std::string& aor);
  void changed(const std::string& aor) { versions_.erase(aor); }
  // `id` 0: there is none.
  int first_of(Statement& from, const std::string& aor, std::uint64_t but, std::uint64_t& id);
  int remove_record(const std::string& aor, std::uint64_t id, std::uint32_t& messages);
  int remove_first_message(const std::string& aor, std::uint64_t record, std::uint64_t& bytes);
  struct Doomed {  // a record
    std::uint64_t id = 0;
    std::string aor;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  int read_doomed(Statement& from, std::vector<Doomed>& doomed);
  int remove_some(const std::vector<Doomed>& doomed, StoreResult& result);
  int body_of(const std::string& bytes, std::int64_t& id);

  Statement put_;
  Statement exists_;
  Statement end_;
  Statement held_of_;
  Statement oldest_ended_;
  Statement oldest_;
  Statement oldest_spoken_;
  Statement remove_;
  Statement remove_first_;
  Statement newest_of_;
  Statement all_of_;
  Statement one_of_;
  Statement expired_;
  Statement body_find_;
  Statement body_put_;
  Statement add_;
  Statement load_;
  Statement find_;
  Statement messages_;
  Statement end_left_;
  Statement newest_;
  const std::string* hashed_ = nullptr;  // the body whose hash that is: all who record a message share it
  std::string hash_;
  std::unordered_map<std::string, Held> held_;  // of those who were asked about last
  std::unordered_map<std::string, std::uint64_t> versions_;  // of those whose records were loaded, until these change
  std::uint64_t last_version_ = 0;
};

}  // namespace parley::core
