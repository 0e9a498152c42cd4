// tests/client/msrp_world.h - an MsrpClient driven by hand: connections are texts in both directions, time is set.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/pool.h"
#include "tools/parley/msrp_client.h"

namespace parley::tests {

class MsrpWorld {
 public:
  explicit MsrpWorld(client::MsrpConfig config = {}) : client_(random_, with_place(std::move(config))) {}

  // One step: what comes in (by `input`), what is asked for (by `calls`), then facts and bytes that go out.
  void step(const std::function<void()>& calls = {}) {
    client_.begin({.mono = now_, .wall_ms = 0}, out_);
    if (calls) calls();
    finish();
  }
  void pass(core::Duration time) {
    now_ += time;
    step();
  }
  client::MsrpClient& client() { return client_; }
  [[nodiscard]] core::Instant now() const { return now_; }

  core::ConnId accept() {
    core::PeerInfo peer;
    core::Input input;
    input.kind = core::Input::Kind::opened;
    input.conn = {next_conn_++, 1};
    input.peer = &peer;
    give(input);
    return input.conn;
  }
  // The last dial has succeeded, or not.
  core::ConnId connected() {
    EXPECT_FALSE(dials.empty());
    core::PeerInfo peer;
    core::Input input;
    input.kind = core::Input::Kind::connected;
    input.token = dials.back().token;
    input.conn = {next_conn_++, 1};
    input.peer = &peer;
    give(input);
    return input.conn;
  }
  void refused() {
    core::Input input;
    input.kind = core::Input::Kind::connect_failed;
    input.token = dials.back().token;
    give(input);
  }
  void closed(core::ConnId conn) {
    core::Input input;
    input.kind = core::Input::Kind::closed;
    input.conn = conn;
    give(input);
  }
  void bytes(core::ConnId conn, const std::string& text) {
    step([&] { client_.take_bytes(conn, text); });
  }
  // The kernel has taken what was written.
  void drain(core::ConnId conn) {
    core::Input input;
    input.kind = core::Input::Kind::sent;
    input.conn = conn;
    input.count = 1 << 30;
    give(input);
  }
  // What was written to a connection since the last look.
  std::string written(core::ConnId conn) { return std::exchange(written_[conn.index], {}); }
  // The first fact of that kind since the last look; an empty one of session 0 when there was none.
  client::MsrpFact fact(client::MsrpFact::Kind kind) {
    for (auto at = facts.begin(); at != facts.end(); ++at) {
      if (at->kind != kind) continue;
      client::MsrpFact found = std::move(*at);
      facts.erase(at);
      return found;
    }
    return {.kind = kind, .session = 0};
  }

  std::vector<client::MsrpFact> facts;
  std::vector<core::ConnectRequest> dials;
  std::vector<core::ResolveRequest> look_ups;
  std::vector<core::ConnId> closes;

 private:
  static client::MsrpConfig with_place(client::MsrpConfig config) {
    config.host = "192.0.2.1";
    config.port = 2855;
    return config;
  }
  void give(const core::Input& input) {
    step([&] { client_.take(input); });
  }
  void finish() {
    client_.end();
    for (client::MsrpFact fact; client_.next(fact);) facts.push_back(std::move(fact));
    for (const core::Output& output : out_.outputs()) {
      if (output.kind == core::Output::Kind::send) {
        written_[output.conn.index] += pool_.view(output.slice);
        pool_.release(output.slice.buffer);
      } else if (output.kind == core::Output::Kind::close) {
        closes.push_back(output.conn);
      }
    }
    for (core::ConnectRequest& dial : out_.connects()) dials.push_back(std::move(dial));
    for (core::ResolveRequest& ask : out_.resolves()) look_ups.push_back(std::move(ask));
    out_.clear();
  }

  core::Pool pool_{{.small_count = 4, .large_count = 1, .arena_count = 8, .heap_bytes_max = 64 << 20}};
  core::Outbox out_{pool_};
  core::Random random_{core::Seed{}};
  core::Instant now_{std::chrono::hours(1)};
  client::MsrpClient client_;
  std::map<std::uint32_t, std::string> written_;
  std::uint32_t next_conn_ = 1;
};

// The value of the first such line.
inline std::string value(const std::string& text, const std::string& name) {
  const std::size_t at = text.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t start = at + 2 + name.size() + 2;
  return text.substr(start, text.find("\r\n", start) - start);
}
inline std::string tid_of(const std::string& text) { return text.substr(5, text.find(' ', 5) - 5); }
inline std::vector<std::string> frames(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::string tid = tid_of(text.substr(at));
    const std::size_t end = text.find("\r\n", text.find("-------" + tid, at)) + 2;
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}
inline std::string respond(const std::string& request, const std::string& status = "200 OK") {
  return "MSRP " + tid_of(request) + " " + status + "\r\nTo-Path: " + value(request, "From-Path") +
         "\r\nFrom-Path: " + value(request, "To-Path") + "\r\n-------" + tid_of(request) + "$\r\n";
}

}  // namespace parley::tests
