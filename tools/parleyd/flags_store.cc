// tools/parleyd/flags_store.cc - the flags of what outlives the process.
#include "tools/parleyd/flags_store.h"

#include <cstdint>
#include <string_view>

namespace parley::parleyd {

void add_store(FlagTable& flags, Settings& s, RawStore& raw) {
  flags.group("What outlives the process");
  flags.text("--store", raw.store, "memory|sqlite:DIR",
             "Where registrations are kept for the next start. 'memory': nowhere. 'sqlite:DIR': in DIR/parley.db, which one "
             "parleyd has for itself; DIR is made if its parent is there. A shard never waits for the disk: a registration "
             "is stored within milliseconds of its 200.");
  flags.count("--store-waiting-max", s.store.waiting_max, 1000, 100'000'000,
              "Changes that may wait for the disk; more are dropped and counted, and stored with the next change of the same "
              "registration. Each costs about 1 KiB.");
  flags.size("--store-wal-max", s.store.wal_max_bytes, 4 * mib, 65'536 * mib,
             "Size of the write-ahead log above which commits stop until it has been moved into the file. Raising it costs "
             "disk and the time of the next start.");
}

void finish_store(Settings& s, const RawStore& raw) {
  constexpr std::string_view sqlite = "sqlite:";
  if (raw.store == "memory") return;
  if (!raw.store.starts_with(sqlite) || raw.store.size() == sqlite.size()) {
    FlagTable::refuse("--store", "'" + raw.store + "' is neither memory nor sqlite:DIR");
  }
  s.store.directory = raw.store.substr(sqlite.size());
  s.sip.stores_bindings = true;
}

}  // namespace parley::parleyd
