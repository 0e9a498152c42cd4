// tests/relay/relay_ws_test.cc - clients of the relay that speak WebSocket (RFC 7977, R7977-1, T-77, X-26).
#include <algorithm>

#include "tests/relay/fixture.h"
#include "tests/relay/ws_client.h"

namespace parley::testing {
namespace {

using core::Metric;
using namespace std::chrono_literals;

std::shared_ptr<msrp::RelayConfig> ws_config() {
  auto config = default_config();
  config->listeners.push_back({"127.0.0.1", 8080, 8080, *core::parse_address("127.0.0.1:8080"), false, true});
  config->listeners.push_back({"relay.example.com", 443, 8443, *core::parse_address("127.0.0.1:8443"), true, true});
  return config;
}
constexpr std::uint16_t ws_listener = 2;
constexpr std::uint16_t wss_listener = 3;

std::string status_of(const std::string& answer) { return answer.substr(0, answer.find("\r\n")); }

class RelayWs : public RelayTest {
 protected:
  explicit RelayWs(std::shared_ptr<msrp::RelayConfig> config = ws_config()) : RelayTest(std::move(config)) {}

  core::ConnId open_ws(std::uint16_t listener = ws_listener, std::string_view remote = "127.0.0.1:40000",
                       std::string_view name = "") {
    const auto transport = listener == wss_listener ? core::Transport::tls : core::Transport::tcp;
    const core::ConnId conn = relay.open_at(listener, transport, remote, name);
    relay.send(conn, ws_request);
    const std::string answer = relay.take(conn);
    EXPECT_EQ(status_of(answer), "HTTP/1.1 101 Switching Protocols");
    EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
    return conn;
  }

  // What has come since the last call. A test that leaves a message unfinished keeps a WsReceived of its own.
  WsReceived received(core::ConnId conn) {
    WsReceived got;
    got.add(relay.take(conn));
    EXPECT_TRUE(got.at_rest());
    return got;
  }
  void send_text(core::ConnId conn, const std::string& frame) { relay.send(conn, ws_frame(ws_text, frame)); }

  std::string ask(core::ConnId conn, const std::string& frame) {
    send_text(conn, frame);
    const WsReceived got = received(conn);
    EXPECT_EQ(got.messages.size(), 1U);
    return got.messages.empty() ? std::string() : got.messages[0].payload;
  }
  std::string ws_authenticate(core::ConnId conn, const std::string& user, const std::string& own) {
    const std::string challenge = ask(conn, auth_frame("aut1", own, ""));
    EXPECT_TRUE(challenge.starts_with("MSRP aut1 401 ")) << challenge;
    const std::string granted = ask(conn, auth_frame("aut2", own, credentials(user, challenge)));
    EXPECT_TRUE(granted.starts_with("MSRP aut2 200 ")) << granted;
    return header(granted, "Use-Path");
  }
  std::uint64_t counted(Metric metric) { return relay.metrics.get(metric); }

  const std::string w_uri = "msrp://df7jal23ls0d.invalid:2855/98cjs;ws";
};

// Alice on WebSocket and bob on TCP, both with a session.
class WsAndTcp : public RelayWs {
 protected:
  explicit WsAndTcp(std::shared_ptr<msrp::RelayConfig> config = ws_config()) : RelayWs(std::move(config)) {}

  const core::ConnId w = open_ws();
  const std::string use_w = ws_authenticate(w, "alice", w_uri);
  const core::ConnId b = relay.open();
  const std::string use_b = authenticate(b, "bob", b_uri);
  const std::string to_b = use_w + " " + use_b + " " + b_uri;
  const std::string to_w = use_b + " " + use_w + " " + w_uri;

