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

inline core::Address address(std::string_view text) { return core::parse_address(text).value(); }

inline sip::Flow udp_flow(std::string_view remote = "192.0.2.1:5060") {
  return {.transport = core::Transport::udp, .shard = 3, .listener = 1, .connection = {}, .remote = address(remote)};
}
inline sip::Flow tcp_flow(std::uint32_t index = 1, std::string_view remote = "192.0.2.1:40000") {
  return {.transport = core::Transport::tcp,
          .shard = 3,
          .listener = 2,
          .connection = {index, 1},
          .remote = address(remote)};
}

// A message as the transport gives it up.
class Message {
 public:
  Message(std::string text, const sip::Flow& flow) : bytes_(std::move(text)), flow_(flow) {
    EXPECT_EQ(parser_.parse(bytes_, {}), sip::Progress::done) << bytes_;
    const sip::Carrier carrier{.stream = flow.reliable(), .body_bytes = bytes_.size() - parser_.head().length};
    verdict_ = sip::judge(parser_.head(), bytes_, carrier, essentials_);
    EXPECT_EQ(verdict_.kind, sip::Verdict::Kind::accept) << verdict_.reason << "\n" << bytes_;
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  [[nodiscard]] sip::Received received() const {
    return {.flow = flow_,
            .head = parser_.head(),
            .bytes = bytes_,
            .body = std::string_view(bytes_).substr(parser_.head().length),
            .verdict = verdict_,
            .essentials = essentials_};
  }

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
inline std::string request_text(const RequestFields& f) {
  return f.method + ' ' + f.uri + " SIP/2.0\r\nVia: " + f.via + "\r\nMax-Forwards: 70\r\n" + f.routes +
         "From: <sip:alice@example.com>" + (f.from_tag.empty() ? "" : ";tag=" + f.from_tag) +
         "\r\nTo: <sip:bob@example.org>" + (f.to_tag.empty() ? "" : ";tag=" + f.to_tag) + "\r\nCall-ID: " + f.call_id +
         "\r\nCSeq: " + f.cseq + ' ' + f.method + "\r\nContent-Length: " + std::to_string(f.body.size()) + "\r\n\r\n" +
         f.body;
}

// A response to a request of either side, with its topmost Via as it stands.
inline std::string response_text(std::string_view request, std::uint16_t status, std::string_view to_tag = "t1") {
  sip::HeadParser parser;
  EXPECT_EQ(parser.parse(request, {}), sip::Progress::done);
  const sip::ResponseText text{.status = status, .reason = {}, .to_tag = to_tag};
  std::string out(sip::response_bytes(parser.head(), request, text), '?');
  core::TextOut writer(out.data());
  sip::put_response(writer, parser.head(), request, text);
  return out;
}

inline std::string start_of(std::string_view bytes) {
  const std::string_view first = bytes.substr(0, bytes.find(' '));
  return std::string(first == "SIP/2.0" ? bytes.substr(8, 3) : first);
}

class FakeWire final : public sip::Wire {
 public:
  struct Sent {
    sip::Flow flow;
    std::string bytes;
  };
  bool send(const sip::Flow& flow, std::string_view message) override {
    if (dead && dead(flow)) return false;
    sent.push_back({flow, std::string(message)});
    if (noted) noted(start_of(message));
    return true;
  }
  std::optional<sip::Flow> reopen(const sip::Flow& to, std::string_view host) override {
    reopened_for = host;
    return to;
  }
  std::vector<Sent> sent;
  std::string reopened_for;
  std::function<bool(const sip::Flow&)> dead;
  std::function<void(const std::string&)> noted;
};

struct World {
  explicit World(const sip::TransactionConfig& config = {}, std::uint64_t heap_bytes_max = 256ULL << 20)
      : pool({.small_count = 0, .large_count = 0, .arena_count = 1, .heap_bytes_max = heap_bytes_max}),
        random(core::Seed{1, 2, 3}),
        transactions({.pool = pool, .metrics = metrics, .random = random, .wire = wire, .shard = 3, .config = config}) {
    wire.noted = [this](const std::string& what) { note(what); };
  }

  [[nodiscard]] std::int64_t ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  }
  void note(const std::string& what) { log.push_back(std::to_string(ms()) + ' ' + what); }
  // What was written down since the last call: the time in ms, then what was sent or told.
  std::vector<std::string> take_log() { return std::exchange(log, {}); }

  void drain() {
    for (sip::TransactionFact fact; transactions.next_fact(now, fact);) {
      facts.push_back(fact);
      note(fact.kind == sip::TransactionFact::Kind::timeout           ? "timeout"
           : fact.kind == sip::TransactionFact::Kind::transport_error ? "transport error"
                                                                      : "ended");
    }
  }
  // To that many ms after the start.
  void run_to(std::int64_t target_ms) {
    const core::Instant target{std::chrono::milliseconds(target_ms)};
    while (transactions.next_deadline() <= target) {
      now = std::max(now, transactions.next_deadline());
      drain();
    }
    now = std::max(now, target);
  }

  sip::RequestMatch match(const std::string& text, const sip::Flow& flow = udp_flow()) {
    const Message message(text, flow);
    return transactions.match_request(message.received(), now);
  }
  sip::TransactionId open(const std::string& text, const sip::Flow& flow = udp_flow(), std::uint64_t owner = 7) {
    const Message message(text, flow);
    const sip::RequestMatch found = transactions.match_request(message.received(), now);
    EXPECT_TRUE(found.kind == sip::RequestMatch::Kind::fresh || found.kind == sip::RequestMatch::Kind::cancel);
    return transactions.open_server(message.received(), found, owner, now);
  }
  sip::Responded respond(sip::TransactionId id, std::uint16_t status, std::string_view to_tag = "t1") {
    return transactions.respond(id, status, response_text(transactions.request_of(id), status, to_tag), now);
  }
  bool claim(sip::TransactionId id, const std::string& text) {
    const Message message(text, udp_flow());
    return transactions.claim(id, message.received());
  }

  struct Client {
    sip::TransactionId id;
    std::string bytes;
    bool started = false;
  };
  Client start(RequestFields fields, const sip::Flow& flow = udp_flow(), std::uint64_t owner = 7) {
    const sip::ClientTicket ticket =
        transactions.open_client(sip::method_of(fields.method), flow, owner, 0x0123456789abcdefULL);
    EXPECT_TRUE(ticket.id.valid());
    fields.via = "SIP/2.0/" + std::string(flow.reliable() ? "TCP" : "UDP") +
                 " us.example.net;branch=" + std::string(ticket.branch_text()) + ";rport";
    Client client{ticket.id, request_text(fields)};
    client.started = transactions.start_client(client.id, client.bytes, now);
    return client;
  }
  sip::ResponseMatch receive(const std::string& response, const sip::Flow& flow = udp_flow()) {
    const Message message(response, flow);
    return transactions.match_response(message.received(), now);
  }
  sip::ResponseMatch answer(const Client& client, std::uint16_t status, std::string_view to_tag = "t1") {
    return receive(response_text(client.bytes, status, to_tag));
  }

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
