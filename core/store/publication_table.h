// core/store/publication_table.h - the rows of table `publication`.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/store/sqlite.h"
#include "core/store/store.h"

namespace parley::core {

class PublicationTable {
 public:
  // The database is migrated and outlives this. False: its statements do not fit.
  [[nodiscard]] bool prepare(Sqlite& db);

  // SQLITE_OK or why not; within whatever transaction is open.
  int put(const PublicationRow& row);
  int remove(std::string_view aor, std::string_view name);
  int remove_expired(std::int64_t now_ms);
  // In the order of `changed`.
  int for_each(const std::function<void(PublicationRow&&)>& visit);

 private:
  Statement put_;
  Statement remove_;
  Statement remove_expired_;
  Statement all_;
};

}  // namespace parley::core
