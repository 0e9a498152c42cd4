// tests/sip/transactions_test.cc - limits, many transactions, and a random walk that has to reach every row.
#include "sip/transactions.h"

#include <gtest/gtest.h>

#include <deque>

#include "tests/sip/transaction_world.h"

namespace parley::tests {
namespace {

using namespace parley::sip;
using tx::Event;
using tx::Machine;
using tx::State;

std::string numbered(const std::string& method, std::uint64_t n) {
  return request_text({.method = method,
                       .via = "SIP/2.0/UDP client.example.com;branch=z9hG4bK" + std::to_string(n),
                       .call_id = "call-" + std::to_string(n)});
}

TEST(SipTransactionLimits, OldestAnsweredOneIsGivenUpFirst) {
  TransactionConfig config;
  config.transactions_max = 3;
  World world(config);
  const TransactionId waiting = world.open(numbered("MESSAGE", 1));
  const TransactionId second = world.open(numbered("MESSAGE", 2));
  const TransactionId third = world.open(numbered("MESSAGE", 3));
  EXPECT_FALSE(world.open(numbered("MESSAGE", 4)).valid());  // all three are needed
  EXPECT_FALSE(world.transactions.open_client(Method::message, udp_flow(), 1, 0).id.valid());
  EXPECT_EQ(world.respond(third, 200), Responded::sent);
  EXPECT_EQ(world.respond(second, 200), Responded::sent);
  EXPECT_TRUE(world.open(numbered("MESSAGE", 4)).valid());
  EXPECT_FALSE(world.transactions.contains(third));
  EXPECT_TRUE(world.transactions.open_client(Method::invite, udp_flow(), 1, 0).id.valid());
  EXPECT_FALSE(world.transactions.contains(second));
  EXPECT_TRUE(world.transactions.contains(waiting));
  EXPECT_EQ(world.metrics.get(core::Metric::sip_transactions_limit), 4U);
  EXPECT_EQ(world.metrics.get(core::Metric::sip_transactions_given_up), 2U);
}

TEST(SipTransactionLimits, WithoutHeapRoomToo) {
  World world({}, 4'000);
  std::vector<TransactionId> answered;
  for (std::uint64_t n = 0; n < 6; ++n) {
    answered.push_back(world.open(numbered("MESSAGE", n)));
    EXPECT_EQ(world.respond(answered.back(), 200), Responded::sent);
  }
  std::uint64_t opened = 0;
  while (world.open(numbered("MESSAGE", 100 + opened)).valid()) ++opened;
  EXPECT_GT(opened, 5U);
  for (const TransactionId id : answered) EXPECT_FALSE(world.transactions.contains(id));
  EXPECT_EQ(world.metrics.get(core::Metric::sip_transactions_no_memory), 1U);
  EXPECT_FALSE(world.start({}).started);
  // What cannot be kept is sent all the same.
  const std::uint32_t before = world.transactions.live();
  const Message request(numbered("MESSAGE", 100), udp_flow());
  const TransactionId first = world.transactions.match_request(request.received(), world.now).id;
  ASSERT_TRUE(first.valid());
  const std::string big(5'000, 'x');
  EXPECT_EQ(world.transactions.respond(first, 200, big, world.now), Responded::sent);
  EXPECT_EQ(world.transactions.live(), before);
  EXPECT_EQ(world.wire.sent.back().bytes.size(), big.size());
  EXPECT_EQ(world.match(numbered("MESSAGE", 100)).kind, RequestMatch::Kind::absorbed);
}

TEST(SipTransactions, ThatWereNeverEndedLeaveNothingBehind) {
  core::Metrics metrics;
  core::Pool pool({.small_count = 0, .large_count = 0, .arena_count = 1, .heap_bytes_max = 1 << 20});
  core::Random random(core::Seed{});
  FakeWire wire;
  {
    Transactions transactions({.pool = pool, .metrics = metrics, .random = random, .wire = wire});
    for (std::uint64_t n = 0; n < 10; ++n) {
      const Message request(numbered(n % 2 == 0 ? "INVITE" : "MESSAGE", n), udp_flow());
      (void)transactions.open_server(request.received(), transactions.match_request(request.received(), {}), n, {});
    }
    EXPECT_EQ(pool.live_blocks(), 10U);
  }
  EXPECT_EQ(pool.live_blocks(), 0U);
}

TEST(SipTransactions, AHundredThousandWithoutALeak) {
  World world;
  world.wire.noted = nullptr;
  for (std::uint64_t n = 0; n < 50'000; ++n) {
    const Flow flow = n % 3 == 0 ? tcp_flow(static_cast<std::uint32_t>(n % 64)) : udp_flow();
    const TransactionId server = world.open(numbered(n % 5 == 0 ? "INVITE" : "MESSAGE", n), flow);
    ASSERT_TRUE(server.valid());
    if (n % 7 != 0) {
      ASSERT_EQ(world.respond(server, n % 2 == 0 ? 200 : 404), Responded::sent);
    }
    const World::Client client = world.start({.method = n % 4 == 0 ? "INVITE" : "MESSAGE"}, flow);
    ASSERT_TRUE(client.started);
    if (n % 11 != 0) {
      ASSERT_EQ(world.answer(client, n % 2 == 0 ? 200 : 486).kind, ResponseMatch::Kind::to_tu);
    }
    if (n % 7 == 0 && n % 5 == 0) world.transactions.discard(server);  // an INVITE waits for its user
    world.wire.sent.clear();
    if (n % 64 == 0) world.run_to(world.ms() + 20);
  }
  EXPECT_GT(world.transactions.live(), 30'000U);
  world.run_to(world.ms() + 200'000);
  EXPECT_EQ(world.transactions.live(), 0U);
  EXPECT_EQ(world.pool.live_blocks(), 0U);
  EXPECT_EQ(world.pool.heap_bytes(), 0U);
  EXPECT_EQ(world.transactions.next_deadline(), core::never);
  for (const core::Metric gauge :
       {core::Metric::sip_transactions_invite_server, core::Metric::sip_transactions_other_server,
        core::Metric::sip_transactions_invite_client, core::Metric::sip_transactions_other_client}) {
    EXPECT_EQ(world.metrics.get(gauge), 0U);
  }
}

// ---- A peer, a user and a network without manners.

class Walk {
 public:
  explicit Walk(std::uint64_t seed) : dice_(core::Seed{static_cast<std::uint8_t>(seed), 9}) {
    world.wire.noted = nullptr;
    world.wire.dead = [this](const Flow&) { return roll(40) == 0; };
  }
  void step() {
    switch (roll(10)) {
      case 0: return open_server();
      case 1: return open_client();
      case 2: return request();
      case 3: return respond();
      case 4:
      case 5: return response();
      case 6: return cancel();
      case 7: return fail();
      case 8: return world.run_to(world.ms() + static_cast<std::int64_t>(roll(700)));
      default: return world.run_to(world.ms() + static_cast<std::int64_t>(roll(roll(4) == 0 ? 40'000 : 4'000)));
    }
  }

  World world;

 private:
  std::uint64_t roll(std::uint64_t n) { return dice_.uniform(n); }
  Flow flow() { return roll(2) == 0 ? udp_flow() : tcp_flow(static_cast<std::uint32_t>(roll(4))); }
  std::uint16_t status() {
    constexpr std::uint16_t all[] = {100, 180, 200, 202, 302, 404, 408, 486, 487, 603};
    return all[roll(std::size(all))];
  }
  template <class T>
  static void trim(std::deque<T>& list) {
    if (list.size() > 12) list.pop_front();
  }
  void open_server() {
    Server s{{}, numbered(roll(2) == 0 ? "INVITE" : "MESSAGE", serial_++), flow()};
    const Message message(s.bytes, s.flow);
    s.id = world.transactions.open_server(
        message.received(), world.transactions.match_request(message.received(), world.now), 1, world.now);
    servers_.push_back(s);
    if (servers_.size() > 12) {
      world.transactions.discard(servers_.front().id);
      servers_.pop_front();
    }
  }
  void open_client() {
    clients_.push_back(world.start({.method = roll(3) != 0 ? "INVITE" : "MESSAGE"}, flow()));
    trim(clients_);
  }
  void request() {
    if (servers_.empty()) return;
    const Server& s = servers_[roll(servers_.size())];
    std::string bytes = s.bytes;
    if (bytes.starts_with("INVITE") && roll(2) == 0) {
      const std::string method = roll(4) == 0 ? "CANCEL" : "ACK";
      bytes.replace(0, 6, method);
      bytes.replace(bytes.find("1 INVITE"), 8, "1 " + method);
    }
    (void)world.match(bytes, s.flow);
  }
  void respond() {
    if (servers_.empty()) return;
    const Server& s = servers_[roll(servers_.size())];
    const std::uint16_t code = status();
    (void)world.transactions.respond(s.id, code, response_text(s.bytes, code), world.now);
  }
  void response() {
    if (clients_.empty()) return;
    const World::Client& client = clients_[roll(clients_.size())];
    std::string bytes = response_text(client.bytes, status());
    if (client.bytes.starts_with("INVITE") && roll(3) == 0) bytes.replace(bytes.find("1 INVITE"), 8, "1 CANCEL");
    (void)world.receive(bytes);
  }
  void cancel() {
    if (!clients_.empty()) world.transactions.cancel(clients_[roll(clients_.size())].id, world.now);
  }
  void fail() {
    if (roll(4) == 0) world.transactions.flow_failed(tcp_flow(static_cast<std::uint32_t>(roll(4))));
  }

  struct Server {
    TransactionId id;
    std::string bytes;
    Flow flow;
  };
  core::Random dice_;
  std::uint64_t serial_ = 0;
  std::deque<Server> servers_;
  std::deque<World::Client> clients_;
};

TEST(SipTransactions, ARandomWalkReachesEveryRow) {
  // A request that is late before its 100 was due takes a T2 above 64*T1.
  const auto unreachable = [](const tx::Row& row) {
    return row.event == Event::timer_late && row.state == State::trying;
  };
  Walk walk(1);
  for (int n = 0; n < 60'000; ++n) {
    walk.step();
    walk.world.wire.sent.clear();
    walk.world.log.clear();
    walk.world.facts.clear();
  }
  for (std::size_t m = 0; m < tx::machines; ++m) {
    const auto machine = static_cast<Machine>(m);
    for (const tx::Row& row : tx::table(machine).rows) {
      if (row.kind == tx::Kind::never || unreachable(row)) continue;
      EXPECT_TRUE(walk.world.transactions.visited(machine, row.state, row.event))
          << tx::table(machine).name << ", " << tx::to_string(row.state) << ", " << tx::to_string(row.event);
    }
  }
}

}  // namespace
}  // namespace parley::tests
