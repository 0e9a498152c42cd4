// tests/sip/transaction_world.h - transactions with a wire that only writes down, and time that the test moves.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/random.h"
#include "sip/transactions.h"

namespace parley::tests {

using namespace std::chrono_literals;

core::Address address(std::string_view text);

sip::Flow udp_flow(std::string_view remote = "192.0.2.1:5060");
sip::Flow tcp_flow(std::uint32_t index = 1, std::string_view remote = "192.0.2.1:40000");

// A message as the transport gives it up.
class Message {
 public:
  Message(std::string text, const sip::Flow& flow);
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  [[nodiscard]] sip::Received received() const;

 private:
  std::string bytes_;
  sip::Flow flow_;
  sip::HeadParser parser_;
  sip::Verdict verdict_;
  sip::Essentials essentials_;
};

struct RequestFields {
  std::string method = "MESSAGE";
  std::string uri = "sip:bob@example.org";
  std::string via = "SIP/2.0/UDP client.example.com:5060;branch=z9hG4bKa1";
  std::string routes{};  // whole lines
  std::string from_tag = "f1";
  std::string to_tag{};
  std::string call_id = "call-1";
  std::string cseq = "1";
  std::string body{};
};
std::string request_text(const RequestFields& f);

// A response to a request of either side, with its topmost Via as it stands.
std::string response_text(std::string_view request, std::uint16_t status, std::string_view to_tag = "t1");

std::string start_of(std::string_view bytes);

class FakeWire final : public sip::Wire {
 public:
  struct Sent {
    sip::Flow flow;
    std::string bytes;
  };
  bool send(const sip::Flow& flow, std::string_view message) override;
  std::optional<sip::Flow> reopen(const sip::Flow& to, std::string_view host) override;
  std::vector<Sent> sent;
  std::string reopened_for;
  std::function<bool(const sip::Flow&)> dead;
  std::function<void(const std::string&)> noted;
};

struct World {
  explicit World(const sip::TransactionConfig& config = {}, std::uint64_t heap_bytes_max = 256ULL << 20);

  [[nodiscard]] std::int64_t ms() const;
  void note(const std::string& what);
  // What was written down since the last call: the time in ms, then what was sent or told.
  std::vector<std::string> take_log() { return std::exchange(log, {}); }

  void drain();
  // To that many ms after the start.
  void run_to(std::int64_t target_ms);

  sip::RequestMatch match(const std::string& text, const sip::Flow& flow = udp_flow());
  sip::TransactionId open(const std::string& text, const sip::Flow& flow = udp_flow(), std::uint64_t owner = 7);
  sip::Responded respond(sip::TransactionId id, std::uint16_t status, std::string_view to_tag = "t1");
  bool claim(sip::TransactionId id, const std::string& text);

  struct Client {
    sip::TransactionId id;
    std::string bytes;
    bool started = false;
  };
  Client start(RequestFields fields, const sip::Flow& flow = udp_flow(), std::uint64_t owner = 7);
  sip::ResponseMatch receive(const std::string& response, const sip::Flow& flow = udp_flow());
  sip::ResponseMatch answer(const Client& client, std::uint16_t status, std::string_view to_tag = "t1");

  core::Pool pool;
  core::Metrics metrics;
  core::Random random;
  FakeWire wire;
  core::Instant now{};
  sip::Transactions transactions;
  std::vector<std::string> log;
  std::vector<sip::TransactionFact> facts;
};

using Lines = std::vector<std::string>;

}  // namespace parley::tests
