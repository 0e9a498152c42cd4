// tests/client/client_world.h - a Client driven by hand: datagrams to and from its server, MSRP connections, events,
// time.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/metrics.h"
#include "core/pool.h"
#include "tests/client/lines.h"
#include "tools/parley/client.h"

namespace parley::tests {

using namespace std::chrono_literals;

// Files as they would be on a disk.
class Files final : public client::FileStore {
 public:
  std::uint16_t begin(std::uint32_t session, const client::FileOffer& offer) override {
    if (answer == 0) files[session] = {.offer = offer, .bytes = {}};
    return answer;
  }
  bool write(std::uint32_t session, std::uint64_t start, std::string_view bytes) override {
    std::string& file = files[session].bytes;
    if (file.size() < start - 1 + bytes.size()) file.resize(start - 1 + bytes.size());
    file.replace(start - 1, bytes.size(), bytes);
    return !full && takes-- > 0;
  }
  Result end(std::uint32_t session, bool whole) override {
    ended[session] = whole;
    return {.good = whole && sound, .path = "/x", .why = {}};
  }
  void remove(const std::string& path) override { removed.push_back(path); }
  struct File {
    client::FileOffer offer;
    std::string bytes;
  };
  std::map<std::uint32_t, File> files;
  std::map<std::uint32_t, bool> ended;
  std::vector<std::string> removed;
  std::uint16_t answer = 0;
  bool full = false;
  int takes = 1000;  // so often, then it is full
  bool sound = true;  // of what has come
};

// What was to be deleted.
class Xcap final : public client::XcapClient {
 public:
  void erase(std::uint32_t ticket, std::string path) override { erased.emplace_back(ticket, std::move(path)); }
  std::vector<std::pair<std::uint32_t, std::string>> erased;
};

// The first header of that name.
inline std::string field(std::string_view message, const std::string& name) {
  const std::size_t at = message.find("\r\n" + name + ": ");
  if (at == std::string_view::npos) return {};
  const std::size_t start = at + 2 + name.size() + 2;
  return std::string(message.substr(start, message.find("\r\n", start) - start));
}
inline std::string start_line(std::string_view message) { return std::string(message.substr(0, message.find("\r\n"))); }
inline std::string body(std::string_view message) {
  const std::size_t at = message.find("\r\n\r\n");
  return at == std::string_view::npos ? std::string() : std::string(message.substr(at + 4));
}
inline std::string in_brackets(const std::string& value) {
  const std::size_t at = value.find('<');
  return at == std::string::npos ? value : value.substr(at + 1, value.find('>') - at - 1);
}
inline std::string tag(const std::string& value) {
  const std::size_t at = value.find(";tag=");
  return at == std::string::npos ? "" : value.substr(at + 5);
}

class ClientWorld {
 public:
  using Config = client::ClientConfig;
  explicit ClientWorld(const std::function<void(Config&)>& change = {}) {
    Config config;
    config.self = alice();
    config.agent.server = {
        .transport = core::Transport::udp, .address = *core::parse_address("127.0.0.1:5060"), .tls_name = {}};
    config.agent.user = "alice";
    config.agent.password = "secret";
    auto transport = std::make_shared<sip::TransportConfig>();
    transport->listener_base = 1;
    const auto own = *core::parse_address("127.0.0.1:40000");
    transport->listeners = {{core::Transport::udp, "127.0.0.1", 40000, own},
                            {core::Transport::tcp, "127.0.0.1", 40000, own}};
    config.agent.transport = transport;
    config.msrp.host = "127.0.0.1";
    config.msrp.port = 2855;
    config.host = "127.0.0.1";
    config.registrar = "sip:example.org";
    config.factory = "sip:factory@example.org";
    config.deferred_uris = {"sip:Deferred@example.org", "sip:Deferre@example.org"};
    config.tells_bytes = true;
    if (change) change(config);
    client_ = std::make_unique<client::Client>(client::Client::Parts{.pool = pool_,
                                                                     .metrics = *metrics_,
                                                                     .seed = core::Seed{},
                                                                     .start = now_,
                                                                     .files = files,
                                                                     .fetched = fetched,
                                                                     .xcap = &xcap,
                                                                     .config = std::move(config)});
  }

