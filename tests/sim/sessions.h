// tests/sim/sessions.h - the checker of session lives: when a session must live, from when on it must be gone, and that
// it ends once.
//
// A session's own time is known from the AUTH that made or last refreshed it: it cannot end before the AUTH was written
// plus Expires, and is over at the latest when the answer was read plus Expires. What ends it earlier (an operator, its
// connection) is known from the relay's closing record, which names the user; users with several sessions at one relay
// cannot be told apart by it, so for them one end puts all in doubt.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/ledger.h"

namespace parley::sim {

struct Place;

struct Granted {
  std::string uri;
  const Place* place = nullptr;
  const Leg* leg = nullptr;
  Instant granted{};                  // its first 200 was read
  Instant sure_until{};               // before this its time is not over
  Instant gone_at = core::never;      // after this it is
  Instant ended = core::never;        // by the relay's closing record
  bool refreshing = false;            // its end may have moved
  Instant gone_before = core::never;  // what gone_at was until then
};

class Sessions {
 public:
  Sessions(Journal& journal, const Agenda& agenda) : journal_(journal), agenda_(agenda) {}

  // An AUTH written at `asked` was answered 200 just now. `slack`: how late the relay may notice the time.
  void granted(const std::string& uri, const Place& place, const Leg& leg, Instant asked, Duration expires,
               Duration slack);
  // Credentials are on their way for a session that exists.
  void refreshing(const std::string& uri);
  // And have come to nothing.
  void not_refreshed(const std::string& uri);

  // It has several sessions now that nobody can tell apart.
  void doubt(const Place& place, const Leg& leg) { books_[{&place, leg.user}].in_doubt = true; }

  // Nothing may pass over it that was written at `at` or later.
  [[nodiscard]] bool must_be_gone(const std::string& uri, Instant at) const;
  // A relay has no reason to refuse it, as long as its client is connected.
  [[nodiscard]] bool must_live(const std::string& uri) const;
  // Something ended on the way of this leg's messages.
  [[nodiscard]] bool has_lost(const Leg& leg) const;

  // The relay's words: a log line, the sessions an operator was shown, the answer to his wish to end one.
  void log_line(const Place& place, std::string_view text);
  void listed(const Place& place, std::uint64_t number, const std::string& user);
  void kick_answered(const Place& place, std::uint64_t number, const std::string& user, bool kicked);
  // Everybody of `place` who has to be on a list that was begun at `since`.
  [[nodiscard]] std::set<std::string> to_be_listed(const Place& place, Instant since) const;

  // At rest: as many ends as sessions.
  [[nodiscard]] std::uint64_t ends(const Place& place) const;
  void settle();

 private:
  struct Book {  // of one user at one relay
    std::vector<Granted*> grants;
    std::vector<Instant> ends;
    bool shared = false;
    bool in_doubt = false;
  };
  using Key = std::pair<const Place*, std::string>;
  [[nodiscard]] const Book* book(const Granted& g) const;
  [[nodiscard]] const Granted* last_of(const Place& place, const std::string& user) const;

  Journal& journal_;
  const Agenda& agenda_;
  std::map<std::string, std::unique_ptr<Granted>> granted_;
  std::map<Key, Book> books_;
  std::set<std::pair<const Place*, std::uint64_t>> ended_;   // numbers
  std::set<std::pair<const Place*, std::uint64_t>> kicked_;  // answered, record not seen
};

// The text behind `key=` up to the next space; empty when it does not stand.
std::string log_field(std::string_view text, std::string_view key);

}  // namespace parley::sim
