// tests/sim/sip/schedule.h - checks what the server sends by datagram against the timers of RFC 3261 section 17:
// requests again by A and E, final responses to INVITE again by G, each at its time, as long as it must and not longer.
//
// Looks at the datagrams where the Workers give and take them: what the network does to them is no excuse. A shard that
// stood still is, for as long as it did.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "tests/sim/sip/book.h"
#include "tests/sim/world.h"

namespace parley::sim::sip {

class Schedule final : public DatagramWatch {
 public:
  Schedule(World& world, Book& book) : world_(world), book_(book) {}

  void out(const core::Address& to, std::string_view bytes) override;
  void in(const core::Address& from, std::string_view bytes) override;
  // The server is new: what the old one owed is nobody's debt.
  void forget(Duration timer_c);
  // From then on nothing is checked, or everything again: where what a shard was given may not have come to the one that it
  // is for, and where a server ends. What was answered is noted all the time (Book::accepted).
  void rest(bool rests) { rests_ = rests; }
  [[nodiscard]] bool rests() const { return rests_; }
  // What should have been sent by now. An INVITE is given up after `timer_c` without a response (RFC 3261
  // section 16.8).
  void settle(Duration timer_c);

 private:
  struct Head {  // of a datagram
    bool request = false;
    int status = 0;
    std::string branch;
    std::string method;     // of CSeq
    bool of_agent = false;  // responses: a user agent made it
  };
  struct Request {  // that the server sent
    std::string bytes;
    std::string method;
    Instant first{}, last{};
    Duration next{};                 // until it comes again, if nothing is heard
    Instant heard = Instant::max();  // when the first response of any kind arrived
    Instant final_heard = Instant::max();
  };
  struct Final {  // to an INVITE, 300 and above
    std::string bytes;
    bool of_agent = false;
    Instant first{}, last{};  // by the timer
    Duration next{};
    unsigned repeated = 0;  // because an INVITE came again
    Instant acked = Instant::max();
  };

  [[nodiscard]] static bool look(std::string_view bytes, Head& head);
  void sends_request(const Head& head, std::string_view bytes);
  void sends_final(const Head& head, std::string_view bytes);
  [[nodiscard]] Duration slack() const;
  // Shards may stand still for so long that one firing of G can not be told from the next.
  [[nodiscard]] bool rough() const { return slack() > 100ms; }
  [[nodiscard]] bool past(Instant when) const;
  void check(const Request& r, Duration timer_c);
  void check(const Final& f);

  World& world_;
  Book& book_;
  bool rests_ = false;
  std::map<std::string, Request> requests_;  // by branch and method
  std::map<std::string, Final> finals_;      // by branch
  std::map<std::string, unsigned> invites_;  // that have come, by branch
};

}  // namespace parley::sim::sip
