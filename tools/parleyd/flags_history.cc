// tools/parleyd/flags_history.cc - the flags of histories of conversations, which are there where a store is.
#include "tools/parleyd/flags_history.h"

#include <algorithm>

namespace parley::parleyd {

using namespace std::chrono_literals;
using std::chrono::hours;

void add_history(FlagTable& flags, Settings& s) {
  auto& c = s.sip.im.history;
  flags.group("Histories of conversations");
  flags.count("--history-count-max", c.count_max, 1, 100'000'000,
              "Messages, and records of sessions, that are kept for one user who has his conversations recorded (hist-activation of "
              "his settings). Nothing is recorded with --store memory.");
  flags.size("--history-bytes-max", c.bytes_max, kib, std::uint64_t{1} << 40,
             "The same in bytes of messages, each user's counted as if he alone had them. Equal messages are stored once, however "
             "many users have them.");
  flags.choice<bool>("--history-full", c.keep_old, {{"oldest", false}, {"newest", true}},
                     "What gives way when a user has that much: the 'oldest' is deleted, or the 'newest' is not kept. A session is "
                     "never refused for it.");
  flags.duration("--history-age-max", c.age_max, 1s, hours(24 * 3650), "How long a record is kept after its conversation has ended.");
  flags.size("--history-message-max", c.message_bytes_max, 4 * kib, 64 * mib,
             "Longest message that is recorded with its body; of a longer one there is when and how long it was, its type and "
             "Message-ID.");
  flags.size("--history-memory-max", c.assembling_bytes_max, kib, 65'536 * mib,
             "Bytes of messages in pieces that wait for their end to be recorded, per shard; one session has at most a sixteenth of "
             "it. When all of it is taken, the session that has most gives way, whoever's piece comes. What has waited longest there is "
             "recorded without its body.");
}

void finish_history(Settings& s) {
  auto& c = s.sip.im.history;
  c.on = !s.sip_listeners.empty() && s.sip.im.participating && s.sip.stores_messages;
  // A changed bound takes an untouched one along; one that was asked for must fit.
  const std::uint64_t room = std::min<std::uint64_t>(c.bytes_max, c.assembling_bytes_max);
  if (c.message_bytes_max <= room) return;
  if (c.message_bytes_max != policy::HistoryConfig{}.message_bytes_max) {
    FlagTable::refuse("--history-message-max", "is above --history-bytes-max or --history-memory-max: such a message is never kept");
  }
  c.message_bytes_max = static_cast<decltype(c.message_bytes_max)>(room);
}

}  // namespace parley::parleyd
