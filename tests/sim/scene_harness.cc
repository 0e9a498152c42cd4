// tests/sim/scene_harness.cc - see scene_harness.h.
#include "tests/sim/scene_harness.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace parley::sim {
namespace {

constexpr Duration patience = 60s;      // virtual: a failing scene ends; a passing one never waits for it
constexpr Duration full_after = 100ms;  // a stream that takes nothing for so long is taken for full

// Carries out what is due until the condition holds.
bool run_until(World& world, const std::function<bool()>& condition, Duration within = patience) {
  const Instant limit = world.agenda.now() + within;
  while (!condition()) {
    if (world.agenda.empty() || world.agenda.next_at() > limit) {
      world.agenda.jump_to(limit);
      return condition();
    }
    world.agenda.run_one();
  }
  return true;
}

class StreamEnd final : public loops::FarEnd, public Socket {
 public:
  StreamEnd(World& world, Stream* stream, Side side) : world_(world), stream_(stream), side_(side) {
    stream_->attach(side, this);
  }
  ~StreamEnd() override { leave(); }

  void on_readable() override {}
  void on_room() override {}
  void on_reset() override { broken_ = true; }

  void send(std::string_view bytes) override {
    const std::size_t sent = send_within(bytes, patience);
    EXPECT_EQ(sent, bytes.size());
  }
  std::size_t send_until_full(std::size_t most) override {
    const std::string block = loops::pattern(65536, 3);
    std::size_t total = 0;
    while (total < most) {
      const std::string_view part = std::string_view(block).substr(0, std::min(block.size(), most - total));
      const std::size_t sent = send_within(part, full_after);
      total += sent;
      if (sent < part.size()) break;
    }
    return total;
  }
  std::string receive(std::size_t bytes) override {
    std::string got;
    while (got.size() < bytes && wait_readable() && !stream_->at_end(side_)) {
      const std::string part = stream_->read(side_, bytes - got.size());
      if (part.empty()) break;  // reset
      got += part;
    }
    return got;
  }
  loops::End receive_end(std::string* rest) override {
    while (wait_readable()) {
      const std::string part = stream_->read(side_, 65536);
      if (rest != nullptr) *rest += part;
      if (!part.empty()) continue;
      return stream_->at_end(side_) ? loops::End::fin : loops::End::reset;
    }
    return loops::End::none;
  }
  void half_close() override { stream_->finish(side_); }
  void reset() override {
    stream_->abort(side_);
    leave();
  }

 private:
  bool wait_readable() {
    return run_until(world_, [&] { return broken_ || stream_->available(side_) != 0 || stream_->at_end(side_); });
  }
  std::size_t send_within(std::string_view bytes, Duration within) {
    std::size_t sent = 0;
    while (sent < bytes.size() && !broken_) {
      const auto n = std::min<std::uint64_t>(stream_->room(side_), bytes.size() - sent);
      if (n == 0) {
        if (!run_until(
                world_, [&] { return broken_ || stream_->room(side_) != 0; }, within))
          break;
        continue;
      }
      stream_->take(side_, n);
      stream_->put(side_, std::string(bytes.substr(sent, n)));
      sent += n;
    }
    return sent;
  }
  void leave() {
    if (broken_) return;
    broken_ = true;
    stream_->attach(side_, nullptr);
    stream_->close(side_);
  }

  World& world_;
  Stream* stream_;
  Side side_;
  bool broken_ = false;
};

class StreamListener final : public loops::FarListener, public Acceptor {
 public:
  StreamListener(World& world, const core::Address& address) : world_(world), address_(address) {
    world.allow_dial(address);
    world.listen(address, this);
  }
  [[nodiscard]] core::Address address() const override { return address_; }
  void accepted(Stream* stream, const core::Address&) override { waiting_.push_back(stream); }
  std::unique_ptr<loops::FarEnd> accept() override {
    EXPECT_TRUE(run_until(world_, [&] { return !waiting_.empty(); }));
    Stream* stream = waiting_.front();
    waiting_.pop_front();
    return std::make_unique<StreamEnd>(world_, stream, 1);
  }

