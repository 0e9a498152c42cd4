// tests/sim/rooms/phone.h - the SIP side of somebody who takes part in sessions: transactions (RFC 3261 section 17),
// digest, dialogs. What a request means is the agent's matter (agent.h).
//
// It keeps to the rules and reads strictly; what the server may not do ends the run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/rooms/book.h"
#include "tests/sim/sip/credentials.h"
#include "tests/sim/sip/message.h"
#include "tests/sim/sip/wire.h"

namespace parley::sim::rooms {

using sip::Message;
using sip::Way;

inline constexpr Duration t1 = 500ms;
inline constexpr Duration t2 = 4s;
inline constexpr Duration t1_64 = 32s;

class Phone : public sip::Receiver {
 public:
  Phone(World& world, Place& place, Book& book, std::uint32_t number, std::string user, const core::Address& own,
        const core::Address& server_udp, bool stream);

  // Requests of its own that have no end although they are owed one; "" when there is none.
  [[nodiscard]] std::string waiting() const;

  void on_bytes(const Way& from, std::string_view bytes) override;
  void on_lost(std::uint32_t connection) override;

 protected:
  using Done = std::function<void(const Message*)>;  // each final response; nullptr: none will come
  using Fields = std::vector<std::pair<std::string, std::string>>;
  struct Client {
    Message request;
    std::string bytes;
    Way way;
    Instant began{};
    unsigned life = 0;
    Duration interval = t1;
    int provisional = 0;
    bool over = false;
    bool given_up = false;  // before a final response came: by then a late copy may be a request of its own
    bool cancelled = false;
    int status = 0;
    std::string final_bytes;
    std::string to_tag;  // of the 2xx of an INVITE
    std::string ack;     // of it, to be repeated
    Way ack_way;
    Done done;
  };
  struct Server {
    Message request;
    std::string bytes;
    Way back;
    std::string tag;
    std::string last;  // response
    int status = 0;
    bool acked = false;
    Instant sent{};
    Duration interval = t1;
    unsigned life = 0;
  };
  struct Dialog {
    std::string call_id, local, remote, target;
    std::vector<std::string> routes;
    unsigned local_seq = 0, remote_seq = 0;
  };

  // --- what the agent does about it
  virtual void on_request(const std::string& key) = 0;       // a fresh one; it has to be answered
  virtual void on_ack(const std::string& key, const Message& ack) = 0;  // of a 2xx
  virtual void on_no_ack(const std::string& key) = 0;
  virtual void on_provisional(const Client& c, const Message& response) = 0;
  virtual void see(const Message& m, std::string_view bytes) = 0;  // everything that comes

  // --- requests
  [[nodiscard]] Message make(const std::string& method, const std::string& uri, const std::string& to);
  [[nodiscard]] Message in_dialog(Dialog& d, const std::string& method);
  [[nodiscard]] Way way_in(const Dialog& d);
  [[nodiscard]] Way usual_way() { return stream_ ? wire_.stream() : wire_.datagram(); }
  // The key of its transaction.
  std::string start(Message request, const Way& way, Done done);
  // The same again with an answer to the challenge.
  void ask(Message request, const Way& way, Done done, int tries = 0);
  void cancel(const std::string& call_id);
  // For the 2xx of an INVITE.
  void acknowledge(Dialog& d, const Message& ok, const std::string& body = {});

  // --- responses
  void respond(const std::string& key, int status, const Fields& fields = {}, const std::string& body = {},
               const std::string& type = "application/sdp");

  [[nodiscard]] std::string fresh(const char* what);
  [[nodiscard]] std::string contact() const;
  [[nodiscard]] std::string via(const Way& way, const std::string& branch) const;
  [[nodiscard]] Duration some(Duration most);
  void after(Duration delay, std::function<void()> action) { world_.agenda.after(delay, std::move(action)); }
  void fail(const std::string& what);
  [[nodiscard]] bool excused(const Client& c) const { return c.life != book_.server.life || book_.server.draining; }
  [[nodiscard]] static std::string dialog_key(const std::string& call_id, const std::string& local,
                                              const std::string& remote) {
    return call_id + " " + sip::tag_of(local) + " " + sip::tag_of(remote);
  }

  World& world_;
  Book& book_;
  Rng rng_;
  std::uint32_t number_;
  std::string user_;
  std::string aor_;
  bool stream_;
  sip::Wire wire_;
  core::Address own_;
  std::map<std::string, Client> clients_;  // by branch and method
  std::map<std::string, Server> servers_;
  bool anonymous_ = false;

 private:
  void repeat(const std::string& key);
  void give_up(const std::string& key);
  void end(Client& c);
  void take_response(const Message& m, std::string_view bytes);
  void take_final(const std::string& key, Client& c, const Message& m, std::string_view bytes);
  [[nodiscard]] bool echoes(const Client& c, const Message& m);
  void send_ack(const Client& c, const Message& m);
  void take_request(const Way& from, const Message& m, std::string_view bytes);
  void take_ack(const Message& m);
  void send_back(const Server& s) { (void)wire_.send(wire_.alive(s.back) ? s.back : wire_.stream(), s.last); }
  void repeat_response(const std::string& key);

  sip::Credentials credentials_;
  std::uint64_t next_id_ = 1;
};

}  // namespace parley::sim::rooms