  client::Client& client() { return *client_; }
  void step(const std::function<void()>& calls = {}) {
    client_->begin({.mono = now_, .wall_ms = 1'700'000'000'000}, out_);
    if (calls) calls();
    finish();
  }
  void pass(core::Duration time) {
    const core::Instant end = now_ + time;
    // As the loop does: at each deadline.
    for (int i = 0; i < 10'000 && client_->next_deadline() < end; ++i) {
      now_ = std::max(now_, client_->next_deadline());
      step();
    }
    now_ = end;
    step();
  }

  // --- SIP

  void receive(std::string_view text) {
    const core::Address source = *core::parse_address("127.0.0.1:5060");
    core::Input input;
    input.kind = core::Input::Kind::datagram;
    input.socket = 0;
    input.source = &source;
    with_bytes(input, text);
  }
  // The next message to the server; "" when there is none.
  std::string next() {
    if (sent_.empty()) return {};
    std::string text = std::move(sent_.front());
    sent_.pop_front();
    return text;
  }
  // The next one with that start; others before it are dropped.
  std::string next(const std::string& start) {
    for (std::string text = next(); !text.empty(); text = next()) {
      if (text.starts_with(start)) return text;
    }
    return {};
  }
  [[nodiscard]] core::Instant now() const { return now_; }
  void forget() { sent_.clear(); }
  [[nodiscard]] bool quiet() const { return sent_.empty(); }

  static std::string response(const std::string& request, const std::string& status, const std::string& lines = {},
                              const std::string& content = {}, const std::string& to_tag = "srv") {
    std::string to = field(request, "To");
    if (tag(to).empty()) to += ";tag=" + to_tag;
    return "SIP/2.0 " + status + "\r\nVia: " + field(request, "Via") + "\r\nFrom: " + field(request, "From") +
           "\r\nTo: " + to + "\r\nCall-ID: " + field(request, "Call-ID") + "\r\nCSeq: " + field(request, "CSeq") +
           "\r\n" + lines + with_body(content);
  }
  void respond(const std::string& request, const std::string& status, const std::string& lines = {},
               const std::string& content = {}, const std::string& to_tag = "srv") {
    receive(response(request, status, lines, content, to_tag));
  }
  static std::string with_body(const std::string& content) {
    return "Content-Length: " + std::to_string(content.size()) + "\r\n\r\n" + content;
  }

  // --- MSRP

  core::ConnId media_comes() {
    core::PeerInfo peer;
    peer.listener = 0;
    core::Input input;
    input.kind = core::Input::Kind::opened;
    input.conn = {next_conn_++, 1};
    input.peer = &peer;
    give(input, {});
    return input.conn;
  }
  core::ConnId media_connected() {
    EXPECT_FALSE(dials.empty());
    core::PeerInfo peer;
    core::Input input;
    input.kind = core::Input::Kind::connected;
    input.token = dials.back().token;
    input.conn = {next_conn_++, 1};
    input.peer = &peer;
    give(input, {});
    return input.conn;
  }
  // The last dial has succeeded and the binding SEND is answered.
  core::ConnId media_up() {
    const core::ConnId conn = media_connected();
    const std::string bind = written(conn);
    EXPECT_NE(bind.find(" SEND\r\n"), std::string::npos);
    const std::string tid = bind.substr(5, bind.find(' ', 5) - 5);
    bytes(conn, "MSRP " + tid + " 200 OK\r\nTo-Path: " + field(bind, "From-Path") +
                    "\r\nFrom-Path: " + field(bind, "To-Path") + "\r\n-------" + tid + "$\r\n");
    return conn;
  }
  void bytes(core::ConnId conn, std::string_view text) {
    core::Input input;
    input.kind = core::Input::Kind::bytes;
    input.conn = conn;
    give(input, text);
  }
  void media_closed(core::ConnId conn) {
    core::Input input;
    input.kind = core::Input::Kind::closed;
    input.conn = conn;
    give(input, {});
  }
  std::string written(core::ConnId conn) { return std::exchange(written_[conn.index], {}); }

  // --- events

  // The first of that name since the last look, taken out; one without a name when there is none.
  client::Event event(std::string_view name) {
    for (auto at = events.begin(); at != events.end(); ++at) {
      if (at->name != name) continue;
      client::Event found = *at;
      events.erase(at);
      return found;
    }
    return client::Event("");
  }

