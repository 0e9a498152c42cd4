// bench/fan_out_bench.cc - the whole worker without a kernel: one SEND in, the same SEND out to each member of a room.
// Items are deliveries.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "tests/relay/driver.h"

namespace parley::testing {
namespace {

// A room as small as one can be: what a member sends goes to all others.
class Room final : public policy::Service::FactTaker {
 public:
  Room(std::size_t members, bool answered)
      : table_(static_cast<std::uint32_t>(members) * 2, 1),
        harness_(default_config(), {.small_count = 64, .large_count = 8, .arena_count = 64, .heap_bytes_max = 256 << 20},
                 {.table = &table_}),
        answered_(answered) {
    harness_.service.give_facts_to(this);
    for (std::size_t i = 0; i < members; ++i) join(i);
    acting_ = false;
  }

  void on_step(msrp::Ends& ends) override {
    ends_ = &ends;
    if (!acting_) return;
    const msrp::EndHandle end = ends.open(false, members_.size());
    uri_ = ends.uri(end);
    ends.connect(end, {peer_});
    members_.push_back(end);
  }
  void on_fact(msrp::EndFact& fact) override {
    if (fact.kind != msrp::EndFact::Kind::piece) return;
    ends_->answer(fact.token, 200);
    not_sent_.clear();
    ends_->fan_out(members_,
                   {.headers = fact(fact.head->headers),
                    .failure = answered_ ? msrp::FailureReport::yes : msrp::FailureReport::no,
                    .tell_200 = false,
                    .with_range = false,
                    .body = fact.body},
                   not_sent_);
    if (!not_sent_.empty()) std::abort();
  }

  // `burst` messages of so many bytes in one read, and what the loop and the members do with what comes out.
  void prepare(std::size_t bytes, int burst) {
    for (int i = 0; i < burst; ++i) {
      const std::string tid = "tid" + std::to_string(100000 + i);
      burst_ += "MSRP " + tid + " SEND\r\nTo-Path: " + uris_[0] + "\r\nFrom-Path: " + peers_[0] + "\r\nMessage-ID: m" +
                std::to_string(i) + "\r\nFailure-Report: no\r\nContent-Type: message/cpim\r\n\r\n" + std::string(bytes, 'x') +
                "\r\n-------" + tid + "$\r\n";
    }
    counts_.resize(conns_.size());
    tids_.resize(conns_.size());
  }
  void run() {
    for (std::string_view left = burst_; !left.empty(); left.remove_prefix(std::min(left.size(), read_bytes))) {
      deliver(conns_[0], left.substr(0, read_bytes));
      settle();
    }
    if (answered_) {
      for (std::size_t i = 0; i < conns_.size(); ++i) {
        answers_.clear();
        for (const std::string_view tid : tids_[i]) {
          answers_.append("MSRP ").append(tid).append(" 200 OK\r\nTo-Path: ").append(uris_[i]).append("\r\nFrom-Path: ");
          answers_.append(peers_[i]).append("\r\n-------").append(tid).append("$\r\n");
        }
        tids_[i].clear();
        deliver(conns_[i], answers_);
        harness_.out.clear();
      }
    }
  }

 private:
  static constexpr std::size_t read_bytes = core::Pool::large_bytes;

  void join(std::size_t number) {
    acting_ = true;
    peer_ = "msrp://127.0.0.1:34567/0123456789ab" + std::to_string(100000 + number) + ";tcp";
    harness_.step(std::span<const core::Input>{});
    acting_ = false;
    const core::ConnId conn = harness_.open();
    harness_.send(conn, "MSRP bind SEND\r\nTo-Path: " + uri_ + "\r\nFrom-Path: " + peer_ + "\r\n-------bind$\r\n");
    harness_.take(conn);
    if (conn.index != conns_.size()) std::abort();
    conns_.push_back(conn);
    uris_.push_back(uri_);
    peers_.push_back(peer_);
  }

  void deliver(core::ConnId conn, std::string_view bytes) {
    const core::BufferId buffer = harness_.pool.take(core::BlockClass::large);
    std::copy(bytes.begin(), bytes.end(), harness_.pool.data(buffer));
    core::Input input;
    input.kind = core::Input::Kind::bytes;
    input.conn = conn;
    input.slice = {buffer, 0, static_cast<std::uint32_t>(bytes.size())};
    harness_.service.step({&input, 1}, harness_.now, harness_.out);
    harness_.pool.release(buffer);
  }

  // The kernel takes all of it; where members answer, their side notes the transaction ids.
  void settle() {
    for (const core::Output& output : harness_.out.outputs()) {
      if (output.kind != core::Output::Kind::send) continue;
      counts_[output.conn.index] += output.slice.length;
      if (answered_) {
        const std::string_view view = harness_.pool.view(output.slice);
        for (std::size_t at = 0; (at = view.find(" SEND\r\n", at)) != std::string_view::npos; ++at) {
          tids_[output.conn.index].emplace_back(view.substr(at - 24, 24));
        }
      }
      harness_.pool.release(output.slice.buffer);
    }
    harness_.out.clear();
    inputs_.clear();
    for (const core::ConnId conn : conns_) {
      if (counts_[conn.index] == 0) continue;
      core::Input& input = inputs_.emplace_back();
      input.kind = core::Input::Kind::sent;
      input.conn = conn;
      input.count = std::exchange(counts_[conn.index], 0);
    }
    harness_.service.step(inputs_, harness_.now, harness_.out);
    harness_.out.clear();
  }

  core::SessionTable table_;
  Harness harness_;
  const bool answered_;
  bool acting_ = true;
  msrp::Ends* ends_ = nullptr;
  std::string peer_;
  std::string uri_;
  std::vector<msrp::EndHandle> members_;
  std::vector<core::ConnId> conns_;
  std::vector<std::string> uris_;
  std::vector<std::string> peers_;
  std::vector<msrp::Ends::NotSent> not_sent_;
  std::string burst_;
  std::string answers_;
  std::vector<std::uint64_t> counts_;
  std::vector<std::vector<std::string>> tids_;
  std::vector<core::Input> inputs_;
};

// members, bytes, burst, answered
void fan_out(benchmark::State& state) {
  const auto members = static_cast<std::size_t>(state.range(0));
  const auto burst = static_cast<int>(state.range(2));
  Room room(members, state.range(3) != 0);
  room.prepare(static_cast<std::size_t>(state.range(1)), burst);
  for (auto _ : state) room.run();
  state.SetItemsProcessed(state.iterations() * burst * static_cast<std::int64_t>(members));
}

BENCHMARK(fan_out)
    ->Args({1000, 200, 1, 0})
    ->Args({1000, 1024, 1, 0})
    ->Args({1000, 200, 16, 0})
    ->Args({1000, 1024, 16, 0})
    ->Args({10'000, 200, 1, 0})
    ->Args({1000, 200, 1, 1});

}  // namespace
}  // namespace parley::testing
