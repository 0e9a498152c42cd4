// core/store/binding_table.h - the rows of table `registration`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/store/sqlite.h"
#include "core/store/store.h"

namespace parley::core {

class BindingTable {
 public:
  // The database is migrated and outlives this. False: its statements do not fit.
  [[nodiscard]] bool prepare(Sqlite& db);

  // SQLITE_OK or why not; within whatever transaction is open.
  int put(const BindingRow& row);
  int remove(std::string_view aor, std::uint64_t id);
  int remove_expired(std::int64_t now_ms);
  int for_each(const std::function<void(BindingRow&&)>& visit);

 private:
  Statement put_;
  Statement remove_;
  Statement remove_expired_;
  Statement all_;
};

}  // namespace parley::core
