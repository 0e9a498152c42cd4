// tests/sim/mail/phone.h - a user and his only device: it registers, leaves, is switched off, writes messages one after the
// other to each receiver, and takes those that come, or not. Over UDP; the server trusts it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "tests/sim/mail/book.h"
#include "tests/sim/sip/message.h"
#include "tests/sim/world.h"

namespace parley::sim::mail {

struct PhoneTraits {
  std::uint32_t silent_permille = 0;   // hears nothing of a request and its copies
  std::uint32_t unable_permille = 0;   // 480, 503
  std::uint32_t refuse_permille = 0;   // 415, 486
  Duration answer_max{};
};

class Phone final : public DatagramEnd {
 public:
  Phone(World& world, Book& book, std::string user, std::uint32_t number, const core::Address& server,
        const PhoneTraits& traits);
  ~Phone() override { world_.net.datagrams.detach(own_, this); }

  void enrol(std::uint32_t seconds);
  void write_to(const std::string& target);
  void switch_off() { off_ = true; }
  void switch_on() { off_ = false; }
  void behave() { traits_ = {}; }
  [[nodiscard]] const std::string& user() const { return user_; }
  [[nodiscard]] std::string waiting() const;

  void on_datagram(const core::Address& from, const core::Address& to, std::string_view bytes) override;

 private:
  struct Client {
    std::string bytes;
    std::string id;      // of a message
    std::string target;  // of a message
    Instant until{};
    Duration interval{};
  };
  struct Lane {  // to one receiver
    std::uint64_t written = 0;
    unsigned queued = 0;
    bool busy = false;
  };
  [[nodiscard]] std::string aor(const std::string& user) const { return "sip:" + user + "@" + book_.domain; }
  [[nodiscard]] sip::Message request(const std::string& method, const std::string& uri, const std::string& to,
                                     const std::string& call_id, std::uint64_t number);
  void start(const sip::Message& m, const std::string& id, const std::string& target);
  void resend(const std::string& branch);
  void send_next(const std::string& target);
  void over(const std::string& branch, int status);
  void on_request(const sip::Message& m);
  void take(const sip::Message& m, int status);
  void send(const std::string& bytes) { world_.net.datagrams.send(own_, server_, bytes); }

  World& world_;
  Book& book_;
  std::string user_;
  core::Address own_;
  core::Address server_;
  PhoneTraits traits_;
  Rng rng_;
  bool off_ = false;
  std::uint64_t next_ = 1;
  std::uint64_t reg_seq_ = 0;
  std::map<std::string, Client> clients_;      // by branch
  std::map<std::string, Lane> lanes_;          // by target
  std::map<std::string, std::string> answers_;  // by branch of what came; empty: none is given
};

}  // namespace parley::sim::mail
