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
  flags.count("--deferred-large-per-user-max", c.large_per_user, 1, 100'000,
              "How many of them one user may be sending, and how many one user may be sent, so that nobody takes them all; one to "
              "several counts once. One more is answered 480 or 503.");
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
  flags.choice<bool>("--deferred-push-by", c.push_sessions, {{"message", false}, {"session", true}},
                     "How a stored MESSAGE is sent to its user: by MESSAGE, or as a session with one MSRP message, as RCS devices expect "
                     "what was stored. Large messages are sessions anyway.");
  flags.duration("--deferred-retry-first", c.retry_first, 1s, hours(24),
                 "How long until a user who is registered and did not take his messages is sent them again, if he does not register "
                 "meanwhile; each time twice as long.");
  flags.duration("--deferred-retry-max", c.retry_max, 1s, hours(24 * 7), "The longest of these times.");
  flags.duration("--deferred-remind-before", c.remind_before, 1s, hours(24 * 365),
                 "How long before the end of a message its user is reminded of it, once: who is subscribed by NOTIFY, who is registered "
                 "and wants nothing sent by MESSAGE.");
  flags.text("--deferred-namespace", c.list_space, "URI",
             "XML namespace of the list of what waits; some clients know urn:oma:xml:im:history-list.");
  flags.size("--deferred-list-bytes-max", c.list_bytes_max, kib, mib,
             "Longest list in a NOTIFY or MESSAGE; it says how many messages it leaves out.");
  flags.text("--deferred-xcap-root", c.xcap_root, "URI",
             "XCAP root that xcap-diff documents name. Without it https://DOMAIN/.");
  flags.seconds("--deferred-event-expires-max", c.event_expires_max_seconds, 60, 30 * 86'400,
                "Longest subscription to the list; a longer wish, or none, gets this.");
  flags.duration("--deferred-event-interval", c.event_interval, 0ms, hours(1),
                 "Between NOTIFYs that changes of one user's list cause. Lowering it costs NOTIFYs and reads of the store.");
  flags.count("--deferred-retrievals-max", c.retrievals_max, 1, 1'000'000,
              "REFERs for deferred messages that are carried out at one time, per shard; one more is answered 500. Each costs about "
              "1 KiB and its message.");
  flags.count("--deferred-retrievals-per-user-max", c.retrievals_per_user_max, 1, 1000, "The same of one user.");
}

void finish_deferred(Settings& s, bool asked) {
  auto& c = s.sip.im.deferred;
  const bool can = !s.sip_listeners.empty() && s.sip.im.participating && s.sip.stores_messages;
  if (asked && !can) FlagTable::refuse("--roles", "deferred needs the role participating, --sip and a --store");
  c.on = asked || (c.on && can);
  if (c.answer_max + s.sip.store_answer > 30s) {  // Timer F is 32 s
    FlagTable::refuse("--deferred-after", "with --store-answer-max it is longer than senders wait: more than 30s");
  }
  if (c.on && s.sip.timer_c <= c.answer_max) {
    FlagTable::refuse("--sip-timer-c", "is not longer than --deferred-after: nothing would be stored for who does not answer an INVITE");
  }
  if (c.list_space.empty()) FlagTable::refuse("--deferred-namespace", "is empty");
  if (c.retry_first > c.retry_max) FlagTable::refuse("--deferred-retry-max", "is less than --deferred-retry-first");
}

}  // namespace parley::parleyd
