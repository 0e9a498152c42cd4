// Who connects to whom, what ends connections, and sessions behind a relay, as the client does it.
#include <algorithm>

#include "tests/client/msrp_up.h"

namespace parley::tests {
namespace {

// --- who connects

TEST(MsrpClient, T_70_a_peer_may_send_before_its_answer_is_here) {
  MsrpWorld world;
  world.step([&] { EXPECT_TRUE(world.client().open(1, false, text())); });
  const core::ConnId conn = world.accept();
  const std::string uri(world.client().uri(1));
  world.bytes(conn, "MSRP tttt1111 SEND\r\nTo-Path: " + uri + "\r\nFrom-Path: " + peer_path +
                        "\r\nMessage-ID: m\r\nContent-Type: text/plain\r\n\r\nearly\r\n-------tttt1111$\r\n");
  EXPECT_EQ(world.fact(Kind::message).body, "early");
  world.step([&] { world.client().connect(1, {.path = peer_path, .we_connect = false, .address = {}, .port = 0}); });
  EXPECT_EQ(world.fact(Kind::up).session, 1U);
  EXPECT_TRUE(world.dials.empty());
}

TEST(MsrpClient, OMA_MSRP_2_when_the_path_leads_nowhere_c_and_m_are_tried) {
  MsrpWorld world;
  world.step([&] {
    EXPECT_TRUE(world.client().open(1, false, text()));
    world.client().connect(1, {.path = peer_path, .we_connect = true, .address = "198.51.100.7", .port = 4000});
  });
  EXPECT_EQ(core::to_string(world.dials.back().address), "192.0.2.9:3000");
  world.refused();
  ASSERT_EQ(world.dials.size(), 2U);
  EXPECT_EQ(core::to_string(world.dials.back().address), "198.51.100.7:4000");
  world.refused();
  EXPECT_EQ(world.fact(Kind::failed).status, 408);
}

TEST(MsrpClient, T_41_when_the_peer_does_not_come_we_go_there) {
  MsrpWorld world;
  world.step([&] {
    EXPECT_TRUE(world.client().open(1, false, text()));
    world.client().connect(1, {.path = peer_path, .we_connect = false, .address = {}, .port = 0});
  });
  world.pass(std::chrono::milliseconds(9'900));
  EXPECT_TRUE(world.dials.empty());
  world.pass(std::chrono::milliseconds(100));
  ASSERT_EQ(world.dials.size(), 1U);
  (void)world.connected();
  EXPECT_EQ(world.fact(Kind::up).session, 1U);
}

TEST(MsrpClient, T_39_port_9_is_not_dialled) {
  MsrpWorld world;
  world.step([&] {
    EXPECT_TRUE(world.client().open(1, false, text()));
    world.client().connect(1, {.path = "msrp://192.0.2.9:9/x;tcp", .we_connect = true, .address = {}, .port = 0});
  });
  EXPECT_TRUE(world.dials.empty());
  EXPECT_EQ(world.fact(Kind::failed).session, 1U);
}

TEST(MsrpClient, names_are_looked_up_and_checked_under_tls) {
  MsrpWorld world;
  world.step([&] {
    EXPECT_TRUE(world.client().open(1, true, text()));
    world.client().connect(
        1, {.path = "msrps://far.example.org:2855/x;tcp", .we_connect = true, .address = {}, .port = 0});
  });
  ASSERT_EQ(world.look_ups.size(), 1U);
  core::Resolution resolution{.token = world.look_ups[0].token,
                              .addresses = {{*core::parse_address("192.0.2.77:2855"), "", core::Transport::tls}}};
  core::Input input;
  input.kind = core::Input::Kind::resolved;
  input.resolution = &resolution;
  world.step([&] { world.client().take(input); });
  ASSERT_EQ(world.dials.size(), 1U);
  EXPECT_TRUE(world.dials[0].tls);
  EXPECT_EQ(world.dials[0].tls_name, "far.example.org");
}

TEST(MsrpClient, a_peer_that_does_not_answer_is_given_up) {
  MsrpWorld world;
  world.step([&] {
    EXPECT_TRUE(world.client().open(1, false, text()));
    world.client().connect(1, {.path = peer_path, .we_connect = true, .address = {}, .port = 0});
  });
  world.pass(std::chrono::seconds(10));
  EXPECT_EQ(world.fact(Kind::failed).status, 408);
}

TEST(MsrpClient, a_connection_that_nobody_uses_ends_and_there_are_never_too_many) {
  MsrpConfig config;
  config.connections_max = 2;
  MsrpWorld world(config);
  (void)world.accept();
  (void)world.accept();
  (void)world.accept();  // refused at once
  world.pass(std::chrono::seconds(30));
  EXPECT_EQ(world.closes.size(), 2U);
}

TEST(MsrpClient, R4975_12_the_connection_ends_with_its_last_session) {
  Up world;
  world.step([&] { world.client().close(1); });
  ASSERT_EQ(world.closes.size(), 1U);
  EXPECT_FALSE(world.client().owns(world.conn));
}

TEST(MsrpClient, R4975_12_a_lost_connection_fails_what_was_under_way) {
  Up world;
  const std::uint64_t number = world.say("hello");
  world.closed(world.conn);
  EXPECT_EQ(world.fact(Kind::sent).number, number);
  EXPECT_EQ(world.fact(Kind::failed).session, 1U);
}

TEST(MsrpClient, a_slow_peer_holds_back_what_is_sent) {
  MsrpConfig config;
  config.queue_bytes_max = 10'000;
  Up world(config);
  world.say(std::string(100'000, 'x'));
  EXPECT_LT(world.written(world.conn).size(), 20'000U);
  world.step();
  EXPECT_EQ(world.written(world.conn), "");
  world.drain(world.conn);
  EXPECT_GT(world.written(world.conn).size(), 5'000U);
}

// --- behind a relay

constexpr const char* relay = "msrps://relay.example.org:2855;tcp";

struct Behind : MsrpWorld {
  Behind() : MsrpWorld(behind()) {
    step([&] { EXPECT_TRUE(client().open(1, true, text())); });
    core::Resolution resolution{.token = look_ups.at(0).token,
                                .addresses = {{*core::parse_address("192.0.2.50:2855"), "", core::Transport::tls}}};
    core::Input input;
    input.kind = core::Input::Kind::resolved;
    input.resolution = &resolution;
    step([&] { client().take(input); });
    conn = connected();
  }
  static MsrpConfig behind() {
    MsrpConfig config;
    config.relay = relay;
    config.user = "alice";
    config.password = "secret";
    return config;
  }
  std::string challenge(const std::string& request, const std::string& more = "") {
    std::string response = respond(request, "401 Unauthorized");
    response.insert(response.find("-------"),
                    "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"" + more + "\r\n");
    return response;
  }
  std::string granted(const std::string& request, const std::string& expires = "600") {
    std::string response = respond(request);
    response.insert(response.find("-------"),
                    "Use-Path: msrps://relay.example.org:2855/abc;tcp\r\nExpires: " + expires + "\r\n");
    return response;
  }
  core::ConnId conn;
};

TEST(MsrpClient, R4976_1_R4976_2_auth_is_challenged_and_answered) {
  Behind world;
  const std::string first = world.written(world.conn);
  EXPECT_NE(first.find(" AUTH\r\n"), std::string::npos);
  EXPECT_EQ(value(first, "To-Path"), relay);
  EXPECT_EQ(value(first, "Authorization"), "");
  world.bytes(world.conn, world.challenge(first));
  const std::string second = world.written(world.conn);
  const std::string credentials = value(second, "Authorization");
  for (const char* part :
       {"username=\"alice\"", "realm=\"r\"", "nonce=\"n1\"", "qop=auth", "nc=00000001", "response=\""}) {
    EXPECT_NE(credentials.find(part), std::string::npos) << part << " in " << credentials;
  }
  EXPECT_EQ(world.fact(Kind::ready).session, 0U);
  world.bytes(world.conn, world.granted(second));
  EXPECT_EQ(world.fact(Kind::ready).session, 1U);
}

TEST(MsrpClient, R4976_6_R4976_9_the_path_in_sdp_and_in_requests) {
  Behind world;
  world.bytes(world.conn, world.granted(world.written(world.conn)));
  EXPECT_EQ(world.client().path(1), "msrps://relay.example.org:2855/abc;tcp " + std::string(world.client().uri(1)));
  world.step([&] { world.client().connect(1, {.path = peer_path, .we_connect = false, .address = {}, .port = 0}); });
  EXPECT_EQ(world.fact(Kind::up).session, 1U);
  EXPECT_EQ(value(world.written(world.conn), "To-Path"),
            std::string("msrps://relay.example.org:2855/abc;tcp ") + peer_path);
}

TEST(MsrpClient, R4976_2_a_refused_password_is_not_tried_again) {
  Behind world;
  world.bytes(world.conn, world.challenge(world.written(world.conn)));
  world.bytes(world.conn, world.challenge(world.written(world.conn)));
  EXPECT_EQ(world.fact(Kind::failed).status, 401);
  EXPECT_EQ(world.written(world.conn), "");
}

TEST(MsrpClient, R4976_2_a_stale_nonce_is_no_refusal) {
  Behind world;
  world.bytes(world.conn, world.challenge(world.written(world.conn)));
  world.bytes(world.conn, world.challenge(world.written(world.conn), ", stale=TRUE"));
  const std::string third = world.written(world.conn);
  EXPECT_NE(value(third, "Authorization"), "");
  world.bytes(world.conn, world.granted(third));
  EXPECT_EQ(world.fact(Kind::ready).session, 1U);
}

TEST(MsrpClient, R4976_4_the_uri_is_refreshed_before_it_expires) {
  Behind world;
  world.bytes(world.conn, world.granted(world.written(world.conn), "100"));
  world.pass(std::chrono::seconds(79));
  EXPECT_EQ(world.written(world.conn), "");
  world.pass(std::chrono::seconds(1));
  EXPECT_NE(world.written(world.conn).find(" AUTH\r\n"), std::string::npos);
}

TEST(MsrpClient, R4976_5_each_session_has_a_uri_of_its_own_over_one_connection) {
  Behind world;
  (void)world.written(world.conn);
  world.step([&] { EXPECT_TRUE(world.client().open(2, true, text())); });
  EXPECT_EQ(world.dials.size(), 1U);
  EXPECT_NE(world.written(world.conn).find(" AUTH\r\n"), std::string::npos);
}

TEST(MsrpClient, a_relay_that_is_away_fails_its_sessions) {
  Behind world;
  world.closed(world.conn);
  EXPECT_EQ(world.fact(Kind::failed).session, 1U);
}

}  // namespace
}  // namespace parley::tests
