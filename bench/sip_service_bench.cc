// bench/sip_service_bench.cc - the whole worker without a kernel: a MESSAGE in, forwarded to the registered contact, its
// 200 back; and a REGISTER that refreshes a binding.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "core/check.h"
#include "core/session_table.h"
#include "policy/service.h"

namespace {

using namespace parley;

constexpr std::string_view caller = "127.0.0.1:20001";
constexpr std::string_view callee = "127.0.0.1:20002";

std::shared_ptr<const policy::Config> make_config(policy::Forwarding forwarding) {
  auto sip = std::make_shared<policy::SipConfig>();
  sip->transport.listeners.push_back(
      {core::Transport::udp, "127.0.0.1", 5060, *core::parse_address("127.0.0.1:5060")});
  sip->domains = {"example.org"};
  sip->realm = "example.org";
  sip->trusted_peers.push_back(*core::parse_cidr("127.0.0.0/8"));
  sip->forwarding = forwarding;
  auto config = std::make_shared<policy::Config>();
  config->relay = std::make_shared<msrp::RelayConfig>();
  config->sip = std::move(sip);
  return config;
}

class Driver {
 public:
  explicit Driver(policy::Forwarding forwarding = policy::Forwarding::stateful, bool of_several_shards = false)
      : service_({.pool = pool_,
                  .metrics = metrics_,
                  .sessions = table_,
                  .seed = {1},
                  .invites = of_several_shards ? &invites_ : nullptr,
                  .config = make_config(forwarding)}) {
    give(caller, register_text(1));
    CHECK(sent_.starts_with("SIP/2.0 200"));
  }

  // A MESSAGE of 200 bytes and its 200: two datagrams in, two out.
  void message() {
    ++number_;
    const std::string branch = "z9hG4bKbench" + std::to_string(1'000'000 + number_);
    text_ = "MESSAGE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:20001;branch=" + branch +
            ";rport\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.org>;tag=a1\r\nTo: <sip:bob@example.org>\r\nCall-ID: " +
            branch + "@bench\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: 200\r\n\r\n" +
            std::string(200, 'x');
    give(caller, text_);
    CHECK(sent_.starts_with("MESSAGE sip:bob@127.0.0.1:20002"));
    const std::size_t from = sent_.find("Via:");
    const std::size_t end = sent_.find("Max-Forwards:");
    text_ = "SIP/2.0 200 OK\r\n" + sent_.substr(from, end - from) +
            "From: <sip:alice@example.org>;tag=a1\r\nTo: <sip:bob@example.org>;tag=b1\r\nCall-ID: " + branch +
            "@bench\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n";
    give(callee, text_);
    CHECK(sent_.starts_with("SIP/2.0 200"));
    now_.mono += std::chrono::microseconds(500);
  }

  // An INVITE, forwarded, refused with 486, and its ACK.
  void invite() {
    ++number_;
    const std::string branch = "z9hG4bKbench" + std::to_string(1'000'000 + number_);
    const auto text = [&](std::string_view method, std::string_view tag) {
      return std::string(method) + " sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:20001;branch=" + branch +
             ";rport\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.org>;tag=a1\r\nTo: <sip:bob@example.org>" +
             std::string(tag) + "\r\nCall-ID: " + branch + "@bench\r\nCSeq: 1 " + std::string(method) +
             "\r\nContact: <sip:alice@127.0.0.1:20001>\r\nContent-Length: 0\r\n\r\n";
    };
    give(caller, text("INVITE", {}));
    CHECK(sent_.starts_with("INVITE sip:bob@127.0.0.1:20002"));
    const std::size_t from = sent_.find("Via:");
    text_ = "SIP/2.0 486 Busy Here\r\n" + sent_.substr(from, sent_.find("Max-Forwards:") - from) +
            "From: <sip:alice@example.org>;tag=a1\r\nTo: <sip:bob@example.org>;tag=b1\r\nCall-ID: " + branch +
            "@bench\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    give(callee, text_);
    CHECK(sent_.starts_with("SIP/2.0 486"));
    give(caller, text("ACK", ";tag=b1"));
    now_.mono += std::chrono::microseconds(500);
  }

  void refresh() {
    ++number_;
    give(callee, register_text(static_cast<int>(number_ + 10)));
    CHECK(sent_.starts_with("SIP/2.0 200"));
    now_.mono += std::chrono::microseconds(500);
  }

 private:
  std::string register_text(int cseq) const {
    return "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:20002;branch=z9hG4bKreg" + std::to_string(cseq) +
           ";rport\r\nMax-Forwards: 70\r\nFrom: <sip:bob@example.org>;tag=r1\r\nTo: <sip:bob@example.org>\r\nCall-ID: "
           "reg@bench\r\nCSeq: " +
           std::to_string(cseq) +
           " REGISTER\r\nContact: <sip:bob@127.0.0.1:20002>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n";
  }

  void give(std::string_view from, std::string_view bytes) {
    const core::Address source = *core::parse_address(from);
    const core::BufferId buffer = pool_.take(core::BlockClass::small);
    std::copy(bytes.begin(), bytes.end(), pool_.data(buffer));
    core::Input input;
    input.kind = core::Input::Kind::datagram;
    input.socket = 0;
    input.source = &source;
    input.slice = {buffer, 0, static_cast<std::uint32_t>(bytes.size())};
    service_.step({&input, 1}, now_, out_);
    pool_.release(buffer);
    sent_.clear();
    for (const core::Datagram& datagram : out_.datagrams()) {
      sent_.assign(pool_.view(datagram.slice));
      pool_.release(datagram.slice.buffer);
    }
    out_.clear();
  }

  core::Pool pool_{{}};
  core::Metrics metrics_;
  core::SessionTable table_{64, 1};
  core::SessionTable invites_{80'000, 1};
  core::Outbox out_{pool_};
  core::Now now_{core::Instant{} + std::chrono::seconds(1), 1'700'000'000'000};
  policy::Service service_;
  std::uint64_t number_ = 0;
  std::string text_;
  std::string sent_;
};

void sip_message(benchmark::State& state) {
  Driver driver(state.range(0) == 0 ? policy::Forwarding::stateless : policy::Forwarding::stateful);
  for (auto _ : state) driver.message();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(sip_message)->ArgName("stateful")->Arg(0)->Arg(1)->Iterations(3000);

void sip_invite(benchmark::State& state) {
  Driver driver(policy::Forwarding::stateful, state.range(0) != 0);
  for (auto _ : state) driver.invite();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(sip_invite)->ArgName("indexed")->Arg(0)->Arg(1)->Iterations(3000);

void sip_refresh(benchmark::State& state) {
  Driver driver;
  for (auto _ : state) driver.refresh();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(sip_refresh)->Iterations(3000);

}  // namespace
