// tests/policy/conference_world.h - ConferenceEvents of one shard with transport and transactions, and a focus that is
// nothing but rosters and an answer to "may he": everything comes and goes as text, time is set.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/metrics.h"
#include "core/pool.h"
#include "core/seam.h"
#include "policy/conference_events.h"
#include "policy/owner.h"
#include "tests/sip/transaction_world.h"

namespace parley::tests {

constexpr const char* session_uri = "sip:conf-1@example.org";

inline std::shared_ptr<policy::SipConfig> conference_config() {
  auto config = std::make_shared<policy::SipConfig>();
  config->transport.listeners = {{core::Transport::udp, "127.0.0.1", 5060, address("127.0.0.1:5060")},
                                 {core::Transport::tcp, "127.0.0.1", 5060, address("127.0.0.1:5060")}};
  return config;
}

inline std::string line_of(std::string_view message, const std::string& name) {
  const std::size_t at = message.find("\r\n" + name + ": ");
  if (at == std::string_view::npos) return {};
  const std::size_t start = at + 2 + name.size() + 2;
  return std::string(message.substr(start, message.find("\r\n", start) - start));
}
inline std::string_view body_in(std::string_view message) {
  const std::size_t at = message.find("\r\n\r\n");
  return at == std::string_view::npos ? std::string_view() : message.substr(at + 4);
}

class ConferenceWorld {
 public:
  explicit ConferenceWorld(const std::shared_ptr<const policy::SipConfig>& config = conference_config(),
                           std::uint64_t heap_bytes_max = 512ULL << 20)
      : pool({.small_count = 64, .large_count = 8, .arena_count = 16, .heap_bytes_max = heap_bytes_max}),
        random(core::Seed{5}),
        out(pool),
        transport({0, pool, metrics, std::shared_ptr<const sip::TransportConfig>(config, &config->transport)}),
        transactions({.pool = pool,
                      .metrics = metrics,
                      .random = random,
                      .wire = transport,
                      .shard = 0,
                      .config = config->transactions}),
        events({.shard = 0,
                .pool = pool,
                .metrics = metrics,
                .random = random,
                .transactions = transactions,
                .transport = transport,
                .config = config}),
        limits_(config->conference_events.roster) {
    run({});
  }
  ~ConferenceWorld() { out.clear(); }

  // --- the focus

  policy::Roster& roster(const std::string& uri = session_uri) {
    auto& slot = rosters_[uri];
    if (slot == nullptr)
      slot = std::make_unique<policy::Roster>(uri, policy::ConferenceDescription{.subject = "s"}, limits_);
    return *slot;
  }
  policy::RosterPlace join(const std::string& name, policy::EndpointStatus as = policy::EndpointStatus::connected,
                           bool tell = true) {
    policy::Roster& r = roster();
    const policy::RosterPlace place = r.join({.aor = name,
                                              .entity = "sip:" + name + "@example.org",
                                              .display = name,
                                              .endpoint = "sip:" + name + "@192.0.2.1",
                                              .status = as});
    EXPECT_TRUE(place.valid());
    if (tell) change([] {});
    return place;
  }
  // Changes of the roster, told together in one step.
  void change(const std::function<void()>& what, const std::string& uri = session_uri) {
    run({}, [&] {
      what();
      events.changed(roster(uri));
    });
  }
  void end_session(const std::string& uri = session_uri) {
    run({}, [&] {
      events.ended(roster(uri));
      rosters_.erase(uri);
    });
  }
  std::function<std::uint16_t(const sip::Received&)> decide = [](const sip::Received&) { return std::uint16_t{200}; };
  std::shared_ptr<sip::Dialog> session_dialog;  // of the session, for SUBSCRIBEs that come in it

  // --- what comes in

  void datagram(std::string_view text, const std::string& from) {
    const core::Address source = address(from);
    core::Input input;
    input.kind = core::Input::Kind::datagram;
    input.source = &source;
    with_bytes(input, text);
  }
  core::ConnId open(const std::string& remote) { return came_up(core::Input::Kind::opened, 0, remote, 1); }
  core::ConnId connected(std::uint64_t token, const std::string& remote) {
    return came_up(core::Input::Kind::connected, token, remote, 0);
  }
  void connect_failed(std::uint64_t token) {
    core::Input input;
    input.kind = core::Input::Kind::connect_failed;
    input.token = token;
    run(std::span(&input, 1));
  }
  void bytes(core::ConnId conn, std::string_view text) {
    core::Input input;
    input.kind = core::Input::Kind::bytes;
    input.conn = conn;
    with_bytes(input, text);
  }
  void close(core::ConnId conn) {
    core::Input input;
    input.kind = core::Input::Kind::closed;
    input.conn = conn;
    run(std::span(&input, 1));
  }
  void advance(core::Duration duration) {
    const core::Instant end = now.mono + duration;
    for (;;) {
      const core::Instant next =
          std::min(transport.next_deadline(), std::min(transactions.next_deadline(), events.next_deadline()));
      if (next > end) break;
      now.mono = std::max(now.mono + std::chrono::milliseconds(1), next);
      run({});
    }
    now.mono = end;
    run({});
  }

