// core/store/system_message_table.h - the rows of table `system_message`.
#pragma once

#include <cstdint>
#include <functional>

#include "core/store/sqlite.h"
#include "core/store/store.h"

namespace parley::core {

class SystemMessageTable {
 public:
  // The database is migrated and outlives this. False: its statements do not fit.
  [[nodiscard]] bool prepare(Sqlite& db);

  // SQLITE_OK or why not; within whatever transaction is open.
  int put(const SystemMessageRow& row);
  int remove(std::uint64_t id);
  int for_each(const std::function<void(SystemMessageRow&&)>& visit);
  [[nodiscard]] std::uint64_t newest_id();

 private:
  Statement put_;
  Statement remove_;
  Statement all_;
  Statement newest_;
};

}  // namespace parley::core