 private:
  World& world_;
  core::Address address_;
  std::deque<Stream*> waiting_;
};

class DatagramFarEnd final : public loops::FarSocket, public DatagramEnd {
 public:
  DatagramFarEnd(World& world, const core::Address& address, const std::vector<core::Address>& to)
      : world_(world), address_(address), to_(to) {
    world_.net.datagrams.attach(address_, this);
  }
  ~DatagramFarEnd() override { world_.net.datagrams.detach(address_, this); }
  void on_datagram(const core::Address&, const core::Address&, std::string_view bytes) override {
    waiting_.emplace_back(bytes);
  }
  [[nodiscard]] core::Address address() const override { return address_; }
  void send(std::string_view bytes, std::uint16_t socket) override {
    world_.net.datagrams.send(address_, to_.at(socket), std::string(bytes));
  }
  std::optional<std::string> receive() override {
    if (!run_until(world_, [&] { return !waiting_.empty(); })) return std::nullopt;
    std::string bytes = std::move(waiting_.front());
    waiting_.pop_front();
    return bytes;
  }

 private:
  World& world_;
  core::Address address_;
  std::vector<core::Address> to_;
  std::deque<std::string> waiting_;
};

}  // namespace

SceneHarness::SceneHarness(loops::SceneSetup setup, const Faults& faults, std::uint64_t seed)
    : world_(seed, faults, false) {
  world_.relay_rules = false;  // a script asks for pipes that no relay would
  place_ =
      &world_.add_place("scene.example", 1, setup.shards, setup.pool, setup.config, [&](std::uint32_t, Shard& shard) {
        auto worker = std::make_unique<loops::ScriptWorker>(shard.pool(), setup.reaction);
        workers_.push_back(worker.get());
        return worker;
      });
  for (std::uint16_t id = 0; id < setup.sockets; ++id) {
    udp_addresses_.push_back(address_v4(1, static_cast<std::uint16_t>(5060 + id)));
    world_.bind(*place_, id, udp_addresses_.back());
  }
  place_->listening = 1;
}

SceneHarness::~SceneHarness() {
  for (const std::string& text : end()) ADD_FAILURE() << text;
}

std::vector<std::string> SceneHarness::end() {
  std::vector<std::string> wrong;
  for (auto& shard : place_->shards) shard->stop();
  for (std::uint32_t n = 0; n < workers_.size(); ++n) {
    Shard& shard = at(n);
    if (!run_until(world_, [&] { return shard.ended(); })) wrong.push_back("does not end: " + shard.stuck());
    for (const std::string& text : workers_[n]->violations()) wrong.push_back("contract: " + text);
    // The Outbox keeps one block for each of its two lanes.
    if (shard.pool().live_blocks() > 2) wrong.push_back("blocks leaked: " + std::to_string(shard.pool().live_blocks()));
    if (shard.pool().heap_bytes() != 0) wrong.push_back("heap bytes leaked");
    const std::uint64_t open = shard.metrics().get(core::Metric::connections);
    if (open != 0) wrong.push_back("connections leaked: " + std::to_string(open));
  }
  if (world_.journal.failed()) wrong.push_back(world_.journal.failure());
  return wrong;
}

std::unique_ptr<loops::FarEnd> SceneHarness::connect() {
  return std::make_unique<StreamEnd>(world_, world_.connect(*place_, false, unused_address()), 0);
}

std::unique_ptr<loops::FarListener> SceneHarness::listen() {
  return std::make_unique<StreamListener>(world_, unused_address());
}

std::unique_ptr<loops::FarSocket> SceneHarness::far_socket() {
  return std::make_unique<DatagramFarEnd>(world_, unused_address(), udp_addresses_);
}

core::Address SceneHarness::unused_address() {
  const core::Address address = address_v4(next_host_++, 9000);
  world_.allow_dial(address);
  return address;
}

core::Address SceneHarness::silent_address() {
  const core::Address address = unused_address();
  world_.silence(address);
  return address;
}

void SceneHarness::start_command(std::function<void(core::Outbox&)> what, std::uint32_t shard) {
  workers_[shard]->enqueue(std::move(what));
  at(shard).admin(core::AdminRequest{});
}

void SceneHarness::command(std::function<void(core::Outbox&)> what, std::uint32_t shard) {
  bool done = false;
  start_command(
      [&](core::Outbox& out) {
        what(out);
        done = true;
      },
      shard);
  EXPECT_TRUE(run_until(world_, [&] { return done || at(shard).ended(); }));
}

void SceneHarness::while_stalled(const std::function<void()>& what, std::uint32_t shard) {
  at(shard).stall(1h);
  what();
  (void)run_until(
      world_, [] { return false; }, 1s);  // what was sent arrives
  at(shard).stall_ends();
}

bool SceneHarness::wait(const std::function<bool()>& condition) { return run_until(world_, condition); }

bool SceneHarness::ended(std::uint32_t shard) {
  return run_until(world_, [&] { return at(shard).ended(); });
}

}  // namespace parley::sim
