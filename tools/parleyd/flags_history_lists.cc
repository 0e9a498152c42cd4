// tools/parleyd/flags_history_lists.cc - the flags of reading histories, and the checks between them.
#include "tools/parleyd/flags_history_lists.h"

#include "sip/uri.h"

namespace parley::parleyd {

void add_history_lists(FlagTable& flags, Settings& s) {
  auto& c = s.sip.im.history_access;
  c.uri.clear();
  flags.text("--history-uri", c.uri, "URI",
             "Identity of the conversation history function: what it asserts of itself when a user fetches a record. Without it "
             "sip:History@DOMAIN.");
  flags.size("--history-list-bytes-max", c.list_bytes_max, kib, 64 * mib,
             "Longest list of a user's records; one that would be longer has the newest, and says how many it leaves out.");
  flags.size("--history-list-cache-max", c.list_cache_bytes_max, 0, 65'536 * mib,
             "Lists that are kept for who asks again while nothing has changed, per shard; those not asked for longest go. 0: each is "
             "read from the store, a hundred records at a time.");
  flags.count("--history-fetch-parallel", c.fetch_parallel, 1, 100'000,
              "Records that are sent to their users at one time, per shard; one more is answered 503. Each costs at most 256 KiB and "
              "its longest message.");
}

void finish_history_lists(Settings& s) {
  auto& c = s.sip.im.history_access;
  c.on = !s.sip_listeners.empty() && s.sip.im.participating && s.sip.stores_messages;
  if (c.uri.empty()) c.uri = "sip:History@" + (s.sip.domains.empty() ? s.realm : s.sip.domains.front());
  sip::Uri uri;
  if (!sip::parse_uri(c.uri, uri) || uri.user.empty())
    FlagTable::refuse("--history-uri", "'" + c.uri + "' is not a SIP URI with a user");
}

}  // namespace parley::parleyd
