// tools/parleyd/flags_store.cc - the flags of what outlives the process.
#include "tools/parleyd/flags_store.h"

#include <cstdint>
#include <string_view>

namespace parley::parleyd {

using namespace std::chrono_literals;

void add_store(FlagTable& flags, Settings& s, RawStore& raw) {
  flags.group("What outlives the process");
  flags.text("--store", raw.store, "memory|sqlite:DIR",
             "Where registrations and messages are kept, also for the next start. 'sqlite:DIR': in DIR/parley.db, which one "
             "parleyd has for itself; DIR is made if its parent is there. A shard never waits for the disk: a registration "
             "is stored within milliseconds of its 200; the 202 to a message is sent when it is on the disk. 'memory': "
             "nowhere; then messages to lists and groups wait in memory, and none waits for who can not be reached. Without "
             "--sip nothing is kept, and no directory made.");
  flags.duration("--store-answer-max", s.sip.store_answer, 100ms, 20s,
                 "How long the sender of a message that is to be stored is let wait for the disk; then it is answered 480, or 503 "
                 "if it goes to several.");
  flags.count("--store-waiting-max", s.store.waiting_max, 1000, 100'000'000,
              "Changes that may wait for the disk; more are dropped and counted, and stored with the next change of the same "
              "registration. Each costs about 1 KiB.");
  flags.size("--store-waiting-bytes-max", s.store.waiting_bytes_max, mib, 65'536 * mib,
             "The same in bytes of messages; what finds no room is answered 480 or 503.");
  flags.size("--store-wal-max", s.store.wal_max_bytes, 4 * mib, 65'536 * mib,
             "Size of the write-ahead log above which commits stop until it has been moved into the file. Raising it costs "
             "disk and the time of the next start.");
}

void finish_store(Settings& s, const RawStore& raw) {
  constexpr std::string_view sqlite = "sqlite:";
  if (!raw.keeps()) return;
  if (!raw.store.starts_with(sqlite) || raw.store.size() == sqlite.size()) {
    FlagTable::refuse("--store", "'" + raw.store + "' is neither memory nor sqlite:DIR");
  }
  if (s.sip_listeners.empty()) return;  // the relay's sessions end with their connections
  s.store.directory = raw.store.substr(sqlite.size());
  s.sip.stores_bindings = s.sip.stores_messages = true;
  s.store.sessions_ms_max = std::chrono::duration_cast<std::chrono::milliseconds>(s.sip.focus.left_max).count();
}

}  // namespace parley::parleyd
