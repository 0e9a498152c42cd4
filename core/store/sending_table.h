// core/store/sending_table.h - the rows of tables `sending` and `sending_copy`.
#pragma once

#include <cstdint>
#include <functional>

#include "core/store/sqlite.h"
#include "core/store/store.h"

namespace parley::core {

class SendingTable {
 public:
  // The database is migrated and outlives this. False: its statements do not fit.
  [[nodiscard]] bool prepare(Sqlite& db);

  // SQLITE_OK or why not; within whatever transaction is open.
  int put(const SendingRow& row);
  int remove_copy(std::uint64_t sending, std::uint32_t copy);
  int remove(std::uint64_t id);
  int for_each(const std::function<void(SendingRow&&)>& visit);
  [[nodiscard]] std::uint64_t newest_id();

 private:
  int copies_of(SendingRow& row);

  Statement put_;
  Statement put_copy_;
  Statement remove_copy_;
  Statement remove_if_over_;
  Statement remove_copies_;
  Statement remove_;
  Statement all_;
  Statement copies_;
  Statement newest_;
};

}  // namespace parley::core
