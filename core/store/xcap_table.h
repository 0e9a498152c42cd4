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
  int put(const PutXcap& what);
  int remove(const RemoveXcap& what);
  int for_each(const std::function<void(XcapRow&&)>& visit);

 private:
  int remove(const std::string& auid, const std::string& owner, const std::string& name);

  Statement put_;
  Statement remove_;
  Statement all_;
};

}  // namespace parley::core
