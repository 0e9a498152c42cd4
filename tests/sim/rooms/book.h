// tests/sim/rooms/book.h - what everybody in a run knows together: sessions, who was in them when, what was said there
// and who heard it. The checkers compare with it.
//
//   membership   who hears something was in that session at some time between its sending and its arrival, and so was
//                its sender
//   order        what one sender says comes in his order, and any two hear what both of them hear in one order
//   once         nobody hears anything twice, unless his connection broke before he could say that he has it; who is in
//                all the time hears all that was taken, or a counter of the server says what it has given up
//   authority    what was refused or comes from nobody in the session goes nowhere; what is for one goes to him alone;
//                nobody is told who an anonymous one is
//
// Seats and messages name each other by pointers; the Book owns them until the run ends.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/journal.h"
#include "tests/sim/sip/book.h"

namespace parley::sim::rooms {

struct Seat;

enum class Kind : std::uint8_t { two, adhoc, group };

// One session of the focus, by the user part of its identity.
struct Room {
  std::string name;
  Kind kind = Kind::adhoc;
  unsigned life = 0;             // of the server, when it was first seen
  std::string starter;           // user who may expel
  std::set<std::string> allowed; // users who may come, where a starter is known
  std::set<std::string> booted;  // users whom somebody with the right to, or an operator, has made go
  std::vector<Seat*> seats;
  std::vector<struct Said*> said;
};

// What one has said.
struct Said {
  std::uint32_t number = 0;
  Seat* by = nullptr;
  std::string to;           // a user's address of record; empty: all
  std::string content;
  std::string failure = "yes";
  bool wants_success = false;
  bool barred = false;      // must go nowhere: a false name, from outside, refused
  bool complete = false;    // its last byte is on the connection
  bool aborted = false;
  bool unsure = false;      // the connection broke before it was answered
  int status = 0;           // of its last chunk, or of the first one that failed
  Instant begun{};
  Instant answered = Instant::max();
  std::uint32_t turn = 0;   // of his, as they were completed
  unsigned good_reports = 0, bad_reports = 0;
  std::string id;           // the Message-ID that others have seen
};

struct Heard {
  Said* said = nullptr;
  unsigned connection = 0;
  Instant at{};
};

// A message as it arrived.
struct Arrival {
  std::string id;          // Message-ID
  std::string from, to;    // URIs of its CPIM head
  std::string content;
  unsigned connection = 0;  // of the seat
};

// One participation of one device in one session, from the INVITE to the end.
struct Seat {
  struct Pause {  // when it takes nothing: asked for, granted; taken back, and that granted
    Instant from{};
    Instant sure = Instant::max();
    Instant back = Instant::max();
    Instant to = Instant::max();
  };
  std::uint32_t number = 0;
  std::uint32_t agent = 0;
  std::string user, uri;       // uri: address of record
  bool anonymous = false;
  bool hostile = false;        // what it says must go nowhere
  Room* room = nullptr;
  unsigned life = 0;
  Instant asked{};                  // it may be in from then on
  Instant in = Instant::max();      // it is in, for sure
  Instant up = Instant::max();      // and its messages flow
  Instant known = Instant::max();   // and the server knows: the one that connects is told so by an answer
  Instant leaving = Instant::max(); // it has sent its BYE, or lost hope
  Instant out = Instant::max();     // it is out, for sure
  bool sent_off = false;            // a BYE came
  bool media = false;               // connected at this moment
  bool troubled = false;            // connection cut, slow, silent: what it left behind is not judged
  std::vector<Pause> pauses;
  std::vector<Arrival> early;  // before it knew which session it is in
  std::vector<Heard> heard;
  std::map<const Said*, std::size_t> place;  // in heard, of the first time
  std::map<const Seat*, std::uint32_t> last_turn;
  std::set<const Said*> refused;    // that it has answered with an error
  std::uint32_t turns = 0;
  [[nodiscard]] bool is_in() const { return in != Instant::max() && leaving == Instant::max() && out == Instant::max(); }
};

class Book {
 public:
  explicit Book(Journal& journal, const Agenda& agenda) : journal_(journal), agenda_(agenda) {}

  [[nodiscard]] Room& room(const std::string& identity, unsigned life);
  Seat& sit(std::uint32_t agent, const std::string& user);
  void enter(Seat& seat, Room& room);
  Said& say(Seat& by);

  // It has answered an error to a part of what begins so.
  void refused_by(Seat& seat, std::string_view bytes);
  // One more arrived.
  void arrived(Seat& at, const Arrival& what);
  // Bytes that came to `user`: whether they tell of somebody who wants to be anonymous.
  void overheard(std::uint32_t agent, std::string_view bytes);
  // The server has died: nobody is in any session.
  void server_gone();
  // At rest. `given_up`: messages that the server counts as missed; `refusals`: SENDs that it counts as answered with an error,
  // of which those that want no answer at all have none; `lagging`: somebody was slower than it waits for.
  void settle(std::uint64_t given_up, std::uint64_t refusals, bool lagging);

  sip::Book server;  // domain, life, what else the server's keeper wants to know
  std::vector<std::unique_ptr<Seat>> seats;
  std::vector<std::unique_ptr<Said>> said;
  std::map<std::string, std::unique_ptr<Room>> rooms;
  std::map<std::string, std::uint32_t> hidden;  // what must not be told of, and the agent who may know
  std::map<std::string, std::string> paths;  // of the server's MSRP sessions -> user
  std::set<std::pair<std::string, std::string>> booted_names;  // and the users whom they have made go from them
  std::set<std::string> closed_names;        // beginnings of the names of sessions that operators have closed
  Instant gone_at{};         // when the server died last
  std::uint64_t told_refusals = 0;  // errors that it has answered to SENDs and NICKNAMEs, in this life
  std::size_t kept_max = 0;  // a message above that is not kept for who comes back
  std::map<std::string, bool> people;  // all users; true: is anonymous wherever it is
  std::uint64_t requests = 0, finals = 0, delivered = 0, notified = 0, joined = 0, again = 0, private_ones = 0, expelled = 0,
                refused = 0;

 private:
  [[nodiscard]] bool owed(const Said& said, const Seat& seat, bool lagging) const;
  [[nodiscard]] bool may_have_been_in(const Seat& seat, Instant at) const;
  [[nodiscard]] static bool heard_by_old_self(const Said& one, const Seat& seat);
  [[nodiscard]] static bool nobody_heard(const Said& one);
  void check_orders(const Room& room);
  void fail(const char* what, const Seat& at, const Said& said);

  Journal& journal_;
  const Agenda& agenda_;
};

// The user part of a session identity.
[[nodiscard]] std::string name_of(const std::string& identity);

}  // namespace parley::sim::rooms
