// tools/parleyd/flags_deferred.cc - the flags of deferred messages, and the checks between them.
#include "tools/parleyd/flags_deferred.h"

namespace parley::parleyd {

using namespace std::chrono_literals;
using std::chrono::hours;

void add_deferred(FlagTable& flags, Settings& s) {
  auto& c = s.sip.im.deferred;
  flags.group("Deferred messages");
  flags.count("--deferred-count-max", c.count_max, 1, 1'000'000,
              "Messages that wait for one user; one more is answered 480 with a Warning.");
  flags.size("--deferred-bytes-max", c.bytes_max, kib, std::uint64_t{1} << 40,
             "The same in bytes, of headers that go along and bodies.");
  flags.size("--deferred-large-max", c.large_bytes_max, kib, std::uint64_t{1} << 40,
             "The longest large message that is stored; a longer one is answered 480 where its description says so, and cut off with "
             "413 where it does not. --deferred-bytes-max holds for it, too.");
  flags.count("--deferred-large-parallel", c.large_parallel, 1, 100'000,
              "Large messages that come into the store or go out of it at one time, per shard. Each costs at most 2 MiB while the "
              "disk or its receiver is slow.");
  flags.duration("--deferred-age-max", c.age_max, 1s, hours(24 * 365),
                 "How long a message waits at most; one with Expires as long as that says, if it is shorter. Then it is deleted, and "
                 "its sender is told if he has asked for negative-delivery.");
  flags.duration("--deferred-after", c.answer_max, 100ms, 30s,
                 "A user whose devices have not answered a message by then can not be reached: it is stored, and its sender is "
                 "answered 202. Senders wait for 32 s.");
  flags.count("--deferred-users-max", c.users_max, 1, 100'000'000,
              "Registered users for whom messages wait who are sent them or will be tried again, per shard; others have to wait for "
              "one of these. Each costs about 400 bytes.");
  flags.count("--deferred-push-parallel", c.push_parallel, 1, 100'000,
              "Users who are sent what waits for them at one time, per shard: each one message after the other. Each costs about "
              "64 KiB.");
  flags.count("--deferred-push-rate", c.push_rate, 1, 1'000'000,
              "Deferred messages that are sent in a second, per shard, so that many who come back at one time do not delay others.");
  flags.duration("--deferred-retry-first", c.retry_first, 1s, hours(24),
                 "How long until a user who is registered and did not take his messages is sent them again, if he does not register "
                 "meanwhile; each time twice as long.");
  flags.duration("--deferred-retry-max", c.retry_max, 1s, hours(24 * 7), "The longest of these times.");
}

void finish_deferred(Settings& s, bool asked) {
  auto& c = s.sip.im.deferred;
  const bool can = !s.sip_listeners.empty() && s.sip.im.participating && s.sip.stores_messages;
  if (asked && !can) FlagTable::refuse("--roles", "deferred needs the role participating, --sip and --store sqlite:DIR");
  c.on = asked || (c.on && can);
  if (c.answer_max + s.sip.store_answer > 30s) {  // Timer F is 32 s
    FlagTable::refuse("--deferred-after", "with --store-answer-max it is longer than senders wait: more than 30s");
  }
  if (c.retry_first > c.retry_max) FlagTable::refuse("--deferred-retry-max", "is less than --deferred-retry-first");
}

}  // namespace parley::parleyd
