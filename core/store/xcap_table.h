// core/store/xcap_table.h - the rows of table `xcap_document`.
#pragma once

#include <functional>

#include "core/store/sqlite.h"
#include "core/store/store.h"

namespace parley::core {

class XcapTable {
 public:
  // The database is migrated and outlives this. False: its statements do not fit.
  [[nodiscard]] bool prepare(Sqlite& db);

  // SQLITE_OK or why not; within whatever transaction is open.
  int put(const XcapRow& row);
  int remove(const RemoveXcap& key);
  int for_each(const std::function<void(XcapRow&&)>& visit);

 private:
  Statement put_;
  Statement remove_;
  Statement all_;
};

}  // namespace parley::core
