// core/store/im_session_table.h - the rows of table `im_session`.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "core/store/sqlite.h"
#include "core/store/store.h"

namespace parley::core {

class ImSessionTable {
 public:
  // The database is migrated and outlives this. False: its statements do not fit.
  [[nodiscard]] bool prepare(Sqlite& db);

  // SQLITE_OK or why not; within whatever transaction is open.
  int put(const SessionRow& row);
  int remove(std::string_view name);
  // A process begins: what is there nobody has from now on. Those of which that is true since `before_ms` go.
  int leave(std::int64_t now_ms, std::int64_t before_ms);
  int for_each(const std::function<void(SessionRow&&)>& visit);

 private:
  Statement put_;
  Statement remove_;
  Statement leave_;
  Statement remove_left_;
  Statement all_;
};

}  // namespace parley::core