  [[nodiscard]] std::string out_frame(const std::string& tid, const std::string& body, const std::string& mid = "m1",
                                      char flag = '$') const {
    return send_frame(tid, to_b, w_uri, "Message-ID: " + mid + "\r\n", body, flag);
  }
  [[nodiscard]] std::string in_frame(const std::string& tid, const std::string& body,
                                     const std::string& mid = "m1") const {
    return send_frame(tid, to_w, b_uri, "Message-ID: " + mid + "\r\n", body);
  }
  // Bodies of the frames that were sent to bob, one after the other; ids of ours are all of one length.
  static std::string bodies(const std::string& frames) {
    std::string joined;
    for (std::size_t at = 0; at < frames.size();) {
      const std::string tid = tid_of(frames.substr(at));
      const std::size_t end = frames.find("-------" + tid, at);
      EXPECT_NE(end, std::string::npos) << frames.substr(at, 400);
      if (end == std::string::npos) break;
      const std::size_t body = frames.find("\r\n\r\n", at);
      if (body < end) joined += frames.substr(body + 4, end - 2 - (body + 4));
      at = end + 7 + tid.size() + 3;
    }
    return joined;
  }
};

// ---- the handshake

TEST_F(RelayWs, R7977_1_the_handshake_is_answered_wherever_it_is_cut) {
  for (std::size_t cut = 0; cut <= ws_request.size(); ++cut) {
    const core::ConnId conn = relay.open_at(ws_listener);
    relay.send(conn, ws_request.substr(0, cut));
    ASSERT_EQ(relay.take(conn).empty(), cut < ws_request.size());
    if (cut == ws_request.size()) continue;
    relay.send(conn, ws_request.substr(cut) + ws_frame(ws_ping, "early"));
    const std::string answer = relay.take(conn);
    ASSERT_EQ(answer.substr(0, answer.find("\r\n\r\n") + 4),
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: msrp\r\n\r\n");
    WsReceived frames;
    frames.add(answer.substr(answer.find("\r\n\r\n") + 4));
    ASSERT_EQ(frames.controls.size(), 1U);
    EXPECT_EQ(frames.controls[0].payload, "early");
    relay.close(conn);
  }
  EXPECT_EQ(counted(Metric::msrp_ws_upgraded), ws_request.size() + 1);
}

TEST(RelayWsDoor, R7977_1_X_26_whom_it_lets_in) {
  auto config = ws_config();
  config->ws.origins = {"https://chat.example.org"};
  config->ws.paths = {"/msrp", "/"};
  Harness relay(config);
  const auto answer_to = [&](const std::string& request) {
    const core::ConnId conn = relay.open_at(ws_listener);
    relay.send(conn, request);
    const std::string answer = relay.take(conn);
    EXPECT_EQ(relay.closed(conn), !answer.starts_with("HTTP/1.1 101 ")) << answer;
    return answer;
  };
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = ws_request;
    return text.replace(text.find(from), from.size(), to);
  };
  struct Case {
    const char* from;
    const char* to;
    const char* status;
    Metric counter;
  };
  const Case cases[] = {
      {"GET / ", "GET /msrp?room=1 ", "HTTP/1.1 101 Switching Protocols", Metric::msrp_ws_upgraded},
      {"GET / ", "GET wss://relay.example.com ", "HTTP/1.1 101 Switching Protocols", Metric::msrp_ws_upgraded},
      {"GET / ", "GET /elsewhere ", "HTTP/1.1 404 Not Found", Metric::msrp_ws_refused_path},
      {"GET / ", "POST / ", "HTTP/1.1 405 Method Not Allowed", Metric::msrp_ws_refused_request},
      {"GET / HTTP/1.1", "GET / HTTP/1.0", "HTTP/1.1 505 HTTP Version Not Supported", Metric::msrp_ws_refused_request},
      {"GET / HTTP/1.1", "MSRP a786hjs2 AUTH", "HTTP/1.1 400 Bad Request", Metric::msrp_ws_refused_request},
      {"Version: 13", "Version: 8", "HTTP/1.1 426 Upgrade Required", Metric::msrp_ws_refused_version},
      {"Upgrade: websocket\r\n", "", "HTTP/1.1 426 Upgrade Required", Metric::msrp_ws_refused_version},
      {"Protocol: msrp", "Protocol: sip", "HTTP/1.1 400 Bad Request", Metric::msrp_ws_refused_subprotocol},
      {"Protocol: msrp", "Protocol: sip, msrp", "HTTP/1.1 101 Switching Protocols", Metric::msrp_ws_upgraded},
      {"\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n", "HTTP/1.1 403 Origin not allowed",
       Metric::msrp_ws_refused_origin},
      {"\r\n\r\n", "\r\nOrigin: https://chat.example.org\r\n\r\n", "HTTP/1.1 101 Switching Protocols",
       Metric::msrp_ws_upgraded},
  };
  for (const Case& each : cases) {
    const std::uint64_t before = relay.metrics.get(each.counter);
    const std::string answer = answer_to(with(each.from, each.to));
    EXPECT_EQ(status_of(answer), each.status) << each.to;
    EXPECT_EQ(relay.metrics.get(each.counter), before + 1) << each.to;
  }
  // RFC 7977 section 7, for pages that are let in.
  const std::string answer = answer_to(with("\r\n\r\n", "\r\nOrigin: https://chat.example.org\r\n\r\n"));
  EXPECT_NE(answer.find("\r\nAccess-Control-Allow-Origin: https://chat.example.org\r\n"), std::string::npos);
  EXPECT_EQ(status_of(answer_to(with("\r\n\r\n", "\r\nX-Long: " + std::string(9000, 'x')))),
            "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST_F(RelayWs, X_22_a_handshake_that_does_not_end_is_given_up) {
  const core::ConnId conn = relay.open_at(ws_listener);
  relay.send(conn, ws_request.substr(0, 50));
  relay.wait(9s);
  EXPECT_FALSE(relay.closed(conn));
  relay.wait(2s);
  EXPECT_TRUE(relay.closed(conn));
  EXPECT_EQ(relay.take(conn), "");
  EXPECT_EQ(counted(Metric::msrp_head_too_slow), 1U);
  // One that does nothing afterwards has to prove itself like any other.
  const core::ConnId idle = open_ws();
  relay.wait(31s);
  EXPECT_TRUE(relay.closed(idle));
  EXPECT_EQ(counted(Metric::probation_closed), 1U);
  EXPECT_EQ(received(idle).controls[0].payload, "\x03\xf0");  // 1008
}

// ---- AUTH

TEST_F(RelayWs, R7977_1_use_path_names_the_listener_that_peers_can_reach) {
  EXPECT_TRUE(ws_authenticate(open_ws(), "alice", w_uri).starts_with("msrp://127.0.0.1:2855/"));
  const std::string secure =
      ws_authenticate(open_ws(wss_listener, "192.0.2.1:1000"), "alice", "msrps://x.invalid:2855/y;ws");
  EXPECT_TRUE(secure.starts_with("msrps://relay.example.com:2856/")) << secure;
  EXPECT_TRUE(secure.ends_with(";tcp"));
}

class OnlyWs : public RelayWs {
 protected:
  OnlyWs() : RelayWs(only()) {}
  static std::shared_ptr<msrp::RelayConfig> only() {
    auto config = ws_config();
    config->listeners.erase(config->listeners.begin() + 1);  // no TLS but over WebSocket
    return config;
  }
};

TEST_F(OnlyWs, R7977_1_without_such_a_listener_use_path_says_ws) {
  const core::ConnId a = open_ws(2);
  relay.take(a);
  const core::ConnId conn = relay.open_at(2, core::Transport::tls);
  relay.send(conn, ws_request);
  relay.take(conn);
  const std::string own = "msrps://x.invalid:2855/y;ws";
  const std::string use = ws_authenticate(conn, "alice", own);
  EXPECT_TRUE(use.starts_with("msrps://relay.example.com:443/")) << use;
  ASSERT_TRUE(use.ends_with(";ws")) << use;
  // The URI is the one that was given, transport and all (R4975-13).
  const std::string tcp = use.substr(0, use.size() - 3) + ";tcp";
  send_text(conn, send_frame("t001", tcp + " " + own, own, "Message-ID: m1\r\n", "x"));
  EXPECT_TRUE(received(conn).all().starts_with("MSRP t001 481"));
  const core::ConnId other = relay.open_at(2, core::Transport::tls);
  relay.send(other, ws_request);
  relay.take(other);
  send_text(other, send_frame("t002", use + " " + own, "msrps://z.invalid:2855/z;ws", "Message-ID: m2\r\n",
                              "from web to web"));
  EXPECT_TRUE(received(other).all().starts_with("MSRP t002 200 OK"));
  EXPECT_NE(received(conn).all().find("\r\n\r\nfrom web to web\r\n"), std::string::npos);
}

TEST_F(RelayWs, R4976_1_a_digest_in_clear_over_a_network_is_refused_over_ws_too) {
  const core::ConnId conn = open_ws(ws_listener, "192.0.2.1:1000");
  send_text(conn, auth_frame("aut1", w_uri, ""));
  const WsReceived got = received(conn);
  ASSERT_EQ(got.messages.size(), 1U);
  EXPECT_TRUE(got.messages[0].payload.starts_with("MSRP aut1 403 "));
  ASSERT_EQ(got.controls.size(), 1U);
  EXPECT_EQ(got.controls[0].opcode, ws_close);
  EXPECT_TRUE(relay.closed(conn));
}

TEST_F(RelayWs, R7977_1_a_clients_certificate_makes_it_no_relay) {
  const core::ConnId conn = open_ws(wss_listener, "192.0.2.1:1000", "alice.example.net");
  // A relay's failures are not counted against it.
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(relay.closed(conn));
    const std::string challenge = ask(conn, auth_frame("aut1", "msrps://x.invalid/y;ws", ""));
    send_text(conn, auth_frame("aut2", "msrps://x.invalid/y;ws", credentials("nobody", challenge)));
    relay.take(conn);
  }
  EXPECT_TRUE(relay.closed(conn));
}

// ---- frames in

TEST_F(WsAndTcp, R7977_1_from_web_to_tcp) {
  send_text(w, out_frame("t001", "hello bob"));
  EXPECT_EQ(bodies(relay.take(b)), "hello bob");
  EXPECT_EQ(received(w).all(), ok("t001", w_uri, use_w));
  relay.send(w, ws_frame(ws_binary, out_frame("t002", std::string("\xff\x00\xfe", 3))));
  EXPECT_EQ(bodies(relay.take(b)), std::string("\xff\x00\xfe", 3));
  EXPECT_EQ(received(w).messages[0].opcode, unsigned{ws_text});
}

TEST_F(WsAndTcp, T_77_borders_of_messages_and_frames_need_not_match) {
  const std::string two = out_frame("t001", "first") + out_frame("t002", "second", "m2");
  const std::string answers = ok("t001", w_uri, use_w) + ok("t002", w_uri, use_w);
  const auto check = [&](const std::string& bytes, const std::string& how) {
    relay.send(w, bytes);
    ASSERT_EQ(bodies(relay.take(b)), "firstsecond") << how;
    const WsReceived got = received(w);
    ASSERT_EQ(got.all(), answers) << how;
    ASSERT_EQ(got.messages.size(), 2U) << "one frame in each message";
  };
  check(ws_frame(ws_text, two), "two in one message");
  for (std::size_t cut = 1; cut < two.size(); ++cut) {
    const std::string head = two.substr(0, cut);
    const std::string tail = two.substr(cut);
    check(ws_frame(ws_text, head, false) + ws_frame(ws_continuation, tail), "two fragments");
    check(ws_frame(ws_text, head) + ws_frame(ws_binary, tail), "two messages");
    check(ws_frame(ws_text, head, false) + ws_frame(ws_ping, "") + ws_frame(ws_continuation, "", false) +
              ws_frame(ws_continuation, tail),
          "with other frames between");
    received(w);  // the pong
  }
  check(ws_fragments(ws_binary, two, 1), "a byte a fragment");
}

TEST_F(WsAndTcp, T_77_every_cut_of_the_stream) {
  const std::string two = out_frame("t001", "first") + out_frame("t002", std::string(300, 'x'), "m2");
  const std::string bytes = ws_frame(ws_text, two.substr(0, 40), false) + ws_frame(ws_ping, "now") +
                            ws_frame(ws_continuation, two.substr(40));
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    relay.send(w, bytes.substr(0, cut));
    relay.send(w, bytes.substr(cut));
    ASSERT_EQ(bodies(relay.take(b)), "first" + std::string(300, 'x')) << cut;
    const WsReceived got = received(w);
    ASSERT_EQ(got.all(), ok("t001", w_uri, use_w) + ok("t002", w_uri, use_w));
    ASSERT_EQ(got.controls.size(), 1U);
    EXPECT_EQ(got.controls[0].payload, "now");
  }
  for (const char c : bytes) relay.send(w, {&c, 1});
  EXPECT_EQ(bodies(relay.take(b)), "first" + std::string(300, 'x'));
}

// RFC 7977 section 4.2: the content of text frames is interpreted as binary.
TEST_F(WsAndTcp, T_77_a_text_message_that_is_no_text_is_forwarded) {
  send_text(w, out_frame("t001", "\xff\xfe broken \xc3"));
  EXPECT_EQ(bodies(relay.take(b)), "\xff\xfe broken \xc3");
  EXPECT_EQ(received(w).all(), ok("t001", w_uri, use_w));
}

TEST_F(WsAndTcp, R7977_1_a_bodiless_send_keeps_the_connection) {
  send_text(w, "MSRP t001 SEND\r\nTo-Path: " + use_w + "\r\nFrom-Path: " + w_uri + "\r\n-------t001$\r\n");
  EXPECT_EQ(received(w).all(), ok("t001", w_uri, use_w));
  EXPECT_EQ(relay.take(b), "");
}

TEST_F(WsAndTcp, T_77_a_huge_message_streams_with_constant_memory) {
  const std::string head = out_frame("t001", "");
  const std::size_t body_at = head.find("\r\n\r\n") + 4;
  const std::size_t size = 8 << 20;
  std::string body(size, '\0');
  for (std::size_t i = 0; i < size; ++i) body[i] = static_cast<char>((i * 2654435761U) >> 13);
  const std::string message = ws_frame(ws_binary, head.substr(0, body_at) + body + head.substr(body_at));
  const std::uint64_t blocks = relay.pool.live_blocks();
  std::string got;
  std::size_t at = 0;
  for (std::size_t step = 1; at < message.size(); step = step * 7 % 65521 + 1) {
    relay.send(w, std::string_view(message).substr(at, step));
    at += step;
    got += relay.take(b);
    ASSERT_LE(relay.pool.live_blocks(), blocks + 4);
    ASSERT_EQ(relay.pool.heap_bytes(), 0U);
    ASSERT_GE(got.size() + 140'000, std::min(at, size)) << "it leaves while it comes";
  }
  EXPECT_NE(got.find(body.substr(0, 100000)), std::string::npos);
  EXPECT_NE(got.find(body.substr(size - 100000)), std::string::npos);
  EXPECT_GT(got.size(), size);
  EXPECT_EQ(received(w).all(), ok("t001", w_uri, use_w));
}

// ---- frames out

TEST_F(WsAndTcp, R7977_1_each_frame_is_one_message_text_where_it_is_text) {
  const std::string sizes[] = {"x", std::string(1024, 'y'), std::string(1025, 'z'), std::string(40000, 'q')};
  const std::string tails[] = {"", "\xc3\xa4", "\xff"};
  for (const std::string& body : sizes) {
    relay.send(b, in_frame("t001", body));
    relay.send(b, in_frame("t002", body + tails[1], "m2"));
    relay.send(b, in_frame("t003", body + tails[2], "m3"));
    const WsReceived got = received(w);
    ASSERT_EQ(got.messages.size(), 3U) << body.size();
    for (std::size_t i = 0; i < 3; ++i) {
      const WsMessage& message = got.messages[i];
      EXPECT_EQ(message.opcode, i < 2 ? unsigned{ws_text} : unsigned{ws_binary});
      EXPECT_EQ(message.frames, 1U) << "what is there in one piece is no fragment";
      EXPECT_EQ(bodies(message.payload), body + tails[i]);
    }
    EXPECT_EQ(relay.take(b), ok("t001", b_uri, use_b) + ok("t002", b_uri, use_b) + ok("t003", b_uri, use_b));
  }
  // A character cut by the border between what is copied and what goes by reference makes it binary, not wrong.
  relay.send(b, in_frame("t001", std::string(3000, 'x') + "\xe2\x82\xac").substr(0, 3170));
  relay.send(b, in_frame("t001", std::string(3000, 'x') + "\xe2\x82\xac").substr(3170));
  EXPECT_EQ(bodies(received(w).all()), std::string(3000, 'x') + "\xe2\x82\xac");
}

TEST_F(WsAndTcp, T_77_what_is_cut_through_leaves_in_fragments) {
  const std::string frame = in_frame("t001", std::string(20000, 'x'));
  const std::size_t begin = frame.size() - 20000;
  WsReceived got;
  relay.send(b, frame.substr(0, begin + 9000));
  got.add(relay.take(w));
  ASSERT_EQ(got.messages.size(), 0U) << "the end of the chunk is not known";
  EXPECT_GT(got.open_payload.size(), 8000U);
  relay.send(w, ws_frame(ws_ping, "between"));  // RFC 6455 section 5.4
  got.add(relay.take(w));
  ASSERT_EQ(got.controls.size(), 1U);
  EXPECT_EQ(got.messages.size(), 0U) << "a control frame does not end the chunk";
  relay.send(b, frame.substr(begin + 9000, 7000));
  got.add(relay.take(w));
  // A response to the web client has to pass: the chunk ends, and with it the message.
  send_text(w, out_frame("t009", "hi", "m9"));
  got.add(relay.take(w));
  ASSERT_EQ(got.messages.size(), 2U);
  EXPECT_TRUE(got.messages[0].payload.ends_with("+\r\n"));
  EXPECT_EQ(got.messages[0].opcode, unsigned{ws_binary});
  EXPECT_GT(got.messages[0].frames, 2U);
  EXPECT_EQ(got.messages[1].payload, ok("t009", w_uri, use_w));
  relay.send(b, frame.substr(begin + 16000));
  got.add(relay.take(w));
  ASSERT_TRUE(got.at_rest());
  ASSERT_EQ(got.messages.size(), 3U);
  EXPECT_TRUE(got.messages[2].payload.ends_with("$\r\n"));
  EXPECT_EQ(bodies(got.messages[0].payload + got.messages[2].payload), std::string(20000, 'x'));
}

// RFC 7977 section 5.1: large messages are split for WebSocket clients, whose pages get a chunk when it is whole.
TEST_F(WsAndTcp, R7977_1_a_large_chunk_is_split_for_a_web_client) {
  const std::string body(1 << 20, 'x');
  relay.send(b, in_frame("t001", body));
  const WsReceived got = received(w);
  EXPECT_GE(got.messages.size(), 8U);
  std::string joined;
  std::size_t next = 1;
  for (const WsMessage& message : got.messages) {
    EXPECT_LT(message.payload.size(), 140'000U);
    EXPECT_TRUE(header(message.payload, "Byte-Range").starts_with(std::to_string(next) + "-"));
    const std::string part = bodies(message.payload);
    next += part.size();
    joined += part;
  }
  EXPECT_EQ(joined, body);
  EXPECT_EQ(relay.take(b), ok("t001", b_uri, use_b));
}

class SmallChunks : public WsAndTcp {
 protected:
  SmallChunks() : WsAndTcp(small()) {}
  static std::shared_ptr<msrp::RelayConfig> small() {
    auto config = ws_config();
    config->ws_chunk_bytes = 4096;
    return config;
  }
};

TEST_F(SmallChunks, R7977_1_the_bound_holds_however_the_body_comes) {
  for (const std::size_t size : {4096U, 4097U, 5000U, 60000U, 200000U}) {
    for (const std::size_t read : {65536U, 30000U, 4000U, 100U}) {
      const std::string frame = in_frame("t001", std::string(size, 'x'));
      WsReceived got;
      for (std::size_t at = 0; at < frame.size(); at += read) {
        relay.send(b, frame.substr(at, read));
        got.add(relay.take(w));
      }
      ASSERT_TRUE(got.at_rest());
      std::string joined;
      for (const WsMessage& message : got.messages) {
        EXPECT_LT(message.payload.size(), 2 * 4096U + 600) << size << " in reads of " << read;
        joined += bodies(message.payload);
      }
      EXPECT_EQ(joined, std::string(size, 'x'));
      EXPECT_EQ(relay.take(b), ok("t001", b_uri, use_b));
    }
  }
}

TEST_F(WsAndTcp, R4976_10_a_sender_that_dies_leaves_a_whole_message) {
  WsReceived got;
  relay.send(b, in_frame("t001", std::string(9000, 'x')).substr(0, 6000));
  got.add(relay.take(w));
  relay.close(b);
  got.add(relay.take(w));
  ASSERT_TRUE(got.at_rest());
  EXPECT_TRUE(got.messages[0].payload.ends_with("#\r\n"));
}

TEST_F(WsAndTcp, R4975_13_nobody_connects_to_a_web_client) {
  const std::string gone = "msrp://127.0.0.9:2855/gone;ws";
  relay.send(b, send_frame("t001", use_b + " " + gone, b_uri, "Message-ID: m1\r\n", "x"));
  EXPECT_TRUE(relay.take(b).starts_with("MSRP t001 408"));
  EXPECT_TRUE(relay.connects.empty());
  EXPECT_EQ(counted(Metric::relay_dial_refused), 1U);
}

TEST_F(WsAndTcp, R4976_12_a_web_client_that_does_not_read_holds_its_sender_back) {
  relay.stop_kernel(w, true);
  for (int i = 0; i < 10 && !relay.paused(b); ++i) {
    relay.send(b, in_frame("t001", std::string(50000, 'x'), "m" + std::to_string(i)));
  }
  EXPECT_TRUE(relay.paused(b));
  relay.stop_kernel(w, false);
  EXPECT_FALSE(relay.paused(b));
  EXPECT_GT(received(w).messages.size(), 5U);
}

TEST_F(RelayWs, R7977_1_from_web_to_web) {
  const core::ConnId one = open_ws();
  const core::ConnId two = open_ws();
  const std::string two_uri = "msrp://jk9awp14vj8x.invalid:2855/76qwe;ws";
  const std::string use_one = ws_authenticate(one, "alice", w_uri);
  const std::string use_two = ws_authenticate(two, "bob", two_uri);
  send_text(one,
            send_frame("t001", use_one + " " + use_two + " " + two_uri, w_uri, "Message-ID: m1\r\n", "web to web"));
  const std::string got = received(two).all();
  EXPECT_EQ(header(got, "To-Path"), two_uri);
  EXPECT_EQ(header(got, "From-Path"), use_two + " " + use_one + " " + w_uri);
  EXPECT_EQ(received(one).all(), ok("t001", w_uri, use_one));
  const std::string tid = tid_of(got);
  send_text(two, ok(tid, use_two, two_uri));
  EXPECT_EQ(counted(Metric::relay_transactions), 0U);
}

// ---- its end

TEST_F(WsAndTcp, X_26_what_breaks_the_protocol_ends_the_connection) {
  struct Case {
    std::string bytes;
    std::string code;  // two bytes
    Metric counter;
  };
  const std::string protocol_error = "\x03\xea";  // 1002
  const Case cases[] = {
      {"\x82\x05hello", protocol_error, Metric::msrp_ws_closed_fault},                         // not masked
      {"\x82\xff\x80" + std::string(11, '\0'), protocol_error, Metric::msrp_ws_closed_fault},  // 2^63 bytes
      {"\x82\xff" + std::string(12, '\0'), protocol_error, Metric::msrp_ws_closed_fault},      // a long form of 0
      {"\x89\xfe", protocol_error, Metric::msrp_ws_closed_fault},                              // a long ping
      {ws_frame(ws_ping, "x", false), protocol_error, Metric::msrp_ws_closed_fault},           // a ping in fragments
      {ws_frame(ws_continuation, "x"), protocol_error, Metric::msrp_ws_closed_fault},          // of nothing
      {"\xc2\x80", protocol_error, Metric::msrp_ws_closed_fault},                              // an extension's bit
      {ws_frame(3, "x"), protocol_error, Metric::msrp_ws_closed_fault},                        // no such opcode
      {ws_frame(ws_close, std::string("\x03\xe9", 2) + "bye"), "\x03\xe9", Metric::msrp_ws_closed_peer},
      {ws_frame(ws_close, ""), "", Metric::msrp_ws_closed_peer},
  };
  for (const Case& each : cases) {
    const core::ConnId conn = open_ws();
    const std::uint64_t before = counted(each.counter);
    relay.send(conn, each.bytes);
    const WsReceived got = received(conn);
    ASSERT_EQ(got.controls.size(), 1U) << ::testing::PrintToString(each.bytes);
    EXPECT_EQ(got.controls[0].opcode, unsigned{ws_close});
    EXPECT_EQ(got.controls[0].payload, each.code) << ::testing::PrintToString(each.bytes);
    EXPECT_TRUE(relay.closed(conn));
    EXPECT_EQ(counted(each.counter), before + 1);
  }
}

TEST_F(WsAndTcp, X_26_a_flood_of_small_fragments_is_cut_off) {
  std::string flood = ws_frame(ws_text, "M", false);
  for (int i = 0; i < 70'000; ++i) flood += ws_frame(ws_continuation, "", false);
  relay.send(w, flood);
  EXPECT_EQ(received(w).controls[0].payload, "\x03\xf1");  // 1009
  EXPECT_TRUE(relay.closed(w));
  EXPECT_EQ(counted(Metric::msrp_ws_frames_limit), 1U);
}

TEST_F(WsAndTcp, R7977_1_T_77_many_long_fragments_are_no_flood) {
  const std::string head = out_frame("t001", "");
  const std::size_t body_at = head.find("\r\n\r\n") + 4;
  relay.send(w, ws_frame(ws_binary, head.substr(0, body_at), false));
  const std::string piece = ws_frame(ws_continuation, std::string(1024, 'x'), false);
  for (int i = 0; i < 70'000; ++i) {
    relay.send(w, piece);
    (void)relay.take(b);
  }
  relay.send(w, ws_frame(ws_continuation, head.substr(body_at)));
  EXPECT_EQ(received(w).all(), ok("t001", w_uri, use_w));
}

TEST_F(WsAndTcp, R7977_1_a_silent_client_is_pinged_and_then_given_up) {
  relay.wait(51s);
  WsReceived got = received(w);
  ASSERT_EQ(got.controls.size(), 1U);
  EXPECT_EQ(got.controls[0].opcode, unsigned{ws_ping});
  relay.send(w, ws_frame(ws_pong, ""));
  relay.wait(51s);
  got = received(w);
  ASSERT_EQ(got.controls.size(), 1U);
  EXPECT_EQ(got.controls[0].opcode, unsigned{ws_ping});
  EXPECT_FALSE(relay.closed(w));
  relay.wait(51s);
  EXPECT_TRUE(relay.closed(w));
  EXPECT_EQ(counted(Metric::msrp_ws_closed_silent), 1U);
  EXPECT_FALSE(relay.closed(b)) << "pings are for WebSocket";
}

TEST_F(WsAndTcp, R4976_13_answering_pings_is_no_use) {
  for (int i = 0; i < 80 && !relay.closed(w); ++i) {
    relay.wait(49s);
    relay.send(w, ws_frame(ws_pong, ""));
  }
  EXPECT_TRUE(relay.closed(w));
  EXPECT_EQ(counted(Metric::idle_closed), 1U + (relay.closed(b) ? 1U : 0U));
}

TEST_F(WsAndTcp, nothing_is_left_when_it_ends_in_the_middle) {
  const std::string message = ws_frame(ws_text, out_frame("t001", std::string(5000, 'x')));
  relay.send(w, message.substr(0, 4000));
  relay.send(w, ws_frame(ws_close, ""));  // within the message: these are bytes of its body
  relay.event(core::Input::Kind::half_closed, w);
  EXPECT_TRUE(relay.closed(w));
  EXPECT_TRUE(relay.take(b).ends_with("#\r\n"));
  relay.close(b);
  EXPECT_EQ(relay.pool.heap_bytes(), 0U);
}

}  // namespace
}  // namespace parley::testing