  std::vector<client::Event> events;
  std::vector<core::ConnectRequest> dials;
  std::vector<core::ConnId> closes;
  Files files;
  Files fetched;
  Xcap xcap;

 private:
  void with_bytes(core::Input& input, std::string_view text) {
    const core::BufferId block = pool_.take_heap(static_cast<std::uint32_t>(std::max<std::size_t>(text.size(), 1)));
    text.copy(pool_.data(block), text.size());
    input.slice = {block, 0, static_cast<std::uint32_t>(text.size())};
    give(input, text);
    pool_.release(block);
  }
  void give(const core::Input& input, std::string_view text) {
    step([&] { client_->take(input, text); });
  }
  void finish() {
    client_->end();
    for (client::Event event(""); client_->next(event);) events.push_back(event);
    for (const core::Output& output : out_.outputs()) {
      if (output.kind == core::Output::Kind::send) {
        written_[output.conn.index] += pool_.view(output.slice);
        pool_.release(output.slice.buffer);
      } else if (output.kind == core::Output::Kind::close) {
        closes.push_back(output.conn);
      }
    }
    for (const core::Datagram& datagram : out_.datagrams()) {
      sent_.emplace_back(pool_.view(datagram.slice));
      pool_.release(datagram.slice.buffer);
    }
    for (core::ConnectRequest& dial : out_.connects()) {
      // What is too long for a datagram tries TCP first: nobody is there.
      if ((dial.token & sip::sip_token_bit) != 0) {
        refused_.push_back(dial.token);
      } else {
        dials.push_back(std::move(dial));
      }
    }
    out_.clear();
    while (!refused_.empty()) {
      core::Input input;
      input.kind = core::Input::Kind::connect_failed;
      input.token = refused_.front();
      refused_.erase(refused_.begin());
      give(input, {});
    }
  }

  core::Pool pool_{{.small_count = 8, .large_count = 1, .arena_count = 8, .heap_bytes_max = 64 << 20}};
  std::unique_ptr<core::Metrics> metrics_ = std::make_unique<core::Metrics>();
  core::Outbox out_{pool_};
  core::Instant now_{1h};
  std::unique_ptr<client::Client> client_;
  std::deque<std::string> sent_;
  std::vector<std::uint64_t> refused_;
  std::map<std::uint32_t, std::string> written_;
  std::uint32_t next_conn_ = 1;
};

// bob, or whoever stands for him, at the other end of a session.
inline std::string chat_sdp(const std::string& more = "a=setup:passive\r\n",
                            const std::string& path = "msrp://127.0.0.1:3000/bob;tcp") {
  return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 3000 TCP/MSRP *\r\n"
         "a=accept-types:text/plain message/cpim\r\n" +
         more + "a=path:" + path + "\r\n";
}
struct InviteText {
  std::string lines = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\nSupported: timer\r\n";
  std::string contact = "<sip:bob@127.0.0.1:7000>;+g.oma.sip-im";
  std::string call = "call1";
  std::string sdp = chat_sdp("a=setup:actpass\r\n");
};
inline std::string invite_text(const InviteText& text = {}) {
  return "INVITE sip:alice@127.0.0.1:40000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK" + text.call +
         "\r\nMax-Forwards: 70\r\nFrom: <sip:bob@example.org>;tag=bob\r\nTo: <sip:alice@example.org>\r\nCall-ID: " +
         text.call + "\r\nCSeq: 1 INVITE\r\nContact: " + text.contact + "\r\n" + text.lines +
         (text.sdp.empty() ? "" : "Content-Type: application/sdp\r\n") + ClientWorld::with_body(text.sdp);
}
// A request of bob's in the dialog that `response` of ours has made.
inline std::string in_dialog(const std::string& response, const std::string& method, int cseq,
                             const std::string& lines = {}, const std::string& content = {}) {
  return method + " sip:alice@127.0.0.1:40000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK" + method +
         std::to_string(cseq) + field(response, "Call-ID") +
         "\r\nMax-Forwards: 70\r\nFrom: " + field(response, "From") + "\r\nTo: " + field(response, "To") +
         "\r\nCall-ID: " + field(response, "Call-ID") + "\r\nCSeq: " + std::to_string(cseq) + " " + method +
         "\r\nContact: <sip:bob@127.0.0.1:7000>;+g.oma.sip-im\r\n" + lines + ClientWorld::with_body(content);
}

}  // namespace parley::tests
