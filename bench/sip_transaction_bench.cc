// bench/sip_transaction_bench.cc - what the transactions of a proxied request cost: a server transaction and a client
// transaction from their request to their end, parsing and writing not counted.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <string>

#include "core/check.h"
#include "core/id_text.h"
#include "core/metrics.h"
#include "sip/transactions.h"

namespace {

using namespace parley;
using namespace parley::sip;
using namespace std::chrono_literals;

class NullWire final : public Wire {
 public:
  bool send(const Flow&, std::string_view message) override {
    bytes += message.size();
    return true;
  }
  std::optional<Flow> reopen(const Flow&, std::string_view) override { return std::nullopt; }
  std::uint64_t bytes = 0;
};

// A message that is parsed once; its branch is then changed where it stands.
struct Text {
  Text(std::string start_line, const std::string& method, const Flow& by, std::size_t branch_size)
      : flow(by),
        bytes(std::move(start_line) + "\r\nVia: SIP/2.0/UDP client.atlanta.example.com:5060;branch=" +
              std::string(magic_cookie) + std::string(branch_size - magic_cookie.size(), 'a') +
              ";rport\r\nMax-Forwards: 70\r\n"
              "Route: <sip:ss1.atlanta.example.com;lr>\r\n"
              "From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n"
              "To: Bob <sip:bob@biloxi.example.com>\r\n"
              "Call-ID: 2xTb9vxSit55XU7p8@atlanta.example.com\r\n"
              "CSeq: 1 " +
              method +
              "\r\n"
              "User-Agent: IM-client/OMA1.0 parley-load\r\n"
              "Content-Length: 0\r\n\r\n") {
    CHECK(parser.parse(bytes, {}) == Progress::done);
    verdict = judge(parser.head(), bytes, {.stream = by.reliable(), .body_bytes = 0}, essentials);
    CHECK(verdict.kind == Verdict::Kind::accept);
    branch = bytes.data() + bytes.find(magic_cookie);
  }
  [[nodiscard]] Received received() const { return {flow, parser.head(), bytes, {}, verdict, essentials}; }

  Flow flow;
  std::string bytes;
  HeadParser parser;
  Verdict verdict;
  Essentials essentials;
  char* branch = nullptr;
};

Flow flow_by(core::Transport transport) {
  Flow flow;
  flow.transport = transport;
  flow.connection = transport == core::Transport::udp ? core::SlotId{} : core::SlotId{1, 1};
  flow.remote = core::parse_address("192.0.2.1:5060").value();
  return flow;
}

// `rate` requests in a second of the bench's time: with datagrams both transactions stay for a while, and what is
// measured includes the end of older ones.
void one_request(benchmark::State& state, core::Transport transport, const std::string& method) {
  core::Pool pool({.small_count = 0, .large_count = 0, .arena_count = 1, .heap_bytes_max = 1ULL << 30});
  core::Metrics metrics;
  core::Random random(core::Seed{1});
  NullWire wire;
  core::Instant now{};
  Transactions transactions({.pool = pool, .metrics = metrics, .random = random, .wire = wire});
  const Flow flow = flow_by(transport);
  Text request(method + " sip:bob@biloxi.example.com SIP/2.0", method, flow, 24);
  Text forwarded(method + " sip:bob@192.0.2.7 SIP/2.0", method, flow, branch_bytes);
  Text response("SIP/2.0 200 OK", method, flow, branch_bytes);
  const auto rate = static_cast<std::uint64_t>(state.range(0));
  const core::Duration step = core::Duration(1s) / rate;
  const auto one = [&](std::uint64_t number) {
    now += step;
    core::letters_encode64(number, request.branch + magic_cookie.size());
    const Received in = request.received();
    const TransactionId server = transactions.open_server(in, transactions.match_request(in, now), number, now);
    const ClientTicket client = transactions.open_client(in.head.method, flow, number, number);
    std::memcpy(forwarded.branch, client.branch.data(), branch_bytes);
    std::memcpy(response.branch, client.branch.data(), branch_bytes);
    CHECK(transactions.start_client(client.id, forwarded.bytes, now));
    CHECK(transactions.match_response(response.received(), now).kind == ResponseMatch::Kind::to_tu);
    CHECK(transactions.respond(server, 200, response.bytes, now) == Responded::sent);
    for (TransactionFact fact; transactions.next_fact(now, fact);) benchmark::DoNotOptimize(fact);
  };
  std::uint64_t number = 0;
  const std::uint64_t settled = transport == core::Transport::udp || method == "INVITE" ? rate * 33 : 1'000;
  while (number < settled) one(number++);
  for (auto _ : state) one(number++);
  state.counters["live"] = transactions.live();
  CHECK(metrics.get(core::Metric::sip_transactions_limit) == 0);
}

void BM_SipMessageOverTcp(benchmark::State& state) { one_request(state, core::Transport::tcp, "MESSAGE"); }
BENCHMARK(BM_SipMessageOverTcp)->Arg(1'000);

void BM_SipMessageOverUdp(benchmark::State& state) { one_request(state, core::Transport::udp, "MESSAGE"); }
BENCHMARK(BM_SipMessageOverUdp)->Arg(100)->Arg(1'000)->Arg(4'000);

void BM_SipInviteOverTcp(benchmark::State& state) { one_request(state, core::Transport::tcp, "INVITE"); }
BENCHMARK(BM_SipInviteOverTcp)->Arg(1'000);

}  // namespace
