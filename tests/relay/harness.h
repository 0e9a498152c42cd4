// tests/relay/harness.h - a Service of one shard driven by hand: connections are numbers, bytes are strings, time is set.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "core/seam.h"
#include "core/session_table.h"
#include "policy/service.h"

namespace parley::testing {

inline std::shared_ptr<msrp::RelayConfig> default_config() {
  auto config = std::make_shared<msrp::RelayConfig>();
  config->listeners.push_back({"127.0.0.1", 2855, 2855, *core::parse_address("127.0.0.1:2855"), false});
  config->listeners.push_back({"relay.example.com", 2856, 2856, *core::parse_address("127.0.0.1:2856"), true});
  config->domains = {"example.com"};
  config->realm = "example.com";
  core::Digest digest;
  for (const char* name : {"alice", "bob"}) {
    core::Credential user;
    for (const auto algorithm : config->algorithms) {
      user.ha1[algorithm] = std::string(digest.ha1(algorithm, name, config->realm, "secret").view());
    }
    config->users.emplace(name, user);
  }
  return config;
}

// Which shard a Harness is. Shards of one process share the table.
struct ShardOf {
  std::uint32_t number = 0;
  std::uint32_t count = 1;
  core::SessionTable* table = nullptr;
};

class Harness {
 public:
  explicit Harness(std::shared_ptr<const msrp::RelayConfig> config = default_config(),
                   const core::Pool::Config& memory = {.small_count = 64, .large_count = 8, .arena_count = 16, .heap_bytes_max = 64 << 20},
                   const ShardOf& shard = {})
      : pool(memory),
        own_table(shard.table == nullptr ? std::make_unique<core::SessionTable>(1024, 1) : nullptr),
        table(shard.table == nullptr ? *own_table : *shard.table),
        out(pool),
        service({.shard = shard.number, .shard_count = shard.count, .pool = pool, .metrics = metrics, .sessions = table, .seed = {static_cast<std::uint8_t>(shard.number)}, .config = policy::relay_only(std::move(config))}) {}

  ~Harness() {
    for (const core::BufferId block : kept_) pool.release(block);
    out.clear();
  }

  // A new accepted connection; `name` is a verified certificate name, "" for none.
  core::ConnId open(core::Transport transport = core::Transport::tcp, std::string_view remote = "127.0.0.1:40000",
                    std::string_view name = "") {
    return open_at(transport == core::Transport::tls ? 1 : 0, transport, remote, name);
  }
  core::ConnId open_at(std::uint16_t listener, core::Transport transport = core::Transport::tcp,
                       std::string_view remote = "127.0.0.1:40000", std::string_view name = "") {
    core::PeerInfo peer;
    peer.transport = transport;
    peer.remote = *core::parse_address(remote);
    peer.local = *core::parse_address("127.0.0.1:2855");
    peer.listener = listener;
    if (!name.empty()) peer.verified_names.emplace_back(name);
    return came_up(core::Input::Kind::opened, 0, peer);
  }

  // The peer of a connection we dialled answers.
  core::ConnId connected(std::uint64_t token) {
    core::PeerInfo peer;
    peer.remote = *core::parse_address("127.0.0.1:50000");
    peer.local = *core::parse_address("127.0.0.1:40001");
    return came_up(core::Input::Kind::connected, token, peer);
  }

  core::ConnId came_up(core::Input::Kind kind, std::uint64_t token, const core::PeerInfo& peer) {
    const core::ConnId id{next_index_++, 1};
    if (peer.transport == core::Transport::pipe) stopped_[id.index] = true;  // credit comes from the other end
    core::Input input;
    input.kind = kind;
    input.conn = id;
    input.token = token;
    input.peer = &peer;
    step(input);
    return id;
  }

  void send(core::ConnId conn, std::string_view bytes) {
    while (!bytes.empty()) {
      const core::BufferId buffer = pool.take(core::BlockClass::large);
      if (buffer == core::no_buffer) return;  // the loop would wait for one
      const std::string_view part = bytes.substr(0, core::Pool::large_bytes);
      std::copy(part.begin(), part.end(), pool.data(buffer));
      core::Input input;
      input.kind = core::Input::Kind::bytes;
      input.conn = conn;
      input.slice = {buffer, 0, static_cast<std::uint32_t>(part.size())};
      step(input);
      pool.release(buffer);
      bytes.remove_prefix(part.size());
    }
  }

