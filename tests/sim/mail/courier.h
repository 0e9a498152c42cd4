// tests/sim/mail/courier.h - a user of large messages and his only device: it writes them, one after the other, and
// each one again until it is reported or until it hears that it has failed and lets it be; it takes those that come, or
// not, breaks off, is switched off, comes and goes.
//
// SIP is rooms::Phone's, connections are rooms::Line's; what is here is one message in one session, both ways.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/mail/book.h"
#include "tests/sim/rooms/media.h"
#include "tests/sim/rooms/phone.h"

namespace parley::sim::mail {

struct CourierTraits {
  std::uint32_t silent_permille = 0;   // does not hear that it is called
  std::uint32_t decline_permille = 0;  // 486, 480, 603
  std::uint32_t refuse_permille = 0;   // SENDs that get 413
  std::uint32_t break_permille = 0;    // SENDs with whose arrival its connection breaks
  std::uint32_t cut_permille = 0;      // chunks of its own behind which it breaks
  Duration answer_max{};
  rooms::MediaTraits media;
  std::uint64_t bytes_max = 100'000;
};

class Courier final : public rooms::Phone, public rooms::LineOwner {
 public:
  Courier(World& world, Place& place, rooms::Book& sip_book, Book& book, std::uint32_t number, std::string user,
          const core::Address& own, const core::Address& server, const CourierTraits& traits);

  void enrol(std::uint32_t seconds);
  // To a user, or to several by a list or the group.
  void write_to(const std::string& target, std::vector<std::string> users);
  void switch_off();
  void switch_on() { off_ = false; }
  void break_line(std::uint64_t draw);
  void behave();
  void close_all();
  [[nodiscard]] const std::string& user() const { return user_; }
  // Of what it has not come to an end with.
  [[nodiscard]] std::string unsettled() const { return current_; }
  // Something of it may have kept what was sent to several from it.
  [[nodiscard]] bool troubled(Instant from, Instant to) const;

  void on_bytes(const sip::Way& from, std::string_view bytes) override;
  void on_frame(rooms::Line& line, const Frame& frame) override;
  void on_line_lost(rooms::Line& line) override;

 private:
  struct Partial {
    std::string bytes;
    bool refused = false;  // it wants no more of it
  };
  // One session: it brings a message of ours, or one to us.
  struct Party {
    std::uint32_t number = 0;
    bool sends = false;
    bool up = false;     // there is a dialog
    bool over = false;   // and nothing more to do in it
    std::string id;      // of ours
    std::string invite;  // key of the server transaction that it came by
    Dialog dialog;
    std::string own, peer;
    rooms::Line* line = nullptr;
    std::size_t chunk = 0, at = 0;  // of ours
    unsigned owed = 0;
    std::map<std::string, Partial> partial;  // by Message-ID
  };
  struct Pending {
    std::uint32_t party = 0;
    bool binds = false;
  };
  struct Wish {
    std::string target;
    std::vector<std::string> users;
    bool several = false;
  };

  void on_request(const std::string& key) override;
  void on_ack(const std::string&, const sip::Message&) override {}
  void on_no_ack(const std::string& key) override;
  void on_provisional(const Client&, const sip::Message&) override {}
  void see(const sip::Message&, std::string_view) override {}

  Party& add_party();
  [[nodiscard]] std::string description(const Party& p) const;
  void add_abilities(sip::Message& m) const;
  void begin_next();
  void attempt();
  void answered(Party& p, const sip::Message* m);
  void failed(Party& p, bool told);
  void reported(Party& p);
  void hang_up(Party& p);
  void connect(Party& p);
  void pump(Party& p);
  void invited(const std::string& key);
  void accept(const std::string& key);
  void take_send(Party& p, const Frame& frame);
  void take_whole(const std::string& id, const std::string& bytes);
  void note_trouble();
  void write_line(Party& p, std::string bytes);
  [[nodiscard]] std::string head(const Party& p, const std::string& tid, const char* method) const;
  [[nodiscard]] std::string content_of(const std::string& id, std::size_t bytes) const;

  Place& place_;
  Book& mail_;
  CourierTraits traits_;
  bool off_ = false;
  bool calm_ = false;
  unsigned reg_seq_ = 0;
  std::uint16_t next_port_ = 30000;
  std::uint32_t next_line_ = 1;
  std::deque<Wish> wishes_;
  std::string current_;                           // Message-ID of the one that is being sent
  std::map<std::string, std::uint64_t> numbers_;  // by target
  std::vector<std::unique_ptr<Party>> parties_;
  std::map<std::string, Pending> pending_;  // by transaction id
  std::vector<std::unique_ptr<rooms::Line>> lines_, dead_lines_;
  std::vector<Instant> troubles_;
};

}  // namespace parley::sim::mail
