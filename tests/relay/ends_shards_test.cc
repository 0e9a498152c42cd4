// Sessions that end here on other shards than the connections that serve them, and by WebSocket.
#include "tests/relay/ends_fixture.h"
#include "tests/relay/shards.h"
#include "tests/relay/ws_client.h"

namespace parley::testing {
namespace {

class EndsShards : public ::testing::Test {
 protected:
  using Kind = Owner::Kind;

  // A session on shard 1.
  EndsShards() {
    away.act([&](msrp::Ends& ends) {
      end = ends.open(false, 7);
      EXPECT_TRUE(ends.connect(end, {peer}));
      uri = ends.uri(end);
    });
  }
  static std::string send_frame(const std::string& tid, const std::string& to, const std::string& from, const std::string& body) {
    return "MSRP " + tid + " SEND\r\nTo-Path: " + to + "\r\nFrom-Path: " + from + "\r\nMessage-ID: m1\r\nContent-Type: text/plain\r\n\r\n" +
           body + "\r\n-------" + tid + "$\r\n";
  }

  Shards shards;
  Owner home{shards.shard[0]};
  Owner away{shards.shard[1]};
  msrp::EndHandle end;
  std::string uri;
  const std::string peer = "msrp://a.example.net:7777/aaa;tcp";
};

TEST_F(EndsShards, R4975_12_a_connection_moves_to_the_shard_of_its_session) {
  const core::ConnId a = shards.open(0);
  shards.send(0, a, send_frame("tid1", uri, peer, "hello"));
  ASSERT_EQ(shards.shard[0].hand_overs.size(), 1U);
  const core::HandOver& given = shards.shard[0].hand_overs[0];
  EXPECT_EQ(given.shard, 1U);
  const core::ConnId there = shards.open(1);
  shards.send(1, there, given.unused);
  EXPECT_EQ(shards.shard[1].take(there), ok("tid1", peer, uri));
  EXPECT_EQ(away.kinds(), "connected piece");
}

// It serves a session of its own shard and cannot move: what goes to the other one passes between the shards.
TEST_F(EndsShards, R4975_12_a_connection_that_may_not_move_serves_by_a_pipe) {
  msrp::EndHandle near;
  std::string near_uri;
  home.act([&](msrp::Ends& ends) {
    near = ends.open(false, 8);
    EXPECT_TRUE(ends.connect(near, {"msrp://a.example.net:7777/near;tcp"}));
    near_uri = ends.uri(near);
  });
  const core::ConnId a = shards.open(0);
  shards.send(0, a, send_frame("tid0", near_uri, "msrp://a.example.net:7777/near;tcp", "near"));
  shards.shard[0].take(a);
  away.answer_with = 413;
  shards.send(0, a, send_frame("tid1", uri, peer, "hello"));
  EXPECT_TRUE(shards.shard[0].hand_overs.empty());
  ASSERT_EQ(away.kinds(), "connected piece");
  EXPECT_EQ(away.facts[1].body, "hello");
  const std::string told = shards.shard[0].take(a);
  EXPECT_TRUE(told.starts_with(ok("tid1", peer, uri))) << told;
  EXPECT_NE(told.find(" REPORT\r\nTo-Path: " + peer + "\r\nFrom-Path: " + uri + "\r\nMessage-ID: m1\r\n"), std::string::npos) << told;
  EXPECT_NE(told.find("Status: 000 413 "), std::string::npos) << told;
  // And back: the other shard writes, this one knows what becomes of it.
  away.facts.clear();
  std::vector<msrp::Ends::NotSent> not_sent;
  away.act([&](msrp::Ends& ends) {
    ends.fan_out(std::span(&end, 1), {.headers = "Message-ID: m2\r\nContent-Type: text/plain\r\n", .mark = 3, .prefix = "back"}, not_sent);
  });
  EXPECT_TRUE(not_sent.empty());
  shards.settle();
  const std::string frame = shards.shard[0].take(a);
  EXPECT_NE(frame.find("To-Path: " + peer + "\r\nFrom-Path: " + uri + "\r\n"), std::string::npos) << frame;
  EXPECT_NE(frame.find("\r\n\r\nback\r\n-------"), std::string::npos) << frame;
  ASSERT_EQ(away.kinds(), "answered");
  EXPECT_EQ(away.facts[0].fact.status, 200);
  shards.send(0, a, ok(tid_of(frame), uri, peer));
  shards.close(0, a);
  EXPECT_EQ(away.kinds(), "answered closed");
}

TEST_F(EndsShards, R7701_3_a_nickname_passes_between_shards) {
  msrp::EndHandle near;
  std::string near_uri;
  home.act([&](msrp::Ends& ends) {
    near = ends.open(false, 8);
    EXPECT_TRUE(ends.connect(near, {"msrp://a.example.net:7777/near;tcp"}));
    near_uri = ends.uri(near);
  });
  const core::ConnId a = shards.open(0);
  shards.send(0, a, send_frame("tid0", near_uri, "msrp://a.example.net:7777/near;tcp", "near") + send_frame("tid1", uri, peer, "x"));
  shards.shard[0].take(a);
  away.facts.clear();
  shards.send(0, a, "MSRP tid2 NICKNAME\r\nTo-Path: " + uri + "\r\nFrom-Path: " + peer + "\r\nUse-Nickname: \"Al\"\r\n-------tid2$\r\n");
  ASSERT_EQ(away.kinds(), "nickname");
  away.act([&](msrp::Ends& ends) { ends.answer(away.facts[0].fact.token, 200); });
  shards.settle();
  EXPECT_EQ(shards.shard[0].take(a), ok("tid2", peer, uri));
}

class EndsByWebSocket : public EndsTest {
 protected:
  static std::shared_ptr<msrp::RelayConfig> with_ws() {
    auto config = default_config();
    config->listeners.push_back({"127.0.0.1", 2857, 2857, *core::parse_address("127.0.0.1:2857"), false, true});
    return config;
  }
  EndsByWebSocket() : EndsTest(with_ws()) {}
};

TEST_F(EndsByWebSocket, R7977_1_a_client_by_websocket_is_a_leg_like_others) {
  const std::string peer = "msrp://df7jal23ls0d.invalid:2855/98cjs;ws";
  const msrp::EndHandle end = open();
  EXPECT_TRUE(uri(end).ends_with(";tcp"));
  connect(end, peer);
  const core::ConnId w = relay.open_at(2);
  relay.send(w, ws_request);
  relay.take(w);
  relay.send(w, ws_frame(ws_text, send_frame("tid1", uri(end), peer, "Message-ID: m1\r\n", "from the page")));
  WsReceived page;
  page.add(relay.take(w));
  EXPECT_EQ(page.all(), ok("tid1", peer, uri(end)));
  const auto pieces = owner.take(Kind::piece);
  ASSERT_EQ(pieces.size(), 1U);
  EXPECT_EQ(pieces[0].body, "from the page");
  for (const std::size_t size : {10U, 5000U, 150'000U}) {
    WsReceived got;
    std::vector<msrp::Ends::NotSent> not_sent;
    const std::string body(size, 'x');
    owner.act([&](msrp::Ends& ends) {
      ends.fan_out(std::span(&end, 1),
                   {.headers = plain, .failure = msrp::FailureReport::no, .total = size, .prefix = body}, not_sent);
    });
    EXPECT_TRUE(not_sent.empty());
    got.add(relay.take(w));
    EXPECT_TRUE(got.at_rest());
    EXPECT_EQ(got.messages.size(), (size + 65'535) / 65'536);  // one chunk per message
    for (const WsMessage& message : got.messages) EXPECT_TRUE(message.payload.starts_with("MSRP ")) << message.payload;
  }
}

}  // namespace
}  // namespace parley::testing
