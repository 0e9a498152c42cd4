// tests/core/websocket_upgrade_test.cc - the handshake of RFC 6455 as server and as client, at every cut.
#include "core/websocket_upgrade.h"

#include <gtest/gtest.h>

#include <string>

namespace parley::core {
namespace {

// RFC 6455 section 1.2, with the subprotocol of RFC 7118.
const std::string example =
    "GET /chat HTTP/1.1\r\n"
    "Host: server.example.com\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Origin: http://example.com\r\n"
    "Sec-WebSocket-Protocol: sip, superchat\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "\r\n";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}
std::string without(const std::string& text, const std::string& name) {
  const std::size_t at = text.find("\r\n" + name + ":");
  EXPECT_NE(at, std::string::npos) << name;
  return std::string(text).erase(at, text.find("\r\n", at + 2) - at);
}
std::string with(const std::string& text, const std::string& line) {
  return text.substr(0, text.size() - 2) + line + "\r\n\r\n";
}

// The bytes as they would come, one more at a time, at a new place each time.
HttpProgress trickle(HttpHeadReader& reader, const std::string& text) {
  HttpProgress progress = HttpProgress::need_more;
  for (std::size_t size = 0; size <= text.size() && progress == HttpProgress::need_more; ++size)
    progress = reader.read(std::string(text, 0, size));
  return progress;
}

UpgradeFault fault(const std::string& text, const std::string& subprotocol = "sip") {
  HttpHeadReader whole(HttpHeadReader::Kind::request);
  const HttpProgress progress = whole.read(text);
  HttpHeadReader slow(HttpHeadReader::Kind::request);
  EXPECT_EQ(trickle(slow, text), progress);
  const Upgrade upgrade = judge_upgrade(progress, whole.head(), text, subprotocol);
  EXPECT_EQ(judge_upgrade(progress, slow.head(), text, subprotocol).fault, upgrade.fault);
  return upgrade.fault;
}

TEST(WebSocketUpgrade, R7118_1_the_example_is_accepted) {
  const std::string stream = example + "\x81\x85";  // what follows is a frame
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    HttpHeadReader reader(HttpHeadReader::Kind::request);
    const HttpProgress first = reader.read(std::string(stream, 0, cut));
    EXPECT_EQ(first, cut < example.size() ? HttpProgress::need_more : HttpProgress::done);
    ASSERT_EQ(reader.read(stream), HttpProgress::done);
    EXPECT_EQ(reader.head().length, example.size());
    const Upgrade upgrade = judge_upgrade(HttpProgress::done, reader.head(), stream, "sip");
    ASSERT_EQ(upgrade.fault, UpgradeFault::none) << to_string(upgrade.fault);
    EXPECT_EQ(upgrade.target, "/chat");
    EXPECT_EQ(upgrade.host, "server.example.com");
    EXPECT_EQ(upgrade.origin, "http://example.com");
    EXPECT_EQ(upgrade.subprotocol, "sip");
    std::string answer;
    write_upgrade(answer, upgrade);
    EXPECT_EQ(answer,
              "HTTP/1.1 101 Switching Protocols\r\n"
              "Upgrade: websocket\r\n"
              "Connection: Upgrade\r\n"
              "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
              "Sec-WebSocket-Protocol: sip\r\n"
              "Access-Control-Allow-Origin: http://example.com\r\n\r\n");
  }
}

TEST(WebSocketUpgrade, spellings_that_occur) {
  EXPECT_EQ(fault(replaced(example, "Connection: Upgrade", "connection: keep-alive, upgrade")), UpgradeFault::none);
  EXPECT_EQ(fault(replaced(example, "Upgrade: websocket", "UPGRADE:WebSocket")), UpgradeFault::none);
  EXPECT_EQ(fault(replaced(example, "sip, superchat", " \t superchat ,,sip\t")), UpgradeFault::none);
  EXPECT_EQ(fault(with(replaced(example, "sip, superchat", "superchat"), "Sec-WebSocket-Protocol: sip")),
            UpgradeFault::none);
  EXPECT_EQ(fault(replaced(example, "/chat", "wss://server.example.com/?a=%20b")), UpgradeFault::none);
  EXPECT_EQ(fault(without(example, "Origin")), UpgradeFault::none);
  EXPECT_EQ(fault(with(example, "Sec-WebSocket-Extensions: permessage-deflate")), UpgradeFault::none);
  EXPECT_EQ(fault(with(example, "Content-Length: 0")), UpgradeFault::none);
  EXPECT_EQ(fault(with(example, "Cookie:")), UpgradeFault::none);
  // The key that RFC 6455 4.1 shows has bits too many in its last character.
  EXPECT_EQ(fault(replaced(example, "dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEC==")), UpgradeFault::none);
  EXPECT_EQ(fault(replaced(example, "sip, superchat", "msrp"), "msrp"), UpgradeFault::none);
}

TEST(WebSocketUpgrade, no_origin_is_not_an_empty_origin) {
  const std::string text = without(example, "Origin");
  HttpHeadReader reader(HttpHeadReader::Kind::request);
  const Upgrade upgrade = judge_upgrade(reader.read(text), reader.head(), text, "sip");
  EXPECT_EQ(upgrade.origin.data(), nullptr);
}

TEST(WebSocketUpgrade, what_is_missing_or_wrong) {
  EXPECT_EQ(fault(replaced(example, "GET", "POST")), UpgradeFault::method);
  EXPECT_EQ(fault(replaced(example, "GET", "get")), UpgradeFault::method);
  EXPECT_EQ(fault(replaced(example, "HTTP/1.1", "HTTP/1.0")), UpgradeFault::http_version);
  EXPECT_EQ(fault(replaced(example, "HTTP/1.1", "HTTP/2.0")), UpgradeFault::http_version);
  EXPECT_EQ(fault(without(example, "Host")), UpgradeFault::host);
  EXPECT_EQ(fault(with(example, "Host: other.example.com")), UpgradeFault::host);
  EXPECT_EQ(fault(without(example, "Upgrade")), UpgradeFault::no_upgrade);
  EXPECT_EQ(fault(replaced(example, "Upgrade: websocket", "Upgrade: h2c")), UpgradeFault::no_upgrade);
  EXPECT_EQ(fault(without(example, "Connection")), UpgradeFault::no_upgrade);
  EXPECT_EQ(fault(replaced(example, "Connection: Upgrade", "Connection: upgraded")), UpgradeFault::no_upgrade);
  EXPECT_EQ(fault(without(example, "Sec-WebSocket-Version")), UpgradeFault::websocket_version);
  EXPECT_EQ(fault(replaced(example, "Version: 13", "Version: 8")), UpgradeFault::websocket_version);
  EXPECT_EQ(fault(with(example, "Sec-WebSocket-Version: 13")), UpgradeFault::websocket_version);
  EXPECT_EQ(fault(without(example, "Sec-WebSocket-Key")), UpgradeFault::key);
  EXPECT_EQ(fault(with(example, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")), UpgradeFault::key);
  for (const std::string key : {"", "dGhlIHNhbXBsZSBub25jZ===", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ==A",
                                 "dGhlIHNhbXBsZSBub25j ZQ==", "dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBsZSBub25-ZQ=="})
    EXPECT_EQ(fault(replaced(example, "dGhlIHNhbXBsZSBub25jZQ==", key)), UpgradeFault::key) << key;
  EXPECT_EQ(fault(with(example, "Origin: http://example.org")), UpgradeFault::origin);
  EXPECT_EQ(fault(without(example, "Sec-WebSocket-Protocol")), UpgradeFault::subprotocol);
  EXPECT_EQ(fault(example, "msrp"), UpgradeFault::subprotocol);
  EXPECT_EQ(fault(replaced(example, "sip, superchat", "SIP, sips, sip superchat")), UpgradeFault::subprotocol);
  EXPECT_EQ(fault(with(example, "Content-Length: 5")), UpgradeFault::body);
  EXPECT_EQ(fault(with(example, "Transfer-Encoding: chunked")), UpgradeFault::body);
}

TEST(WebSocketUpgrade, what_is_not_http) {
  for (const std::string text :
       {"\x16\x03\x01", "REGISTER sip:example.com SIP/2.0\r\n", "GET  / HTTP/1.1\r\n", "GET / HTTP/1.1\n",
        "GET / HTTP/1.1 \r\n", "GET /\xc3\xa4 HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost : a\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n c\r\n", "GET / HTTP/1.1\r\nA: b\n", "GET / HTTP/1.1\r\nA: b\rc\r\n",
        "GET / HTTP/1.1\r\n: b\r\n", "\r\nGET / HTTP/1.1\r\n"})
    EXPECT_EQ(fault(text), UpgradeFault::not_http) << text;
  EXPECT_EQ(fault(std::string("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 26)), UpgradeFault::not_http);
  EXPECT_EQ(fault("MSRP d93kswow SEND\r\n"), UpgradeFault::not_http);
}

TEST(WebSocketUpgrade, a_head_has_8_kib_and_64_headers) {
  const std::string fill(http_head_bytes_max - example.size() - std::string("A: \r\n").size(), 'x');
  EXPECT_EQ(fault(with(example, "A: " + fill)), UpgradeFault::none);
  EXPECT_EQ(fault(with(example, "A: x" + fill)), UpgradeFault::too_long);
  EXPECT_EQ(fault(std::string(http_head_bytes_max, 'G')), UpgradeFault::too_long);
  std::string many = example;
  for (int i = 7; i < 64; ++i) many = with(many, "A: b");
  EXPECT_EQ(fault(many), UpgradeFault::none);
  EXPECT_EQ(fault(with(many, "A: b")), UpgradeFault::too_long);
}

TEST(WebSocketUpgrade, refusals_say_what_would_be_right) {
  const auto refusal = [](UpgradeFault why) {
    std::string text;
    write_refusal(text, why);
    HttpHeadReader reader(HttpHeadReader::Kind::answer);
    EXPECT_EQ(reader.read(text), HttpProgress::done);
    EXPECT_EQ(reader.head().length, text.size());
    EXPECT_NE(reader.head().list_element("Connection", "close", HttpHead::Case::exact, text).data(), nullptr);
    return text;
  };
  EXPECT_EQ(refusal(UpgradeFault::websocket_version),
            "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Connection: close, Upgrade\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(refusal(UpgradeFault::no_upgrade).starts_with("HTTP/1.1 426 "));
  EXPECT_TRUE(refusal(UpgradeFault::subprotocol).starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(refusal(UpgradeFault::key).starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(refusal(UpgradeFault::too_long).starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(refusal(UpgradeFault::http_version).starts_with("HTTP/1.1 505 "));
  EXPECT_TRUE(refusal(UpgradeFault::method).starts_with("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n"));
  std::string forbidden;
  write_refusal(forbidden, 403, "Forbidden");
  EXPECT_EQ(forbidden, "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

// ---- the client

constexpr std::array<std::uint8_t, 16> random_bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

TEST(WebSocketUpgrade, a_key_is_16_bytes_in_base64) {
  EXPECT_EQ(WebSocketKey(random_bytes).view(), "AQIDBAUGBwgJCgsMDQ4PEA==");
}

TEST(WebSocketUpgrade, client_and_server_agree) {
  const WebSocketKey key(random_bytes);
  const UpgradeAsk ask{
      .target = "/sip", .host = "[::1]:8080", .subprotocol = "sip", .origin = "null", .key = key.view()};
  std::string request;
  write_upgrade_request(request, ask);
  HttpHeadReader at_server(HttpHeadReader::Kind::request);
  const Upgrade upgrade = judge_upgrade(at_server.read(request), at_server.head(), request, "sip");
  ASSERT_EQ(upgrade.fault, UpgradeFault::none);
  EXPECT_EQ(upgrade.target, "/sip");
  EXPECT_EQ(upgrade.host, "[::1]:8080");
  EXPECT_EQ(upgrade.origin, "null");
  std::string answer;
  write_upgrade(answer, upgrade);
  HttpHeadReader at_client(HttpHeadReader::Kind::answer);
  EXPECT_EQ(trickle(at_client, answer), HttpProgress::done);
  EXPECT_EQ(check_upgrade_answer(HttpProgress::done, at_client.head(), answer, ask), UpgradeFault::none);

  const auto check = [&](const std::string& text) {
    HttpHeadReader reader(HttpHeadReader::Kind::answer);
    const HttpProgress progress = reader.read(text);
    return check_upgrade_answer(progress, reader.head(), text, ask);
  };
  EXPECT_EQ(check(replaced(answer, " Switching Protocols", "")), UpgradeFault::none);
  EXPECT_EQ(check(replaced(answer, "101", "200")), UpgradeFault::status);
  EXPECT_EQ(check(replaced(answer, "1.1 101", "1.0 101")), UpgradeFault::http_version);
  EXPECT_EQ(check(without(answer, "Upgrade")), UpgradeFault::no_upgrade);
  EXPECT_EQ(check(without(answer, "Connection")), UpgradeFault::no_upgrade);
  EXPECT_EQ(check(without(answer, "Sec-WebSocket-Accept")), UpgradeFault::accept);
  EXPECT_EQ(check(replaced(answer, "Accept: ", "Accept: x")), UpgradeFault::accept);
  EXPECT_EQ(check(with(answer, "Sec-WebSocket-Extensions: permessage-deflate")), UpgradeFault::extensions);
  EXPECT_EQ(check(without(answer, "Sec-WebSocket-Protocol")), UpgradeFault::subprotocol);
  EXPECT_EQ(check(replaced(answer, "Protocol: sip", "Protocol: sips")), UpgradeFault::subprotocol);
  EXPECT_EQ(check("HTTP/1.1 10x\r\n"), UpgradeFault::not_http);
  EXPECT_EQ(check("SIP/2.0 200 OK\r\n"), UpgradeFault::not_http);
}

}  // namespace
}  // namespace parley::core
