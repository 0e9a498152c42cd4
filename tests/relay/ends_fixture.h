// tests/relay/ends_fixture.h - sessions that end here, with somebody who owns them: facts are kept, calls happen in steps.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/relay/fixture.h"

namespace parley::testing {

class Owner final : public policy::Service::FactTaker {
 public:
  using Kind = msrp::EndFact::Kind;
  struct Seen {
    msrp::EndFact fact;  // its views are dead
    std::string body;
    std::string head;
    std::string message_id;
    std::string nickname;
    std::string content_type;
  };

  explicit Owner(Harness& harness) : harness_(harness) { harness.service.give_facts_to(this); }

  // Runs `call` inside a step.
  void act(std::function<void(msrp::Ends&)> call) {
    call_ = std::move(call);
    harness_.step(std::span<const core::Input>{});
  }
  void on_step(msrp::Ends& ends) override {
    ends_ = &ends;
    if (call_) std::exchange(call_, nullptr)(ends);
  }
  void on_fact(msrp::EndFact& fact) override {
    Seen seen;
    if (fact.body.buffer != core::no_buffer) seen.body = harness_.pool.view(fact.body);
    seen.head = fact.head_bytes;
    seen.message_id = fact.message_id;
    seen.nickname = fact.nickname;
    if (fact.head != nullptr) seen.content_type = fact(fact.head->content_type);
    if (fact.kind == Kind::piece && fact.last && answer_with != 0) ends_->answer(fact.token, answer_with);
    if (on_piece && fact.kind == Kind::piece) on_piece(*ends_, fact);
    seen.fact = fact;
    facts.push_back(std::move(seen));
  }
  // Those of one kind since the last call; the others are dropped.
  std::vector<Seen> take(Kind kind) {
    std::vector<Seen> found;
    for (Seen& seen : facts) {
      if (seen.fact.kind == kind) found.push_back(std::move(seen));
    }
    facts.clear();
    return found;
  }
  [[nodiscard]] std::string kinds() const {
    static constexpr const char* names[] = {"connected", "failed", "piece", "nickname", "answered", "report", "writable", "closed"};
    std::string text;
    for (const Seen& seen : facts) text.append(text.empty() ? "" : " ").append(names[static_cast<std::size_t>(seen.fact.kind)]);
    return text;
  }

  std::vector<Seen> facts;
  std::uint16_t answer_with = 200;
  std::function<void(msrp::Ends&, msrp::EndFact&)> on_piece;

 private:
  Harness& harness_;
  msrp::Ends* ends_ = nullptr;
  std::function<void(msrp::Ends&)> call_;
};

class EndsTest : public RelayTest {
 protected:
  using Kind = Owner::Kind;
  using Sent = msrp::Ends::Sent;

  explicit EndsTest(std::shared_ptr<msrp::RelayConfig> config = default_config(), std::uint32_t shards = 1)
      : RelayTest(std::move(config), shards) {}

  msrp::EndHandle open(std::uint64_t number = 7, bool secure = false) {
    msrp::EndHandle end;
    owner.act([&](msrp::Ends& ends) { end = ends.open(secure, number); });
    return end;
  }
  bool connect(msrp::EndHandle end, const std::string& path, bool we_connect = false, bool loose = false,
               const std::string& address = {}) {
    bool done = false;
    owner.act([&](msrp::Ends& ends) { done = ends.connect(end, {path, we_connect, loose, address}); });
    return done;
  }
  void close(msrp::EndHandle end) {
    owner.act([&](msrp::Ends& ends) { ends.close(end); });
  }
  std::string uri(msrp::EndHandle end) { return std::string(relay.service.relay().ends().uri(end)); }
  Sent send(msrp::EndHandle end, const msrp::EndSend& message) {
    Sent sent = Sent::gone;
    owner.act([&](msrp::Ends& ends) { sent = ends.send(end, message); });
    return sent;
  }
  static std::string bodiless(const std::string& tid, const std::string& to, const std::string& from,
                              const std::string& headers = {}, char flag = '$') {
    return "MSRP " + tid + " SEND\r\nTo-Path: " + to + "\r\nFrom-Path: " + from + "\r\n" + headers + "-------" + tid + flag + "\r\n";
  }
  // A session whose peer has connected and bound it.
  struct Leg {
    msrp::EndHandle end;
    core::ConnId conn;
    std::string uri;
    std::string peer;
  };
  Leg make_leg(const std::string& peer, std::uint64_t number = 7) {
    Leg leg{open(number), relay.open(), {}, peer};
    leg.uri = uri(leg.end);
    connect(leg.end, peer);
    relay.send(leg.conn, bodiless("bind", leg.uri, peer));
    EXPECT_EQ(relay.take(leg.conn), ok("bind", peer.substr(0, peer.find(' ')), leg.uri));
    return leg;
  }
  std::uint64_t counted(core::Metric metric) const { return relay.metrics.get(metric); }

  Owner owner{relay};
  static constexpr std::string_view plain = "Message-ID: m1\r\nContent-Type: text/plain\r\n";
};

}  // namespace parley::testing