  void event(core::Input::Kind kind, core::ConnId conn) {
    core::Input input;
    input.kind = kind;
    input.conn = conn;
    step(input);
  }
  void reload(std::shared_ptr<const msrp::RelayConfig> config) {
    core::Input input;
    input.kind = core::Input::Kind::reload;
    input.snapshot = policy::relay_only(std::move(config));
    step(input);
  }
  // A name that was asked for has these addresses.
  void resolved(std::uint64_t token, std::vector<core::ResolvedAddress> addresses) {
    const core::Resolution resolution{token, std::move(addresses)};
    core::Input input;
    input.kind = core::Input::Kind::resolved;
    input.resolution = &resolution;
    step(input);
  }
  void close(core::ConnId conn) { event(core::Input::Kind::closed, conn); }

  // Time passes; the service is woken at each deadline on the way.
  void wait(core::Duration duration) {
    const core::Instant end = now.mono + duration;
    while (out_deadline <= end) {
      now.mono = std::max(now.mono, out_deadline);
      step(std::span<const core::Input>{});
      if (out_deadline <= now.mono) now.mono += std::chrono::milliseconds(1);
    }
    now.mono = end;
    step(std::span<const core::Input>{});
  }

  // What was sent on conn since the last call.
  std::string take(core::ConnId conn) { return std::exchange(sent_[conn.index], {}); }
  bool closed(core::ConnId conn) const { return closed_.contains(conn.index); }
  bool paused(core::ConnId conn) const {
    const auto it = paused_.find(conn.index);
    return it != paused_.end() && it->second;
  }
  // The other end of a pipe has had so many bytes.
  void give_credit(core::ConnId conn, std::uint64_t bytes) {
    core::Input input;
    input.kind = core::Input::Kind::sent;
    input.conn = conn;
    input.count = bytes;
    held_[conn.index] -= bytes;
    step(input);
  }
  // While true the kernel takes nothing.
  void stop_kernel(core::ConnId conn, bool stopped) {
    stopped_[conn.index] = stopped;
    if (!stopped && held_[conn.index] != 0) {
      core::Input input;
      input.kind = core::Input::Kind::sent;
      input.conn = conn;
      input.count = std::exchange(held_[conn.index], 0);
      step(input);
    }
  }

  void step(const core::Input& input) { run({&input, 1}); }
  void step(std::span<const core::Input> batch) { run(batch); }

  core::Now now{core::Instant{} + std::chrono::hours(1), 1'700'000'000'000};
  core::Pool pool;
  core::Metrics metrics;
  std::unique_ptr<core::SessionTable> own_table;
  core::SessionTable& table;
  core::Outbox out;
  policy::Service service;
  core::Instant out_deadline = core::never;
  std::vector<core::ConnectRequest> connects;
  std::vector<core::ResolveRequest> resolves;
  std::vector<core::HandOver> hand_overs;
  std::vector<core::OpenPipe> pipes;
  std::vector<std::string> logs;
  std::string admin;
  bool drained = false;
  bool keep_blocks = false;  // the kernel does not let go of what it was given

 private:
  void run(std::span<const core::Input> batch) {
    service.step(batch, now, out);
    std::vector<core::Input> sent;
    for (const core::Output& output : out.outputs()) {
      using Kind = core::Output::Kind;
      switch (output.kind) {
        case Kind::send: {
          sent_[output.conn.index] += pool.view(output.slice);
          if (stopped_[output.conn.index]) {
            held_[output.conn.index] += output.slice.length;
          } else {
            core::Input input;
            input.kind = core::Input::Kind::sent;
            input.conn = output.conn;
            input.count = output.slice.length;
            sent.push_back(input);
          }
          if (keep_blocks) {
            kept_.push_back(output.slice.buffer);
          } else {
            pool.release(output.slice.buffer);
          }
          break;
        }
        case Kind::close:
        case Kind::abort: closed_[output.conn.index] = true; break;
        case Kind::pause: paused_[output.conn.index] = true; break;
        case Kind::resume: paused_[output.conn.index] = false; break;
      }
    }
    for (auto& request : out.connects()) connects.push_back(std::move(request));
    for (auto& request : out.resolves()) resolves.push_back(std::move(request));
    for (auto& request : out.pipes()) pipes.push_back(std::move(request));
    for (auto& given : out.hand_overs()) hand_overs.push_back(std::move(given));
    for (auto& record : out.logs()) logs.push_back(std::move(record.text));
    for (auto& reply : out.replies()) admin = std::move(reply.json);
    drained |= out.is_drained();
    out_deadline = out.next_deadline();
    out.clear();
    std::erase_if(sent, [&](const core::Input& input) { return closed_.contains(input.conn.index); });
    if (!sent.empty()) run(sent);
  }

  std::vector<core::BufferId> kept_;
  std::uint32_t next_index_ = 0;
  std::map<std::uint32_t, std::string> sent_;
  std::map<std::uint32_t, std::uint64_t> held_;
  std::map<std::uint32_t, bool> closed_;
  std::map<std::uint32_t, bool> paused_;
  std::map<std::uint32_t, bool> stopped_;
};

}  // namespace parley::testing
