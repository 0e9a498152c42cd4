// tests/relay/shards.h - Services of one process with pipes between them: bytes cross when the test says so.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tests/relay/harness.h"

namespace parley::testing {

class Shards {
 public:
  static constexpr std::uint32_t count = 3;

  explicit Shards(const std::shared_ptr<const msrp::RelayConfig>& config = default_config())
      : table(1024, 1),
        shard{Harness(config, memory, {0, count, &table}), Harness(config, memory, {1, count, &table}),
              Harness(config, memory, {2, count, &table})} {}

  // What is in the pipes arrives, and what that causes.
  void settle() {
    for (bool moved = true; moved;) {
      moved = connect();
      for (Pipe& pipe : pipes_) {
        moved |= carry(pipe.ends[0], pipe.ends[1]);
        moved |= carry(pipe.ends[1], pipe.ends[0]);
      }
    }
  }

  // Shortcuts that settle.
  core::ConnId open(std::uint32_t at, std::string_view relay_name = "") {
    const core::ConnId conn = relay_name.empty() ? shard[at].open() : shard[at].open(core::Transport::tls, "127.0.0.9:40000", relay_name);
    settle();
    return conn;
  }
  void send(std::uint32_t at, core::ConnId conn, std::string_view bytes) {
    shard[at].send(conn, bytes);
    settle();
  }
  void close(std::uint32_t at, core::ConnId conn) {
    shard[at].close(conn);
    settle();
  }
  [[nodiscard]] std::uint64_t metric(core::Metric metric) const {
    std::uint64_t sum = 0;
    for (const Harness& one : shard) sum += one.metrics.get(metric);
    return sum;
  }

  static constexpr core::Pool::Config memory{.small_count = 64, .large_count = 8, .arena_count = 16, .heap_bytes_max = 64 << 20};
  core::SessionTable table;
  std::array<Harness, count> shard;
  bool refuse_pipes = false;

 private:
  struct End {
    std::uint32_t at;
    core::ConnId conn;
    bool over = false;
  };
  struct Pipe {
    std::array<End, 2> ends;
  };

  bool connect() {
    bool moved = false;
    for (std::uint32_t from = 0; from < count; ++from) {
      for (core::OpenPipe& request : std::exchange(shard[from].pipes, {})) {
        moved = true;
        if (refuse_pipes) {
          core::Input input;
          input.kind = core::Input::Kind::connect_failed;
          input.token = request.token;
          input.connect_error = core::ConnectError::no_resources;
          shard[from].step(input);
          continue;
        }
        core::PeerInfo peer;
        peer.transport = request.served.transport = core::Transport::pipe;
        peer.from_shard = request.shard;
        request.served.from_shard = from;
        const core::ConnId there = shard[request.shard].came_up(core::Input::Kind::opened, 0, request.served);
        const core::ConnId here = shard[from].came_up(core::Input::Kind::connected, request.token, peer);
        pipes_.push_back({{End{from, here}, End{request.shard, there}}});
      }
    }
    return moved;
  }

  bool carry(End& from, End& to) {
    if (from.over) return false;
    const std::string bytes = shard[from.at].take(from.conn);
    if (!bytes.empty() && !to.over && !shard[to.at].closed(to.conn)) {
      shard[to.at].send(to.conn, bytes);
      if (!shard[from.at].closed(from.conn)) shard[from.at].give_credit(from.conn, bytes.size());
    }
    if (shard[from.at].closed(from.conn)) {
      from.over = true;
      if (!to.over && !shard[to.at].closed(to.conn)) shard[to.at].close(to.conn);
      to.over = true;
      return true;
    }
    return !bytes.empty();
  }

  std::vector<Pipe> pipes_;
};

}  // namespace parley::testing
