// core/store/deferred_table.h - the rows of table `deferred`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/store/sqlite.h"
#include "core/store/store.h"

namespace parley::core {

class DeferredTable {
 public:
  // The database is migrated and outlives this. False: its statements do not fit.
  [[nodiscard]] bool prepare(Sqlite& db);

  // SQLITE_OK or why not; within whatever transaction is open.
  int put(const PutDeferred& op, StoreResult::Status& status);
  int remove(const RemoveDeferred& op);
  int load(const LoadDeferred& op, StoreResult& result);
  int load(const LoadMessage& op, StoreResult& result);
  int ask(const AskDeferred& op, StoreResult& result);
  int load_expired(const LoadExpired& op, StoreResult& result) { return load_until(expired_, op.now_ms, op.count_max, result); }
  int load_expiring(const LoadExpiring& op, StoreResult& result) {
    return load_until(expiring_, op.until_ms, op.count_max, result);
  }
  int find(const FindDeferred& op, StoreResult& result);
  int find(const FindMessage& op, StoreResult& result);
  int mark(const MarkDeferred& op);
  int for_each_user(const std::function<void(std::string_view aor)>& visit);
  int for_each_body(const std::function<void(std::uint64_t id)>& visit);
  [[nodiscard]] std::uint64_t newest_id();
  // Large messages that were removed since it was last empty: when that is committed nobody names their bodies.
  [[nodiscard]] std::vector<std::uint64_t>& bodies_left() { return bodies_left_; }

  // The transaction was taken back: what is remembered of it is not true.
  void forget() {
    held_.clear();
    bodies_left_.clear();
  }

 private:
  struct Held {  // by one user
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
  };
  int held_by(const std::string& aor, Held*& held);
  static int load_until(Statement& from, std::int64_t until_ms, std::uint32_t count_max, StoreResult& out);
  static int load_some(Statement& from, std::uint32_t count_max, StoreResult& out);

  Sqlite* db_ = nullptr;
  Statement put_;
  Statement claim_;
  Statement remove_;
  Statement load_;
  Statement load_one_;
  Statement load_heads_;  // without bodies
  Statement expired_;
  Statement expiring_;
  Statement find_;
  Statement find_message_;
  Statement mark_;
  Statement users_;
  Statement bodies_;
  Statement held_of_;
  Statement newest_;
  std::unordered_map<std::string, Held> held_;  // of those who were asked about last
  std::vector<std::uint64_t> bodies_left_;
};

}  // namespace parley::core
