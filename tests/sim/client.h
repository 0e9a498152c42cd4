// tests/sim/client.h - one independent MSRP client with a connection of its own and one or more sessions on it.
//
// What a client is (polite, slow, dribbling, lying, vanishing, flooding) is a set of traits; troubles end when the
// liveness phase begins.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/ledger.h"
#include "tests/sim/strict.h"
#include "tests/sim/websocket.h"
#include "tests/sim/world.h"

namespace parley::sim {

struct Traits {
  std::uint64_t read_per_tick = 0;   // slow reader; 0: everything at once
  std::uint64_t write_per_tick = 0;  // dribbler
  bool liar = false;
  bool mute = false;                 // some SENDs get an error or nothing
  std::uint64_t vanish_after = 0;    // bytes written; 0: stays
  bool vanish_hard = true;           // reset, or close
  std::uint32_t window = 8;          // SENDs written and unanswered
  Duration answer_delay{};
};

class Client final : public Socket, public Acceptor {
 public:
  Client(World& world, Place& place, std::uint32_t number, bool tls, std::string user, const Traits& traits);

  // Before it has a leg (RFC 7977).
  void speak_websocket() { ws_ = std::make_unique<WebSocketClient>(world_.seed, number_); }
  Leg& add_leg(bool authenticates, std::uint32_t hops);
  void connect();  // unless it waits to be dialled
  void wait_for_dial();
  void accepted(Stream* stream, const core::Address& from) override;
  // The troubles have ended: go on where a trait had held it back.
  void wake();
  // Messages whose sessions never came up are taken back.
  void forget_unready();
  [[nodiscard]] const core::Address& address() const { return address_; }
  // Queues a message; it is sent when both legs are ready.
  void post(Message& message);
  // A hostile act of the liar (liar.cc).
  void lie();
  // Orderly end.
  void leave();

  [[nodiscard]] bool alive() const { return stream_ != nullptr && !died_; }
  [[nodiscard]] bool died() const { return died_; }          // before it left by itself
  [[nodiscard]] bool blameless() const { return !traits_.liar; }
  [[nodiscard]] bool authenticated() const;
  [[nodiscard]] bool idle() const { return (ws_ == nullptr || !ws_->owes()) && plan_.empty() && !writing_ && control_.empty() && out_.empty(); }
  [[nodiscard]] const Traits& traits() const { return traits_; }
  [[nodiscard]] std::uint32_t number() const { return number_; }
  // For the authority oracle.
  [[nodiscard]] bool owns(const std::string& relay_uri) const;
  [[nodiscard]] bool claimed(const std::string& uri) const { return claimed_.contains(uri); }
  [[nodiscard]] const std::vector<std::unique_ptr<Leg>>& legs() const { return legs_; }
  [[nodiscard]] Place& place() { return place_; }
  [[nodiscard]] const Place& place() const { return place_; }
  // What keeps it from being idle, for the report of a failure.
  [[nodiscard]] std::string state() const;

  void on_readable() override;
  void on_room() override { pump(); }
  void on_reset() override;

 private:
  friend class Liar;
  struct Pending {  // a request that may be answered
    enum class Kind { auth, send, other } kind = Kind::other;
    Leg* leg = nullptr;
    Message* message = nullptr;
    std::string first_uri;   // what From-Path of the response must be
    bool expected = false;   // FR yes: a response must come
    const Tag* tag = nullptr;
    struct {
      std::size_t hop = 0;
      std::uint32_t expires = 0;  // asked for; 0: nothing
      bool credentials = false;
      bool fresh = false;         // there is no session yet
    } auth;
  };
  struct Plan {  // a message on its way out
    Message* message;
    std::uint64_t at = 0;
    std::uint64_t chunk_bytes = 0;  // 0: whole
    bool star = false;              // range-end '*'
    std::uint64_t abort_at = 0;     // ends with '#' there; 0: never
  };
  struct Writing {  // the frame whose body is being written
    Message* message;
    Tag* tag;
    std::uint64_t at;
    std::uint64_t end;
    std::string tid;
    bool interruptible;
    bool cross_out;
  };

  void tick();
  void read(std::uint64_t bytes_max);
  void take(const Frame& frame);
  void take_send(const Frame& frame);
  void take_response(const Frame& frame);
  void take_auth_response(const Frame& frame, const Pending& pending);
  void answer(const Frame& frame, int status);
  void give_up(Message& message);
  void success_report(const Frame& frame, const Message& message);
  void judge_answer(int status, const Pending& pending);
  // AUTH (client_auth.cc). `hop`: 0 the own relay, 1 the relay behind it.
  enum class Name { relay, session };  // what the AUTH is addressed to
  void authenticate(Leg& leg, std::size_t hop, Name name);
  void send_auth(Leg& leg, std::size_t hop, const std::string& authorization);
  void refresh(Leg& leg, std::size_t hop);
  void plan_refresh(Leg& leg, std::size_t hop, Duration expires);
  [[nodiscard]] Place& relay_at(std::size_t hop);
  void take_challenge(const Frame& frame, const Pending& pending);
  void take_refusal(const Frame& frame, const Pending& pending);
  std::string credentials(Leg& leg, std::size_t hop);
  [[nodiscard]] std::vector<std::string> relay_path(const Leg& leg) const;
  void pump();
  bool pump_frame();
  bool pump_websocket();
  void start_chunk(std::size_t chosen);
  void end_chunk(char flag);
  void write_some(std::uint64_t budget);
  void die(const char* why);
  void later_tick();
  std::string new_id();
  std::string request_head(const std::string& tid, const char* method, const std::vector<std::string>& to,
                           const std::string& from, Tag& tag);

  World& world_;
  Place& place_;
  Rng rng_;
  std::uint32_t number_;
  bool tls_;
  std::string user_;
  bool shares_user_;  // all its sessions under one name
  Traits traits_;
  core::Address address_;
  Stream* stream_ = nullptr;
  Side side_ = 0;
  bool died_ = false;
  bool left_ = false;
  bool reading_ = false;
  bool pumping_ = false;
  bool tick_due_ = false;
  std::unique_ptr<WebSocketClient> ws_;
  StrictReader reader_;
  std::vector<std::unique_ptr<Leg>> legs_;
  std::map<std::string, Pending> pending_;
  std::map<std::string, bool> claimed_;   // URIs this connection used as its own
  std::deque<std::string> control_;  // responses, reports, AUTHs: whole frames
  std::deque<Plan> plan_;
  std::optional<Writing> writing_;
  std::string out_;
  std::uint64_t written_ = 0;
  std::uint32_t in_flight_ = 0;
  std::uint32_t auth_tries_ = 0;
  std::string last_authorization_;
};

}  // namespace parley::sim
