// core/store/subscription_table.h - the rows of table `subscription`.
#pragma once

#include <cstdint>
#include <functional>

#include "core/store/sqlite.h"
#include "core/store/store.h"

namespace parley::core {

class SubscriptionTable {
 public:
  // The database is migrated and outlives this. False: its statements do not fit.
  [[nodiscard]] bool prepare(Sqlite& db);

  // SQLITE_OK or why not; within whatever transaction is open.
  int put(const SubscriptionRow& row);
  int remove(std::uint64_t id);
  int remove_expired(std::int64_t now_ms);
  // A process begins: it goes on behind whatever numbers the one before has used (subscription_numbers_step).
  int step();
  // The one that lasts longest first.
  int for_each(const std::function<void(SubscriptionRow&&)>& visit);

 private:
  Statement put_;
  Statement remove_;
  Statement remove_expired_;
  Statement step_;
  Statement all_;
};

}  // namespace parley::core
