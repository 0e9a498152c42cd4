// policy/user_news.h - what has become of a user's messages and records, to the shard that has him: this one, or
// another by mail.
//
// One per shard, core-local; it keeps scratch alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/deferred.h"
#include "policy/deferred_watch.h"
#include "policy/history_lists.h"
#include "policy/home.h"
#include "sip/transport.h"

namespace parley::policy {

class UserNews {
 public:
  UserNews(const Home& home, sip::Transport& transport, Deferred& deferred, DeferredWatch& watch,
           HistoryLists& history_lists)
      : home_(home), transport_(transport), deferred_(deferred), watch_(watch), history_lists_(history_lists) {}

  // A message has been kept for him. Who does not know of one does not send it, so this is not lost.
  void added(std::string_view aor, std::string_view sender, bool tried);
  // What waits for him. Who is not told now is with the next change.
  void list_changed(std::string_view aor, bool reminds);
  // It is not sent to him any more.
  void fetched(std::string_view aor, std::uint64_t id);
  // A record of his has begun or ended. Who is not told now is with the next change.
  void history_changed(std::string_view aor);

 private:
  const Home& home_;
  sip::Transport& transport_;
  Deferred& deferred_;
  DeferredWatch& watch_;
  HistoryLists& history_lists_;
  std::string mail_;
};

}  // namespace parley::policy