  // --- what goes out: by where it goes
  std::function<void(const core::Address&, std::string_view)> on_datagram = [](const core::Address&, std::string_view) {
  };
  std::function<void(core::ConnId, std::string_view)> on_bytes = [](core::ConnId, std::string_view) {};
  std::function<void(const core::ConnectRequest&)> on_connect = [this](const core::ConnectRequest& request) {
    connects.push_back(request);
  };
  std::vector<core::ConnectRequest> connects;
  [[nodiscard]] std::uint32_t next_conn() const { return next_conn_; }
  std::size_t most_at_once = 0;        // messages that left in one step
  std::size_t most_bytes_at_once = 0;  // and their bytes
  std::uint16_t status = 0;      // of the last SUBSCRIBE, as on_subscribe said
  std::string refusal;           // the headers of it

  core::Pool pool;
  core::Metrics metrics;
  core::Random random;
  core::Outbox out;
  core::Now now{core::Instant{} + std::chrono::hours(1), 1'700'000'000'000};
  sip::Transport transport;
  sip::Transactions transactions;

 private:
  std::map<std::string, std::unique_ptr<policy::Roster>> rosters_;  // outlive the events

 public:
  policy::ConferenceEvents events;

 private:
  core::ConnId came_up(core::Input::Kind kind, std::uint64_t token, const std::string& remote, std::uint16_t listener) {
    core::PeerInfo peer;
    peer.transport = core::Transport::tcp;
    peer.remote = address(remote);
    peer.local = address("127.0.0.1:5060");
    peer.listener = listener;
    core::Input input;
    input.kind = kind;
    input.conn = {next_conn_++, 1};
    input.token = token;
    input.peer = &peer;
    run(std::span(&input, 1));
    return input.conn;
  }
  void with_bytes(core::Input& input, std::string_view text) {
    const core::BufferId block = pool.take_heap(static_cast<std::uint32_t>(std::max<std::size_t>(text.size(), 1)));
    CHECK(block != core::no_buffer);
    std::copy(text.begin(), text.end(), pool.data(block));
    input.slice = {block, 0, static_cast<std::uint32_t>(text.size())};
    run(std::span(&input, 1));
    pool.release(block);
  }
  void handle(const sip::Received& message) {
    if (!message.head.request()) {
      const sip::ResponseMatch match = transactions.match_response(message, now.mono);
      if (match.kind != sip::ResponseMatch::Kind::to_tu) return;
      EXPECT_EQ(policy::owner_kind(match.owner), policy::Owner::conference_subscriber);
      events.on_response(policy::owner_id(match.owner), message, match.id);
      return;
    }
    const sip::RequestMatch match = transactions.match_request(message, now.mono);
    if (match.kind != sip::RequestMatch::Kind::fresh) return;
    std::string_view uri = message.head.uri.of(message.bytes);
    const auto found = rosters_.find(std::string(uri));
    refusal.clear();
    if (found == rosters_.end()) {
      status = message.essentials.to_tag.empty() ? 404 : 481;
      return;
    }
    status = events.on_subscribe({.request = message,
                                  .match = match,
                                  .decision = decide(message),
                                  .watcher = message.essentials.from_tag,
                                  .contact = "<" + std::string(uri) + ">;isfocus",
                                  .dialog = message.essentials.to_tag.empty() ? nullptr : session_dialog},
                                 *found->second);
    for (const sip::HeaderText& header : events.headers()) {
      if (status != 200) refusal += std::string(sip::header_name(header.id)) + ": " + std::string(header.value) + "\n";
    }
  }
  void run(std::span<const core::Input> inputs, const std::function<void()>& then = {}) {
    transport.begin(now, out);
    events.begin(now, out);
    for (const core::Input& input : inputs) {
      transport.take(input);
      while (const sip::Received* const message = transport.next()) handle(*message);
    }
    if (then) then();
    transport.end();
    for (bool any = true; any;) {
      any = false;
      for (sip::Flow flow; transport.next_gone(flow); any = true) {
        transactions.flow_failed(flow);
        events.on_flow_gone(flow);
      }
      for (sip::TransactionFact fact; transactions.next_fact(now.mono, fact); any = true) {
        if (policy::owner_kind(fact.owner) == policy::Owner::conference_subscriber) {
          events.on_fact(policy::owner_id(fact.owner), fact);
        }
      }
    }
    events.end();
    carry_out();
  }
  void carry_out() {
    struct Sent {
      bool datagram = false;
      core::Address to;
      core::ConnId conn{};
      std::string text;
    };
    std::vector<Sent> sent;
    std::vector<core::Input> credit;
    for (const core::Output& output : out.outputs()) {
      if (output.kind != core::Output::Kind::send) continue;
      sent.push_back({false, {}, output.conn, std::string(pool.view(output.slice))});
      core::Input input;
      input.kind = core::Input::Kind::sent;
      input.conn = output.conn;
      input.count = output.slice.length;
      credit.push_back(input);
      pool.release(output.slice.buffer);
    }
    for (const core::Datagram& datagram : out.datagrams()) {
      sent.push_back({true, datagram.to, {}, std::string(pool.view(datagram.slice))});
      pool.release(datagram.slice.buffer);
    }
    most_at_once = std::max(most_at_once, sent.size());
    std::size_t bytes = 0;
    for (const Sent& one : sent) bytes += one.text.size();
    most_bytes_at_once = std::max(most_bytes_at_once, bytes);
    const std::vector<core::ConnectRequest> dialled(out.connects().begin(), out.connects().end());
    out.clear();
    if (!credit.empty()) run(credit);
    for (const Sent& one : sent) one.datagram ? on_datagram(one.to, one.text) : on_bytes(one.conn, one.text);
    for (const core::ConnectRequest& request : dialled) on_connect(request);
  }

  policy::RosterLimits limits_;
  std::uint32_t next_conn_ = 0;
};

}  // namespace parley::tests
